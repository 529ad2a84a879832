"""What a register file must look like, as data (``register_cells`` reads its cells). Pure.

A register is a table with a header row. Headers may be the Chinese names or the identifiers below,
in any order. Every cell that breaks a rule is reported with its line, its column and a reason, and
nothing of what it held; a register with one bad row is not taken over at all.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from consultation.community import register_cells as cells
from consultation.community.register_cells import Reason, Unreadable
from consultation.community.register_words import (
    NODE_WORDS,
    NON_OWNER_WORDS,
    ORG_WORDS,
    ROLE_WORDS,
    TENURE_WORDS,
    UNIT_WORDS,
    plain_word,
)
from consultation.refusals import Invalid


class RegisterKind(StrEnum):
    TREE = "tree"
    ORGANISATIONS = "organisations"
    UNITS = "units"
    HOUSEHOLDS = "households"
    RESIDENTS = "residents"
    ROLES = "roles"


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


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file as cells of text: the header, and the rows with their lines, empty ones left out."""

    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Column:
    """``read`` gets the trimmed text of a cell that is not empty."""

    name: str
    header: str
    read: Callable[[str], Any]
    required: bool = True


CODE, NAME = cells.text(80), cells.text(80)


def _person(prefix: str, header: str, *, required: bool) -> tuple[Column, ...]:
    return (
        Column(f"{prefix}_key", f"{header}编号", cells.text(80), required=False),
        Column(f"{prefix}_name", f"{header}姓名", cells.text(40), required=required),
        Column(f"{prefix}_phone", f"{header}手机号", cells.phone, required=False),
    )


COLUMNS: Mapping[RegisterKind, tuple[Column, ...]] = {
    RegisterKind.TREE: (
        Column("code", "编码", CODE),
        Column("kind", "类型", cells.word(NODE_WORDS)),
        Column("parent_code", "上级编码", CODE, required=False),
        Column("name", "名称", NAME),
        Column("grid_code", "网格编码", CODE, required=False),
        Column("built_year", "建成年份", cells.count, required=False),
        Column("estate_type", "小区类型", cells.text(40), required=False),
        Column("manager", "物业管理", cells.text(80), required=False),
    ),
    RegisterKind.ORGANISATIONS: (
        Column("code", "组织编码", CODE),
        Column("kind", "组织类型", cells.word(ORG_WORDS)),
        Column("name", "组织名称", NAME),
        Column("node_code", "所在编码", CODE),
    ),
    RegisterKind.UNITS: (
        Column("code", "房屋编码", CODE),
        Column("estate_code", "小区编码", CODE),
        Column("building_code", "楼栋编码", CODE, required=False),
        Column("entrance_code", "单元编码", CODE, required=False),
        Column("kind", "房屋类型", cells.word(UNIT_WORDS)),
        Column("area", "专有面积", cells.area),
        Column("developer_unsold", "开发商未售", cells.yes, required=False),
        Column("owner_keys", "业主编号", cells.several(cells.text(80)), required=False),
        Column("owner_names", "业主姓名", cells.several(cells.text(40)), required=False),
        Column("owner_phones", "业主手机号", cells.several(cells.phone), required=False),
        Column("named_voter", "表决代表", cells.text(80), required=False),
    ),
    RegisterKind.HOUSEHOLDS: (
        Column("code", "户编码", CODE),
        Column("unit_code", "房屋编码", CODE, required=False),
        Column("estate_code", "小区编码", CODE, required=False),
        Column("grid_code", "网格编码", CODE, required=False),
        Column("occupied", "在住", cells.yes),
        Column("adults", "成年人数", cells.count),
        Column("tenure", "居住身份", cells.word(TENURE_WORDS), required=False),
        *_person("representative", "户代表", required=False),
    ),
    RegisterKind.RESIDENTS: (
        *_person("person", "", required=True),
        Column("kind", "居民类型", cells.word(NON_OWNER_WORDS)),
        Column("unit_code", "房屋编码", CODE, required=False),
        Column("household_code", "户编码", CODE, required=False),
        Column("grid_code", "网格编码", CODE, required=False),
        Column("born_on", "出生日期", cells.day, required=False),
    ),
    RegisterKind.ROLES: (
        *_person("person", "", required=True),
        Column("role", "职务", cells.word(ROLE_WORDS)),
        Column("org_code", "组织编码", CODE),
        Column("node_code", "任职范围编码", CODE),
        Column("valid_from", "任职起始", cells.day),
        Column("valid_to", "任职截止", cells.day, required=False),  # the last day, inclusive
        Column("title", "职务名称", cells.text(40), required=False),
        Column("basis", "任职依据", cells.text(200)),
        Column("close_relative_of_committee", "居村委会成员近亲属", cells.yes, required=False),
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
    for line, filled in sheet.rows:
        wrong = list(_beyond_header(line, filled, len(sheet.header)))
        values: dict[str, Any] = {}
        for column in COLUMNS[kind]:
            place = places.get(column.name)
            cell = "" if place is None or place >= len(filled) else filled[place].strip()
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
