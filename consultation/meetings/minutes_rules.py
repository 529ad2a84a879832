"""THE RULES OF MINUTES 纪要: what they hold, who confirms them, when they stand. No I/O."""

from pydantic import BaseModel, ConfigDict, Field

from consultation.refusals import AlreadyDone, Invalid, NotNow, NotPermitted


class NotPresent(NotPermitted):
    """Minutes are confirmed by those who were present."""

    code = "not-present"


class MinutesNotCurrent(NotNow):
    """There is a later version of the minutes."""

    code = "minutes-not-current"


class MinutesPeriodOver(NotNow):
    code = "minutes-period-over"


class MinutesAnswered(AlreadyDone):
    """One answer of a person to one version."""

    code = "minutes-answered"


class ObjectionMissing(Invalid):
    """Who does not confirm says what is wrong."""

    code = "objection-missing"


class MinutesNotOpenToChange(NotNow):
    """A new version answers an objection; without one the minutes stand."""

    code = "minutes-not-objected"


class MinutesContent(BaseModel):
    """What minutes must hold (domain 3.3): texts in Chinese as spoken; ``agreed`` and
    ``disagreed`` item by item."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    summary: str = Field(min_length=1, max_length=8000)
    points_for: list[str] = Field(default_factory=list)
    points_against: list[str] = Field(default_factory=list)
    agreed: list[str] = Field(default_factory=list)
    disagreed: list[str] = Field(default_factory=list)
    next_steps: list[str] = Field(default_factory=list)

    def texts(self) -> list[str]:
        return [
            self.summary,
            *self.points_for,
            *self.points_against,
            *self.agreed,
            *self.disagreed,
            *self.next_steps,
        ]


def check_answer(*, confirmed: bool, objection: str | None) -> None:
    if not confirmed and not (objection or "").strip():
        raise ObjectionMissing()


def check_new_version(*, version: int, objections: int) -> None:
    """The first version needs nothing; a later one answers an objection to the one before."""
    if version > 0 and objections == 0:
        raise MinutesNotOpenToChange()


def is_confirmed(*, version: int, asked: int, confirmed: int, objections: int, over: bool) -> bool:
    """All who were asked confirmed, or the period is over without an objection. An objection calls
    for a second version; from then on what remains is annexed word for word and stops nothing, so
    that nobody alone keeps a topic from going on [P]."""
    if 0 < asked <= confirmed:
        return True
    return over and (objections == 0 or version > 1)
