"""The phone of an account, as WeChat vouches for it."""

from dataclasses import dataclass
from uuid import UUID

from api import accounts, sessions
from api.dependencies import Services
from api.sessions import Opened
from consultation.community.commands import identity
from consultation.community.identity import AccountJoined, mask_phone, phone_text
from consultation.permissions import Actor
from notifications.wechat.phone import phone_number


@dataclass(frozen=True, slots=True)
class Bound:
    """``session`` has the tokens of the registered person that the account turned out to be."""

    phone: str
    person_id: UUID
    session: Opened | None


async def bind_phone(app: Services, actor: Actor, session_id: UUID, code: str) -> Bound:
    """Exchange a phone code, which must be of the user who logged in to this session."""
    async with app.db.read(actor) as tx:
        _, account = await sessions.access_session(tx, session_id)
    if account.person_id != actor.person_id:
        raise AccountJoined()
    with accounts.refusing(accounts.OF_PHONE):
        number = await phone_number(app.wechat, code, openid=account.openid)
    phone = phone_text(number.country_code, number.number)

    async with app.db.begin(actor) as tx:
        person_id = await identity.bind_phone(tx, phone)
        opened = None
        if person_id != tx.person_id:
            await accounts.move(tx, tx.person_id, to=person_id)
            opened = await sessions.reissue(tx, app, session_id)
    return Bound(phone=mask_phone(phone), person_id=person_id, session=opened)
