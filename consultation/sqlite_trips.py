"""SQLite in one trip to its thread per statement.

aiosqlite keeps a thread for each connection. SQLAlchemy has it make a cursor, execute, fetch and
close the cursor, each in a trip of its own, and a trip costs more than most statements do. Here the
one trip that executes also makes the cursor, brings the rows back and, when those are all, closes
the cursor.
"""

import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Iterable
from functools import partial
from typing import Any

from aiosqlite import Connection

AHEAD = 1000
"""Rows that come with the trip that executes; whoever streams more fetches them by and by."""


class OneTripCursor:
    """What SQLAlchemy asks of a cursor, of whose values it knows what came with the last trip."""

    def __init__(self, connection: "OneTripConnection") -> None:
        self._connection = connection
        self._open: sqlite3.Cursor | None = None
        """In the thread only; None when nothing is left to be fetched."""
        self._rows: deque[Any] = deque()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> "OneTripCursor":
        return self

    async def execute(self, sql: str, parameters: Any = ()) -> "OneTripCursor":
        await self._connection.trip(self._execute, sql, parameters)
        return self

    async def executemany(self, sql: str, parameters: Iterable[Any]) -> "OneTripCursor":
        await self._connection.trip(self._execute_many, sql, parameters)
        return self

    async def fetchone(self) -> Any:
        rows = await self.fetchmany(1)
        return rows[0] if rows else None

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        size = self.arraysize if size is None else size
        if len(self._rows) < size and self._open is not None:
            await self._connection.trip(self._fetch, max(size, AHEAD))
        return [self._rows.popleft() for _ in range(min(size, len(self._rows)))]

    async def fetchall(self) -> list[Any]:
        if self._open is not None:
            await self._connection.trip(self._fetch, None)
        rows = list(self._rows)
        self._rows.clear()
        return rows

    async def __aiter__(self) -> AsyncIterator[Any]:
        while rows := await self.fetchmany(AHEAD):
            for row in rows:
                yield row

    async def close(self) -> None:
        self._rows.clear()
        if self._open is not None:
            await self._connection.trip(self._end)

    # ---- in the thread --------------------------------------------------------------------

    def _execute(self, sql: str, parameters: Any) -> None:
        self._end()
        self._rows.clear()
        self._open = cursor = self._connection.new_cursor()
        try:
            cursor.execute(sql, parameters)
            self.description = cursor.description
            if self.description:
                self._fetch(AHEAD)
            else:
                self._note(cursor)
                self._end()
        except BaseException:
            self._end()
            raise

    def _execute_many(self, sql: str, parameters: Iterable[Any]) -> None:
        cursor = self._connection.new_cursor()
        try:
            cursor.executemany(sql, parameters)
            self._note(cursor)
        finally:
            cursor.close()

    def _fetch(self, most: int | None) -> None:
        assert self._open is not None
        rows = self._open.fetchall() if most is None else self._open.fetchmany(most)
        self._rows.extend(rows)
        self._note(self._open)
        if most is None or len(rows) < most:
            self._end()

    def _note(self, cursor: sqlite3.Cursor) -> None:
        self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid

    def _end(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


class OneTripConnection(Connection):
    def cursor(self) -> OneTripCursor:  # type: ignore[override]  # not theirs, but all that SQLAlchemy asks of it
        return OneTripCursor(self)

    async def trip(self, do: Any, *args: Any) -> None:
        await self._execute(do, *args)

    def new_cursor(self) -> sqlite3.Cursor:
        """In the thread only."""
        return self._conn.cursor()


async def connect(path: str) -> OneTripConnection:
    connection = OneTripConnection(partial(sqlite3.connect, path), iter_chunk_size=64)
    connection._thread.daemon = True  # as SQLAlchemy has it: a forgotten one does not keep us
    return await connection  # type: ignore[return-value]  # theirs is typed as the base
