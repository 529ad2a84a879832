"""SQL for those who serve: what waits for the role or the office that they act for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import and_, col, exists, func, or_, select, tuple_

from consultation.community.queries import current_assignment
from consultation.community.tables import Node, Organisation, RoleAssignment
from consultation.database import Transaction
from consultation.meetings.rules import MeetingState
from consultation.meetings.tables import Meeting
from consultation.outcomes.tables import AdoptionReply, BoardPosting, OutcomeItem, Task
from consultation.permissions import Deed, Role, grant_of
from consultation.refusals import NotPermitted
from consultation.topics.bodies import APPEAL_BODIES
from consultation.topics.next_acts import NextAct, Waits, next_act
from consultation.topics.reading import Card, TimeKey, count_posts, place_name, time_key
from consultation.topics.rules import duty_states
from consultation.topics.states import DocumentKind, RequestState, State, Track, TransferState
from consultation.topics.tables import (
    Document,
    ParticipantRequest,
    Rejection,
    Topic,
    TopicPlan,
    Transfer,
)
from consultation.topics.transfers import PENDING


async def received_transfers(
    tx: Transaction, *, pending: bool, after: TimeKey | None, limit: int
) -> list[tuple[Transfer, Topic]]:
    """What came to the office the actor speaks for, what is due first on top. Two statements."""
    assignment = await _acting_role(tx)
    if assignment.role is not Role.GOVERNMENT:
        return []
    state = col(Transfer.state)
    conditions: list[Any] = [
        col(Transfer.receiver_org_id) == assignment.org_id,
        state.in_(PENDING) if pending else state.not_in(PENDING),
    ]
    if after is not None:
        conditions.append(tuple_(col(Transfer.due_at), col(Transfer.id)) > time_key(after))
    rows = await tx.session.exec(
        select(Transfer, Topic)
        .join(Topic, col(Topic.id) == col(Transfer.topic_id))
        .where(*conditions)
        .order_by(col(Transfer.due_at), col(Transfer.id))
        .limit(limit + 1)
    )
    return list(rows)


@dataclass(frozen=True, slots=True)
class Duty:
    """A topic that waits for the actor's role, and what they do next about it.
    ``rejection_proposed``: by whom else may confirm; ``open_requests``: residents who ask to be
    added."""

    card: Card
    rejection_proposed: bool
    open_requests: int
    next: NextAct


async def worklist(tx: Transaction, *, after: TimeKey | None, limit: int) -> list[Duty]:
    """What waits for the role the actor acts under, below its node, what is due first on top:
    nothing that waits for others. Two statements."""
    assignment = await _acting_role(tx)
    conditions: list[Any] = [
        col(Topic.due_at).is_not(None),
        col(Topic.state).in_(duty_states(assignment.role)),
        col(Topic.node_path).startswith(assignment.node_path, autoescape=True),
    ]
    if assignment.role is Role.GOVERNMENT:
        office = select(Organisation.kind).where(Organisation.id == assignment.org_id)
        conditions.append(
            or_(
                col(Topic.commissioning_org_id) == assignment.org_id,
                and_(
                    col(Topic.state) == State.REJECTED, office.scalar_subquery().in_(APPEAL_BODIES)
                ),
            )
        )
    elif assignment.role is not Role.SUPERVISOR:
        conditions.append(
            or_(col(Topic.state) != State.ADOPTION_PENDING, col(Topic.track) != Track.COMMISSIONED)
        )
    conditions.append(or_(col(Topic.state) != State.TRANSFERRED, _ours(tx, assignment.role)))
    if after is not None:
        conditions.append(tuple_(col(Topic.due_at), col(Topic.id)) > time_key(after))
    proposed = exists().where(
        col(Rejection.topic_id) == col(Topic.id),
        col(Rejection.confirmed_at).is_(None),
        col(Rejection.proposed_at) >= col(Topic.state_since),
    )
    asked = (
        select(func.count())
        .select_from(ParticipantRequest)
        .where(
            ParticipantRequest.topic_id == Topic.id,
            ParticipantRequest.round == Topic.round,
            ParticipantRequest.state == RequestState.ASKED,
        )
        .correlate(Topic)
        .scalar_subquery()
    )
    by_another = proposed.where(col(Rejection.proposed_by_id) != tx.person_id)
    rows = await tx.session.exec(
        select(
            Topic,
            place_name(),
            count_posts(),
            proposed,
            asked,
            TopicPlan,
            by_another.label("by_another"),
            _last_transfer(),
            *_progress(),
        )  # type: ignore[call-overload]
        .join(Node, col(Node.id) == col(Topic.node_id))
        .outerjoin(TopicPlan, _in_round(TopicPlan))
        .where(*conditions)
        .order_by(col(Topic.due_at), col(Topic.id))
        .limit(limit + 1)
    )
    found = []
    for topic, place, posts, rejection, requests, plan, other, transfer, *progress in rows:
        convened, unanswered, tasks, published, posted = map(bool, progress)
        waits = Waits(
            rejection_proposed=bool(other),
            transfer=None if transfer is None else TransferState(transfer),
            open_requests=requests,
            planned=plan is not None,
            planned_by_other=plan is not None and plan.prepared_by_id != tx.person_id,
            lawful=None if plan is None else plan.legality_ok,
            sitting_due=plan is not None and plan.plan.asks_for_sitting and not convened,
            items_unanswered=unanswered,
            tasks_planned=tasks,
            notice_published=published,
            notice_on_board=posted,
        )
        act = next_act(topic.state, assignment.role, waits)
        assert act is not None, "the conditions leave out what waits for others"
        found.append(Duty(Card(topic, place, posts), bool(rejection), requests, act))
    return found


def _in_round(table: Any) -> Any:
    return and_(col(table.topic_id) == col(Topic.id), col(table.round) == col(Topic.round))


def _last_transfer() -> Any:
    """Where the topic's last transfer stands."""
    return (
        select(Transfer.state)
        .where(Transfer.topic_id == Topic.id)
        .order_by(col(Transfer.sent_at).desc(), col(Transfer.id).desc())
        .limit(1)
        .correlate(Topic)
        .scalar_subquery()
    )


def _ours(tx: Transaction, role: Role) -> Any:
    """The community has the next word on a transferred topic: the answer is to be relayed, the
    matter to be sent elsewhere, or the office has nobody here to answer for it."""
    staffed = exists().where(
        col(Transfer.topic_id) == col(Topic.id),
        col(Transfer.state).in_(PENDING),
        col(RoleAssignment.org_id) == col(Transfer.receiver_org_id),
        col(RoleAssignment.role) == Role.GOVERNMENT,
        col(RoleAssignment.valid_from) <= tx.now,
        or_(col(RoleAssignment.valid_to).is_(None), col(RoleAssignment.valid_to) > tx.now),
    )
    ours = [TransferState.ANSWERED]
    if grant_of(Deed.ACCEPT, role) is not None:
        ours.append(TransferState.RETURNED)
    last = _last_transfer()
    return or_(last.in_(ours), and_(last.in_(PENDING), ~staffed))


def _progress() -> Sequence[Any]:
    """Of the present round: a meeting is convened, an outcome item is unanswered, a task is
    planned, the feedback notice is published, it hangs on the board."""
    notice = and_(
        _in_round(Document),
        col(Document.kind) == DocumentKind.FEEDBACK_NOTICE,
        col(Document.public).is_(True),
    )
    answered = exists().where(col(AdoptionReply.item_id) == col(OutcomeItem.id))
    told = {
        "convened": (_in_round(Meeting), col(Meeting.state) != MeetingState.CANCELLED),
        "unanswered": (_in_round(OutcomeItem), ~answered),
        "tasks": (_in_round(Task), col(Task.is_rectification).is_(False)),
        "published": (notice,),
        "posted": (notice, col(BoardPosting.document_id) == col(Document.id)),
    }
    return [exists().where(*holds).label(name) for name, holds in told.items()]


async def _acting_role(tx: Transaction) -> RoleAssignment:
    if tx.actor.assignment_id is None:
        raise NotPermitted(deed=Deed.READ_PROCESS.value, role=Role.VISITOR.value)
    return await current_assignment(tx)
