"""The sheet of a grid, and the clerk's: whom no message reaches."""

import httpx

from api.phrases import write as phrases
from consultation.database import Database
from consultation.permissions import Role
from consultation.polls.commands import drafting
from consultation.polls.tables import Poll
from tests.api.serving.doorstep import (
    TOLD,
    numbers_on_the_sheet,
    owed_a_reply,
    people_on_roll,
    unreachable,
    worker,
)
from tests.conftest import ManualClock
from tests.consultation.polls.stage import Stage
from tests.notifications.house import House
from tests.world import World


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
