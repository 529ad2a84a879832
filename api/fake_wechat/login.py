"""``GET /sns/jscode2session``: a login code for an openid, once."""

import base64
import json
from datetime import timedelta

from fastapi import APIRouter, Response

from api.fake_wechat.state import LOGINS_PER_MINUTE, FakeWechat, Refused, User, check_app


def router(fake: FakeWechat) -> APIRouter:
    routes = APIRouter()

    @routes.get("/sns/jscode2session")
    async def code_to_session(
        appid: str | None = None,
        secret: str | None = None,
        js_code: str | None = None,
        grant_type: str | None = None,
    ) -> Response:
        try:
            fake.count("/sns/jscode2session")
            check_app(appid, secret)
            if grant_type != "authorization_code":
                raise Refused(40002)
            answer = _log_in(fake, js_code, str(appid))
        except Refused as refused:
            answer = fake.refusal(refused.errcode, refused.what)
        return Response(json.dumps(answer), media_type="text/plain")

    return routes


def _log_in(fake: FakeWechat, js_code: str | None, app_id: str) -> dict[str, object]:
    if not js_code:
        raise Refused(41008)
    code = fake.login_codes.get(js_code)
    if code is None or code.app_id != app_id:
        raise Refused(40029)
    if code.used:
        raise Refused(40163)
    if code.expires_at <= fake.now():
        raise Refused(40029)
    user = fake.users[code.openid]
    _count(fake, user)
    code.used = True
    if user.risk:
        raise Refused(40226)
    user.visited_at = fake.now()
    user.session_key = base64.b64encode(fake.source.randbytes(16)).decode()
    answer: dict[str, object] = {"session_key": user.session_key, "openid": user.openid}
    return answer if user.unionid is None else answer | {"unionid": user.unionid}


def _count(fake: FakeWechat, user: User) -> None:
    minute_ago = fake.now() - timedelta(minutes=1)
    while user.logins and user.logins[0] <= minute_ago:
        user.logins.popleft()
    if len(user.logins) >= LOGINS_PER_MINUTE:
        raise Refused(45011)
    user.logins.append(fake.now())
