"""The phone of an account, as WeChat or a code by SMS vouches for it."""

from dataclasses import dataclass
from uuid import UUID

from api import accounts, phone_codes, sessions
from api.dependencies import Services
from api.sessions import Opened
from consultation.community.commands import identity
from consultation.community.identity import AccountJoined, mask_phone, phone_text
from consultation.database import Transaction
from consultation.permissions import Actor
from notifications.wechat.phone import phone_number
from notifications.wechat.tables import WechatAccount


@dataclass(frozen=True, slots=True)
class Bound:
    """``session`` has the tokens of the registered person that the account turned out to be."""

    phone: str
    person_id: UUID
    session: Opened | None


async def bind_phone(app: Services, actor: Actor, session_id: UUID, code: str) -> Bound:
    """Exchange a phone code, which must be of the user who logged in to this session."""
    account = await _own_account(app, actor, session_id)
    with accounts.refusing(accounts.OF_PHONE):
        number = await phone_number(app.wechat, code, openid=account.openid)
    phone = phone_text(number.country_code, number.number)
    async with app.db.begin(actor) as tx:
        return await _bind(tx, app, session_id, phone)


async def bind_phone_by_code(
    app: Services, actor: Actor, session_id: UUID, phone: str, code: str
) -> Bound:
    """With a code that came to this phone by SMS."""
    await _own_account(app, actor, session_id)
    await phone_codes.check(app, phone, code)
    async with app.db.begin(actor) as tx:
        await phone_codes.use(tx, phone, code)
        return await _bind(tx, app, session_id, phone)


async def log_in_with_phone(app: Services, phone: str, code: str, *, device: str) -> Opened:
    """A session of whoever has the phone: the person whom a register or an account knows by it,
    else a new one."""
    await phone_codes.check(app, phone, code)
    async with app.db.begin() as tx:
        await phone_codes.use(tx, phone, code)
        person_id = await identity.person_with_phone(tx, phone)
        account = await accounts.admit_without_wechat(tx, person_id)
        return await sessions.open_session(tx, app, account, device=device)


async def _own_account(app: Services, actor: Actor, session_id: UUID) -> WechatAccount:
    async with app.db.read(actor) as tx:
        _, account = await sessions.access_session(tx, session_id)
    if account.person_id != actor.person_id:
        raise AccountJoined()
    return account


async def _bind(tx: Transaction, app: Services, session_id: UUID, phone: str) -> Bound:
    person_id = await identity.bind_phone(tx, phone)
    opened = None
    if person_id != tx.person_id:
        await accounts.move(tx, tx.person_id, to=person_id)
        opened = await sessions.reissue(tx, app, session_id)
    return Bound(phone=mask_phone(phone), person_id=person_id, session=opened)
