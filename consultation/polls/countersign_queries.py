"""SQL on countersigning."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import and_, col, or_, select

from consultation.database import Transaction
from consultation.polls.countersign_tables import Countersignature, CountersignRequest
from consultation.polls.countersigning import (
    CountersignAnswer,
    CountersignSubject,
    Entry,
    EntryKey,
    entries_of,
)
from consultation.polls.paper_tables import PaperIssue
from consultation.polls.queries import on_roll
from consultation.polls.tables import Poll, RollEntry


def at_entry(
    table: type[CountersignRequest] | type[Countersignature], poll: Poll, key: EntryKey
) -> Any:
    return and_(
        col(table.poll_id) == poll.id,
        col(table.subject) == key.subject,
        col(table.number) == key.number,
        col(table.turn) == key.turn,
    )


async def asked_at(tx: Transaction, poll: Poll, key: EntryKey) -> list[CountersignRequest]:
    """Everybody whom an entry names, locked: its answers wait for one another."""
    return list(
        await tx.session.exec(
            select(CountersignRequest)
            .where(at_entry(CountersignRequest, poll, key))
            .order_by(col(CountersignRequest.person_id))
            .with_for_update()
        )
    )


async def voter_of_entry(tx: Transaction, poll: Poll, key: EntryKey) -> UUID | None:
    """Whose ballot an entry is about; hands are nobody's."""
    statement: Any = select(RollEntry.person_id).where(*on_roll(poll))
    match key.subject:
        case CountersignSubject.ASSISTED:
            statement = statement.where(RollEntry.number == key.number)
        case CountersignSubject.HOME_VISIT:
            statement = select(PaperIssue.voter_id).where(
                PaperIssue.poll_id == poll.id, PaperIssue.form == key.number
            )
        case CountersignSubject.HANDS:
            return None
    return (await tx.session.exec(statement)).first()


async def answers_at(tx: Transaction, poll: Poll, key: EntryKey) -> list[Countersignature]:
    return list(
        await tx.session.exec(select(Countersignature).where(at_entry(Countersignature, poll, key)))
    )


async def entries(tx: Transaction, poll: Poll) -> list[Entry]:
    """Every entry of a poll that names somebody, with its state; one or two statements."""
    asked = list(
        await tx.session.exec(
            select(CountersignRequest).where(CountersignRequest.poll_id == poll.id)
        )
    )
    if not asked:
        return []
    said = await tx.session.exec(
        select(Countersignature).where(Countersignature.poll_id == poll.id)
    )
    return entries_of(
        [(_key(one), one.person_id) for one in asked],
        [(_key(one), one.person_id, one.answer) for one in said],
    )


def _key(row: CountersignRequest | Countersignature) -> EntryKey:
    return EntryKey(row.subject, row.number, row.turn)


async def own_requests(
    tx: Transaction, poll: Poll, *, after: EntryKey | None, limit: int
) -> list[tuple[EntryKey, str | None, datetime, CountersignAnswer | None]]:
    """What the actor is asked in a poll, in the order of subject, number and turn: the masked label
    of the place of who had help, when it was asked, and what the actor said."""
    asked, said = CountersignRequest, Countersignature
    statement = (
        select(asked.subject, asked.number, asked.turn, RollEntry.label, asked.at, said.answer)  # type: ignore[call-overload]  # typed up to four
        .outerjoin(
            RollEntry,
            and_(
                *on_roll(poll),
                col(RollEntry.number) == col(asked.number),
                col(asked.subject) == CountersignSubject.ASSISTED,
            ),
        )
        .outerjoin(said, and_(*(getattr(said, name) == getattr(asked, name) for name in _KEY)))
        .where(asked.poll_id == poll.id, asked.person_id == tx.person_id)
    )
    if after is not None:
        statement = statement.where(
            or_(
                col(asked.subject) > after.subject,
                and_(col(asked.subject) == after.subject, col(asked.number) > after.number),
                and_(
                    col(asked.subject) == after.subject,
                    col(asked.number) == after.number,
                    col(asked.turn) > after.turn,
                ),
            )
        )
    rows = await tx.session.exec(
        statement.order_by(col(asked.subject), col(asked.number), col(asked.turn)).limit(limit)
    )
    return [
        (EntryKey(subject, number, turn), label, at, answer)
        for subject, number, turn, label, at, answer in rows
    ]


_KEY = ("poll_id", "subject", "number", "turn", "person_id")
