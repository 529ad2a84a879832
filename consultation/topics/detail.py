"""SQL for readers: one topic with everything that its page shows."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import case
from sqlalchemy import select as sa_select
from sqlalchemy.orm import aliased
from sqlmodel import and_, col, exists, false, select

from consultation.community.tables import Node, Organisation, Person, RoleAssignment
from consultation.database import Transaction
from consultation.events.streams import topic_stream
from consultation.journal import Head, head_columns, head_of
from consultation.permissions import Deed, Role
from consultation.polls.tables import Poll
from consultation.topics.queries import access_topic_row, is_author, is_staff
from consultation.topics.reading import place_name, poll_now
from consultation.topics.states import State
from consultation.topics.tables import CoSignature, Follow, Rejection, Topic, TopicPlan, Transfer

Convener, Commissioner, Receiver = (aliased(Organisation) for _ in range(3))
Target = aliased(Topic)


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
