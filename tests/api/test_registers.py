"""Register files as the command line takes them over, on both databases."""

import asyncio
import csv
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import xlsxwriter
from sqlmodel import col, func, select
from typer.testing import CliRunner

from api.cli import cli
from api.registers import describe, explain, take_register
from api.words import catalogue
from consultation.community.commands.registers import ImportReport
from consultation.community.register_cells import Reason
from consultation.community.register_words import (
    NODE_WORDS,
    ORG_WORDS,
    RESIDENCE_WORDS,
    ROLE_WORDS,
    UNIT_WORDS,
    plain_word,
)
from consultation.community.registers import COLUMNS, RegisterKind, RegisterRefused
from consultation.community.rules import GRANTABLE, CommunityUnknown
from consultation.community.tables import (
    Household,
    Node,
    Organisation,
    Ownership,
    Person,
    PersonKey,
    PropertyUnit,
    RegisterImport,
    Residence,
    ResidenceKind,
    RoleAssignment,
)
from consultation.database import Database, statements
from consultation.journal import JournalEntry
from consultation.permissions import Actor, Role
from consultation.polls.commands import designations
from consultation.polls.designation_tables import VoterDesignation
from tests.conftest import SECRET, ManualClock

Line = Sequence[str]

TREE: list[Line] = [
    ("编码", "类型", "上级编码", "名称", "网格编码", "建成年份"),
    ("T-3-2", "单元", "T-3", "2单元", "G1", ""),  # below its parent's line on purpose
    ("city", "市", "", "宁澜市", "", ""),
    ("district", "区", "city", "青溪区", "", ""),
    ("street", "街道", "district", "柳叶街道", "", ""),
    ("home", "社区", "street", "梧桐里社区", "", ""),
    ("G1", "网格", "home", "G01", "", ""),
    ("G2", "网格", "home", "G02", "", ""),
    ("T", "小区", "home", "桐荫苑", "", "1996"),
    ("T-3", "楼栋", "T", "3幢", "G1", ""),
]
ORGS: list[Line] = [
    ("组织编码", "组织类型", "组织名称", "所在编码"),
    ("party", "社区(村)党组织", "梧桐里社区党委", "home"),
    ("watch", "居(村)务监督委员会", "监督委员会", "home"),
    ("office", "街道办事处", "柳叶街道办事处", "street"),
]
UNITS: list[Line] = [
    (
        "房屋编码",
        "小区编码",
        "楼栋编码",
        "单元编码",
        "房屋类型",
        "专有面积",
        "业主编号",
        "业主姓名",
        "业主手机号",
        "表决代表",
    ),
    ("U1", "T", "T-3", "T-3-2", "住宅", "68.35", "A1", "何建军", "19900000001", ""),
    ("U2", "T", "T-3", "T-3-2", "住宅", "74.20", "A2;A3", "孙桂兰;孙大海", ";19900000003", "A2"),
    ("U3", "T", "T-3", "T-3-2", "住宅", "68.3", "A1", "何建军", "19900000001", ""),
]
HOMES: list[Line] = [
    ("户编码", "房屋编码", "在住", "成年人数", "户代表编号", "户代表姓名", "户代表手机号"),
    ("H1", "U1", "是", "2", "A1", "何建军", "19900000001"),
    ("H2", "U2", "是", "3", "A2", "孙桂兰", ""),
    ("H3", "U3", "是", "1", "B1", "李想", "19900000009"),
]
ROLES: list[Line] = [
    (
        "编号",
        "姓名",
        "手机号",
        "职务",
        "组织编码",
        "任职范围编码",
        "任职起始",
        "任职截止",
        "任职依据",
    ),
    ("S1", "周文静", "19900000011", "党组织书记", "party", "home", "2026-01-01", "", "任职文件"),
    ("S2", "陈巧云", "19900000012", "监督委员会成员", "watch", "home", "2026-01-01", "", "选举"),
]
SMALL = {
    RegisterKind.TREE: TREE,
    RegisterKind.ORGANISATIONS: ORGS,
    RegisterKind.UNITS: UNITS,
    RegisterKind.HOUSEHOLDS: HOMES,
    RegisterKind.ROLES: ROLES,
}


def as_csv(lines: Sequence[Line], encoding: str = "utf-8") -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file).writerows(lines)
    return file.getvalue().encode(encoding)


async def take(
    db: Database, kind: RegisterKind, lines: Sequence[Line], community: str = "home"
) -> ImportReport:
    return await take_register(db, kind, as_csv(lines), community_code=community)


async def refused(
    db: Database, kind: RegisterKind, lines: Sequence[Line]
) -> list[tuple[int, str, Reason]]:
    with pytest.raises(RegisterRefused) as caught:
        await take(db, kind, lines)
    return [(cell.line, cell.column, cell.reason) for cell in caught.value.cells]


async def count(db: Database, table: Any) -> int:
    async with db.read() as tx:
        return (await tx.session.exec(select(func.count()).select_from(table))).one()


async def rows(db: Database, statement: Any) -> list[Any]:
    async with db.read() as tx:
        return list(await tx.session.exec(statement))


@pytest.fixture
async def small(db: Database) -> Database:
    for kind, lines in SMALL.items():
        await take(db, kind, lines)
    return db


async def test_a_community_comes_in_by_five_files(small: Database) -> None:
    units = await rows(
        small,
        select(PropertyUnit.code, PropertyUnit.area_dm2, Node.code)
        .join(Node, col(Node.id) == PropertyUnit.entrance_id)
        .order_by(col(PropertyUnit.code)),
    )
    assert [tuple(unit) for unit in units] == [
        ("U1", 6835, "T-3-2"),
        ("U2", 7420, "T-3-2"),
        ("U3", 6830, "T-3-2"),
    ]
    owners = await rows(
        small,
        select(PropertyUnit.code, Person.masked_name, Ownership.named_voter)
        .join(Ownership, col(Ownership.unit_id) == PropertyUnit.id)
        .join(Person, col(Person.id) == Ownership.person_id)
        .order_by(col(PropertyUnit.code), col(Ownership.named_voter).desc()),
    )
    assert [tuple(owner) for owner in owners] == [
        ("U1", "何**", True),
        ("U2", "孙**", True),
        ("U2", "孙**", False),
        ("U3", "何**", True),
    ]
    assert await count(small, Person) == 6  # 何建军 once, though he has two homes
    sizes = await rows(
        small, select(Node.code, Node.homes, Node.households, Node.adults).order_by(col(Node.code))
    )
    assert {code: tuple(numbers) for code, *numbers in sizes if any(numbers)} == dict.fromkeys(
        ("home", "G1", "T", "T-3", "T-3-2"), (3, 3, 6)
    )
    entrance = (await rows(small, select(Node).where(Node.code == "T-3-2")))[0]
    community = (await rows(small, select(Node).where(Node.code == "home")))[0]
    assert entrance.path.startswith(community.path)
    assert entrance.community_id == community.id


async def test_names_and_phones_are_sealed_and_open_again(small: Database) -> None:
    lookup = small.vault.lookup("phone", "19900000001")
    person = (await rows(small, select(Person).where(Person.phone_lookup == lookup)))[0]
    assert small.vault.open(person.id, person.name_sealed) == "何建军"
    assert small.vault.open(person.id, person.phone_sealed) == "19900000001"
    assert "何建军".encode() not in person.name_sealed


async def test_registers_say_who_lives_here_and_as_what(small: Database) -> None:
    async def kinds() -> dict[str, tuple[ResidenceKind, int, str | None, str | None]]:
        found = await rows(
            small,
            select(
                PersonKey.key_lookup,
                Residence.kind,
                Residence.level,
                Household.code,
                PropertyUnit.code,
            )
            .join(PersonKey, col(PersonKey.person_id) == Residence.person_id)
            .outerjoin(Household, col(Household.id) == Residence.household_id)
            .outerjoin(PropertyUnit, col(PropertyUnit.id) == Residence.unit_id),
        )
        known = {small.vault.lookup("register", key): key for key in ("A1", "A2", "A3", "A4", "B1")}
        return {known[key]: tuple(row) for key, *row in found}

    assert await kinds() == {
        "A1": (ResidenceKind.OWNER, 2, "H1", "U1"),
        "A2": (ResidenceKind.OWNER, 2, "H2", "U2"),
        "A3": (ResidenceKind.OWNER, 2, "H2", "U2"),  # co-owns a home that is lived in
        "B1": (ResidenceKind.TENANT, 2, "H3", "U3"),
    }

    sold = [UNITS[0], (*UNITS[2][:6], "A4", "新业主", "19900000004", "")]
    await take(small, RegisterKind.UNITS, sold)
    assert (await kinds())["A4"][:2] == (ResidenceKind.OWNER, 2)
    assert "A3" not in await kinds()  # who sold and speaks for no household has left

    let = [
        HOMES[0],
        ("H1", "U1", "是", "2", "B1", "李想", "19900000009"),
        ("H3", "U3", "否", "0", "", "", ""),
    ]
    await take(small, RegisterKind.HOUSEHOLDS, let)
    assert (await kinds())["A1"][:2] == (ResidenceKind.ABSENT_OWNER, 2)
    assert (await kinds())["B1"] == (ResidenceKind.TENANT, 2, "H1", "U1")


async def test_the_same_files_again_change_nothing(small: Database) -> None:
    everything = (Node, Organisation, Person, PersonKey, PropertyUnit, Ownership, Household)
    everything += (Residence, RoleAssignment, RegisterImport, JournalEntry)
    before = [sorted(map(repr, await rows(small, select(table)))) for table in everything]

    for kind, lines in SMALL.items():
        report = await take(small, kind, lines)
        assert (report.added, report.changed, report.unchanged) == (0, 0, len(lines) - 1), kind

    after = [sorted(map(repr, await rows(small, select(table)))) for table in everything]
    assert after == before


async def test_changed_rows_are_updated_and_the_others_left(small: Database) -> None:
    tree = [*TREE[:-2], ("T", "小区", "home", "桐荫苑", "", "1997"), TREE[-1]]
    assert (await take(small, RegisterKind.TREE, tree)).changed == 1
    units = [UNITS[0], (*UNITS[1][:5], "70.00", *UNITS[1][6:]), UNITS[2], UNITS[3]]
    report = await take(small, RegisterKind.UNITS, units)
    assert (report.added, report.changed, report.unchanged) == (0, 1, 2)
    orgs = [ORGS[0], ("party", "社区(村)党组织", "梧桐里社区党总支", "home")]
    assert (await take(small, RegisterKind.ORGANISATIONS, orgs)).changed == 1
    renamed = [HOMES[0], ("H1", "U1", "是", "2", "A1", "何健军", "19900000001")]
    assert (await take(small, RegisterKind.HOUSEHOLDS, renamed)).changed == 1
    lookup = small.vault.lookup("phone", "19900000001")
    person = (await rows(small, select(Person).where(Person.phone_lookup == lookup)))[0]
    assert small.vault.open(person.id, person.name_sealed) == "何健军"

    # a file may come again after another one
    assert (await take(small, RegisterKind.UNITS, UNITS)).changed == 2  # area, and the name
    assert await count(small, RegisterImport) == 5 + 5


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


async def test_a_household_that_is_not_lived_in_does_not_count(small: Database) -> None:
    vacant = [HOMES[0], ("H3", "U3", "否", "0", "", "", "")]
    await take(small, RegisterKind.HOUSEHOLDS, vacant)
    community = (await rows(small, select(Node).where(Node.code == "home")))[0]
    assert (community.homes, community.households, community.adults) == (3, 2, 5)


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


async def test_roles_of_a_register_run_for_their_days_in_shanghai(small: Database) -> None:
    ended = [ROLES[0], (*ROLES[1][:7], "2026-03-10", "任期届满")]
    assert (await take(small, RegisterKind.ROLES, ended)).changed == 1
    role = (
        await rows(small, select(RoleAssignment).where(RoleAssignment.role == Role.PARTY_SECRETARY))
    )[0]
    assert role.valid_from.isoformat() == "2025-12-31T16:00:00+00:00"
    assert role.valid_to.isoformat() == "2026-03-10T16:00:00+00:00"
    types = [entry.type for entry in await rows(small, select(JournalEntry))]
    assert types.count("user.role_granted") == 2
    assert types.count("user.role_ended") == 1  # the clock stands at 2026-03-11
    assert types.count("community.register_imported") == 6


async def test_two_communities_number_their_people_as_they_like(small: Database) -> None:
    tree = [
        TREE[0],
        *TREE[2:5],
        ("next", "社区", "street", "邻近社区", "", ""),
        ("E", "小区", "next", "别苑", "", ""),
    ]
    await take(small, RegisterKind.TREE, tree, "next")
    units = [
        UNITS[0],
        ("X1", "E", "", "", "住宅", "50", "A1", "另一人", "19900000055", ""),
        ("X2", "E", "", "", "住宅", "50", "A9", "何建军", "19900000001", ""),
    ]
    people = await count(small, Person)
    await take(small, RegisterKind.UNITS, units, "next")
    assert await count(small, Person) == people + 1  # 何建军 is known by his phone
    assert (await take(small, RegisterKind.UNITS, units, "next")).unchanged == 2


async def test_an_account_with_the_phone_of_a_registered_person_becomes_that_person(
    small: Database,
) -> None:
    async with small.begin() as tx:
        account = Person(id=tx.new_id(), created_at=tx.now)
        account.phone_lookup = tx.vault.lookup("phone", "19900000066")
        account.phone_sealed = tx.vault.seal(account.id, "19900000066")
        tx.session.add(account)
        claim = Residence(
            id=tx.new_id(),
            person_id=account.id,
            community_id=(await tx.session.exec(select(Node.id).where(Node.code == "home"))).one(),
            kind=ResidenceKind.TENANT,
            level=1,
            created_at=tx.now,
        )
        await tx.session.flush()
        tx.session.add(claim)
    new = [UNITS[0], (*UNITS[3][:6], "A6", "吴晓曼", "19900000066", "")]
    await take(small, RegisterKind.UNITS, new)

    person = (await rows(small, select(Person).where(Person.id == account.id)))[0]
    assert (person.registered, person.masked_name) == (True, "吴**")
    residence = (await rows(small, select(Residence).where(Residence.person_id == account.id)))[0]
    assert (residence.id, residence.level, residence.kind, residence.method) == (
        claim.id,
        2,
        ResidenceKind.ABSENT_OWNER,
        "register",
    )


async def test_a_residence_that_a_grid_worker_checked_stands(small: Database) -> None:
    async with small.begin() as tx:
        key = tx.vault.lookup("register", "A3")
        person = (await tx.session.exec(select(PersonKey).where(PersonKey.key_lookup == key))).one()
        residence = (
            await tx.session.exec(select(Residence).where(Residence.person_id == person.person_id))
        ).one()
        residence.kind, residence.method = ResidenceKind.FAMILY, "grid_worker"
    sold = [UNITS[0], (*UNITS[2][:6], "A4", "新业主", "19900000004", "")]
    await take(small, RegisterKind.UNITS, sold)
    kept = (await rows(small, select(Residence).where(Residence.id == residence.id)))[0]
    assert (kept.kind, kept.method) == (ResidenceKind.FAMILY, "grid_worker")


async def test_merchants_and_minors_come_in_by_the_residents_register(small: Database) -> None:
    lines: list[Line] = [
        ("编号", "姓名", "手机号", "居民类型", "网格编码", "户编码", "出生日期"),
        ("M1", "店主", "19900000021", "商户", "G2", "", ""),
        ("M2", "小禾", "", "家庭成员", "", "H1", "2011-05-20"),
        ("A1", "何建军", "19900000001", "租户", "G2", "", ""),  # an owner who lives here stays one
    ]
    report = await take(small, RegisterKind.RESIDENTS, lines)
    assert (report.added, report.unchanged) == (2, 1)
    assert (await take(small, RegisterKind.RESIDENTS, lines)).unchanged == 3
    found = await rows(
        small,
        select(Residence.kind, Node.code, Person.born_on)
        .join(Person, col(Person.id) == Residence.person_id)
        .join(Node, col(Node.id) == Residence.grid_id)
        .order_by(col(Residence.kind)),
    )
    assert {kind for kind, *_ in found} == {
        ResidenceKind.FAMILY,
        ResidenceKind.MERCHANT,
        ResidenceKind.OWNER,
        ResidenceKind.TENANT,
    }
    assert [(code, str(born)) for kind, code, born in found if kind is ResidenceKind.FAMILY] == [
        ("G1", "2011-05-20")
    ]
    owner = [*lines[:1], ("M3", "某人", "", "业主", "", "", "")]
    assert await refused(small, RegisterKind.RESIDENTS, owner) == [
        (2, "居民类型", Reason.WORD_UNKNOWN)
    ]


async def test_a_place_above_the_norm_is_only_warned_about(small: Database) -> None:
    homes = [("户编码", "小区编码", "网格编码", "在住", "成年人数")] + [
        (f"V{n}", "T", "G2", "是", "1") for n in range(301)
    ]
    report = await take(small, RegisterKind.HOUSEHOLDS, homes)
    assert [(w.node_code, w.households, w.norm) for w in report.warnings] == [("G2", 301, 300)]
    assert "301" in describe(report, "zh-CN")[1]


async def test_the_statements_of_an_import_do_not_grow_with_its_rows(small: Database) -> None:
    async def cost(first: int, last: int) -> int:
        lines = [UNITS[0]] + [
            (f"N{n}", "T", "", "", "住宅", "9", f"N{n}", "新人", f"1{8800000000 + n}", "")
            for n in range(first, last)
        ]
        counter = [0]
        token = statements.set(counter)
        await take(small, RegisterKind.UNITS, lines)
        statements.reset(token)
        return counter[0]

    few, many = await cost(0, 5), await cost(5, 400)
    assert many <= few <= 40


# ---- files --------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
async def test_a_csv_may_be_encoded_as_offices_do(db: Database, encoding: str) -> None:
    report = await take_register(
        db, RegisterKind.TREE, as_csv(TREE, encoding), community_code="home"
    )
    assert report.added == 9
    assert (await rows(db, select(Node.name).where(Node.code == "T")))[0] == "桐荫苑"


async def test_a_workbook_reads_like_the_csv(small: Database, tmp_path: Path) -> None:
    path = tmp_path / "units.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for number, line in enumerate([*UNITS[:2], [""] * 10, *UNITS[2:]]):
            for place, cell in enumerate(line):
                plain = cell.replace(".", "", 1).isdigit()
                (sheet.write_number if plain else sheet.write_string)(number, place, _cell(cell))
    report = await take_register(
        small, RegisterKind.UNITS, path.read_bytes(), community_code="home"
    )
    assert (report.rows, report.unchanged) == (3, 3)

    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for place, cell in enumerate(UNITS[0]):
            sheet.write(0, place, cell)
        sheet.write(4, 0, "U1")
    with pytest.raises(RegisterRefused) as caught:
        await take_register(small, RegisterKind.UNITS, path.read_bytes(), community_code="home")
    assert {cell.line for cell in caught.value.cells} == {5}  # as the office program counts


def _cell(text: str) -> Any:
    return float(text) if text.replace(".", "", 1).isdigit() else text


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00\x81", b"PK\x03\x04 not a workbook", b'a,"b\n'], ids=str
)
async def test_what_is_neither_csv_nor_workbook_is_refused(db: Database, content: bytes) -> None:
    with pytest.raises(RegisterRefused) as caught:
        await take_register(db, RegisterKind.TREE, content, community_code="home")
    assert [cell.reason for cell in caught.value.cells] == [Reason.FILE_UNREADABLE]


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


async def test_the_command_line_takes_a_register_over_or_says_what_is_wrong(
    database_url: str, tmp_path: Path
) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        environment = {
            "MINYI_DATABASE_URL": database_url,
            "MINYI_FIELD_SECRET": SECRET,
            "MINYI_TOKEN_KEY": "11" * 32,
            "MINYI_BOARD_KEY": "22" * 32,
        }
        done = CliRunner().invoke(cli, ["import", *arguments], env=environment)
        return done.exit_code, done.output

    tree, units = tmp_path / "tree.csv", tmp_path / "units.csv"
    tree.write_bytes(as_csv(TREE))
    units.write_bytes(as_csv([UNITS[0], (*UNITS[1][:5], "68.355", *UNITS[1][6:])]))

    async def in_a_thread(*arguments: str) -> tuple[int, str]:
        return await asyncio.to_thread(run, *arguments)

    code, said = await in_a_thread("units", str(units), "--community", "home")
    assert (code, "home" in said) == (1, True)
    code, said = await in_a_thread("tree", str(tree), "--community", "home")
    assert (code, "新增 9" in said) == (0, True)
    code, said = await in_a_thread("tree", str(tree), "--community", "home", "--language", "en")
    assert (code, "9 unchanged" in said) == (0, True)
    code, said = await in_a_thread("units", str(units), "--community", "home")
    assert code == 1
    assert "第 2 行 专有面积" in said
    code, said = await in_a_thread("nonsense", str(units), "--community", "home")
    assert (code, "households" in said) == (1, True)


def test_every_word_that_people_read_may_be_written_in_a_register() -> None:
    texts = catalogue("zh-CN")
    for group, words in (
        ("node_kind", NODE_WORDS),
        ("unit_kind", UNIT_WORDS),
        ("org_kind", ORG_WORDS),
        ("residence_kind", RESIDENCE_WORDS),
    ):
        members = {str(member): member for member in words.values()}
        for value, member in members.items():
            assert words[plain_word(texts[f"words.{group}.{value}"])] is member
            assert words[value] is member
    for role in GRANTABLE[Role.SYSTEM]:
        assert ROLE_WORDS[plain_word(texts[f"words.role.{role}"])] is role


def test_every_reason_has_words() -> None:
    for locale in ("zh-CN", "en"):
        reasons = {
            key.rsplit(".", 1)[1]
            for key in catalogue(locale)
            if key.startswith("words.register_reason.")
        }
        assert reasons == {reason.value for reason in Reason}


# ---- who votes for a home -----------------------------------------------------------------------


def line(lines: list[Line], code: str, **cells: str) -> list[Line]:
    """The file with some cells of a row changed, by their headers."""
    header, *rest = lines
    return [
        header,
        *(
            [cells.get(name, cell) for name, cell in zip(header, row, strict=True)]
            if row[0] == code
            else row
            for row in rest
        ),
    ]


async def keyed(db: Database, key: str) -> UUID:
    lookup = db.vault.lookup("register", key)
    statement = select(PersonKey.person_id).where(PersonKey.key_lookup == lookup)
    return (await rows(db, statement))[0]


async def voter_of_unit(db: Database, code: str) -> UUID:
    (found,) = await rows(
        db,
        select(Ownership.person_id)
        .join(PropertyUnit, col(PropertyUnit.id) == col(Ownership.unit_id))
        .where(PropertyUnit.code == code, col(Ownership.named_voter).is_(True)),
    )
    return found


async def log_of(db: Database) -> list[VoterDesignation]:
    return await rows(db, select(VoterDesignation).order_by(col(VoterDesignation.at)))


async def test_whom_owners_named_is_not_overwritten_by_a_register(
    small: Database, clock: ManualClock
) -> None:
    wife, husband = await keyed(small, "A2"), await keyed(small, "A3")
    (unit,) = await rows(small, select(PropertyUnit.id).where(PropertyUnit.code == "U2"))
    assert await log_of(small) == []
    async with small.begin(Actor(person_id=wife)) as tx:
        await designations.name_owner_voter(
            tx, unit, person_id=husband, evidence_sha256=None, witness_id=None
        )
    clock.advance(hours=1)

    larger = line(UNITS, "U2", 专有面积="75.00")  # still names the wife
    report = await take(small, RegisterKind.UNITS, larger)
    assert report.kept == ("U2",)
    assert await voter_of_unit(small, "U2") == husband
    assert any("U2" in said for said in describe(report, "zh-CN"))
    assert [one.from_register for one in await log_of(small)] == [False]
    again = await take(small, RegisterKind.UNITS, line(larger, "U2", 表决代表="A3"))
    assert (again.kept, again.changed) == ((), 0)

    clock.advance(hours=1)
    names = {"业主编号": "A2;B9", "业主姓名": "孙桂兰;王五", "业主手机号": ";19900000099"}
    sold = line(UNITS, "U2", **names)
    report = await take(small, RegisterKind.UNITS, sold)
    assert report.kept == ()
    assert await voter_of_unit(small, "U2") == wife
    last = (await log_of(small))[-1]
    assert (last.from_register, last.previous_id, last.person_id) == (True, husband, wife)
    assert (last.unit_id, last.by_id) == (unit, None)
    assert last.evidence_sha256 == hashlib.sha256(as_csv(sold)).hexdigest()
    told = await rows(small, select(JournalEntry).where(JournalEntry.type == "user.voter_named"))
    assert {f"user:{wife}", f"user:{husband}"} <= {one.stream for one in told}
    assert {one.data["home"] for one in told} == {"U2"}
    clock.advance(hours=1)
    report = await take(small, RegisterKind.UNITS, line(sold, "U2", 表决代表="B9"))
    assert report.kept == ()  # what a register said a register may change
    assert await voter_of_unit(small, "U2") == await keyed(small, "B9")
    assert len(await log_of(small)) == 3


async def test_who_represents_a_household_is_logged_and_stays_whom_it_named(
    small: Database, clock: ManualClock
) -> None:
    wife, husband = await keyed(small, "A2"), await keyed(small, "A3")
    (home,) = await rows(small, select(Household.id).where(Household.code == "H2"))

    async def represents() -> UUID | None:
        (found,) = await rows(
            small, select(Household.representative_id).where(Household.id == home)
        )
        return found

    by_him = {"户代表编号": "A3", "户代表姓名": "孙大海", "户代表手机号": "19900000003"}
    theirs = line(HOMES, "H2", **by_him)
    await take(small, RegisterKind.HOUSEHOLDS, theirs)
    assert await represents() == husband
    (one,) = await log_of(small)
    assert (one.household_id, one.previous_id, one.person_id) == (home, wife, husband)
    assert one.evidence_sha256 == hashlib.sha256(as_csv(theirs)).hexdigest()

    clock.advance(hours=1)
    async with small.begin(Actor(person_id=husband)) as tx:
        await designations.name_representative(
            tx, home, person_id=wife, evidence_sha256=None, witness_id=None
        )
    clock.advance(hours=1)
    report = await take(small, RegisterKind.HOUSEHOLDS, line(theirs, "H2", 成年人数="2"))
    assert (report.kept, report.changed) == (("H2",), 1)
    assert await represents() == wife
    both = line(theirs, "H3", 户代表编号="A2", 户代表姓名="孙桂兰", 户代表手机号="")
    assert [bad[2] for bad in await refused(small, RegisterKind.HOUSEHOLDS, both)] == [
        Reason.SPEAKS_FOR_ANOTHER
    ]
    empty = line(
        theirs, "H2", 在住="否", 成年人数="0", 户代表编号="", 户代表姓名="", 户代表手机号=""
    )
    await take(small, RegisterKind.HOUSEHOLDS, empty)
    assert await represents() is None
    assert (await log_of(small))[-1].person_id is None
