"""Numbers the journal, then tells the hub.

Exactly one relay numbers a database at a time: an advisory lock on PostgreSQL, the one writer on
SQLite. Entries are taken in the order of their ids; one whose commit came late is numbered late.
A crash before the commit leaves them to the next run. After it the numbers stand, and whoever was
not told finds them: the relay compares the heads with what is followed here at every poll.
"""

import asyncio
import contextlib
from secrets import token_hex

import structlog
from sqlalchemy import text
from sqlmodel import col, select

from consultation.database import Database, Transaction
from consultation.journal import GENESIS, LOG, JournalEntry, JournalHead, digest_of, heads
from consultation.permissions import SYSTEM
from notifications.debts import owe
from notifications.hub import Hub
from notifications.messages import Envelope

BATCH = 500
CHUNK = 64
LOCK = 0x6D696E79_69  # any number that all processes agree on

log = structlog.get_logger("minyi")


class Relay:
    """``ring`` after a commit; what is committed within ``gather_seconds`` rides along, so that a
    busy database is not asked for a second commit per command."""

    def __init__(
        self, db: Database, hub: Hub, *, poll_seconds: float = 1.0, gather_seconds: float = 0.04
    ) -> None:
        self._db = db
        self._hub = hub
        self._poll = poll_seconds
        self._gather = gather_seconds
        self._bell = asyncio.Event()
        self._opened = False
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def ring(self) -> None:
        self._bell.set()

    async def start(self) -> None:
        """Number what an earlier process left, then go on in the background."""
        self._db.on_commit.append(self.ring)
        await self._attempt()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Finish the batch in hand; what is not numbered waits for the next start."""
        if self._task is None:
            return
        self._stopping = True
        self._bell.set()
        await self._task
        self._db.on_commit.remove(self.ring)
        self._task = None

    async def drain(self) -> int:
        """Number and publish all that is committed now; how many entries that were."""
        total = 0
        while True:
            events, more = await self._number()
            for start in range(0, len(events), CHUNK):
                self._hub.publish(events[start : start + CHUNK])
                await asyncio.sleep(0)  # a burst must not look like a slow reader
            total += len(events)
            if not more:
                return total

    async def compare(self) -> None:
        """Tell followers of what was numbered without us: by another process, or by ourselves
        before something broke."""
        followed = self._hub.streams
        async with self._db.read(SYSTEM) as tx:
            for start in range(0, len(followed), BATCH):
                known = await heads(tx.session, followed[start : start + BATCH])
                for stream, head in (known or {}).items():
                    self._hub.notice(stream, head.seq)

    async def _number(self) -> tuple[list[Envelope], bool]:
        """A batch, and whether another waits: what people are told of it is journalled, too."""
        async with self._db.begin(SYSTEM) as tx:
            if not await self._is_ours(tx):
                self._bell.set()  # the other relay may have looked before our last commit
                return [], False
            waiting = await tx.session.exec(
                select(JournalEntry)
                .where(col(JournalEntry.seq).is_(None))
                .order_by(col(JournalEntry.id))
                .limit(BATCH)
            )
            entries = list(waiting)
            told = 0
            if entries or not self._opened:
                await self._chain(tx, entries)
                told = await owe(tx, entries)
                await owe(tx, entries)
        self._opened = True
        return [Envelope.of(entry) for entry in entries], told > 0 or len(entries) == BATCH

    async def _is_ours(self, tx: Transaction) -> bool:
        if self._db.is_sqlite:
            return True
        connection = await tx.session.connection()
        lock = text("SELECT pg_try_advisory_xact_lock(:lock)")
        return bool(await connection.scalar(lock, {"lock": LOCK}))

    async def _chain(self, tx: Transaction, entries: list[JournalEntry]) -> None:
        streams = {entry.stream for entry in entries}
        rows = await tx.session.exec(
            select(JournalHead).where(col(JournalHead.stream).in_([LOG, *streams]))
        )
        known = {head.stream: head for head in rows}

        def head_of(stream: str, epoch: str) -> JournalHead:
            if stream not in known:
                known[stream] = JournalHead(stream=stream, epoch=epoch, seq=0, digest=GENESIS)
                tx.session.add(known[stream])
            return known[stream]

        epoch = head_of(LOG, token_hex(4)).epoch
        for entry in entries:
            head = head_of(entry.stream, epoch)
            entry.seq = head.seq + 1
            entry.digest = digest_of(entry, seq=entry.seq, previous=head.digest)
            head.seq, head.digest = entry.seq, entry.digest

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        compared = clock()
        while not self._stopping:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll):
                    await self._bell.wait()
                    await asyncio.sleep(self._gather)
            self._bell.clear()
            due = clock() - compared >= self._poll
            if due:
                compared = clock()
            if not await self._attempt(compare=due) and not self._stopping:
                await asyncio.sleep(self._poll)

    async def _attempt(self, *, compare: bool = False) -> bool:
        """Whatever breaks, the relay goes on: the rows wait for it."""
        try:
            await self.drain()
            if compare:
                await self.compare()
        except Exception as error:
            log.error("relay", error_type=type(error).__name__)
            return False
        return True
