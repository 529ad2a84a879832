"""What becomes of a voter's own cast, by what the database said about it. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from consultation.community.queries import residence_role
from consultation.community.tables import ResidenceKind
from consultation.permissions import Role
from consultation.polls import precedence, rules
from consultation.polls.envelopes import check_once
from consultation.polls.leaves import canonical, sent_before
from consultation.polls.precedence import Precedence
from consultation.polls.presets import BallotChannel, BallotMode, RulePreset
from consultation.polls.rules import Choices, PollItem, PollState
from consultation.refusals import NotFound, Refusal

Answers = tuple[tuple[int, tuple[str, ...]], ...]
"""Item number and codes of each answer."""
REMEMBERED = 64
"""Different ballots of one poll."""


@dataclass(frozen=True, slots=True)
class OwnCast:
    """A ballot as it was handed in; ``once`` is the secret of a confidential one, or the key by
    which a named one is known again."""

    poll_id: UUID
    person_id: UUID
    answers: Answers
    once: str | None = None


@dataclass(slots=True)
class Receipt:
    """What the voter gets: of a named ballot the time, of a confidential one the tracker."""

    poll_id: UUID
    receipt: str
    cast_at: datetime | None
    tracker: str | None = None


@dataclass(frozen=True, slots=True)
class PollText:
    """What of a poll never changes once it is announced."""

    items: list[PollItem]
    preset: RulePreset
    mode: BallotMode
    box_public_key: str | None
    salt_secret: bytes | None = None
    _read: dict[Answers, tuple[Choices, str]] = field(default_factory=dict, compare=False)

    def read(self, answers: Answers) -> tuple[Choices, str]:
        """The ballot as ``rules.check_ballot`` makes it of the answers, or its refusal; also as it
        is written. Many voters answer alike, so it is kept, not to be changed."""
        found = self._read.get(answers)
        if found is None:
            choices = rules.check_ballot(self.items, answers)
            found = choices, canonical(choices).decode()
            if len(self._read) < REMEMBERED:
                self._read[answers] = found
        return found


@lru_cache(maxsize=64)
def preset_of(stored: str) -> RulePreset:
    """Polls are many and their presets few."""
    return RulePreset.model_validate_json(stored)


@dataclass(slots=True)
class Seen:
    """Poll and voter as the transaction sees them. ``entry`` is the id of the voter's place on the
    present roll, as the database has it, and None without one, like ``number``; ``level`` is None
    without a residence."""

    state: PollState
    closes_at: datetime
    topic_public: bool
    community: Any
    level: int | None
    kind: ResidenceKind | None
    entry: Any
    number: int
    area_dm2: int
    present: bool


@dataclass(slots=True)
class Admitted:
    """The ballot may go in, ``written`` as it is stored; or, when ``late``, only the receipt of an
    equal one may come out."""

    choices: Choices
    written: str
    once: bytes = b""
    late: rules.PollClosed | None = None


@dataclass(frozen=True, slots=True)
class Alone:
    """Not for a batch: ``commands/casting`` takes it by itself."""


ALONE = Alone()
CHANNEL = BallotChannel.ELECTRONIC


def judge(
    cast: OwnCast,
    text: PollText | None,
    seen: Seen | None,
    now: datetime,
    *,
    modes: frozenset[BallotMode],
) -> Admitted | Alone | Refusal:
    """The same checks in the same order as ``commands/casting.cast_ballot``. ``modes``: those that
    a batch can store."""
    if text is None or seen is None:
        return NotFound(what="poll")
    if text.mode not in modes or seen.state is PollState.DRAFT or not seen.topic_public:
        return ALONE
    if text.preset.held_in_meeting or CHANNEL not in text.preset.channels:
        return ALONE  # a show of hands may have been counted; the command looks
    try:
        role = Role.VISITOR
        if seen.level is not None and seen.kind is not None:
            role = residence_role(seen.level, seen.kind)
        rules.check_voter(text.preset, role, on_roll=seen.entry is not None)
        choices, written = text.read(cast.answers)
        once = b""
        if text.mode is BallotMode.CONFIDENTIAL:
            once = check_once(cast.once)
        try:
            rules.check_open(seen.state, seen.closes_at, now)
        except rules.PollClosed as late:
            return Admitted(choices, written, once, late)
        if text.preset.held_in_meeting and not seen.present:
            raise rules.NotAtMeeting(numbers=[str(seen.number)])
    except Refusal as refusal:
        return refusal
    return Admitted(choices, written, once)


@dataclass(frozen=True, slots=True)
class Known:
    """A cast that is in."""

    cast_no: int
    choices: Choices | None
    channel: BallotChannel
    set_aside: bool
    leaf_hash: bytes
    cast_at: datetime
    salt: bytes


@dataclass(frozen=True, slots=True)
class Another:
    """A further cast of the voter is recorded, under its number."""

    cast_no: int
    set_aside: bool


def equal_after_close(
    cast: OwnCast, text: PollText, seen: Seen, known: Sequence[Known], choices: Choices
) -> Known | None:
    """The ballot whose answer may have been lost."""
    same = sent_before(known, text.salt_secret, seen.number, cast.once)
    return precedence.equal_after_close(known, choices, same)


def again(
    cast: OwnCast, text: PollText, seen: Seen, known: Sequence[Known], choices: Choices
) -> Known | Another:
    """Another cast of a voter who has ``known``: an equal one, or how to record it. Refuses with
    AlreadyVoted or BallotKeyReused."""
    same = sent_before(known, text.salt_secret, seen.number, cast.once)
    outcome = precedence.another_cast(text.preset, known, choices, CHANNEL, same)
    if outcome is Precedence.REFUSED:
        raise rules.AlreadyVoted(numbers=[str(seen.number)])
    if isinstance(outcome, Precedence):
        return Another(known[-1].cast_no + 1, outcome is Precedence.SET_ASIDE)
    return outcome
