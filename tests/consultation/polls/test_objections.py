"""Objections to the roll: filed in time, ruled by two people, and the only way to change it."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select

from api.phrases import write
from consultation.calendar import SHANGHAI, add_days, is_working_day
from consultation.community.tables import (
    Household,
    Node,
    NodeKind,
    Ownership,
    Person,
    Residence,
    ResidenceKind,
    UnitKind,
)
from consultation.journal import JournalEntry
from consultation.permissions import Actor, Role
from consultation.polls import objections as rules_of
from consultation.polls.commands import drafting, objections, opening
from consultation.polls.objection_queries import last_ruling, verified_person
from consultation.polls.objection_tables import RollObjection
from consultation.polls.objections import (
    CorrectionKind,
    RollCorrection,
    RollDecision,
    RollObjectionKind,
    RollObjectionState,
)
from consultation.polls.preset_files import presets
from consultation.polls.presets import Electorate, RulePreset
from consultation.polls.rolls import Place
from consultation.polls.rules import NotOnRoll, PollState, RolledUnit
from consultation.polls.tables import Poll, RollEntry
from consultation.refusals import NotPermitted
from consultation.topics.gates.gate import GateNotMet
from consultation.topics.tables import Document
from notifications.hub import Hub
from notifications.relay import Relay
from notifications.tables import Notice
from tests.consultation.polls.stage import Stage
from tests.consultation.polls.test_electorates import a_household, resident
from tests.world import World

CLERK, SUPERVISOR = ("clerk", Role.CLERK), ("supervisor", Role.SUPERVISOR)
UPHELD, DISMISSED = RollDecision.UPHELD, RollDecision.DISMISSED


async def announced(stage: Stage) -> tuple[Poll, list[UUID], list[UUID]]:
    """The lift's poll with its roll out for objections: its owners, and their units."""
    entrance, owners = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    poll = await stage.announced("lift_scope_owners", topic, entrance)
    roll = sorted((await stage.roll(poll.id)).values(), key=lambda place: place.number)
    return poll, owners, [place.units[0].unit_id for place in roll]


async def file(
    stage: Stage,
    poll_id: UUID,
    person: UUID,
    number: int | None = None,
    kind: RollObjectionKind = RollObjectionKind.MISSING,
    ground: str = "我是业主,名册上没有我。",
) -> RollObjection:
    async with stage.db.begin(Actor(person_id=person)) as tx:
        return await objections.file_objection(tx, poll_id, number, kind=kind, ground=ground)


async def propose(
    stage: Stage,
    objection: RollObjection,
    who: tuple[str, Role] = CLERK,
    *,
    decision: RollDecision = UPHELD,
    correction: RollCorrection | None = None,
) -> int:
    async with stage.db.begin(stage.world.as_(*who)) as tx:
        ruling = await objections.propose_ruling(
            tx,
            objection.id,
            decision=decision,
            correction=correction,
            reason="核对产权登记后认定。",
        )
        return ruling.version


async def confirm(
    stage: Stage, objection: RollObjection, who: tuple[str, Role] = SUPERVISOR, version: int = 1
) -> RollObjection:
    async with stage.db.begin(stage.world.as_(*who)) as tx:
        return await objections.confirm_ruling(tx, objection.id, version=version, write=write)


def correction(kind: CorrectionKind, **content: Any) -> RollCorrection:
    return RollCorrection(kind=kind, **content)


async def test_an_upheld_objection_makes_a_new_version_of_the_whole_roll(
    stage: Stage, world: World
) -> None:
    poll, owners, units = await announced(stage)
    before = {place.number: place for place in (await stage.roll(poll.id)).values()}
    (buyer,) = await stage.people(1, world.community.id)
    await stage.sell(poll, owners[3], buyer)
    objection = await file(stage, poll.id, buyer)
    assert objection.due_at == add_days(stage.clock.now, 3)

    await propose(
        stage,
        objection,
        correction=correction(CorrectionKind.ADD_VOTER, person_id=buyer, unit_ids=[units[3]]),
    )
    assert (await stage.load(poll.id)).roll_version == 1  # one person alone changes nothing
    ruled = await confirm(stage, objection)

    poll_now = await stage.load(poll.id)
    assert (ruled.state, poll_now.roll_version) == (RollObjectionState.UPHELD, 2)
    after = {place.number: place for place in (await stage.roll(poll.id)).values()}
    assert (len(after), poll_now.eligible_heads) == (12, 12)
    assert poll_now.eligible_area_dm2 == poll.eligible_area_dm2
    assert poll_now.roll_digest != poll.roll_digest
    assert 4 not in after  # the seller's place is gone, and its number is not given away
    assert (after[13].person_id, after[13].area_dm2) == (buyer, before[4].area_dm2)
    assert {n: place for n, place in after.items() if n != 13} == {
        n: place for n, place in before.items() if n != 4
    }
    async with stage.db.read() as tx:
        old = await tx.session.exec(
            select(RollEntry).where(RollEntry.poll_id == poll.id, RollEntry.roll_version == 1)
        )
        assert len(old.all()) == 12  # what was published stays
        notice = await tx.session.get(Document, poll_now.notice_id)
    assert notice is not None
    assert (notice.version, notice.correction_reason) == (
        2,
        "名册异议成立,名册更正为第2版:补列漏列的表决人",
    )
    assert "应参与表决的业主12人" in notice.body

    stage.clock.now = poll.opens_at
    await stage.work()
    await stage.cast(poll.id, buyer, "for")
    with pytest.raises(NotOnRoll):
        await stage.cast(poll.id, owners[3], "for")


async def test_the_poll_does_not_open_while_an_objection_is_open(stage: Stage) -> None:
    poll, owners, _ = await announced(stage)
    objection = await file(
        stage, poll.id, owners[0], 2, RollObjectionKind.DOES_NOT_BELONG, "他不是业主。"
    )
    stage.clock.now = poll.opens_at
    await stage.work()
    assert (await stage.load(poll.id)).state is PollState.ANNOUNCED
    with pytest.raises(GateNotMet) as refused:
        async with stage.db.begin(stage.secretary) as tx:
            await opening.open_poll(tx, poll.id)
    assert refused.value.facts == {"gate": "roll_settled", "missing": ["roll_objections"]}

    await propose(stage, objection, decision=DISMISSED)
    await confirm(stage, objection)
    async with stage.db.begin(stage.secretary) as tx:
        opened = await opening.open_poll(tx, poll.id)
    assert (opened.state, opened.roll_version, opened.roll_digest) == (
        PollState.OPEN,
        1,
        poll.roll_digest,
    )
    with pytest.raises(rules_of.RollObjectionRuled):
        await propose(stage, objection, decision=DISMISSED)


async def test_objections_are_filed_in_their_days_and_once(stage: Stage) -> None:
    poll, owners, _ = await announced(stage)
    first = await file(stage, poll.id, owners[0])
    assert (await file(stage, poll.id, owners[0])).id == first.id
    with pytest.raises(rules_of.RollObjectionFiled):
        await file(stage, poll.id, owners[0], ground="别的理由")
    with pytest.raises(NotOnRoll):
        await file(stage, poll.id, owners[0], 99, RollObjectionKind.WRONG_AREA)
    with pytest.raises(NotPermitted):
        await file(stage, poll.id, stage.world.id("visitor"))

    ends = add_days(stage.clock.now, 5)
    assert ends < poll.opens_at
    stage.clock.now = ends - timedelta(microseconds=1)
    await file(stage, poll.id, owners[1])
    stage.clock.now = ends
    with pytest.raises(rules_of.RollNotOpenToObjections):
        await file(stage, poll.id, owners[2])
    assert (await file(stage, poll.id, owners[1])).filed_by_id == owners[1]  # a retry


async def test_two_people_rule_and_neither_is_concerned(stage: Stage, world: World) -> None:
    poll, owners, _ = await announced(stage)
    objection = await file(stage, poll.id, owners[0], 2, RollObjectionKind.WRONG_VOTER, "不是他")
    unset = correction(CorrectionKind.SET_VOTER, number=2)
    assert await propose(stage, objection, correction=unset) == 1
    assert await propose(stage, objection, correction=unset) == 1
    with pytest.raises(rules_of.RollRulingNeedsSecondPerson):
        await confirm(stage, objection, CLERK)
    assert await propose(stage, objection, SUPERVISOR, decision=DISMISSED) == 2
    with pytest.raises(rules_of.RollRulingSuperseded):
        await confirm(stage, objection, SUPERVISOR, 1)
    with pytest.raises(rules_of.RollRulingNeedsSecondPerson):
        await confirm(stage, objection, SUPERVISOR, 2)
    with pytest.raises(rules_of.RollCorrectionInvalid):
        await propose(stage, objection, decision=DISMISSED, correction=unset)
    for who in (("secretary", Role.PARTY_SECRETARY), ("teller1", Role.TELLER)):
        with pytest.raises(NotPermitted):
            await confirm(stage, objection, who, 2)
    assert (await confirm(stage, objection, CLERK, 2)).state is RollObjectionState.DISMISSED
    assert (await confirm(stage, objection, CLERK, 2)).state is RollObjectionState.DISMISSED
    assert (await stage.load(poll.id)).roll_version == 1

    mine = await file(stage, poll.id, owners[5])
    async with stage.db.begin() as tx:  # the clerk turns out to be who filed it
        row = await tx.session.get(RollObjection, mine.id)
        assert row is not None
        row.filed_by_id = world.id("clerk")
        tx.session.add(row)
    with pytest.raises(rules_of.RollRulingNeedsSecondPerson):
        await propose(stage, mine, decision=DISMISSED)
    async with stage.db.read() as tx:
        assert await last_ruling(tx, mine.id) is None


async def test_who_is_put_on_the_roll_is_verified_and_of_age_on_the_last_day(
    stage: Stage, world: World
) -> None:
    poll, owners, units = await announced(stage)
    objection = await file(stage, poll.id, owners[0])
    (stranger,) = await stage.people(1, world.community.id, verified=False)
    young, grown = await stage.people(2, world.community.id)
    last_day = (poll.closes_at - timedelta(microseconds=1) + timedelta(hours=8)).date()
    birthdays = {
        young: date(last_day.year - 18, last_day.month, last_day.day) + timedelta(days=1),
        grown: date(last_day.year - 18, last_day.month, last_day.day),
    }
    async with stage.db.begin() as tx:
        for person, born_on in birthdays.items():
            row = await tx.session.get(Person, person)
            assert row is not None
            row.born_on = born_on
            tx.session.add(row)

    def add(person: UUID) -> RollCorrection:
        return correction(CorrectionKind.ADD_VOTER, person_id=person, unit_ids=[units[0]])

    await stage.sell(poll, owners[0], grown)
    for person, problem in ((stranger, "person_not_verified"), (young, "minor")):
        with pytest.raises(rules_of.RollCorrectionInvalid) as refused:
            await propose(stage, objection, correction=add(person))
        assert refused.value.facts == {"problem": problem}
    await propose(stage, objection, correction=add(grown))
    await confirm(stage, objection)
    assert grown in {place.person_id for place in (await stage.roll(poll.id)).values()}


async def goes_to(stage: Stage, poll: Poll, seller: UUID, number: int, buyer: UUID) -> None:
    """The place ``number`` goes from its seller to its buyer by an objection that is upheld."""
    await stage.sell(poll, seller, buyer)
    objection = await file(stage, poll.id, buyer, number, RollObjectionKind.WRONG_VOTER, "是我")
    fix = correction(CorrectionKind.SET_VOTER, number=number, person_id=buyer)
    await propose(stage, objection, correction=fix)
    await confirm(stage, objection)


async def test_a_tenant_is_not_made_the_voter_of_an_owners_place(stage: Stage) -> None:
    poll, owners, units = await announced(stage)
    tenant, spouse = await stage.people(2, poll.community_id)
    objection = await file(stage, poll.id, owners[2], 2, RollObjectionKind.WRONG_VOTER, "不是他")
    async with stage.db.begin() as tx:
        tx.session.add(
            Ownership(
                unit_id=units[1],
                person_id=spouse,
                community_id=poll.community_id,
                named_voter=False,
            )
        )

    def set_to(person: UUID) -> RollCorrection:
        return correction(CorrectionKind.SET_VOTER, number=2, person_id=person)

    added = correction(CorrectionKind.ADD_VOTER, person_id=tenant, unit_ids=[units[1]])
    for wrong in (set_to(tenant), added):
        with pytest.raises(rules_of.RollCorrectionInvalid) as refused:
            await propose(stage, objection, correction=wrong)
        assert refused.value.facts == {"problem": "not_the_owner"}
    await propose(stage, objection, correction=set_to(spouse))  # a co-owner may be
    await confirm(stage, objection)
    assert spouse in {place.person_id for place in (await stage.roll(poll.id)).values()}


@pytest.mark.parametrize("parking", [True, False])
async def test_a_correction_reaches_no_further_than_the_poll(
    stage: Stage, world: World, parking: bool
) -> None:
    entrance, _ = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    poll = await stage.drafted("lift_scope_owners", topic, entrance)
    async with stage.db.begin() as tx:
        row = await tx.session.get_one(Poll, poll.id)
        row.preset = row.preset.model_copy(update={"area_includes_parking": parking})
    async with stage.db.begin(stage.secretary) as tx:
        poll = await drafting.announce_poll(tx, poll.id, write=write)
    estate = await stage.place(NodeKind.ESTATE, "别的小区", world.community)
    away = await stage.place(NodeKind.BUILDING, "9幢", estate)
    (buyer,) = await stage.people(1, world.community.id)
    (far,) = await stage.homes(estate, away, [9_000_000], [buyer])
    (space,) = await stage.homes(estate, entrance, [1300], [buyer], kind=UnitKind.PARKING)
    objection = await file(stage, poll.id, buyer)

    def add(*units: UUID) -> RollCorrection:
        return correction(CorrectionKind.ADD_VOTER, person_id=buyer, unit_ids=list(units))

    for wrong in (add(far), add(space, far)):
        with pytest.raises(rules_of.RollCorrectionInvalid) as refused:
            await propose(stage, objection, correction=wrong)
        assert refused.value.facts == {"problem": "unit_unknown"}
    if parking:
        await propose(stage, objection, correction=add(space))
        return
    with pytest.raises(rules_of.RollCorrectionInvalid) as refused:
        await propose(stage, objection, correction=add(space))
    assert refused.value.facts == {"problem": "unit_unknown"}


async def test_who_proves_an_interest_joins_from_outside_the_building(
    stage: Stage, world: World
) -> None:
    """最高人民法院建筑物区分所有权解释 art. 11, of a home that becomes business premises."""
    building = world.nodes["building"]
    topic = await stage.topic("civil279_unanimous", building)
    poll = await stage.announced("civil279_unanimous", topic, building)
    away = await stage.place(NodeKind.BUILDING, "9幢", world.nodes["estate"])
    (neighbour,) = await stage.people(1, world.community.id)
    (home,) = await stage.homes(world.nodes["estate"], away, [9000], [neighbour])
    objection = await file(stage, poll.id, neighbour)
    joins = correction(CorrectionKind.ADD_VOTER, person_id=neighbour, unit_ids=[home])
    await propose(stage, objection, correction=joins)
    await confirm(stage, objection)
    corrected = await stage.load(poll.id)
    assert corrected.eligible_heads == poll.eligible_heads + 1
    assert corrected.eligible_area_dm2 == 0  # heads alone decide


async def test_a_correction_answers_the_objection_and_is_ruled_by_nobody_it_concerns(
    stage: Stage, world: World
) -> None:
    poll, owners, units = await announced(stage)
    clerk, supervisor = world.id("clerk"), world.id("supervisor")
    await stage.sell(poll, owners[0], clerk)
    await stage.sell(poll, owners[1], supervisor)
    missing = await file(stage, poll.id, owners[5])
    second = await file(stage, poll.id, owners[5], 2, RollObjectionKind.WRONG_VOTER)
    async with stage.db.begin() as tx:
        for person in (clerk, supervisor):
            if await verified_person(tx, poll.community_id, person) is None:
                tx.session.add(
                    Residence(
                        id=uuid4(),
                        person_id=person,
                        community_id=poll.community_id,
                        kind=ResidenceKind.OWNER,
                        level=2,
                        created_at=stage.clock.now,
                    )
                )

    mine = correction(CorrectionKind.ADD_VOTER, person_id=clerk, unit_ids=[units[0]])
    with pytest.raises(rules_of.RollRulingNeedsSecondPerson):
        await propose(stage, missing, CLERK, correction=mine)
    await propose(stage, missing, SUPERVISOR, correction=mine)
    with pytest.raises(rules_of.RollRulingNeedsSecondPerson):
        await confirm(stage, missing, CLERK)
    elsewhere = correction(CorrectionKind.SET_VOTER, number=3)
    assert await refusal(stage, second, elsewhere) == "another_place"
    theirs = correction(CorrectionKind.SET_VOTER, number=2, person_id=supervisor)
    await propose(stage, second, CLERK, correction=theirs)
    with pytest.raises(rules_of.RollRulingNeedsSecondPerson):
        await confirm(stage, second, SUPERVISOR)
    assert (await stage.load(poll.id)).roll_version == 1


async def in_estate(stage: Stage, estate: Node, **rule: Any) -> Poll:
    """An announced poll of an estate, with its roll out for objections."""
    topic = await stage.topic("household_poll", estate)
    poll = await stage.drafted("household_poll", topic, estate)
    async with stage.db.begin() as tx:
        row = await tx.session.get_one(Poll, poll.id)
        days = {"roll_objection_days": 2, "roll_ruling_days": 1}
        row.preset = row.preset.model_copy(update=days | rule)
    async with stage.db.begin(stage.secretary) as tx:
        return await drafting.announce_poll(tx, poll.id, write=write)


async def moves(stage: Stage, person: UUID, household: UUID | None) -> None:
    async with stage.db.begin() as tx:
        row = (await tx.session.exec(select(Residence).where(Residence.person_id == person))).one()
        row.household_id = household


async def by_number(stage: Stage, poll: Poll) -> dict[int, Place]:
    return {place.number: place for place in (await stage.roll(poll.id)).values()}


async def refusal(stage: Stage, objection: RollObjection, fix: RollCorrection) -> str:
    with pytest.raises(rules_of.RollCorrectionInvalid) as refused:
        await propose(stage, objection, correction=fix)
    return str(refused.value.facts["problem"])


async def test_a_household_is_added_that_lives_in_the_polls_place(
    stage: Stage, world: World
) -> None:
    estate, _ = await stage.households(3)
    poll = await in_estate(stage, estate)
    other = await stage.place(NodeKind.ESTATE, "别的小区", world.community)
    (member,) = await stage.people(1, world.community.id)
    here = await a_household(stage, world.community, estate)
    objection = await file(stage, poll.id, member)

    def add(household: UUID) -> RollCorrection:
        return correction(CorrectionKind.ADD_VOTER, person_id=member, household_id=household)

    assert await refusal(stage, objection, add(UUID(int=7))) == "household_unknown"
    for household in (
        await a_household(stage, world.community, other),
        await a_household(stage, world.nodes["other"], world.nodes["other"]),
        await a_household(stage, world.community, estate, occupied=False),
    ):
        await moves(stage, member, household)  # one of its own: the place alone is wrong
        assert await refusal(stage, objection, add(household)) == "household_unknown"

    await moves(stage, member, here)
    await propose(stage, objection, correction=add(here))
    for home in (other, estate):  # it moves away before the second person looks, and comes back
        async with stage.db.begin() as tx:
            (await tx.session.get_one(Household, here)).estate_id = home.id
        if home is other:
            with pytest.raises(rules_of.RollCorrectionInvalid):
                await confirm(stage, objection)
    await confirm(stage, objection)
    new = (await by_number(stage, poll))[4]
    assert (new.person_id, new.household_id, new.label) == (member, here, "梧桐新村 王*")
    assert (await stage.load(poll.id)).eligible_heads == 4


async def test_a_household_is_represented_by_one_of_its_own(stage: Stage, world: World) -> None:
    estate, _ = await stage.households(3)
    poll = await in_estate(stage, estate)
    before = await by_number(stage, poll)
    guest, other = before[1].household_id, before[2].household_id
    (person,) = await stage.people(1, world.community.id)
    objection = await file(stage, poll.id, person, 1, RollObjectionKind.WRONG_VOTER)
    set_to = correction(CorrectionKind.SET_VOTER, number=1, person_id=person)
    added = correction(CorrectionKind.ADD_VOTER, person_id=person, household_id=guest)
    for home in (None, other):
        await moves(stage, person, home)
        for fix in (set_to, added):
            assert await refusal(stage, objection, fix) == "not_of_the_household"

    await moves(stage, person, guest)
    await propose(stage, objection, correction=added)  # on the roll it keeps its place
    await confirm(stage, objection)
    after = await by_number(stage, poll)
    assert (after[1].person_id, after[1].label) == (person, before[1].label)
    assert after == before | {1: after[1]}


async def test_nobody_joins_the_poll_of_a_place_that_is_not_theirs(
    stage: Stage, world: World
) -> None:
    estate = await stage.place(NodeKind.ESTATE, "梧桐新村", world.community)
    elsewhere = await stage.place(NodeKind.ESTATE, "别的小区", world.community)
    home = await a_household(stage, world.community, estate)
    away = await a_household(stage, world.community, elsewhere)
    for _ in range(2):
        await resident(stage, world.community, household=home)
    poll = await in_estate(stage, estate, electorate=Electorate.AFFECTED_PEOPLE)
    mine = await resident(stage, world.community, household=home)
    theirs = await resident(stage, world.community, household=away)
    objection = await file(stage, poll.id, mine)

    for fix in (
        correction(CorrectionKind.ADD_VOTER, person_id=theirs),
        correction(CorrectionKind.SET_VOTER, number=1, person_id=theirs),
    ):
        assert await refusal(stage, objection, fix) == "person_elsewhere"
    fix = correction(CorrectionKind.ADD_VOTER, person_id=mine)
    await propose(stage, objection, correction=fix)
    await confirm(stage, objection)
    assert {mine} == {
        place.person_id for n, place in (await by_number(stage, poll)).items() if n > 2
    }


async def test_a_register_that_changes_later_changes_no_roll(stage: Stage) -> None:
    """An owner sells after the announcement: the snapshot holds (domain 4.1)."""
    poll, owners, units = await announced(stage)
    async with stage.db.begin() as tx:
        sold = await tx.session.get(Ownership, (units[0], owners[0]))
        assert sold is not None
        await tx.session.delete(sold)
    stage.clock.now = poll.opens_at
    await stage.work()
    await stage.cast(poll.id, owners[0], "for")
    assert (await stage.load(poll.id)).roll_digest == poll.roll_digest


# ---- what a correction does, pure ---------------------------------------------------------------

A, B, C, HOME, SHOP, FLAT = (UUID(int=n) for n in range(1, 7))


def unit(id: UUID, area: int) -> Any:
    return RolledUnit(unit_id=id, code=str(id), area_dm2=area)


UNITS = {id: unit(id, area) for id, area in ((HOME, 100), (SHOP, 50), (FLAT, 70))}
ROLL = [
    Place(number=1, label="3幢 甲*", person_id=A, area_dm2=150, units=(UNITS[HOME], UNITS[SHOP])),
    Place(number=2, label="3幢 乙*", person_id=B, area_dm2=70, units=(UNITS[FLAT],)),
]


def corrected(
    roll: list[Place],
    kind: CorrectionKind,
    *,
    owners: bool = True,
    owned: set[UUID] | None = None,
    **more: Any,
) -> Any:
    return rules_of.correct(
        Electorate.OWNERS if owners else Electorate.HOUSEHOLD_REPRESENTATIVES,
        roll,
        RollCorrection(kind=kind, **more),
        masked_name="丙*",
        where="3幢",
        units=UNITS,
        owned=UNITS.keys() if owned is None else owned,
        homes=UNITS.keys(),
        next_number=9,
    )


def test_units_move_and_no_area_is_lost() -> None:
    moved = corrected(ROLL, CorrectionKind.ADD_VOTER, person_id=C, unit_ids=[SHOP])
    assert [(p.number, p.person_id, p.area_dm2, p.label) for p in moved] == [
        (1, A, 100, "3幢 甲*"),
        (2, B, 70, "3幢 乙*"),
        (9, C, 50, "3幢 丙*"),
    ]
    merged = corrected(ROLL, CorrectionKind.ADD_VOTER, person_id=B, unit_ids=[HOME, SHOP])
    assert [(p.number, p.person_id, p.area_dm2) for p in merged] == [(2, B, 220)]


def test_areas_voters_and_households_are_corrected_in_their_place() -> None:
    (one, _) = corrected(ROLL, CorrectionKind.SET_AREA, number=1, unit_ids=[SHOP], area_dm2=55)
    assert (one.area_dm2, [u.area_dm2 for u in one.units]) == (155, [100, 55])
    (_, two) = corrected(ROLL, CorrectionKind.SET_VOTER, number=2, person_id=C)
    assert (two.person_id, two.label, two.area_dm2) == (C, "3幢 丙*", 70)
    (_, gap) = corrected(ROLL, CorrectionKind.SET_VOTER, number=2)
    assert (gap.person_id, gap.label, gap.area_dm2) == (None, "3幢 —", 70)

    homes = [
        Place(number=1, label="3幢 甲*", person_id=A, household_id=HOME),
        Place(number=2, label="3幢 —", household_id=FLAT),
    ]
    named = corrected(homes, CorrectionKind.ADD_VOTER, owners=False, person_id=C, household_id=FLAT)
    assert [(p.number, p.person_id, p.label) for p in named] == [
        (1, A, "3幢 甲*"),
        (2, C, "3幢 丙*"),
    ]
    empty = corrected(homes, CorrectionKind.REMOVE_PLACE, owners=False, number=2)
    assert [p.number for p in empty] == [1]


@pytest.mark.parametrize(
    ("kind", "more", "problem"),
    [
        (CorrectionKind.REMOVE_PLACE, {"number": 1}, "units_stay_in_the_base"),
        (CorrectionKind.SET_VOTER, {"number": 7}, "no_such_place"),
        (CorrectionKind.SET_VOTER, {"number": 2, "person_id": A}, "already_on_roll"),
        (CorrectionKind.ADD_VOTER, {"person_id": C}, "units_missing"),
        (CorrectionKind.ADD_VOTER, {"person_id": C, "unit_ids": [C]}, "unit_unknown"),
        (CorrectionKind.SET_VOTER, {"number": 2, "person_id": C, "owned": {HOME}}, "not_the_owner"),
        (
            CorrectionKind.ADD_VOTER,
            {"person_id": C, "unit_ids": [HOME, SHOP], "owned": {HOME}},
            "not_the_owner",
        ),
        (
            CorrectionKind.SET_AREA,
            {"number": 2, "unit_ids": [HOME], "area_dm2": 5},
            "unit_elsewhere",
        ),
        (
            CorrectionKind.SET_AREA,
            {"number": 2, "unit_ids": [FLAT], "area_dm2": 70},
            "nothing_changes",
        ),
    ],
)
def test_a_correction_that_does_not_fit_is_refused(
    kind: CorrectionKind, more: dict[str, Any], problem: str
) -> None:
    with pytest.raises(rules_of.RollCorrectionInvalid) as refused:
        corrected(ROLL, kind, **more)
    assert refused.value.facts == {"problem": problem}


# ---- rulings that do not come


async def overdue(stage: Stage) -> list[str]:
    """What the journal holds of late rulings: the day by which each was due."""
    async with stage.db.read() as tx:
        rows = await tx.session.exec(
            select(JournalEntry.data).where(
                JournalEntry.type == "poll.roll_ruling_overdue",
                col(JournalEntry.stream).startswith("poll:"),
            )
        )
        return [data["due_at"] for data in rows]


async def test_a_ruling_is_overdue_when_its_three_days_are_over(stage: Stage, world: World) -> None:
    poll, owners, _ = await announced(stage)
    late = await file(stage, poll.id, owners[0], 2, RollObjectionKind.WRONG_AREA, "面积不对。")
    ruled = await file(stage, poll.id, owners[1], 3, RollObjectionKind.WRONG_AREA, "面积不对。")
    await propose(stage, late, decision=DISMISSED)  # and nobody confirms it
    await propose(stage, ruled, decision=DISMISSED)
    await confirm(stage, ruled)

    stage.clock.now = late.due_at - timedelta(microseconds=1)
    await stage.work()
    assert await overdue(stage) == []
    stage.clock.now = late.due_at
    await stage.work()
    await stage.work()
    assert await overdue(stage) == [late.due_at.isoformat()]
    await Relay(stage.db, Hub(), poll_seconds=1).drain()
    async with stage.db.read() as tx:
        rows = await tx.session.exec(
            select(Notice.person_id).where(Notice.words == "roll_ruling_overdue")
        )
        assert set(rows) == {world.id(name) for name in ("clerk", "secretary", "supervisor")}

    assert rules_of.is_overdue(late.due_at, None, now=late.due_at)
    done = await confirm(stage, late)
    assert rules_of.is_overdue(done.due_at, done.ruled_at, now=done.due_at + timedelta(days=9))
    assert not rules_of.is_overdue(ruled.due_at, ruled.filed_at, now=late.due_at)


async def test_of_a_poll_that_is_void_no_ruling_is_overdue(stage: Stage) -> None:
    poll, owners, _ = await announced(stage)
    objection = await file(stage, poll.id, owners[0])
    async with stage.db.begin() as tx:
        row = await tx.session.get_one(Poll, poll.id)
        row.state = PollState.VOIDED
    stage.clock.now = objection.due_at
    await stage.work()
    assert await overdue(stage) == []


OPEN_TO_OBJECTIONS = [one for one in presets().values() if one.roll_objection_days]


@pytest.mark.parametrize("one", OPEN_TO_OBJECTIONS, ids=lambda one: one.key)
def test_a_ruling_is_due_before_the_poll_opens_over_spring_festival_too(one: RulePreset) -> None:
    eve = datetime(2026, 2, 10, 9, tzinfo=SHANGHAI)
    opens_at = add_days(eve, one.notice_days)
    last_moment = rules_of.filing_ends(one, eve, opens_at) - timedelta(microseconds=1)
    due = rules_of.ruling_due(one, last_moment)

    assert due == add_days(eve, one.roll_objection_days + one.roll_ruling_days)
    assert due <= opens_at
    ruled_in = [last_moment + timedelta(days=n) for n in range(1, one.roll_ruling_days + 1)]
    assert not any(is_working_day(day.date()) for day in ruled_in)


def test_a_correction_touches_those_whose_votes_or_areas_it_changes() -> None:
    touched, change = rules_of.touched, rules_of.RollChange

    def told(after: list[Place], before: list[Place] = ROLL) -> dict[UUID, Any]:
        return {
            person: (one.change, one.unit_codes, one.household_id)
            for person, one in touched(before, after).items()
        }

    moved = corrected(ROLL, CorrectionKind.ADD_VOTER, person_id=C, unit_ids=[SHOP])
    assert told(moved) == {
        A: (change.LEFT, (str(SHOP),), None),
        C: (change.JOINED, (str(SHOP),), None),
    }
    merged = corrected(ROLL, CorrectionKind.ADD_VOTER, person_id=B, unit_ids=[HOME, SHOP])
    assert told(merged) == {
        A: (change.LEFT, (str(HOME), str(SHOP)), None),
        B: (change.JOINED, (str(HOME), str(SHOP)), None),
    }
    area = corrected(ROLL, CorrectionKind.SET_AREA, number=1, unit_ids=[SHOP], area_dm2=55)
    assert told(area) == {A: (change.AREA, (str(SHOP),), None)}
    assert told(ROLL) == {}

    homes = [Place(number=1, label="3幢 甲*", person_id=A, household_id=HOME)]
    emptied = corrected(
        [*homes, Place(number=2, label="3幢 乙*", person_id=B, household_id=FLAT)],
        CorrectionKind.REMOVE_PLACE,
        owners=False,
        number=2,
    )
    assert emptied == homes
    both = [*homes, Place(number=2, label="乙*", person_id=B)]
    assert told(homes, both) == {B: (change.LEFT, (), None)}
    assert told(both, homes) == {B: (change.JOINED, (), None)}
    given = [Place(number=1, label="3幢 丙*", person_id=C, household_id=HOME)]
    assert told(given, homes) == {A: (change.LEFT, (), HOME), C: (change.JOINED, (), HOME)}
