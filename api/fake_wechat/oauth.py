"""Logging in from a browser inside WeChat: a page with the user's choices, and the exchange."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from html import escape
from urllib.parse import urlencode

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from api.fake_wechat.state import H5_APP_ID, FakeWechat, Refused, User, check_app

LIFE = timedelta(seconds=7200)


def router(fake: FakeWechat) -> APIRouter:
    routes = APIRouter()
    refresh_tokens: dict[str, str] = {}
    given_tokens: dict[str, tuple[str, datetime]] = {}
    """Of users, by the token: not the app's own, which opens nothing here."""

    @routes.get("/connect/oauth2/authorize", response_class=HTMLResponse)
    async def authorize(
        appid: str, redirect_uri: str, response_type: str, scope: str, state: str = ""
    ) -> HTMLResponse:
        """A button for each user who may agree, and one that refuses."""
        if appid != H5_APP_ID or response_type != "code" or not _good_state(state):
            return HTMLResponse("<p>参数错误</p>", 400)
        back = {"redirect_uri": redirect_uri, "state": state}
        choices = [("拒绝", back)]
        choices += [(f"以 {openid} 登录", back | {"openid": openid}) for openid in fake.users]
        answers = [
            (f"/connect/oauth2/answer?{urlencode(query)}", words) for words, query in choices
        ]
        links = "".join(
            f'<p><a href="{escape(to)}">{escape(words)}</a></p>' for to, words in answers
        )
        return HTMLResponse(f"<!doctype html><meta charset=utf-8><title>微信登录</title>{links}")

    @routes.get("/connect/oauth2/answer")
    async def answer(redirect_uri: str, state: str, openid: str = "") -> RedirectResponse:
        query = {"state": state}
        if openid:
            query = {"code": fake.new_code(fake.oauth_codes, openid, H5_APP_ID)} | query
        glue = "&" if "?" in redirect_uri else "?"
        return RedirectResponse(f"{redirect_uri}{glue}{urlencode(query)}", 302)

    @routes.get("/sns/oauth2/access_token")
    async def access_token(
        appid: str = "", secret: str = "", code: str = "", grant_type: str = ""
    ) -> Response:
        def exchange() -> dict[str, object]:
            fake.count("/sns/oauth2/access_token")
            check_app(appid, secret, h5=True)
            if grant_type != "authorization_code":
                raise Refused(40002)
            known = fake.oauth_codes.get(code)
            if known is None or known.expires_at <= fake.now():
                raise Refused(40029)
            if known.used:
                raise Refused(40163)
            known.used = True
            return tokens_for(fake.users[known.openid])

        return _text(fake, exchange)

    def tokens_for(user: User) -> dict[str, object]:
        refresh, token = fake.word(40), fake.word(40)
        refresh_tokens[refresh] = user.openid
        given_tokens[token] = (user.openid, fake.now() + LIFE)
        given: dict[str, object] = {
            "access_token": token,
            "expires_in": int(LIFE.total_seconds()),
            "refresh_token": refresh,
            "openid": user.openid,
            "scope": "snsapi_base",
        }
        if user.unionid is not None:
            given["unionid"] = user.unionid
        return given | ({"is_snapshotuser": 1} if user.snapshot else {})

    @routes.get("/sns/oauth2/refresh_token")
    async def refresh(appid: str = "", grant_type: str = "", refresh_token: str = "") -> Response:
        def renewed() -> dict[str, object]:
            if appid != H5_APP_ID:
                raise Refused(40013)
            if grant_type != "refresh_token" or refresh_token not in refresh_tokens:
                raise Refused(40029)
            return tokens_for(fake.users[refresh_tokens[refresh_token]])

        return _text(fake, renewed)

    @routes.get("/sns/userinfo")
    async def user_info(openid: str = "", access_token: str = "") -> Response:
        def told() -> dict[str, object]:
            fake.count("/sns/userinfo")
            if not access_token:
                raise Refused(41001)
            whose, ends = given_tokens.get(access_token, (None, fake.now()))
            if whose is None:
                raise Refused(40014)
            if ends <= fake.now():
                raise Refused(42001)
            if whose != openid:
                raise Refused(40003)
            user = fake.user(openid)
            return {"openid": user.openid, "nickname": "微信用户", "headimgurl": ""}

        return _text(fake, told)

    return routes


def _good_state(state: str) -> bool:
    return len(state) <= 128 and (state == "" or (state.isascii() and state.isalnum()))


def _text(fake: FakeWechat, do: Callable[[], dict[str, object]]) -> Response:
    try:
        found = do()
    except Refused as refused:
        found = fake.refusal(refused.errcode)
    return Response(json.dumps(found), media_type="text/plain")
