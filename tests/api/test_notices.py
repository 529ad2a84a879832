"""The inbox over HTTP: read once, counted, fetched; and how one wants to be reached."""

import httpx
import pytest

from consultation.database import Database
from consultation.permissions import Role
from consultation.polls.tables import Poll
from notifications.hub import Hub
from notifications.relay import Relay
from tests.conftest import ManualClock
from tests.consultation.polls.stage import Stage
from tests.world import World

INBOX = "/v1/me/notices"


@pytest.fixture
async def poll(client: httpx.AsyncClient, db: Database, world: World, clock: ManualClock) -> Poll:
    """An open poll of the six owners of the world's entrance, who have been told."""
    stage = Stage(db=db, world=world, clock=clock)
    entrance = world.nodes["entrance"]
    topic = await stage.topic("lift_scope_owners", entrance)
    opened = await stage.opened("lift_scope_owners", topic, entrance)
    await Relay(db, Hub()).drain()
    return opened


async def unread(client: httpx.AsyncClient, headers: dict[str, str]) -> int:
    return (await client.get(f"{INBOX}/unread", headers=headers)).json()["unread"]


async def test_a_notice_is_found_counted_and_read_once(
    client: httpx.AsyncClient, world: World, poll: Poll
) -> None:
    mine = world.headers("resident2")
    assert await unread(client, mine) == 2
    page = (await client.get(INBOX, headers=mine)).json()
    opened = next(one for one in page["items"] if one["template"] == "poll_opened")
    assert opened["title"] == "表决开始"
    assert "3幢2单元加装电梯" in opened["text"]
    assert (opened["poll_id"], opened["urgency"], opened["read_at"]) == (
        str(poll.id),
        "urgent",
        None,
    )

    for _ in range(2):
        read = await client.put(f"{INBOX}/{opened['id']}/read", headers=mine)
        assert read.json()["read_at"] is not None
        assert await unread(client, mine) == 1
    english = await client.get(INBOX, headers=mine | {"accept-language": "en"})
    assert "Voting has begun" in english.text


async def test_the_inbox_goes_on_page_by_page(
    client: httpx.AsyncClient, world: World, poll: Poll
) -> None:
    mine = world.headers("resident2")
    first = (await client.get(f"{INBOX}?limit=1", headers=mine)).json()
    cursor = first["next_cursor"]
    second = (await client.get(f"{INBOX}?limit=1&cursor={cursor}", headers=mine)).json()

    both = {first["items"][0]["template"], second["items"][0]["template"]}
    assert both == {"poll_announced", "poll_opened"}
    assert second["next_cursor"] is None


async def test_nobody_reads_or_marks_what_is_somebody_elses(
    client: httpx.AsyncClient, world: World, poll: Poll
) -> None:
    theirs = (await client.get(INBOX, headers=world.headers("resident2"))).json()["items"][0]

    answer = await client.put(f"{INBOX}/{theirs['id']}/read", headers=world.headers("resident3"))
    assert answer.status_code == 404
    assert (await client.get(INBOX, headers=world.headers("visitor"))).json()["items"] == []
    assert (await client.get(INBOX)).status_code == 401


async def test_what_was_fetched_or_read_is_proved_and_the_public_sees_the_number(
    client: httpx.AsyncClient, world: World, poll: Poll
) -> None:
    address = f"/v1/polls/{poll.id}"
    assert (await client.get(address)).json()["served"] == 0
    page = await client.get(INBOX, headers=world.headers("resident1"))
    assert (await client.get(address)).json()["served"] == 1
    notice = page.json()["items"][0]["id"]
    await client.put(f"{INBOX}/{notice}/read", headers=world.headers("resident1"))
    await client.get(INBOX, headers=world.headers("resident1"))
    assert (await client.get(address)).json()["served"] == 1
    await client.get(INBOX, headers=world.headers("resident4"))

    assert (await client.get(address)).json()["served"] == 2
    clerk = world.headers("clerk", Role.CLERK)
    waiting = (await client.get(f"{address}/unserved", headers=clerk)).json()["items"]
    assert [one["number"] for one in waiting] == [2, 3, 5, 6]


async def test_settings_are_the_houses_until_somebody_chooses(
    client: httpx.AsyncClient, world: World
) -> None:
    mine, address = world.headers("resident1"), "/v1/me/notice-settings"
    usual = (await client.get(address, headers=mine)).json()
    assert usual == {
        "wechat": True,
        "sms": True,
        "digest": True,
        "digest_hour": None,
        "usual_digest_hour": 19,
        "quiet_from": "22:00",
        "quiet_until": "08:00",
    }

    chosen = {"wechat": True, "sms": False, "digest": True, "digest_hour": 12}
    for _ in range(2):
        assert (await client.put(address, headers=mine, json=chosen)).status_code == 200
    assert (await client.get(address, headers=mine)).json() == usual | chosen
    for hour in (23, 3, 7):
        refused = await client.put(address, headers=mine, json=chosen | {"digest_hour": hour})
        assert (refused.status_code, refused.json()["code"]) == (422, "digest-hour-quiet")
    other = (await client.get(address, headers=world.headers("resident2"))).json()
    assert other == usual
