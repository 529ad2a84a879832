"""What a cell of a register says, read by the kind of its column, and why it cannot be read."""

from collections.abc import Callable, Mapping
from datetime import date
from enum import StrEnum
from typing import Any

from consultation.community.register_words import Word, plain_word
from consultation.community.rules import is_mobile


class Reason(StrEnum):
    """Why a cell or row is not accepted; the words stand in the catalogue."""

    FILE_UNREADABLE = "file_unreadable"
    NO_ROWS = "no_rows"
    COLUMN_MISSING = "column_missing"
    COLUMN_UNKNOWN = "column_unknown"
    COLUMN_TWICE = "column_twice"
    CELL_BEYOND_HEADER = "cell_beyond_header"
    REQUIRED = "required"
    TOO_LONG = "too_long"
    WORD_UNKNOWN = "word_unknown"
    NOT_A_COUNT = "not_a_count"
    NOT_AN_AREA = "not_an_area"
    NOT_YES_OR_NO = "not_yes_or_no"
    NOT_A_DATE = "not_a_date"
    NOT_A_PHONE = "not_a_phone"
    CODE_TWICE = "code_twice"
    NAME_TWICE = "name_twice"
    OWNERS_DO_NOT_MATCH = "owners_do_not_match"
    PERSON_TWICE = "person_twice"
    NAMED_VOTER_MISSING = "named_voter_missing"
    NAMED_VOTER_UNKNOWN = "named_voter_unknown"
    PERSON_NOT_IDENTIFIED = "person_not_identified"
    PERSON_DIFFERS = "person_differs"
    PHONE_OF_ANOTHER = "phone_of_another"
    KEY_OF_ANOTHER = "key_of_another"
    SPEAKS_FOR_ANOTHER = "speaks_for_another"
    ADULTS_MISSING = "adults_missing"
    PLACE_UNKNOWN = "place_unknown"
    PLACE_WRONG_KIND = "place_wrong_kind"
    PLACE_NOT_INSIDE = "place_not_inside"
    PLACE_MOVED = "place_moved"
    PARENT_IN_CIRCLE = "parent_in_circle"
    OUTSIDE_COMMUNITY = "outside_community"
    UNIT_UNKNOWN = "unit_unknown"
    HOUSEHOLD_UNKNOWN = "household_unknown"
    ORGANISATION_UNKNOWN = "organisation_unknown"
    KIND_CHANGED = "kind_changed"
    PERIOD_EMPTY = "period_empty"
    ROLE_NOT_GIVEN = "role_not_given"
    ROLES_EXCLUDE = "roles_exclude"
    RELATIVE_CANNOT_SUPERVISE = "relative_cannot_supervise"
    COMPANY_CANNOT_COUNT = "company_cannot_count"


class Unreadable(Exception):
    """A cell does not hold what its column asks for."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(reason)


def text(longest: int) -> Callable[[str], str]:
    def read(cell: str) -> str:
        if len(cell) > longest:
            raise Unreadable(Reason.TOO_LONG)
        return cell

    return read


def count(cell: str) -> int:
    if not (cell.isascii() and cell.isdigit() and len(cell) <= 6):
        raise Unreadable(Reason.NOT_A_COUNT)
    return int(cell)


def area(cell: str) -> int:
    """Square metres with exactly as much as two decimals, to 0.01 m²: 68.35 becomes 6835."""
    whole, dot, decimals = cell.partition(".")
    digits = whole + decimals
    if (
        not (digits.isascii() and digits.isdigit() and whole)
        or len(decimals) > 2
        or bool(dot) != bool(decimals)
        or len(whole) > 7
    ):
        raise Unreadable(Reason.NOT_AN_AREA)
    area = int(whole) * 100 + int(decimals.ljust(2, "0"))
    if area == 0:
        raise Unreadable(Reason.NOT_AN_AREA)
    return area


_YES = frozenset({"是", "yes", "true", "1", "y"})
_NO = frozenset({"否", "no", "false", "0", "n"})


def yes(cell: str) -> bool:
    word = cell.lower()
    if word not in _YES | _NO:
        raise Unreadable(Reason.NOT_YES_OR_NO)
    return word in _YES


def day(cell: str) -> date:
    """2026-03-01, 2026/3/1, 2026.3.1 or 2026年3月1日."""
    plain = cell
    for mark in "年月/.":
        plain = plain.replace(mark, "-")
    parts = plain.rstrip("日").split("-")
    try:
        year, month, day = (int(part) for part in parts)
        if not 1900 <= year <= 2200:
            raise ValueError(year)
        return date(year, month, day)
    except ValueError:
        raise Unreadable(Reason.NOT_A_DATE) from None


def phone(cell: str) -> str:
    phone = cell.replace(" ", "").replace("-", "").removeprefix("+86")
    if not is_mobile(phone):
        raise Unreadable(Reason.NOT_A_PHONE)
    return phone


def several(read: Callable[[str], Any]) -> Callable[[str], tuple[Any, ...]]:
    """Values with ; between them. An empty place stays one (None)."""

    def read_all(cell: str) -> tuple[Any, ...]:
        parts = [part.strip() for part in cell.replace("\uff1b", ";").split(";")]
        return tuple(read(part) if part else None for part in parts)

    return read_all


def word(words: Mapping[str, Word]) -> Callable[[str], Word]:
    def read(cell: str) -> Word:
        try:
            return words[plain_word(cell)]
        except KeyError:
            raise Unreadable(Reason.WORD_UNKNOWN) from None

    return read
