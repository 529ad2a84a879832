from typing import Any
from uuid import UUID

import pytest
from sqlmodel import select

from consultation.community import residence_queries as queries
from consultation.community.commands.verification import (
    Verified,
    claim_residence,
    refuse_claim,
    verify_claim,
)
from consultation.community.identity import (
    AccountNotProvisional,
    CannotVerifyOneself,
    ClaimAlreadyDecided,
    HomeNotHere,
    NameMissing,
    NotOfThisHome,
    PhoneNotBound,
    ResidenceAlreadyVerified,
)
from consultation.community.tables import Household, Person, Residence, ResidenceKind
from consultation.database import Database
from consultation.events.people import PersonVerified, UserNotified
from consultation.permissions import Actor, Role
from consultation.refusals import NotFound, NotPermitted, Refusal
from tests.world import World


async def account(db: Database, *, phone: str | None = "13800001234") -> Actor:
    """A person as the first login and the bound phone leave it."""
    async with db.begin() as tx:
        person = Person(id=tx.new_id(), created_at=tx.now)
        if phone is not None:
            person.phone_sealed = tx.vault.seal(person.id, phone)
            person.phone_lookup = tx.vault.lookup("phone", phone)
        tx.session.add(person)
    return Actor(person_id=person.id)


async def claim(
    db: Database, world: World, who: Actor, *, community: str = "community", **changes: Any
) -> Residence:
    asked: dict[str, Any] = {
        "kind": ResidenceKind.TENANT,
        "address": "3幢2单元101",
        "place_id": world.nodes["entrance"].id,
        "name": "何小满",
    }
    async with db.begin(who) as tx:
        return await claim_residence(tx, world.nodes[community].id, **(asked | changes))


async def verify(db: Database, who: Actor, claim_id: UUID, **home: UUID | None) -> Verified:
    asked: dict[str, UUID | None] = {
        "household_id": None,
        "unit_id": None,
        "registered_person_id": None,
    }
    async with db.begin(who) as tx:
        return await verify_claim(tx, claim_id, **(asked | home))


async def households(db: Database) -> list[Household]:
    async with db.read() as tx:
        return list(await tx.session.exec(select(Household).order_by(Household.code)))


async def standing(db: Database, world: World, who: Actor) -> Role:
    async with db.read(who) as tx:
        await queries.standing_at(tx, world.community.id, world.community.path)
        return tx.standing.role


# ---- claiming -----------------------------------------------------------------------------


async def test_a_claim_goes_to_the_grid_worker_of_the_place_and_opens_nothing_yet(
    db: Database, world: World
) -> None:
    who = await account(db)

    residence = await claim(db, world, who)

    assert (residence.level, residence.grid_id) == (1, world.nodes["grid"].id)
    assert residence.claim_sealed is not None
    assert "3幢2单元101".encode() not in residence.claim_sealed
    assert await standing(db, world, who) is Role.VISITOR
    async with db.read() as tx:
        person = await tx.session.get(Person, who.person_id)
        assert person is not None
        assert person.masked_name == "何**"
        assert db.vault.open(person.id, person.name_sealed or b"") == "何小满"


async def test_the_last_claim_stands(db: Database, world: World) -> None:
    who = await account(db)
    first = await claim(db, world, who)

    second = await claim(
        db, world, who, kind=ResidenceKind.OWNER, address="搬到 102", place_id=None, name=None
    )

    assert second.id == first.id
    assert (second.kind, second.grid_id) == (ResidenceKind.OWNER, None)
    assert db.vault.open(second.id, second.claim_sealed or b"") == "搬到 102"


async def test_what_a_claim_needs(db: Database, world: World) -> None:
    without_phone = await account(db, phone=None)
    nameless = await account(db)
    cases: list[tuple[Actor, dict[str, Any], type[Refusal]]] = [
        (without_phone, {}, PhoneNotBound),
        (nameless, {"name": None}, NameMissing),
        (nameless, {"place_id": world.nodes["other"].id}, HomeNotHere),
        (nameless, {"place_id": UUID(int=1)}, HomeNotHere),
        (nameless, {"community": "grid"}, NotFound),
        (nameless, {"community": "district"}, NotFound),
        (world.as_("resident1"), {}, ResidenceAlreadyVerified),
    ]
    for who, changes, refusal in cases:
        with pytest.raises(refusal):
            await claim(db, world, who, **changes)


async def test_a_person_of_the_register_keeps_the_name_that_was_checked(
    db: Database, world: World
) -> None:
    await claim(db, world, world.as_("resident1"), community="other", place_id=None, name="冒名者")

    async with db.read() as tx:
        person = await tx.session.get(Person, world.id("resident1"))
        assert person is not None
        assert person.masked_name == world.people["resident1"].masked_name
        assert db.vault.open(person.id, person.name_sealed or b"") != "冒名者"


# ---- seeing -------------------------------------------------------------------------------


async def test_a_grid_worker_sees_the_own_grid_and_a_clerk_everything(
    db: Database, world: World
) -> None:
    here = await claim(db, world, await account(db, phone="13800000001"))
    there = await claim(
        db, world, await account(db, phone="13800000002"), place_id=world.nodes["grid2"].id
    )
    nowhere = await claim(db, world, await account(db, phone="13800000003"), place_id=None)

    async def seen(who: Actor) -> list[UUID]:
        async with db.read(who) as tx:
            found = await queries.claims(tx, world.community.id, after=None, limit=20)
            return [one.id for one in found]

    assert await seen(world.as_("grid_worker", Role.GRID_WORKER)) == [here.id]
    clerk = await seen(world.as_("clerk", Role.CLERK))
    assert sorted(clerk) == sorted([here.id, there.id, nowhere.id])
    for name, role in (
        ("secretary", Role.PARTY_SECRETARY),
        ("supervisor", Role.SUPERVISOR),
        ("company", Role.PROPERTY_COMPANY),
        ("resident1", None),
        ("clerk", None),
    ):
        with pytest.raises(NotPermitted):
            await seen(world.as_(name, role))


async def test_a_claim_shows_its_checker_name_address_and_phone(db: Database, world: World) -> None:
    await claim(db, world, await account(db))

    async with db.read(world.as_("grid_worker", Role.GRID_WORKER)) as tx:
        (one,) = await queries.claims(tx, world.community.id, after=None, limit=20)

    assert (one.name, one.address, one.phone) == ("何小满", "3幢2单元101", "13800001234")


async def test_homes_are_found_by_part_of_a_code_with_those_whom_the_register_has_there(
    db: Database, world: World
) -> None:
    made = await claim(db, world, await account(db))
    async with db.begin() as tx:
        unit = world.units[5]
        household = (
            await tx.session.exec(select(Household).where(Household.unit_id == unit.id))
        ).one()
        household.unit_id = None

    async with db.read(world.as_("grid_worker", Role.GRID_WORKER)) as tx:
        one = await queries.homes_for(tx, made.id, "2-101", limit=20)
        empty = await queries.homes_for(tx, made.id, "302", limit=20)
        homeless = await queries.homes_for(tx, made.id, "H6", limit=20)
        all_of_them = await queries.homes_for(tx, made.id, "桐荫苑", limit=20)
        few = await queries.homes_for(tx, made.id, "桐荫苑", limit=2)
        wild = await queries.homes_for(tx, made.id, "%", limit=20)

    assert [(h.unit_code, h.household_code) for h in one] == [("桐荫苑-3-2-101", "H1")]
    assert one[0].people == {world.id("resident1"): "居*"}
    assert [(h.unit_code, h.household_code) for h in empty] == [("桐荫苑-3-2-302", None)]
    assert empty[0].people == {world.id("resident6"): "居*"}
    assert [(h.unit_code, h.household_code) for h in homeless] == [(None, "H6")]
    assert homeless[0].people == {world.id("resident6"): "居*"}
    assert len(all_of_them) == 6
    assert len(few) == 2
    assert wild == []


# ---- deciding -----------------------------------------------------------------------------


async def test_the_grid_worker_verifies_against_a_household_and_the_claim_is_forgotten(
    db: Database, world: World
) -> None:
    who = await account(db)
    made = await claim(db, world, who)
    home = (await households(db))[0]

    async with db.begin(world.as_("grid_worker", Role.GRID_WORKER)) as tx:
        verified = await verify_claim(
            tx, made.id, household_id=home.id, unit_id=None, registered_person_id=None
        )
        events = tx.events

    residence = verified.residence
    assert verified.joined is None
    assert (residence.level, residence.method) == (2, "grid_worker")
    assert (residence.household_id, residence.unit_id) == (home.id, home.unit_id)
    assert residence.verified_by_id == world.id("grid_worker")
    assert residence.claim_sealed is None
    assert await standing(db, world, who) is Role.RESIDENT
    assert [(type(e), e.streams()) for e in events] == [
        (PersonVerified, [f"user:{who.person_id}"]),
        (UserNotified, [f"user:{who.person_id}"]),
    ]


async def test_a_unit_without_household_will_do_and_units_and_households_must_fit(
    db: Database, world: World
) -> None:
    made = await claim(db, world, await account(db), kind=ResidenceKind.MERCHANT)
    homes = await households(db)
    worker = world.as_("grid_worker", Role.GRID_WORKER)

    with pytest.raises(HomeNotHere):
        await verify(db, worker, made.id, household_id=homes[0].id, unit_id=homes[1].unit_id)
    with pytest.raises(HomeNotHere):
        await verify(db, worker, made.id)
    with pytest.raises(HomeNotHere):
        await verify(db, worker, made.id, unit_id=UUID(int=1))

    done = await verify(db, worker, made.id, unit_id=homes[1].unit_id)
    assert done.residence.household_id == homes[1].id  # the unit's own household comes along


async def test_a_grid_worker_decides_in_the_own_grid_only(db: Database, world: World) -> None:
    worker = world.as_("grid_worker", Role.GRID_WORKER)
    elsewhere = await claim(
        db, world, await account(db, phone="13800000001"), place_id=world.nodes["grid2"].id
    )
    here = await claim(db, world, await account(db, phone="13800000002"))
    home = (await households(db))[0]
    async with db.begin() as tx:
        moved = await tx.session.get(Household, home.id)
        assert moved is not None
        moved.grid_id = world.nodes["grid2"].id

    with pytest.raises(NotFound):
        await verify(db, worker, elsewhere.id, household_id=home.id)
    with pytest.raises(HomeNotHere):
        await verify(db, worker, here.id, household_id=home.id)
    with pytest.raises(NotFound):
        async with db.begin(worker) as tx:
            await refuse_claim(tx, elsewhere.id, reason="不在我的网格")
    done = await verify(db, world.as_("clerk", Role.CLERK), elsewhere.id, household_id=home.id)
    assert done.residence.grid_id == world.nodes["grid2"].id


async def test_nobody_else_decides_and_nobody_decides_on_themselves(
    db: Database, world: World
) -> None:
    made = await claim(db, world, await account(db))
    home = (await households(db))[0]
    for name, role in (
        ("secretary", Role.PARTY_SECRETARY),
        ("admin", Role.SYSTEM_ADMIN),
        ("resident1", None),
        ("grid_worker", None),
    ):
        with pytest.raises(NotPermitted):
            await verify(db, world.as_(name, role), made.id, household_id=home.id)

    own = await claim(db, world, world.as_("grid_worker"), name=None)
    worker = world.as_("grid_worker", Role.GRID_WORKER)
    with pytest.raises(CannotVerifyOneself):
        await verify(db, worker, own.id, household_id=home.id)
    with pytest.raises(CannotVerifyOneself):
        async with db.begin(worker) as tx:
            await refuse_claim(tx, own.id, reason="自己的")
    with pytest.raises(CannotVerifyOneself):
        await verify(
            db, worker, made.id, household_id=home.id, registered_person_id=world.id("grid_worker")
        )


async def test_a_refused_claim_says_why_and_can_be_made_again(db: Database, world: World) -> None:
    who = await account(db)
    made = await claim(db, world, who)
    worker = world.as_("grid_worker", Role.GRID_WORKER)

    async with db.begin(worker) as tx:
        await refuse_claim(tx, made.id, reason="名册中没有这位租户")
        events = tx.events
    with pytest.raises(ClaimAlreadyDecided):
        await verify(db, worker, made.id, household_id=(await households(db))[0].id)

    async with db.read(who) as tx:
        ((own, _),) = await queries.residences_with_names(tx, who.person_id or UUID(int=0))
    assert own.refusal_reason == "名册中没有这位租户"
    assert "名册" not in str([event.data() for event in events])  # reasons stay off the streams
    again = await claim(db, world, who)
    assert again.refusal_reason is None
    done = await verify(db, worker, made.id, household_id=(await households(db))[0].id)
    assert done.residence.level == 2


async def test_a_claim_is_decided_once(db: Database, world: World) -> None:
    made = await claim(db, world, await account(db))
    worker = world.as_("grid_worker", Role.GRID_WORKER)
    home = (await households(db))[0]
    await verify(db, worker, made.id, household_id=home.id)

    with pytest.raises(ClaimAlreadyDecided):
        await verify(db, worker, made.id, household_id=home.id)
    with pytest.raises(ClaimAlreadyDecided):
        async with db.begin(worker) as tx:
            await refuse_claim(tx, made.id, reason="改主意")
    with pytest.raises(NotFound):
        await verify(db, worker, UUID(int=1), household_id=home.id)


# ---- recognising --------------------------------------------------------------------------


async def test_the_account_becomes_the_person_whom_the_register_has_for_the_home(
    db: Database, world: World
) -> None:
    who = await account(db)
    made = await claim(db, world, who, kind=ResidenceKind.OWNER)
    elsewhere = await claim(db, world, who, community="other", place_id=None)
    home = (await households(db))[0]
    worker = world.as_("grid_worker", Role.GRID_WORKER)

    done = await verify(
        db, worker, made.id, household_id=home.id, registered_person_id=world.id("resident1")
    )

    assert done.joined == who.person_id
    assert done.residence.person_id == world.id("resident1")
    assert (done.residence.level, done.residence.method) == (2, "grid_worker")
    async with db.read() as tx:
        before = await tx.session.get(Person, who.person_id)
        after = await tx.session.get(Person, world.id("resident1"))
        theirs = await queries.residences_of(tx, world.id("resident1"))
        assert await queries.residences_of(tx, who.person_id or UUID(int=0)) == []
    assert before is not None
    assert after is not None
    assert before.same_as_id == after.id
    assert before.phone_lookup is None
    assert db.vault.open(after.id, after.phone_sealed or b"") == "13800001234"
    assert {r.id for r in theirs} == {done.residence.id, elsewhere.id}
    assert made.id not in {r.id for r in theirs}


async def test_a_registered_person_without_a_residence_here_takes_over_the_claim(
    db: Database, world: World
) -> None:
    made = await claim(db, world, await account(db))
    async with db.begin() as tx:
        (residence,) = await queries.residences_of(tx, world.id("resident1"))
        await tx.session.delete(residence)
    home = (await households(db))[0]

    done = await verify(
        db,
        world.as_("grid_worker", Role.GRID_WORKER),
        made.id,
        household_id=home.id,
        registered_person_id=world.id("resident1"),
    )

    assert done.residence.id == made.id
    assert done.residence.person_id == world.id("resident1")
    assert done.residence.household_id == home.id


async def test_only_people_of_the_home_can_be_recognised_and_only_mere_accounts_become_them(
    db: Database, world: World
) -> None:
    made = await claim(db, world, await account(db))
    worker = world.as_("grid_worker", Role.GRID_WORKER)
    home = (await households(db))[0]
    for stranger in (world.id("resident2"), world.id("visitor"), UUID(int=1)):
        with pytest.raises(NotOfThisHome):
            await verify(db, worker, made.id, household_id=home.id, registered_person_id=stranger)

    known = await claim(db, world, world.as_("neighbour"))
    with pytest.raises(AccountNotProvisional):
        await verify(
            db, worker, known.id, household_id=home.id, registered_person_id=world.id("resident1")
        )
    done = await verify(db, worker, known.id, household_id=home.id)
    assert done.residence.person_id == world.id("neighbour")
