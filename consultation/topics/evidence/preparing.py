"""What the gates before the deliberation look at, and the meetings that were held."""

from typing import Any

from sqlmodel import col, func, or_, select

from consultation.database import Transaction
from consultation.meetings.rules import Form, MeetingState
from consultation.meetings.tables import Meeting, MeetingGroup
from consultation.topics.facts import MeetingFacts, PlanFacts
from consultation.topics.gates.gate import GateNotMet
from consultation.topics.states import DocumentKind, RequestState
from consultation.topics.tables import (
    Document,
    InterestDeclaration,
    ParticipantRequest,
    Topic,
    TopicPlan,
)


async def plan_facts(tx: Transaction, topic: Topic) -> PlanFacts | None:
    row = await tx.session.get(TopicPlan, (topic.id, topic.round))
    if row is None:
        raise GateNotMet(gate="plan_complete", missing=["plan"])
    named = set(row.plan.host_ids) | set(row.plan.teller_ids)
    declarations = await tx.session.exec(
        select(InterestDeclaration.person_id, InterestDeclaration.has_interest).where(
            InterestDeclaration.topic_id == topic.id, col(InterestDeclaration.person_id).in_(named)
        )
    )
    declared = dict(declarations.all())
    interested = {person for person, interest in declared.items() if interest}
    interested |= named & {topic.author_id}

    def documents(kind: DocumentKind) -> Any:
        return (
            select(func.count())
            .select_from(Document)
            .where(
                Document.topic_id == topic.id, Document.kind == kind, Document.round == topic.round
            )
            .scalar_subquery()
        )

    requests = (
        select(func.count())
        .select_from(ParticipantRequest)
        .where(
            ParticipantRequest.topic_id == topic.id,
            ParticipantRequest.round == topic.round,
            ParticipantRequest.state == RequestState.ASKED,
        )
        .scalar_subquery()
    )
    counts = (
        await tx.session.exec(
            select(
                documents(DocumentKind.MATERIAL), documents(DocumentKind.EXPERT_OPINION), requests
            )
        )
    ).one()
    return PlanFacts(
        plan=row.plan,
        prepared_by=row.prepared_by_id,
        legality_ok=row.legality_ok,
        undeclared=len(named - declared.keys()),
        interested=len(interested),
        open_requests=counts[2],
        materials=counts[0],
        expert_opinions=counts[1],
        frozen_at=row.frozen_at,
        notice_until=row.notice_until,
    )


async def meetings_facts(tx: Transaction, topic: Topic) -> MeetingFacts:
    rows = await tx.session.exec(
        select(Meeting.form, Meeting.state).where(
            Meeting.topic_id == topic.id,
            Meeting.round == topic.round,
            Meeting.state != MeetingState.CANCELLED,
        )
    )
    meetings = list(rows)
    groups = await tx.session.exec(
        select(MeetingGroup.name)
        .join(Meeting, col(Meeting.id) == col(MeetingGroup.meeting_id))
        .where(
            Meeting.topic_id == topic.id,
            Meeting.round == topic.round,
            or_(col(MeetingGroup.present) > 0, col(MeetingGroup.absence_note).is_not(None)),
        )
    )
    begun = (
        MeetingState.OPEN,
        MeetingState.CLOSED,
        MeetingState.MINUTES_DRAFT,
        MeetingState.MINUTES_CONFIRMED,
    )
    return MeetingFacts(
        held_forms=frozenset(
            Form(form).value for form, state in meetings if state is MeetingState.PUBLISHED
        ),
        unconfirmed=sum(state in begun for _, state in meetings),
        heard_groups=frozenset(groups),
    )
