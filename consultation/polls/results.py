"""THE SHAPE OF A COUNT: what goes into it and what comes out. Data only.

Every number is an integer: heads, area in 0.01 m², money in fen. A stored result is the JSON of
``Result``. ``steps`` explain the other fields and follow from them, so that a re-count may leave
them out of its comparison.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from consultation.polls.presets import Base, Frozen, Measure, QuestionKind
from consultation.polls.rules import Choice, Verdict


class Funding(StrEnum):
    """Where an approved item of a budget allocation ended."""

    FUNDED = "funded"
    RESERVE = "reserve"  # approved, but the money did not last


class Count(Frozen):
    """Heads, and area in 0.01 m²."""

    heads: int = 0
    area_dm2: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(heads=self.heads + other.heads, area_dm2=self.area_dm2 + other.area_dm2)

    def of(self, measure: Measure) -> int:
        return self.heads if measure is Measure.HEADS else self.area_dm2


class ThresholdCheck(Frozen):
    """One threshold applied: ``value`` of ``base`` against numerator/denominator. ``needed`` is the
    least value that reaches it, at least 1; ``missing`` is what is still lacking, 0 if reached."""

    measure: Measure
    of: Base
    value: int
    base: int
    numerator: int
    denominator: int
    inclusive: bool
    needed: int
    missing: int
    reached: bool


class Step(Frozen):
    """One step of a counting method. ``key`` names a text of the catalogue (``polls.step``);
    facts are counts, codes of options and numbers of items."""

    key: str
    facts: dict[str, str | int | list[str]]


class OptionTally(Frozen):
    """What one answer got. ``votes`` are ballots that were cast (and hands that were counted);
    ``deemed`` are silent voters who count with the majority, never mixed with the former.
    ``approval`` holds the preset's approval thresholds applied to votes + deemed, for the answers
    that can be approved: "for", and every option of a choice or election. Grades have none."""

    code: str
    votes: Count
    deemed: Count = Count()
    approval: list[ThresholdCheck] = Field(default_factory=list)


class ItemResult(Frozen):
    """The count of one item. ``tallies`` are in the order of ``PollItem.choices``.

    ``chosen``: options adopted, candidates elected in the order of their votes, the majority grade
    of a rating; empty for motions and without a quorum. ``leading``: who has most votes in heads
    (several if equal; empty if nobody has any), for every kind but a motion. ``tied``: whom an
    equality of votes kept from being chosen. ``runoff``: candidates who stand again for the
    ``open_seats`` of an election.
    """

    number: int
    kind: QuestionKind
    tallies: list[OptionTally]
    verdict: Verdict
    chosen: list[str] = Field(default_factory=list)
    leading: list[str] = Field(default_factory=list)
    tied: list[str] = Field(default_factory=list)
    runoff: list[str] = Field(default_factory=list)
    open_seats: int | None = None
    funding: Funding | None = None
    steps: list[Step] = Field(default_factory=list)

    def tally(self, code: str) -> OptionTally:
        return next(one for one in self.tallies if one.code == code)

    def votes(self, code: str) -> Count:
        return self.tally(code).votes

    @property
    def votes_for(self) -> Count:
        return self.votes(Choice.FOR)

    @property
    def votes_against(self) -> Count:
        return self.votes(Choice.AGAINST)

    @property
    def abstentions(self) -> Count:
        return self.votes(Choice.ABSTAIN)

    @property
    def approval(self) -> list[ThresholdCheck]:
        """Of a motion: the thresholds applied to "for"."""
        return self.tally(Choice.FOR).approval


class Result(Frozen):
    """The outcome of a count. Exact counts decide; percentages are for display only.

    ``eligible`` sums the roll. ``valid`` and ``invalid`` are ballots cast, ``deemed`` the silent
    who count as taking part. ``participating`` = valid + deemed (+ invalid, where the preset says
    so). ``by_hand`` is how many of ``valid`` were hands counted without names. ``present`` is null
    but for a preset held in a meeting.
    """

    eligible: Count
    participating: Count
    valid: Count
    invalid: Count
    deemed: Count
    by_hand: int = 0
    present: int | None
    turnout: list[ThresholdCheck]
    quorum_reached: bool
    items: list[ItemResult]
    verdict: Verdict
    budget_left_fen: int | None = None
    steps: list[Step] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Vote:
    """One ballot as it is counted.

    ``voter`` is the place on the roll (its id), which gives one head and its area. It is None of a
    ballot that nobody can link with a place any more (confidential polls): that is one head with
    ``area_dm2``, and the box vouches that it is one voter's.

    ``choices`` is item number (as text) → codes. It is None of an invalid ballot, and of a
    ``deemed`` one: a silent voter who counts with the majority.
    """

    voter: UUID | None
    choices: Mapping[str, Sequence[str]] | None
    deemed: bool = False
    area_dm2: int = 0


@dataclass(frozen=True, slots=True)
class HandTotals:
    """A show of hands without names: ``heads`` people took part, and ``items`` is item number (as
    text) → code → hands. The hands of every item sum up to ``heads``: who raised none abstained.
    """

    heads: int
    items: Mapping[str, Mapping[str, int]]
