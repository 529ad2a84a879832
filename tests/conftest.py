"""Fixtures: an injected clock, a fresh database on SQLite and on PostgreSQL, the application."""

import asyncio
import gc
import os
import shutil
from collections.abc import AsyncGenerator, Generator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from api.app import build_services, build_surface
from api.fake_wechat.server import build_fake
from api.fake_wechat.state import APP_ID
from api.fake_wechat.state import SECRET as FAKE_SECRET
from api.migrations import runner
from api.server import collect_less, serving
from api.settings import Settings
from consultation.append_only import protect
from consultation.box_keys import FileBoxKeys
from consultation.database import Database
from consultation.polls.keys import LocalBoardKey
from consultation.vault import Vault
from tests import one_dialect, servers
from tests.fake_wechat import FakeWechat
from tests.measuring import Measured
from tests.world import World, build_world

pytest_plugins = ["tests.reporting", "tests.sharing"]

one_dialect.install()
collect_less()


def pytest_collection_finish() -> None:
    """What was imported and collected stays: no collection need look through it again."""
    gc.collect()
    gc.freeze()


SECRET = "a secret for tests, 32 bytes or more"
BOARD_KEY = LocalBoardKey(bytes.fromhex("22" * 32))
START = datetime(2026, 3, 11, 1, 0, tzinfo=UTC)  # Wednesday, 09:00 in Shanghai


class ManualClock:
    """Time stands still until a test moves it."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "empty.sqlite3"
    asyncio.run(runner.upgrade(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres_cluster() -> Generator[str]:
    if not servers.has_postgres():
        if os.environ.get("REQUIRE_ALL"):
            pytest.fail("PostgreSQL is required (REQUIRE_ALL) and not installed")
        pytest.skip("PostgreSQL is not installed")
    with servers.postgres() as address:
        yield address


_emptied: dict[str, str] = {}
"""By cluster: the database that the next test gets, with its tables and nothing in them."""


async def _postgres_database(address: str) -> str:
    """The migrated database of the cluster, empty. Made when there is none: copying a database
    takes half a second, emptying it a tenth of that."""
    if address not in _emptied:
        name = f"t_{uuid4().hex}"
        admin = await asyncpg.connect(f"postgresql://{address}/postgres")
        await admin.execute(f'CREATE DATABASE "{name}"')
        await admin.close()
        await runner.upgrade(f"postgresql+asyncpg://{address}/{name}")
        _emptied[address] = name
    return f"postgresql+asyncpg://{address}/{_emptied[address]}"


async def _empty(address: str) -> None:
    """Take every row out, past the triggers that guard them, and number from 1 again. A database
    in which a test still works is given up."""
    name = _emptied[address]
    connection = await asyncpg.connect(f"postgresql://{address}/{name}")
    try:
        others = "FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()"
        await connection.execute(f"SELECT pg_terminate_backend(pid) {others}", name)
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(f"UPDATE alembic_version SET version_num = '{runner.head()}'")
        tables = [
            row[0]
            for row in await connection.fetch(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public' "
                "AND tablename <> 'alembic_version'"
            )
        ]
        sequences = await connection.fetch("SELECT sequencename FROM pg_sequences")
        guards = await connection.fetchval(
            "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O'"
        )
        if guards < len([one for one in protect("postgresql") if " TRIGGER " in one]):
            for statement in protect("postgresql"):  # a test has taken guards away
                await connection.execute(statement)
        await connection.execute(
            ";".join(
                [f'DELETE FROM "{table}"' for table in tables]
                + [f'ALTER SEQUENCE "{row[0]}" RESTART' for row in sequences]
            )
        )
    except (asyncpg.PostgresError, OSError):
        del _emptied[address]
    finally:
        await connection.close()


@pytest.fixture(params=["sqlite", "postgresql"])
async def database_url(
    request: pytest.FixtureRequest, tmp_path: Path, sqlite_template: Path
) -> AsyncGenerator[str]:
    """The address of a fresh database; every test that uses it runs on both engines."""
    if request.param == "sqlite":
        path = tmp_path / "minyi.sqlite3"
        shutil.copy(sqlite_template, path)
        yield f"sqlite+aiosqlite:///{path}"
        return
    address: str = request.getfixturevalue("postgres_cluster")
    yield await _postgres_database(address)
    await _empty(address)


@pytest.fixture
def box_keys_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Away from the database, and the same for ``db`` and the application."""
    return tmp_path_factory.mktemp("box-keys")


@pytest.fixture
async def db(database_url: str, clock: ManualClock, box_keys_dir: Path) -> AsyncGenerator[Database]:
    database = Database(
        database_url,
        vault=Vault(SECRET.encode()),
        board_key=BOARD_KEY,
        clock=clock,
        pool_size=5,
        box_keys=FileBoxKeys(box_keys_dir),
    )
    yield database
    await database.dispose()


@pytest.fixture
async def world(db: Database) -> World:
    """A small community with offices, staff and residents."""
    return await build_world(db)


@pytest.fixture
async def fake_wechat(clock: ManualClock) -> AsyncGenerator[FakeWechat]:
    """The stand-in for WeChat on a loopback port; a ``client`` in the same test logs in there."""
    async with (
        serving(build_fake(clock=clock)) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as http,
    ):
        yield FakeWechat(url, http)


@pytest.fixture
def settings(
    request: pytest.FixtureRequest, database_url: str, box_keys_dir: Path, tmp_path: Path
) -> Settings:
    fake = "fake_wechat" in request.fixturenames
    return Settings(
        database_url=database_url,
        field_secret=SECRET,
        token_key="11" * 32,  # type: ignore[arg-type]
        board_key="22" * 32,  # type: ignore[arg-type]
        wechat_base_url=request.getfixturevalue("fake_wechat").url if fake else "http://[::1]:9",
        wechat_app_id=APP_ID,
        wechat_secret=FAKE_SECRET,  # type: ignore[arg-type]
        owners_system_of_record=True,
        box_keys_dir=box_keys_dir,
        photos_dir=tmp_path / "photos",
        public_url="https://minyi.test",
        run_relay=False,  # tests say themselves when time moves on:
        run_worker=False,  # services.relay.drain(), services.worker.run_due()
        shared_read_seconds=0,  # rows are inserted behind the application's back
        run_sender=False,
    )


@cache
def surface() -> FastAPI:
    """The routes, built once a process: they take a second, and hold nothing of a test."""
    return build_surface()


@pytest.fixture
async def client(
    settings: Settings, clock: ManualClock, world: World
) -> AsyncGenerator[httpx.AsyncClient]:
    """The application over ASGI, in process, with the ``world`` in its database."""
    app = surface()
    app.state.services = build_services(settings, clock=clock)
    async with app.router.lifespan_context(app):
        world.tokens = app.state.services.tokens
        async with httpx.AsyncClient(transport=Measured(app), base_url="http://minyi.test") as http:
            yield http
