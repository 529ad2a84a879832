"""How the cells and rows of a register are read, without a database."""

from datetime import date
from typing import Any

import pytest

from consultation.community.register_cells import Reason
from consultation.community.register_checks import (
    Mention,
    Recorded,
    Roster,
    check_rows,
    mentions,
    named_voter,
    recognise,
)
from consultation.community.registers import (
    COLUMNS,
    BadCell,
    Register,
    RegisterKind,
    Sheet,
    read_register,
)

UNIT = {
    "房屋编码": "桐荫苑-3-2-601",
    "小区编码": "桐荫苑",
    "楼栋编码": "桐荫苑-3",
    "单元编码": "桐荫苑-3-2",
    "房屋类型": "住宅",
    "专有面积": "68.35",
    "开发商未售": "否",
    "业主编号": "A1",
    "业主姓名": "何建军",
    "业主手机号": "19900000001",
    "表决代表": "",
}
ROLE = {
    "编号": "S1",
    "姓名": "周文静",
    "手机号": "19900000002",
    "职务": "党组织书记",
    "组织编码": "party",
    "任职范围编码": "community",
    "任职起始": "2026-01-01",
    "任职截止": "",
    "职务名称": "",
    "任职依据": "任职文件",
    "居村委会成员近亲属": "",
}
HOUSEHOLD = {
    "户编码": "H1",
    "房屋编码": "桐荫苑-3-2-601",
    "小区编码": "",
    "网格编码": "",
    "在住": "是",
    "成年人数": "2",
    "居住身份": "",
    "户代表编号": "A1",
    "户代表姓名": "何建军",
    "户代表手机号": "",
}
WHOLE = {RegisterKind.UNITS: UNIT, RegisterKind.ROLES: ROLE, RegisterKind.HOUSEHOLDS: HOUSEHOLD}


def register(kind: RegisterKind, *changes: dict[str, str]) -> Register:
    lines = [WHOLE[kind] | change for change in changes or ({},)]
    header = tuple(WHOLE[kind])
    rows = tuple((number, tuple(line.values())) for number, line in enumerate(lines, 2))
    return read_register(kind, Sheet(header, rows))


def first(kind: RegisterKind, change: dict[str, str]) -> Any:
    made = register(kind, change)
    assert made.bad == ()
    return made.rows[0]


def reasons(made: Register) -> list[tuple[int, str, Reason]]:
    return [(cell.line, cell.column, cell.reason) for cell in [*made.bad, *check_rows(made)]]


@pytest.mark.parametrize(
    ("text", "area"),
    [
        ("68.35", 6835),
        ("68.3", 6830),
        ("68", 6800),
        ("0.01", 1),
        ("68.355", None),
        ("68.", None),
        (".5", None),
        ("0", None),
        ("0.00", None),
        ("-3", None),
        ("6,835", None),
        ("1e3", None),
        ("\uff16\uff18", None),
        ("68.35 m²", None),
        ("12345678", None),
    ],
)
def test_an_area_is_square_metres_with_at_most_two_decimals(text: str, area: int | None) -> None:
    made = register(RegisterKind.UNITS, {"专有面积": text})
    if area is None:
        assert reasons(made) == [(2, "专有面积", Reason.NOT_AN_AREA)]
    else:
        assert made.rows[0]["area"] == area


@pytest.mark.parametrize("text", ["2026-03-01", "2026/3/1", "2026.3.1", "2026年3月1日"])
def test_a_date_may_be_written_in_several_ways(text: str) -> None:
    assert first(RegisterKind.ROLES, {"任职起始": text})["valid_from"] == date(2026, 3, 1)


@pytest.mark.parametrize("text", ["2026-02-30", "26-3-1", "March", "2026-3", "2026"])
def test_what_is_no_date_is_refused(text: str) -> None:
    made = register(RegisterKind.ROLES, {"任职起始": text})
    assert reasons(made) == [(2, "任职起始", Reason.NOT_A_DATE)]


def test_headers_and_words_may_be_chinese_or_identifiers_in_any_order() -> None:
    sheet = Sheet(("area", "name_of_nobody", "房屋编码"), ((2, ("68.35", "x", "U1")),))
    assert read_register(RegisterKind.UNITS, sheet).bad == (
        BadCell(1, "name_of_nobody", Reason.COLUMN_UNKNOWN),
        BadCell(1, "小区编码", Reason.COLUMN_MISSING),
        BadCell(1, "房屋类型", Reason.COLUMN_MISSING),
    )
    english = Sheet(
        ("kind", "owner_names", "owner_keys", "estate_code", "code", "area"),
        ((2, ("home", "何建军", "A1", "E", "U1", "68.35")),),
    )
    made = read_register(RegisterKind.UNITS, english)
    assert made.bad == ()
    assert made.rows[0]["area"] == 6835
    assert first(RegisterKind.UNITS, {"房屋类型": "商铺"})["kind"] == "shop"
    full_width = first(RegisterKind.ROLES, {"职务": "居\uff08村\uff09务监督委员会成员"})
    assert full_width["role"] == "supervisor"


def test_a_column_that_stands_twice_and_cells_beyond_the_header_are_reported() -> None:
    twice = Sheet((*UNIT, "code"), ())
    assert BadCell(1, "code", Reason.COLUMN_TWICE) in read_register(RegisterKind.UNITS, twice).bad
    beyond = Sheet(tuple(UNIT), ((2, (*UNIT.values(), "", "more")),))
    assert read_register(RegisterKind.UNITS, beyond).bad == (
        BadCell(2, "", Reason.CELL_BEYOND_HEADER),
    )


def test_an_empty_register_is_refused() -> None:
    made = read_register(RegisterKind.UNITS, Sheet(tuple(UNIT), ()))
    assert made.bad == (BadCell(1, "", Reason.NO_ROWS),)


def test_every_bad_cell_of_every_row_is_reported_with_its_line() -> None:
    made = register(
        RegisterKind.UNITS,
        {"房屋类型": "城堡", "业主手机号": "123"},
        {},
        {"房屋编码": "", "开发商未售": "也许"},
        {"房屋编码": "桐荫苑-3-2-602", "业主姓名": "", "业主编号": ""},
    )
    assert reasons(made) == [
        (2, "房屋类型", Reason.WORD_UNKNOWN),
        (2, "业主手机号", Reason.NOT_A_PHONE),
        (4, "房屋编码", Reason.REQUIRED),
        (4, "开发商未售", Reason.NOT_YES_OR_NO),
        (5, "业主姓名", Reason.REQUIRED),
    ]


def test_a_code_stands_once() -> None:
    made = register(RegisterKind.UNITS, {}, {})
    assert reasons(made) == [(3, "房屋编码", Reason.CODE_TWICE)]


COUPLE = {"业主编号": "A1;A2", "业主姓名": "何建军;李秀英", "业主手机号": "19900000001;"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"表决代表": "A2"}, []),
        ({"表决代表": "李秀英"}, []),
        ({"表决代表": ""}, [("表决代表", Reason.NAMED_VOTER_MISSING)]),
        ({"表决代表": "A3"}, [("表决代表", Reason.NAMED_VOTER_UNKNOWN)]),
        ({"业主编号": "A1"}, [("业主编号", Reason.OWNERS_DO_NOT_MATCH)]),
        ({"业主手机号": "19900000001"}, [("业主手机号", Reason.OWNERS_DO_NOT_MATCH)]),
        ({"业主编号": "A1;A1", "表决代表": "A1"}, [("业主编号", Reason.PERSON_TWICE)]),
        ({"业主姓名": "何建军;"}, [("业主姓名", Reason.REQUIRED)]),
    ],
)
def test_co_owners_name_one_voter(
    change: dict[str, str], expected: list[tuple[str, Reason]]
) -> None:
    made = register(RegisterKind.UNITS, COUPLE | change)
    assert [(column, reason) for _, column, reason in reasons(made)] == expected


def test_the_named_voter_is_found_by_key_or_by_a_name_only_one_has() -> None:
    assert named_voter(first(RegisterKind.UNITS, COUPLE | {"表决代表": "A2"})) == 1
    same = COUPLE | {"业主姓名": "张三;张三", "表决代表": "张三"}
    made = register(RegisterKind.UNITS, same)
    assert reasons(made) == [(2, "表决代表", Reason.NAMED_VOTER_UNKNOWN)]


def test_several_owners_may_be_parted_by_a_full_width_semicolon() -> None:
    row = first(
        RegisterKind.UNITS,
        {
            "业主编号": "A1\uff1bA2",
            "业主姓名": "何建军\uff1b李秀英",
            "业主手机号": "",
            "表决代表": "A1",
        },
    )
    assert row["owner_keys"] == ("A1", "A2")


def test_only_what_the_developer_has_not_sold_may_have_no_owner() -> None:
    nobody = {"业主编号": "", "业主姓名": "", "业主手机号": ""}
    assert reasons(register(RegisterKind.UNITS, nobody)) == [(2, "业主姓名", Reason.REQUIRED)]
    unsold = register(RegisterKind.UNITS, nobody | {"开发商未售": "是"})
    assert reasons(unsold) == []
    assert mentions(unsold, unsold.rows[0]) == ()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"成年人数": "0"}, [("成年人数", Reason.ADULTS_MISSING)]),
        ({"成年人数": "0", "在住": "否"}, []),
        ({"成年人数": "2.5"}, [("成年人数", Reason.NOT_A_COUNT)]),
        ({"房屋编码": ""}, [("小区编码", Reason.REQUIRED)]),
        ({"户代表姓名": ""}, [("户代表姓名", Reason.REQUIRED)]),
        ({"居住身份": "商户"}, [("居住身份", Reason.WORD_UNKNOWN)]),
    ],
)
def test_a_household_is_somewhere_and_has_adults(
    change: dict[str, str], expected: list[tuple[str, Reason]]
) -> None:
    made = register(RegisterKind.HOUSEHOLDS, change)
    assert [(column, reason) for _, column, reason in reasons(made)] == expected


def test_a_term_does_not_end_before_it_begins() -> None:
    assert reasons(register(RegisterKind.ROLES, {"任职截止": "2026-01-01"})) == []
    early = register(RegisterKind.ROLES, {"任职截止": "2025-12-31"})
    assert reasons(early) == [(2, "任职截止", Reason.PERIOD_EMPTY)]


def test_no_header_stands_for_two_columns() -> None:
    for columns in COLUMNS.values():
        names = [c.name for c in columns] + [c.header for c in columns]
        assert len(names) == len(set(names))


# ---- people -------------------------------------------------------------------------------


def mention(key: str | None, name: str, phone: str | None, line: int = 2) -> Mention:
    return Mention(line, ("编号", "姓名", "手机号"), key, name, phone)


def test_a_person_is_one_however_often_and_in_whichever_way_they_are_mentioned() -> None:
    every = [
        mention("A1", "何建军", None),
        mention("A1", "何建军", "19900000001"),
        mention(None, "何建军", "19900000001"),
        mention(None, "李秀英", "19900000002"),
    ]
    roster = Roster(every)
    assert roster.bad == []
    assert len(roster.people) == 2
    assert [roster.identity(m) for m in every[:3]] == ["key A1"] * 3
    assert roster.people["key A1"].phone == "19900000001"


@pytest.mark.parametrize(
    ("other", "column", "reason"),
    [
        (mention("A1", "何建国", "19900000001"), "姓名", Reason.PERSON_DIFFERS),
        (mention("A1", "何建军", "19900000009"), "手机号", Reason.PERSON_DIFFERS),
        (mention("A2", "何建军", "19900000001"), "手机号", Reason.PHONE_OF_ANOTHER),
        (mention(None, "何建国", None), "编号", Reason.PERSON_NOT_IDENTIFIED),
    ],
)
def test_a_register_must_agree_with_itself_about_people(
    other: Mention, column: str, reason: Reason
) -> None:
    roster = Roster([mention("A1", "何建军", "19900000001"), other])
    assert [(cell.column, cell.reason) for cell in roster.bad] == [(column, reason)]


HE = Recorded("何建军", "phone-1", has_key=True)
OTHER = Recorded("李秀英", "phone-2", has_key=True)
ACCOUNT = Recorded(None, "phone-2", has_key=False)


@pytest.mark.parametrize(
    ("name", "phone", "by_key", "by_phone", "reason"),
    [
        ("何建军", "phone-1", None, None, None),
        ("何建军", "phone-1", HE, HE, None),
        ("何建军", "phone-9", HE, None, None),  # a new phone
        ("何健军", "phone-1", HE, HE, None),  # a corrected name
        ("李秀英", "phone-2", HE, None, Reason.KEY_OF_ANOTHER),  # a key given to somebody else
        ("何建军", "phone-2", HE, OTHER, Reason.PHONE_OF_ANOTHER),
        ("何建军", "phone-2", HE, ACCOUNT, Reason.PHONE_OF_ANOTHER),  # a grid worker joins them
        ("何建军", "phone-1", None, HE, None),  # known to another register by the same phone
        ("李秀英", "phone-1", None, HE, Reason.PHONE_OF_ANOTHER),
        ("李秀英", "phone-2", None, ACCOUNT, None),  # had bound the phone before
    ],
)
def test_a_person_of_a_register_is_recognised_and_never_taken_for_another(
    name: str, phone: str, by_key: Recorded | None, by_phone: Recorded | None, reason: Reason | None
) -> None:
    assert recognise(mention("A1", name, phone), phone, by_key, by_phone) is reason
