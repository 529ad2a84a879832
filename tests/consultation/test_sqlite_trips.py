"""A statement to SQLite costs one trip to the thread of its connection."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from consultation.sqlite_trips import AHEAD, OneTripConnection, connect


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncGenerator[AsyncEngine]:
    path = str(tmp_path / "trips.sqlite3")
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", async_creator=lambda: connect(path))
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE number (id INTEGER PRIMARY KEY, half REAL)"))
        await connection.execute(
            text("INSERT INTO number VALUES (:id, :half)"),
            [{"id": n, "half": n / 2} for n in range(3 * AHEAD + 7)],
        )
    yield engine
    await engine.dispose()


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    made: list[str] = []
    go = OneTripConnection._execute

    async def counted(self: OneTripConnection, do: Any, *args: Any, **more: Any) -> Any:
        made.append(do.__name__)
        return await go(self, do, *args, **more)

    monkeypatch.setattr(OneTripConnection, "_execute", counted)
    return made


async def test_each_statement_is_one_trip(engine: AsyncEngine, trips: list[str]) -> None:
    async with engine.connect() as connection:
        trips.clear()
        found = await connection.execute(text("SELECT id FROM number WHERE id < 10 ORDER BY id"))
        assert list(found.scalars()) == list(range(10))
        assert len(trips) == 1
        done = await connection.execute(text("UPDATE number SET half = 0 WHERE id < 5"))
        assert done.rowcount == 5
        assert len(trips) == 2
        made = await connection.execute(text("INSERT INTO number VALUES (-1, 0) RETURNING id"))
        assert made.scalar_one() == -1
        assert len(trips) == 3
        await connection.execute(
            text("INSERT INTO number VALUES (:id, 0)"), [{"id": -2}, {"id": -3}]
        )
        assert len(trips) == 4
        assert (await connection.execute(text("SELECT 1 WHERE 1 = 2"))).all() == []


async def test_more_rows_than_come_at_once_all_come(engine: AsyncEngine, trips: list[str]) -> None:
    numbers = list(range(3 * AHEAD + 7))
    every = text("SELECT id FROM number ORDER BY id")
    async with engine.connect() as connection:
        assert list((await connection.execute(every)).scalars()) == numbers
        trips.clear()
        streamed = await connection.stream(every)
        assert [await anext(streamed.scalars()) for _ in range(AHEAD // 2)] == numbers[: AHEAD // 2]
        assert len(trips) == 1  # the rest lies where it is until somebody asks
        assert [n async for n in streamed.scalars()] == numbers[AHEAD // 2 :]
        left = await connection.stream(every)
        assert await anext(left.scalars()) == 0
        await left.close()
        assert (await connection.execute(text("SELECT count(*) FROM number"))).scalar() == len(
            numbers
        )


async def test_what_the_database_refuses_is_told_and_the_connection_goes_on(
    engine: AsyncEngine,
) -> None:
    again = text("INSERT INTO number VALUES (:id, 0)")
    async with engine.connect() as connection:
        with pytest.raises(IntegrityError):
            await connection.execute(again, {"id": 1})
        with pytest.raises(IntegrityError):
            await connection.execute(again, [{"id": -1}, {"id": 1}])
        with pytest.raises(IntegrityError):
            await connection.execute(text("INSERT INTO number VALUES (1, 0) RETURNING id"))
        await connection.rollback()
        assert (await connection.execute(text("SELECT min(id) FROM number"))).scalar() == 0
