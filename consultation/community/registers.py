"""What a register file must look like, as data, and how its cells are read. Pure.

A register is a table with a header row. Headers may be the Chinese names or the identifiers below,
in any order. Every cell that breaks a rule is reported with its line, its column and a reason, and
nothing of what it held; a register with one bad row is not taken over at all.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Any

from consultation.community.register_words import (
    NODE_WORDS,
    NON_OWNER_WORDS,
    ORG_WORDS,
    ROLE_WORDS,
    TENURE_WORDS,
    UNIT_WORDS,
    Word,
    plain_word,
)
from consultation.community.rules import is_mobile
from consultation.refusals import Invalid


class RegisterKind(StrEnum):
    TREE = "tree"
    ORGANISATIONS = "organisations"
    UNITS = "units"
    HOUSEHOLDS = "households"
    RESIDENTS = "residents"
    ROLES = "roles"


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


@dataclass(frozen=True, slots=True, order=True)
class BadCell:
    """``line`` as in the file, the header being line 1; ``column`` as the header names it."""

    line: int
    column: str
    reason: Reason


class RegisterRefused(Invalid):
    """The register has bad cells, and none of it was taken over."""

    code = "register-refused"

    def __init__(self, kind: RegisterKind, bad: Iterable[BadCell]) -> None:
        self.kind = kind
        self.cells = sorted(set(bad))
        super().__init__(
            kind=kind.value,
            count=len(self.cells),
            cells=[
                {"line": str(cell.line), "column": cell.column, "reason": cell.reason.value}
                for cell in self.cells
            ],
        )


class Unreadable(Exception):
    """A cell does not hold what its column asks for."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file as cells of text: the header, and the rows with their lines, empty ones left out."""

    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]


# ---- cells --------------------------------------------------------------------------------


def _text(longest: int) -> Callable[[str], str]:
    def read(cell: str) -> str:
        if len(cell) > longest:
            raise Unreadable(Reason.TOO_LONG)
        return cell

    return read


def _count(cell: str) -> int:
    if not (cell.isascii() and cell.isdigit() and len(cell) <= 6):
        raise Unreadable(Reason.NOT_A_COUNT)
    return int(cell)


def _area(cell: str) -> int:
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


def _yes(cell: str) -> bool:
    word = cell.lower()
    if word not in _YES | _NO:
        raise Unreadable(Reason.NOT_YES_OR_NO)
    return word in _YES


def _day(cell: str) -> date:
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


def _phone(cell: str) -> str:
    phone = cell.replace(" ", "").replace("-", "").removeprefix("+86")
    if not is_mobile(phone):
        raise Unreadable(Reason.NOT_A_PHONE)
    return phone


def _several(read: Callable[[str], Any]) -> Callable[[str], tuple[Any, ...]]:
    """Values with ; between them. An empty place stays one (None)."""

    def read_all(cell: str) -> tuple[Any, ...]:
        parts = [part.strip() for part in cell.replace("\uff1b", ";").split(";")]
        return tuple(read(part) if part else None for part in parts)

    return read_all


def _word(words: Mapping[str, Word]) -> Callable[[str], Word]:
    def read(cell: str) -> Word:
        try:
            return words[plain_word(cell)]
        except KeyError:
            raise Unreadable(Reason.WORD_UNKNOWN) from None

    return read


# ---- columns ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Column:
    """``read`` gets the trimmed text of a cell that is not empty."""

    name: str
    header: str
    read: Callable[[str], Any]
    required: bool = True


CODE, NAME = _text(80), _text(80)


def _person(prefix: str, header: str, *, required: bool) -> tuple[Column, ...]:
    return (
        Column(f"{prefix}_key", f"{header}编号", _text(80), required=False),
        Column(f"{prefix}_name", f"{header}姓名", _text(40), required=required),
        Column(f"{prefix}_phone", f"{header}手机号", _phone, required=False),
    )


COLUMNS: Mapping[RegisterKind, tuple[Column, ...]] = {
    RegisterKind.TREE: (
        Column("code", "编码", CODE),
        Column("kind", "类型", _word(NODE_WORDS)),
        Column("parent_code", "上级编码", CODE, required=False),
        Column("name", "名称", NAME),
        Column("grid_code", "网格编码", CODE, required=False),
        Column("built_year", "建成年份", _count, required=False),
        Column("estate_type", "小区类型", _text(40), required=False),
        Column("manager", "物业管理", _text(80), required=False),
    ),
    RegisterKind.ORGANISATIONS: (
        Column("code", "组织编码", CODE),
        Column("kind", "组织类型", _word(ORG_WORDS)),
        Column("name", "组织名称", NAME),
        Column("node_code", "所在编码", CODE),
    ),
    RegisterKind.UNITS: (
        Column("code", "房屋编码", CODE),
        Column("estate_code", "小区编码", CODE),
        Column("building_code", "楼栋编码", CODE, required=False),
        Column("entrance_code", "单元编码", CODE, required=False),
        Column("kind", "房屋类型", _word(UNIT_WORDS)),
        Column("area", "专有面积", _area),
        Column("developer_unsold", "开发商未售", _yes, required=False),
        Column("owner_keys", "业主编号", _several(_text(80)), required=False),
        Column("owner_names", "业主姓名", _several(_text(40)), required=False),
        Column("owner_phones", "业主手机号", _several(_phone), required=False),
        Column("named_voter", "表决代表", _text(80), required=False),
    ),
    RegisterKind.HOUSEHOLDS: (
        Column("code", "户编码", CODE),
        Column("unit_code", "房屋编码", CODE, required=False),
        Column("estate_code", "小区编码", CODE, required=False),
        Column("grid_code", "网格编码", CODE, required=False),
        Column("occupied", "在住", _yes),
        Column("adults", "成年人数", _count),
        Column("tenure", "居住身份", _word(TENURE_WORDS), required=False),
        *_person("representative", "户代表", required=False),
    ),
    RegisterKind.RESIDENTS: (
        *_person("person", "", required=True),
        Column("kind", "居民类型", _word(NON_OWNER_WORDS)),
        Column("unit_code", "房屋编码", CODE, required=False),
        Column("household_code", "户编码", CODE, required=False),
        Column("grid_code", "网格编码", CODE, required=False),
        Column("born_on", "出生日期", _day, required=False),
    ),
    RegisterKind.ROLES: (
        *_person("person", "", required=True),
        Column("role", "职务", _word(ROLE_WORDS)),
        Column("org_code", "组织编码", CODE),
        Column("node_code", "任职范围编码", CODE),
        Column("valid_from", "任职起始", _day),
        Column("valid_to", "任职截止", _day, required=False),  # the last day, inclusive
        Column("title", "职务名称", _text(40), required=False),
        Column("basis", "任职依据", _text(200)),
        Column("close_relative_of_committee", "居村委会成员近亲属", _yes, required=False),
    ),
}


@dataclass(frozen=True, slots=True)
class Row:
    """The values of one line by column name; None where an optional cell is empty."""

    line: int
    values: Mapping[str, Any]

    def __getitem__(self, column: str) -> Any:
        return self.values[column]


@dataclass(frozen=True, slots=True)
class Register:
    """A sheet as values. ``headers`` names each column as the file does, for reports."""

    kind: RegisterKind
    headers: Mapping[str, str]
    rows: tuple[Row, ...]
    bad: tuple[BadCell, ...]
    codes: frozenset[str] = frozenset()
    """All that stands under ``code``, in rows with a bad cell too."""

    def without(self, lines: Collection[int]) -> "Register":
        """Less the rows already known to be bad, so that the others can be looked at."""
        return replace(self, rows=tuple(row for row in self.rows if row.line not in lines))

    def bad_cell(self, row: Row, column: str, reason: Reason) -> BadCell:
        return BadCell(row.line, self.headers[column], reason)

    def bad_header(self, column: str, reason: Reason) -> BadCell:
        return BadCell(1, self.headers[column], reason)


def read_register(kind: RegisterKind, sheet: Sheet) -> Register:
    """Headers and cells checked. Rows with a bad cell are left out of ``rows``."""
    columns = {spelling: column for column in COLUMNS[kind] for spelling in _spellings(column)}
    places: dict[str, int] = {}
    bad: list[BadCell] = []
    for index, title in enumerate(sheet.header):
        column = columns.get(plain_word(title))
        if column is None:
            if title:
                bad.append(BadCell(1, title, Reason.COLUMN_UNKNOWN))
        elif column.name in places:
            bad.append(BadCell(1, title, Reason.COLUMN_TWICE))
        else:
            places[column.name] = index
    bad.extend(
        BadCell(1, column.header, Reason.COLUMN_MISSING)
        for column in COLUMNS[kind]
        if column.required and column.name not in places
    )
    if not sheet.rows and not bad:
        bad.append(BadCell(1, "", Reason.NO_ROWS))
    headers = {
        column.name: sheet.header[places[column.name]] if column.name in places else column.header
        for column in COLUMNS[kind]
    }
    if bad:
        return Register(kind, headers, (), tuple(bad))
    codes: set[str] = set()
    rows: list[Row] = []
    for line, cells in sheet.rows:
        wrong = list(_beyond_header(line, cells, len(sheet.header)))
        values: dict[str, Any] = {}
        for column in COLUMNS[kind]:
            place = places.get(column.name)
            cell = "" if place is None or place >= len(cells) else cells[place].strip()
            values[column.name] = None
            try:
                if cell:
                    values[column.name] = column.read(cell)
                elif column.required:
                    raise Unreadable(Reason.REQUIRED)
            except Unreadable as refusal:
                wrong.append(BadCell(line, headers[column.name], refusal.reason))
        bad.extend(wrong)
        codes.add(str(values.get("code")))
        if not wrong:
            rows.append(Row(line, values))
    return Register(kind, headers, tuple(rows), tuple(bad), frozenset(codes))


def _spellings(column: Column) -> Iterator[str]:
    yield column.name
    yield column.header
    if column.name == "area":
        yield from ("专有面积(平方米)", "专有面积(㎡)")


def _beyond_header(line: int, cells: Sequence[str], width: int) -> Iterator[BadCell]:
    if any(cell.strip() for cell in cells[width:]):
        yield BadCell(line, "", Reason.CELL_BEYOND_HEADER)


@dataclass(frozen=True, slots=True)
class SizeWarning:
    """A place with more households than the norm; the register comes in all the same."""

    node_code: str
    households: int
    norm: int


@dataclass(slots=True)
class Outcome:
    """What an import found: bad cells, or else how many rows were new, changed and the same.
    ``kept`` are codes of homes whose voter stays whom the people of the home named, and not whom
    the file says."""

    bad: list[BadCell] = field(default_factory=list)
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    warnings: list[SizeWarning] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def count(self, *, new: bool, changed: bool) -> None:
        if new:
            self.added += 1
        elif changed:
            self.changed += 1
        else:
            self.unchanged += 1
