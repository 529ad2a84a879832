"""SQL for those who serve: what waits for the role or the office that they act for."""

from dataclasses import dataclass
from typing import Any

from sqlmodel import and_, col, exists, func, or_, select, tuple_

from consultation.community.queries import current_assignment
from consultation.community.tables import Node, Organisation, RoleAssignment
from consultation.database import Transaction
from consultation.permissions import Deed, Role
from consultation.refusals import NotPermitted
from consultation.topics.bodies import APPEAL_BODIES
from consultation.topics.reading import Card, TimeKey, count_posts, place_name, time_key
from consultation.topics.rules import duty_states
from consultation.topics.states import RequestState, State, Track
from consultation.topics.tables import ParticipantRequest, Rejection, Topic, Transfer
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
    """A topic that waits for the actor's role. ``rejection_proposed``: by whom else may confirm;
    ``open_requests``: residents who ask to be added."""

    card: Card
    rejection_proposed: bool
    open_requests: int


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
    rows = await tx.session.exec(
        select(Topic, place_name(), count_posts(), proposed, asked)  # type: ignore[call-overload]
        .join(Node, col(Node.id) == col(Topic.node_id))
        .where(*conditions)
        .order_by(col(Topic.due_at), col(Topic.id))
        .limit(limit + 1)
    )
    return [Duty(Card(topic, place, n), bool(p), a) for topic, place, n, p, a in rows]


async def _acting_role(tx: Transaction) -> RoleAssignment:
    if tx.actor.assignment_id is None:
        raise NotPermitted(deed=Deed.READ_PROCESS.value, role=Role.VISITOR.value)
    return await current_assignment(tx)
