"""Whom registers bring in: sealed, known again, where they live and as what."""

from sqlmodel import col, select

from consultation.community.register_cells import Reason
from consultation.community.registers import RegisterKind
from consultation.community.tables import (
    Household,
    Node,
    Person,
    PersonKey,
    PropertyUnit,
    Residence,
    ResidenceKind,
    RoleAssignment,
)
from consultation.database import Database
from consultation.journal import JournalEntry
from consultation.permissions import Role
from tests.api.registers.small import HOMES, ROLES, TREE, UNITS, Line, count, refused, rows, take


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
