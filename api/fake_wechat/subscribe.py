"""``POST /cgi-bin/message/subscribe/send``: one message for one accept."""

from typing import Any

from fastapi import APIRouter, Request

from api.fake_wechat.state import FakeWechat, Refused
from api.fake_wechat.tokens import AccessTokens, body_of


def router(fake: FakeWechat, tokens: AccessTokens) -> APIRouter:
    routes = APIRouter()

    @routes.post("/cgi-bin/message/subscribe/send")
    async def send(request: Request, access_token: str | None = None) -> dict[str, object]:
        try:
            tokens.check(access_token)
            return _send(fake, await body_of(request))
        except Refused as refused:
            return fake.refusal(refused.errcode)

    return routes


def _send(fake: FakeWechat, asked: dict[str, Any]) -> dict[str, object]:
    openid, template = asked.get("touser"), asked.get("template_id")
    if openid not in fake.users:
        raise Refused(40003)
    if fake.credits[openid, str(template)] < 1:
        raise Refused(43101)
    fake.credits[openid, str(template)] -= 1
    fake.messages.append(
        {name: asked.get(name) for name in ("touser", "template_id", "page", "data")}
    )
    return {"errcode": 0, "errmsg": "ok", "msgid": len(fake.messages)}
