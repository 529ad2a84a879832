"""Feedback 反馈: what came of it, online and on the board; and how many views still wait."""

from datetime import date, datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from api.dependencies import AnyActor, Db
from api.idempotency import Once
from api.routes.outcomes import TopicStateOut, topic_state
from api.wire import WireIn, WireOut
from consultation.outcomes import queries
from consultation.outcomes.commands import feedback
from consultation.oversight.queries import dissent_counts
from consultation.oversight.rules import DissentState
from consultation.permissions import Deed
from consultation.topics.queries import access_topic
from consultation.topics.states import DocumentKind

router = APIRouter(prefix="/v1", tags=["feedback"])


class CompletionIn(WireIn):
    """The text of the completion and acceptance record 完工验收记录."""

    text: str = Field(min_length=1, max_length=8000)


class NonAdoptionAnswerIn(WireIn):
    reason: str = Field(min_length=1, max_length=4000)


class NoticeIn(WireIn):
    """``correction_reason`` is required when there is a notice already: this one corrects it."""

    body: str = Field(min_length=1, max_length=8000)
    correction_reason: str | None = Field(default=None, min_length=1, max_length=400)


class NoticeOut(WireOut):
    id: UUID
    kind: DocumentKind
    round: int
    version: int
    title: str
    body: str
    correction_reason: str | None
    content_hash: str
    created_at: datetime


class PostingIn(WireIn):
    """``photo_sha256``: SHA-256 of the photo of the board, 64 hex digits. Only this fingerprint is
    kept, so that a photo shown later can be told from another: keep the photo itself on file."""

    place: str = Field(min_length=1, max_length=120)
    posted_on: date
    photo_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class PostingOut(WireOut):
    id: UUID
    document_id: UUID
    place: str
    posted_on: date
    photo_sha256: str | None
    at: datetime


class DissentCountOut(WireOut):
    state: DissentState
    count: int


class FeedbackOut(WireOut):
    """``dissent``: how many different views stand in which state. Whose they are is never
    public."""

    topic_id: UUID
    notices: list[NoticeOut]
    postings: list[PostingOut]
    dissent: list[DissentCountOut]


@router.post("/topics/{topic_id}/completion", status_code=201)
async def report_completion(topic_id: UUID, body: CompletionIn, once: Once) -> TopicStateOut:
    """The work is over: all tasks accepted or ended with a reason, accounts published (T22)."""
    async with once.begin() as tx:
        return once.keep(
            topic_state(await feedback.report_completion(tx, topic_id, text=body.text))
        )


@router.post("/topics/{topic_id}/non-adoption-answer", status_code=201)
async def answer_non_adoption(
    topic_id: UUID, body: NonAdoptionAnswerIn, once: Once
) -> TopicStateOut:
    """Nothing was adopted: the convener passes the reasons on (T23)."""
    async with once.begin() as tx:
        topic = await feedback.answer_non_adoption(tx, topic_id, reason=body.reason)
        return once.keep(topic_state(topic))


@router.post("/topics/{topic_id}/feedback-notice", status_code=201)
async def publish_feedback_notice(topic_id: UUID, body: NoticeIn, once: Once) -> NoticeOut:
    """Publish the feedback notice 反馈公告, without which no topic is closed."""
    async with once.begin() as tx:
        notice = await feedback.publish_feedback_notice(
            tx, topic_id, body=body.body, correction_reason=body.correction_reason
        )
        return once.keep(NoticeOut.model_validate(notice))


@router.post("/documents/{document_id}/postings", status_code=201)
async def post_on_board(document_id: UUID, body: PostingIn, once: Once) -> PostingOut:
    """Prove that a published document hangs on the notice board: place, date, photo."""
    async with once.begin() as tx:
        posting = await feedback.post_on_board(
            tx,
            document_id,
            place=body.place,
            posted_on=body.posted_on,
            photo_sha256=body.photo_sha256,
        )
        return once.keep(PostingOut.model_validate(posting))


@router.get("/topics/{topic_id}/feedback")
async def get_feedback(topic_id: UUID, db: Db, actor: AnyActor) -> FeedbackOut:
    """Feedback notices and explanations, their postings, and how dissent stands by count."""
    async with db.read(actor) as tx:
        topic = await access_topic(tx, topic_id, Deed.READ_PUBLIC)
        notices = await queries.feedback_documents(tx, topic.id)
        postings = await queries.postings_of(tx, topic.id)
        counts = await dissent_counts(tx, topic.id)
    return FeedbackOut(
        topic_id=topic_id,
        notices=[NoticeOut.model_validate(notice) for notice in notices],
        postings=[PostingOut.model_validate(posting) for posting in postings],
        dissent=[DissentCountOut(state=state, count=count) for state, count in counts.items()],
    )
