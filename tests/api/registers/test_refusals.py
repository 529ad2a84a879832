"""What does not fit is named by line and column, and nothing of the file comes in."""

import pytest

from api.registers import explain
from consultation.community.register_cells import Reason
from consultation.community.registers import COLUMNS, RegisterKind, RegisterRefused
from consultation.community.rules import CommunityUnknown
from consultation.community.tables import Person, PropertyUnit
from consultation.database import Database
from consultation.journal import JournalEntry
from tests.api.registers.small import HOMES, ORGS, ROLES, SMALL, TREE, UNITS, count, refused, take


async def test_one_bad_row_and_nothing_comes_in(small: Database) -> None:
    before = [await count(small, table) for table in (PropertyUnit, Person, JournalEntry)]
    bad = [
        *UNITS,
        ("U4", "T", "T-3", "T-3-2", "住宅", "80.00", "A5", "新人", "19900000005", ""),
        ("U5", "T", "T-3", "T-9", "住宅", "80.001", "A6", "新人", "1990000000", ""),
        ("U6", "T", "T-9", "T-3-2", "住宅", "80.00", "", "某人", "", ""),
        ("U7", "G1", "", "", "住宅", "80.00", "A1", "李四", "19900000077", ""),
        ("U1", "T", "", "", "住宅", "80.00", "A8", "某人", "19900000001", ""),
    ]

    assert await refused(small, RegisterKind.UNITS, bad) == [
        (6, "专有面积", Reason.NOT_AN_AREA),
        (6, "业主手机号", Reason.NOT_A_PHONE),
        (7, "业主编号", Reason.PERSON_NOT_IDENTIFIED),
        (7, "楼栋编码", Reason.PLACE_UNKNOWN),
        (8, "业主姓名", Reason.PERSON_DIFFERS),
        (8, "业主手机号", Reason.PERSON_DIFFERS),
        (8, "小区编码", Reason.PLACE_WRONG_KIND),
        (9, "房屋编码", Reason.CODE_TWICE),
    ]
    assert [await count(small, table) for table in (PropertyUnit, Person, JournalEntry)] == before
    for locale in ("zh-CN", "en"):
        with pytest.raises(RegisterRefused) as caught:
            await take(small, RegisterKind.UNITS, bad)
        lines = explain(caught.value, locale)
        assert len(lines) == 9
        assert not [secret for secret in ("李四", "某人", "19900000") if secret in str(lines)]


MISFITS = (
    (RegisterKind.TREE, 9, 2, "nowhere", Reason.PLACE_UNKNOWN),
    (RegisterKind.TREE, 9, 2, "G1", Reason.PLACE_WRONG_KIND),
    (RegisterKind.TREE, 9, 2, "T-3-2", Reason.PARENT_IN_CIRCLE),
    (RegisterKind.TREE, 9, 1, "单元", Reason.PLACE_WRONG_KIND),
    (RegisterKind.TREE, 9, 4, "T", Reason.PLACE_WRONG_KIND),
    (RegisterKind.TREE, 9, 4, "G9", Reason.PLACE_UNKNOWN),
    (RegisterKind.TREE, 7, 3, "G01", Reason.NAME_TWICE),
    (RegisterKind.TREE, 7, 1, "小区", Reason.KIND_CHANGED),
    (RegisterKind.TREE, 6, 2, "T", Reason.PLACE_WRONG_KIND),
    (RegisterKind.TREE, 5, 0, "elsewhere", Reason.NAME_TWICE),
    (RegisterKind.ORGANISATIONS, 1, 3, "nowhere", Reason.PLACE_UNKNOWN),
    (RegisterKind.ORGANISATIONS, 1, 3, "street", Reason.PLACE_MOVED),
    (RegisterKind.UNITS, 1, 3, "G1", Reason.PLACE_WRONG_KIND),
    (RegisterKind.UNITS, 1, 6, "A2", Reason.PERSON_DIFFERS),
    (RegisterKind.HOUSEHOLDS, 1, 1, "U9", Reason.UNIT_UNKNOWN),
    (RegisterKind.HOUSEHOLDS, 3, 4, "A1", Reason.PERSON_DIFFERS),
    (RegisterKind.ROLES, 1, 4, "nobody", Reason.ORGANISATION_UNKNOWN),
    (RegisterKind.ROLES, 1, 5, "nowhere", Reason.PLACE_UNKNOWN),
    (RegisterKind.ROLES, 1, 3, "resident", Reason.ROLE_NOT_GIVEN),
)
"""Line and cell of the small registers, what to write there, and what must be said of it."""


async def test_a_register_must_fit_the_community(small: Database) -> None:
    for kind, line, cell, text, reason in MISFITS:
        changed = [list(cells) for cells in SMALL[kind]]
        changed[line][cell] = text
        found = [why for _, _, why in await refused(small, kind, changed)]
        assert reason in found, (kind, line, cell, text, found)


async def test_a_place_stays_where_it_is(small: Database) -> None:
    moved = [
        TREE[0],
        ("G2", "网格", "other", "G02", "", ""),
        ("other", "社区", "street", "别处", "", ""),
    ]
    found = await refused(small, RegisterKind.TREE, moved)
    assert [reason for *_, reason in found] == [Reason.PLACE_MOVED, Reason.OUTSIDE_COMMUNITY]


async def test_nobody_speaks_for_two_households(small: Database) -> None:
    twice = [HOMES[0], ("H3", "U3", "是", "1", "A1", "何建军", "19900000001")]
    assert await refused(small, RegisterKind.HOUSEHOLDS, twice) == [
        (2, "户代表姓名", Reason.SPEAKS_FOR_ANOTHER)
    ]
    swapped = [
        HOMES[0],
        ("H1", "U1", "是", "2", "B1", "李想", "19900000009"),
        ("H3", "U3", "是", "1", "A1", "何建军", "19900000001"),
    ]
    assert (await take(small, RegisterKind.HOUSEHOLDS, swapped)).changed == 2


async def test_a_register_cannot_give_offices_that_exclude_each_other(small: Database) -> None:
    both = [ROLES[0], ("S1", *ROLES[1][1:3], "监督委员会成员", "watch", *ROLES[1][5:])]
    assert await refused(small, RegisterKind.ROLES, both) == [(2, "职务", Reason.ROLES_EXCLUDE)]
    relative = [
        (*ROLES[0], "居村委会成员近亲属"),
        (
            "S3",
            "周文斌",
            "19900000013",
            "监督委员会成员",
            "watch",
            "home",
            "2026-01-01",
            "",
            "选举",
            "是",
        ),
    ]
    assert await refused(small, RegisterKind.ROLES, relative) == [
        (2, "职务", Reason.RELATIVE_CANNOT_SUPERVISE)
    ]


async def test_a_register_needs_its_community(db: Database) -> None:
    for kind in RegisterKind:
        if kind is not RegisterKind.TREE:
            header = [column.name for column in COLUMNS[kind]]
            with pytest.raises((CommunityUnknown, RegisterRefused)):
                await take(db, kind, [header, ["x"] * len(header)])
    with pytest.raises(CommunityUnknown):
        await take(db, RegisterKind.ORGANISATIONS, ORGS)
    no_community = [TREE[0], TREE[2]]
    assert await refused(db, RegisterKind.TREE, no_community) == [(1, "编码", Reason.PLACE_UNKNOWN)]
