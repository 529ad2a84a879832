"""Dead letters: deliveries that were given up, as an operator sees them: what, and never whose."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, func, or_, select

from consultation.community.queries import access_node
from consultation.database import Transaction
from consultation.permissions import Deed
from consultation.refusals import NotFound
from notifications.places import access_delivery, belongs_nowhere, belongs_to
from notifications.policy import Channel
from notifications.tables import Delivery, DeliveryState, Notice


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """``error`` is a code, never what somebody wrote."""

    id: UUID
    channel: Channel
    words: str
    attempts: int
    error: str | None
    created_at: datetime
    given_up_at: datetime | None


async def dead_letters(
    tx: Transaction, community_id: UUID, *, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[DeadLetter]:
    """The newest first, for the system administrator; also those of accounts that belong to no
    community, which every administrator sees."""
    await access_node(tx, community_id, Deed.MEND_DELIVERIES)
    query = (
        select(Delivery, Notice.words)
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .where(
            belongs_to(community_id) | belongs_nowhere(), col(Delivery.state) == DeliveryState.DEAD
        )
        .order_by(col(Delivery.created_at).desc(), col(Delivery.id).desc())
        .limit(limit)
    )
    if after is not None:
        at, id = after
        query = query.where(
            or_(
                col(Delivery.created_at) < at,
                (col(Delivery.created_at) == at) & (col(Delivery.id) < id),
            )
        )
    return [
        DeadLetter(
            id=row.id,
            channel=row.channel,
            words=words,
            attempts=row.attempts,
            error=row.last_error,
            created_at=row.created_at,
            given_up_at=row.done_at,
        )
        for row, words in await tx.session.exec(query)
    ]


async def resend(tx: Transaction, delivery_id: UUID) -> Delivery:
    """Try a dead letter again from the beginning. It is not sent if the person was reached
    otherwise meanwhile. One that is no longer dead stays as it is."""
    rows = await tx.session.exec(
        select(Delivery).where(Delivery.id == delivery_id).with_for_update()
    )
    row = rows.first()
    if row is None:
        raise NotFound(what="delivery")
    await access_delivery(tx, row, Deed.MEND_DELIVERIES)
    if row.state is DeliveryState.DEAD:
        row.state, row.attempts, row.next_try = DeliveryState.WAITING, 0, tx.now
        row.done_at = row.lease_until = None
    return row


async def resend_all(tx: Transaction) -> int:
    """For the command line: every dead letter there is."""
    done = await tx.session.exec(
        update(Delivery)
        .where(col(Delivery.state) == DeliveryState.DEAD)
        .values(
            state=DeliveryState.WAITING, attempts=0, next_try=tx.now, done_at=None, lease_until=None
        )
    )
    return done.rowcount


async def counts(tx: Transaction) -> list[tuple[str, str, int]]:
    """(channel, state, how many) of all deliveries."""
    rows = await tx.session.exec(
        select(Delivery.channel, Delivery.state, func.count())
        .group_by(col(Delivery.channel), col(Delivery.state))
        .order_by(col(Delivery.channel), col(Delivery.state))
    )
    return [(str(channel), str(state), count) for channel, state, count in rows]
