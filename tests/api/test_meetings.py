"""A meeting from its notice to its published minutes, and what strangers see of it."""

from datetime import datetime, timedelta
from typing import Any

import httpx

from consultation.database import Database
from consultation.permissions import Role
from consultation.topics.states import State
from tests.conftest import ManualClock
from tests.world import World, a_topic

CLERK, HOST = Role.CLERK, Role.HOST
MINUTES = {
    "summary": "设计单位通报三个备选点的比较。",
    "points_for": ["4幢东侧有水电"],
    "points_against": ["夏天有味道"],
    "agreed": ["设水池和除臭"],
    "disagreed": [],
    "next_steps": ["公布对比表"],
}


async def convene(
    client: httpx.AsyncClient, world: World, topic_id: object, clock: ManualClock, **more: Any
) -> httpx.Response:
    return await client.post(
        f"/v1/topics/{topic_id}/meetings",
        json={
            "form": "heart_to_heart_meeting",
            "title": "选址恳谈会",
            "place": "二楼议事室",
            "starts_at": (clock.now + timedelta(days=6)).isoformat(),
            "host_id": str(world.id("deputy")),
            "recorder_id": str(world.id("clerk")),
        }
        | more,
        headers=world.headers("clerk", CLERK),
    )


async def put(
    client: httpx.AsyncClient,
    world: World,
    url: str,
    who: str,
    role: Role | None = None,
    **body: Any,
) -> dict[str, Any]:
    answer = await client.put(url, json=body, headers=world.headers(who, role))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_meeting_from_its_notice_to_its_minutes(
    client: httpx.AsyncClient, db: Database, world: World, clock: ManualClock
) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    convened = await convene(client, world, topic.id, clock)
    assert convened.status_code == 201, convened.text
    url = f"/v1/meetings/{convened.json()['id']}"
    await put(
        client,
        world,
        f"{url}/attendance/{world.id('resident3')}",
        "clerk",
        CLERK,
        group="其他业主",
        mode="written",
    )
    clock.now = datetime.fromisoformat(convened.json()["starts_at"])
    await put(client, world, f"{url}/attendance/me", "resident1", group="一层业主", mode="on_site")
    assert (await put(client, world, f"{url}/opening", "deputy", HOST))["state"] == "open"
    await put(client, world, f"{url}/attendance/me", "resident2", group="其他业主", mode="online")

    detail = (await client.get(url)).json()
    assert (detail["present"], detail["written"]) == (2, 1)
    assert [(g["name"], g["present"]) for g in detail["groups"]] == [
        ("一层业主", 1),
        ("其他业主", 2),
    ]
    sheet = await client.get(f"{url}/attendance", headers=world.headers("clerk", CLERK))
    assert {row["masked_name"] for row in sheet.json()["items"]} == {"居*"}
    stranger = await client.get(f"{url}/attendance", headers=world.headers("resident1"))
    assert stranger.status_code == 403

    clock.advance(hours=2)
    assert (await put(client, world, f"{url}/closing", "deputy", HOST))["state"] == "closed"
    drafted = await client.post(
        f"{url}/minutes", json=MINUTES, headers=world.headers("clerk", CLERK)
    )
    assert drafted.status_code == 201, drafted.text
    assert (await client.get(f"{url}/minutes")).status_code == 404
    other = await client.get(f"{url}/minutes", headers=world.headers("resident4"))
    assert other.status_code == 404
    own = await client.get(f"{url}/minutes", headers=world.headers("resident1"))
    assert own.json()["content"]["summary"] == MINUTES["summary"]
    for who in ("resident1", "resident2", "resident3"):
        await put(client, world, f"{url}/minutes/1/answer", who, confirmed=True)
    assert (await client.get(f"{url}/minutes")).json()["version"] == 1
    published = await put(client, world, f"{url}/publication", "clerk", CLERK)
    assert published["state"] == "published"
    listed = (await client.get(f"/v1/topics/{topic.id}/meetings")).json()["items"]
    assert [m["state"] for m in listed] == ["published"]
    assert (await client.get(f"{url}/minutes")).json()["document_id"] is not None


async def test_a_notice_that_is_too_short_says_when_it_may_be(
    client: httpx.AsyncClient, db: Database, world: World, clock: ManualClock
) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    refused = await convene(client, world, topic.id, clock, form="hearing", selection="抽签")
    assert (refused.status_code, refused.json()["code"]) == (422, "notice-too-short")
    assert refused.json()["detail"] == "这种会议须提前 7 日公告,最早可定在 2026-03-19。"


async def test_an_absence_a_show_of_hands_and_a_meeting_called_off(
    client: httpx.AsyncClient, db: Database, world: World, clock: ManualClock
) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    council = await convene(
        client, world, topic.id, clock, form="council_meeting", quorum_members=2
    )
    url = f"/v1/meetings/{council.json()['id']}"
    noted = await put(
        client, world, f"{url}/absence", "clerk", CLERK, group="一层业主", note="电话两次未接"
    )
    assert noted["absence_note"] == "电话两次未接"
    clock.now = datetime.fromisoformat(council.json()["starts_at"])
    for who in ("resident1", "resident2"):
        await put(
            client,
            world,
            f"{url}/attendance/{world.id(who)}",
            "clerk",
            CLERK,
            group="议事会成员",
            mode="on_site",
        )
    await put(client, world, f"{url}/opening", "deputy", HOST)
    hands = await client.post(
        f"{url}/hands",
        json={"question": "同意按此报送", "ayes": 1, "noes": 1, "abstained": 0},
        headers=world.headers("deputy", HOST),
    )
    assert (hands.status_code, hands.json()["number"]) == (201, 1)
    assert [h["ayes"] for h in (await client.get(url)).json()["hands"]] == [1]

    other = await convene(client, world, topic.id, clock)
    off = await put(
        client,
        world,
        f"/v1/meetings/{other.json()['id']}/cancellation",
        "clerk",
        CLERK,
        reason="议事室漏水",
    )
    assert off["state"] == "cancelled"
