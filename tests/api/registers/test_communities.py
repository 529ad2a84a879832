"""A community comes in by its registers, again and changed, on both databases."""

from sqlmodel import col, select

from api.registers import describe
from consultation.community.registers import RegisterKind
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
    RoleAssignment,
)
from consultation.database import Database, statements
from consultation.journal import JournalEntry
from tests.api.registers.small import HOMES, ORGS, SMALL, TREE, UNITS, count, rows, take


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


async def test_a_household_that_is_not_lived_in_does_not_count(small: Database) -> None:
    vacant = [HOMES[0], ("H3", "U3", "否", "0", "", "", "")]
    await take(small, RegisterKind.HOUSEHOLDS, vacant)
    community = (await rows(small, select(Node).where(Node.code == "home")))[0]
    assert (community.homes, community.households, community.adults) == (3, 2, 5)


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
