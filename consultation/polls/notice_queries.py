"""SQL on the ledger of notices: what it proves, and who is not in it yet."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, insert, update
from sqlalchemy.orm import aliased
from sqlmodel import and_, col, exists, func, select

from consultation.community.tables import Household
from consultation.database import Transaction
from consultation.polls.notice_tables import VoterNotice, VoterNoticeRetraction
from consultation.polls.queries import on_present_roll, on_roll
from consultation.polls.rules import RolledUnit
from consultation.polls.serving import NoticeChannel
from consultation.polls.tables import TURNOUT_SHARDS, Poll, PollTurnout, RollEntry


def stands() -> ColumnElement[bool]:
    """The proof was not retracted."""
    return ~exists().where(col(VoterNoticeRetraction.notice_id) == col(VoterNotice.id))


async def served_count(tx: Transaction, poll_id: UUID) -> int:
    """How many places on the roll have a proof: a sum of sixteen counters."""
    rows = await tx.session.exec(
        select(func.sum(PollTurnout.served)).where(PollTurnout.poll_id == poll_id)
    )
    return int(rows.one() or 0)


async def served_counts(tx: Transaction, poll_ids: Collection[UUID]) -> dict[UUID, int]:
    rows = await tx.session.exec(
        select(PollTurnout.poll_id, func.sum(PollTurnout.served))
        .where(col(PollTurnout.poll_id).in_(poll_ids))
        .group_by(col(PollTurnout.poll_id))
    )
    return {poll_id: int(served) for poll_id, served in rows}


@dataclass(frozen=True, slots=True)
class Unserved:
    """A place on the roll without any proof. ``address`` is the first unit or the household;
    ``known``: the register knows who votes there."""

    number: int
    label: str
    grid_id: UUID | None
    address: str
    known: bool


async def unserved(
    tx: Transaction, poll: Poll, *, grid_id: UUID | None, after: int, limit: int
) -> list[Unserved]:
    """Places of the present roll after a number, of one grid or of all."""
    statement = (
        select(
            RollEntry.number,
            RollEntry.label,
            RollEntry.grid_id,
            RollEntry.units,
            RollEntry.person_id,
            Household.code,
        )  # type: ignore[call-overload]
        .outerjoin(Household, col(Household.id) == col(RollEntry.household_id))
        .where(*on_roll(poll), col(RollEntry.number) > after, ~_has_proof(poll))
        .order_by(col(RollEntry.number))
        .limit(limit)
    )
    if grid_id is not None:
        statement = statement.where(RollEntry.grid_id == grid_id)
    found = []
    for number, label, grid, units, person_id, household in await tx.session.exec(statement):
        address = _first(units) or household or ""
        found.append(Unserved(number, label, grid, address, person_id is not None))
    return found


def _has_proof(poll: Poll) -> Any:
    return exists().where(
        and_(
            col(VoterNotice.poll_id) == poll.id,
            col(VoterNotice.roll_entry_id) == col(RollEntry.id),
            stands(),
        )
    )


def _first(units: Sequence[RolledUnit]) -> str:
    return units[0].code if units else ""


async def lock_places(
    tx: Transaction, wanted: Collection[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], RollEntry]:
    """The places of (poll, person) on present rolls, in a fixed order, kept from other recorders
    until the end. Call with the polls held."""
    polls, people = {poll for poll, _ in wanted}, {person for _, person in wanted}
    rows = await tx.session.exec(
        select(RollEntry)
        .join(Poll, on_present_roll())
        .where(col(RollEntry.poll_id).in_(polls), col(RollEntry.person_id).in_(people))
        .order_by(col(RollEntry.poll_id), col(RollEntry.number))
        .with_for_update(key_share=True, of=RollEntry)
    )
    return {
        (row.poll_id, row.person_id): row
        for row in rows
        if row.person_id is not None and (row.poll_id, row.person_id) in wanted
    }


async def lock_place(tx: Transaction, poll: Poll, number: int) -> RollEntry | None:
    """The place on the present roll. Call with the poll held."""
    rows = await tx.session.exec(
        select(RollEntry)
        .where(*on_roll(poll), RollEntry.number == number)
        .with_for_update(key_share=True)
    )
    return rows.first()


async def proved(tx: Transaction, entry_ids: Collection[UUID]) -> set[UUID]:
    """Those of these places that have a proof already."""
    rows = await tx.session.exec(
        select(VoterNotice.roll_entry_id)
        .where(col(VoterNotice.roll_entry_id).in_(entry_ids), stands())
        .distinct()
    )
    return set(rows)


async def takes(
    tx: Transaction, entry_ids: Collection[UUID]
) -> dict[tuple[UUID, NoticeChannel], int]:
    """By place and channel, how many proofs were retracted there."""
    rows = await tx.session.exec(
        select(VoterNotice.roll_entry_id, VoterNotice.channel, func.count())
        .join(VoterNoticeRetraction, col(VoterNoticeRetraction.notice_id) == col(VoterNotice.id))
        .where(col(VoterNotice.roll_entry_id).in_(entry_ids))
        .group_by(col(VoterNotice.roll_entry_id), col(VoterNotice.channel))
    )
    return {(entry_id, NoticeChannel(channel)): count for entry_id, channel, count in rows}


async def proofs_of(tx: Transaction, poll_id: UUID, entry_id: UUID) -> list[VoterNotice]:
    """Those that stand."""
    rows = await tx.session.exec(
        select(VoterNotice)
        .where(VoterNotice.poll_id == poll_id, VoterNotice.roll_entry_id == entry_id, stands())
        .order_by(col(VoterNotice.at), col(VoterNotice.id))
    )
    return list(rows)


async def carry_proofs(tx: Transaction, poll: Poll) -> None:
    """Into a new version of the roll, from the one before: who keeps number and place was told.
    Whoever is new there was not. The counters say then how many of the new roll have a proof."""
    before, after = aliased(RollEntry), aliased(RollEntry)
    rows = await tx.session.exec(
        select(VoterNotice, after.id)
        .join(before, col(before.id) == col(VoterNotice.roll_entry_id))
        .join(
            after,
            and_(
                col(after.poll_id) == poll.id,
                col(after.roll_version) == poll.roll_version,
                col(after.number) == col(before.number),
                col(after.person_id).is_not_distinct_from(col(before.person_id)),
            ),
        )
        .where(
            VoterNotice.poll_id == poll.id, before.roll_version == poll.roll_version - 1, stands()
        )
    )
    carried = [
        proof.model_dump() | {"id": tx.new_id(), "roll_entry_id": entry_id, "take": 0}
        for proof, entry_id in rows
    ]
    connection = await tx.session.connection()
    if carried:
        await connection.execute(insert(VoterNotice), carried)
    numbers = await tx.session.exec(
        select(RollEntry.number).where(*on_roll(poll), _has_proof(poll))
    )
    served = Counter(number % TURNOUT_SHARDS for number in numbers)
    await connection.execute(
        update(PollTurnout)
        .where(col(PollTurnout.poll_id) == poll.id, col(PollTurnout.shard) == bindparam("of_shard"))
        .values(served=bindparam("told")),
        [{"of_shard": shard, "told": served[shard]} for shard in range(TURNOUT_SHARDS)],
    )
