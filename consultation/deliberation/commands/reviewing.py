"""Review of content 人工复核: a machine's doubt is put before a person, who decides."""

from collections.abc import Sequence
from uuid import UUID

from consultation.database import Transaction
from consultation.deliberation import review_queries as queries
from consultation.deliberation import review_rules, rules
from consultation.deliberation.commands.moderation import hide_post
from consultation.deliberation.commands.photos import hide_photo, show_photo
from consultation.deliberation.commands.statements import moderate_statement
from consultation.deliberation.review_queries import Subject
from consultation.deliberation.review_rules import (
    STATE_AFTER,
    VERDICTS,
    ReviewCause,
    ReviewDecision,
    ReviewState,
    ReviewSubject,
)
from consultation.deliberation.rules import HidingReason, StatementState
from consultation.deliberation.tables import ContentReview, Post, Statement


async def open_review(
    tx: Transaction,
    subject: Subject,
    *,
    community_id: UUID,
    topic_id: UUID | None,
    cause: ReviewCause,
    label: int | None = None,
    traces: Sequence[str] = (),
) -> ContentReview:
    """Put something before a person. Asked again, it changes nothing, but that a verdict takes
    the place of the lack of one while nobody has decided."""
    review = await queries.review_of(tx, subject)
    if review is None:
        kind, subject_id, version = subject
        review = ContentReview(
            id=tx.new_id(),
            community_id=community_id,
            topic_id=topic_id,
            subject_kind=kind,
            subject_id=subject_id,
            version=version,
            cause=cause,
            label=label,
            traces=list(traces),
            state=ReviewState.OPEN,
            opened_at=tx.now,
        )
        tx.session.add(review)
        await tx.session.flush()
    elif review.state is ReviewState.OPEN and cause in VERDICTS:
        review.cause, review.label, review.traces = cause, label, list(traces)
    return review


async def note_pass(tx: Transaction, subject: Subject, *, traces: Sequence[str] = ()) -> None:
    """A verdict that was missing has come, and had nothing against it."""
    review = await queries.review_of(tx, subject)
    if review is None or review.state is not ReviewState.OPEN or review.cause in VERDICTS:
        return
    review.state, review.decided_at, review.traces = ReviewState.PASSED, tx.now, list(traces)


async def decide_review(
    tx: Transaction,
    review_id: UUID,
    *,
    decision: ReviewDecision,
    reason_code: HidingReason | None = None,
    reason: str = "",
) -> ContentReview:
    """A clerk or host keeps it, hides it for a reason from the list (the author is told and may
    appeal), or leaves a topic to screening. Deciding the same again changes nothing.

    Refuses with OwnContentReview, ReviewDecided, TopicsAreScreened, ReasonMissing; when hiding
    also with WasRestored.
    """
    review = await queries.access_review(tx, review_id, lock=True)
    if review.state is STATE_AFTER[decision] and review.decided_by_id == tx.person_id:
        return review
    subject = queries.subject_of(review)
    what = (await queries.written(tx, [subject])).get(subject)
    review_rules.check_decidable(
        review.state,
        review.subject_kind,
        decision,
        writers=frozenset() if what is None else what.writers,
        decider=tx.person_id,
    )
    if decision is ReviewDecision.HIDE:
        rules.check_reason("" if reason_code is None else reason)
        assert reason_code is not None
        await _hide(tx, review, reason_code, reason)
    elif review.subject_kind is ReviewSubject.MEDIUM:
        await show_photo(tx, review.subject_id)
    review.state = STATE_AFTER[decision]
    review.decided_by_id, review.decided_at = tx.person_id, tx.now
    review.reason_code = None if reason_code is None else reason_code.value
    review.reason = reason or None
    return review


async def _hide(
    tx: Transaction, review: ContentReview, reason_code: HidingReason, reason: str
) -> None:
    """By moderation's own commands, unless another moderator was faster."""
    if review.subject_kind is ReviewSubject.POST:
        post = await tx.session.get(Post, review.subject_id)
        if post is not None and not rules.is_hidden(
            hidden_at=post.hidden_at, appeal_upheld=post.appeal_upheld
        ):
            await hide_post(tx, review.subject_id, reason_code=reason_code, reason=reason)
    elif review.subject_kind is ReviewSubject.STATEMENT:
        statement = await tx.session.get(Statement, review.subject_id)
        if statement is not None and statement.state is not StatementState.REJECTED:
            await moderate_statement(
                tx, review.subject_id, accept=False, reason_code=reason_code, reason=reason
            )
    elif review.subject_kind is ReviewSubject.MEDIUM:
        await hide_photo(tx, review.subject_id, reason=reason)
