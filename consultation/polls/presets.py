"""Rule presets 规则预设: the numbers of the law as data (``presets/*.toml``), one frozen model.

A preset is copied into the poll when the poll is drafted and frozen with it at the announcement,
so that a later edition of the law cannot change a running vote.
"""

import tomllib
from datetime import date
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from consultation.topics.states import Layer


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Electorate(StrEnum):
    """Who is on the roll (domain 4.1)."""

    OWNERS = "owners"
    OWNERS_IN_SCOPE = "owners_in_scope"
    HOUSEHOLD_REPRESENTATIVES = "household_representatives"
    RESIDENTS_REPRESENTATIVES = "residents_representatives"
    VILLAGERS_REPRESENTATIVES = "villagers_representatives"
    OPEN_POLL = "open_poll"


class Measure(StrEnum):
    HEADS = "heads"
    AREA = "area"  # in 0.01 m²


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


class RulePreset(Frozen):
    """One rule of deciding. ``approval`` holds for each item by itself; with no ``approval`` the
    poll collects opinions and passes nothing. ``held_in_meeting``: those present in the linked
    meeting vote, and turnout means presence."""

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    version: date
    effective_from: date
    effective_to: date | None = None  # the last day on which it may be announced
    name_zh: str
    name_en: str
    layer: Layer
    electorate: Electorate
    measures: list[Measure] = Field(min_length=1)
    turnout: list[Threshold]
    approval: list[Threshold]
    allocation: Allocation = Allocation.NONE
    binding: bool
    held_in_meeting: bool = False
    live_turnout: bool = True  # whether participation is shown before the close
    area_includes_parking: bool = True  # parking spaces may be exclusive parts; local rules differ
    window_days_min: int = Field(ge=0)
    window_days_default: int = Field(ge=0)
    window_days_max: int = Field(ge=1)
    extensions: int = Field(ge=0, le=1)
    notice_days: int = Field(ge=0)
    objection_days: int = Field(ge=0)
    served_min: str | None = Field(default=None, pattern=r"^[1-9]\d{0,3}/[1-9]\d{0,3}$")
    """The share of the roll that must have been told of the poll before it opens: "x/y"."""
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

    @model_validator(mode="after")
    def _sound(self) -> Self:
        thresholds = [*self.turnout, *self.approval]
        if any(threshold.measure not in self.measures for threshold in thresholds):
            raise ValueError("a threshold uses a measure that the preset does not count")
        if any(t.of is Base.PRESENT for t in thresholds) and not self.held_in_meeting:
            raise ValueError("only a meeting knows who is present")
        if self.binding and not (self.turnout and self.approval):
            raise ValueError("a binding preset needs turnout and approval")
        if self.served_min is not None:
            numerator, denominator = map(int, self.served_min.split("/"))
            if numerator > denominator:
                raise ValueError("more than everybody can never be served")
        if self.extensions and not self.turnout:
            raise ValueError("an extension is for turnout only")
        if not self.window_days_min <= self.window_days_default <= self.window_days_max:
            raise ValueError("the default window must lie between its bounds")
        return self


@cache
def presets() -> dict[str, RulePreset]:
    """All presets by ``id@version``, in that order."""
    folder = resources.files("consultation.polls").joinpath("presets")
    found = [
        RulePreset.model_validate(tomllib.loads(entry.read_text("utf-8")))
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    ]
    return {preset.key: preset for preset in sorted(found, key=lambda preset: preset.key)}
