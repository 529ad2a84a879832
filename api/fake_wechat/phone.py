"""``POST /wxa/business/getuserphonenumber``: a phone code for a number, once, and charged."""

from fastapi import APIRouter, Request

from api.fake_wechat.state import APP_ID, FakeWechat, Refused
from api.fake_wechat.tokens import AccessTokens, answered


def router(fake: FakeWechat, tokens: AccessTokens) -> APIRouter:
    routes = APIRouter()

    @routes.post("/wxa/business/getuserphonenumber")
    async def phone_number(request: Request, access_token: str | None = None) -> dict[str, object]:
        return await answered(
            tokens,
            request,
            access_token,
            lambda asked: _exchange(fake, asked.get("code"), asked.get("openid")),
        )

    return routes


def _exchange(fake: FakeWechat, text: str | None, openid: str | None) -> dict[str, object]:
    code = fake.phone_codes.get(text or "")
    if code is None or code.used or code.app_id != APP_ID or code.expires_at <= fake.now():
        raise Refused(40029)
    if openid is not None and openid != code.openid:
        raise Refused(40003)
    code.used = True
    fake.charges.append(code.openid)
    user = fake.users[code.openid]
    number = str(user.phone)
    at_home = user.country_code == "86"
    return {
        "phone_info": {
            "phoneNumber": number if at_home else f"+{user.country_code}{number}",
            "purePhoneNumber": number,
            "countryCode": int(user.country_code),  # a number, though documented as text
            "watermark": {"timestamp": int(fake.now().timestamp()), "appid": APP_ID},
        }
    }
