"""One frozen Settings, read once from ``MINYI_*`` and passed down."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Secrets have no defaults: a server without them refuses to start."""

    model_config = SettingsConfigDict(env_prefix="MINYI_", frozen=True, extra="forbid")

    database_url: str = "sqlite+aiosqlite:///var/minyi.sqlite3"
    field_secret: SecretStr = Field(min_length=32)
    """Seals names and phones; at least 32 characters. Losing it loses them."""
    token_key: SecretStr
    """Ed25519 private key, 32 bytes in hex, that signs access tokens."""
    issuer: str = "minyi"
    access_token_seconds: int = 900
    refresh_token_days: int = 30
    wechat_base_url: str = "https://api.weixin.qq.com"
    wechat_app_id: str = ""
    wechat_secret: SecretStr = SecretStr("")
    wechat_timeout_seconds: float = 5.0
    host: str = "127.0.0.1"
    port: int = 8000
    log_path: Path | None = None
    live_origins: list[str] = Field(default_factory=list)
    """Allowed Origin headers of the socket; empty allows any (mini-programs send none)."""
    ping_seconds: int = 25
    replay_events: int = 200
    worker_poll_seconds: float = 1.0
