"""Who votes for a home: what a register says, and what owners and households said themselves."""

import hashlib
from uuid import UUID

from sqlmodel import col, select

from api.registers import describe
from consultation.community.register_cells import Reason
from consultation.community.registers import RegisterKind
from consultation.community.tables import Household, Ownership, PersonKey, PropertyUnit
from consultation.database import Database
from consultation.journal import JournalEntry
from consultation.permissions import Actor
from consultation.polls.commands import designations
from consultation.polls.designation_tables import VoterDesignation
from tests.api.registers.small import HOMES, UNITS, as_csv, line, refused, rows, take
from tests.conftest import ManualClock


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
