"""Notice at the door, the unserved, the grid's sheet, and what was given up, over HTTP."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from sqlmodel import select

from api.phrases import write as phrases
from consultation.community.tables import Person, Residence
from consultation.database import Database
from consultation.events.people import UserNotified
from consultation.events.polls import PollAddressesRead, PollUnservedRead
from consultation.journal import JournalEntry
from consultation.permissions import SYSTEM, Role
from consultation.polls.commands import drafting
from consultation.polls.notice_tables import VoterNotice
from consultation.polls.queries import frozen_roll
from consultation.polls.tables import Poll
from notifications.channels import Outcome, Sent
from notifications.policy import Channel
from tests.conftest import ManualClock
from tests.consultation.polls.stage import Stage
from tests.notifications.house import House, always
from tests.world import World

TOLD = {"channel": "doorstep", "evidence": "told", "reference": "走访登记 12 号"}


@pytest.fixture
async def house(client: httpx.AsyncClient, db: Database, world: World, clock: ManualClock) -> House:
    house = House(db, clock, world)
    await house.give_accounts([person.id for person in world.people.values()])
    return house


@pytest.fixture
async def poll(house: House, db: Database, world: World, clock: ManualClock) -> Poll:
    stage = Stage(db=db, world=world, clock=clock)
    entrance = world.nodes["entrance"]
    topic = await stage.topic("lift_scope_owners", entrance)
    opened = await stage.opened("lift_scope_owners", topic, entrance)
    await house.told()
    return opened


def worker(world: World) -> dict[str, str]:
    return world.headers("grid_worker", Role.GRID_WORKER)


async def test_a_grid_worker_tells_a_voter_at_the_door_once(
    client: httpx.AsyncClient, world: World, poll: Poll, db: Database
) -> None:
    address = f"/v1/polls/{poll.id}"
    first = await client.put(f"{address}/roll/2/notice", headers=worker(world), json=TOLD)
    assert first.status_code == 200, first.text
    again = await client.put(
        f"{address}/roll/2/notice", headers=worker(world), json=TOLD | {"reference": "13 号"}
    )
    assert again.json() == first.json()

    waiting = (await client.get(f"{address}/unserved", headers=worker(world))).json()["items"]
    assert [one["number"] for one in waiting] == [1, 3, 4, 5, 6]
    assert waiting[0]["address"] == "桐荫苑-3-2-101"
    assert waiting[0]["label"].endswith("居*")
    assert (await client.get(address)).json()["served"] == 1
    async with db.read() as tx:
        rows = list(await tx.session.exec(select(VoterNotice)))
    assert [(row.recorded_by_id, row.reference) for row in rows] == [
        (world.id("grid_worker"), "走访登记 12 号")
    ]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"channel": "wechat", "evidence": "accepted"}, "evidence-unfit"),
        ({"channel": "in_app", "evidence": "read"}, "evidence-unfit"),
        ({"channel": "telephone", "evidence": "signed_for"}, "evidence-unfit"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_the_system_records_nobody_enters(
    client: httpx.AsyncClient, world: World, poll: Poll, change: dict[str, str], code: str
) -> None:
    answer = await client.put(
        f"/v1/polls/{poll.id}/roll/2/notice", headers=worker(world), json=TOLD | change
    )
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_who_gives_and_reads_notice_where(
    client: httpx.AsyncClient, world: World, poll: Poll, db: Database
) -> None:
    address = f"/v1/polls/{poll.id}"
    async with db.begin() as tx:  # the worker moves to another grid
        row = await tx.session.merge(world.assignments["grid_worker", Role.GRID_WORKER])
        row.node_id, row.node_path = world.nodes["grid2"].id, world.nodes["grid2"].path
    put = await client.put(f"{address}/roll/2/notice", headers=worker(world), json=TOLD)
    assert (put.status_code, put.json()["code"]) == (403, "voter-outside-grid")
    assert (await client.get(f"{address}/unserved", headers=worker(world))).json()["items"] == []
    other = {"grid_id": str(world.nodes["grid"].id)}
    got = await client.get(f"{address}/unserved", headers=worker(world), params=other)
    assert (got.status_code, got.json()["code"]) == (403, "voter-outside-grid")

    clerk = world.headers("clerk", Role.CLERK)
    supervisor = world.headers("supervisor", Role.SUPERVISOR)
    assert (
        await client.put(f"{address}/roll/2/notice", headers=clerk, json=TOLD)
    ).status_code == 200
    seen = (await client.get(f"{address}/unserved", headers=supervisor)).json()["items"]
    assert {one["address"] for one in seen} == {None}
    for name, role in (
        ("supervisor", Role.SUPERVISOR),
        ("secretary", Role.PARTY_SECRETARY),
        ("admin", Role.SYSTEM_ADMIN),
        ("company", Role.PROPERTY_COMPANY),
        ("resident1", None),
    ):
        headers = world.headers(name, role)
        refused = await client.put(f"{address}/roll/3/notice", headers=headers, json=TOLD)
        assert refused.status_code == 403, name
    for name, role in (("secretary", Role.PARTY_SECRETARY), ("resident1", None)):
        headers = world.headers(name, role)
        assert (await client.get(f"{address}/unserved", headers=headers)).status_code == 403


async def test_that_somebody_looked_at_the_unserved_is_on_record(
    client: httpx.AsyncClient, world: World, poll: Poll, db: Database
) -> None:
    await client.get(f"/v1/polls/{poll.id}/unserved", headers=worker(world))

    async with db.read() as tx:
        rows = await tx.session.exec(
            select(JournalEntry).where(JournalEntry.type == PollUnservedRead.type)
        )
        found = {(row.actor_id, row.actor_role, row.data["role"]) for row in rows}
    assert found == {(world.id("grid_worker"), "grid_worker", "grid_worker")}


async def test_whoever_hands_out_forms_finds_the_number_of_a_home(
    client: httpx.AsyncClient, world: World, poll: Poll, db: Database
) -> None:
    address = f"/v1/polls/{poll.id}/roll-addresses"

    async def find(headers: dict[str, str], **params: str) -> list[tuple[int, list[str]]]:
        got = await client.get(address, headers=headers, params=params)
        assert (got.status_code, got.headers["cache-control"]) == (200, "no-store"), got.text
        return [(one["number"], one["codes"]) for one in got.json()["items"]]

    for name, role in (("clerk", Role.CLERK), ("teller1", Role.TELLER)):
        headers = world.headers(name, role)
        assert await find(headers, unit="桐荫苑-3-2-20") == [
            (3, ["桐荫苑-3-2-201"]),
            (4, ["桐荫苑-3-2-202"]),
        ]
        assert len(await find(headers)) == 6
        assert await find(headers, unit="-3-2") == await find(headers, unit="%") == []
    assert await find(worker(world), unit="桐荫苑-3-2-302") == [(6, ["桐荫苑-3-2-302"])]
    first = (
        await client.get(
            address, headers=worker(world), params={"unit": "桐荫苑-3-2-2", "limit": 1}
        )
    ).json()
    rest = {"unit": "桐荫苑-3-2-2", "cursor": first["next_cursor"]}
    assert (await find(worker(world), **rest))[0][0] == 4

    for name, role, status in (
        ("supervisor", Role.SUPERVISOR, 403),
        ("secretary", Role.PARTY_SECRETARY, 403),
        ("company", Role.PROPERTY_COMPANY, 403),
        ("resident1", None, 403),
    ):
        got = await client.get(address, headers=world.headers(name, role))
        assert got.status_code == status, name
    assert (await client.get(address)).status_code == 401
    public = (await client.get(f"/v1/polls/{poll.id}/roll")).json()["items"]
    assert public[0].keys() == {"number", "label"}
    async with db.begin() as tx:  # the worker moves to another grid
        row = await tx.session.merge(world.assignments["grid_worker", Role.GRID_WORKER])
        row.node_id, row.node_path = world.nodes["grid2"].id, world.nodes["grid2"].path
    assert await find(worker(world)) == []
    async with db.read() as tx:
        rows = await tx.session.exec(
            select(JournalEntry).where(JournalEntry.type == PollAddressesRead.type)
        )
        found = {(row.actor_id, row.data["role"]) for row in rows}
    assert {role for _, role in found} == {"clerk", "teller", "grid_worker"}
    assert (world.id("teller1"), "teller") in found


async def test_notice_is_given_between_announcement_and_close(
    client: httpx.AsyncClient, world: World, poll: Poll, clock: ManualClock
) -> None:
    clock.now = poll.closes_at
    late = await client.put(f"/v1/polls/{poll.id}/roll/2/notice", headers=worker(world), json=TOLD)
    assert (late.status_code, late.json()["code"]) == (409, "poll-not-being-served")
    nobody = await client.put(
        f"/v1/polls/{uuid4()}/roll/2/notice", headers=worker(world), json=TOLD
    )
    assert nobody.status_code == 404


async def unreachable(house: House) -> None:
    house.wechat.answer = always(Outcome.NOT_REACHABLE)
    house.sms.answer = always(Outcome.NOT_REACHABLE)
    await house.later(hours=12)


async def test_whom_no_message_reaches_stands_on_the_sheet_until_somebody_was_there(
    client: httpx.AsyncClient, world: World, poll: Poll, house: House
) -> None:
    grid = world.nodes["grid"].id
    await unreachable(house)
    sheet = (await client.get(f"/v1/grids/{grid}/sheet", headers=worker(world))).json()
    assert [visit["address"] for visit in sheet["visits"]] == [
        f"桐荫苑-3-2-{floor}0{side}" for floor in (1, 2, 3) for side in (1, 2)
    ]
    assert sheet["visits"][0]["number"] == 1

    page = await client.get(f"/grids/{grid}/sheet", headers=worker(world))
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["cache-control"] == "no-store"
    assert "<script" not in page.text
    assert "桐荫苑-3-2-302" in page.text
    assert "共6份" in page.text

    handed = f"/v1/deliveries/{sheet['visits'][1]['id']}/handover"
    body = {"evidence": "signed_for", "reference": "签收单 3 号"}
    for _ in range(2):
        done = await client.put(handed, headers=worker(world), json=body)
        assert done.json()["state"] == "sent"
    wrong = await client.put(handed, headers=worker(world), json=body | {"evidence": "read"})
    assert wrong.status_code == 422
    await client.get("/v1/me/notices", headers=world.headers("resident4"))  # reads it after all
    sheet = (await client.get(f"/v1/grids/{grid}/sheet", headers=worker(world))).json()
    assert [visit["number"] for visit in sheet["visits"]] == [1, 3, 5, 6]
    assert {
        (row.channel.value, row.evidence.value, row.recorded_by_id)
        for row in await house.ledger(poll.id)
    } == {("printed", "signed_for", world.id("grid_worker")), ("live", "fetched", None)}


async def test_who_was_told_at_the_door_gets_no_message_and_no_visit_for_it(
    client: httpx.AsyncClient, world: World, poll: Poll, house: House
) -> None:
    told, others = await people_on_roll(house, poll, 2)
    assert {state for _, state in await house.deliveries(told)} == {"waiting"}
    await client.put(f"/v1/polls/{poll.id}/roll/2/notice", headers=worker(world), json=TOLD)
    assert {state for _, state in await house.deliveries(told)} == {"seen"}
    await house.later(hours=12)

    assert house.wechat.to(told) == house.sms.to(told) == []
    assert house.wechat.to(others[0]) == ["poll_announced", "poll_opened"]
    assert await numbers_on_the_sheet(client, world) == []
    assert {row.channel.value for row in await house.ledger(poll.id)} == {"doorstep", "wechat"}


async def test_what_was_in_a_senders_hands_meanwhile_goes_no_further(
    client: httpx.AsyncClient, world: World, poll: Poll, house: House, db: Database
) -> None:
    told, _ = await people_on_roll(house, poll, 2)
    last, _ = await people_on_roll(house, poll, 3)
    house.clock.now = poll.opens_at + timedelta(hours=9)  # the opening is due, not its announcement
    async with db.begin(SYSTEM) as tx:
        _, by_wechat = await house.sender.claim(tx, Channel.WECHAT)
    assert told in {one.letter.person_id for one in by_wechat}
    address = f"/v1/polls/{poll.id}/roll"
    await client.put(f"{address}/2/notice", headers=worker(world), json=TOLD)
    async with db.begin(SYSTEM) as tx:
        results = [(one, Sent(Outcome.NOT_REACHABLE)) for one in by_wechat]
        await house.sender.record(tx, Channel.WECHAT, results)
    async with db.begin(SYSTEM) as tx:
        _, by_sms = await house.sender.claim(tx, Channel.SMS)
    assert told not in {one.letter.person_id for one in by_sms}
    await client.put(f"{address}/3/notice", headers=worker(world), json=TOLD)
    async with db.begin(SYSTEM) as tx:
        results = [(one, Sent(Outcome.NOT_REACHABLE)) for one in by_sms]
        await house.sender.record(tx, Channel.SMS, results)

    assert ("printed", "waiting") in await house.deliveries(last)
    assert await numbers_on_the_sheet(client, world) == [1, 4, 5, 6]


async def test_who_opens_the_app_while_somebody_is_at_the_door_holds_nobody_up(
    client: httpx.AsyncClient, world: World, poll: Poll, house: House
) -> None:
    async def opens(name: str) -> httpx.Response:
        return await client.get("/v1/me/notices", headers=world.headers(name))

    async def tells(number: int) -> httpx.Response:
        address = f"/v1/polls/{poll.id}/roll/{number}/notice"
        return await client.put(address, headers=worker(world), json=TOLD)

    names = [f"resident{number}" for number in range(1, 7)]
    answers = await asyncio.gather(
        *(told for n, name in enumerate(names, 1) for told in (opens(name), tells(n)))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert (await client.get(f"/v1/polls/{poll.id}")).json()["served"] == 6
    await house.later(hours=12)
    assert house.wechat.sent == house.sms.sent == []


async def test_two_notices_of_a_poll_are_one_visit_and_one_paper(
    client: httpx.AsyncClient, world: World, house: House, db: Database, clock: ManualClock
) -> None:
    stage = Stage(db=db, world=world, clock=clock)
    entrance = world.nodes["entrance"]
    topic = await stage.topic("lift_scope_owners", entrance)
    drafted = await stage.drafted("lift_scope_owners", topic, entrance)
    async with db.begin() as tx:
        row = await tx.session.get_one(Poll, drafted.id)
        row.preset = row.preset.model_copy(update={"served_min": "1/6"})
    async with db.begin(stage.secretary) as tx:
        poll = await drafting.announce_poll(tx, drafted.id, write=phrases)
    await house.told()
    await unreachable(house)
    assert await numbers_on_the_sheet(client, world) == [1, 2, 3, 4, 5, 6]
    await client.put(f"/v1/polls/{poll.id}/roll/1/notice", headers=worker(world), json=TOLD)
    clock.now = poll.opens_at
    await house.later()
    await house.later(hours=12)

    grid = world.nodes["grid"].id
    visits = (await client.get(f"/v1/grids/{grid}/sheet", headers=worker(world))).json()["visits"]
    assert [(one["number"], one["template"]) for one in visits] == [
        (number, "poll_opened") for number in range(1, 7)
    ]
    body = {"evidence": "signed_for", "reference": "签收单 3 号"}
    await client.put(f"/v1/deliveries/{visits[1]['id']}/handover", headers=worker(world), json=body)
    assert await numbers_on_the_sheet(client, world) == [1, 3, 4, 5, 6]
    second, _ = await people_on_roll(house, poll, 2)
    printed = [state for channel, state in await house.deliveries(second) if channel == "printed"]
    assert sorted(printed) == ["seen", "sent"]


async def people_on_roll(house: House, poll: Poll, number: int) -> tuple[UUID, list[UUID]]:
    """Who votes in a place, and the others."""
    async with house.db.read() as tx:
        places = (await frozen_roll(tx, poll)).values()
    people = {place.number: place.person_id for place in places if place.person_id is not None}
    return people.pop(number), list(people.values())


async def numbers_on_the_sheet(client: httpx.AsyncClient, world: World) -> list[int]:
    answer = await client.get(f"/v1/grids/{world.nodes['grid'].id}/sheet", headers=worker(world))
    return [visit["number"] for visit in answer.json()["visits"]]


async def test_the_sheet_is_for_the_grid_and_its_worker(
    client: httpx.AsyncClient, world: World, poll: Poll
) -> None:
    grid, other = world.nodes["grid"].id, world.nodes["grid2"].id
    clerk = world.headers("clerk", Role.CLERK)
    for address in (f"/v1/grids/{grid}/sheet", f"/grids/{grid}/sheet"):
        assert (await client.get(address)).status_code == 401
        assert (await client.get(address, headers=world.headers("resident1"))).status_code == 403
        assert (await client.get(address, headers=clerk)).status_code == 200
    refused = await client.get(f"/v1/grids/{other}/sheet", headers=worker(world))
    assert refused.json()["code"] == "voter-outside-grid"
    place = world.nodes["entrance"].id
    assert (await client.get(f"/v1/grids/{place}/sheet", headers=clerk)).status_code == 404
    assert (await client.get(f"/grids/{other}/sheet", headers=clerk)).text.count("<tr>") == 0


async def owed_a_reply(house: House, person_id: UUID, community_id: UUID | None) -> None:
    """Their dissent was explained, or their account changed."""
    about = "account_erased" if community_id is None else "dissent_explained"
    async with house.db.begin(SYSTEM) as tx:
        tx.emit(
            UserNotified(
                community_id=community_id,
                person_id=person_id,
                about=about,
                topic_id=None,
                subject_id=None,
            )
        )
    await house.told()


async def test_whom_no_grid_knows_is_on_the_clerks_sheet_and_what_they_said_is_not(
    client: httpx.AsyncClient, world: World, house: House, db: Database, clock: ManualClock
) -> None:
    stage = Stage(db=db, world=world, clock=clock)
    (owner,) = await stage.people(1, world.community.id)
    await owed_a_reply(house, owner, world.community.id)
    await unreachable(house)
    address, clerk = f"/communities/{world.community.id}/sheet", world.headers("clerk", Role.CLERK)
    [visit] = (await client.get(f"/v1{address}", headers=clerk)).json()["visits"]
    assert (visit["label"], visit["number"]) == ("王*", None)
    page = await client.get(address, headers=clerk)
    for text in (visit["text"], page.text):
        assert "书面答复" in text
        assert "不同意见" not in text
    assert page.headers["cache-control"] == "no-store"
    for headers, status in (
        (worker(world), 403),
        (world.headers("resident1"), 403),
        (world.headers("secretary", Role.PARTY_SECRETARY), 403),
    ):
        for each in (address, f"/v1{address}"):
            assert (await client.get(each, headers=headers)).status_code == status
    grid = f"/v1/communities/{world.nodes['grid'].id}/sheet"
    assert (await client.get(grid, headers=clerk)).status_code == 404

    handed = f"/v1/deliveries/{visit['id']}/handover"
    body = {"evidence": "signed_for", "reference": "签收单 7 号"}
    refused = await client.put(handed, headers=worker(world), json=body)
    assert refused.json()["code"] == "voter-outside-grid"
    assert (await client.put(handed, headers=clerk, json=body)).json()["state"] == "sent"
    assert (await client.get(f"/v1{address}", headers=clerk)).json()["visits"] == []


async def test_dead_letters_about_accounts_are_found_and_sent_again_too(
    client: httpx.AsyncClient, world: World, house: House, db: Database
) -> None:
    stranger = uuid4()
    async with db.begin(SYSTEM) as tx:
        tx.session.add(Person(id=stranger, created_at=tx.now))
    await house.give_accounts([stranger])
    house.wechat.answer = house.sms.answer = always(Outcome.FAULTY)
    for person_id in (world.id("resident1"), stranger):
        await owed_a_reply(house, person_id, None)
    await house.later(hours=12)

    admin = world.headers("admin", Role.SYSTEM_ADMIN)
    address = f"/v1/communities/{world.community.id}/dead-letters"
    dead = (await client.get(address, headers=admin)).json()["items"]
    assert len(dead) == 4  # by WeChat and by SMS, of somebody who lives here and of nobody's
    for one in dead:
        resend = f"/v1/deliveries/{one['id']}/resending"
        for name, role in (("clerk", Role.CLERK), ("resident2", None)):
            headers = world.headers(name, role)
            assert (await client.put(resend, headers=headers)).status_code == 403
        again = await client.put(resend, headers=admin)
        assert (again.status_code, again.json()["state"]) == (200, "waiting")

    async with db.begin() as tx:  # somebody of another community is that one's
        home = (
            await tx.session.exec(
                select(Residence).where(Residence.person_id == world.id("resident1"))
            )
        ).one()
        home.community_id = world.nodes["other"].id
    await house.later(minutes=1)
    dead = (await client.get(address, headers=admin)).json()["items"]
    assert len(dead) == 2


async def test_an_operator_sees_dead_letters_without_people_and_sends_them_again(
    client: httpx.AsyncClient, world: World, poll: Poll, house: House
) -> None:
    house.wechat.answer = always(Outcome.FAULTY)
    house.sms.answer = lambda letter: (
        Outcome.SENT if letter.person_id != world.id("resident2") else Outcome.FAULTY
    )
    await house.later(hours=12)
    admin = world.headers("admin", Role.SYSTEM_ADMIN)
    address = f"/v1/communities/{world.community.id}/dead-letters"
    page = await client.get(address, headers=admin, params={"limit": 50})
    dead = page.json()["items"]
    assert len(dead) == 6 + 6 + 1
    assert {one["error"] for one in dead} == {"faulty"}
    people = [str(person.id) for person in world.people.values()]
    assert [one for one in (*people, "居*", "1990000") if one in page.text] == []

    sms = next(one for one in dead if one["channel"] == "sms")
    house.sms.answer = house.wechat.answer = always(Outcome.SENT)
    again = await client.put(f"/v1/deliveries/{sms['id']}/resending", headers=admin)
    assert again.json()["state"] == "waiting"
    for one in dead:
        if one["channel"] == "wechat" and one["template"] == "poll_opened":
            await client.put(f"/v1/deliveries/{one['id']}/resending", headers=admin)
    before = len(house.wechat.sent) + len(house.sms.sent)
    await house.later(minutes=1)

    # only resident2 had not been reached; of both messages one goes out
    assert len(house.wechat.sent) + len(house.sms.sent) == before + 1
    for name, role in (("clerk", Role.CLERK), ("resident1", None)):
        headers = world.headers(name, role)
        assert (await client.get(address, headers=headers)).status_code == 403
        resend = f"/v1/deliveries/{sms['id']}/resending"
        assert (await client.put(resend, headers=headers)).status_code == 403
    unknown = await client.put(f"/v1/deliveries/{UUID(int=5)}/resending", headers=admin)
    assert unknown.status_code == 404
