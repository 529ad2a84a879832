"""Notice at the door: who gives it, who reads the unserved, and what it ends."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from sqlmodel import select

from consultation.database import Database
from consultation.events.polls import PollAddressesRead, PollUnservedRead
from consultation.journal import JournalEntry
from consultation.permissions import SYSTEM, Role
from consultation.polls.notice_tables import VoterNotice
from consultation.polls.tables import Poll
from notifications.channels import Outcome, Sent
from notifications.policy import Channel
from tests.api.serving.doorstep import TOLD, numbers_on_the_sheet, people_on_roll, worker
from tests.conftest import ManualClock
from tests.notifications.house import House
from tests.world import World


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
