"""SHOW OF HANDS: when hands are counted in totals, and what a total must add up to. No I/O."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from consultation.polls.presets import Measure, RulePreset
from consultation.polls.results import Count
from consultation.polls.rules import BallotInvalid, PollItem
from consultation.polls.thresholds import turnout_progress
from consultation.refusals import Invalid, NotNow

LEAST_WITNESSES = 2


class HandsNotCounted(Invalid):
    """Hands count heads, in a meeting, one answer to each item; nothing else."""

    code = "hands-not-counted-here"


class HandsNotConfidential(Invalid):
    """A raised hand shows everybody who chose what: a confidential poll never counts hands."""

    code = "hands-not-confidential"


class WitnessesNeeded(Invalid):
    """Two people who are present count along with the teller."""

    code = "hand-witnesses-needed"


class HandsDiffer(Invalid):
    """The witness counted something else than was entered."""

    code = "hands-differ"


class MoreHandsThanPeople(Invalid):
    """More hands than members who are signed in."""

    code = "more-hands-than-people"


class HandsWithoutQuorum(NotNow):
    """Before hands go up enough members are there; ``needed`` of ``base`` are, ``present`` are."""

    code = "hands-without-quorum"


class HandsOrBallots(NotNow):
    """A vote is counted by hands or by ballots, not by both: nobody could tell who voted twice."""

    code = "hands-or-ballots"


def check_by_hand(preset: RulePreset, items: Sequence[PollItem]) -> None:
    one_answer = all(item.most == 1 for item in items)
    if not (preset.held_in_meeting and preset.measures == [Measure.HEADS] and one_answer):
        raise HandsNotCounted(preset=preset.key)


def check_quorum(preset: RulePreset, eligible: Count, *, present: int) -> None:
    """Presence is the turnout of a vote in a meeting (domain 3.3: before any show of hands)."""
    for check in turnout_progress(preset, eligible, Count(heads=present)):
        if not check.reached:
            raise HandsWithoutQuorum(present=present, needed=check.needed, base=check.base)


def check_totals(
    items: Sequence[PollItem], heads: int, totals: Mapping[str, Mapping[str, int]], *, present: int
) -> None:
    """Every item has the hands of all ``heads`` who took part: who raised none abstained."""
    if heads > present:
        raise MoreHandsThanPeople(hands=heads, present=present)
    asked = {str(item.number): item for item in items}
    for number in sorted(asked.keys() | totals.keys()):
        given = totals.get(number, {})
        fits = number in asked and given.keys() <= set(asked[number].choices)
        if not fits or min(given.values(), default=0) < 0 or sum(given.values()) != heads:
            raise BallotInvalid(item=number)


def check_witnesses(
    witnesses: Collection[UUID], *, counter: UUID, absent: Collection[UUID]
) -> None:
    if len(set(witnesses) - {counter} - set(absent)) < max(LEAST_WITNESSES, len(witnesses)):
        raise WitnessesNeeded(least=LEAST_WITNESSES)
