"""The roll of every electorate, built from the registers as they stand (domain 4.1)."""

from datetime import date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import select

from consultation.calendar import local_day
from consultation.community.tables import (
    Household,
    Node,
    NodeKind,
    Organisation,
    OrgKind,
    Ownership,
    Person,
    Residence,
    ResidenceKind,
    RoleAssignment,
)
from consultation.permissions import Actor, Role
from consultation.polls.commands import designations
from consultation.polls.designation_tables import VoterDesignation
from consultation.polls.designations import (
    EvidenceNeeded,
    RollFrozen,
    VoterNotEligible,
    WitnessNotApart,
)
from consultation.polls.presets import Electorate
from consultation.polls.registers import build_roll
from consultation.polls.rolls import Place
from consultation.polls.terms import PLACES, RollNotAvailable
from consultation.refusals import NotFound, NotPermitted
from tests.consultation.polls.counting_cases import preset
from tests.consultation.polls.stage import Stage
from tests.world import LONG_AGO, World

CLOSES = datetime.fromisoformat("2026-04-01T00:00:00+08:00")  # the last day is 31 March
LAST_DAY = local_day(CLOSES - timedelta(microseconds=1))
SHA = "f" * 64


async def roll(stage: Stage, electorate: Electorate, scope: Node) -> list[Place]:
    rule = preset("household_poll").model_copy(update={"electorate": electorate})
    async with stage.db.read() as tx:
        return await build_roll(tx, rule, scope, closes_at=CLOSES)


def voters(places: list[Place]) -> set[UUID | None]:
    return {place.person_id for place in places}


async def resident(
    stage: Stage,
    community: Node,
    kind: ResidenceKind = ResidenceKind.FAMILY,
    *,
    level: int = 2,
    born_on: date | None = None,
    household: UUID | None = None,
) -> UUID:
    id = uuid4()
    async with stage.db.begin() as tx:
        tx.session.add(Person(id=id, masked_name="陈*", born_on=born_on, created_at=LONG_AGO))
        await tx.session.flush()
        tx.session.add(
            Residence(
                id=uuid4(),
                person_id=id,
                community_id=community.id,
                household_id=household,
                kind=kind,
                level=level,
                created_at=LONG_AGO,
            )
        )
    return id


async def a_household(stage: Stage, community: Node, at: Node, *, occupied: bool = True) -> UUID:
    id = uuid4()
    async with stage.db.begin() as tx:
        tx.session.add(
            Household(
                id=id,
                community_id=community.id,
                estate_id=at.id,
                code=id.hex,
                occupied=occupied,
                adults=2,
            )
        )
    return id


async def office(stage: Stage, kind: OrgKind, role: Role, at: Node, people: list[UUID]) -> None:
    org = Organisation(
        id=uuid4(),
        community_id=at.community_id,
        node_id=at.id,
        kind=kind,
        code=uuid4().hex,
        name="组织",
    )
    async with stage.db.begin() as tx:
        tx.session.add(org)
        await tx.session.flush()
        for person in people:
            tx.session.add(
                RoleAssignment(
                    id=uuid4(),
                    community_id=at.community_id,
                    person_id=person,
                    role=role,
                    org_id=org.id,
                    node_id=at.id,
                    node_path=at.path,
                    valid_from=LONG_AGO,
                    valid_to=LONG_AGO if person == people[-1] else None,
                    basis="test",
                )
            )


async def test_adults_are_who_live_here_and_turn_eighteen_by_the_last_day(stage: Stage) -> None:
    community = await stage.place(NodeKind.COMMUNITY, "新社区", stage.world.nodes["subdistrict"])
    birthday = LAST_DAY.replace(year=LAST_DAY.year - 18)
    kept = {
        await resident(stage, community, born_on=birthday),
        await resident(stage, community, ResidenceKind.TENANT),
        await resident(stage, community, ResidenceKind.OWNER, born_on=date(1950, 1, 1)),
    }
    await resident(stage, community, born_on=birthday + timedelta(days=1))
    await resident(stage, community, ResidenceKind.ABSENT_OWNER)
    await resident(stage, community, ResidenceKind.MERCHANT)
    await resident(stage, community, level=1)

    assert voters(await roll(stage, Electorate.ADULT_RESIDENTS, community)) == kept
    assert voters(await roll(stage, Electorate.VILLAGERS, community)) == kept


async def test_a_group_of_villagers_is_who_lives_in_it(stage: Stage) -> None:
    village = await stage.place(NodeKind.VILLAGE, "柳桥村", stage.world.nodes["subdistrict"])
    one = await stage.place(NodeKind.VILLAGERS_GROUP, "一组", village)
    two = await stage.place(NodeKind.VILLAGERS_GROUP, "二组", village)
    first, second = await a_household(stage, village, one), await a_household(stage, village, two)
    mine = {await resident(stage, village, household=first) for _ in range(2)}
    other = await resident(stage, village, household=second)

    assert voters(await roll(stage, Electorate.VILLAGERS_GROUP, one)) == mine
    assert voters(await roll(stage, Electorate.VILLAGERS_GROUP, two)) == {other}
    assert voters(await roll(stage, Electorate.VILLAGERS, village)) == {*mine, other}


async def test_a_vacant_household_is_not_in_the_base_and_one_without_a_name_is(
    stage: Stage,
) -> None:
    village = await stage.place(NodeKind.VILLAGE, "柳桥村", stage.world.nodes["subdistrict"])
    group = await stage.place(NodeKind.VILLAGERS_GROUP, "一组", village)
    lived_in = await a_household(stage, village, group)
    await a_household(stage, village, group, occupied=False)

    (place,) = await roll(stage, Electorate.VILLAGER_HOUSEHOLDS, village)
    assert (place.household_id, place.person_id) == (lived_in, None)


async def test_who_holds_an_office_today_is_on_its_roll(stage: Stage) -> None:
    community, estate = stage.world.community, stage.world.nodes["estate"]
    for electorate, kind, role, at in (
        (Electorate.GROUP_REPRESENTATIVES, OrgKind.RESIDENTS_GROUP, Role.REPRESENTATIVE, community),
        (Electorate.COUNCIL_MEMBERS, OrgKind.RESIDENTS_COUNCIL, Role.REPRESENTATIVE, community),
        (Electorate.OWNERS_COMMITTEE, OrgKind.OWNERS_COMMITTEE, Role.OWNERS_COMMITTEE, estate),
    ):
        before = voters(await roll(stage, electorate, at))
        people = await stage.people(4, community.id)
        await office(stage, kind, role, at, people)  # the last one's term is over
        assert voters(await roll(stage, electorate, at)) == before | set(people[:3])
    other = await stage.place(NodeKind.ESTATE, "别的小区", community)
    assert await roll(stage, Electorate.OWNERS_COMMITTEE, other) == []


async def test_affected_people_are_those_whose_home_lies_there(stage: Stage, world: World) -> None:
    entrance = world.nodes["entrance"]
    at_home = {world.id(f"resident{n}") for n in range(1, 7)}
    assert voters(await roll(stage, Electorate.AFFECTED_PEOPLE, entrance)) == at_home
    grid = voters(await roll(stage, Electorate.AFFECTED_PEOPLE, world.nodes["grid"]))
    assert grid == at_home | {world.id("tenant")}


async def test_every_electorate_with_a_place_has_a_roll_and_the_party_has_none(
    stage: Stage,
) -> None:
    for electorate in PLACES:
        await roll(stage, electorate, stage.world.community)
    assert set(Electorate) - set(PLACES) == {Electorate.PARTY_MEMBERS}
    with pytest.raises(RollNotAvailable):
        await roll(stage, Electorate.PARTY_MEMBERS, stage.world.community)


# ---- who votes for co-owners and households -----------------------------------------------------


async def name(
    stage: Stage, actor: Actor, unit_id: UUID, person: UUID, *, evidence: str | None = None
) -> None:
    async with stage.db.begin(actor) as tx:
        await designations.name_owner_voter(
            tx, unit_id, person_id=person, evidence_sha256=evidence, witness_id=None
        )


async def co_owned(stage: Stage) -> tuple[Node, UUID, UUID, UUID]:
    """An entrance with one home of a couple: entrance, unit, the named one, the other."""
    entrance = await stage.place(NodeKind.ENTRANCE, "6单元", stage.world.nodes["building"])
    wife, husband, third = await stage.people(3, stage.world.community.id)
    unit, _ = await stage.homes(stage.world.nodes["estate"], entrance, [8000, 7000], [wife, third])
    async with stage.db.begin() as tx:
        tx.session.add(
            Ownership(
                unit_id=unit,
                person_id=husband,
                community_id=stage.world.community.id,
                named_voter=False,
            )
        )
    return entrance, unit, wife, husband


async def test_who_has_the_vote_gives_it_on_and_staff_need_a_signed_paper(stage: Stage) -> None:
    entrance, unit, wife, husband = await co_owned(stage)
    assert wife in voters(await roll(stage, Electorate.OWNERS_IN_SCOPE, entrance))
    with pytest.raises(NotPermitted):  # nobody takes it
        await name(stage, Actor(person_id=husband), unit, husband)
    with pytest.raises(EvidenceNeeded):
        await name(stage, stage.clerk, unit, husband)
    with pytest.raises(VoterNotEligible):
        await name(stage, stage.clerk, unit, stage.world.id("resident1"), evidence=SHA)
    await name(stage, Actor(person_id=wife), unit, husband)
    assert husband in voters(await roll(stage, Electorate.OWNERS_IN_SCOPE, entrance))
    await name(stage, stage.clerk, unit, wife, evidence=SHA)
    await name(stage, stage.clerk, unit, wife, evidence=SHA)

    async with stage.db.read() as tx:
        log = await tx.session.exec(select(VoterDesignation).order_by(VoterDesignation.at))  # type: ignore[arg-type]
        said = {(one.previous_id, one.person_id, one.by_id, one.evidence_sha256) for one in log}
        assert said == {(wife, husband, wife, None), (husband, wife, stage.world.id("clerk"), SHA)}
    async with stage.db.read(stage.clerk) as tx:
        rows = await designations.read_designations(
            tx, stage.world.community.id, after=None, limit=10
        )
    assert len(rows) == 2
    with pytest.raises(NotPermitted):
        async with stage.db.read(Actor(person_id=wife)) as tx:
            await designations.read_designations(tx, stage.world.community.id, after=None, limit=10)


async def test_a_witness_is_neither_who_enters_nor_whose_vote_it_is(stage: Stage) -> None:
    _, unit, wife, husband = await co_owned(stage)
    for witness in (wife, husband, stage.world.id("clerk")):
        with pytest.raises(WitnessNotApart):
            async with stage.db.begin(stage.clerk) as tx:
                await designations.name_owner_voter(
                    tx, unit, person_id=husband, evidence_sha256=SHA, witness_id=witness
                )
    with pytest.raises(NotFound):
        async with stage.db.begin(stage.clerk) as tx:
            await designations.name_owner_voter(
                tx, unit, person_id=husband, evidence_sha256=SHA, witness_id=uuid4()
            )
    async with stage.db.begin(stage.clerk) as tx:
        await designations.name_owner_voter(
            tx, unit, person_id=husband, evidence_sha256=SHA, witness_id=stage.world.id("resident6")
        )


async def test_nobody_is_named_for_a_home_on_a_frozen_roll(stage: Stage) -> None:
    entrance, unit, wife, husband = await co_owned(stage)
    topic = await stage.topic("lift_scope_owners", entrance)
    poll = await stage.announced("lift_scope_owners", topic, entrance)
    for actor in (Actor(person_id=wife), stage.clerk):
        with pytest.raises(RollFrozen):
            await name(stage, actor, unit, husband, evidence=SHA)
    await stage.closed(poll.id)
    await name(stage, Actor(person_id=wife), unit, husband)


async def test_a_household_is_represented_by_an_adult_member(stage: Stage, world: World) -> None:
    community = world.community
    household = await a_household(stage, community, world.nodes["estate"])
    adult = await resident(stage, community, household=household, born_on=date(1980, 1, 1))
    heir = await resident(stage, community, household=household)
    child = await resident(stage, community, household=household, born_on=date(2012, 1, 1))

    async def name_one(actor: Actor, person: UUID, evidence: str | None = SHA) -> None:
        async with stage.db.begin(actor) as tx:
            await designations.name_representative(
                tx, household, person_id=person, evidence_sha256=evidence, witness_id=None
            )

    for wrong in (child, world.id("resident1")):
        with pytest.raises(VoterNotEligible):
            await name_one(stage.clerk, wrong)
    await name_one(stage.clerk, adult)
    with pytest.raises(NotPermitted):
        await name_one(Actor(person_id=heir), heir)
    with pytest.raises(NotPermitted):  # not in the grid of that worker
        await name_one(world.as_("grid_worker", Role.GRID_WORKER), heir)
    await name_one(Actor(person_id=adult), heir, None)
    places = await roll(stage, Electorate.HOUSEHOLD_REPRESENTATIVES, world.nodes["estate"])
    assert heir in voters(places)
    assert adult not in voters(places)
