"""SQL on marks 表态: whose they are, how they are counted, and which counts are not told yet."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, tuple_, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import col, func, select

from consultation.community.queries import residence_role
from consultation.community.tables import Person, Residence
from consultation.database import Transaction
from consultation.deliberation import rules
from consultation.deliberation.rules import StatementState
from consultation.deliberation.tables import Statement, StatementMark
from consultation.permissions import Role
from consultation.topics.states import State
from consultation.topics.tables import Topic


@dataclass(frozen=True, slots=True)
class MarkTarget:
    """What a mark needs to know of its statement."""

    topic_id: UUID
    community_id: UUID
    state: StatementState
    topic_state: State


@dataclass(frozen=True, slots=True)
class Marker:
    """What a mark needs to know of who makes it."""

    role: Role
    born_on: date | None


async def mark_targets(tx: Transaction, statement_ids: Collection[UUID]) -> dict[UUID, MarkTarget]:
    """Statements by id. They exist only on topics that have been deliberated, which everybody may
    see, so that nothing is hidden from anybody here."""
    rows = await tx.session.exec(
        select(  # type: ignore[call-overload]  # typed up to four
            col(Statement.id),
            col(Statement.topic_id),
            col(Statement.community_id),
            col(Statement.state),
            col(Topic.state),
        )
        .join(Topic, col(Topic.id) == col(Statement.topic_id))
        .where(col(Statement.id).in_(statement_ids))
    )
    return {id: MarkTarget(*found) for id, *found in rows}


async def markers(
    tx: Transaction, people: Collection[UUID], communities: Collection[UUID]
) -> dict[tuple[UUID, UUID], Marker]:
    """What these people are, without a role, by person and community."""
    rows = await tx.session.exec(
        select(  # type: ignore[call-overload]  # typed up to four
            col(Residence.person_id),
            col(Residence.community_id),
            col(Residence.level),
            col(Residence.kind),
            col(Person.born_on),
        )
        .join(Person, col(Person.id) == col(Residence.person_id))
        .where(col(Residence.person_id).in_(people), col(Residence.community_id).in_(communities))
    )
    return {
        (person, community): Marker(residence_role(level, kind), born_on)
        for person, community, level, kind, born_on in rows
    }


async def my_marks(tx: Transaction, statement_ids: list[UUID]) -> dict[UUID, StatementMark]:
    """The actor's own marks on these statements."""
    if tx.actor.person_id is None or not statement_ids:
        return {}
    rows = await tx.session.exec(
        select(StatementMark).where(
            StatementMark.person_id == tx.actor.person_id,
            col(StatementMark.statement_id).in_(statement_ids),
        )
    )
    return {mark.statement_id: mark for mark in rows}


async def insert_marks(
    tx: Transaction, marks: Sequence[Mapping[str, Any]]
) -> set[tuple[UUID, UUID]]:
    """Insert those that are a person's first on the statement; which ones, says the primary
    key."""
    if not marks:
        return set()
    insert = sqlite_insert if tx.session.get_bind().dialect.name == "sqlite" else pg_insert
    table = StatementMark.__table__  # type: ignore[attr-defined]  # SQLModel makes it
    connection = await tx.session.connection()
    rows = await connection.execute(
        insert(table)
        .values(events=1, at=tx.now)
        .on_conflict_do_nothing()
        .returning(table.c.statement_id, table.c.person_id),
        [dict(mark) for mark in marks],
    )
    return {(row.statement_id, row.person_id) for row in rows}


async def locked_marks(
    tx: Transaction, pairs: Sequence[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], StatementMark]:
    """Marks that stand, by statement and person, kept from other transactions."""
    if not pairs:
        return {}
    pair = tuple_(col(StatementMark.statement_id), col(StatementMark.person_id))
    rows = await tx.session.exec(
        select(StatementMark)
        .where(pair.in_(pairs))
        .order_by(col(StatementMark.statement_id), col(StatementMark.person_id))
        .with_for_update()
    )
    return {(row.statement_id, row.person_id): row for row in rows}


async def count_marks(tx: Transaction, changes: Mapping[UUID, Mapping[str, int]]) -> None:
    """Add to the counts on the rows themselves: however many people mark at once, no count is
    lost. In the order of ids, so that no two transactions wait for each other."""
    if not changes:
        return
    table = Statement.__table__  # type: ignore[attr-defined]  # SQLModel makes it
    names = [*rules.STANDING.values(), *rules.EVENTS.values()]
    connection = await tx.session.connection()
    await connection.execute(
        update(table)
        .where(table.c.id == bindparam("statement"))
        .values(
            untold_since=func.coalesce(table.c.untold_since, tx.now),
            **{name: table.c[name] + bindparam(f"by_{name}") for name in names},
        ),
        [
            {"statement": id} | {f"by_{name}": by.get(name, 0) for name in names}
            for id, by in sorted(changes.items())
        ],
    )


@dataclass(frozen=True, slots=True)
class Counts:
    agrees: int
    disagrees: int
    passes: int
    untold_since: datetime | None


async def counts_of(tx: Transaction, statement_ids: Collection[UUID]) -> dict[UUID, Counts]:
    rows = await tx.session.exec(
        select(  # type: ignore[call-overload]  # typed up to four
            col(Statement.id),
            col(Statement.agrees),
            col(Statement.disagrees),
            col(Statement.passes),
            col(Statement.untold_since),
        ).where(col(Statement.id).in_(statement_ids))
    )
    return {id: Counts(*found) for id, *found in rows}


async def untold_statements(tx: Transaction, topic_id: UUID, *, limit: int) -> list[Statement]:
    """Statements whose counts changed since they were told, the longest untold first, locked (in
    the order of ids): a mark that comes meanwhile waits and makes them untold again."""
    longest = (
        select(Statement.id)
        .where(Statement.topic_id == topic_id, col(Statement.untold_since).is_not(None))
        .order_by(col(Statement.untold_since), col(Statement.id))
        .limit(limit)
    )
    rows = await tx.session.exec(
        select(Statement)
        .where(col(Statement.id).in_(longest))
        .order_by(col(Statement.id))
        .with_for_update()
    )
    return list(rows)
