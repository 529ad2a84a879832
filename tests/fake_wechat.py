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

    async def oauth_code(self, openid: str) -> str:
        """What a browser inside WeChat is sent back with."""
        return (await self._tell("oauth-code", openid=openid))["code"]

    async def visit(self, openid: str) -> None:
        """The user opens the mini-program."""
        await self._tell("visit", openid=openid)

    async def template(self, template_id: str, content: str, **more: Any) -> None:
        await self._tell("templates", template_id=template_id, content=content, **more)

    async def tap(self, openid: str, **answers: str) -> dict[str, str]:
        """The user answers the popup; by template id, what the client hears."""
        return await self._tell("tap-subscribe", openid=openid, answers=answers)

    async def refuse(self, openid: str, template_id: str) -> None:
        """The user refuses a template in the settings of the app."""
        await self._tell("refuse-subscription", openid=openid, template_id=template_id)

    async def receipt(self, errcode: int, **more: Any) -> None:
        """What the receipt of the next message (or of the next ``n``) says."""
        await self._tell("receipt", errcode=errcode, **more)

    async def pages(self, *pages: str) -> None:
        """The pages of the released version."""
        await self._tell("pages", pages=list(pages))

    async def media_verdict(self, plan: str) -> None:
        """What becomes of the next media check."""
        await self._tell("media-verdict", plan=plan)

    async def listener(self, url: str, **more: Any) -> None:
        """Where to push."""
        await self._tell("listener", url=url, **more)

    async def push(self, event: str, openid: str, **more: Any) -> list[int]:
        """Push an event now; the HTTP status of each try."""
        return (await self._tell("push", event=event, openid=openid, **more))["statuses"]

    async def deliver(self, **more: Any) -> list[list[int]]:
        """Push what waits."""
        return (await self._tell("deliver", **more))["statuses"]

    async def replay(self, body: str | None = None) -> int:
        """The last push again; its HTTP status."""
        return (await self._tell("replay", body=body))["status"]

    async def quota(self, path: str, **more: Any) -> None:
        await self._tell("quota", path=path, **more)

    async def heal(self) -> None:
        """Nothing goes wrong any more."""
        await self._tell("heal")

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
