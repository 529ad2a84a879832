"""Log in, stay logged in, log out.

One login of one device is a session. Its refresh tokens are opaque 256-bit values of which only
the SHA-256 is stored; each is used once, and a second use, which means that somebody else has a
copy, ends the session (RFC 9700 section 4.14). A client whose refresh was cut off therefore logs
in anew, which WeChat does without a word to the user.

Access tokens are not looked up; what ends a session before they expire (log-out, a closed
account, a barred one) takes effect within five seconds (``ended_sessions.py``). Roles and
residences are read anew at each request, so that losing one takes effect at once.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, or_, update
from sqlmodel import col, select

from api import accounts
from api.accounts import LoginCodeUsed
from api.dependencies import Services
from api.problems import NotLoggedIn
from api.tables import LoginSession, RefreshToken
from consultation.community.bar_queries import bars_now, check_not_barred
from consultation.community.tables import AccountBar
from consultation.database import Transaction
from consultation.refusals import NotFound
from notifications.wechat.client import Wechat
from notifications.wechat.login import Identity, code_to_session
from notifications.wechat.oauth import code_to_identity
from notifications.wechat.tables import AccountKind, WechatAccount

SOON = (0.1, 0.2, 0.4)
"""How long to wait for the other request that is just exchanging the same code."""


class SessionEnded(NotLoggedIn):
    """The refresh token is unknown, used before or too old, or its session was ended. Log in."""

    code = "session-ended"


@dataclass(frozen=True, slots=True)
class Opened:
    """What a client needs to act for a person. Seconds count from now."""

    person_id: UUID
    session_id: UUID
    access_token: str
    expires_in: int
    refresh_token: str
    refresh_expires_in: int


@dataclass(frozen=True, slots=True)
class Door:
    """One way in: whose codes, and how they are exchanged."""

    wechat: Wechat
    exchange: Callable[[Wechat, str], Awaitable[Identity]]
    kind: AccountKind


def mini_program(app: Services) -> Door:
    return Door(app.wechat, code_to_session, AccountKind.MINI_PROGRAM)


def browser(app: Services) -> Door:
    """Inside WeChat, with the service account's codes; NotFound where there is none."""
    if app.h5 is None:
        raise NotFound(what="h5")
    return Door(app.h5, code_to_identity, AccountKind.H5)


async def log_in(app: Services, door: Door, code: str, *, device: str) -> Opened:
    """Exchange a login code with WeChat and open a session. A code that was exchanged less than a
    minute ago opens another session of the same account, for a client that lost our answer or a
    browser that was sent back twice."""
    hashed = accounts.code_hash(door.wechat.app_id, code)
    again = await _open_again(app, hashed, device)
    if again is not None:
        return again
    try:
        with accounts.refusing(accounts.OF_LOGIN):
            identity = await door.exchange(door.wechat, code)
    except LoginCodeUsed:
        for wait in SOON:
            await asyncio.sleep(wait)
            again = await _open_again(app, hashed, device)
            if again is not None:
                return again
        raise
    async with app.db.begin() as tx:
        account = await accounts.admit(tx, door.wechat.app_id, identity, kind=door.kind)
        await accounts.remember_code(tx, hashed, account)
        return await open_session(tx, app, account, device=device)


async def _open_again(app: Services, hashed: str, device: str) -> Opened | None:
    async with app.db.read() as tx:
        account = await accounts.account_of_code(tx, hashed)
    if account is None:
        return None
    async with app.db.begin() as tx:
        return await open_session(tx, app, account, device=device)


async def open_session(
    tx: Transaction, app: Services, account: WechatAccount, *, device: str
) -> Opened:
    """A new session of an account; its sessions that ran out are removed. AccountIsBarred."""
    await check_not_barred(tx, account.person_id)
    await _sweep(tx, account.id)
    session = LoginSession(
        id=tx.new_id(),
        account_id=account.id,
        device=device,
        created_at=tx.now,
        last_used_at=tx.now,
        expires_at=tx.now + timedelta(days=app.settings.refresh_token_days),
    )
    tx.session.add(session)
    await tx.session.flush()
    return _issue(tx, app, session, account.person_id)


async def renew(tx: Transaction, app: Services, refresh_token: str) -> Opened | None:
    """The next tokens of a session, or None when the client must log in. None is returned and not
    raised, because a session that ends here must stay ended."""
    found = await tx.session.exec(
        select(RefreshToken, LoginSession, WechatAccount.person_id, _barred())
        .join(LoginSession, col(LoginSession.id) == RefreshToken.session_id)
        .join(WechatAccount, col(WechatAccount.id) == LoginSession.account_id)
        .where(RefreshToken.token_hash == _hash(refresh_token))
        .with_for_update(of=LoginSession)
    )
    row = found.first()
    if row is None:
        return None
    token, session, person_id, barred = row
    if barred or session.revoked_at is not None or token.expires_at <= tx.now:
        return None
    taken = await tx.session.exec(
        update(RefreshToken)
        .where(
            col(RefreshToken.token_hash) == token.token_hash, col(RefreshToken.used_at).is_(None)
        )
        .values(used_at=tx.now)
        .execution_options(synchronize_session=False)
    )
    if taken.rowcount == 0:
        session.revoked_at = tx.now
        return None
    await tx.session.exec(
        delete(RefreshToken)
        .where(col(RefreshToken.session_id) == session.id, col(RefreshToken.expires_at) <= tx.now)
        .execution_options(synchronize_session=False)
    )
    return _issue(tx, app, session, person_id)


async def reissue(tx: Transaction, app: Services, session_id: UUID) -> Opened:
    """New tokens in a session whose account has moved to another person; unused ones are void."""
    session, account = await access_session(tx, session_id)
    await check_not_barred(tx, account.person_id)
    await tx.session.exec(
        update(RefreshToken)
        .where(col(RefreshToken.session_id) == session.id, col(RefreshToken.used_at).is_(None))
        .values(used_at=tx.now)
        .execution_options(synchronize_session=False)
    )
    return _issue(tx, app, session, account.person_id)


async def access_session(tx: Transaction, session_id: UUID) -> tuple[LoginSession, WechatAccount]:
    """A session that runs, with its account; SessionEnded if it does not."""
    found = await tx.session.exec(
        select(LoginSession, WechatAccount)
        .join(WechatAccount, col(WechatAccount.id) == LoginSession.account_id)
        .where(LoginSession.id == session_id, *_running(tx.now))
    )
    row = found.first()
    if row is None:
        raise SessionEnded()
    return row


async def end_session(tx: Transaction, session_id: UUID) -> None:
    """One of the acting person's own sessions; NotFound for any other. Ending twice is ending."""
    mine = select(WechatAccount.id).where(WechatAccount.person_id == tx.person_id)
    ended = await tx.session.exec(
        update(LoginSession)
        .where(col(LoginSession.id) == session_id, col(LoginSession.account_id).in_(mine))
        .values(revoked_at=tx.now)
        .execution_options(synchronize_session=False)
    )
    if ended.rowcount == 0:
        raise NotFound(what="session")


async def end_all(tx: Transaction, person_id: UUID) -> None:
    """Every session of a person, wherever they are logged in."""
    theirs = select(WechatAccount.id).where(WechatAccount.person_id == person_id)
    await tx.session.exec(
        update(LoginSession)
        .where(col(LoginSession.account_id).in_(theirs), col(LoginSession.revoked_at).is_(None))
        .values(revoked_at=tx.now)
        .execution_options(synchronize_session=False)
    )


def _barred() -> ColumnElement[bool]:
    return (
        select(AccountBar.id)
        .where(AccountBar.person_id == WechatAccount.person_id, bars_now())
        .correlate(WechatAccount)
        .exists()
    )


async def running_sessions(
    tx: Transaction, *, after: tuple[datetime, UUID] | None, limit: int
) -> list[LoginSession]:
    """The acting person's sessions that run, the newest first."""
    query = (
        select(LoginSession)
        .join(WechatAccount, col(WechatAccount.id) == LoginSession.account_id)
        .where(WechatAccount.person_id == tx.person_id, *_running(tx.now))
        .order_by(col(LoginSession.created_at).desc(), col(LoginSession.id).desc())
        .limit(limit)
    )
    if after is not None:
        at, last_id = after
        query = query.where(
            or_(
                col(LoginSession.created_at) < at,
                and_(col(LoginSession.created_at) == at, col(LoginSession.id) < last_id),
            )
        )
    return list(await tx.session.exec(query))


def _running(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (col(LoginSession.revoked_at).is_(None), col(LoginSession.expires_at) > now)


def _issue(tx: Transaction, app: Services, session: LoginSession, person_id: UUID) -> Opened:
    life = timedelta(days=app.settings.refresh_token_days)
    refresh_token = secrets.token_urlsafe(32)
    tx.session.add(
        RefreshToken(
            token_hash=_hash(refresh_token), session_id=session.id, expires_at=tx.now + life
        )
    )
    session.last_used_at = tx.now
    session.expires_at = tx.now + life
    return Opened(
        person_id=person_id,
        session_id=session.id,
        access_token=app.tokens.issue(person_id, session.id, tx.new_id()),
        expires_in=app.settings.access_token_seconds,
        refresh_token=refresh_token,
        refresh_expires_in=int(life.total_seconds()),
    )


async def _sweep(tx: Transaction, account_id: UUID) -> None:
    over = select(LoginSession.id).where(
        LoginSession.account_id == account_id, col(LoginSession.expires_at) <= tx.now
    )
    for table, column in (
        (RefreshToken, col(RefreshToken.session_id)),
        (LoginSession, col(LoginSession.id)),
    ):
        await tx.session.exec(
            delete(table).where(column.in_(over)).execution_options(synchronize_session=False)
        )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
