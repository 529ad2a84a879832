"""Loads what the gates look at, group by group, only what a transition needs.

Each group costs one or two statements, independent of how many people, posts or ballots there
are: numbers that grow are counted by the database or kept on the row.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from sqlmodel import and_, col, exists, func, or_, select

from consultation.community.tables import Organisation, OrgKind
from consultation.database import Transaction
from consultation.meetings.rules import Form, MeetingState
from consultation.meetings.tables import Meeting, MeetingGroup
from consultation.outcomes.rules import Decision, TaskState
from consultation.outcomes.tables import (
    AdoptionReply,
    AdoptionSignature,
    BoardPosting,
    ConsensusCall,
    ConsensusObjection,
    Outcome,
    OutcomeItem,
    SignatureSide,
    Spending,
    Task,
)
from consultation.oversight.rules import DissentState
from consultation.oversight.tables import DissentRecord, Survey
from consultation.polls.rules import Choice, text_hash
from consultation.polls.tables import CountSignature, Poll, SignerRole
from consultation.topics.facts import (
    AdoptionFacts,
    FeedbackFacts,
    MeetingFacts,
    Need,
    OutcomeFacts,
    PlanFacts,
    PollFacts,
    RejectionFacts,
    SurveyFacts,
    TaskFacts,
    TopicFacts,
    TransferFacts,
)
from consultation.topics.plan import procedure
from consultation.topics.states import DocumentKind, TransferState
from consultation.topics.tables import (
    Document,
    InterestDeclaration,
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
    reason: str | None,
    reason_code: str | None,
    change_list: tuple[str, ...],
) -> TopicFacts:
    groups: dict[str, Any] = {}
    for need in sorted(needs):
        groups[need.value] = await _LOADERS[need](tx, topic)
    letter, convener_kind = await _papers(tx, topic)
    return TopicFacts(
        state=topic.state,
        state_since=topic.state_since,
        round=topic.round,
        now=tx.now,
        actor_id=tx.actor.person_id,
        standing=tx.standing,
        author_id=topic.author_id,
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
        has_convener=topic.convener_org_id is not None,
        convener_is_default=convener_kind is OrgKind.COMMUNITY_PARTY_ORG,
        convener_reason=topic.convener_reason,
        commissioning_org_id=topic.commissioning_org_id,
        has_commission_letter=letter,
        withdrawal_asked_at=topic.withdrawal_asked_at,
        reason=reason,
        reason_code=reason_code,
        change_list=change_list,
        **groups,
    )


async def _papers(tx: Transaction, topic: Topic) -> tuple[bool, OrgKind | None]:
    letter = (
        select(func.count())
        .select_from(Document)
        .where(Document.topic_id == topic.id, Document.kind == DocumentKind.COMMISSION_LETTER)
        .scalar_subquery()
    )
    kind = (
        select(Organisation.kind).where(Organisation.id == topic.convener_org_id).scalar_subquery()
    )
    row = (await tx.session.exec(select(letter, kind))).one()
    return bool(row[0]), None if row[1] is None else OrgKind(row[1])


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
        confirmed_by=last.confirmed_by_id,
        confirmed_at=last.confirmed_at,
        confirmed_org_id=last.confirmed_org_id,
        appealed_at=last.appealed_at,
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
        from consultation.topics.gates import GateNotMet

        raise GateNotMet(gate="plan_complete", missing=["plan"])
    named = set(row.plan.host_ids) | set(row.plan.teller_ids)
    declared = (
        select(func.count())
        .select_from(InterestDeclaration)
        .where(
            InterestDeclaration.topic_id == topic.id, col(InterestDeclaration.person_id).in_(named)
        )
        .scalar_subquery()
    )

    def documents(kind: DocumentKind) -> Any:
        return (
            select(func.count())
            .select_from(Document)
            .where(
                Document.topic_id == topic.id, Document.kind == kind, Document.round == topic.round
            )
            .scalar_subquery()
        )

    counts = (
        await tx.session.exec(
            select(
                declared, documents(DocumentKind.MATERIAL), documents(DocumentKind.EXPERT_OPINION)
            )
        )
    ).one()
    return PlanFacts(
        plan=row.plan,
        prepared_by=row.prepared_by_id,
        legality_ok=row.legality_ok,
        undeclared=len(named) - counts[0],
        materials=counts[1],
        expert_opinions=counts[2],
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
    rows = await tx.session.exec(
        select(Poll).where(Poll.topic_id == topic.id, Poll.round == topic.round)
    )
    poll = rows.first()
    if poll is None:
        return None
    signed = await tx.session.exec(
        select(CountSignature.role, func.count())
        .where(
            CountSignature.poll_id == poll.id, CountSignature.result_digest == poll.result_digest
        )
        .group_by(col(CountSignature.role))
    )
    signatures = dict(signed.all())
    return PollFacts(
        state=poll.state.value,
        preset_id=poll.preset.key,
        opens_at=poll.opens_at,
        text_unchanged=poll.text_hash == text_hash(poll),
        items_have_against=all(Choice.AGAINST in item.choices for item in poll.items),
        verdict=None if poll.result is None else poll.result.verdict.value,
        teller_signatures=signatures.get(SignerRole.TELLER, 0),
        supervisor_signatures=signatures.get(SignerRole.SUPERVISOR, 0),
        roll_objections_open=0,  # roll objections come with the issue on polls
    )


async def _outcome(tx: Transaction, topic: Topic) -> OutcomeFacts:
    def of_round(table: Any) -> Any:
        return and_(table.topic_id == topic.id, table.round == topic.round)

    items = select(func.count()).select_from(OutcomeItem).where(of_round(OutcomeItem))
    objections = (
        select(func.count()).select_from(ConsensusObjection).where(of_round(ConsensusObjection))
    )
    view = (
        select(Outcome.minority_view)
        .where(of_round(Outcome))
        .order_by(col(Outcome.version).desc())
        .limit(1)
    )
    called = select(ConsensusCall.at).where(of_round(ConsensusCall))
    row = (
        await tx.session.exec(
            select(
                items.scalar_subquery(),
                view.scalar_subquery(),
                called.scalar_subquery(),
                objections.scalar_subquery(),
            )
        )
    ).one()
    return OutcomeFacts(
        items=row[0],
        has_minority_view=bool((row[1] or "").strip()),
        consensus_called_at=row[2],
        consensus_objections=row[3],
    )


async def _adoption(tx: Transaction, topic: Topic) -> AdoptionFacts:
    latest = (
        select(AdoptionReply.decision)
        .where(AdoptionReply.item_id == OutcomeItem.id)
        .order_by(col(AdoptionReply.version).desc())
        .limit(1)
        .correlate(OutcomeItem)
        .scalar_subquery()
    )
    decisions = await tx.session.exec(
        select(OutcomeItem.number, latest).where(
            OutcomeItem.topic_id == topic.id, OutcomeItem.round == topic.round
        )
    )
    sides = await tx.session.exec(
        select(AdoptionSignature.side).where(
            AdoptionSignature.topic_id == topic.id, AdoptionSignature.round == topic.round
        )
    )
    signed = set(sides)
    return AdoptionFacts(
        decisions=tuple(None if d is None else str(d) for _, d in decisions),
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
    Need.FEEDBACK: _feedback,
    Need.SURVEY: _survey,
}
