"""The one place for SQL on deliberation. ``access_*`` are the only roads to a row."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, tuple_, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import aliased
from sqlmodel import and_, col, func, or_, select

from consultation.community.queries import residence_role
from consultation.community.tables import (
    Household,
    Node,
    Person,
    PropertyUnit,
    Residence,
    ResidenceKind,
)
from consultation.database import Transaction
from consultation.deliberation import rules
from consultation.deliberation.rules import StatementState
from consultation.deliberation.tables import Post, PostVersion, Statement, StatementMark, Thread
from consultation.permissions import Deed, Role, grant_of
from consultation.refusals import NotFound
from consultation.topics.queries import access_topic
from consultation.topics.states import State
from consultation.topics.tables import Topic

After = tuple[datetime, UUID] | None


async def access_thread(
    tx: Transaction, thread_id: UUID, deed: Deed, *, lock: bool = False
) -> tuple[Thread, Topic]:
    """The thread and its topic. ``lock`` keeps other posts off the thread."""
    statement = select(Thread).where(Thread.id == thread_id)
    thread = (await tx.session.exec(statement.with_for_update() if lock else statement)).first()
    if thread is None:
        raise NotFound(what="thread")
    return thread, await access_topic(tx, thread.topic_id, deed)


async def access_post(
    tx: Transaction, post_id: UUID, deed: Deed, *, lock: bool = False
) -> tuple[Post, Topic]:
    """The post and its topic; a hidden post is found too, its text is not for everybody."""
    statement = select(Post).where(Post.id == post_id)
    post = (await tx.session.exec(statement.with_for_update() if lock else statement)).first()
    if post is None:
        raise NotFound(what="post")
    return post, await access_topic(tx, post.topic_id, deed)


async def access_statement(
    tx: Transaction, statement_id: UUID, deed: Deed, *, lock: bool = False
) -> tuple[Statement, Topic]:
    """The statement and its topic."""
    query = select(Statement).where(Statement.id == statement_id)
    found = (await tx.session.exec(query.with_for_update() if lock else query)).first()
    if found is None:
        raise NotFound(what="statement")
    return found, await access_topic(tx, found.topic_id, deed)


# ---- who speaks ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Speaker:
    """A person as neighbours see them here. ``recent`` counts posts on the topic within the rate
    window; ``level``, ``kind`` and ``grid_id`` are those of the residence here, if any."""

    person: Person
    building: str | None
    level: int
    kind: ResidenceKind | None
    grid_id: UUID | None
    recent: int

    @property
    def masked(self) -> str:
        """3幢 王*"""
        return " ".join(part for part in (self.building, self.person.masked_name) if part)

    @property
    def born_on(self) -> date | None:
        return self.person.born_on


async def speaker(tx: Transaction, person_id: UUID, topic: Topic) -> Speaker:
    """Everything a post needs to know about its author, in one statement."""
    entrance, building = aliased(Node), aliased(Node)
    grid_id = func.coalesce(Residence.grid_id, Household.grid_id)
    recent = (
        select(func.count())
        .select_from(Post)
        .where(
            Post.author_id == person_id,
            Post.topic_id == topic.id,
            col(Post.created_at) > tx.now - rules.RATE_WINDOW,
        )
        .scalar_subquery()
    )
    rows = await tx.session.exec(
        select(  # type: ignore[call-overload]
            Person, building.name, Residence.level, Residence.kind, grid_id, recent
        )
        .outerjoin(
            Residence,
            and_(
                col(Residence.person_id) == col(Person.id),
                col(Residence.community_id) == topic.community_id,
            ),
        )
        .outerjoin(Household, col(Household.id) == col(Residence.household_id))
        .outerjoin(
            PropertyUnit,
            col(PropertyUnit.id) == func.coalesce(Residence.unit_id, Household.unit_id),
        )
        .outerjoin(entrance, col(entrance.id) == col(PropertyUnit.entrance_id))
        .outerjoin(building, col(building.id) == col(entrance.parent_id))
        .where(Person.id == person_id)
    )
    row = rows.first()
    if row is None:
        raise NotFound(what="person")
    person, building_name, level, kind, grid, count = row
    return Speaker(person, building_name, level or 0, kind, grid, count)


async def locked_post(tx: Transaction, post_id: UUID) -> Post:
    """The post as it stands now that its thread is locked."""
    rows = await tx.session.exec(
        select(Post).where(Post.id == post_id).execution_options(populate_existing=True)
    )
    return rows.one()


# ---- threads and posts --------------------------------------------------------------------


async def threads_of(tx: Transaction, topic_id: UUID, *, after: After, limit: int) -> list[Thread]:
    """Threads of a topic, oldest first."""
    query = select(Thread).where(Thread.topic_id == topic_id)
    if after is not None:
        at, id = after
        query = query.where(
            or_(col(Thread.created_at) > at, and_(Thread.created_at == at, col(Thread.id) > id))
        )
    rows = await tx.session.exec(
        query.order_by(col(Thread.created_at), col(Thread.id)).limit(limit)
    )
    return list(rows)


async def posts_of(tx: Transaction, thread_id: UUID, *, after: After, limit: int) -> list[Post]:
    """Posts of a thread, replies among them, in the order they came: never ranked."""
    query = select(Post).where(Post.thread_id == thread_id)
    if after is not None:
        at, id = after
        query = query.where(
            or_(col(Post.created_at) > at, and_(Post.created_at == at, col(Post.id) > id))
        )
    rows = await tx.session.exec(query.order_by(col(Post.created_at), col(Post.id)).limit(limit))
    return list(rows)


async def hidden_posts_of(
    tx: Transaction, topic_id: UUID, *, appealed: bool, after: After, limit: int
) -> list[Post]:
    """Posts of a topic that were ever hidden; ``appealed``: only those whose appeal waits."""
    query = select(Post).where(Post.topic_id == topic_id, col(Post.hidden_at).is_not(None))
    if appealed:
        query = query.where(
            col(Post.appealed_at).is_not(None), col(Post.appeal_decided_at).is_(None)
        )
    if after is not None:
        at, id = after
        query = query.where(
            or_(col(Post.created_at) > at, and_(Post.created_at == at, col(Post.id) > id))
        )
    rows = await tx.session.exec(query.order_by(col(Post.created_at), col(Post.id)).limit(limit))
    return list(rows)


async def versions_of(tx: Transaction, post_id: UUID) -> list[PostVersion]:
    rows = await tx.session.exec(
        select(PostVersion)
        .where(PostVersion.post_id == post_id)
        .order_by(col(PostVersion.version))
        .limit(100)
    )
    return list(rows)


# ---- statements ---------------------------------------------------------------------------


async def next_statement_number(tx: Transaction, topic_id: UUID) -> int:
    """The topic must be locked."""
    rows = await tx.session.exec(
        select(func.coalesce(func.max(Statement.number), 0) + 1).where(
            Statement.topic_id == topic_id
        )
    )
    return rows.one()


async def statements_of(
    tx: Transaction, topic_id: UUID, *, state: StatementState | None, after: int | None, limit: int
) -> list[Statement]:
    """Statements by number. Rejected ones are seen by moderators, and each by its author."""
    query = select(Statement).where(Statement.topic_id == topic_id)
    if state is not None:
        query = query.where(Statement.state == state)
    if not may_moderate(tx):
        standing = or_(
            col(Statement.state) != StatementState.REJECTED,
            col(Statement.author_id) == tx.actor.person_id,
        )
        query = query.where(standing)
    if after is not None:
        query = query.where(col(Statement.number) > after)
    return list(await tx.session.exec(query.order_by(col(Statement.number)).limit(limit)))


def may_moderate(tx: Transaction) -> bool:
    return any(grant_of(deed, tx.standing.role) for deed in (Deed.MODERATE, Deed.REVIEW_MODERATION))


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


# ---- marks --------------------------------------------------------------------------------


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
        select(  # type: ignore[call-overload]
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
        select(  # type: ignore[call-overload]
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


async def insert_marks(
    tx: Transaction, marks: Sequence[Mapping[str, Any]]
) -> set[tuple[UUID, UUID]]:
    """Insert those that are a person's first on the statement; which ones, says the primary
    key."""
    if not marks:
        return set()
    insert = sqlite_insert if tx.session.get_bind().dialect.name == "sqlite" else pg_insert
    table = StatementMark.__table__  # type: ignore[attr-defined]
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
    table = Statement.__table__  # type: ignore[attr-defined]
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
        select(  # type: ignore[call-overload]
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
