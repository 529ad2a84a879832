"""Phone codes: what the phone number button gives becomes a number that WeChat has checked."""

from dataclasses import dataclass, field

from notifications.wechat.client import Wechat
from notifications.wechat.errors import CodeInvalid, failed, text_of

PHONE = "/wxa/business/getuserphonenumber"


@dataclass(frozen=True, slots=True)
class Phone:
    """A number in two parts: ``86`` and ``199…``."""

    country_code: str
    number: str = field(repr=False)


async def phone_number(wechat: Wechat, code: str, *, openid: str) -> Phone:
    """Exchange a phone code, which must be this user's. Each success is charged. CodeInvalid,
    TooOften, Unavailable."""
    answer = await wechat.ask_with_token(PHONE, body={"code": code, "openid": openid})
    info = answer.get("phone_info")
    if not isinstance(info, dict):
        raise failed(PHONE, answer)
    watermark = info.get("watermark")
    if not isinstance(watermark, dict) or watermark.get("appid") != wechat.app_id:
        raise CodeInvalid(PHONE)
    return Phone(
        country_code=str(info.get("countryCode") or "86").lstrip("+"),
        number=text_of(PHONE, info, "purePhoneNumber"),
    )
