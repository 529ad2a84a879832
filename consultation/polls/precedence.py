"""ONE VOTER, SEVERAL CASTS (domain 4.4): which stands, is set aside or is refused. No I/O."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol, TypeVar

from consultation.polls.presets import BallotChannel, Duplicates, Revote, RulePreset
from consultation.polls.rules import BallotKeyReused, Choices


class Precedence(StrEnum):
    """What becomes of a cast of a voter of whom one stands already."""

    REFUSED = "refused"
    REPLACES = "replaces"
    SET_ASIDE = "set_aside"  # recorded, reconciled, not counted


ON_PAPER = frozenset({BallotChannel.PAPER, BallotChannel.HOME_VISIT})
"""Channels in which a voter's ballot is a numbered form."""


def precedence(
    preset: RulePreset,
    stands: BallotChannel,
    comes: BallotChannel,
    *,
    stands_valid: bool = True,
    comes_valid: bool = True,
) -> Precedence:
    """The rule on several casts of one voter (domain 4.4).

    A voter's own vote revokes the proxy's, and a proxy's never replaces the voter's own. Between
    phone and paper a valid ballot prevails over one that cannot be read, whichever came first, and
    of two that are valid the preset says which. Within one channel a re-vote needs
    ``last_valid_before_close``, and the last one counts. Anything else is refused.
    """
    if stands is BallotChannel.PROXY and comes is not BallotChannel.PROXY:
        return Precedence.REPLACES
    if comes is BallotChannel.PROXY and stands is not BallotChannel.PROXY:
        return Precedence.SET_ASIDE
    if (stands in ON_PAPER) != (comes in ON_PAPER):
        paper = preset.duplicates is Duplicates.PAPER_PREVAILS
        prevails = (comes in ON_PAPER) == paper if stands_valid == comes_valid else comes_valid
        return Precedence.REPLACES if prevails else Precedence.SET_ASIDE
    if preset.revote is Revote.LAST_VALID_BEFORE_CLOSE and comes not in ON_PAPER:
        return Precedence.REPLACES
    return Precedence.REFUSED


class Stored(Protocol):
    """A cast that is in the ledger."""

    @property
    def cast_no(self) -> int: ...
    @property
    def choices(self) -> Choices | None: ...
    @property
    def channel(self) -> BallotChannel: ...
    @property
    def set_aside(self) -> bool: ...


AnyStored = TypeVar("AnyStored", bound=Stored)


def another_cast(
    preset: RulePreset,
    known: Sequence[AnyStored],
    choices: Choices | None,
    channel: BallotChannel,
    again: AnyStored | None = None,
) -> AnyStored | Precedence:
    """What becomes of a cast of a voter whose casts ``known`` are in, in their order: the equal one
    among them whose receipt it gets, or its precedence over the one that stands.

    ``again`` is the one among them that came with the same key of the client. So a request that is
    delivered once more, when another ballot stands already, undoes nothing. Without a key it cannot
    be told from a change of mind. Refuses with BallotKeyReused.
    """
    stands = _stands(known)
    for one in known if again is None else [again, *known]:
        equal = one.choices == choices and one.channel is channel
        if equal and (one is again or one is stands or one.set_aside):
            return one
    outcome = over_what_stands(preset, known, choices, channel)
    if again is not None and outcome is not Precedence.REFUSED:
        raise BallotKeyReused()
    return outcome


def over_what_stands(
    preset: RulePreset, known: Sequence[Stored], choices: Choices | None, channel: BallotChannel
) -> Precedence:
    """Whatever the ballots say: only whether they can be read."""
    stands = _stands(known)
    return precedence(
        preset,
        stands.channel,
        channel,
        stands_valid=stands.choices is not None,
        comes_valid=choices is not None,
    )


def _stands(known: Sequence[AnyStored]) -> AnyStored:
    return [one for one in known if not one.set_aside][-1]


def equal_after_close(
    known: Sequence[AnyStored], choices: Choices, again: AnyStored | None = None
) -> AnyStored | None:
    """Of what is in, the ballot whose answer may have been lost; ``again`` as above."""
    if again is not None and again.choices == choices:
        return again
    equal = [one for one in known if one.choices == choices and not one.set_aside]
    return equal[-1] if equal else None
