"""A corrected roll: who keeps their place stays served and is visited once, who is off it hears no
more of the poll, who is new on it is a voter like the others, and whose home it is about hears
which."""

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import select

from api.notice_words import speak_notice
from api.notice_words import write as write_outside
from api.phrases import write
from consultation.community.tables import (
    Household,
    Node,
    NodeKind,
    Ownership,
    PropertyUnit,
    Residence,
)
from consultation.database import Database
from consultation.permissions import Role
from consultation.polls import terms
from consultation.polls.commands import drafting, opening, serving
from consultation.polls.deeming_queries import deemed_places
from consultation.polls.notice_queries import served_count, unserved
from consultation.polls.objections import CorrectionKind, RollCorrection
from consultation.polls.rules import PollState
from consultation.polls.serving import NoticeChannel, NoticeEvidence, Proof
from consultation.polls.tables import Poll, RollEntry
from consultation.topics.tables import Follow
from notifications.channels import Outcome
from notifications.sheets import sheet
from tests.conftest import ManualClock
from tests.consultation.polls.stage import Stage
from tests.consultation.polls.test_deeming import estate_of, file
from tests.consultation.polls.test_objections import confirm, propose
from tests.consultation.polls.test_objections import file as object_to
from tests.notifications.house import House, always
from tests.world import World


@dataclass
class Scene:
    """A poll whose fourth owner has sold to the buyer; three of four must be served."""

    stage: Stage
    house: House
    poll: Poll
    owners: list[UUID]
    buyer: UUID

    async def prove(
        self, person: UUID, channel: NoticeChannel, evidence: NoticeEvidence, by: str | None = None
    ) -> None:
        staff = None if by is None else self.stage.world.id(by)
        proof = Proof(self.poll.id, person, channel, self.stage.clock.now, evidence, "公告", staff)
        async with self.stage.db.begin() as tx:
            await serving.record_proofs(tx, [proof])

    async def correct_the_roll(self) -> None:
        sold = next(p for p in (await self.stage.roll(self.poll.id)).values() if p.number == 4)
        assert sold.person_id is not None
        await self.stage.sell(self.poll, sold.person_id, self.buyer)
        objection = await object_to(self.stage, self.poll.id, self.buyer)
        await propose(
            self.stage,
            objection,
            correction=RollCorrection(
                kind=CorrectionKind.ADD_VOTER,
                person_id=self.buyer,
                unit_ids=[sold.units[0].unit_id],
            ),
        )
        await confirm(self.stage, objection)
        await self.house.told()

    async def served(self) -> int:
        async with self.stage.db.read() as tx:
            return await served_count(tx, self.poll.id)

    async def waiting(self) -> list[int]:
        async with self.stage.db.read() as tx:
            poll = await tx.session.get_one(Poll, self.poll.id)
            found = await unserved(tx, poll, grid_id=None, after=0, limit=50)
        return [one.number for one in found]

    async def visits(self) -> list[int]:
        async with self.stage.db.read(self.stage.world.as_("grid_worker", Role.GRID_WORKER)) as tx:
            _, visits = await sheet(tx, self.stage.world.nodes["grid"].id)
        return sorted((visit.number or 0) for visit in visits)

    async def words(self, person: UUID) -> list[str]:
        return sorted(notice.words for notice in await self.house.notices(person))


@pytest.fixture
async def scene(db: Database, world: World, clock: ManualClock) -> Scene:
    stage, house = Stage(db=db, world=world, clock=clock), House(db, clock, world)
    house.wechat.answer = house.sms.answer = always(Outcome.NOT_REACHABLE)
    estate, owners, topic = await estate_of(stage, 4)
    (buyer,) = await stage.people(1, world.community.id)
    clause = await file(stage, topic)
    drafted = await stage.drafted("civil278_general", topic, estate, silence_clause_id=clause)
    async with db.begin() as tx:
        for building in await tx.session.exec(
            select(Node).where(Node.parent_id == estate.id, Node.kind == NodeKind.BUILDING)
        ):
            building.grid_id = world.nodes["grid"].id
        row = await tx.session.get_one(Poll, drafted.id)
        row.preset = row.preset.model_copy(update={"served_min": "3/4"})
    async with db.begin(stage.secretary) as tx:
        poll = await drafting.announce_poll(tx, drafted.id, write=write)
    await house.told()
    return Scene(stage, house, poll, owners, buyer)


async def test_who_keeps_their_place_stays_served_and_nobody_counts_twice(
    scene: Scene, db: Database
) -> None:
    one, two, three, seller = scene.owners
    await scene.prove(one, NoticeChannel.IN_APP, NoticeEvidence.READ)
    signed = NoticeEvidence.SIGNED_FOR
    await scene.prove(two, NoticeChannel.PRINTED, signed, "grid_worker")
    await scene.prove(two, NoticeChannel.DOORSTEP, signed, "clerk")
    await scene.prove(seller, NoticeChannel.PRINTED, NoticeEvidence.SIGNED_FOR)
    assert (await scene.served(), await scene.waiting()) == (3, [3])

    await scene.correct_the_roll()
    assert (await scene.served(), await scene.waiting()) == (2, [3, 5])
    await scene.prove(one, NoticeChannel.SMS, NoticeEvidence.ACCEPTED)
    await scene.prove(seller, NoticeChannel.SMS, NoticeEvidence.ACCEPTED)
    assert (await scene.served(), await scene.waiting()) == (2, [3, 5])

    scene.stage.clock.now = scene.poll.opens_at
    async with db.begin(scene.stage.secretary) as tx:
        with pytest.raises(terms.PollNotServed) as refused:
            await opening.open_poll(tx, scene.poll.id)
    assert refused.value.facts == {"served": 2, "eligible": 4, "needed": 3}
    await scene.prove(three, NoticeChannel.SMS, NoticeEvidence.ACCEPTED)
    async with db.begin(scene.stage.secretary) as tx:
        assert (await opening.open_poll(tx, scene.poll.id)).state is PollState.OPEN

    await scene.stage.vote(scene.poll.id, [three, scene.buyer], "ff")
    closed = await scene.stage.closed(scene.poll.id)
    async with db.read() as tx:
        assert await deemed_places(tx, closed) == [1, 2]
        old = await tx.session.exec(
            select(RollEntry.id).where(RollEntry.poll_id == closed.id, RollEntry.roll_version == 1)
        )
        first_roll = set(old)
    proofs = await scene.house.ledger(closed.id)
    assert len([row for row in proofs if row.roll_entry_id in first_roll]) == 4  # as it was then


async def test_who_is_off_the_roll_hears_no_more_and_nobody_is_visited_twice(
    scene: Scene, db: Database
) -> None:
    seller = scene.owners[3]
    await scene.house.later(hours=12)
    assert await scene.visits() == [1, 2, 3, 4]

    await scene.correct_the_roll()
    assert await scene.visits() == [1, 2, 3]
    assert await scene.words(scene.buyer) == ["roll_home_corrected", "roll_objection_answered"]
    async with db.read() as tx:
        follow: Any = await tx.session.get(Follow, (scene.poll.topic_id, scene.buyer))
        assert (follow.by_roll, follow.ended) == (True, False)

    for owner in scene.owners[:3]:
        await scene.prove(owner, NoticeChannel.DOORSTEP, NoticeEvidence.TOLD)
    scene.stage.clock.now = scene.poll.opens_at
    await scene.house.later(hours=12)
    assert (await scene.stage.load(scene.poll.id)).state is PollState.OPEN
    assert await scene.words(seller) == ["poll_announced", "roll_home_corrected"]
    assert "poll_opened" in await scene.words(scene.buyer)
    await scene.house.later(hours=3)
    assert await scene.visits() == [1, 2, 3, 5]


async def test_a_message_that_waits_does_not_go_to_who_is_off_the_roll_meanwhile(
    scene: Scene,
) -> None:
    scene.house.sms.answer = always(Outcome.SENT)
    await scene.correct_the_roll()
    await scene.house.later(hours=12)

    assert [scene.house.sms.to(owner) for owner in scene.owners] == [
        ["poll_announced"],
        ["poll_announced"],
        ["poll_announced"],
        ["roll_home_corrected"],
    ]
    assert ("sms", "obsolete") in await scene.house.deliveries(scene.owners[3])


async def test_a_proof_that_comes_while_the_roll_is_corrected_is_not_lost(scene: Scene) -> None:
    async def prove_all() -> None:
        for channel in (NoticeChannel.SMS, NoticeChannel.WECHAT, NoticeChannel.LIVE):
            for owner in scene.owners[:3]:
                await scene.prove(owner, channel, NoticeEvidence.ACCEPTED)

    await asyncio.gather(prove_all(), scene.correct_the_roll(), prove_all())

    assert (await scene.served(), await scene.waiting()) == (3, [5])


async def corrections_told(scene: Scene) -> dict[UUID, list[tuple[str, Any, Any]]]:
    """By person, the notices of corrected rolls: words, what changed, and of which homes."""
    found: dict[UUID, list[tuple[str, Any, Any]]] = {}
    for one in await scene.house.notices():
        if one.words in ("roll_corrected", "roll_home_corrected", "roll_place_corrected"):
            change = (one.words, one.facts.get("roll_change"), one.facts.get("home"))
            found.setdefault(one.person_id, []).append(change)
    return found


async def test_whose_home_it_is_about_hears_which_and_once(scene: Scene, db: Database) -> None:
    """The fourth owner has another home, which stays theirs."""
    seller = scene.owners[3]
    roll = {place.number: place for place in (await scene.stage.roll(scene.poll.id)).values()}
    await scene.correct_the_roll()

    code = roll[4].units[0].code
    assert await corrections_told(scene) == {
        scene.buyer: [("roll_home_corrected", "joined", code)],
        seller: [("roll_home_corrected", "left", code)],
        **{owner: [("roll_corrected", None, None)] for owner in scene.owners[:3]},
    }
    [notice] = [
        one for one in await scene.house.notices(seller) if one.words == "roll_home_corrected"
    ]
    text = speak_notice("zh-CN", notice.words, notice.facts)[1]
    assert code in text
    assert "不再由您投票" in text
    assert code not in write_outside(notice.words, notice.facts)[1]  # a lock screen


async def test_of_several_homes_the_one_that_is_corrected_is_named(
    db: Database, world: World, clock: ManualClock
) -> None:
    stage, house = Stage(db=db, world=world, clock=clock), House(db, clock, world)
    estate, owners, topic = await estate_of(stage, 2)
    building = await stage.place(NodeKind.BUILDING, "2幢", estate)
    shop, flat = await stage.homes(estate, building, [5000, 6000], [owners[0], owners[0]])
    (buyer,) = await stage.people(1, world.community.id)
    poll = await stage.announced("civil278_general", topic, estate)
    scene = Scene(stage, house, poll, owners, buyer)
    async with db.begin() as tx:
        await tx.session.delete(await tx.session.get_one(Ownership, (flat, owners[0])))
        tx.session.add(Ownership(unit_id=flat, person_id=buyer, community_id=poll.community_id))
        codes = {id: (await tx.session.get_one(PropertyUnit, id)).code for id in (shop, flat)}

    async def corrected(correction: RollCorrection, objector: UUID) -> None:
        objection = await object_to(stage, poll.id, objector)
        await propose(stage, objection, correction=correction)
        await confirm(stage, objection)
        await house.told()

    kind = CorrectionKind.ADD_VOTER
    await corrected(RollCorrection(kind=kind, person_id=buyer, unit_ids=[flat]), buyer)
    area = RollCorrection(
        kind=CorrectionKind.SET_AREA,
        number=next(
            place.number
            for place in (await stage.roll(poll.id)).values()
            if place.person_id == owners[0]
        ),
        unit_ids=[shop],
        area_dm2=5100,
    )
    await corrected(area, owners[0])

    told = await corrections_told(scene)
    assert sorted(told[owners[0]]) == [
        ("roll_home_corrected", "area", codes[shop]),
        ("roll_home_corrected", "left", codes[flat]),
    ]
    assert sorted(told[buyer], key=str) == [
        ("roll_corrected", None, None),
        ("roll_home_corrected", "joined", codes[flat]),
    ]
    assert told[owners[1]] == [("roll_corrected", None, None)] * 2


async def test_a_household_hears_by_its_code_and_a_member_without_a_home(
    db: Database, world: World, clock: ManualClock
) -> None:
    stage, house = Stage(db=db, world=world, clock=clock), House(db, clock, world)
    estate, people = await stage.households(3)
    topic = await stage.topic("household_poll", estate)
    drafted = await stage.drafted("household_poll", topic, estate)
    async with db.begin() as tx:
        row = await tx.session.get_one(Poll, drafted.id)
        days = {"roll_objection_days": 2, "roll_ruling_days": 1}
        row.preset = row.preset.model_copy(update=days)
    async with db.begin(stage.secretary) as tx:
        poll = await drafting.announce_poll(tx, drafted.id, write=write)
    scene = Scene(stage, house, poll, people, people[0])
    (other,) = await stage.people(1, world.community.id)
    home = next(p for p in (await stage.roll(poll.id)).values() if p.number == 2).household_id
    async with db.begin() as tx:
        lives = select(Residence).where(Residence.person_id == other)
        (await tx.session.exec(lives)).one().household_id = home
    objection = await object_to(stage, poll.id, other)
    correction = RollCorrection(kind=CorrectionKind.SET_VOTER, number=2, person_id=other)
    await propose(stage, objection, correction=correction)
    await confirm(stage, objection)
    await house.told()

    place = next(p for p in (await stage.roll(poll.id)).values() if p.number == 2)
    async with db.read() as tx:
        assert place.household_id is not None
        code = (await tx.session.get_one(Household, place.household_id)).code
    told = await corrections_told(scene)
    assert told[other] == [("roll_home_corrected", "joined", code)]
    assert told[people[1]] == [("roll_home_corrected", "left", code)]
    assert told[people[0]] == [("roll_corrected", None, None)]
    alone = {"title": "章程", "roll_change": "left", "home": "", "homes": 0}
    assert "涉及您本人:不再由您投票" in speak_notice("zh-CN", "roll_place_corrected", alone)[1]
