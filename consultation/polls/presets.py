"""Rule presets 规则预设: the numbers of the law as data (``presets/*.toml``), one frozen model.

A preset is copied into the poll when the poll is drafted and frozen with it at the announcement,
so that a later edition of the law cannot change a running vote. ``preset_files`` reads them.
"""

from datetime import date
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from consultation.community.tables import NodeKind
from consultation.topics.states import Layer


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Electorate(StrEnum):
    """Who is on the roll (domain 4.1)."""

    OWNERS = "owners"
    OWNERS_IN_SCOPE = "owners_in_scope"
    OWNERS_COMMITTEE = "owners_committee"
    ADULT_RESIDENTS = "adult_residents"
    HOUSEHOLD_REPRESENTATIVES = "household_representatives"
    GROUP_REPRESENTATIVES = "group_representatives"
    RESIDENTS_REPRESENTATIVES = "residents_representatives"
    VILLAGERS = "villagers"
    VILLAGER_HOUSEHOLDS = "villager_households"
    VILLAGERS_GROUP = "villagers_group"
    VILLAGERS_REPRESENTATIVES = "villagers_representatives"
    COUNCIL_MEMBERS = "council_members"
    AFFECTED_PEOPLE = "affected_people"
    OPEN_POLL = "open_poll"
    PARTY_MEMBERS = "party_members"  # recorded steps only: membership is not in the database


class Measure(StrEnum):
    HEADS = "heads"
    AREA = "area"  # in 0.01 m²


class QuestionKind(StrEnum):
    """What kind of answer an item asks for."""

    MOTION = "motion"  # for, against or abstain
    SINGLE_CHOICE = "single_choice"  # one option, or none of these
    MULTIPLE_CHOICE = "multiple_choice"  # up to ``most`` options, or none of these
    ELECTION = "election"  # approval of up to ``seats`` candidates, or none of these
    RATING = "rating"  # one grade of a scale


class BallotMode(StrEnum):
    """Who can link a voter with a choice (ADR 0008, 0019)."""

    NAMED = "named"  # the voter, tellers and supervisor see it after the close
    CONFIDENTIAL = "confidential"  # double envelope; the operator promises not to look
    SECRET = "secret"  # noqa: S105 blind credential, nobody can; not built, and refused


class BallotChannel(StrEnum):
    ELECTRONIC = "electronic"
    PAPER = "paper"
    SHOW_OF_HANDS = "show_of_hands"
    ASSISTED = "assisted"  # typed by staff for a voter who asked for it
    HOME_VISIT = "home_visit"  # the box came to the voter's door, with two staff
    PROXY = "proxy"  # by the holder of a written mandate


class Revote(StrEnum):
    NONE = "none"
    LAST_VALID_BEFORE_CLOSE = "last_valid_before_close"


class Duplicates(StrEnum):
    """Which ballot stands when one voter voted by phone and on paper."""

    ELECTRONIC_PREVAILS = "electronic_prevails"
    PAPER_PREVAILS = "paper_prevails"


class Silent(StrEnum):
    NOT_PARTICIPATING = "not_participating"
    DEEMED_MAJORITY = "deemed_majority"  # off unless the four conditions of domain 2.5 are met


class InvalidBallots(StrEnum):
    """Whether an invalid ballot counts as taking part."""

    NOT_PARTICIPATING = "not_participating"
    PARTICIPATING = "participating"  # elections: it belongs to the votes collected


class Condition(StrEnum):
    """What a passed vote needs besides, which no vote can give."""

    CONSENT_OF_USED_PARTS = "consent_of_used_parts"  # the owner of a used exclusive part agrees


class Proxies(Frozen):
    """Written mandates: none when ``max_principals`` is 0 (domain 4.4)."""

    max_principals: int = Field(default=0, ge=0)
    relatives_only: bool = False
    instructions_binding: bool = True
    holder_on_roll: bool = False  # the holder has a vote in the same poll


class Base(StrEnum):
    """The denominators, named; there is no "total"."""

    ELIGIBLE = "eligible"  # everybody on the roll
    PARTICIPATING = "participating"  # who cast a ballot, abstentions included
    PRESENT = "present"  # members of the roll who attend the meeting
    MEMBERS = "members"  # all members of the assembly: its roll
    VOTES_CAST = "votes_cast"  # ballots handed in


class Verification(StrEnum):
    """How sure the product is of the numbers (domain 0.1)."""

    VERIFIED = "verified"  # read in the primary text
    SECONDARY = "secondary"  # read in a secondary text, or for another city
    TO_CONFIRM = "to_confirm"  # assumed; the operator must check before binding use
    PRODUCT = "product"  # no law behind it


class Threshold(Frozen):
    """``of`` × ``numerator``/``denominator``: reached at the bound when ``inclusive`` (以上),
    only above it when not (过半数, 超过). Civil Code art. 1259.

    Files write ``at_least = "2/3"`` for the first and ``more_than = "1/2"`` for the second.
    """

    measure: Measure
    of: Base
    numerator: int = Field(ge=1)
    denominator: int = Field(ge=1)
    inclusive: bool

    @model_validator(mode="before")
    @classmethod
    def _from_words(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        words = {"at_least", "more_than"} & data.keys()
        if not words:
            return data
        if len(words) > 1:
            raise ValueError("a threshold is either at_least or more_than")
        bound = words.pop()
        numerator, _, denominator = data[bound].partition("/")
        rest = {name: value for name, value in data.items() if name != bound}
        return rest | {
            "numerator": int(numerator),
            "denominator": int(denominator),
            "inclusive": bound == "at_least",
        }

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.numerator > self.denominator:
            raise ValueError("a threshold above the whole can never be reached")
        if self.measure is Measure.AREA and self.of not in (Base.ELIGIBLE, Base.PARTICIPATING):
            raise ValueError("area has no other base than eligible or participating")
        return self


class Allocation(StrEnum):
    NONE = "none"
    BUDGET_IN_VOTE_ORDER = "budget_in_vote_order"


class Recount(Frozen):
    """A result so close that other people count again (domain 4.4): by at most so many ``ballots``,
    or so much of the votes ("x/y") where that is more. Of an area the share alone counts."""

    ballots: int = Field(ge=0)
    share: str = Field(pattern=r"^(0|[1-9]\d{0,3})/[1-9]\d{0,3}$")

    def covers(self, distance: int, whole: int, measure: Measure) -> bool:
        numerator, denominator = map(int, self.share.split("/"))
        within = distance * denominator <= whole * numerator
        return within or (measure is Measure.HEADS and distance <= self.ballots)


class Edition(Frozen):
    """What every rule file has: its name, the edition of the law and where it stands."""

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    version: date
    effective_from: date
    effective_to: date | None = None  # the last day on which it may be announced
    name_zh: str
    name_en: str
    layer: Layer
    legal_basis: list[str] = Field(min_length=1)
    verification: Verification
    note_zh: str = ""

    @property
    def key(self) -> str:
        return f"{self.id}@{self.version.isoformat()}"

    def effective_on(self, day: date) -> bool:
        return self.effective_from <= day and (
            self.effective_to is None or day <= self.effective_to
        )


class RulePreset(Edition):
    """One rule of deciding. ``approval`` holds for each item by itself; with no ``approval`` the
    poll collects opinions and passes nothing. ``held_in_meeting``: those present in the linked
    meeting vote, and turnout means presence."""

    electorate: Electorate
    measures: list[Measure] = Field(min_length=1)
    turnout: list[Threshold]
    approval: list[Threshold]
    allocation: Allocation = Allocation.NONE
    binding: bool
    held_in_meeting: bool = False
    live_turnout: bool = True  # whether participation is shown before the close
    exact_turnout: bool = True  # by the head; else, and in confidential polls, in steps
    area_includes_parking: bool = True  # parking spaces may be exclusive parts; local rules differ
    window_days_min: int = Field(ge=0)
    window_days_default: int = Field(ge=0)
    window_days_max: int = Field(ge=1)
    extensions: int = Field(ge=0, le=1)
    notice_days: int = Field(ge=0)
    objection_days: int = Field(ge=0)
    questions: list[QuestionKind] = Field(default=[QuestionKind.MOTION], min_length=1)
    modes: list[BallotMode] = Field(default=[BallotMode.NAMED], min_length=1)  # first: the default
    channels: list[BallotChannel] = Field(
        default=[BallotChannel.ELECTRONIC, BallotChannel.PAPER, BallotChannel.ASSISTED],
        min_length=1,
    )
    revote: Revote = Revote.NONE
    duplicates: Duplicates = Duplicates.ELECTRONIC_PREVAILS
    silent: Silent = Silent.NOT_PARTICIPATING
    may_deem: bool = False  # owners only: whether a poll may ask for ``deemed_majority``
    invalid: InvalidBallots = InvalidBallots.NOT_PARTICIPATING
    proxies: Proxies = Proxies()
    roll_objection_days: int = Field(default=0, ge=0)  # 0: the roll is not open to objections
    roll_ruling_days: int = Field(default=3, ge=0)
    contested: bool = False  # an election with more candidates than seats
    runoff_of: str | None = Field(default=None, pattern=r"^[a-z0-9_]+$")
    """The id of the rule of the election whose open seats this one fills, in a later round."""
    sample_min: int = Field(default=0, ge=0)  # below it a survey's numbers are marked as few
    conditions: list[Condition] = Field(default_factory=list)
    served_min: str | None = Field(default=None, pattern=r"^[1-9]\d{0,3}/[1-9]\d{0,3}$")
    """The share of the roll that must have been told of the poll before it opens: "x/y"."""
    recount: Recount | None = None
    places: list[NodeKind] = Field(default_factory=list)
    """The kinds of place at which it is voted on; none named: wherever its electorate votes."""
    others_with_interest: bool = False
    """Owners outside the place are put on the roll who prove that it concerns them (最高人民法院
    建筑物区分所有权解释 art. 11)."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        thresholds = [*self.turnout, *self.approval]
        if any(threshold.measure not in self.measures for threshold in thresholds):
            raise ValueError("a threshold uses a measure that the preset does not count")
        if self.electorate is Electorate.PARTY_MEMBERS:
            raise ValueError("party membership is not in the database: such a step is recorded")
        if self.may_deem or self.silent is Silent.DEEMED_MAJORITY:
            self._check_deeming()
        if any(t.of is Base.PRESENT for t in thresholds) and not self.held_in_meeting:
            raise ValueError("only a meeting knows who is present")
        if BallotMode.SECRET in self.modes:
            raise ValueError("secret ballots are not built")
        if BallotMode.CONFIDENTIAL in self.modes and Measure.AREA in self.measures:
            raise ValueError("an exact area is as good as a name: such polls are not confidential")
        if self.binding and not (self.turnout and self.approval):
            raise ValueError("a binding preset needs turnout and approval")
        if self.served_min is not None:
            numerator, denominator = map(int, self.served_min.split("/"))
            if numerator > denominator:
                raise ValueError("more than everybody can never be served")
        if self.runoff_of is not None and self.questions != [QuestionKind.ELECTION]:
            raise ValueError("only an election has a run-off")
        if self.extensions and not self.turnout:
            raise ValueError("an extension is for turnout only")
        if not self.window_days_min <= self.window_days_default <= self.window_days_max:
            raise ValueError("the default window must lie between its bounds")
        if self.roll_objection_days and (
            self.notice_days < self.roll_objection_days + self.roll_ruling_days
        ):
            raise ValueError("objections to the roll must be ruled before the poll opens")
        return self

    def _check_deeming(self) -> None:
        """Silence may follow the majority of owners alone, and never where all must agree."""
        if self.layer is not Layer.OWNERS or self.held_in_meeting:
            raise ValueError("silence counts with a majority in owners' votes only")
        if any(t.numerator == t.denominator for t in self.approval):
            raise ValueError("where all must agree, silence is not agreement")


class StepKind(StrEnum):
    RECORDED = "recorded"  # held elsewhere; its record is kept
    POLL = "poll"  # a poll under one of ``presets``
    PUBLICATION = "publication"


class ProcedureStep(Frozen):
    """One step. ``presets`` are ids, of which one is used. Of a recorded step the numbers that
    hold for it may be written down; they are not polled here."""

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    kind: StepKind
    name_zh: str
    name_en: str
    presets: list[str] = Field(default_factory=list)
    electorate: Electorate | None = None
    turnout: list[Threshold] = Field(default_factory=list)
    approval: list[Threshold] = Field(default_factory=list)
    days_before_next: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if bool(self.presets) != (self.kind is StepKind.POLL):
            raise ValueError("a poll, and nothing else, names presets")
        if self.kind is StepKind.POLL and (self.electorate or self.turnout or self.approval):
            raise ValueError("the numbers of a poll stand in its preset")
        return self


class Procedure(Edition):
    """A way of deciding that is more than one poll, or none: its steps in order. No poll is held
    under a procedure itself."""

    steps: list[ProcedureStep] = Field(min_length=1)
