"""THE RULES OF A POLL: its states, what is voted on, what a ballot is and when it is taken. No I/O.

What may be put to the vote stands in ``terms`` and ``items``, who votes in ``rolls``, several casts
of one voter in ``precedence``, counting in ``counting``, the words of a result in ``wording``.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Protocol
from uuid import UUID

from pydantic import Field

from consultation.permissions import Deed, Role, check
from consultation.polls.presets import BallotChannel, Electorate, Frozen, QuestionKind, RulePreset
from consultation.refusals import AlreadyDone, Invalid, NotNow, NotPermitted


class PollState(StrEnum):
    DRAFT = "draft"
    ANNOUNCED = "announced"  # text, preset and roll are frozen
    OPEN = "open"
    CLOSED = "closed"  # over; the count is stored and waits for its signatures
    PUBLISHED = "published"
    VOIDED = "voided"  # never opened in its window, or annulled


class Choice(StrEnum):
    """The answers that have a name of their own; options, candidates and grades have codes."""

    FOR = "for"
    AGAINST = "against"
    ABSTAIN = "abstain"
    NONE = "none"  # none of these


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
    """In a meeting those present vote: once it is opened, who is signed in. This voter is not."""

    code = "not-at-meeting"


class BallotInvalid(Invalid):
    """Every item must be answered exactly once with one of its choices. ``item`` is one that is
    not, ``choices`` what may be said about it and ``most`` how many at once; ``items`` are all
    there are, of a number that is none of them."""

    code = "ballot-invalid"


class AlreadyVoted(AlreadyDone):
    """Another ballot of this voter is in the poll."""

    code = "already-voted"


class BallotKeyReused(AlreadyDone):
    """The Idempotency-Key came with another ballot of this voter."""

    code = "ballot-key-reused"


class WrongChannel(Invalid):
    """This preset takes no ballots in that way."""

    code = "wrong-channel"


class RecountByOthers(NotPermitted):
    """Who signed the first count does not sign the second."""

    code = "recount-by-others"


class RecountDiffers(NotNow):
    """What lies in the ledger does not give the count that was signed; nothing is published."""

    code = "recount-differs"


class NotCounted(NotNow):
    """The poll is not closed, or its result is published already."""

    code = "poll-not-counted"


class BoxNotClosed(NotNow):
    """The box of a confidential poll is opened after the close, and once."""

    code = "box-not-closed"


class BoxNotDestroyed(NotNow):
    """The count is signed when the box key and the envelopes are destroyed; that is under way."""

    code = "box-not-destroyed"


class BoxKeyUnusable(NotNow):
    """The key of the box is missing, or is not the one that was announced. Nothing was opened."""

    code = "box-key-unusable"


class NoBox(Invalid):
    """Only confidential polls have a box of envelopes."""

    code = "no-box"


class NotNamed(Invalid):
    """Nobody can say which ballot is whose: the poll is not a named one."""

    code = "not-named"


class ChoicesSealed(NotNow):
    """Nobody sees a choice before the close."""

    code = "choices-sealed"


class PollVoid(NotNow):
    """The poll never opened or was annulled: its ballots are shown to nobody and count nothing."""

    code = "poll-void"


class NotImpartial(NotPermitted):
    """The topic's author and whoever declared an interest neither enter ballots nor sign."""

    code = "not-impartial"


class SignedDigestDiffers(Invalid):
    """The digest is not that of the stored count."""

    code = "signed-digest-differs"


# ---- what is voted on ---------------------------------------------------------------------------


class Option(Frozen):
    """An option, candidate or grade. ``code`` is what ballots hold."""

    code: str = Field(pattern=r"^[a-z0-9_]{1,20}$")
    text: str = Field(min_length=1, max_length=200)


class PollItem(Frozen):
    """One item 表决事项. ``options`` for all kinds but a motion; ``most`` is how many of them a
    ballot may name; ``seats`` is how many an election fills; ``cost_fen`` for budget allocation."""

    number: int = Field(ge=1)
    text: str = Field(min_length=1, max_length=400)
    kind: QuestionKind = QuestionKind.MOTION
    options: list[Option] = Field(default_factory=list)
    most: int = Field(default=1, ge=1)
    seats: int | None = Field(default=None, ge=1)
    cost_fen: int | None = Field(default=None, ge=0)

    @cached_property
    def choices(self) -> list[str]:
        """Everything a ballot may say about this item."""
        if self.kind is QuestionKind.MOTION:
            return [Choice.FOR.value, Choice.AGAINST.value, Choice.ABSTAIN.value]
        none = [] if self.kind is QuestionKind.RATING else [Choice.NONE.value]
        return [*(option.code for option in self.options), *none, Choice.ABSTAIN.value]


class Candidate(Frozen):
    """Who stands behind an option of an election. Not part of the text that is shown: it keeps
    candidates from helping, carrying and counting (domain 4.4, 5)."""

    item: int
    code: str
    person_id: UUID


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
    return digest(
        {
            "question": poll.question,
            "items": [item.model_dump(mode="json") for item in poll.items],
            "budget_fen": poll.budget_fen,
            "preset": preset_text(poll.preset),
        }
    )


def preset_text(preset: RulePreset) -> dict[str, Any]:
    """A preset as text hash and manifest hold it: without fields that say nothing and were not
    there yet when earlier polls were announced."""
    content = preset.model_dump(mode="json")
    for place, name, nothing in _LATER_FIELDS:
        part = content[place] if place else content
        if part[name] == nothing:
            del part[name]
    return content


_LATER_FIELDS: Sequence[tuple[str, str, Any]] = (
    ("", "served_min", None),
    ("", "exact_turnout", True),
    ("", "recount", None),
    ("", "places", []),
    ("", "runoff_of", None),
    ("", "others_with_interest", False),
    ("proxies", "holder_on_roll", False),
)
"""Part of the preset, field, and what says nothing."""


def digest(content: Any) -> str:
    """SHA-256 of canonical JSON (sorted keys, no spaces, UTF-8)."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


# ---- voting -------------------------------------------------------------------------------------

BY_OFFICE = frozenset(
    {
        Electorate.OWNERS_COMMITTEE,
        Electorate.GROUP_REPRESENTATIVES,
        Electorate.RESIDENTS_REPRESENTATIVES,
        Electorate.VILLAGERS_REPRESENTATIVES,
        Electorate.COUNCIL_MEMBERS,
    }
)
"""Who is on these rolls is so by an office, and was known to whoever gave it to them."""


def check_voter(preset: RulePreset, role: Role, *, on_roll: bool) -> None:
    """A place on the present roll lets people vote in every role of the community (domain 5: "if
    L3"), and by office also without a verified home here. Refuses with NotPermitted or NotOnRoll.
    """
    by_office = on_roll and preset.electorate in BY_OFFICE
    if not (by_office and role is Role.VISITOR):
        check(Deed.CAST_BALLOT, role)
    if not on_roll:
        raise NotOnRoll()


def check_open(state: PollState, closes_at: datetime, now: datetime) -> None:
    """The closing instant itself is already too late."""
    if state in (PollState.CLOSED, PollState.PUBLISHED) or (
        state is PollState.OPEN and now >= closes_at
    ):
        raise PollClosed(closes_at=closes_at.isoformat())
    if state is not PollState.OPEN:
        raise PollNotOpen(state=state.value)


def check_channel(preset: RulePreset, channel: BallotChannel) -> None:
    """Ballots come in the ways that the preset names, and in no other."""
    if channel not in preset.channels:
        raise WrongChannel(channel=channel.value)


Choices = dict[str, list[str]]
"""A ballot as it is stored: item number → codes, sorted."""


def check_ballot(
    items: Sequence[PollItem], answers: Iterable[tuple[int, Sequence[str]]]
) -> Choices:
    """Every item answered exactly once: one or, where the item takes several, up to ``most`` of its
    choices; "none" and "abstain" stand alone. The ballot as it is stored."""
    asked = {item.number: item for item in items}
    given: Choices = {}
    for number, answer in answers:
        item = asked.get(number)
        if item is None:
            raise BallotInvalid(item=number, items=[str(one) for one in sorted(asked)])
        if str(number) in given or not _fits(item, answer):
            raise BallotInvalid(item=number, choices=item.choices, most=item.most)
        given[str(number)] = sorted(answer)
    missing = [str(number) for number in sorted(asked) if str(number) not in given]
    if missing:
        raise BallotInvalid(missing=missing)
    return {str(number): given[str(number)] for number in sorted(asked)}


_ALONE = frozenset({Choice.ABSTAIN.value, Choice.NONE.value})


def _fits(item: PollItem, answer: Sequence[str]) -> bool:
    if not 1 <= len(answer) <= item.most or len(set(answer)) < len(answer):
        return False
    if len(answer) > 1 and not _ALONE.isdisjoint(answer):
        return False
    return set(answer) <= set(item.choices)
