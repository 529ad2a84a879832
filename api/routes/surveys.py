"""The satisfaction survey 满意度测评, whose result the system publishes."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from api.content_checks import passes_at_once
from api.dependencies import AnyActor, App, CurrentActor, Db
from api.errands import Means
from api.idempotency import Once
from api.pagination import CursorParam, Limit, Page, decode_cursor, encode_cursor
from api.routes.feedback import NoticeOut
from api.wire import WireIn, WireOut
from consultation.oversight import queries
from consultation.oversight.commands import surveys
from consultation.oversight.rules import SurveyChannel, SurveyResult, SurveyState
from consultation.permissions import Deed
from consultation.refusals import NotFound
from consultation.topics.queries import access_topic

router = APIRouter(prefix="/v1", tags=["surveys"])

Theme = Annotated[str, Field(min_length=1, max_length=20)]


class SurveyOut(WireOut):
    """``invited`` is null until the survey opens, ``result`` until the system publishes it.
    ``asked`` and ``answered`` are the reader's own."""

    id: UUID
    topic_id: UUID
    round: int
    state: SurveyState
    groups: list[str]
    opens_at: datetime
    closes_at: datetime
    invited: int | None
    result: SurveyResult | None
    published_at: datetime | None
    response_document_id: UUID | None
    rectify_by: date | None
    asked: bool
    answered: bool


class SurveyRatingIn(WireIn):
    """``score``: 1 very dissatisfied to 5 very satisfied. ``themes`` that several people named, and
    whose words passed a check, are shown with how often each was named; ``remark`` is for the
    community only."""

    score: int = Field(ge=1, le=5)
    themes: list[Theme] = Field(default_factory=list, max_length=3)
    remark: str | None = Field(default=None, min_length=1, max_length=500)


class EnteredSurveyRatingIn(SurveyRatingIn):
    """From paper, or taken down for somebody by telephone or at the door."""

    person_id: UUID
    channel: SurveyChannel


class AnsweredOut(WireOut):
    """That it was answered. What was answered is kept without the person and not given back."""

    survey_id: UUID
    answered: bool = True


class InvitationOut(WireOut):
    person_id: UUID
    masked_name: str


class SurveyResponseIn(WireIn):
    """``rectify_by`` is required where the score is low."""

    body: str = Field(min_length=1, max_length=8000)
    rectify_by: date | None = None


@router.get("/topics/{topic_id}/survey")
async def get_survey(topic_id: UUID, db: Db, actor: AnyActor) -> SurveyOut:
    """When it runs, who is asked, and the result after its close. 404 while none is planned."""
    async with db.read(actor) as tx:
        topic = await access_topic(tx, topic_id, Deed.READ_PUBLIC)
        survey = await queries.survey_of(tx, topic.id)
        if survey is None:
            raise NotFound(what="survey")
        own = None
        if actor.person_id is not None:
            own = await queries.own_invitation(tx, survey.id, actor.person_id)
    return SurveyOut(
        id=survey.id,
        topic_id=survey.topic_id,
        round=survey.round,
        state=survey.state,
        groups=survey.groups,
        opens_at=survey.opens_at,
        closes_at=survey.closes_at,
        invited=None if survey.state is SurveyState.PLANNED else survey.invited,
        result=survey.result,
        published_at=survey.published_at,
        response_document_id=survey.response_document_id,
        rectify_by=survey.rectify_by,
        asked=own is not None,
        answered=own is not None and own.answered,
    )


@router.put("/surveys/{survey_id}/answer")
async def answer_survey(
    survey_id: UUID, body: SurveyRatingIn, app: App, db: Db, actor: CurrentActor
) -> AnsweredOut:
    """Rate what was done, once, anonymously: that you answered is kept apart from what."""
    means = Means(app.settings, app.db, app.wechat)
    checked = await passes_at_once(means, actor.person_id, "、".join(body.themes))
    async with db.begin(actor) as tx:
        await surveys.answer_survey(
            tx,
            survey_id,
            score=body.score,
            themes=body.themes,
            themes_checked=checked,
            remark=body.remark,
        )
    return AnsweredOut(survey_id=survey_id)


@router.post("/surveys/{survey_id}/entered-answers", status_code=201)
async def enter_survey_answer(
    survey_id: UUID, body: EnteredSurveyRatingIn, once: Once
) -> AnsweredOut:
    """Clerk and grid worker enter a rating from paper, or for somebody who told them."""
    async with once.begin() as tx:
        await surveys.enter_survey_answer(
            tx,
            survey_id,
            person_id=body.person_id,
            score=body.score,
            themes=body.themes,
            remark=body.remark,
            channel=body.channel,
        )
        return once.keep(AnsweredOut(survey_id=survey_id))


@router.get("/surveys/{survey_id}/waiting")
async def list_survey_waiting(
    survey_id: UUID, db: Db, actor: CurrentActor, limit: Limit = 20, cursor: CursorParam = None
) -> Page[InvitationOut]:
    """For clerk and grid worker on their round: who has been asked and has not answered."""
    async with db.read(actor) as tx:
        await queries.access_survey(tx, survey_id, Deed.ENTER_SURVEY)
        after = None
        if cursor is not None:
            name, person = decode_cursor(cursor, 2)
            after = (str(name), UUID(str(person)))
        found = await queries.waiting_invitations(tx, survey_id, after=after, limit=limit + 1)
    return Page(
        items=[InvitationOut(person_id=id, masked_name=name) for id, name in found[:limit]],
        next_cursor=encode_cursor(found[limit - 1][1], str(found[limit - 1][0]))
        if len(found) > limit
        else None,
    )


@router.put("/surveys/{survey_id}/response")
async def respond_to_survey(
    survey_id: UUID, body: SurveyResponseIn, db: Db, actor: CurrentActor
) -> NoticeOut:
    """What the community says to the result, published beside it."""
    async with db.begin(actor) as tx:
        document = await surveys.respond_to_survey(
            tx, survey_id, body=body.body, rectify_by=body.rectify_by
        )
        return NoticeOut.model_validate(document)
