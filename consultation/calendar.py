"""Chinese working days with 调休, and the day boundaries of Asia/Shanghai.

The holiday table comes from the ``chinesecalendar`` package, which is updated each year when the
State Council publishes the next one. For a year it does not know yet, Monday to Friday are taken
as working days: a deadline that falls there is provisional and never too early by more than the
holidays, which lengthen it.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import chinese_calendar

SHANGHAI = ZoneInfo("Asia/Shanghai")


def is_working_day(day: date) -> bool:
    try:
        return chinese_calendar.is_workday(day)
    except NotImplementedError:
        return day.weekday() < 5


def local_day(moment: datetime) -> date:
    return moment.astimezone(SHANGHAI).date()


def end_of(day: date) -> datetime:
    """The first instant of the next day in Shanghai, as UTC; deadlines are exclusive."""
    return datetime.combine(day + timedelta(days=1), time(), SHANGHAI).astimezone(UTC)


ENDS = frozenset({"due_at", "closes_at", "objections_until"})
"""Facts that name an end, which is exclusive."""


def minute(moment: datetime) -> str:
    """2026-12-01 09:30, in Shanghai."""
    return f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


def until(end: datetime) -> str:
    """As ``minute``, for an exclusive end: the midnight after a day is 24:00 of that day, as 24时
    in an announcement, and not 00:00 of a day that no longer counts."""
    local = end.astimezone(SHANGHAI)
    return f"{last_day(end)} 24:00" if local.time() == time() else minute(end)


def last_day(end: datetime) -> date:
    """The last day that an exclusive end leaves."""
    return local_day(end - timedelta.resolution)


def add_working_days(start: datetime, count: int) -> datetime:
    """The end of the ``count``-th working day after the day of ``start`` (that day not counted)."""
    day = local_day(start)
    while count > 0:
        day += timedelta(days=1)
        if is_working_day(day):
            count -= 1
    return end_of(day)


def add_days(start: datetime, count: int) -> datetime:
    """The end of the ``count``-th calendar day after the day of ``start``."""
    return end_of(local_day(start) + timedelta(days=count))
