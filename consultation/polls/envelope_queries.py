"""The one place for SQL on envelopes and opened ballots. No statement asks for a voter and a
choice together, and none reads a voter with what is in their envelope but the voter's own."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert
from sqlmodel import col, select

from consultation.database import Transaction
from consultation.polls.envelope_tables import (
    BoxOpener,
    Envelope,
    OpenedBallot,
    Participation,
    read_replaced,
)
from consultation.polls.rules import Choices
from consultation.polls.tables import Poll, RollEntry


async def envelopes_of(
    tx: Transaction, poll_id: UUID, entry_ids: Collection[UUID]
) -> dict[UUID, Envelope]:
    """The envelopes of these voters, held until the transaction ends."""
    rows = await tx.session.exec(
        select(Envelope)
        .where(Envelope.poll_id == poll_id, col(Envelope.roll_entry_id).in_(entry_ids))
        .order_by(col(Envelope.roll_entry_id))
        .with_for_update()
    )
    return {row.roll_entry_id: row for row in rows}


async def envelope_or_mark(
    tx: Transaction, poll: Poll, entry_id: UUID
) -> Envelope | Participation | None:
    """A voter's envelope, or after the opening the mark that there was one."""
    return await tx.session.get(kept_of(poll), (poll.id, entry_id))


async def count_replaced(tx: Transaction, poll_id: UUID) -> int:
    """How many envelopes of the shut box gave way to a later one of their voter."""
    rows = await tx.session.exec(
        select(Envelope.replaced).where(Envelope.poll_id == poll_id, Envelope.replaced != b"")
    )
    return sum(len(read_replaced(replaced)) for replaced in rows)


def kept_of(poll: Poll) -> type[Envelope] | type[Participation]:
    """Where it stands who took part: the envelopes while the box is shut, their marks later."""
    return Envelope if poll.box_opened_at is None else Participation


async def take_contents(tx: Transaction, poll: Poll) -> list[bytes]:
    """Empty the box: everything sealed, without voters; of an envelope on paper nothing is here.
    Who took part is written down in the order of the roll, and the envelopes are deleted. Only the
    opening may ask, with the poll held alone.
    """
    contents = await tx.session.exec(
        select(Envelope.sealed)
        .where(Envelope.poll_id == poll.id, Envelope.sealed != b"")
        .order_by(col(Envelope.sealed))
    )
    sealed = list(contents)
    kept = [column.name for column in Participation.__table__.columns]  # type: ignore[attr-defined]
    await tx.session.exec(
        insert(Participation).from_select(
            kept,
            select(*(getattr(Envelope, name) for name in kept))
            .join(RollEntry, col(RollEntry.id) == col(Envelope.roll_entry_id))
            .where(col(Envelope.poll_id) == poll.id)
            .order_by(col(RollEntry.number)),
        )
    )
    await delete_envelopes(tx, poll.id)
    return sealed


async def delete_envelopes(tx: Transaction, poll_id: UUID) -> None:
    await tx.session.exec(delete(Envelope).where(col(Envelope.poll_id) == poll_id))


async def put_on_list(
    tx: Transaction, poll: Poll, ballots: Sequence[tuple[str, Choices | None]]
) -> None:
    """Store opened ballots in the order given."""
    if not ballots:
        return
    connection = await tx.session.connection()
    await connection.execute(
        insert(OpenedBallot),
        [
            {
                "poll_id": poll.id,
                "number": number,
                "community_id": poll.community_id,
                "tracker": tracker,
                "choices": choices,
            }
            for number, (tracker, choices) in enumerate(ballots, 1)
        ],
    )


async def listed_choices(tx: Transaction, poll_id: UUID) -> list[Choices | None]:
    """All opened ballots, in the order of the list."""
    rows: Any = await tx.session.exec(
        select(OpenedBallot.choices)
        .where(OpenedBallot.poll_id == poll_id)
        .order_by(col(OpenedBallot.number))
    )
    return list(rows)


async def opened_page(
    tx: Transaction, poll_id: UUID, *, after: int, limit: int
) -> list[OpenedBallot]:
    rows = await tx.session.exec(
        select(OpenedBallot)
        .where(OpenedBallot.poll_id == poll_id, col(OpenedBallot.number) > after)
        .order_by(col(OpenedBallot.number))
        .limit(limit)
    )
    return list(rows)


async def openers(tx: Transaction, poll_id: UUID) -> list[BoxOpener]:
    rows = await tx.session.exec(
        select(BoxOpener)
        .where(BoxOpener.poll_id == poll_id)
        .order_by(col(BoxOpener.at), col(BoxOpener.person_id))
    )
    return list(rows)
