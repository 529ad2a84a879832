"""From the log to the hub: heads, what a client missed, what a channel missed.

Whoever asks while a statement runs waits for the next one and is served by it together with all
others: ten thousand phones that come back at once cost a few statements.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import structlog

from consultation.batching import Batch
from consultation.database import Database, Transaction
from consultation.journal import Head, JournalEntry, entries_after, heads
from consultation.permissions import SYSTEM
from notifications.frames import text_frame
from notifications.hub import Channel, Hub, Kept
from notifications.messages import Cursor, Envelope
from notifications.replay import Bounds, LogNotOpen

STREAMS = 500
"""Streams asked for in one statement."""
ENTRIES = 2000
"""Entries read in one statement."""
ORDERS = 1000
"""Clients served together."""
GATHER_SECONDS = 0.01
"""How long the first waits for others, so that many who come at once cost few statements."""
AGAIN_SECONDS = 1.0
"""After a read that failed, before what is behind is read again."""

log = structlog.get_logger("minyi")


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """What one client asks for."""

    cursors: Sequence[Cursor]


class LogReader:
    def __init__(self, db: Database, hub: Hub, bounds: Bounds) -> None:
        self._db = db
        self._hub = hub
        self._bounds = bounds
        self._asked: Batch[_Places, None] = Batch(
            self._open, key=id, most=ORDERS, gather_seconds=GATHER_SECONDS
        )
        self._catching_up: asyncio.Task[None] | None = None
        self._again: asyncio.TimerHandle | None = None
        self._warned = False
        hub.on_gap = self.wake

    # ---- for those who come -----------------------------------------------------------

    def at_hand(self, cursor: Cursor) -> bool:
        """Whether the channel is open and all of it that a client at this place may get is in its
        ring."""
        channel = self._hub.channel(cursor.id)
        if channel is None:
            return False
        if cursor.after_seq is None or cursor.epoch not in (None, channel.epoch):
            return True
        if cursor.after_seq > channel.head:
            return False  # another process may have told it more than we have heard of
        return self._missing(channel, cursor.after_seq) <= 0

    async def reach(self, cursors: Sequence[Cursor]) -> None:
        """Open these channels and have their rings reach back to these places, as far as a replay
        may. LogNotOpen before any relay has run."""
        if not all(map(self.at_hand, cursors)):
            await self._asked.do(_Places(cursors))

    async def _open(self, asked: Sequence["_Places"]) -> list[None]:
        lowest: dict[str, int | None] = {}
        for cursor in (cursor for one in asked for cursor in one.cursors):
            places = [seq for seq in (lowest.get(cursor.id), cursor.after_seq) if seq is not None]
            lowest[cursor.id] = min(places, default=None)
        unknown = [stream for stream in lowest if self._hub.channel(stream) is None]
        if unknown:
            async with self._db.read(SYSTEM) as tx:
                for stream, head in await self._heads(tx, unknown):
                    self._hub.open(stream, head.epoch, head.seq)
        ahead = self._ahead(asked)
        async with self._db.read(SYSTEM) as tx:
            # Once more what was just opened: what was published before the channel was there
            # reached nobody. From here on the channel is told.
            for stream, head in await self._heads(tx, sorted({*unknown, *ahead})):
                self._hub.notice(stream, head.epoch, head.seq)
            for places in self._portions(lowest):
                entries = await entries_after(tx.session, places, limit=2 * ENTRIES)
                self._extend(places, entries)
        if ahead:
            await self.settle()
            self._warn(asked)
        return [None] * len(asked)

    async def _heads(self, tx: Transaction, streams: Sequence[str]) -> list[tuple[str, Head]]:
        """LogNotOpen."""
        found: list[tuple[str, Head]] = []
        for start in range(0, len(streams), STREAMS):
            known = await heads(tx.session, streams[start : start + STREAMS])
            if known is None:
                raise LogNotOpen()
            found += known.items()
        return found

    def _ahead(self, asked: Sequence["_Places"]) -> list[str]:
        """Streams of which somebody has more than we."""
        found: set[str] = set()
        for cursor in (cursor for one in asked for cursor in one.cursors):
            channel = self._hub.channel(cursor.id)
            if channel is not None and (cursor.after_seq or 0) > channel.head:
                found.add(cursor.id)
        return sorted(found)

    def _warn(self, asked: Sequence["_Places"]) -> None:
        """Once: somebody has more of this epoch than there is. A client may lie; or a backup was
        put back, and nobody renewed the log."""
        for cursor in (cursor for one in asked for cursor in one.cursors):
            channel = self._hub.channel(cursor.id)
            if channel is None or cursor.epoch != channel.epoch or self._warned:
                continue
            if (cursor.after_seq or 0) > channel.head:
                self._warned = True
                log.warning("client ahead of log")

    def _missing(self, channel: Channel, after: int) -> int:
        """How many events after this place the ring lacks, and may have."""
        if after + 1 < channel.floor:
            return 0
        return channel.first - 1 - after if channel.head - after <= self._bounds.events else 0

    def _portions(self, lowest: dict[str, int | None]) -> Iterator[dict[str, int]]:
        """Places to read on from, with no more entries behind them than one statement may bring."""
        places: dict[str, int] = {}
        size = 0
        for stream, after in lowest.items():
            channel = self._hub.channel(stream)
            if after is None or channel is None or self._missing(channel, after) <= 0:
                continue
            behind = channel.head - after
            if size + behind > ENTRIES or len(places) == STREAMS:
                yield places
                places, size = {}, 0
            places[stream] = after
            size += behind
        if places:
            yield places

    def _extend(self, places: dict[str, int], entries: Sequence[JournalEntry]) -> None:
        by_stream: dict[str, list[JournalEntry]] = {stream: [] for stream in places}
        for entry in entries:
            by_stream[entry.stream].append(entry)
        for stream, found in by_stream.items():
            channel = self._hub.channel(stream)
            if channel is None:
                continue
            older = [entry for entry in found if (entry.seq or 0) < channel.first]
            if [entry.seq for entry in older] == list(range(places[stream] + 1, channel.first)):
                kept = [Kept(e.at, text_frame(Envelope.of(e).frame())) for e in older]
                self._hub.extend_back(channel, kept)
            else:
                self._hub.lost(stream)  # the log has holes, or is another one

    # ---- for channels that are behind -------------------------------------------------

    def wake(self) -> None:
        """Bring up what is behind; called from the loop."""
        if self._catching_up is None:
            self._catching_up = asyncio.get_running_loop().create_task(self._catch_up())

    async def _catch_up(self) -> None:
        self._rest()
        try:
            while self._hub.behind:
                await self.catch_up()
        except Exception as error:  # nobody else would come back to what is behind
            log.error("log reader", error_type=type(error).__name__)
            self._again = asyncio.get_running_loop().call_later(AGAIN_SECONDS, self.wake)
        finally:
            self._catching_up = None

    def _rest(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None

    async def catch_up(self) -> None:
        """Two statements for the channels that are behind, and what they found published."""
        behind = list(islice(self._hub.behind, STREAMS))
        places = {channel.stream: channel.head for channel in behind}
        async with self._db.read(SYSTEM) as tx:
            known = await heads(tx.session, places) or {}
            entries = await entries_after(tx.session, places, limit=ENTRIES)
        by_epoch: dict[str, list[Envelope]] = {}
        for entry in entries:
            by_epoch.setdefault(known[entry.stream].epoch, []).append(Envelope.of(entry))
        for epoch, events in by_epoch.items():
            self._hub.publish(events, epoch)
        if len(entries) < ENTRIES:
            for channel in behind:
                if channel in self._hub.behind and channel.head == places[channel.stream]:
                    self._hub.lost(channel.stream)

    async def settle(self) -> None:
        """Wait until what is behind was brought up, or could not be."""
        while self._catching_up is not None:
            await asyncio.wait([self._catching_up])

    async def stop(self) -> None:
        """Finish what is under way, and try nothing again."""
        await self.settle()
        self._rest()
