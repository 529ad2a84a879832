"""``/__fake__/``: what users and time do, told to the fake by whoever runs a test or the demo."""

from datetime import timedelta
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from api.fake_wechat.state import APP_ID, FakeWechat, Fault, User
from api.fake_wechat.tokens import AccessTokens


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class UserIn(_In):
    openid: str = Field(min_length=1, max_length=64)
    unionid: str | None = None
    phone: str | None = None
    country_code: str = "86"
    risk: bool = False


class CodeIn(_In):
    openid: str
    app_id: str = APP_ID


class TapIn(_In):
    openid: str
    template: str
    choice: Literal["accept", "reject"]


class AdvanceIn(_In):
    seconds: float = Field(ge=0)


class FaultIn(_In):
    path: str
    kind: Literal["errcode", "html", "truncated", "lost", "slow", "token_dies"]
    n: int = 1
    errcode: int = -1
    seconds: float = 0


def router(fake: FakeWechat, tokens: AccessTokens) -> APIRouter:
    routes = APIRouter(prefix="/__fake__")

    @routes.post("/users")
    async def put_user(user: UserIn) -> UserIn:
        """Create a user, or change one."""
        known = fake.users.setdefault(user.openid, User(user.openid))
        for name, value in user.model_dump().items():
            setattr(known, name, value)
        return user

    @routes.post("/login-code")
    async def login_code(asked: CodeIn) -> dict[str, str]:
        """The user calls wx.login."""
        user = _user(asked.openid)
        return {"code": fake.new_code(fake.login_codes, user.openid, asked.app_id)}

    @routes.post("/phone-code")
    async def phone_code(asked: CodeIn) -> dict[str, str]:
        """The user presses the phone number button."""
        user = _user(asked.openid)
        if user.phone is None:
            raise HTTPException(409, "the user has no phone")
        return {"code": fake.new_code(fake.phone_codes, user.openid, asked.app_id)}

    @routes.post("/tap-subscribe")
    async def tap_subscribe(asked: TapIn) -> TapIn:
        """The user answers the request to be sent one message of a template."""
        if asked.choice == "accept":
            fake.credits[_user(asked.openid).openid, asked.template] += 1
        return asked

    @routes.post("/clock/advance")
    async def advance(asked: AdvanceIn) -> dict[str, str]:
        fake.skew += timedelta(seconds=asked.seconds)
        return {"now": fake.now().isoformat()}

    @routes.post("/fault")
    async def fault(asked: FaultIn) -> FaultIn:
        """The next ``n`` requests of ``path`` go wrong."""
        fake.faults.append(Fault(**asked.model_dump()))
        return asked

    @routes.get("/outbox")
    async def outbox() -> dict[str, object]:
        """What was paid for, what was sent, and how often each path was asked."""
        return {
            "phone_charges": list(fake.charges),
            "messages": list(fake.messages),
            "calls": dict(fake.calls),
        }

    @routes.post("/reset", status_code=204)
    async def reset() -> None:
        fake.reset()
        tokens.reset()

    def _user(openid: str) -> User:
        if openid not in fake.users:
            raise HTTPException(404, "no such user; POST /__fake__/users first")
        return fake.users[openid]

    return routes
