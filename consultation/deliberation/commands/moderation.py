"""Moderation 发言管理: hiding with a reason, one appeal, decided by somebody else."""

from uuid import UUID

from consultation.database import Transaction
from consultation.deliberation import rules
from consultation.deliberation.queries import access_post
from consultation.deliberation.rules import HidingReason
from consultation.deliberation.tables import Post
from consultation.events.deliberation import PostHidden, PostRestored
from consultation.events.people import UserNotified
from consultation.permissions import Deed
from consultation.topics.tables import Topic


async def hide_post(
    tx: Transaction, post_id: UUID, *, reason_code: HidingReason, reason: str
) -> Post:
    """Fold a post away. The author is told the reason and may appeal; others see the code.

    Refuses with ReasonMissing, PostAlreadyHidden or PostWasRestored.
    """
    post, topic = await access_post(tx, post_id, Deed.MODERATE, lock=True)
    rules.check_hideable(hidden_at=post.hidden_at, appeal_upheld=post.appeal_upheld)
    rules.check_reason(reason)

    post.hidden_at = tx.now
    post.hidden_by_id = tx.person_id
    post.hidden_reason_code = reason_code.value
    post.hidden_reason = reason

    tx.emit(
        PostHidden(
            community_id=topic.community_id,
            topic_id=topic.id,
            thread_id=post.thread_id,
            post_id=post.id,
            reason_code=reason_code.value,
        )
    )
    _tell_author(tx, post, topic, about="post_hidden", reason_code=reason_code.value)
    return post


async def appeal_hidden_post(tx: Transaction, post_id: UUID, *, reason: str) -> Post:
    """The author, or who entered the post for them, appeals once within 15 days.

    Refuses with NotYourPost, NothingToAppeal, AppealUsed, AppealTooLate or ReasonMissing.
    """
    post, _ = await access_post(tx, post_id, Deed.SPEAK, lock=True)
    if tx.person_id not in (post.author_id, post.entered_by_id):
        raise rules.NotYourPost()
    rules.check_appealable(hidden_at=post.hidden_at, appealed_at=post.appealed_at, now=tx.now)
    rules.check_reason(reason)

    post.appeal = reason
    post.appealed_at = tx.now
    return post


async def review_hidden_post(
    tx: Transaction, post_id: UUID, *, restore: bool, opinion: str
) -> Post:
    """The supervisor decides an appeal, never who hid the post; ``restore`` shows it again.

    Refuses with NoAppealWaits, HiderDecidesNot or ReasonMissing.
    """
    post, topic = await access_post(tx, post_id, Deed.REVIEW_MODERATION, lock=True)
    rules.check_decidable(
        appealed_at=post.appealed_at,
        decided=post.appeal_decided_at is not None,
        hidden_by=post.hidden_by_id,
        decider=tx.person_id,
        reason=opinion,
    )

    post.appeal_decided_by_id = tx.person_id
    post.appeal_decided_at = tx.now
    post.appeal_upheld = restore
    post.appeal_opinion = opinion

    if restore:
        tx.emit(
            PostRestored(
                community_id=topic.community_id,
                topic_id=topic.id,
                thread_id=post.thread_id,
                post_id=post.id,
            )
        )
    verdict = "upheld" if restore else "dismissed"
    _tell_author(tx, post, topic, about="post_appeal_decided", reason_code=verdict)
    return post


def _tell_author(
    tx: Transaction, post: Post, topic: Topic, *, about: str, reason_code: str
) -> None:
    """The author and, for assisted posts, the grid worker, who tells a resident without a phone."""
    for person_id in {post.author_id, post.entered_by_id} - {None}:
        assert person_id is not None
        tx.emit(
            UserNotified(
                community_id=topic.community_id,
                person_id=person_id,
                about=about,
                topic_id=topic.id,
                subject_id=post.id,
                reason_code=reason_code,
            )
        )
