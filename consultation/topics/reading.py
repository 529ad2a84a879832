"""SQL for readers: lists, one topic with all its names, its timeline and file, what waits for whom.

Every function costs a fixed number of statements. Lists go by key, newest first or what is due
first; ``after`` is the key of the last row that the reader has, and one row more than ``limit`` is
returned when there is one.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, case, literal_column
from sqlalchemy import select as sa_select
from sqlalchemy.orm import aliased
from sqlmodel import and_, col, exists, false, func, literal, or_, select, tuple_

from consultation.columns import UtcDateTime
from consultation.community.queries import CommunityAt, read_community
from consultation.community.tables import Node, NodeKind, Organisation, Person, RoleAssignment
from consultation.database import Transaction
from consultation.deliberation.tables import Thread
from consultation.events.streams import topic_stream
from consultation.journal import Head, head_columns, head_of
from consultation.permissions import Deed, Role
from consultation.polls.rules import PollState
from consultation.polls.tables import Poll
from consultation.refusals import NotFound
from consultation.topics.planning import TO_AUTHOR
from consultation.topics.queries import access_topic, access_topic_row, is_author, is_staff
from consultation.topics.rules import GROUPS
from consultation.topics.states import Category, Layer, Publication, State, StateGroup, Track
from consultation.topics.tables import (
    CoSignature,
    Document,
    Follow,
    ParticipantRequest,
    Rejection,
    Topic,
    TopicPlan,
    TopicTransition,
    Transfer,
)
from consultation.topics.transitions import NEXT

Convener, Commissioner, Receiver = (aliased(Organisation) for _ in range(3))
Target = aliased(Topic)
Building = aliased(Node)

TimeKey = tuple[datetime, UUID]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One topic with everything a reader's page needs. ``in_full`` is false for the public summary
    of a matter that was transferred without having been accepted."""

    topic: Topic
    place: str
    author: str  # masked; of a matter that an office brings, the office
    assisted: bool  # 代录
    convener: str | None
    commissioner: str | None
    merged_into: tuple[UUID, str, str] | None  # id, number, title
    notice_until: datetime | None
    cosigned: bool
    following: bool
    by_author: bool
    staff: bool
    role: Role
    in_full: bool
    transfer: Transfer | None
    receiver: str | None
    rejection: Rejection | None
    poll: Poll | None  # as on the card
    head: Head | None  # how far the topic's stream had come


async def topic_detail(tx: Transaction, topic_id: UUID) -> Detail:
    """One statement for a visitor, two for people who are logged in; one more for the few who see
    what is not public."""
    me = tx.actor.person_id

    def mine(table: Any, *more: Any) -> Any:
        if me is None:
            return false()
        return exists().where(col(table.topic_id) == topic_id, col(table.person_id) == me, *more)

    def last(table: Any, at: Any) -> Any:
        return (
            select(table.id)
            .where(col(table.topic_id) == topic_id)
            .order_by(col(at).desc(), col(table.id).desc())
            .limit(1)
            .scalar_subquery()
        )

    state = col(Topic.state)
    by_office = exists().where(
        col(RoleAssignment.person_id) == col(Topic.author_id),
        col(RoleAssignment.role) == Role.GOVERNMENT,
        col(RoleAssignment.org_id) == col(Topic.commissioning_org_id),
    )
    whole: Any = (
        sa_select(
            Topic,
            place_name(),
            case((by_office, col(Commissioner.name)), else_=col(Person.masked_name)),
            col(Convener.name),
            col(Commissioner.name),
            col(Target.id),
            col(Target.number),
            col(Target.title),
            col(TopicPlan.notice_until),
            mine(CoSignature),
            mine(Follow, col(Follow.ended).is_(False)),
            Transfer,
            col(Receiver.name),
            Rejection,
            Poll,
            *head_columns(topic_stream(topic_id)),
        )
        .select_from(Topic)
        .join(Node, col(Node.id) == col(Topic.node_id))
        .join(Person, col(Person.id) == col(Topic.author_id))
        .outerjoin(Convener, col(Convener.id) == col(Topic.convener_org_id))
        .outerjoin(Commissioner, col(Commissioner.id) == col(Topic.commissioning_org_id))
        .outerjoin(Target, col(Target.id) == col(Topic.merged_into_id))
        .outerjoin(
            TopicPlan,
            and_(
                col(TopicPlan.topic_id) == col(Topic.id), col(TopicPlan.round) == col(Topic.round)
            ),
        )
        .outerjoin(
            Transfer,
            and_(state == State.TRANSFERRED, col(Transfer.id) == last(Transfer, Transfer.sent_at)),
        )
        .outerjoin(Receiver, col(Receiver.id) == col(Transfer.receiver_org_id))
        .outerjoin(  # the rejection that a topic before or after screening stands under
            Rejection,
            and_(
                state.in_((State.SUBMITTED, State.REJECTED)),
                col(Rejection.id) == last(Rejection, Rejection.proposed_at),
            ),
        )
        .outerjoin(Poll, poll_now())
        .where(col(Topic.id) == topic_id)
    )
    topic, *names, transfer, receiver, rejection, poll, epoch, seq = await access_topic_row(
        tx, whole, Deed.READ_PUBLIC
    )
    standing = tx.standing
    by_author, staff = is_author(topic, tx), is_staff(standing)
    accepted_once = topic.convener_org_id is not None
    received = transfer is not None and transfer.receiver_org_id == standing.org_id
    return Detail(
        topic=topic,
        place=names[0],
        author=names[1],
        assisted=topic.entered_by_id is not None,
        convener=names[2],
        commissioner=names[3],
        merged_into=None if names[4] is None else (names[4], names[5], names[6]),
        notice_until=names[7],
        cosigned=bool(names[8]),
        following=bool(names[9]),
        by_author=by_author,
        staff=staff,
        role=standing.role,
        in_full=by_author
        or staff
        or received
        or accepted_once
        or topic.state is not State.TRANSFERRED,
        transfer=transfer,
        receiver=receiver,
        rejection=rejection if by_author or staff else None,
        poll=poll,
        head=head_of(epoch, seq),
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """One step, who took it (masked), for which organisation, and the documents it brought that
    the reader may read."""

    step: TopicTransition
    actor: str | None
    org: str | None
    documents: list[Document]
    open: bool  # whether the reader may read its reason


async def timeline(
    tx: Transaction, topic_id: UUID, *, after: int | None, limit: int
) -> list[Entry]:
    """The steps of a topic from the first on. Four statements."""
    topic = await access_topic(tx, topic_id, Deed.READ_PUBLIC)
    inside = is_author(topic, tx) or is_staff(tx.standing)
    rows = (
        await tx.session.exec(
            select(TopicTransition, Person.masked_name, Organisation.name)
            .outerjoin(Person, col(Person.id) == col(TopicTransition.actor_id))
            .outerjoin(Organisation, col(Organisation.id) == col(TopicTransition.org_id))
            .where(TopicTransition.topic_id == topic.id, col(TopicTransition.number) > (after or 0))
            .order_by(col(TopicTransition.number))
            .limit(limit + 1)
        )
    ).all()
    wanted = [id for step, _, _ in rows for id in step.document_ids]
    found = await tx.session.exec(
        select(Document).where(col(Document.id).in_(wanted), _readable(tx, topic))
    )
    documents = {document.id: document for document in found}
    return [
        Entry(
            step,
            actor,
            org,
            [documents[id] for id in step.document_ids if id in documents],
            inside or NEXT[step.from_state, step.act].published_to is Publication.EVERYBODY,
        )
        for step, actor, org in rows
    ]


async def list_documents(
    tx: Transaction, topic_id: UUID, *, after: TimeKey | None, limit: int
) -> list[Document]:
    """The file of a topic, newest first, all versions. Three statements."""
    topic = await access_topic(tx, topic_id, Deed.READ_PUBLIC)
    conditions = [col(Document.topic_id) == topic.id, _readable(tx, topic)]
    if after is not None:
        conditions.append(tuple_(col(Document.created_at), col(Document.id)) < time_key(after))
    rows = await tx.session.exec(
        select(Document)
        .where(*conditions)
        .order_by(col(Document.created_at).desc(), col(Document.id).desc())
        .limit(limit + 1)
    )
    return list(rows)


def _readable(tx: Transaction, topic: Topic) -> Any:
    """As ``queries.may_read`` says, for the database."""
    if is_staff(tx.standing):
        return col(Document.id).is_not(None)
    readable: list[Any] = [col(Document.public).is_(True)]
    if tx.actor.person_id is not None:
        readable.append(col(Document.author_id) == tx.actor.person_id)
    if is_author(topic, tx):
        readable.append(col(Document.kind).in_(TO_AUTHOR))
    return or_(*readable)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    topic: Topic
    row: TopicPlan
    names: dict[UUID, str]  # masked, of hosts and tellers
    staff: bool


async def topic_plan(tx: Transaction, topic_id: UUID, *, round: int | None) -> PlanView:
    """The plan of a round: frozen for everybody, while it is made for verified residents, who may
    ask to be added (domain 3.1). Four statements."""
    topic = await access_topic(tx, topic_id, Deed.READ_PUBLIC)
    row = await tx.session.get(TopicPlan, (topic.id, round or topic.round))
    if row is None or (row.frozen_at is None and tx.standing.level < 2):
        raise NotFound(what="plan")
    named = {*row.plan.host_ids, *row.plan.teller_ids}
    people = await tx.session.exec(
        select(Person.id, Person.masked_name).where(col(Person.id).in_(named))
    )
    return PlanView(topic=topic, row=row, names=dict(people.all()), staff=is_staff(tx.standing))


async def participant_requests(
    tx: Transaction, topic_id: UUID
) -> list[tuple[ParticipantRequest, str]]:
    """Who asked to be added in this round, masked: for those who prepare. Three statements."""
    topic = await access_topic(tx, topic_id, Deed.PREPARE)
    rows = await tx.session.exec(
        select(ParticipantRequest, Person.masked_name)
        .join(Person, col(Person.id) == col(ParticipantRequest.person_id))
        .where(ParticipantRequest.topic_id == topic.id, ParticipantRequest.round == topic.round)
        .order_by(col(ParticipantRequest.at), col(ParticipantRequest.id))
        .limit(200)
    )
    return list(rows)
