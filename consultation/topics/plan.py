"""The consultation plan of a topic and the procedure it follows: value objects, frozen once
announced. Procedures are data (``procedures/*.toml``); they carry every number of days."""

import tomllib
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from importlib import resources
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from consultation.calendar import add_days, add_working_days


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GroupPlan(Frozen):
    """One group of participants. A directly affected group must be invited (S3)."""

    name: str = Field(min_length=1, max_length=40)
    affected: bool = False
    invited: bool = True


class FormPlan(Frozen):
    """One form of consultation (``meetings/forms``); a required one must have been held."""

    form: str = Field(min_length=1, max_length=40)
    required: bool = True


class Plan(Frozen):
    """协商方案. ``poll_preset`` is ``id@version`` of a rule preset, or null for consensus."""

    groups: list[GroupPlan] = Field(min_length=1)
    forms: list[FormPlan] = Field(min_length=1)
    needs_expert: bool = False
    poll_preset: str | None = None
    touches_unvotable_right: bool = False  # S11(c): blocks a ballot
    host_ids: list[UUID] = Field(default_factory=list)
    teller_ids: list[UUID] = Field(default_factory=list)
    venue: str = Field(default="", max_length=120)
    deliberation_ends: date
    text: str = Field(default="", max_length=4000)

    @property
    def asks_for_sitting(self) -> bool:
        """Whether people must come together, and not in the open thread alone."""
        return any(form.required and form.form != "online_deliberation" for form in self.forms)


class Unit(StrEnum):
    WORKING = "working"
    CALENDAR = "calendar"


class Period(Frozen):
    """A number of days with its basis. It ends at midnight in Shanghai after its last day."""

    days: int = Field(ge=0)
    unit: Unit
    basis: str

    def after(self, start: datetime) -> datetime:
        add = add_working_days if self.unit is Unit.WORKING else add_days
        return add(start, self.days)


class SurveyNumbers(Frozen):
    """When a satisfaction survey has too few answers, when its score is low, how many themes its
    result shows, and how often each was named at least: what one or two people wrote might tell who
    they are. Shares in whole percent."""

    minimum_share_percent: int = Field(ge=0, le=100)
    satisfied_percent: int = Field(ge=0, le=100)
    themes: int = Field(ge=1)
    theme_least: int = Field(ge=2)
    basis: str


class Procedure(Frozen):
    """The numbers of a procedure (domain 2.8), each with its legal basis or marked [P]."""

    id: str
    version: str
    name: str
    verification: str
    deadlines: dict[str, Period]  # by topic state: when the step is overdue
    notice: dict[str, Period]  # by meeting form, and "default"
    periods: dict[str, Period]  # correction, appeal, withdrawal, objection, consensus, …
    survey: SurveyNumbers
    max_rounds: int = Field(ge=1)
    cosign_threshold: int = Field(ge=1)

    def notice_for(self, forms: list[str]) -> Period:
        """The longest notice that any of the planned forms asks for."""
        periods = [self.notice.get(form, self.notice["default"]) for form in forms]
        return max(periods or [self.notice["default"]], key=lambda period: period.days)

    def objection_ends(self, since: datetime, days: int) -> datetime:
        """When objections to a result end that is public since then; ``days`` are those of the
        preset it was polled under, which may ask for more."""
        return max(self.periods["objection"].after(since), add_days(since, days))


@cache
def procedure(name: str = "community") -> Procedure:
    text = (
        resources.files("consultation.topics")
        .joinpath(f"procedures/{name}.toml")
        .read_text("utf-8")
    )
    return Procedure.model_validate(tomllib.loads(text))
