"""Loads what the gates look at, group by group, only what a transition needs.

Each group costs one or two statements, independent of how many people, posts or ballots there
are: numbers that grow are counted by the database or kept on the row.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import and_, col, exists, func, or_, select

from consultation.community.tables import Organisation, OrgKind
from consultation.database import Transaction
from consultation.meetings.rules import Form, MeetingState
from consultation.meetings.tables import Meeting, MeetingGroup
from consultation.outcomes import part_queries
from consultation.outcomes.queries import current_answers
from consultation.outcomes.rules import Decision, SignatureSide, replies_digest
from consultation.outcomes.tables import (
    AdoptionReply,
    AdoptionSignature,
    BoardPosting,
    ConsensusCall,
    ConsensusObjection,
    Outcome,
    OutcomeItem,
    Spending,
    Task,
)
from consultation.outcomes.task_rules import TaskState
from consultation.oversight.rules import DissentState
from consultation.oversight.tables import DissentRecord, Survey
from consultation.polls.correction_tables import CountCorrection
from consultation.polls.objection_tables import RollObjection
from consultation.polls.objections import RollObjectionState
from consultation.polls.outside_queries import confirmed_outside
from consultation.polls.presets import QuestionKind
from consultation.polls.rules import Choice, PollState, text_hash
from consultation.polls.tables import CountSignature, Poll, SignerRole
from consultation.topics.facts import (
    AdoptionFacts,
    FeedbackFacts,
    MeetingFacts,
    Need,
    OutcomeFacts,
    PartFacts,
    PlanFacts,
    PollFacts,
    RejectionFacts,
    SurveyFacts,
    TaskFacts,
    TopicFacts,
    TransferFacts,
)
from consultation.topics.plan import procedure
from consultation.topics.states import DocumentKind, RequestState, TransferState
from consultation.topics.tables import (
    Document,
    InterestDeclaration,
    ParticipantRequest,
    Rejection,
    Topic,
    TopicPlan,
    Transfer,
)


async def load_facts(
    tx: Transaction,
    topic: Topic,
    needs: frozenset[Need],
    *,
    reason: str | None = None,
    reason_code: str | None = None,
    change_list: tuple[str, ...] = (),
) -> TopicFacts:
    groups: dict[str, Any] = {}
    for need in sorted(needs):
        groups[need.value] = await _LOADERS[need](tx, topic)
    letter, convener_kind, actor_org_kind = await _papers(tx, topic)
    return TopicFacts(
        state=topic.state,
        state_since=topic.state_since,
        round=topic.round,
        now=tx.now,
        actor_id=tx.actor.person_id,
        standing=tx.standing,
        author_id=topic.author_id,
        entered_by_id=topic.entered_by_id,
        actor_org_kind=actor_org_kind,
        procedure=procedure(),
        category=topic.category,
        layer=topic.layer,
        track=topic.track,
        matter_list=topic.matter_list,
        title=topic.title,
        problem=topic.problem,
        wish=topic.wish,
        place=topic.place,
        affected=tuple(topic.affected),
        crosses_communities=f"/{topic.community_id}/" not in topic.node_path,
        convener_kind=convener_kind,
        convener_reason=topic.convener_reason,
        commissioning_org_id=topic.commissioning_org_id,
        has_commission_letter=letter,
        withdrawal_asked_at=topic.withdrawal_asked_at,
        reason=reason,
        reason_code=reason_code,
        change_list=change_list,
        **groups,
    )


async def _papers(tx: Transaction, topic: Topic) -> tuple[bool, OrgKind | None, OrgKind | None]:
    letter = (
        select(func.count())
        .select_from(Document)
        .where(Document.topic_id == topic.id, Document.kind == DocumentKind.COMMISSION_LETTER)
        .scalar_subquery()
    )

    def kind_of(org_id: UUID | None) -> Any:
        return select(Organisation.kind).where(Organisation.id == org_id).scalar_subquery()

    convener, actor = kind_of(topic.convener_org_id), kind_of(tx.standing.org_id)
    row = (await tx.session.exec(select(letter, convener, actor))).one()
    return bool(row[0]), row[1] and OrgKind(row[1]), row[2] and OrgKind(row[2])


async def _rejection(tx: Transaction, topic: Topic) -> RejectionFacts | None:
    rows = await tx.session.exec(
        select(Rejection).where(Rejection.topic_id == topic.id).order_by(col(Rejection.proposed_at))
    )
    rejections = list(rows)
    if not rejections:
        return None
    last = rejections[-1]
    return RejectionFacts(
        reason_code=last.reason_code,
        proposed_by=last.proposed_by_id,
        proposed_at=last.proposed_at,
        confirmed_by=last.confirmed_by_id,
        confirmed_at=last.confirmed_at,
        confirmed_org_id=last.confirmed_org_id,
        appealed_at=last.appealed_at,
        appeal_decided_at=last.appeal_decided_at,
        appeals=sum(r.appealed_at is not None for r in rejections),
    )


async def _transfer(tx: Transaction, topic: Topic) -> TransferFacts | None:
    rows = await tx.session.exec(
        select(Transfer.state)
        .where(Transfer.topic_id == topic.id)
        .order_by(col(Transfer.sent_at).desc())
        .limit(1)
    )
    state = rows.first()
    return (
        None
        if state is None
        else TransferFacts(
            settled=state
            not in (TransferState.SENT, TransferState.RECEIVED, TransferState.HANDLING)
        )
    )


async def _plan(tx: Transaction, topic: Topic) -> PlanFacts | None:
    row = await tx.session.get(TopicPlan, (topic.id, topic.round))
    if row is None:
        from consultation.topics.gates.gate import GateNotMet

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


async def _meetings(tx: Transaction, topic: Topic) -> MeetingFacts:
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


async def _poll(tx: Transaction, topic: Topic) -> PollFacts | None:
    objections = (
        select(func.count())
        .select_from(RollObjection)
        .where(RollObjection.poll_id == Poll.id, RollObjection.state == RollObjectionState.OPEN)
        .correlate(Poll)
        .scalar_subquery()
    )

    def signed(role: SignerRole) -> Any:
        return (
            select(func.count())
            .select_from(CountSignature)
            .where(
                CountSignature.poll_id == Poll.id,
                CountSignature.result_digest == Poll.result_digest,
                CountSignature.role == role,
            )
            .correlate(Poll)
            .scalar_subquery()
        )

    witnessed = signed(SignerRole.SUPERVISOR) + (  # who orders a correction witnesses it
        select(func.count())
        .select_from(CountCorrection)
        .where(
            CountCorrection.poll_id == Poll.id, CountCorrection.result_digest == Poll.result_digest
        )
        .correlate(Poll)
        .scalar_subquery()
    )
    rows = await tx.session.exec(
        select(Poll, objections, signed(SignerRole.TELLER), witnessed).where(
            Poll.topic_id == topic.id, Poll.round == topic.round, Poll.state != PollState.VOIDED
        )
    )
    found = rows.first()
    if found is None:
        return None
    poll, objections_open, tellers, supervisors = found
    verdict = None if poll.result is None else poll.result.verdict
    if not poll.legal_system_of_record:
        certified = await confirmed_outside(tx, poll)
        verdict = None if certified is None else certified[0].result.verdict
    return PollFacts(
        state=poll.state.value,
        preset_id=poll.preset.key,
        opens_at=poll.opens_at,
        text_unchanged=poll.text_hash == text_hash(poll),
        items_have_against=all(
            not {Choice.AGAINST, Choice.NONE}.isdisjoint(item.choices)
            or item.kind is QuestionKind.RATING
            for item in poll.items
        ),
        counted_elsewhere=not poll.legal_system_of_record,
        verdict=None if verdict is None else verdict.value,
        teller_signatures=tellers,
        supervisor_signatures=supervisors,
        roll_objections_open=objections_open,
        objection_days=poll.preset.objection_days,
    )


async def objections_until(tx: Transaction, topic: Topic) -> datetime:
    """When the objection period of a public result ends, by the procedure and by the preset of the
    round's poll."""
    poll = (
        await tx.session.exec(
            select(Poll).where(
                Poll.topic_id == topic.id, Poll.round == topic.round, Poll.state != PollState.VOIDED
            )
        )
    ).first()
    days = 0 if poll is None else poll.preset.objection_days
    return procedure().objection_ends(topic.state_since, days)


async def _outcome(tx: Transaction, topic: Topic) -> OutcomeFacts:
    def of_round(table: Any) -> Any:
        return and_(table.topic_id == topic.id, table.round == topic.round)

    def of_paper(table: Any) -> Any:
        return and_(
            col(table.topic_id) == col(Outcome.topic_id),
            col(table.round) == col(Outcome.round),
            col(table.version) == col(Outcome.version),
        )

    items = select(func.count()).select_from(OutcomeItem).where(of_round(OutcomeItem))
    objections = (
        select(func.count()).select_from(ConsensusObjection).where(of_paper(ConsensusObjection))
    )
    called = select(ConsensusCall.at).where(of_paper(ConsensusCall))
    rows = await tx.session.exec(
        select(
            Outcome.minority_view,
            items.scalar_subquery(),
            called.correlate(Outcome).scalar_subquery(),
            objections.correlate(Outcome).scalar_subquery(),
        )
        .where(of_round(Outcome))
        .order_by(col(Outcome.version).desc())
        .limit(1)
    )
    row = rows.first()
    if row is None:
        return OutcomeFacts(
            items=0, has_minority_view=False, consensus_called_at=None, consensus_objections=0
        )
    return OutcomeFacts(
        items=row[1],
        has_minority_view=bool(row[0].strip()),
        consensus_called_at=row[2],
        consensus_objections=row[3],
    )


async def _adoption(tx: Transaction, topic: Topic) -> AdoptionFacts:
    """A signature counts only under the replies as they stand now."""
    answers = await current_answers(tx, topic.id, topic.round)
    signatures = await tx.session.exec(
        select(AdoptionSignature.side).where(
            AdoptionSignature.topic_id == topic.id,
            AdoptionSignature.round == topic.round,
            AdoptionSignature.replies_digest == replies_digest(answers),
        )
    )
    signed = set(signatures)
    return AdoptionFacts(
        decisions=tuple(answer.decision and answer.decision.value for answer in answers),
        party_signed=SignatureSide.PARTY_ORG in signed,
        committee_signed=SignatureSide.COMMITTEE in signed,
        commissioner_signed=SignatureSide.COMMISSIONER in signed,
    )


async def _tasks(tx: Transaction, topic: Topic) -> TaskFacts:
    spent = (
        select(func.count())
        .select_from(Spending)
        .where(Spending.task_id == Task.id)
        .correlate(Task)
        .scalar_subquery()
    )
    rows = (
        await tx.session.exec(
            select(Task, spent).where(Task.topic_id == topic.id, Task.round == topic.round)
        )
    ).all()
    ended = (TaskState.ACCEPTED, TaskState.ENDED)
    adoption = await _adopted_items(tx, topic)
    with_task = {task.item_id for task, _ in rows}
    return TaskFacts(
        tasks=len(rows),
        incomplete=sum(not task.funding_source.strip() for task, _ in rows),
        adopted_items_without_task=sum(item not in with_task for item in adoption),
        open=sum(task.state not in (*ended, TaskState.DONE) for task, _ in rows),
        unaccounted=sum(
            task.budget_fen > 0 and task.state is TaskState.ACCEPTED and not entries
            for task, entries in rows
        ),
        not_accepted=sum(task.state is TaskState.DONE for task, _ in rows),
    )


async def _adopted_items(tx: Transaction, topic: Topic) -> list[UUID]:
    newest = (
        select(func.max(AdoptionReply.version))
        .where(AdoptionReply.item_id == OutcomeItem.id)
        .correlate(OutcomeItem)
        .scalar_subquery()
    )
    rows = await tx.session.exec(
        select(OutcomeItem.id)
        .join(
            AdoptionReply,
            and_(
                col(AdoptionReply.item_id) == col(OutcomeItem.id),
                col(AdoptionReply.version) == newest,
            ),
        )
        .where(
            OutcomeItem.topic_id == topic.id,
            OutcomeItem.round == topic.round,
            AdoptionReply.decision != Decision.NOT_ADOPTED,
        )
    )
    return list(rows)


async def _parts(tx: Transaction, topic: Topic) -> PartFacts | None:
    if not await part_queries.consent_asked(tx, topic):
        return None
    row = await part_queries.declared(tx, topic)
    return PartFacts(
        declared=row is not None,
        missing=0 if row is None else await part_queries.missing(tx, topic, row.parts),
    )


async def _feedback(tx: Transaction, topic: Topic) -> FeedbackFacts:
    notice = and_(
        col(Document.topic_id) == topic.id,
        col(Document.kind) == DocumentKind.FEEDBACK_NOTICE,
        col(Document.round) == topic.round,
        col(Document.public).is_(True),
    )
    row = (
        await tx.session.exec(
            select(
                exists().where(notice),
                exists().where(and_(notice, col(BoardPosting.document_id) == col(Document.id))),
                select(func.count())
                .select_from(DissentRecord)
                .where(
                    DissentRecord.topic_id == topic.id,
                    col(DissentRecord.state).in_((DissentState.RECORDED, DissentState.ASSIGNED)),
                )
                .scalar_subquery(),
            )
        )
    ).one()
    return FeedbackFacts(
        notice_published=bool(row[0]), notice_on_board=bool(row[1]), dissent_unsettled=row[2]
    )


async def _survey(tx: Transaction, topic: Topic) -> SurveyFacts | None:
    rows = await tx.session.exec(
        select(
            Survey,
            exists().where(
                col(Task.topic_id) == topic.id,
                col(Task.round) == topic.round,
                col(Task.is_rectification).is_(True),
            ),
        ).where(Survey.topic_id == topic.id, Survey.round == topic.round)
    )
    row = rows.first()
    if row is None:
        return None
    survey, rectified = row
    return SurveyFacts(
        published=survey.result is not None,
        response_published=survey.response_document_id is not None,
        low_score=survey.result is not None and survey.result.low_score,
        rectification_opened=bool(rectified),
    )


_LOADERS: dict[Need, Callable[[Transaction, Topic], Awaitable[Any]]] = {
    Need.REJECTION: _rejection,
    Need.TRANSFER: _transfer,
    Need.PLAN: _plan,
    Need.MEETINGS: _meetings,
    Need.POLL: _poll,
    Need.OUTCOME: _outcome,
    Need.ADOPTION: _adoption,
    Need.TASKS: _tasks,
    Need.PARTS: _parts,
    Need.FEEDBACK: _feedback,
    Need.SURVEY: _survey,
}
