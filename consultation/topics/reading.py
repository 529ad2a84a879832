"""SQL for readers: the lists of topics, as cards.

Every function costs a fixed number of statements. Lists go by key, newest first or what is due
first; ``after`` is the key of the last row that the reader has, and one row more than ``limit`` is
returned when there is one.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, case, literal_column
from sqlalchemy.orm import aliased
from sqlmodel import and_, col, exists, func, literal, or_, select, tuple_

from consultation.columns import UtcDateTime
from consultation.community.queries import CommunityAt, read_community
from consultation.community.tables import Node, NodeKind
from consultation.database import Transaction
from consultation.deliberation.tables import Thread
from consultation.paging import TimeKey
from consultation.polls.rules import PollState
from consultation.polls.tables import Poll
from consultation.topics.queries import is_staff
from consultation.topics.rules import GROUPS
from consultation.topics.states import Category, Layer, State, StateGroup, Track
from consultation.topics.tables import CoSignature, Follow, Topic

Building = aliased(Node)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    group: StateGroup | None = None
    category: Category | None = None
    layer: Layer | None = None
    track: Track | None = None
    overdue: bool | None = None


@dataclass(frozen=True, slots=True)
class Card:
    topic: Topic
    place: str  # the name of the scope node
    posts: int  # in all threads, hidden ones included
    poll: Poll | None = None  # the vote of the present round, from its announcement to its result


@dataclass(frozen=True, slots=True)
class Board:
    """A page of a community's topics, and the community as it stood when they were read."""

    place: CommunityAt
    cards: list[Card]


def place_name() -> Any:
    """The name of the node, an entrance with its building: there is a 2单元 in every one."""
    building = (
        select(Building.name).where(Building.id == Node.parent_id).correlate(Node).scalar_subquery()
    )
    entrance = func.coalesce(building, "") + col(Node.name)
    return case((col(Node.kind) == NodeKind.ENTRANCE, entrance), else_=col(Node.name))


def poll_now() -> Any:
    """The poll of the present round that people can still prepare for, cast in or wait for."""
    return and_(
        col(Poll.topic_id) == col(Topic.id),
        col(Poll.round) == col(Topic.round),
        literal_column("poll.state") != literal_column("'voided'"),  # as the index has it
        col(Poll.state).in_((PollState.ANNOUNCED, PollState.OPEN, PollState.CLOSED)),
    )


def count_posts() -> Any:
    """A sum of the counters that threads keep: it costs the same for ten posts and a million."""
    return (
        select(func.coalesce(func.sum(Thread.posts), 0))
        .where(Thread.topic_id == Topic.id)
        .correlate(Topic)
        .scalar_subquery()
    )


async def list_topics(
    tx: Transaction, community_id: UUID, *, wanted: Filter, after: TimeKey | None, limit: int
) -> Board:
    """The topics of a community, newest first: the public ones, for residents also what gathers
    co-signers, for staff all but drafts. Two statements."""
    place = await read_community(tx, community_id)
    standing = tx.standing
    visible: list[Any] = [col(Topic.was_public).is_(True)]
    if is_staff(standing):
        visible.append(col(Topic.state) != State.DRAFT)
    elif standing.level >= 2:
        gathering = and_(col(Topic.state) == State.SUBMITTED, col(Topic.open_to_cosign).is_(True))
        visible.append(gathering)
    conditions: list[Any] = [col(Topic.community_id) == community_id, or_(*visible)]
    if wanted.group is not None:
        conditions.append(col(Topic.state).in_(GROUPS[wanted.group]))
    for column, value in (
        (Topic.category, wanted.category),
        (Topic.layer, wanted.layer),
        (Topic.track, wanted.track),
    ):
        if value is not None:
            conditions.append(col(column) == value)
    if wanted.overdue is not None:
        late = col(Topic.overdue_since)
        conditions.append(late.is_not(None) if wanted.overdue else late.is_(None))
    return Board(place, await _cards(tx, conditions, after=after, limit=limit))


class Relation(StrEnum):
    """How a topic is mine."""

    RAISED = "raised"  # also written down by me for somebody
    COSIGNED = "cosigned"
    FOLLOWED = "followed"


async def my_topics(
    tx: Transaction, *, relation: Relation, after: TimeKey | None, limit: int
) -> list[Card]:
    """Newest first. One statement."""
    me = tx.person_id
    of = {
        Relation.RAISED: or_(col(Topic.author_id) == me, col(Topic.entered_by_id) == me),
        Relation.COSIGNED: exists().where(
            col(CoSignature.topic_id) == col(Topic.id), col(CoSignature.person_id) == me
        ),
        Relation.FOLLOWED: and_(
            exists().where(
                col(Follow.topic_id) == col(Topic.id),
                col(Follow.person_id) == me,
                col(Follow.ended).is_(False),
            ),
            col(Topic.was_public).is_(True),
        ),
    }
    return await _cards(tx, [of[relation]], after=after, limit=limit)


async def _cards(
    tx: Transaction, conditions: list[Any], *, after: TimeKey | None, limit: int
) -> list[Card]:
    if after is not None:
        conditions.append(tuple_(col(Topic.created_at), col(Topic.id)) < time_key(after))
    rows = await tx.session.exec(
        select(Topic, place_name(), count_posts(), Poll)
        .join(Node, col(Node.id) == col(Topic.node_id))
        .outerjoin(Poll, poll_now())
        .where(*conditions)
        .order_by(col(Topic.created_at).desc(), col(Topic.id).desc())
        .limit(limit + 1)
    )
    return [Card(topic, place, posts, poll) for topic, place, posts, poll in rows]


def time_key(after: TimeKey) -> Any:
    at, id = after
    return tuple_(literal(at, UtcDateTime()), literal(id, Uuid()))
