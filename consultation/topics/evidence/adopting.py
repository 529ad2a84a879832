"""What the gates after the result look at: adoption, tasks, feedback and survey."""

from uuid import UUID

from sqlmodel import and_, col, exists, func, select

from consultation.database import Transaction
from consultation.outcomes import part_queries
from consultation.outcomes.queries import current_answers
from consultation.outcomes.rules import Decision, SignatureSide, replies_digest
from consultation.outcomes.tables import (
    AdoptionReply,
    AdoptionSignature,
    BoardPosting,
    OutcomeItem,
    Spending,
    Task,
)
from consultation.outcomes.task_rules import TaskState
from consultation.oversight.rules import DissentState
from consultation.oversight.tables import DissentRecord, Survey
from consultation.topics.facts import (
    AdoptionFacts,
    FeedbackFacts,
    PartFacts,
    SurveyFacts,
    TaskFacts,
)
from consultation.topics.states import DocumentKind
from consultation.topics.tables import Document, Topic


async def adoption_facts(tx: Transaction, topic: Topic) -> AdoptionFacts:
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


async def tasks_facts(tx: Transaction, topic: Topic) -> TaskFacts:
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


async def parts_facts(tx: Transaction, topic: Topic) -> PartFacts | None:
    if not await part_queries.consent_asked(tx, topic):
        return None
    row = await part_queries.declared(tx, topic)
    return PartFacts(
        declared=row is not None,
        missing=0 if row is None else await part_queries.missing(tx, topic, row.parts),
    )


async def feedback_facts(tx: Transaction, topic: Topic) -> FeedbackFacts:
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


async def survey_facts(tx: Transaction, topic: Topic) -> SurveyFacts | None:
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
