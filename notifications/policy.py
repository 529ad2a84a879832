"""THE RULES OF REACHING PEOPLE: chains, quiet hours, digest, budget, retries. No I/O.

The numbers stand in ``policy.toml``, one frozen model. Times are Asia/Shanghai.
"""

import random
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from consultation.calendar import SHANGHAI, local_day


class Channel(StrEnum):
    """The ways beyond the inbox; the inbox itself is where every notice lies from the start."""

    WECHAT = "wechat"
    SMS = "sms"
    PRINTED = "printed"  # on the grid worker's sheet, until somebody has been there


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Clock = Annotated[time, BeforeValidator(time.fromisoformat)]


class Quiet(Frozen):
    """Nothing leaves the house from ``start`` inclusive to ``end`` exclusive, over midnight."""

    start: Clock = Field(alias="from")
    end: Clock = Field(alias="until")


class DigestRule(Frozen):
    """A digest takes in what happened before its full hour, and is made a little later, when all
    of that is numbered."""

    hour: int = Field(ge=0, le=23)
    after_minutes: int = Field(ge=1, le=59)

    @property
    def settles(self) -> timedelta:
        return timedelta(minutes=self.after_minutes)


class Budget(Frozen):
    per_week: int = Field(ge=0)


class Attempts(Frozen):
    most: int = Field(ge=1)
    first_seconds: int = Field(ge=1)
    longest_seconds: int = Field(ge=1)
    jitter: str = Field(pattern=r"^\d/\d$")
    lease_seconds: int = Field(ge=10)
    margin_seconds: int = Field(ge=1)
    """Before the end of a lease no message is begun that may take so long."""

    def wait(self, attempt: int, source: random.Random) -> timedelta:
        """Before the next try, after ``attempt`` failed ones: doubling, up to the longest, with a
        random part taken off so that many do not come back at once."""
        numerator, denominator = map(int, self.jitter.split("/"))
        whole = min(self.first_seconds * 2 ** min(attempt - 1, 20), self.longest_seconds) * 1000
        off = source.randint(0, whole * numerator // denominator)
        return timedelta(milliseconds=whole - off)


class Step(Frozen):
    channel: Channel
    after_minutes: int = Field(default=0, ge=0)


class Chain(Frozen):
    steps: Sequence[Step] = Field(min_length=1)
    exceeds_budget: bool = False


class Policy(Frozen):
    quiet: Quiet
    digest: DigestRule
    budget: Budget
    attempts: Attempts
    chains: Mapping[str, Chain]

    def is_quiet(self, moment: datetime) -> bool:
        clock = moment.astimezone(SHANGHAI).time()
        start, end = self.quiet.start, self.quiet.end
        return start <= clock < end if start <= end else clock >= start or clock < end

    def loud_from(self, moment: datetime) -> datetime:
        """The first moment from this one on at which something may leave the house."""
        if not self.is_quiet(moment):
            return moment
        local = moment.astimezone(SHANGHAI)
        ends = datetime.combine(local.date(), self.quiet.end, SHANGHAI)
        return ends if ends > local else ends + timedelta(days=1)

    def quiet_from(self, moment: datetime) -> datetime:
        """The first moment from this one on at which nothing may leave the house."""
        if self.is_quiet(moment):
            return moment
        local = moment.astimezone(SHANGHAI)
        starts = datetime.combine(local.date(), self.quiet.start, SHANGHAI)
        return starts if starts > local else starts + timedelta(days=1)

    def loud_time(self, since: datetime, until: datetime, *, enough: timedelta) -> timedelta:
        """How much of a stretch lies outside the quiet hours, up to ``enough``."""
        found, moment = timedelta(0), self.loud_from(since)
        while moment < until and found < enough:
            quiet = self.quiet_from(moment)
            found += min(quiet, until) - moment
            moment = self.loud_from(quiet)
        return min(found, enough)

    def first_try(self, chain: str, now: datetime, closes_at: datetime | None) -> datetime:
        """When the first step of a chain is due: after the time that it gives the inbox, or, of a
        vote that closes too soon for that, after a quarter of the loud time that is left."""
        wait = timedelta(minutes=self.chains[chain].steps[0].after_minutes)
        if closes_at is not None:
            wait = self.loud_time(now, closes_at, enough=4 * wait) / 4
        return self.loud_from(now + wait)

    def may_digest_at(self, hour: int) -> bool:
        """A digest of this hour is made, and sent, outside the quiet hours."""
        made = datetime.combine(date(2026, 1, 1), time(hour), SHANGHAI) + self.digest.settles
        return not self.is_quiet(made)

    def last_digest(self, moment: datetime, hour: int) -> datetime:
        """The latest moment, up to this one, at which it was that hour and a digest was due."""
        local = (moment - self.digest.settles).astimezone(SHANGHAI)
        at = datetime.combine(local.date(), time(hour), SHANGHAI)
        return (at if at <= local else at - timedelta(days=1)).astimezone(UTC)

    def next_digest(self, moment: datetime, hours: Iterable[int]) -> datetime:
        """When the next digest of one of these hours is made."""
        due = (self.last_digest(moment, hour) + timedelta(days=1) for hour in hours)
        return min(due) + self.digest.settles


def week_of(moment: datetime) -> date:
    """The Monday of the week, in Shanghai, to which a message is charged."""
    day = local_day(moment)
    return day - timedelta(days=day.weekday())


@cache
def policy() -> Policy:
    text = resources.files("notifications").joinpath("policy.toml").read_text("utf-8")
    return Policy.model_validate(tomllib.loads(text))
