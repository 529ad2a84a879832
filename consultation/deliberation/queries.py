"""The one place for SQL on deliberation. ``access_*`` are the only roads to a row."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy.orm import aliased
from sqlmodel import and_, col, func, or_, select

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
from consultation.deliberation.tables import Post, PostVersion, Statement, Thread
from consultation.paging import TimeKey, comes_after
from consultation.permissions import Deed, grant_of
from consultation.refusals import NotFound
from consultation.topics.queries import access_topic
from consultation.topics.tables import Topic

After = TimeKey | None


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
        select(  # type: ignore[call-overload]  # typed up to four
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
        query = query.where(comes_after(after, Thread.created_at, Thread.id))
    rows = await tx.session.exec(
        query.order_by(col(Thread.created_at), col(Thread.id)).limit(limit)
    )
    return list(rows)


async def posts_of(tx: Transaction, thread_id: UUID, *, after: After, limit: int) -> list[Post]:
    """Posts of a thread, replies among them, in the order they came: never ranked."""
    query = select(Post).where(Post.thread_id == thread_id)
    if after is not None:
        query = query.where(comes_after(after, Post.created_at, Post.id))
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
        query = query.where(comes_after(after, Post.created_at, Post.id))
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
