"""THE RULES OF REVIEW 人工复核: what a machine doubts, a person decides. No I/O.

A machine neither hides nor passes over anything here: its doubt, its failure and its silence all
lead to a row that a clerk or host decides. Reasons to hide are those of moderation, among which
criticism of authorities is not (``rules.HidingReason``); the author is told and may appeal.
"""

from enum import StrEnum
from uuid import UUID

from consultation.refusals import AlreadyDone, Invalid, NotPermitted


class ReviewSubject(StrEnum):
    POST = "post"
    STATEMENT = "statement"
    TOPIC = "topic"
    MEDIUM = "medium"


class ReviewCause(StrEnum):
    """Why a person must look, the most serious first."""

    RISKY = "risky"
    REVIEW = "review"  # the machine cannot tell
    CHECK_FAILED = "check_failed"  # no verdict; if one comes later, it is noted
    NO_RECENT_VISIT = "no_recent_visit"  # WeChat checks only for who was in the app of late
    NO_ACCOUNT = "no_account"  # written in a browser, or by somebody without an account
    TIMED_OUT = "timed_out"  # the verdict on a medium never came
    NO_MACHINE = "no_machine"  # a photo, where no machine is asked: none is shown unseen


class ReviewState(StrEnum):
    OPEN = "open"
    PASSED = "passed"  # a verdict that came later had nothing against it
    KEPT = "kept"
    HIDDEN = "hidden"
    LEFT_TO_SCREENING = "left_to_screening"  # a topic is answered by screening, with its own appeal


class ReviewDecision(StrEnum):
    KEEP = "keep"
    HIDE = "hide"
    LEAVE_TO_SCREENING = "leave_to_screening"


class ReviewDecided(AlreadyDone):
    """Somebody has decided, otherwise than asked now."""

    code = "review-decided"


class OwnContentReview(NotPermitted):
    """Nobody decides about what they wrote or entered themselves."""

    code = "own-content-review"


class TopicsAreScreened(Invalid):
    """A topic is not hidden: screening returns or rejects it, with reasons and an appeal; and only
    a topic can be left to screening."""

    code = "topics-are-screened"


STATE_AFTER = {
    ReviewDecision.KEEP: ReviewState.KEPT,
    ReviewDecision.HIDE: ReviewState.HIDDEN,
    ReviewDecision.LEAVE_TO_SCREENING: ReviewState.LEFT_TO_SCREENING,
}
VERDICTS = frozenset({ReviewCause.RISKY, ReviewCause.REVIEW})
"""Causes that are a machine's word on the content; the others are the lack of one."""


def check_decidable(
    state: ReviewState,
    subject: ReviewSubject,
    decision: ReviewDecision,
    *,
    writers: frozenset[UUID],
    decider: UUID,
) -> None:
    if decider in writers:
        raise OwnContentReview()
    if state is not ReviewState.OPEN:
        raise ReviewDecided(state=state.value)
    fits = {ReviewDecision.KEEP, ReviewDecision.HIDE}
    if subject is ReviewSubject.TOPIC:
        fits = {ReviewDecision.KEEP, ReviewDecision.LEAVE_TO_SCREENING}
    if decision not in fits:
        raise TopicsAreScreened()
