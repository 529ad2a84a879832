"""No vote gives away what is one owner's alone: work on a used part waits for its owners."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlmodel import col, select

from api.registers import take_register
from consultation.community.registers import RegisterKind
from consultation.community.tables import Ownership
from consultation.database import Database
from consultation.journal import JournalEntry
from consultation.outcomes.part_rules import UsedPart, missing_consents
from consultation.permissions import Role
from consultation.topics.states import State
from consultation.topics.tables import Topic
from tests.api.registers.small import UNITS, as_csv
from tests.conftest import ManualClock
from tests.consultation.outcomes.steps import plan, stand
from tests.consultation.polls.stage import Stage
from tests.notifications.house import House
from tests.world import World

USE = "井道连廊搭在北侧次卧外墙,开门洞宽1.2米"
SCAN = "ab" * 32
FLAT, OTHER = "桐荫苑-3-2-101", "桐荫苑-3-2-102"


async def a_voted_topic(
    db: Database,
    world: World,
    clock: ManualClock,
    preset: str = "lift_scope_owners",
    place: str = "entrance",
) -> Topic:
    """Adopted, with a vote of the owners at the place, and a task planned."""
    stage = Stage(db=db, world=world, clock=clock)
    topic = await stage.topic(preset, world.nodes[place])
    await stage.drafted(preset, topic, world.nodes[place])
    await stand(db, topic.id, State.ADOPTED)
    await plan(db, world, topic, item_number=None)
    return topic


@pytest.fixture
async def topic(db: Database, world: World, clock: ManualClock) -> Topic:
    return await a_voted_topic(db, world, clock)


class Site:
    """What the people concerned ask of the topic."""

    def __init__(self, client: httpx.AsyncClient, world: World, topic: Topic) -> None:
        self.client, self.world = client, world
        self.topic_id = topic.id
        self.at = f"/v1/topics/{topic.id}"
        self.clerk = world.headers("clerk", Role.CLERK)

    async def declare(self, *parts: tuple[str, str]) -> httpx.Response:
        body = {"parts": [{"code": code, "use": use} for code, use in parts]}
        return await self.client.put(f"{self.at}/used-parts", json=body, headers=self.clerk)

    async def seen(self, headers: dict[str, str]) -> dict[str, Any]:
        return (await self.client.get(f"{self.at}/used-parts", headers=headers)).json()

    async def answer(self, name: str, part: dict[str, Any], agrees: bool) -> httpx.Response:
        return await self.client.put(
            f"{self.at}/used-parts/{part['unit_id']}/consent",
            json={"agrees": agrees, "digest": part["digest"]},
            headers=self.world.headers(name),
        )

    async def begin(self) -> httpx.Response:
        return await self.client.post(
            f"{self.at}/implementation",
            json={"text": "实施计划"},
            headers=self.clerk | {"idempotency-key": uuid4().hex},
        )


@pytest.fixture
def site(client: httpx.AsyncClient, world: World, topic: Topic) -> Site:
    return Site(client, world, topic)


async def test_work_waits_until_it_is_declared_and_every_owner_agrees(
    site: Site, db: Database, world: World
) -> None:
    async with db.begin() as tx:  # a second owner of the flat
        tx.session.add(
            Ownership(
                unit_id=world.units[0].id,
                person_id=world.id("resident3"),
                community_id=world.community.id,
                named_voter=False,
            )
        )
    undeclared = await site.begin()
    assert (undeclared.status_code, undeclared.json()["code"]) == (409, "gate-not-met")
    assert undeclared.json()["facts"]["missing"] == ["declared"]

    said = (await site.declare((FLAT, USE))).json()
    assert (said["asked"], said["version"], said["total"], said["missing"]) == (True, 1, 1, 2)
    [part] = said["parts"]
    assert (part["code"], part["use"]) == (FLAT, USE)
    assert {owner["id"] for owner in part["owners"]} == {
        str(world.id("resident1")),
        str(world.id("resident3")),
    }
    assert (await site.begin()).json()["facts"]["missing"] == ["consents"]

    assert (await site.answer("resident1", part, True)).json()["agrees"] is True
    assert (await site.answer("resident3", part, False)).json()["agrees"] is False
    assert (await site.begin()).json()["facts"]["missing"] == ["consents"]
    assert (await site.seen(site.clerk))["missing"] == 1
    await site.answer("resident3", part, True)
    assert (await site.begin()).json()["state"] == "implementing"

    late = await site.answer("resident3", part, False)
    assert (late.status_code, late.json()["code"]) == (409, "consent-settled")
    declared_late = await site.declare()
    assert declared_late.json()["code"] == "consent-settled"


async def test_a_plan_that_uses_no_part_says_so(site: Site) -> None:
    said = (await site.declare()).json()
    assert (said["version"], said["total"], said["missing"]) == (1, 0, 0)
    assert (await site.declare()).json()["version"] == 1
    assert (await site.begin()).status_code == 201


async def test_other_words_ask_anew_and_the_same_words_keep_the_answer(
    site: Site, db: Database, world: World
) -> None:
    first = (await site.declare((FLAT, USE), (OTHER, USE))).json()["parts"]
    for name, part in zip(("resident1", "resident2"), first, strict=True):
        await site.answer(name, part, True)

    again = (await site.declare((OTHER, USE), (FLAT, "井道占用北阳台一半"))).json()
    assert (again["version"], again["missing"]) == (2, 1)
    assert [[owner["answer"] for owner in part["owners"]] for part in again["parts"]] == [
        [None],
        [True],
    ]
    stale = await site.answer("resident1", first[0], True)
    assert (stale.status_code, stale.json()["code"]) == (422, "use-changed")
    async with db.read() as tx:
        asked = await tx.session.exec(
            select(JournalEntry).where(JournalEntry.type == "user.part_consent_asked")
        )
        people = [entry.stream for entry in asked]
    mine, other = (f"user:{world.id(name)}" for name in ("resident1", "resident2"))
    assert sorted(people) == sorted([mine, mine, other])


async def test_who_has_not_agreed_is_seen_by_who_plans_the_work_and_by_nobody_else(
    site: Site, world: World
) -> None:
    parts = (await site.declare((FLAT, USE), (OTHER, USE))).json()["parts"]
    await site.answer("resident1", parts[0], False)

    own = await site.seen(world.headers("resident1"))
    assert [(part["code"], len(part["owners"])) for part in own["parts"]] == [(FLAT, 1)]
    assert (own["total"], own["missing"]) == (2, None)
    stranger = await site.seen(world.headers("resident4"))
    assert (stranger["total"], stranger["missing"], stranger["parts"]) == (2, None, [])
    supervisor = await site.seen(world.headers("supervisor", Role.SUPERVISOR))
    assert len(supervisor["parts"]) == 2


async def test_nobody_answers_for_another_but_on_paper_and_that_is_told(
    site: Site, db: Database, world: World
) -> None:
    [part] = (await site.declare((FLAT, USE))).json()["parts"]
    stranger = await site.answer("resident2", part, True)
    assert (stranger.status_code, stranger.json()["code"]) == (403, "not-owner-of-part")

    def paper(owner: str) -> str:
        return f"{site.at}/used-parts/{part['unit_id']}/consents/{world.id(owner)}"

    entry = {"agrees": True, "digest": part["digest"], "scan_sha256": SCAN}
    resident = await site.client.put(
        paper("resident1"), json=entry, headers=world.headers("resident2")
    )
    assert resident.status_code == 403
    wrong = await site.client.put(paper("resident2"), json=entry, headers=site.clerk)
    assert wrong.json()["code"] == "not-owner-of-part"
    unwritten = await site.client.put(
        paper("resident1"), json={"agrees": True, "digest": part["digest"]}, headers=site.clerk
    )
    assert unwritten.status_code == 422

    for _ in range(2):
        entered = await site.client.put(paper("resident1"), json=entry, headers=site.clerk)
        assert entered.json()["agrees"] is True
    async with db.read() as tx:
        told = await tx.session.exec(
            select(JournalEntry.stream).where(JournalEntry.type == "user.part_consent_answered")
        )
        assert list(told) == [f"user:{world.id('resident1')}"]
    assert (await site.begin()).status_code == 201


async def test_only_parts_of_the_register_with_an_owner_are_declared_once_each(
    site: Site, db: Database, world: World
) -> None:
    async with db.begin() as tx:
        await tx.session.delete(
            await tx.session.get_one(Ownership, (world.units[1].id, world.id("resident2")))
        )
    wrong = await site.declare((FLAT, USE), ("没有的房", USE), (OTHER, USE), (FLAT, USE))
    assert (wrong.status_code, wrong.json()["code"]) == (422, "part-unknown")
    assert wrong.json()["facts"]["parts"] == sorted([FLAT, OTHER, "没有的房"])


async def test_where_the_vote_does_not_ask_for_it_nothing_is_declared(
    client: httpx.AsyncClient, db: Database, world: World, clock: ManualClock
) -> None:
    site = Site(client, world, await a_voted_topic(db, world, clock, "civil278_special", "estate"))
    assert (await site.seen(site.clerk))["asked"] is False
    refused = await site.declare((FLAT, USE))
    assert (refused.status_code, refused.json()["code"]) == (409, "consent-not-asked")
    assert (await site.begin()).status_code == 201


async def test_who_buys_a_used_part_later_is_asked_once(
    site: Site, db: Database, world: World, clock: ManualClock
) -> None:
    """The register brings a buyer of a used part, then one of a part that is not used."""
    house = House(db, clock, world)
    [part] = (await site.declare((FLAT, USE))).json()["parts"]
    await site.answer("resident1", part, True)
    assert await asked(db) == [world.id("resident1")]

    async def sold(code: str, key: str, phone: str) -> None:
        clock.advance(minutes=5)
        places = [world.nodes[name].code for name in ("estate", "building", "entrance")]
        line = (code, *places, "住宅", "68.35", key, "新业主", phone, "")
        await take_register(
            db, RegisterKind.UNITS, as_csv([UNITS[0], line]), community_code=world.community.code
        )
        await house.later(minutes=1)

    await sold(FLAT, "N1", "19900009991")
    buyer = (await asked(db))[-1]
    async with db.read() as tx:
        assert await tx.session.get(Ownership, (world.units[0].id, buyer)) is not None
    assert await asked(db) == [world.id("resident1"), buyer]
    told = [one.words for one in await house.notices(buyer)]
    assert told.count("part_consent_asked") == 1
    assert (await site.seen(site.clerk))["missing"] == 1

    await sold(OTHER, "N2", "19900009992")  # nobody's part that is used; and the buyer is silent
    assert await asked(db) == [world.id("resident1"), buyer]

    await site.declare(
        (FLAT, "井道占用北阳台一半")
    )  # other words ask anew, and the register no more
    await sold(OTHER, "N3", "19900009993")
    assert await asked(db) == [world.id("resident1"), buyer, buyer]

    await stand(db, site.topic_id, State.IMPLEMENTING)
    await sold(FLAT, "N4", "19900009994")
    assert len(await asked(db)) == 3  # work has begun


async def asked(db: Database) -> list[UUID]:
    """Who was asked for their consent, in the order of the journal."""
    async with db.read() as tx:
        streams = await tx.session.exec(
            select(JournalEntry.stream)
            .where(JournalEntry.type == "user.part_consent_asked")
            .order_by(col(JournalEntry.id))
        )
        return [UUID(stream.partition(":")[2]) for stream in streams]


def test_a_part_waits_for_all_its_present_owners_and_for_words_they_saw() -> None:
    unit, one, two = uuid4(), uuid4(), uuid4()
    part = UsedPart(unit_id=unit, use=USE)
    other_words = UsedPart(unit_id=unit, use="别的")
    assert missing_consents([], {}, {}) == 0
    assert missing_consents([part], {unit: [one]}, {(part.digest, one): True}) == 0
    assert missing_consents([part], {unit: [one, two]}, {(part.digest, one): True}) == 1
    assert missing_consents([part], {unit: [one]}, {(part.digest, one): False}) == 1
    assert missing_consents([part], {unit: [one]}, {(other_words.digest, one): True}) == 1
    assert missing_consents([part], {}, {(part.digest, one): True}) == 1


async def test_government_declares_for_what_it_commissioned_and_sees_no_other(
    site: Site, db: Database, world: World, topic: Topic
) -> None:
    official = world.headers("official", Role.GOVERNMENT)
    await site.declare((FLAT, USE))
    address = f"{site.at}/used-parts"
    others = await site.client.put(address, json={"parts": []}, headers=official)
    assert (others.status_code, others.json()["code"]) == (403, "not-your-task")
    assert (await site.seen(official))["parts"] == []

    await stand(
        db, topic.id, State.ADOPTED, commissioning_org_id=world.orgs["subdistrict_office"].id
    )
    assert [part["code"] for part in (await site.seen(official))["parts"]] == [FLAT]
    own = await site.client.put(address, json={"parts": []}, headers=official)
    assert (own.status_code, own.json()["version"]) == (200, 2)
