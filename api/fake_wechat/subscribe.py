"""Subscription messages: templates of the app, what users accepted, and what was sent."""

import re

from fastapi import APIRouter, Request

from api.fake_wechat.pushes import Pusher
from api.fake_wechat.state import FakeWechat, Refused, User
from api.fake_wechat.tokens import AccessTokens, answered
from api.fake_wechat.values import fits


def router(fake: FakeWechat, tokens: AccessTokens, pusher: Pusher) -> APIRouter:
    routes = APIRouter()

    @routes.post("/cgi-bin/message/subscribe/send")
    async def send(request: Request, access_token: str | None = None) -> dict[str, object]:
        return await answered(
            tokens, request, access_token, lambda asked: _send(fake, pusher, asked)
        )

    @routes.get("/wxaapi/newtmpl/gettemplate")
    async def templates(access_token: str | None = None) -> dict[str, object]:
        try:
            fake.count("/wxaapi/newtmpl/gettemplate")
            tokens.check(access_token)
        except Refused as refused:
            return fake.refusal(refused.errcode)
        listed = [
            {
                "priTmplId": one.template_id,
                "title": one.title,
                "content": one.content,
                "example": "",
                "type": 3 if one.long_term else 2,
            }
            for one in fake.templates.values()
        ]
        return {"errcode": 0, "errmsg": "ok", "data": listed}

    return routes


def _send(fake: FakeWechat, pusher: Pusher, asked: dict[str, object]) -> dict[str, object]:
    user = fake.user(asked.get("touser"))
    template = fake.templates.get(str(asked.get("template_id")))
    if template is None:
        raise Refused(40037)
    page = str(asked.get("page") or "")
    if page and page.partition("?")[0] not in fake.pages:
        raise Refused(41030)
    if asked.get("miniprogram_state") not in ("formal", "trial", "developer"):
        raise Refused(47001)
    _check_values(template.content, asked.get("data"))
    if user.credits[template.template_id] < 1:
        raise Refused(43101)
    if not template.long_term:
        user.credits[template.template_id] -= 1
    code, status = fake.receipts.pop(0) if fake.receipts else ("0", "success")
    msg_id = 3_000_000_000 + len(fake.messages)
    fake.messages.append({**asked, "msgid": msg_id, "at": fake.now().isoformat()})
    pusher.emit(
        "subscribe_msg_sent_event",
        user.openid,
        {
            "List": [
                {
                    "TemplateId": template.template_id,
                    "MsgID": str(msg_id),
                    "ErrorCode": code,
                    "ErrorStatus": status,
                }
            ]
        },
    )
    return {"msgid": msg_id}


def _check_values(content: str, data: object) -> None:
    keys = re.findall(r"\{\{(\w+)\.DATA\}\}", content)
    if not isinstance(data, dict):
        raise Refused(47003, "data invalid")
    for key in keys:
        inner = data.get(key)
        if not isinstance(inner, dict) or not fits(key, inner.get("value")):
            raise Refused(47003, f"data.{key}.value invalid")


def tap(fake: FakeWechat, pusher: Pusher, user: User, answers: dict[str, str]) -> dict[str, str]:
    """The user answers the popup for these templates. ``always`` is an accept that hides later
    popups; it still is one message."""
    shown: dict[str, str] = {}
    listed: list[dict[str, str]] = []
    for template_id, answer in answers.items():
        template = fake.templates[template_id]
        accepted = answer in ("accept", "always")
        if accepted:
            count = user.credits[template_id] + 1
            user.credits[template_id] = min(count, 1) if template.long_term else count
        shown[template_id] = "accept" if accepted else "reject"
        listed.append(
            {
                "TemplateId": template_id,
                "SubscribeStatusString": shown[template_id],
                "PopupScene": "0",
            }
        )
    pusher.emit("subscribe_msg_popup_event", user.openid, {"List": listed})
    return shown


def refuse(fake: FakeWechat, pusher: Pusher, user: User, template_id: str) -> None:
    """The user refuses a template in the settings."""
    user.credits[template_id] = 0
    item = {"TemplateId": template_id, "SubscribeStatusString": "reject"}
    pusher.emit("subscribe_msg_change_event", user.openid, {"List": [item]})
