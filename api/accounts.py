"""WeChat accounts, and what WeChat's refusals mean to whoever logs in.

An account belongs to a person; the first login makes a provisional one, without a name. Several
accounts may belong to one person: by the same unionid, by the same phone, or because a grid worker
says so.
"""

import hashlib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, insert, literal, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from api.problems import TooManyRequests, Unavailable
from api.tables import EndedSession, IdempotencyRecord, LoginCode, LoginSession, RefreshToken
from consultation.columns import UtcDateTime
from consultation.community.identity import AccountJoined
from consultation.community.tables import Person
from consultation.database import Transaction
from consultation.refusals import AlreadyDone, Invalid, NotPermitted, Refusal
from notifications.inbox import move_settings
from notifications.wechat import errors as wechat
from notifications.wechat.errors import WechatError
from notifications.wechat.ledger import account_of_openid
from notifications.wechat.login import Identity
from notifications.wechat.tables import (
    AccountKind,
    SubscriptionAccept,
    SubscriptionCredit,
    SubscriptionReceipt,
    SubscriptionSend,
    WechatAccount,
)

CODE_KEPT = timedelta(seconds=60)
ENDED_KEPT = timedelta(days=1)
"""Longer than any access token lives (``api/ended_sessions.py``)."""


class WechatUnavailable(Unavailable):
    """WeChat does not answer, or not intelligibly. The code may be gone: get a new one."""

    code = "wechat-unavailable"


class LoginCodeInvalid(Invalid):
    """Unknown, older than five minutes, or of another app."""

    code = "login-code-invalid"


class LoginCodeUsed(AlreadyDone):
    """Exchanged more than a minute ago; wx.login gives a new one."""

    code = "login-code-used"


class AccountRestricted(NotPermitted):
    """WeChat takes the user for a high risk. A retry never helps."""

    code = "wechat-account-restricted"


class SnapshotPage(NotPermitted):
    """A preview of the page with a virtual user: open the whole page to log in."""

    code = "snapshot-page"


class LoginStateInvalid(Invalid):
    """The login in the browser was not begun here, or too long ago. Begin again."""

    code = "login-state-invalid"


class TooManyLogins(TooManyRequests):
    code = "too-many-logins"


class PhoneCodeInvalid(Invalid):
    """Unknown, older than five minutes, used, or of another user; a login code is none."""

    code = "phone-code-invalid"


OF_LOGIN: Mapping[type[WechatError], type[Refusal]] = {
    wechat.CodeInvalid: LoginCodeInvalid,
    wechat.CodeUsed: LoginCodeUsed,
    wechat.UserRestricted: AccountRestricted,
    wechat.SnapshotUser: SnapshotPage,
    wechat.TooOften: TooManyLogins,
}
OF_PHONE: Mapping[type[WechatError], type[Refusal]] = {
    wechat.CodeInvalid: PhoneCodeInvalid,
    wechat.CodeUsed: PhoneCodeInvalid,
    wechat.UserRestricted: AccountRestricted,
    wechat.TooOften: TooManyLogins,
}


@contextmanager
def refusing(meanings: Mapping[type[WechatError], type[Refusal]]) -> Generator[None]:
    """Turns what WeChat says into what we say; all that is not the user's is WechatUnavailable."""
    try:
        yield
    except WechatError as error:
        raise meanings.get(type(error), WechatUnavailable)() from None


async def admit(
    tx: Transaction,
    app_id: str,
    identity: Identity,
    *,
    kind: AccountKind = AccountKind.MINI_PROGRAM,
) -> WechatAccount:
    """The account of an identity that WeChat has vouched for, made at its first login."""
    account = await account_of_openid(tx, app_id, identity.openid)
    if account is None:
        try:
            async with tx.session.begin_nested():
                return await _make(tx, app_id, identity, kind)
        except IntegrityError:  # another login of the same openid was faster
            account = await account_of_openid(tx, app_id, identity.openid)
    assert account is not None
    account.unionid = identity.unionid or account.unionid
    account.session_key_sealed = _sealed_key(tx, account.id, identity)
    account.last_login_at = tx.now
    return account


def _sealed_key(tx: Transaction, account_id: UUID, identity: Identity) -> bytes | None:
    key = identity.session_key
    return None if key is None else tx.vault.seal(account_id, key)


async def _make(
    tx: Transaction, app_id: str, identity: Identity, kind: AccountKind
) -> WechatAccount:
    person_id = None
    if identity.unionid is not None:
        known = select(WechatAccount.person_id).where(WechatAccount.unionid == identity.unionid)
        person_id = (await tx.session.exec(known)).first()
    if person_id is None:
        person_id = tx.new_id()
        tx.session.add(Person(id=person_id, created_at=tx.now))
        await tx.session.flush()
    account_id = tx.new_id()
    account = WechatAccount(
        id=account_id,
        app_id=app_id,
        openid=identity.openid,
        unionid=identity.unionid,
        kind=kind,
        person_id=person_id,
        session_key_sealed=_sealed_key(tx, account_id, identity),
        created_at=tx.now,
        last_login_at=tx.now,
    )
    tx.session.add(account)
    await tx.session.flush()
    return account


WITHOUT_WECHAT = "phone"
"""In place of an app id. The openid is the person's id and not the phone: when a number goes to
somebody else, its new holder logs in as somebody else."""


async def admit_without_wechat(tx: Transaction, person_id: UUID) -> WechatAccount:
    """The account through which a person who has shown their phone logs in without WeChat."""
    openid = str(person_id)
    account = await account_of_openid(tx, WITHOUT_WECHAT, openid)
    if account is not None and account.person_id != person_id:
        raise AccountJoined()
    if account is None:
        account = WechatAccount(
            id=tx.new_id(),
            app_id=WITHOUT_WECHAT,
            openid=openid,
            kind=AccountKind.PHONE,
            person_id=person_id,
            created_at=tx.now,
            last_login_at=tx.now,
        )
        tx.session.add(account)
        await tx.session.flush()
    account.last_login_at = tx.now
    return account


async def move(tx: Transaction, person_id: UUID, *, to: UUID) -> None:
    """All accounts of a person, and so their sessions, belong to another from now on, and with them
    how they want to be reached. Access tokens of the first go on as nobody in particular until they
    expire."""
    await move_settings(tx, person_id, to=to)
    await tx.session.exec(
        update(WechatAccount)
        .where(col(WechatAccount.person_id) == person_id)
        .values(person_id=to)
        .execution_options(synchronize_session=False)
    )


async def remove_all(tx: Transaction, person_id: UUID) -> None:
    """Everything by which the person could log in or be written to: accounts, sessions, what they
    accepted and were sent, answers kept for a retry. What is open of it ends."""
    mine = select(WechatAccount.id).where(WechatAccount.person_id == person_id)
    sessions = select(LoginSession.id).where(col(LoginSession.account_id).in_(mine))
    await tx.session.exec(delete(EndedSession).where(col(EndedSession.at) <= tx.now - ENDED_KEPT))
    await tx.session.exec(
        insert(EndedSession).from_select(
            ["session_id", "at"],
            select(LoginSession.id, literal(tx.now, UtcDateTime)).where(
                col(LoginSession.account_id).in_(mine)
            ),
        )
    )
    for table, belongs in (
        (RefreshToken, col(RefreshToken.session_id).in_(sessions)),
        (LoginSession, col(LoginSession.account_id).in_(mine)),
        (LoginCode, col(LoginCode.account_id).in_(mine)),
        (SubscriptionReceipt, col(SubscriptionReceipt.account_id).in_(mine)),
        (SubscriptionSend, col(SubscriptionSend.account_id).in_(mine)),
        (SubscriptionAccept, col(SubscriptionAccept.account_id).in_(mine)),
        (SubscriptionCredit, col(SubscriptionCredit.account_id).in_(mine)),
        (IdempotencyRecord, col(IdempotencyRecord.person_id) == person_id),
        (WechatAccount, col(WechatAccount.person_id) == person_id),
    ):
        await tx.session.exec(
            delete(table).where(belongs).execution_options(synchronize_session=False)
        )


# ---- codes seen a moment ago --------------------------------------------------------------


def code_hash(app_id: str, code: str) -> str:
    return hashlib.sha256(f"{app_id}\0{code}".encode()).hexdigest()


async def remember_code(tx: Transaction, hashed: str, account: WechatAccount) -> None:
    """For a minute, and not longer: older ones go."""
    await tx.session.exec(delete(LoginCode).where(col(LoginCode.at) <= tx.now - CODE_KEPT))
    tx.session.add(LoginCode(code_hash=hashed, account_id=account.id, at=tx.now))


async def account_of_code(tx: Transaction, hashed: str) -> WechatAccount | None:
    """Whose code this was, if it came less than a minute ago."""
    found = await tx.session.exec(
        select(WechatAccount)
        .join(LoginCode, col(LoginCode.account_id) == WechatAccount.id)
        .where(LoginCode.code_hash == hashed, col(LoginCode.at) > tx.now - CODE_KEPT)
    )
    return found.first()
