"""How the pages say days, areas and shares."""

from collections.abc import Callable
from datetime import datetime

from api.words import say
from consultation.calendar import SHANGHAI

Words = Callable[..., str]


def words_in(locale: str) -> Words:
    return lambda key, **facts: say(locale, key, facts)


def day(moment: datetime) -> str:
    return f"{moment.astimezone(SHANGHAI):%Y-%m-%d}"


def square_metres(dm2: int) -> str:
    return f"{dm2 // 100:,}.{dm2 % 100:02d}"


def share(part: int, whole: int) -> float:
    """Percent for the width of a bar; never decides anything."""
    return round(part * 100 / whole, 2) if whole else 0.0
