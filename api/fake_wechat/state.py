"""What the fake remembers: the app, its users, their codes, what was charged, and its clock."""

import secrets
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

APP_ID = "wxfa4e000000000001"
SECRET = "fake-secret-that-opens-nothing"  # noqa: S105

CODE_LIFE = timedelta(minutes=5)
LOGINS_PER_MINUTE = 100

MESSAGES = {
    -1: "system error",
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

    def __init__(self, errcode: int) -> None:
        self.errcode = errcode


@dataclass
class User:
    """A WeChat user as one app sees them. ``risk`` users may not log in (40226)."""

    openid: str
    unionid: str | None = None
    phone: str | None = None
    country_code: str = "86"
    risk: bool = False
    session_key: str | None = None
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
class FakeWechat:
    """Start again with ``reset``; the clock goes on from where it stands."""

    clock: Callable[[], datetime]
    skew: timedelta = timedelta()
    users: dict[str, User] = field(default_factory=dict)
    login_codes: dict[str, Code] = field(default_factory=dict)
    phone_codes: dict[str, Code] = field(default_factory=dict)
    charges: list[str] = field(default_factory=list)
    """The openid of each phone number that was paid for."""
    credits: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Accepts that are left, by openid and template."""
    messages: list[dict[str, Any]] = field(default_factory=list)
    """What was sent to users, in order."""
    faults: list[Fault] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)

    def now(self) -> datetime:
        return self.clock() + self.skew

    def reset(self) -> None:
        for kept in (self.users, self.login_codes, self.phone_codes, self.calls, self.credits):
            kept.clear()
        self.charges.clear()
        self.messages.clear()
        self.faults.clear()

    def new_code(self, codes: dict[str, Code], openid: str, app_id: str) -> str:
        code = secrets.token_hex(16)
        codes[code] = Code(openid, app_id, self.now() + CODE_LIFE)
        return code

    def refusal(self, errcode: int) -> dict[str, object]:
        rid = f"{int(self.now().timestamp()):08x}-{secrets.token_hex(4)}-{secrets.token_hex(4)}"
        return {"errcode": errcode, "errmsg": f"{MESSAGES.get(errcode, 'error')} rid: {rid}"}


def check_app(app_id: str | None, secret: str | None) -> None:
    if app_id != APP_ID:
        raise Refused(40013)
    if secret != SECRET:
        raise Refused(40125)
