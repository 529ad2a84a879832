"""THE RULES OF DELIBERATION: who may say what, how long, until when it may be changed, and for
which reasons, and only those, it may be hidden. No I/O.

Orderly participation (seed 二(五) 扩大有序参与, S16): verified people only, one topic at a time,
short posts, a bounded rate, no attack on a person; every hiding has a reason that its author
learns and may appeal against once.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from consultation.calendar import local_day
from consultation.permissions import Deed, Grant, Role, grant_of
from consultation.refusals import AlreadyDone, Invalid, NotNow, NotPermitted
from consultation.topics.plan import procedure
from consultation.topics.rules import OPEN_TO_SPEAK
from consultation.topics.states import State

RESIDENT_LENGTH = 300
"""Characters of a resident's post: what the host of D4 announces (每人每次不超过300字) [P]."""
STAFF_LENGTH = 2000
TITLE_LENGTH = 80
STATEMENT_LENGTH = 200
EDIT_WINDOW = timedelta(minutes=15)
RATE_WINDOW = timedelta(minutes=10)
RATE_POSTS = 10
OF_AGE = 18

RESIDENTS = frozenset({Role.RESIDENT, Role.REPRESENTATIVE, Role.STAKEHOLDER})


class Stance(StrEnum):
    FOR = "for"
    AGAINST = "against"
    NEUTRAL = "neutral"
    QUESTION = "question"


class StatementState(StrEnum):
    OPEN = "open"  # not yet looked at; can be marked
    ACCEPTED = "accepted"
    REJECTED = "rejected"  # off the list, with a reason; its marks stay


class Mark(StrEnum):
    AGREE = "agree"
    DISAGREE = "disagree"
    PASS = "pass"  # noqa: S105  not a password


class HidingReason(StrEnum):
    """Why a post may be hidden or a statement rejected. Criticism of the work of authorities,
    committees or companies is not among them, and no other reason can be given."""

    PERSONAL_ATTACK = "personal_attack"
    NAMES_A_PERSON = "names_a_person"
    SPECIAL_GROUP_DATA = "special_group_data"
    ADVERTISING = "advertising"
    OFF_TOPIC_REPEAT = "off_topic_repeat"
    UNLAWFUL = "unlawful"


class NotDeliberating(NotNow):
    """People speak while the topic is being deliberated, not before and not after."""

    code = "not-deliberating"


class ThreadIsClosed(NotNow):
    code = "thread-closed"


class TextMissing(Invalid):
    code = "text-missing"


class TextTooLong(Invalid):
    """``longest`` characters are allowed, ``given`` came."""

    code = "text-too-long"


class TooManyPosts(NotNow):
    """So many posts in so short a time leave no room for others."""

    code = "too-many-posts"


class SpeakerUnderAge(NotPermitted):
    """People under 18 read along; they speak at meetings held for them (PIPL 31)."""

    code = "speaker-under-age"


class HostSpeaksToProcedure(NotPermitted):
    """Who hosts takes no side."""

    code = "host-speaks-to-procedure"


class ReplyTooDeep(Invalid):
    """A reply answers a post, not another reply."""

    code = "reply-too-deep"


class ConsentNoteMissing(Invalid):
    """What is entered for a resident says how the resident agreed to it."""

    code = "assistance-consent-missing"


class ResidentNotInYourGrid(NotPermitted):
    """A grid worker writes for residents of the own grid."""

    code = "resident-not-in-your-grid"


class NotYourPost(NotPermitted):
    code = "not-your-post"


class EditWindowOver(NotNow):
    """A post can be changed for 15 minutes; the last instant is already too late."""

    code = "edit-window-over"


class PostAnswered(NotNow):
    """Somebody replied: what they replied to stays."""

    code = "post-answered"


class PostIsHidden(NotNow):
    code = "post-hidden"


class PostAlreadyHidden(AlreadyDone):
    code = "post-already-hidden"


class WasRestored(NotNow):
    """The supervisor has restored it: it is not hidden or rejected a second time."""

    code = "was-restored"


class ReasonMissing(Invalid):
    """Hiding and rejecting need a reason from the list and a sentence for the author."""

    code = "moderation-reason-missing"


class NothingToAppeal(NotNow):
    code = "nothing-to-appeal"


class AppealUsed(AlreadyDone):
    """One appeal for one hiding."""

    code = "appeal-used"


class AppealTooLate(NotNow):
    code = "appeal-too-late"


class NoAppealWaits(NotNow):
    code = "no-appeal-waits"


class HiderDecidesNot(NotPermitted):
    """Who hid a post does not decide the appeal against it."""

    code = "hider-decides-not"


class StatementIsRejected(NotNow):
    code = "statement-rejected"


class StatementNotRejected(NotNow):
    code = "statement-not-rejected"


class ResidentsOnly(NotPermitted):
    """Statements and marks are the residents': who holds a role and lives here acts without it."""

    code = "residents-only"


def check_open(state: State) -> None:
    if state not in OPEN_TO_SPEAK:
        raise NotDeliberating(state=state.value)


def check_thread(*, closed_at: datetime | None) -> None:
    if closed_at is not None:
        raise ThreadIsClosed()


def check_text(text: str, *, longest: int) -> None:
    """Text as the author sees it: characters, not bytes."""
    if not text.strip():
        raise TextMissing()
    if len(text) > longest:
        raise TextTooLong(longest=longest, given=len(text))


def longest_post(role: Role) -> int:
    return RESIDENT_LENGTH if role in RESIDENTS else STAFF_LENGTH


def check_resident(role: Role) -> None:
    if role not in (Role.RESIDENT, Role.STAKEHOLDER):
        raise ResidentsOnly()


def check_stance(role: Role, stance: Stance) -> None:
    """Who may only speak to procedure (``Grant.OWN``) takes neither side."""
    if grant_of(Deed.SPEAK, role) is Grant.OWN and stance in (Stance.FOR, Stance.AGAINST):
        raise HostSpeaksToProcedure()


def check_age(born_on: date | None, now: datetime) -> None:
    """Full years on the day in Shanghai; unknown dates of birth were checked with the register."""
    if born_on is None:
        return
    today = local_day(now)
    years = today.year - born_on.year - ((today.month, today.day) < (born_on.month, born_on.day))
    if years < OF_AGE:
        raise SpeakerUnderAge(age=OF_AGE)


def check_rate(recent: int) -> None:
    """``recent`` posts of the person on the topic in the last ten minutes."""
    if recent >= RATE_POSTS:
        raise TooManyPosts(most=RATE_POSTS, minutes=int(RATE_WINDOW.total_seconds()) // 60)


def check_reply(*, parent_is_reply: bool, parent_is_hidden: bool) -> None:
    if parent_is_reply:
        raise ReplyTooDeep()
    if parent_is_hidden:
        raise PostIsHidden()


def check_editable(*, created_at: datetime, replies: int, hidden: bool, now: datetime) -> None:
    if hidden:
        raise PostIsHidden()
    if now >= created_at + EDIT_WINDOW:
        raise EditWindowOver(minutes=int(EDIT_WINDOW.total_seconds()) // 60)
    if replies:
        raise PostAnswered()


def check_reason(reason: str) -> None:
    if not reason.strip():
        raise ReasonMissing()


def is_hidden(*, hidden_at: datetime | None, appeal_upheld: bool | None) -> bool:
    return hidden_at is not None and appeal_upheld is not True


def check_hideable(*, hidden_at: datetime | None, appeal_upheld: bool | None) -> None:
    if appeal_upheld:
        raise WasRestored()
    if hidden_at is not None:
        raise PostAlreadyHidden()


def check_appealable(
    *, hidden_at: datetime | None, appealed_at: datetime | None, now: datetime
) -> None:
    """Once, within the procedure's period for appeals from the hiding on."""
    if hidden_at is None:
        raise NothingToAppeal()
    if appealed_at is not None:
        raise AppealUsed()
    if now >= procedure().periods["appeal"].after(hidden_at):
        raise AppealTooLate(days=procedure().periods["appeal"].days)


def check_decidable(
    *,
    appealed_at: datetime | None,
    decided: bool,
    hidden_by: UUID | None,
    decider: UUID,
    reason: str,
) -> None:
    if appealed_at is None or decided:
        raise NoAppealWaits()
    if hidden_by == decider:
        raise HiderDecidesNot()
    check_reason(reason)


def may_read_hidden(role: Role, viewer: UUID | None, *writers: UUID | None) -> bool:
    """Author, who entered it for them, moderators and who reviews them; nobody else."""
    return (viewer is not None and viewer in writers) or any(
        grant_of(deed, role) for deed in (Deed.MODERATE, Deed.REVIEW_MODERATION)
    )


def thread_column(stance: Stance) -> str:
    """The thread's column that counts the posts of a stance."""
    return f"posts_{stance.value}"


def check_rejectable(*, restored: bool) -> None:
    if restored:
        raise WasRestored()


def check_restorable(state: StatementState, *, rejected_by: UUID | None, decider: UUID) -> None:
    if state is not StatementState.REJECTED:
        raise StatementNotRejected()
    if rejected_by == decider:
        raise HiderDecidesNot()


def check_markable(state: StatementState) -> None:
    """Open ones too: a statement need not wait for its moderator."""
    if state is StatementState.REJECTED:
        raise StatementIsRejected()


def is_retry(before: Mark, last_key: str | None, *, mark: Mark, once: str | None) -> bool:
    """A mark with a key is a retry when the person's last mark here had that key; one without a
    key when it says what already stands."""
    return before == mark if once is None else once == last_key


STANDING: Mapping[Mark, str] = {
    Mark.AGREE: "agrees",
    Mark.DISAGREE: "disagrees",
    Mark.PASS: "passes",
}
"""The statement's column that counts the marks of a kind that stand."""
COUNTS = tuple(STANDING.values())
EVENTS: Mapping[Mark, str] = {mark: f"{mark.value}_events" for mark in Mark}
"""The statement's column that counts how often a mark of a kind was made."""


def change(before: Mark | None, mark: Mark) -> Counter[str]:
    """By how much a mark, in place of the one before, changes the columns of its statement."""
    by = Counter({EVENTS[mark]: 1})
    if before is not mark:
        by[STANDING[mark]] = 1
        if before is not None:
            by[STANDING[before]] = -1
    return by
