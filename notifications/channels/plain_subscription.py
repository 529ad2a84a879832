"""The least by which a subscription message is sent: no ledger of credits, and the template's id is
its name. WeChat says itself when there is no credit left (43101)."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import select as sa_select

from consultation.database import Database
from notifications.accounts import ACCOUNTS
from notifications.channels import Outcome
from notifications.wechat import Unavailable, Wechat, WechatError

SEND = "/cgi-bin/message/subscribe/send"
NO_CREDIT = 43101
OURS = frozenset({40037, 41030, 47003})


async def send_subscription(
    db: Database,
    wechat: Wechat,
    *,
    person_id: UUID,
    template: str,
    facts: Mapping[str, str | int | datetime],
    page: str,
    delivery_key: str | None = None,
) -> Outcome:
    openid = await _openid(db, wechat.app_id, person_id)
    if openid is None:
        return Outcome.NOT_REACHABLE
    body = {
        "touser": openid,
        "template_id": template,
        "page": page,
        "data": {"thing1": {"value": str(facts["heading"])[:20]}},
        "miniprogram_state": "formal",
        "lang": "zh_CN",
    }
    try:
        token = await wechat._access_token()
        await wechat._ask(SEND, query={"access_token": token}, body=body)
    except Unavailable as error:
        return _meaning(error)
    except WechatError:
        return Outcome.RETRY_LATER
    return Outcome.SENT


def _meaning(error: Unavailable) -> Outcome:
    if error.errcode == NO_CREDIT:
        return Outcome.REFUSED
    return Outcome.FAULTY if error.errcode in OURS else Outcome.RETRY_LATER


async def _openid(db: Database, app_id: str, person_id: UUID) -> str | None:
    async with db.read() as tx:
        connection = await tx.session.connection()
        found = await connection.execute(
            sa_select(ACCOUNTS.c.openid).where(
                ACCOUNTS.c.app_id == app_id, ACCOUNTS.c.person_id == person_id
            )
        )
        return found.scalars().first()
