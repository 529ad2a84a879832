"""A delivery ends, and its chain goes on: what the sender does with what it sent, and what a late
word of a provider does."""

from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlmodel import select

from consultation.database import Transaction
from consultation.polls.serving import NoticeChannel
from notifications import delivery_queries as queries
from notifications.debts import delivery
from notifications.policy import Channel, policy
from notifications.tables import Delivery, DeliveryState, Notice

LEDGER: dict[Channel, NoticeChannel] = {
    Channel.WECHAT: NoticeChannel.WECHAT,
    Channel.SMS: NoticeChannel.SMS,
}


def finish(row: Delivery, state: DeliveryState, now: datetime, *, error: str | None = None) -> None:
    row.state, row.done_at, row.lease_until, row.last_error = state, now, None, error


def reference(row: Delivery) -> str:
    """How the ledger of notices names it."""
    return f"delivery {row.id}"


async def go_on(tx: Transaction, unreached: Sequence[tuple[Delivery, Notice]]) -> None:
    """The next step of each chain, at once; none where the chain ends."""
    following = [
        (row, notice)
        for row, notice in unreached
        if row.step + 1 < len(policy().chains[row.chain].steps)
    ]
    if not following:
        return
    grids = await queries.grids_of(tx, [notice for _, notice in following])
    await queries.insert_steps(
        tx,
        [
            delivery(
                tx,
                notice_id=row.notice_id,
                person_id=row.person_id,
                community_id=row.community_id,
                chain=row.chain,
                step=row.step + 1,
                urgency=row.urgency,
                next_try=policy().loud_from(tx.now),
                grid_id=grids.get(row.notice_id),
            )
            for row, _ in following
        ],
    )


class Retract(Protocol):
    """Takes a proof of notice back; True if there was one that stood."""

    def __call__(
        self,
        tx: Transaction,
        *,
        poll_id: UUID,
        person_id: UUID,
        channel: NoticeChannel,
        reference: str,
        reason: str,
    ) -> Awaitable[bool]: ...


async def take_back(tx: Transaction, dedupe_key: str, *, reason: str, retract: Retract) -> bool:
    """The provider says of a message that it had taken over that it did not arrive: it proves
    nothing, and unless the person has it by now, or the poll is over, the next step goes out.
    Whether a delivery had counted as sent; one still in a sender's hands is left to that sender,
    who asks the channel before it writes down that a message went out."""
    rows = await tx.session.exec(
        select(Delivery)
        .where(Delivery.dedupe_key == dedupe_key, Delivery.state == DeliveryState.SENT)
        .with_for_update()
    )
    row = rows.first()
    if row is None:
        return False
    notice = (await queries.notices_of(tx, {row.notice_id}))[row.notice_id]
    if notice.poll_id is not None:
        await retract(
            tx,
            poll_id=notice.poll_id,
            person_id=row.person_id,
            channel=LEDGER[row.channel],
            reference=reference(row),
            reason=reason,
        )
    if row.charged is not None:
        await queries.refund(tx, [(row.person_id, row.charged)])
        row.charged = None
    if notice.read_at or notice.fetched_at:
        finish(row, DeliveryState.SEEN, tx.now, error=reason)
    elif await queries.poll_over(tx, notice):
        finish(row, DeliveryState.OBSOLETE, tx.now, error=reason)
    else:
        finish(row, DeliveryState.IMPOSSIBLE, tx.now, error=reason)
        await queries.wake_next(tx, row)
        await go_on(tx, [(row, notice)])
    return True
