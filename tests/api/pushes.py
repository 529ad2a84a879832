"""A push that everybody knows, and what came of those that came."""

from notifications.wechat.tables import Push
from tests.api.wechat_house import House

POPUP = "subscribe_msg_popup_event"
ACCEPT = {"List": [{"TemplateId": "T-poll", "SubscribeStatusString": "accept", "PopupScene": "0"}]}


async def outcomes(house: House) -> list[tuple[str, str | None]]:
    return sorted((push.event, push.outcome) for push in await house.rows(Push))
