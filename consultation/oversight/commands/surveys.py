"""The satisfaction survey 满意度测评: opened, counted and published by the system; staff can carry
paper and respond, and can neither hide nor change a result (S33)."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from consultation.calendar import local_day
from consultation.database import Transaction
from consultation.events.oversight import SurveyOpened, SurveyPublished
from consultation.oversight import queries, rules
from consultation.oversight.evaluation import close_if_ready
from consultation.oversight.rules import SurveyChannel, SurveyState
from consultation.oversight.tables import Survey, SurveyAnswer
from consultation.permissions import Deed, Grant, check
from consultation.topics.documents import publish_document
from consultation.topics.plan import procedure
from consultation.topics.states import DocumentKind
from consultation.topics.subjects import check_subject
from consultation.topics.tables import Document


async def open_survey(tx: Transaction, survey_id: UUID) -> None:
    """Invite those who are affected, and begin."""
    survey, topic = await queries.access_survey(tx, survey_id, Deed.RUN_SYSTEM, lock=True)
    if survey.state is not SurveyState.PLANNED or tx.now < survey.opens_at:
        return
    survey.invited = await queries.invite_affected(tx, topic, survey.id)
    survey.state = SurveyState.OPEN
    tx.emit(
        SurveyOpened(
            community_id=topic.community_id,
            topic_id=topic.id,
            survey_id=survey.id,
            closes_at=survey.closes_at,
        )
    )


async def answer_survey(
    tx: Transaction,
    survey_id: UUID,
    *,
    score: int,
    themes: Sequence[str] = (),
    themes_checked: bool = False,
    remark: str | None = None,
) -> None:
    """One's own rating, 1 (very dissatisfied) to 5 (very satisfied). That one answered is kept,
    what one answered is kept apart from it. ``themes_checked``: a machine had nothing against the
    themes; without that, they are kept and never shown."""
    survey, _ = await queries.access_survey(tx, survey_id, Deed.RATE, answer=True)
    answer = _row(tx, survey, score, themes, remark, SurveyChannel.ONLINE, checked=themes_checked)
    await _answer(tx, survey, tx.person_id, answer)


async def enter_survey_answer(
    tx: Transaction,
    survey_id: UUID,
    *,
    person_id: UUID,
    score: int,
    themes: Sequence[str] = (),
    remark: str | None = None,
    channel: SurveyChannel,
) -> None:
    """A rating given on paper, or taken down for somebody by telephone or at the door, whose themes
    the person who enters them has read."""
    survey, _ = await queries.access_survey(tx, survey_id, Deed.ENTER_SURVEY, answer=True)
    if channel is SurveyChannel.ONLINE:
        raise rules.ChannelNotAllowed(channel=channel.value)
    answer = _row(tx, survey, score, themes, remark, channel, checked=True)
    await _answer(tx, survey, person_id, answer)


def _row(
    tx: Transaction,
    survey: Survey,
    score: int,
    themes: Sequence[str],
    remark: str | None,
    channel: SurveyChannel,
    *,
    checked: bool,
) -> SurveyAnswer:
    return SurveyAnswer(
        id=tx.new_id(),
        community_id=survey.community_id,
        survey_id=survey.id,
        score=score,
        themes=sorted(set(themes)),
        themes_checked=checked,
        remark=remark,
        channel=channel,
    )


async def _answer(tx: Transaction, survey: Survey, person_id: UUID, answer: SurveyAnswer) -> None:
    rules.check_open(survey.state, closes_at=survey.closes_at, now=tx.now)
    check_subject(answer.remark or "", *answer.themes)
    taken = await queries.take_invitation(tx, survey.id, person_id)
    if taken is None:
        raise rules.NotInvited()
    if not taken:
        raise rules.SurveyAlreadyAnswered()
    tx.session.add(answer)  # no event: the journal would say who answered when, and so what


async def close_survey(tx: Transaction, survey_id: UUID) -> None:
    """Count and publish at the close, whatever the result is; nobody is asked."""
    survey, topic = await queries.access_survey(tx, survey_id, Deed.RUN_SYSTEM, lock=True)
    if survey.state is SurveyState.PUBLISHED or tx.now < survey.closes_at:
        return
    if survey.state is SurveyState.PLANNED:
        raise rules.SurveyNotOpen(state=survey.state.value)  # tried again after its opening
    numbers = procedure().survey
    counts = await queries.count_answers(tx, survey.id)
    result = rules.count_survey(
        invited=survey.invited,
        scores=counts.scores,
        channels=counts.channels,
        themes=counts.themes,
        checked=counts.checked,
        numbers=numbers,
    )

    await publish_document(
        tx,
        topic,
        DocumentKind.SURVEY_RESULT,
        title=f"满意度测评结果:{topic.title}",
        body=rules.survey_text(result, numbers),
    )
    survey.result = result
    survey.state = SurveyState.PUBLISHED
    survey.published_at = tx.now
    tx.emit(
        SurveyPublished(
            community_id=topic.community_id,
            topic_id=topic.id,
            survey_id=survey.id,
            answers=result.answers,
        )
    )
    await close_if_ready(tx, topic)


async def respond_to_survey(
    tx: Transaction, survey_id: UUID, *, body: str, rectify_by: date | None = None
) -> Document:
    """What the community says to the result, beside it and never instead of it. A low score needs
    a date by which things are put right, and a rectification task (``plan_task``)."""
    survey, topic = await queries.access_survey(tx, survey_id, Deed.PUBLISH_NOTICE, lock=True)
    grant = check(Deed.PUBLISH_NOTICE, tx.standing.role)
    if grant is Grant.OWN and topic.commissioning_org_id != tx.standing.org_id:
        raise rules.NotYoursToExplain()
    if survey.result is None:
        raise rules.SurveyNotPublished(state=survey.state.value)
    if survey.response_document_id is not None:
        raise rules.SurveyAlreadyResponded()
    rules.check_response(survey.result, rectify_by=rectify_by, today=local_day(tx.now))

    response = await publish_document(
        tx,
        topic,
        DocumentKind.SURVEY_RESPONSE,
        title=f"满意度测评回应:{topic.title}",
        body=body if rectify_by is None else f"{body}\n整改期限:{rectify_by.isoformat()}",
    )
    survey.response_document_id = response.id
    survey.rectify_by = rectify_by
    await close_if_ready(tx, topic)
    return response
