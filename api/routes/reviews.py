"""Review of content 人工复核: what the machine did not let pass, decided by people."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from api.dependencies import CurrentActor, Db, Locale
from api.pagination import CursorParam, Limit, Page, read_time_cursor, time_cursor
from api.wire import WireIn, WireOut
from api.words import say
from consultation.deliberation import review_queries as queries
from consultation.deliberation.commands import reviewing
from consultation.deliberation.review_queries import Written
from consultation.deliberation.review_rules import (
    ReviewCause,
    ReviewDecision,
    ReviewState,
    ReviewSubject,
)
from consultation.deliberation.rules import HidingReason
from consultation.deliberation.tables import ContentReview

router = APIRouter(prefix="/v1", tags=["deliberation"])


class ContentReviewOut(WireOut):
    """``text`` is what was written, in the version that was checked; for a photo
    (``medium``, its id) the words that its author gave it. ``label``
    is WeChat's number for what it suspects; politics (20001) is no reason to hide anything."""

    id: UUID
    topic_id: UUID | None
    subject_kind: ReviewSubject
    subject_id: UUID
    version: int
    text: str | None
    cause: ReviewCause
    cause_text: str
    label: int | None
    state: ReviewState
    opened_at: datetime
    decided_at: datetime | None
    reason_code: HidingReason | None
    reason: str | None


class ReviewDecisionIn(WireIn):
    """``reason_code`` and ``reason`` are needed to hide; the author reads them. Criticism of
    authorities is no reason."""

    decision: ReviewDecision
    reason_code: HidingReason | None = None
    reason: str = Field(default="", max_length=500)


def _out(review: ContentReview, what: Written | None, locale: str) -> ContentReviewOut:
    code = review.reason_code
    return ContentReviewOut(
        id=review.id,
        topic_id=review.topic_id,
        subject_kind=review.subject_kind,
        subject_id=review.subject_id,
        version=review.version,
        text=None if what is None else what.text,
        cause=review.cause,
        cause_text=say(locale, f"words.review_cause.{review.cause}"),
        label=review.label,
        state=review.state,
        opened_at=review.opened_at,
        decided_at=review.decided_at,
        reason_code=None if code is None else HidingReason(code),
        reason=review.reason,
    )


@router.get("/communities/{community_id}/content-reviews")
async def list_content_reviews(
    community_id: UUID,
    db: Db,
    actor: CurrentActor,
    locale: Locale,
    state: ReviewState | None = ReviewState.OPEN,
    cursor: CursorParam = None,
    limit: Limit = 20,
) -> Page[ContentReviewOut]:
    """What waits for a person, the oldest first (clerk, host). Everything listed is visible to the
    neighbours meanwhile, if it was before."""
    async with db.read(actor) as tx:
        found = await queries.reviews(
            tx, community_id, state=state, after=read_time_cursor(cursor), limit=limit + 1
        )
        shown = found[:limit]
        texts = await queries.written(tx, {queries.subject_of(one) for one in shown})
    return Page(
        items=[_out(one, texts.get(queries.subject_of(one)), locale) for one in shown],
        next_cursor=time_cursor(shown[-1].opened_at, shown[-1].id) if found[limit:] else None,
    )


@router.put("/content-reviews/{review_id}/decision")
async def decide_content_review(
    review_id: UUID, body: ReviewDecisionIn, db: Db, actor: CurrentActor, locale: Locale
) -> ContentReviewOut:
    """Keep it, hide it for a reason from the list, or leave a topic to screening. Nobody decides
    about their own words; what is hidden may be appealed as any hiding."""
    async with db.begin(actor) as tx:
        review = await reviewing.decide_review(
            tx, review_id, decision=body.decision, reason_code=body.reason_code, reason=body.reason
        )
        subject = queries.subject_of(review)
        texts = await queries.written(tx, [subject])
    return _out(review, texts.get(subject), locale)
