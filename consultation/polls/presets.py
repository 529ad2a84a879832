"""Rule presets 规则预设: the numbers of the law as data (``presets/*.toml``), one frozen model.

A preset is copied into the poll when the poll is announced, so that a later edition of the law
cannot change a running vote.
"""

import tomllib
from datetime import date
from enum import StrEnum
from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict, Field

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

    ELIGIBLE = "eligible"
    PARTICIPATING = "participating"
    PRESENT = "present"
    MEMBERS = "members"
    VOTES_CAST = "votes_cast"


class Threshold(Frozen):
    """``of`` × ``numerator``/``denominator``: reached at the bound when ``inclusive`` (以上),
    only above it when not (过半数, 超过). Civil Code art. 1259."""

    measure: Measure
    of: Base
    numerator: int = Field(ge=1)
    denominator: int = Field(ge=1)
    inclusive: bool


class Allocation(StrEnum):
    NONE = "none"
    BUDGET_IN_VOTE_ORDER = "budget_in_vote_order"


class RulePreset(Frozen):
    id: str
    version: date
    effective_from: date
    effective_to: date | None = None
    name_zh: str
    name_en: str
    layer: Layer
    electorate: Electorate
    measures: list[Measure]
    turnout: list[Threshold]
    approval: list[Threshold]
    allocation: Allocation = Allocation.NONE
    binding: bool
    window_days_min: int
    window_days_default: int
    window_days_max: int
    extensions: int
    notice_days: int
    objection_days: int
    held_in_meeting: bool = False
    legal_basis: list[str]
    verification: str  # verified | secondary | recalled | to_confirm | product

    @property
    def key(self) -> str:
        return f"{self.id}@{self.version.isoformat()}"


@cache
def presets() -> dict[str, RulePreset]:
    """All presets by ``id@version``."""
    folder = resources.files("consultation.polls").joinpath("presets")
    found = [
        RulePreset.model_validate(tomllib.loads(entry.read_text("utf-8")))
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    ]
    return {preset.key: preset for preset in found}
