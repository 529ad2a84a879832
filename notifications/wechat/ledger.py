"""The ledger of subscription messages: what an account may still be sent, and why.

The balance is always made anew from the rows of accepts and sends, so that neither a repeated nor
a late report can change it twice: accepts since the last time WeChat said "nothing left", minus
the sends since then that were not taken back. An accept of a long-term template lasts until it is
refused.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import col, func, or_, select

from consultation.database import Transaction
from notifications.wechat.tables import (
    AccountKind,
    SendState,
    SubscriptionAccept,
    SubscriptionCredit,
    SubscriptionReceipt,
    SubscriptionSend,
    WechatAccount,
)
from notifications.wechat.templates import TemplateKind, TemplateSpec


@dataclass(frozen=True, slots=True)
class Accept:
    """A tap on "allow", as one of its two witnesses tells it: the client's own key for the report,
    or the push and the position in it."""

    at: datetime
    client_key: str | None = None
    event_key: str | None = None


async def add_accept(
    tx: Transaction, account_id: UUID, spec: TemplateSpec, accept: Accept, *, window: timedelta
) -> None:
    """One more credit, unless this accept is known: by its own key, or because the other witness
    told of it within ``window``. Told again, it changes nothing."""
    await locked(tx, account_id, spec.template_id)  # two witnesses at once wait for each other
    here = (
        col(SubscriptionAccept.account_id) == account_id,
        col(SubscriptionAccept.template_id) == spec.template_id,
    )
    column = "client_key" if accept.event_key is None else "event_key"
    other = "event_key" if column == "client_key" else "client_key"
    mine = getattr(accept, column)
    known = select(SubscriptionAccept.id).where(
        *here, col(getattr(SubscriptionAccept, column)) == mine
    )
    if (await tx.session.exec(known)).first() is not None:
        return
    waiting = await tx.session.exec(
        select(SubscriptionAccept).where(
            *here,
            col(getattr(SubscriptionAccept, column)).is_(None),
            col(getattr(SubscriptionAccept, other)).is_not(None),
            col(SubscriptionAccept.at) >= accept.at - window,
            col(SubscriptionAccept.at) <= accept.at + window,
        )
    )
    same = min(waiting, key=lambda one: abs(one.at - accept.at), default=None)
    if same is not None:
        setattr(same, column, mine)
        if accept.event_key is not None:
            same.at = accept.at  # WeChat's clock also says when it was all refused
            await settle(tx, account_id, spec)
        return
    tx.session.add(
        SubscriptionAccept(
            id=tx.new_id(),
            account_id=account_id,
            template_id=spec.template_id,
            at=accept.at,
            client_key=accept.client_key,
            event_key=accept.event_key,
        )
    )
    await settle(tx, account_id, spec)


async def empty(tx: Transaction, account_id: UUID, spec: TemplateSpec, *, at: datetime) -> None:
    """WeChat said at ``at`` that there is nothing left, or the user refused in the settings."""
    row = await locked(tx, account_id, spec.template_id)
    if row.emptied_at is None or row.emptied_at < at:
        row.emptied_at = at
    await settle(tx, account_id, spec)


async def settle(tx: Transaction, account_id: UUID, spec: TemplateSpec) -> SubscriptionCredit:
    """Make the balance anew; the row stays locked."""
    await tx.session.flush()
    row = await locked(tx, account_id, spec.template_id)
    accepts = await _count(tx, SubscriptionAccept, account_id, spec, row.emptied_at)
    if spec.kind is TemplateKind.LONG_TERM:
        row.credits = min(accepts, 1)
    else:
        sends = await _count(tx, SubscriptionSend, account_id, spec, row.emptied_at)
        row.credits = max(accepts - sends, 0)
    return row


async def _count(
    tx: Transaction,
    table: type[SubscriptionAccept] | type[SubscriptionSend],
    account_id: UUID,
    spec: TemplateSpec,
    since: datetime | None,
) -> int:
    query = (
        select(func.count())
        .select_from(table)
        .where(col(table.account_id) == account_id, col(table.template_id) == spec.template_id)
    )
    if table is SubscriptionSend:
        query = query.where(col(SubscriptionSend.spent))
    if since is not None:
        query = query.where(col(table.at) > since)
    return (await tx.session.exec(query)).one()


async def locked(tx: Transaction, account_id: UUID, template_id: str) -> SubscriptionCredit:
    """The row of the balance, made if need be, kept to this transaction."""
    insert = sqlite_insert if tx.session.get_bind().dialect.name == "sqlite" else pg_insert
    await tx.session.exec(
        insert(SubscriptionCredit)
        .values(account_id=account_id, template_id=template_id, credits=0)
        .on_conflict_do_nothing(index_elements=["account_id", "template_id"])
    )
    found = await tx.session.exec(
        select(SubscriptionCredit)
        .where(
            SubscriptionCredit.account_id == account_id,
            SubscriptionCredit.template_id == template_id,
        )
        .with_for_update()
    )
    return found.one()


async def accounts_with_credits(
    tx: Transaction, person_id: UUID, app_id: str, template_id: str
) -> list[tuple[WechatAccount, int]]:
    """The person's accounts in the mini-program, those with credits first."""
    credits = func.coalesce(SubscriptionCredit.credits, 0)
    rows = await tx.session.exec(
        select(WechatAccount, credits)
        .outerjoin(
            SubscriptionCredit,
            (col(SubscriptionCredit.account_id) == col(WechatAccount.id))
            & (col(SubscriptionCredit.template_id) == template_id),
        )
        .where(
            WechatAccount.person_id == person_id,
            WechatAccount.app_id == app_id,
            WechatAccount.kind == AccountKind.MINI_PROGRAM,
        )
        .order_by(credits.desc(), col(WechatAccount.last_login_at).desc())
    )
    return [(account, count) for account, count in rows]


# ---- receipts -----------------------------------------------------------------------------


async def receipts_wait(tx: Transaction, account_id: UUID) -> None:
    """A receipt and the answer to the request that it is about may be written down at once: each
    then waits for the other, so that the second one finds what the first one wrote."""
    await tx.session.exec(
        select(WechatAccount.id)
        .where(WechatAccount.id == account_id)
        .with_for_update(key_share=True)
    )


async def note_receipt(tx: Transaction, told: SubscriptionReceipt) -> SubscriptionSend | None:
    """Keep WeChat's word on a message; the first word stands. The message, if that says that it
    did not arrive and we had taken it for sent: now it is not. Its credit stays spent, because
    WeChat took it from the user's count when it took the message."""
    insert = sqlite_insert if tx.session.get_bind().dialect.name == "sqlite" else pg_insert
    await receipts_wait(tx, told.account_id)
    await tx.session.exec(
        insert(SubscriptionReceipt)
        .values(**told.model_dump())
        .on_conflict_do_nothing(index_elements=["msg_id"])
    )
    kept = await tx.session.get(SubscriptionReceipt, told.msg_id)
    if kept is None or kept.errcode == 0:
        return None
    rows = await tx.session.exec(
        select(SubscriptionSend)
        .where(
            SubscriptionSend.account_id == kept.account_id,
            SubscriptionSend.msg_id == kept.msg_id,
            SubscriptionSend.state == SendState.SENT,
        )
        .with_for_update()
    )
    send = rows.first()
    if send is not None:
        send.state, send.errcode = SendState.NOT_SENT, kept.errcode
    return send


async def undelivered(tx: Transaction, keys: Collection[str]) -> set[str]:
    """Those of these delivery keys whose message WeChat took, and did not deliver."""
    rows = await tx.session.exec(
        select(SubscriptionSend.delivery_key).where(
            col(SubscriptionSend.delivery_key).in_(keys),
            SubscriptionSend.state == SendState.NOT_SENT,
            col(SubscriptionSend.msg_id).is_not(None),
        )
    )
    return {key for key in rows if key is not None}


# ---- looking up ---------------------------------------------------------------------------


async def account_of_openid(tx: Transaction, app_id: str, openid: str) -> WechatAccount | None:
    found = await tx.session.exec(
        select(WechatAccount).where(WechatAccount.app_id == app_id, WechatAccount.openid == openid)
    )
    return found.first()


async def balances(tx: Transaction, account_id: UUID) -> Mapping[str, int]:
    """Credits by template id, where there are any rows."""
    rows = await tx.session.exec(
        select(SubscriptionCredit.template_id, SubscriptionCredit.credits).where(
            SubscriptionCredit.account_id == account_id
        )
    )
    return dict(list(rows))


def to_ask(
    templates: Sequence[TemplateSpec], credits: Mapping[str, int], *, wanted: int, most: int
) -> list[TemplateSpec]:
    """Which templates the client should ask for at the next tap: those with too few credits, in
    the order of the settings, of one kind (WeChat refuses a mixed call), at most ``most``."""
    lacking = [
        spec
        for spec in templates
        if credits.get(spec.template_id, 0)
        < (wanted if spec.kind is TemplateKind.ONCE else min(wanted, 1))
    ]
    return [spec for spec in lacking if spec.kind is lacking[0].kind][:most]


RECEIPT_COMES = timedelta(days=1)
"""Later than this after a message WeChat does not begin to tell what became of it."""
_CLOCKS = timedelta(seconds=1)
"""WeChat's times are whole seconds."""


async def receipt_for(tx: Transaction, send: SubscriptionSend) -> SubscriptionReceipt | None:
    """WeChat's word on a message whose answer was lost: a receipt for the same account and
    template that belongs to no other message, nor may belong to one. A receipt names no message of
    ours: where it may be another's it proves nothing."""
    since = send.unsure_since or send.at
    claimed = select(SubscriptionSend.msg_id).where(col(SubscriptionSend.msg_id).is_not(None))
    receipts = await tx.session.exec(
        select(SubscriptionReceipt)
        .where(
            SubscriptionReceipt.account_id == send.account_id,
            SubscriptionReceipt.template_id == send.template_id,
            col(SubscriptionReceipt.at) >= since - _CLOCKS,
            col(SubscriptionReceipt.at) <= send.at + RECEIPT_COMES,
            col(SubscriptionReceipt.msg_id).not_in(claimed),
        )
        .order_by(col(SubscriptionReceipt.at))
    )
    found = list(receipts)
    if not found:
        return None
    others = await tx.session.exec(
        select(SubscriptionSend).where(
            SubscriptionSend.account_id == send.account_id,
            SubscriptionSend.template_id == send.template_id,
            SubscriptionSend.id != send.id,
            col(SubscriptionSend.at) >= since - _CLOCKS - RECEIPT_COMES,
            or_(
                col(SubscriptionSend.unsure_since).is_not(None),
                col(SubscriptionSend.state).in_((SendState.SENDING, SendState.UNSURE)),
                (col(SubscriptionSend.state) == SendState.SENT)
                & col(SubscriptionSend.msg_id).is_(None),
            ),
        )
    )
    rivals = list(others)
    for receipt in found:
        if not any(_may_own(rival, receipt) for rival in rivals):
            return receipt
    return None


def _may_own(send: SubscriptionSend, receipt: SubscriptionReceipt) -> bool:
    since = send.unsure_since or send.at
    return since - _CLOCKS <= receipt.at <= send.at + RECEIPT_COMES
