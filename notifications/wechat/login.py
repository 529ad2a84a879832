"""Login codes: what wx.login gives becomes an openid."""

from dataclasses import dataclass, field

from notifications.wechat.client import Wechat
from notifications.wechat.errors import text_of

LOGIN = "/sns/jscode2session"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who logged in. ``session_key`` must never leave the server; a browser login has none."""

    openid: str
    unionid: str | None
    session_key: str | None = field(default=None, repr=False)


async def code_to_session(wechat: Wechat, code: str) -> Identity:
    """Exchange a login code: good for five minutes, once. Not repeatable: when the answer is
    lost, only a new code helps. CodeInvalid, CodeUsed, UserRestricted, TooOften, Unavailable."""
    query = {"js_code": code, "grant_type": "authorization_code"} | wechat.app_and_secret()
    answer = await wechat.ask(LOGIN, query=query)
    return Identity(
        openid=text_of(LOGIN, answer, "openid"),
        unionid=answer.get("unionid") or None,
        session_key=text_of(LOGIN, answer, "session_key"),
    )
