"""One frozen Settings, read once from ``MINYI_*`` and passed down."""

import os
import re
import secrets
from collections.abc import Iterable
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from consultation.box_keys import BoxKeys, FileBoxKeys, NoBoxKeys
from notifications.wechat.templates import TemplateSpec


class Settings(BaseSettings):
    """Secrets have no defaults: a server without them refuses to start."""

    model_config = SettingsConfigDict(env_prefix="MINYI_", frozen=True, extra="forbid")

    database_url: str = "sqlite+aiosqlite:///var/minyi.sqlite3"
    field_secret: SecretStr = Field(min_length=32)
    """Seals names and phones; at least 32 characters. Losing it loses them."""
    token_key: SecretStr
    """Ed25519 private key, 32 bytes in hex, that signs access tokens."""
    board_key: SecretStr
    """Ed25519 private key, 32 bytes in hex, that signs the boards and certificates of polls."""
    box_keys_dir: Path | None = None
    """Folder for the box keys of confidential polls, away from the database and its backups;
    without one such polls cannot be announced."""
    issuer: str = "minyi"
    access_token_seconds: int = Field(default=900, gt=0)
    refresh_token_days: int = Field(default=30, gt=0)
    wechat_base_url: str = "https://api.weixin.qq.com"
    wechat_app_id: str = ""
    wechat_secret: SecretStr = SecretStr("")
    wechat_timeout_seconds: float = Field(default=5.0, gt=0, le=10)
    """For one answer; a whole request, with token and tries, takes four times as long at most,
    which a sender's lease must outlive."""
    wechat_templates: list[TemplateSpec] = Field(default_factory=list)
    """Subscription templates of the app, as JSON; their order is the order in which to ask."""
    wechat_prompt_templates: int = Field(default=3, gt=0)
    """How many templates a client may ask for in one tap; older clients take three."""
    wechat_credits_wanted: int = Field(default=2, ge=0)
    wechat_accept_window_hours: int = Field(default=24, gt=0)
    wechat_miniprogram_state: Literal["formal", "trial", "developer"] = "formal"
    wechat_env_version: Literal["release", "trial", "develop"] = "release"
    wechat_text_characters: int = Field(default=2500, gt=0)
    """The longest text that one content check takes."""
    content_check: Literal["wechat", "none"] = "wechat"
    """Who checks what people write, before people: WeChat, or nobody."""
    photos_dir: Path | None = None
    """Folder for the photos of topics, which the database does not hold; without one there are
    none."""
    public_url: str = ""
    """The https address of this server from outside: where WeChat fetches a photo to check."""
    wechat_media_minutes: int = Field(default=35, gt=0)
    """After so long without a verdict on a medium a person looks at it."""
    wechat_push_token: SecretStr = SecretStr("")
    """Token of the message push, as set in WeChat's console; empty refuses every push."""
    wechat_push_key: SecretStr = SecretStr("")
    """EncodingAESKey of the message push, 43 characters."""
    wechat_push_mode: Literal["secure", "plain"] = "secure"
    """Whether pushes are encrypted; the console's compatible mode is secure here."""
    wechat_push_fresh_seconds: int = Field(default=600, gt=0)
    wechat_h5_app_id: str = ""
    """The service account whose OAuth logs browsers inside WeChat in; empty for none."""
    wechat_h5_secret: SecretStr = SecretStr("")
    wechat_h5_page: str = ""
    """The https address of the page to which WeChat sends the browser back."""
    wechat_open_url: str = "https://open.weixin.qq.com"
    wechat_link_days: int = Field(default=30, ge=3, le=30)
    wechat_code_width: int = Field(default=430, ge=280, le=1280)
    wechat_pages: dict[str, str] = Field(
        default_factory=lambda: {
            "topic": "pages/topic/topic",
            "poll": "pages/poll/poll",
            "meeting": "pages/meeting/meeting",
            "notices": "pages/notices/notices",
        }
    )
    """The mini-program's page for each thing that a code, a link or a message leads to, without a
    leading slash; ``notices`` is the inbox. All four are named, or none."""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    trusted_proxies: list[str] = Field(default_factory=lambda: ["127.0.0.1", "::1"])
    """Addresses and networks whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed, over
    HTTP and by the socket; ``*`` alone for any."""
    log_path: Path | None = None
    live_origins: list[str] = Field(default_factory=list)
    """Allowed Origin headers of the socket, as browsers write them, or ``*`` for any; mini-programs
    send none. Empty allows any too, but not in production."""
    hello_seconds: float = Field(default=5.0, gt=0)
    ping_seconds: float = Field(default=25.0, gt=0)
    replay_events: int = Field(default=200, ge=0)
    """Events a client may have missed of a stream; further behind, it fetches a snapshot."""
    replay_hours: int = Field(default=72, gt=0)
    replay_bytes: int = Field(default=64 * 1024, gt=0)
    live_per_person: int = Field(default=8, gt=0)
    """Sockets of one person at one process; a further one replaces the oldest."""
    live_per_address: int = Field(default=512, gt=0)
    """Sockets from one address at one process; a mobile network shares one among many people."""
    live_min_clients: dict[str, str] = Field(default_factory=dict)
    """By name in ``hello.client``, the lowest version that may come: ``{"miniprogram": "1.4"}``."""
    live_recheck_seconds: float = Field(default=2.0, gt=0)
    """How often open sockets are looked at for sessions and roles that have ended."""
    run_relay: bool = True
    """Number the journal and feed the live sockets from this process."""
    relay_poll_seconds: float = Field(default=1.0, gt=0)
    bus_url: SecretStr = SecretStr("")
    """``redis://…`` between several server processes; empty for one."""
    run_worker: bool = True
    """Do the jobs that fall due in this process."""
    worker_poll_seconds: float = Field(default=1.0, gt=0)
    shared_read_seconds: float = Field(default=1.0, ge=0)
    """How long a public answer may be handed out that another process has changed; 0 keeps none."""
    presets_dir: Path | None = None
    """Stricter rules of this place, one TOML each; a looser one stops the start."""
    owners_system_of_record: bool = False
    """The law of this place takes this server's count for an owners' vote; otherwise owners' polls
    are indicative."""
    run_sender: bool = True
    """Send what is owed beyond the inbox from this process."""
    sms_provider: Literal["", "http", "file"] = ""
    """Empty: nobody is reached by SMS. ``file`` writes what it would send, phones included."""
    sms_url: str = ""
    sms_key: str = ""
    sms_secret: SecretStr = SecretStr("")
    sms_signature: str = ""
    """The name that the provider puts before each message (短信签名)."""
    sms_templates: dict[str, str] = Field(default_factory=dict)
    """The provider's template id by our words (``poll_opened``); ``*`` for all others."""
    sms_file: Path = Path("var/sms.jsonl")
    sms_codes_per_phone: int = Field(default=5, ge=0)
    """Codes a day to one phone, for logging in and binding without WeChat."""
    sms_codes_per_address: int = Field(default=100, ge=0)
    """Codes a day for one address (IPv6: one /64); a mobile network shares one among many."""
    sms_codes_per_day: int = Field(default=2000, ge=0)
    production: bool = False
    """Real people log in here: the real WeChat only, and no fake beside it."""

    @model_validator(mode="after")
    def _logs_in_for_real(self) -> Self:
        if self.production and not (
            self.wechat_base_url.startswith("https://")
            and self.wechat_app_id
            and self.wechat_secret.get_secret_value()
        ):
            raise ValueError("production needs wechat_app_id, wechat_secret and an https address")
        return self

    @field_validator("live_origins")
    @classmethod
    def _are_origins(cls, origins: list[str]) -> list[str]:
        for one in origins:
            if one != "*" and not re.fullmatch(r"https?://[^/?#A-Z]+", one):
                raise ValueError("an origin is https://host or https://host:port, in lower case")
        return origins

    @field_validator("database_url")
    @classmethod
    def _is_a_database_we_know(cls, url: str) -> str:
        if not re.match(r"(sqlite\+aiosqlite|postgresql\+asyncpg)://", url):
            raise ValueError("must begin with sqlite+aiosqlite:// or postgresql+asyncpg://")
        try:
            make_url(url)
        except (ArgumentError, ValueError):
            raise ValueError("is no address of a database") from None
        return url

    @field_validator(
        "wechat_base_url", "wechat_open_url", "wechat_h5_page", "sms_url", "public_url"
    )
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        if url and not re.fullmatch(r"https?://[^/?#\s]+([/?#]\S*)?", url):
            raise ValueError("must be an address as https://minyi.example")
        return url

    @field_validator("trusted_proxies")
    @classmethod
    def _are_addresses(cls, proxies: list[str]) -> list[str]:
        for one in proxies if proxies != ["*"] else []:
            try:
                ip_network(one)
            except ValueError:
                raise ValueError("a proxy is an address, or a network as 10.0.0.0/24") from None
        return proxies

    @model_validator(mode="after")
    def _knows_its_browsers(self) -> Self:
        if self.production and not self.live_origins:
            raise ValueError("production needs live_origins: the web pages' origins, or * for any")
        return self

    @model_validator(mode="after")
    def _is_pushed_to_safely(self) -> Self:
        token, key = self.wechat_push_token, self.wechat_push_key.get_secret_value()
        if not token.get_secret_value():
            return self
        if self.wechat_push_mode == "plain":
            if self.production:
                raise ValueError("production takes encrypted pushes only")
        elif not re.fullmatch("[A-Za-z0-9+/]{43}", key):
            raise ValueError("wechat_push_key must have 43 letters and digits")
        return self

    @model_validator(mode="after")
    def _sends_browsers_back_here(self) -> Self:
        if self.wechat_h5_app_id and not self.wechat_h5_page:
            raise ValueError("wechat_h5_app_id needs wechat_h5_page")
        if self.production and not self.wechat_open_url.startswith("https://"):
            raise ValueError("production sends browsers to an https address")
        return self

    @model_validator(mode="after")
    def _can_send(self) -> Self:
        if self.sms_provider == "http" and not (
            self.sms_url and self.sms_secret.get_secret_value() and self.sms_templates
        ):
            raise ValueError("sms_provider http needs sms_url, sms_secret and sms_templates")
        if self.production and self.sms_provider == "file":
            raise ValueError("in production nobody reads the file of sms_provider file")
        return self

    @model_validator(mode="after")
    def _has_photos_checked(self) -> Self:
        if self.photos_dir is not None and self.content_check == "wechat" and not self.public_url:
            raise ValueError("photos_dir needs public_url, or content_check none")
        if self.production and self.public_url and not self.public_url.startswith("https://"):
            raise ValueError("production is reached at an https address")
        return self

    @field_validator("wechat_pages")
    @classmethod
    def _names_all_pages(cls, pages: dict[str, str]) -> dict[str, str]:
        if set(pages) != {"topic", "poll", "meeting", "notices"} or not all(pages.values()):
            raise ValueError("must name the pages topic, poll, meeting and notices")
        return pages

    @field_validator("token_key", "board_key")
    @classmethod
    def _is_a_key(cls, key: SecretStr) -> SecretStr:
        try:
            right = len(bytes.fromhex(key.get_secret_value())) == 32
        except ValueError:
            right = False
        if not right:
            raise ValueError("must be 32 bytes in hex (64 digits)")
        return key

    @model_validator(mode="after")
    def _keeps_keys_apart(self) -> Self:
        self.box_keys()
        return self

    def box_keys(self) -> BoxKeys:
        """Where box keys lie. ValueError if that is with the database."""
        if self.box_keys_dir is None:
            return NoBoxKeys()
        path = make_url(self.database_url).database
        on_file = self.database_url.startswith("sqlite") and path not in (None, "", ":memory:")
        return FileBoxKeys(
            self.box_keys_dir, database_folder=Path(path or "").parent if on_file else None
        )


DEFAULT_ENV_FILE = Path("var/minyi.env")


class SettingsUnusable(Exception):
    """The settings are missing or wrong; the message says which, never their values."""


def load(env_file: Path | None = None) -> Settings:
    """The settings from the environment and from ``env_file``, by default ``var/minyi.env`` if it
    is there. The environment wins."""
    if env_file is not None and not env_file.is_file():
        raise SettingsUnusable(f"There is no settings file {env_file}.")
    chosen = env_file or (DEFAULT_ENV_FILE if DEFAULT_ENV_FILE.is_file() else None)
    try:
        return Settings(_env_file=chosen)  # type: ignore[call-arg]
    except ValidationError as error:
        lines = [f"  {_variable(e['loc'])}{_named(e['msg'])}" for e in error.errors()]
        missing = {e["loc"][0] for e in error.errors() if e["type"] == "missing"}
    except SettingsError as error:  # a value that should be JSON and is not
        found = re.search(r'field "(\w+)"', str(error))
        lines, missing = [f"  {_variable(found.groups() if found else ())}must be JSON"], set()
    lines = ["These settings are missing or wrong:", *lines]
    if missing & {"field_secret", "token_key", "board_key"}:
        lines.append("`minyi secrets` makes new ones.")
    raise SettingsUnusable("\n".join(lines))


PREFIX = "MINYI_"


def _variable(loc: tuple[Any, ...]) -> str:
    return "".join(f"{PREFIX}{str(part).upper().removeprefix(PREFIX)}: " for part in loc[:1])


def _named(message: str) -> str:
    """With the variables that people set in place of our fields."""
    names = "|".join(sorted((n for n in Settings.model_fields if "_" in n), key=len, reverse=True))
    return re.sub(rf"\b({names})\b", lambda found: PREFIX + found[0].upper(), message)


OTHERS = frozenset({"MINYI_ENV_FILE"})
"""Variables that are read, and are no settings."""


def unknown(environment: Iterable[str]) -> list[str]:
    """A line for each variable that looks like a setting and is none, with the one that was
    probably meant; a settings file with such a line is refused."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | OTHERS
    lines = []
    for name in sorted(set(environment)):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            near = get_close_matches(name.upper(), known, n=1)
            lines.append(f"{name} is no setting" + (f"; {near[0]} is one" if near else "") + ".")
    return lines


def fresh_secrets() -> str:
    """The lines of a settings file that nobody else has."""
    return (
        f"MINYI_FIELD_SECRET={secrets.token_urlsafe(48)}\n"
        f"MINYI_TOKEN_KEY={secrets.token_hex(32)}\n"
        f"MINYI_BOARD_KEY={secrets.token_hex(32)}\n"
    )


def write_secrets(path: Path) -> None:
    """A settings file with fresh secrets, readable by its owner only.

    FileExistsError if it is there: losing the field secret loses every sealed name and phone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(fresh_secrets())
