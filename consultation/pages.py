"""Rewriting tables, so that what was deleted is on no page of the database any more.

Deleted rows stay readable in SQLite's log and in PostgreSQL's heap until somebody rewrites them,
and in the order in which they were written. What archives, replicas and the disk itself keep is
out of reach from here; only the destruction of a key reaches them.
"""

import asyncio
from collections.abc import Sequence

from sqlalchemy import text

from consultation.database import BUSY_MILLISECONDS, Database

TRIES = 20
PAUSE_SECONDS = 0.25


class PagesInUse(Exception):
    """Somebody still reads an older state, which keeps its pages alive. To be tried again."""


async def rewrite(db: Database, tables: Sequence[str]) -> None:
    """Rewrite these tables (SQLite: the whole file) without anything deleted, and empty the log.
    Outside of a transaction; writers wait meanwhile. PagesInUse if readers stay in the way."""
    if db.is_sqlite:
        await _rewrite_sqlite(db)
    else:
        await _rewrite_postgres(db, tables)


async def _rewrite_sqlite(db: Database) -> None:
    """``secure_delete`` zeroes what VACUUM frees, and the log is copied back and cut to nothing."""
    await _run_sqlite(db, "VACUUM")
    for _ in range(TRIES):
        await _run_sqlite(db, "PRAGMA busy_timeout=250")
        try:
            busy, *_ = await _run_sqlite(db, "PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            await _run_sqlite(db, f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
        if not busy:
            return
        await asyncio.sleep(PAUSE_SECONDS)  # the one writer is free meanwhile
    raise PagesInUse()


async def _run_sqlite(db: Database, statement: str) -> tuple[int, ...]:
    """Run it outside of a transaction, which SQLAlchemy would begin; its first row or nothing."""
    async with db.turn, db.writer.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        cursor = await driver.execute(statement)
        row = await cursor.fetchone()
        await cursor.close()
        return row or ()


async def _rewrite_postgres(db: Database, tables: Sequence[str]) -> None:
    """A row that an older snapshot can see survives VACUUM FULL; so first those must be gone."""
    async with db.writer.connect() as plain:
        connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
        now = (await connection.execute(text("SELECT txid_current()"))).scalar_one()
        for _ in range(TRIES):
            if not (await connection.execute(_OLDER, {"now": str(now % 2**32)})).scalar_one():
                break
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            raise PagesInUse()
        await connection.execute(text("SET lock_timeout = '5s'"))
        try:
            for table in tables:
                await connection.execute(text(f'VACUUM (FULL) "{table}"'))
        finally:
            await connection.execute(text("RESET lock_timeout"))


_OLDER = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid()"
    " AND (age(backend_xmin) > age(CAST(CAST(:now AS text) AS xid))"
    " OR age(backend_xid) > age(CAST(CAST(:now AS text) AS xid)))"
)
"""Sessions whose snapshot or transaction is older than the transaction number ``now``."""
