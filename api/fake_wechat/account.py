"""Session keys and quotas: what a backend may ask about itself."""

import base64
import hashlib
import hmac

from fastapi import APIRouter, Request

from api.fake_wechat.state import FakeWechat, Refused, User
from api.fake_wechat.tokens import AccessTokens, answered


def router(fake: FakeWechat, tokens: AccessTokens) -> APIRouter:
    routes = APIRouter()

    def keyed(
        path: str, access_token: str | None, openid: str, signature: str, sig_method: str
    ) -> User:
        fake.count(path)
        tokens.check(access_token)
        user = fake.user(openid)
        key = (user.session_key or "").encode()
        expected = hmac.new(key, b"", hashlib.sha256).hexdigest()
        if not key or sig_method != "hmac_sha256" or signature != expected:
            raise Refused(87009)
        return user

    @routes.get("/wxa/checksession")
    async def check(
        openid: str, signature: str, sig_method: str, access_token: str | None = None
    ) -> dict[str, object]:
        try:
            keyed("/wxa/checksession", access_token, openid, signature, sig_method)
        except Refused as refused:
            return fake.refusal(refused.errcode)
        return {"errcode": 0, "errmsg": "ok"}

    @routes.get("/wxa/resetusersessionkey")
    async def reset(
        openid: str, signature: str, sig_method: str, access_token: str | None = None
    ) -> dict[str, object]:
        try:
            user = keyed("/wxa/resetusersessionkey", access_token, openid, signature, sig_method)
        except Refused as refused:
            return fake.refusal(refused.errcode)
        user.session_key = base64.b64encode(fake.source.randbytes(16)).decode()
        return {"errcode": 0, "errmsg": "ok", "openid": openid, "session_key": user.session_key}

    @routes.get("/cgi-bin/getcallbackip")
    async def addresses(access_token: str | None = None) -> dict[str, object]:
        try:
            fake.count("/cgi-bin/getcallbackip")
            tokens.check(access_token)
        except Refused as refused:
            return fake.refusal(refused.errcode)
        return {"ip_list": ["127.0.0.1"]}

    @routes.post("/cgi-bin/clear_quota")
    async def clear(request: Request, access_token: str | None = None) -> dict[str, object]:
        def clear_all(asked: dict[str, object]) -> dict[str, object]:
            for quota in fake.quotas.values():
                quota.seen.clear()
            return {}

        return await answered(tokens, request, access_token, clear_all)

    return routes
