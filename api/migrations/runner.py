"""Brings a database to a revision, and says where it stands.

One road for the command line, the tests and the demo: an async engine is opened here and handed to
``env.py``. A whole upgrade is one transaction on SQLite and on PostgreSQL, so that a failing
migration leaves nothing half done; two processes that migrate at once wait for each other.
"""

import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from api.migrations.guards import missing
from api.migrations.schema import COMPARISON, metadata

T = TypeVar("T")
FOLDER = Path(__file__).parent
_ADVISORY_LOCK = 0x6D696E7969  # "minyi"


@cache
def head() -> str | None:
    """The newest revision this program knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()


async def current(url: str) -> str | None:
    """The revision a database stands at; None before the first."""
    return await _with(url, current_of)


def current_of(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


async def upgrade(url: str, revision: str = "head") -> None:
    await _with(url, lambda connection: command.upgrade(_config(connection), revision))


async def downgrade(url: str, revision: str) -> None:
    await _with(url, lambda connection: command.downgrade(_config(connection), revision))


async def differences(url: str) -> list[Any]:
    """What the tables and guards of a database lack, or have too much, compared with ours."""

    def compare(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts=dict(COMPARISON))
        lacking = [("add_guard", name) for name in sorted(missing(connection))]
        return [*compare_metadata(context, metadata), *lacking]

    return await _with(url, compare)


async def make_revision(message: str, *, again: bool = False) -> Path:
    """A new revision file, from what the models have and the newest revision has not.

    ``again`` throws the newest revision away first, for one that no database has seen yet."""
    if again:
        _throw_newest_away()
    number = int(head() or "0000") + 1
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{folder}/empty.sqlite3"
        if head() is not None:
            await upgrade(url)
        script = await _with(
            url,
            lambda connection: command.revision(
                _config(connection), message, autogenerate=True, rev_id=f"{number:04d}"
            ),
        )
    head.cache_clear()
    assert script is not None
    assert not isinstance(script, list)
    return Path(script.path)


def _throw_newest_away() -> None:
    newest = head()
    if newest is not None:
        Path(ScriptDirectory.from_config(_config()).get_revision(newest).path).unlink()
        head.cache_clear()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["connection"] = connection
    return config


async def _with(url: str, work: Callable[[Connection], T]) -> T:
    async with _connection(url) as run:
        return await run(work)


@asynccontextmanager
async def _connection(url: str) -> AsyncGenerator[Any]:
    engine = create_async_engine(url, poolclass=NullPool)
    if engine.dialect.name == "sqlite":
        if (path := make_url(url).database) is not None:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        # Foreign keys stay off: rebuilding a table drops it, which must not reach its children.
        event.listen(engine.sync_engine, "connect", _leave_transactions_to_us)
        event.listen(engine.sync_engine, "begin", _begin_immediate)
    try:
        async with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                await connection.execute(text("SET LOCAL lock_timeout = '10s'"))
                await connection.execute(
                    text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK}
                )
            yield connection.run_sync
    finally:
        await engine.dispose()


def _leave_transactions_to_us(connection: Any, record: Any) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout=10000").close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
