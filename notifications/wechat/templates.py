"""Subscription templates as data, and their values formatted and cut to WeChat's rules. Pure.

A template's keys carry the type of their value: ``thing1``, ``time5``. A value that breaks its
rule is refused with 47003 and nobody gets the message, so that every value is made to fit before
it is sent. Text is cut; a time, a number or an amount is never invented: ``Unfit``.
The rules stand in ``tests/contract/wechat_facts.json`` (official table, partly from copies of it).
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from consultation.calendar import ENDS, SHANGHAI

Fact = str | int | Decimal | date | datetime


class Unfit(Exception):
    """A fact is missing or holds nothing of the type that the template's key wants."""


class TemplateKind(StrEnum):
    ONCE = "once"  # one accept, one message
    LONG_TERM = "long_term"  # granted by WeChat to public services only


class TemplateSpec(BaseModel):
    """One template of the app. ``name`` is what our program calls it, ``template_id`` what WeChat
    does. ``values`` maps each of its keys to the fact that fills it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z_]{1,40}$")
    template_id: str = Field(min_length=1, max_length=64)
    kind: TemplateKind = TemplateKind.ONCE
    values: dict[str, str] = Field(min_length=1)

    @model_validator(mode="after")
    def _keys_have_types(self) -> Self:
        for key in self.values:
            if type_of(key) not in FITTERS:
                raise ValueError(f"{key} is of no known type")
        return self


def type_of(key: str) -> str:
    """``thing`` of ``thing1``."""
    return key.rstrip("0123456789")


def fill(spec: TemplateSpec, facts: Mapping[str, Fact]) -> dict[str, dict[str, str]]:
    """The ``data`` of a message, fit to be sent. Unfit if a fact is missing or of a wrong kind."""
    data: dict[str, dict[str, str]] = {}
    for key, name in spec.values.items():
        if name not in facts:
            raise Unfit(name)
        data[key] = {"value": FITTERS[type_of(key)](_said(name, facts[name]))}
    return data


def _said(name: str, value: Fact) -> Fact:
    """An exclusive end that is a midnight as the last minute before it: WeChat's times have no
    24:00, and 00:00 names a day that no longer counts."""
    if name not in ENDS or not isinstance(value, datetime) or value.tzinfo is None:
        return value
    midnight = value.astimezone(SHANGHAI).time() == time()
    return value - timedelta(minutes=1) if midnight else value


# ---- one function for each type of value --------------------------------------------------

_SPACE = re.compile(
    r"[\x00-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]+"
)
"""White space, line ends, control and invisible characters."""
_HAN = "\u4e00-\u9fff\u3400-\u4dbf"


def _clean(value: Fact) -> str:
    text = str(value).encode("utf-8", "ignore").decode()  # no lone surrogates
    return _SPACE.sub(" ", text).strip()


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def _keep(value: Fact, allowed: str, longest: int, otherwise: str) -> str:
    """Only the ``allowed`` characters (a regex class), without a mark where it is cut: the mark is
    not among them."""
    kept = re.sub(rf"[^{allowed}]", "", _clean(value)).strip()
    return kept[:longest].strip() or otherwise


def _thing(value: Fact) -> str:
    return _cut(_clean(value), 20) or "无"


def _number(value: Fact) -> str:
    found = re.search(r"[0-9]+(?:\.[0-9]+)?", _clean(value))
    if found is None or len(found[0]) > 32:
        raise Unfit("number")
    return found[0]


def _letter(value: Fact) -> str:
    return _keep(value, "A-Za-z", 32, "none")


def _symbol(value: Fact) -> str:
    return _keep(value, r"!-/:-@\[-`{-~", 5, "-")


def _character_string(value: Fact) -> str:
    return _keep(value, "!-~", 32, "-")


def _phrase(value: Fact) -> str:
    return _keep(value, _HAN, 5, "无")


_TIME = re.compile(
    r"(?:([0-9]{4})(?:年|-|/)([0-9]{1,2})(?:月|-|/)([0-9]{1,2})日?)?[ T]?"
    r"(?:([0-9]{1,2}):([0-9]{2})(?::[0-9]{2})?)?"
)


def _moment(value: Fact) -> tuple[date | None, str | None]:
    """The day and the time of day in Shanghai that a value names."""
    if isinstance(value, datetime):
        local = value.astimezone(SHANGHAI) if value.tzinfo else value
        return local.date(), f"{local:%H:%M}"
    if isinstance(value, date):
        return value, None
    found = _TIME.fullmatch(_clean(value))
    if found is None:
        return None, None
    year, month, day, hour, minute = found.groups()
    try:
        on = date(int(year), int(month), int(day)) if year else None
    except ValueError:
        return None, None
    if hour is None:
        return on, None
    good = int(hour) < 24 and int(minute) < 60
    return on, f"{int(hour):02}:{minute}" if good else None


def _date(value: Fact) -> str:
    on, at = _moment(value)
    if on is None:
        raise Unfit("date")
    return _day(on) + (f" {at}" if at else "")


def _time(value: Fact) -> str:
    on, at = _moment(value)
    if at is None and on is not None and isinstance(value, date):
        at = "00:00"
    if at is None:
        raise Unfit("time")
    return f"{_day(on)} {at}" if on else at


def _day(on: date) -> str:
    return f"{on.year:04}年{on.month}月{on.day}日"


def _amount(value: Fact) -> str:
    """An int is fen, a Decimal is yuan; a text must hold a number of yuan."""
    if isinstance(value, int):
        value = Decimal(value) / 100
    found = re.search(r"[0-9]+(?:\.[0-9]{1,2})?", _clean(value).replace(",", ""))
    if found is None or len(found[0].partition(".")[0]) > 10:
        raise Unfit("amount")
    return f"¥{found[0]}"


def _phone_number(value: Fact) -> str:
    kept = _keep(value, r"0-9+\-()*#", 17, "")
    if not re.search(r"[0-9*]", kept):
        raise Unfit("phone_number")
    return kept


def _car_number(value: Fact) -> str:
    kept = _keep(value, rf"A-Z0-9{_HAN}", 8, "")
    if not kept:
        raise Unfit("car_number")
    return kept


def _name(value: Fact) -> str:
    kept = _keep(value, rf"A-Za-z{_HAN}·", 20, "居民")
    return kept if re.fullmatch("[A-Za-z]+", kept) else kept[:10]


FITTERS: Mapping[str, Callable[[Fact], str]] = {
    "thing": _thing,
    "number": _number,
    "letter": _letter,
    "symbol": _symbol,
    "character_string": _character_string,
    "phrase": _phrase,
    "date": _date,
    "time": _time,
    "amount": _amount,
    "phone_number": _phone_number,
    "car_number": _car_number,
    "name": _name,
}
