"""Numbers the journal, then tells the hub and the other processes.

The streams are divided into shards. Whoever holds the lock of a shard numbers its entries, in the
order of their ids: on PostgreSQL an advisory lock for each, so that several processes share the
work and any of them may die; on SQLite there is one shard and one writer. An entry whose commit
came late is numbered late. A crash before the commit leaves the entries to whoever comes next.

Each shard has a row that counts what was numbered in it. A process that was not told of something
sees it there, at every poll with one statement, and reads the heads again. So nothing is lost
when a message between processes is.

Numbers are never given twice within an epoch. Where a backup was put back they would be: then
``renew`` gives the log another epoch, and every client fetches afresh. A running process that sees
the counts fall does so by itself; one that starts has nothing to compare with, so that who puts a
backup back has to (``minyi renew-log``).
"""

import asyncio
import contextlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex
from typing import Any

import structlog
from sqlalchemy import text, update

from consultation.database import Database, Transaction
from consultation.journal import (
    GENESIS,
    LOG,
    SHARDS,
    JournalHead,
    Reached,
    Waiting,
    digest_of,
    heads,
    reached,
    shard_counter,
    shard_counts,
    shards_waiting,
    waiting,
    write_numbers,
)
from consultation.permissions import SYSTEM
from notifications.bus import Bus, NoBus
from notifications.debts import owe
from notifications.hub import Hub
from notifications.messages import Envelope

BATCH = 500
CHUNK = 64
LOCK = 0x6D696E79_69  # any number that all processes agree on; one more for each shard

log = structlog.get_logger("minyi")


async def renew(db: Database) -> str | None:
    """Give the log another epoch: numbers may stand for other entries than they did. Waits for
    relays to finish the batch in hand. None on a database whose journal no relay has opened yet."""
    async with db.begin(SYSTEM) as tx:
        if not db.is_sqlite:
            connection = await tx.session.connection()
            for lock in range(LOCK, LOCK + 1 + SHARDS):
                await connection.execute(
                    text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock}
                )
        if await tx.session.get(JournalHead, LOG) is None:
            return None
        epoch = token_hex(4)
        await tx.session.exec(update(JournalHead).values(epoch=epoch))
    return epoch


@dataclass(frozen=True, slots=True)
class Numbered:
    """What one transaction has numbered: the shard's count before, the events, and whether more
    waits: what people are told of them is journalled, too."""

    shard: int
    before: int
    epoch: str
    events: Sequence[Envelope]
    more: bool


class Relay:
    """``ring`` after a commit; what is committed within ``gather_seconds`` rides along, so that a
    busy database is not asked for a second commit per command."""

    def __init__(
        self,
        db: Database,
        hub: Hub,
        *,
        bus: Bus | None = None,
        poll_seconds: float = 1.0,
        gather_seconds: float = 0.04,
    ) -> None:
        self._db = db
        self._hub = hub
        self._bus = bus or NoBus()
        self._bus.on("events", self._hear)
        self._bus.on_return(self._look_soon)
        self._poll = poll_seconds
        self._gather = gather_seconds
        self._bell = asyncio.Event()
        self._seen: dict[int, int] = {}
        """By shard, how many entries this process knows to be numbered."""
        self._epoch: str | None = None
        """The epoch at which the hub was last compared with the log."""
        self._opened = False
        self._look = False
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def ring(self) -> None:
        self._bell.set()

    async def start(self) -> None:
        """Number what an earlier process left, then go on in the background."""
        self._db.on_commit.append(self.ring)
        await self._attempt(compare=True)
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
        if not self._opened:
            await self._open()
        total = 0
        more = True
        while more:
            more = False
            for shard in await self._waiting():
                numbered = await self._number(shard)
                if numbered is not None:
                    await self._publish(numbered)
                    total += len(numbered.events)
                    more = more or numbered.more
        return total

    async def compare(self) -> None:
        """Tell the hub of what was numbered without us: by another process, or by ourselves
        before something broke."""
        before = dict(self._seen)
        async with self._db.read(SYSTEM) as tx:
            epoch, counts = await shard_counts(tx.session)
            if counts == before and epoch == self._epoch:
                return
        if epoch == self._epoch and any(counts.get(n, 0) < seen for n, seen in before.items()):
            log.error("log set back")
            epoch = await renew(self._db)
        # Only now: a channel that opens after this reads its head later than the counts were read.
        known_here = self._hub.heads()
        async with self._db.read(SYSTEM) as tx:
            streams = list(known_here)
            for start in range(0, len(streams), BATCH):
                found = await heads(tx.session, streams[start : start + BATCH])
                for stream, head in (found or {}).items():
                    if head.seq < known_here[stream]:
                        self._hub.lost(stream)
                    else:
                        self._hub.notice(stream, head.epoch, head.seq)
        self._epoch = epoch
        for shard in counts.keys() | before.keys():
            if self._seen.get(shard) == before.get(shard):  # else we have moved on meanwhile
                self._seen[shard] = counts.get(shard, 0)

    # ---- numbering --------------------------------------------------------------------

    async def _open(self) -> None:
        """The row with the epoch that every new stream starts with."""
        async with self._db.begin(SYSTEM) as tx:
            if not self._db.is_sqlite:
                connection = await tx.session.connection()
                await connection.execute(
                    text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK}
                )
            head = await tx.session.get(JournalHead, LOG)
            if head is None:
                head = JournalHead(stream=LOG, epoch=token_hex(4), seq=0, digest=GENESIS)
                tx.session.add(head)
        self._opened = True

    async def _waiting(self) -> list[int]:
        """The shards in which something waits, in an order of our own, so that processes that
        wake together begin with different ones."""
        async with self._db.read(SYSTEM) as tx:
            shards = await shards_waiting(tx.session)
        random.shuffle(shards)
        return shards

    async def _number(self, shard: int) -> Numbered | None:
        """None when another process is numbering this shard."""
        async with self._db.begin(SYSTEM) as tx:
            if not await self._is_ours(tx, shard):
                self._bell.set()  # the other relay may have looked before our last commit
                return None
            entries = await waiting(tx.session, shard, limit=BATCH)
            if not entries:
                return None
            epoch, before = await self._chain(tx, shard, entries)
            told = await owe(tx, entries)
        more = told > 0 or len(entries) == BATCH
        return Numbered(shard, before, epoch, [Envelope.of(entry) for entry in entries], more)

    async def _is_ours(self, tx: Transaction, shard: int) -> bool:
        if self._db.is_sqlite:
            return True
        connection = await tx.session.connection()
        lock = text("SELECT pg_try_advisory_xact_lock(:lock)")
        return bool(await connection.scalar(lock, {"lock": LOCK + 1 + shard}))

    async def _chain(self, tx: Transaction, shard: int, entries: list[Waiting]) -> tuple[str, int]:
        """Number and chain; the epoch, and the shard's count before."""
        counter = shard_counter(shard)
        streams = {entry.stream for entry in entries}
        known = await reached(tx.session, [LOG, counter, *streams])
        epoch = known[LOG].epoch
        for stream in (counter, *streams):
            known.setdefault(stream, Reached(stream, epoch, 0, GENESIS))
        for entry in entries:
            head = known[entry.stream]
            entry.seq = head.seq + 1
            entry.digest = digest_of(entry, seq=entry.seq, previous=head.digest)
            head.seq, head.digest = entry.seq, entry.digest
        count = known[counter]
        before = count.seq
        count.seq += len(entries)
        await write_numbers(tx.session, entries, [known[stream] for stream in (counter, *streams)])
        return epoch, before

    # ---- telling ----------------------------------------------------------------------

    async def _publish(self, numbered: Numbered) -> None:
        events = numbered.events
        self._move_on(numbered.shard, numbered.before, len(events))
        if self._bus.shared:
            self._bus.tell(
                "events",
                shard=numbered.shard,
                before=numbered.before,
                epoch=numbered.epoch,
                events=[[e.stream, e.seq, e.ts.isoformat(), e.frame()] for e in events],
            )
        for start in range(0, len(events), CHUNK):
            self._hub.publish(events[start : start + CHUNK], numbered.epoch)
            await asyncio.sleep(0)  # a burst must not look like a slow reader

    def _hear(self, message: dict[str, Any]) -> None:
        """Another process has numbered."""
        events: list[tuple[str, int, str, str]] = message["events"]
        if not self._move_on(message["shard"], message["before"], len(events)):
            self._look_soon()
        self._hub.publish_frames(
            (
                (stream, seq, datetime.fromisoformat(at), lambda frame=frame: frame)
                for stream, seq, at, frame in events
            ),
            message["epoch"],
        )

    def _move_on(self, shard: int, before: int, count: int) -> bool:
        """Whether we knew of everything in the shard until now."""
        if self._seen.get(shard, 0) != before:
            return False
        self._seen[shard] = before + count
        return True

    def _look_soon(self) -> None:
        self._look = True
        self._bell.set()

    # ---- the loop ---------------------------------------------------------------------

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        compared = clock()
        while not self._stopping:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll):
                    await self._bell.wait()
                    await asyncio.sleep(self._gather)
            self._bell.clear()
            due = self._look or clock() - compared >= self._poll
            if due:
                compared, self._look = clock(), False
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
