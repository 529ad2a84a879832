"""THE RULES OF A POLL: its states, what is voted on, what a ballot is and when it is taken. No I/O.

What may be put to the vote stands in ``terms``, who votes in ``rolls``, counting in ``counting``,
and the words of a result in ``wording``.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from pydantic import Field

from consultation.polls.presets import Frozen, RulePreset
from consultation.refusals import AlreadyDone, Invalid, NotNow, NotPermitted


class PollState(StrEnum):
    DRAFT = "draft"
    ANNOUNCED = "announced"  # text, preset and roll are frozen
    OPEN = "open"
    CLOSED = "closed"  # over; the count is stored and waits for its signatures
    PUBLISHED = "published"
    VOIDED = "voided"  # never opened in its window, or annulled


class Choice(StrEnum):
    FOR = "for"
    AGAINST = "against"
    ABSTAIN = "abstain"


class BallotChannel(StrEnum):
    ELECTRONIC = "electronic"
    PAPER = "paper"
    SHOW_OF_HANDS = "show_of_hands"
    ASSISTED = "assisted"  # typed by staff for a voter who asked for it


class Verdict(StrEnum):
    PASSED = "passed"
    PARTLY_PASSED = "partly_passed"  # of several items, some
    NOT_PASSED = "not_passed"
    NO_QUORUM = "no_quorum"
    SUPPORTED = "supported"  # indicative polls
    PARTLY_SUPPORTED = "partly_supported"
    NOT_SUPPORTED = "not_supported"
    NOTED = "noted"  # opinion polls: no wording of passing


# ---- refusals -----------------------------------------------------------------------------------


class PollNotOpen(NotNow):
    """No ballot can be cast: the poll is not open."""

    code = "poll-not-open"


class PollClosed(NotNow):
    """The closing instant has come; it is itself already too late."""

    code = "poll-closed"


class NotOnRoll(NotPermitted):
    """Only people on the frozen roll vote."""

    code = "not-on-roll"


class NotAtMeeting(NotPermitted):
    """In a meeting those present vote; this voter is not signed in."""

    code = "not-at-meeting"


class BallotInvalid(Invalid):
    """Every item must be answered exactly once with one of its choices."""

    code = "ballot-invalid"


class AlreadyVoted(AlreadyDone):
    """Another ballot of this voter is in the poll."""

    code = "already-voted"


class WrongChannel(Invalid):
    """This preset takes no ballots in that way."""

    code = "wrong-channel"


class NotCounted(NotNow):
    """The poll is not closed, or its result is published already."""

    code = "poll-not-counted"


class ChoicesSealed(NotNow):
    """Nobody sees a choice before the close."""

    code = "choices-sealed"


class NotImpartial(NotPermitted):
    """The topic's author and whoever declared an interest neither enter ballots nor sign."""

    code = "not-impartial"


class SignedDigestDiffers(Invalid):
    """The digest is not that of the stored count."""

    code = "signed-digest-differs"


# ---- what is voted on ---------------------------------------------------------------------------


class PollItem(Frozen):
    """One item 表决事项, voted for, against or abstained. ``cost_fen`` for budget allocation."""

    number: int = Field(ge=1)
    text: str = Field(min_length=1, max_length=400)
    cost_fen: int | None = Field(default=None, ge=0)
    choices: list[Choice] = Field(
        default_factory=lambda: [Choice.FOR, Choice.AGAINST, Choice.ABSTAIN]
    )


class RolledUnit(Frozen):
    unit_id: UUID
    code: str
    area_dm2: int


class PollText(Protocol):
    """What voters were told they would vote on."""

    question: str
    items: list[PollItem]
    budget_fen: int | None
    preset: RulePreset


def text_hash(poll: PollText) -> str:
    """SHA-256 over the canonical JSON of question, items, budget and preset: what was announced
    is what is voted on (T11)."""
    preset = poll.preset.model_dump(mode="json")
    if preset["served_min"] is None:  # polls announced before there was such a field
        del preset["served_min"]
    return digest(
        {
            "question": poll.question,
            "items": [item.model_dump(mode="json") for item in poll.items],
            "budget_fen": poll.budget_fen,
            "preset": preset,
        }
    )


def digest(content: Any) -> str:
    """SHA-256 of canonical JSON (sorted keys, no spaces, UTF-8)."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


# ---- voting -------------------------------------------------------------------------------------


def check_open(state: PollState, closes_at: datetime, now: datetime) -> None:
    """The closing instant itself is already too late."""
    if state in (PollState.CLOSED, PollState.PUBLISHED) or (
        state is PollState.OPEN and now >= closes_at
    ):
        raise PollClosed(closes_at=closes_at.isoformat())
    if state is not PollState.OPEN:
        raise PollNotOpen(state=state.value)


def check_ballot(items: Sequence[PollItem], answers: Iterable[tuple[int, str]]) -> dict[str, str]:
    """Every item answered exactly once with an allowed choice; the ballot as it is stored."""
    allowed = {item.number: item.choices for item in items}
    given: dict[int, Choice] = {}
    for number, answer in answers:
        if number not in allowed or number in given or answer not in allowed[number]:
            raise BallotInvalid(item=number)
        given[number] = Choice(answer)
    missing = [str(number) for number in sorted(allowed.keys() - given.keys())]
    if missing:
        raise BallotInvalid(missing=missing)
    return {str(number): given[number].value for number in sorted(given)}
