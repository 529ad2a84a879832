"""Transactions: one session, one fixed ``now``, one actor, and the events to be journalled.

``begin`` is for commands, ``read`` for queries. SQLite (WAL, synchronous=FULL) runs writers one at
a time with BEGIN IMMEDIATE and readers beside them with a plain BEGIN; PostgreSQL runs writers
under READ COMMITTED, where access functions lock the row they change, and readers on one
REPEATABLE READ snapshot.

Without an injected clock, PostgreSQL's own decides what is in time (``Transaction.look_at_clock``).
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import MetaData, make_url, text
from sqlalchemy import event as sa_event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from consultation import journal, sqlite_trips
from consultation.box_keys import BoxKeys, NoBoxKeys
from consultation.events.event import Event
from consultation.ids import NewId, random_id
from consultation.permissions import NOBODY, Actor, Role, Standing
from consultation.polls.keys import BoardKey
from consultation.vault import Vault

metadata: MetaData = SQLModel.metadata

Clock = Callable[[], datetime]
BUSY_MILLISECONDS = 10_000
"""How long a writer of SQLite waits for one of another process."""

statements: ContextVar[list[int] | None] = ContextVar("statements", default=None)
"""When set to a one-element list, counts the SQL statements of the present task."""

caused: ContextVar[list[UUID] | None] = ContextVar("caused", default=None)
"""When set to a list, takes the ids of the events that the present task has committed, but for
those that went to other people."""


def system_clock() -> datetime:
    return datetime.now(UTC)


class Transaction:
    """The unit of work handed to commands and queries."""

    def __init__(
        self,
        session: AsyncSession,
        *,
        now: datetime,
        actor: Actor,
        vault: Vault,
        new_id: NewId,
        board_key: BoardKey,
        box_keys: BoxKeys,
        decides: Clock | None,
    ) -> None:
        self.session = session
        self.now = self.began = now
        self._decides = decides
        self.actor = actor
        self.vault = vault
        self.new_id = new_id
        self.board_key = board_key
        self.box_keys = box_keys
        self.standing: Standing = Standing(Role.SYSTEM if actor.system else Role.VISITOR)
        """The standing last checked by ``community.queries.standing``; the journal records it."""
        self._events: list[tuple[Event, Standing]] = []
        self.told: list[UUID] = []
        """Ids of what was journalled, but for what went to other people."""

    @property
    def person_id(self) -> UUID:
        """The acting person. Routes that need one let nobody else through."""
        assert self.actor.person_id is not None
        return self.actor.person_id

    async def look_at_clock(self) -> None:
        """Move ``now`` to this moment by the clock that decides: the database's, or an injected
        one. For what must be in time, and asked once the lock is held, so that ``now`` is not
        older than our turn. ``began`` stays."""
        if self._decides is not None:
            self.now = self._decides()
        else:
            self.now = (await self.session.exec(text("SELECT clock_timestamp()"))).scalar_one()  # type: ignore[call-overload]

    def emit(self, event: Event) -> None:
        self._events.append((event, self.standing))

    @property
    def events(self) -> list[Event]:
        return [event for event, _ in self._events]

    async def journal(self) -> None:
        """Write the entries of all events in one statement, in their order."""
        entries: list[journal.JournalEntry] = []
        for event, standing in self._events:
            event_id = self.new_id()
            if getattr(event, "person_id", None) in (None, self.actor.person_id):
                self.told.append(event_id)
            entries += journal.entries_for(
                event,
                event_id=event_id,
                at=self.now,
                actor_id=self.actor.person_id,
                actor_role=standing.role.value,
                actor_org_id=standing.org_id,
            )
        if entries:
            await self.session.flush()
            await journal.append(self.session, entries)


class Database:
    def __init__(
        self,
        url: str,
        *,
        vault: Vault,
        board_key: BoardKey,
        clock: Clock = system_clock,
        new_id: NewId = random_id,
        pool_size: int = 10,
        box_keys: BoxKeys | None = None,
    ) -> None:
        self.url = url
        self.vault = vault
        self.board_key = board_key
        self.clock = clock
        self.new_id = new_id
        self.box_keys: BoxKeys = box_keys or NoBoxKeys()
        self.on_commit: list[Callable[[], None]] = []
        """Rung after each commit that journalled something: the relay's bell."""
        self.on_events: list[Callable[[list[Event]], None]] = []
        """Told after each commit what it was about, before its caller goes on."""
        self.on_dispose: list[Callable[[], Awaitable[None]]] = []
        """Called first on dispose: connections of their own are closed here."""
        self.is_sqlite = url.startswith("sqlite")
        self.decides: Clock | None = clock if self.is_sqlite or clock is not system_clock else None
        """The clock that decides what is in time; None: PostgreSQL's own."""
        self.turn = asyncio.Lock()
        """Held by who writes to SQLite: waiting happens here, in order, and not in its busy loop,
        where whoever asks most often wins."""
        if self.is_sqlite:
            self.writer = _sqlite_engine(url, "BEGIN IMMEDIATE", pool_size=1)
            self.reader = _sqlite_engine(url, "BEGIN", pool_size=4)
        else:
            self.writer = create_async_engine(
                url, pool_size=pool_size, max_overflow=0, hide_parameters=True
            )
            self.reader = self.writer.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        engines = [self.writer, self.reader] if self.is_sqlite else [self.writer]
        for engine in engines:
            sa_event.listen(engine.sync_engine, "before_cursor_execute", _hear_statement)

    async def dispose(self) -> None:
        for close in self.on_dispose:
            await close()
        await self.writer.dispose()
        await self.reader.dispose()

    @asynccontextmanager
    async def begin(self, actor: Actor = NOBODY) -> AsyncGenerator[Transaction]:
        """A write transaction. Leaving the block journals the events, commits, rings the bell;
        any exception rolls everything back."""
        turn = self.turn if self.is_sqlite else nullcontext()
        async with turn, AsyncSession(self.writer, expire_on_commit=False) as session:
            await session.connection()  # the lock first, so that ``now`` is not older than our turn
            tx = self._transaction(session, actor)
            yield tx
            await tx.journal()
            await session.commit()
        if tx.events:
            ids = caused.get()
            if ids is not None:
                ids += tx.told
            for tell in self.on_events:
                tell(tx.events)
            for ring in self.on_commit:
                ring()

    @asynccontextmanager
    async def read(self, actor: Actor = NOBODY) -> AsyncGenerator[Transaction]:
        """A snapshot; nothing written in it is kept."""
        async with AsyncSession(self.reader, expire_on_commit=False, autoflush=False) as session:
            yield self._transaction(session, actor)

    def _transaction(self, session: AsyncSession, actor: Actor) -> Transaction:
        return Transaction(
            session,
            now=self.clock(),
            actor=actor,
            vault=self.vault,
            new_id=self.new_id,
            board_key=self.board_key,
            box_keys=self.box_keys,
            decides=self.decides,
        )


MAPPED_BYTES = 256 * 1024 * 1024
"""Of the file; what lies behind is read by calls. A community of 3,000 households stays below."""
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    f"busy_timeout={BUSY_MILLISECONDS}",
    "secure_delete=ON",
    "wal_autocheckpoint=4000",
    f"mmap_size={MAPPED_BYTES}",
)
"""Of every connection to SQLite. Pages that ballots touch are spread, and a checkpoint flushes
twice: with 16 MB of log before each, four times as seldom as by default, every page is written back
once for many batches. Places on rolls are spread as well, over far more than a connection caches:
they are read where the system holds the file, once for all connections, in place of a call and a
copy for each page (a sixth of a ballot's time). Writing stays with calls."""


def _sqlite_engine(url: str, begin: str, *, pool_size: int) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=30,
        hide_parameters=True,
        async_creator=partial(sqlite_trips.connect, make_url(url).database or ""),
    )

    @sa_event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin transactions for us
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa_event.listens_for(engine.sync_engine, "begin")
    def begin_now(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine


def count_statement() -> None:
    counter = statements.get()
    if counter is not None:
        counter[0] += 1


def _hear_statement(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
    """The beginning of a transaction is not counted: on PostgreSQL it is no statement of ours."""
    if not statement.startswith("BEGIN"):
        count_statement()
