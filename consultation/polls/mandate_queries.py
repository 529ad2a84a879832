"""SQL on mandates."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import and_, col, func, or_, select

from consultation.community.tables import Person
from consultation.database import Transaction
from consultation.polls.envelope_queries import envelope_or_mark, kept_of
from consultation.polls.mandate_tables import Mandate, MandateWithdrawal
from consultation.polls.mandates import MandateState, state_of
from consultation.polls.presets import BallotChannel, BallotMode
from consultation.polls.queries import on_roll
from consultation.polls.tables import Ballot, Poll, RollEntry


def with_withdrawal(*columns: Any) -> Any:
    return select(*columns).outerjoin(
        MandateWithdrawal,
        and_(
            col(MandateWithdrawal.poll_id) == col(Mandate.poll_id),
            col(MandateWithdrawal.number) == col(Mandate.number),
            col(MandateWithdrawal.mandate_no) == col(Mandate.mandate_no),
        ),
    )


def of_its_voter(poll: Poll) -> Any:
    """For a join with the roll: the principal has the place. A mandate of whoever lost it to an
    objection is over, and nobody else's."""
    return and_(
        *on_roll(poll),
        col(RollEntry.number) == col(Mandate.number),
        col(RollEntry.person_id) == col(Mandate.principal_id),
    )


async def last_mandate(
    tx: Transaction, poll: Poll, number: int
) -> tuple[Mandate, MandateWithdrawal | None] | None:
    """The newest mandate of a place, and its withdrawal: of the voter who has it, before one of
    whoever had it."""
    rows = await tx.session.exec(
        with_withdrawal(Mandate, MandateWithdrawal)
        .outerjoin(RollEntry, of_its_voter(poll))
        .where(Mandate.poll_id == poll.id, Mandate.number == number)
        .order_by(col(RollEntry.id).is_(None), col(Mandate.mandate_no).desc())
        .limit(1)
    )
    return rows.first()


async def highest_mandate_no(tx: Transaction, poll: Poll, number: int) -> int:
    rows = await tx.session.exec(
        select(func.max(Mandate.mandate_no)).where(
            Mandate.poll_id == poll.id, Mandate.number == number
        )
    )
    return rows.one() or 0


async def mandates_without_voter(tx: Transaction, poll: Poll) -> list[Mandate]:
    """Those that have not ended and whose principal has not the place on the present roll."""
    rows = await tx.session.exec(
        with_withdrawal(Mandate)
        .outerjoin(RollEntry, of_its_voter(poll))
        .where(
            Mandate.poll_id == poll.id,
            col(MandateWithdrawal.at).is_(None),
            col(RollEntry.id).is_(None),
        )
        .order_by(col(Mandate.number), col(Mandate.mandate_no))
    )
    return list(rows)


async def mandates_held(tx: Transaction, poll: Poll, holder_id: UUID) -> int:
    """How many mandates a person holds and may still use, or has used."""
    return await _alive(tx, poll, col(Mandate.holder_id) == holder_id)


async def gave_mandate(tx: Transaction, poll: Poll, person_id: UUID) -> bool:
    """Whether a voter gave a mandate in this poll that may still be used, or was."""
    return await _alive(tx, poll, col(Mandate.principal_id) == person_id) > 0


async def _alive(tx: Transaction, poll: Poll, whose: ColumnElement[bool]) -> int:
    rows = await tx.session.exec(
        with_withdrawal(Mandate.valid_until, RollEntry.id)
        .join(RollEntry, of_its_voter(poll))
        .where(Mandate.poll_id == poll.id, whose, col(MandateWithdrawal.at).is_(None))
    )
    found = rows.all()
    stands = await _channels(tx, poll, {place for _, place in found}) if found else {}
    states = [
        state_of(withdrawn=False, stands=stands.get(place), valid_until=until, now=tx.now)
        for until, place in found
    ]
    return sum(state in (MandateState.REGISTERED, MandateState.USED) for state in states)


async def standing_channel(tx: Transaction, poll: Poll, place: RollEntry) -> BallotChannel | None:
    """The channel of the ballot that stands for a place."""
    if poll.mode is BallotMode.CONFIDENTIAL:
        sealed = await envelope_or_mark(tx, poll, place.id)
        return None if sealed is None else sealed.channel
    rows = await tx.session.exec(
        select(Ballot.channel)
        .where(
            Ballot.poll_id == poll.id,
            Ballot.roll_entry_id == place.id,
            col(Ballot.set_aside).is_(False),
        )
        .order_by(col(Ballot.cast_no).desc())
        .limit(1)
    )
    channel = rows.first()
    return None if channel is None else BallotChannel(channel)


async def _channels(
    tx: Transaction, poll: Poll, entry_ids: Collection[UUID]
) -> dict[UUID, BallotChannel]:
    """The channel of the ballot that stands for each of these places."""
    if poll.mode is BallotMode.CONFIDENTIAL:
        kept = kept_of(poll)
        casts = select(kept.roll_entry_id, kept.channel).where(
            kept.poll_id == poll.id, col(kept.roll_entry_id).in_(entry_ids)
        )
    else:
        casts = (
            select(Ballot.roll_entry_id, Ballot.channel)
            .where(
                Ballot.poll_id == poll.id,
                col(Ballot.roll_entry_id).in_(entry_ids),
                col(Ballot.set_aside).is_(False),
            )
            .order_by(col(Ballot.cast_no))
        )
    return {place: BallotChannel(channel) for place, channel in await tx.session.exec(casts)}


@dataclass(frozen=True, slots=True)
class MandateRow:
    """A mandate as it is shown; names are masked. ``state`` is None where it is not said yet."""

    number: int
    principal: str
    holder: str
    state: MandateState | None
    valid_until: datetime
    at: datetime


async def mandates_of(
    tx: Transaction,
    poll: Poll,
    *,
    reader: UUID | None,
    all_of_them: bool,
    states: bool,
    after: tuple[int, int],
    limit: int,
) -> list[tuple[int, MandateRow]]:
    """(mandate number, row) of the mandates after (place, number) whose principal has the place:
    all of them, or those that ``reader`` gave or holds. Without ``states`` only these say what
    became of them. Two statements.
    """
    statement = (
        with_withdrawal(Mandate, MandateWithdrawal.at, RollEntry, Person.masked_name)
        .join(RollEntry, of_its_voter(poll))
        .join(Person, col(Person.id) == col(Mandate.holder_id))
        .where(
            Mandate.poll_id == poll.id,
            or_(
                col(Mandate.number) > after[0],
                and_(col(Mandate.number) == after[0], col(Mandate.mandate_no) > after[1]),
            ),
        )
        .order_by(col(Mandate.number), col(Mandate.mandate_no))
        .limit(limit)
    )
    if not all_of_them:
        statement = statement.where(or_(RollEntry.person_id == reader, Mandate.holder_id == reader))
    found = (await tx.session.exec(statement)).all()
    stands = await _channels(tx, poll, {place.id for _, _, place, _ in found})
    return [
        (
            mandate.mandate_no,
            MandateRow(
                number=mandate.number,
                principal=place.label,
                holder=holder,
                state=state_of(
                    withdrawn=withdrawn is not None,
                    stands=stands.get(place.id),
                    valid_until=mandate.valid_until,
                    now=tx.now,
                )
                if states or (reader is not None and reader in (place.person_id, mandate.holder_id))
                else None,
                valid_until=mandate.valid_until,
                at=mandate.at,
            ),
        )
        for mandate, withdrawn, place, holder in found
    ]
