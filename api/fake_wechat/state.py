"""What the fake remembers: the app, its users, their codes, what was charged, and its clock."""

import base64
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta

APP_ID = "wxfa4e000000000001"
SECRET = "fake-secret-that-opens-nothing"  # noqa: S105
H5_APP_ID = "wxfa4e000000000002"
H5_SECRET = "fake-secret-of-the-service-account"  # noqa: S105
PUSH_TOKEN = "FAKEPUSHTOKEN"  # noqa: S105
PUSH_KEY = "FAKE" * 10 + "key"
PAGES = ("pages/topic/topic", "pages/poll/poll", "pages/meeting/meeting", "pages/notices/notices")
"""Of the released version, until the control plane names others."""
FRESH = timedelta(hours=2)
"""So long after a visit a user's words can be checked."""

CODE_LIFE = timedelta(minutes=5)
LOGINS_PER_MINUTE = 100

MESSAGES = {
    -1: "system error",
    40037: "template_id invalid",
    40129: "invalid scene",
    40165: "invalid weapp pagepath",
    40212: "invalid query",
    41030: "invalid page",
    43101: "user refuse to accept the msg",
    44002: "empty post data",
    47003: "argument invalid!",
    61010: "code is expired",
    85401: "invalid expire time",
    87009: "invalid signature",
    40001: "invalid credential, access_token is invalid or not latest",
    40002: "invalid grant_type",
    40003: "invalid openid",
    40013: "invalid appid",
    40014: "invalid access_token",
    40029: "invalid code",
    40125: "invalid appsecret",
    40163: "code been used",
    40226: "code blocked",
    41001: "access_token missing",
    41008: "missing code",
    42001: "access_token expired",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit, must slower, retry next minute",
    47001: "data format error",
}


class Refused(Exception):
    """Answered with HTTP 200 and this errcode."""

    def __init__(self, errcode: int, what: str = "") -> None:
        self.errcode = errcode
        self.what = what


@dataclass
class User:
    """A WeChat user as one app sees them. ``risk`` users may not log in (40226), ``snapshot``
    users are virtual (of a preview page). ``credits`` by template id."""

    openid: str
    unionid: str | None = None
    phone: str | None = None
    country_code: str = "86"
    risk: bool = False
    snapshot: bool = False
    session_key: str | None = None
    visited_at: datetime | None = None
    credits: Counter[str] = field(default_factory=Counter)
    logins: deque[datetime] = field(default_factory=deque)


@dataclass
class Code:
    openid: str
    app_id: str
    expires_at: datetime
    used: bool = False


@dataclass
class Fault:
    """What happens to the next ``n`` requests of ``path``."""

    path: str
    kind: str
    n: int
    errcode: int = -1
    seconds: float = 0


@dataclass
class Template:
    """A subscription template; ``content`` names its keys as ``{{thing1.DATA}}``."""

    template_id: str
    content: str
    long_term: bool = False
    title: str = "通知"


@dataclass
class Quota:
    """Most calls of one path; None for no limit. ``seen`` are the times of the last day's."""

    per_minute: int | None = None
    per_day: int | None = None
    seen: deque[datetime] = field(default_factory=deque)


@dataclass
class FakeWechat:
    """Start again with ``reset``; the clock goes on from where it stands."""

    clock: Callable[[], datetime]
    source: random.Random = field(default_factory=random.SystemRandom)
    """Of all that is random here: a seeded one makes two runs alike."""
    skew: timedelta = timedelta()
    users: dict[str, User] = field(default_factory=dict)
    login_codes: dict[str, Code] = field(default_factory=dict)
    phone_codes: dict[str, Code] = field(default_factory=dict)
    charges: list[str] = field(default_factory=list)
    """The openid of each phone number that was paid for."""
    oauth_codes: dict[str, Code] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)
    pages: tuple[str, ...] = PAGES
    receipts: list[tuple[str, str]] = field(default_factory=list)
    """Code and status of the next receipts; after them, success."""
    messages: list[dict[str, object]] = field(default_factory=list)
    """Subscription messages that were taken, in order."""
    checks: list[dict[str, object]] = field(default_factory=list)
    """Texts and media that were checked, with what came of it."""
    media_plans: list[str] = field(default_factory=list)
    """What happens to the next media checks: see ``content.py``."""
    media_running: dict[str, dict[str, datetime]] = field(default_factory=dict)
    """By openid, the media that are looked at, until the event has been pushed."""
    media_overlap: Counter[str] = field(default_factory=Counter)
    """By openid, the most that were looked at together."""
    codes: list[dict[str, object]] = field(default_factory=list)
    links: list[dict[str, object]] = field(default_factory=list)
    quotas: dict[str, Quota] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)

    def now(self) -> datetime:
        return self.clock() + self.skew

    def reset(self) -> None:
        """Forget everything but the time."""
        fresh = FakeWechat(self.clock, self.source, self.skew)
        for kept in fields(self):
            setattr(self, kept.name, getattr(fresh, kept.name))

    def hex(self, count: int) -> str:
        """So many random bytes as digits."""
        return self.source.randbytes(count).hex()

    def word(self, count: int) -> str:
        """So many random bytes as letters that may stand in an address."""
        return base64.urlsafe_b64encode(self.source.randbytes(count)).rstrip(b"=").decode()

    def user(self, openid: object) -> User:
        if not isinstance(openid, str) or openid not in self.users:
            raise Refused(40003)
        return self.users[openid]

    def count(self, path: str) -> None:
        """One more call of a path: 45011 over the minute's quota, 45009 over the day's."""
        quota = self.quotas.get(path)
        if quota is None:
            return
        now = self.now()
        while quota.seen and quota.seen[0] <= now - timedelta(days=1):
            quota.seen.popleft()
        lately = sum(at > now - timedelta(minutes=1) for at in quota.seen)
        if quota.per_day is not None and len(quota.seen) >= quota.per_day:
            raise Refused(45009)
        if quota.per_minute is not None and lately >= quota.per_minute:
            raise Refused(45011)
        quota.seen.append(now)

    def new_code(self, codes: dict[str, Code], openid: str, app_id: str) -> str:
        code = self.hex(16)
        codes[code] = Code(openid, app_id, self.now() + CODE_LIFE)
        return code

    def refusal(self, errcode: int, what: str = "") -> dict[str, object]:
        rid = f"{int(self.now().timestamp()):08x}-{self.hex(4)}-{self.hex(4)}"
        message = " ".join(filter(None, (MESSAGES.get(errcode, "error"), what)))
        return {"errcode": errcode, "errmsg": f"{message} rid: {rid}"}


def check_app(app_id: str | None, secret: str | None, *, h5: bool = False) -> None:
    if app_id != (H5_APP_ID if h5 else APP_ID):
        raise Refused(40013)
    if secret != (H5_SECRET if h5 else SECRET):
        raise Refused(40125)
