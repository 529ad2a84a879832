"""The fake WeChat as a test speaks to it: what users do, what goes wrong, how time passes."""

from dataclasses import dataclass
from typing import Any

import httpx


@dataclass
class FakeWechat:
    """``http`` asks the fake as a server would, ``url`` is its address."""

    url: str
    http: httpx.AsyncClient

    async def user(self, openid: str, **more: Any) -> None:
        """Create a user, or change one: ``unionid``, ``phone``, ``country_code``, ``risk``."""
        await self._tell("users", openid=openid, **more)

    async def login_code(self, openid: str, **more: Any) -> str:
        """What wx.login gives this user."""
        return (await self._tell("login-code", openid=openid, **more))["code"]

    async def phone_code(self, openid: str, **more: Any) -> str:
        """What the phone number button gives this user."""
        return (await self._tell("phone-code", openid=openid, **more))["code"]

    async def accept(self, openid: str, template: str) -> None:
        """The user allows one message of a template."""
        await self._tell("tap-subscribe", openid=openid, template=template, choice="accept")

    async def advance(self, seconds: float) -> None:
        await self._tell("clock/advance", seconds=seconds)

    async def fault(self, path: str, kind: str, **more: Any) -> None:
        """The next request of ``path`` (or the next ``n``) goes wrong."""
        await self._tell("fault", path=path, kind=kind, **more)

    async def outbox(self) -> dict[str, Any]:
        return (await self.http.get("/__fake__/outbox")).raise_for_status().json()

    async def calls(self, path: str) -> int:
        return (await self.outbox())["calls"].get(path, 0)

    async def reset(self) -> None:
        (await self.http.post("/__fake__/reset")).raise_for_status()

    async def _tell(self, what: str, **body: Any) -> dict[str, Any]:
        answer = await self.http.post(f"/__fake__/{what}", json=body)
        return answer.raise_for_status().json()


def bearer(session: dict[str, Any]) -> dict[str, str]:
    """The headers of a request within a session."""
    return {"authorization": f"Bearer {session['access_token']}"}


async def log_in(
    client: httpx.AsyncClient, fake: FakeWechat, openid: str, *, device: str = "", **user: Any
) -> dict[str, Any]:
    """A user of WeChat opens the app for the first time, or again; returns the session."""
    if user:
        await fake.user(openid, **user)
    body = {"code": await fake.login_code(openid), "device": device}
    return (await client.post("/v1/session/wechat", json=body)).raise_for_status().json()
