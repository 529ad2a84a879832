"""Values that change often: the last one per stream and key, at most once a second, rarer for a
large audience, outside the log."""

import asyncio
from uuid import UUID

import structlog

from consultation.database import Database
from consultation.permissions import SYSTEM
from consultation.polls.queries import turnouts_shown
from notifications.frames import text_frame
from notifications.hub import Channel, Hub
from notifications.messages import Volatile
from notifications.presence import Presence

AUDIENCE_PER_SECOND = 1000
"""Frames of one value within a second, on average; an audience of ten thousand hears of it every
ten seconds."""
TURNOUT_SECONDS = 5.0
REMEMBERED = 10_000
"""Values last sent, before those that nobody follows are forgotten."""

log = structlog.get_logger("minyi")


class Counters:
    """Counts who is here and how many took part in the open polls that somebody here follows."""

    def __init__(self, hub: Hub, *, every_seconds: float = 1.0) -> None:
        self._hub = hub
        self._every = every_seconds
        self._waiting: dict[tuple[str, str], dict[str, int]] = {}
        self._last: dict[tuple[str, str], tuple[float, dict[str, int]]] = {}
        self._turnout_due = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self, db: Database, presence: Presence) -> None:
        self._task = asyncio.create_task(self._run(db, presence))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def offer(self, stream: str, key: str, data: dict[str, int]) -> None:
        """This is the value now; whatever waited under the key is forgotten."""
        self._waiting[stream, key] = data

    def send_due(self) -> None:
        """Send the values whose time has come, if they are not what was sent last."""
        now = asyncio.get_running_loop().time()
        if len(self._last) > REMEMBERED:
            self._last = {
                (stream, key): sent
                for (stream, key), sent in self._last.items()
                if (channel := self._hub.channel(stream)) is not None and channel.followers
            }
        for (stream, key), data in list(self._waiting.items()):
            channel = self._hub.channel(stream)
            if channel is None or not channel.followers:
                del self._waiting[stream, key]
                self._last.pop((stream, key), None)
                continue
            at, before = self._last.get((stream, key), (-1e9, {}))
            if data == before and key in (channel.volatile or ()):
                del self._waiting[stream, key]
            elif now - at >= self._pause(channel):
                del self._waiting[stream, key]
                self._last[stream, key] = (now, data)
                frame = Volatile.model_validate({"stream": stream, "key": key, "data": data})
                self._hub.publish_volatile(channel, key, text_frame(frame.model_dump_json()))

    def _pause(self, channel: Channel) -> float:
        return max(self._every, len(channel.followers) / AUDIENCE_PER_SECOND)

    async def count(self, db: Database, presence: Presence) -> None:
        presence.share()
        presence.sweep()
        changed, presence.changed = presence.changed, set()
        for stream in changed:
            self.offer(stream, "online", {"count": presence.count(stream)})
        now = asyncio.get_running_loop().time()
        if now >= self._turnout_due:
            self._turnout_due = now + TURNOUT_SECONDS
            await self._count_turnout(db)

    async def _count_turnout(self, db: Database) -> None:
        polls = [
            UUID(channel.stream.removeprefix("poll:"))
            for channel in self._hub.followed
            if channel.stream.startswith("poll:")
        ]
        if not polls:
            return
        async with db.read(SYSTEM) as tx:
            shown = await turnouts_shown(tx, polls)
        for poll_id, count in shown.items():
            data = {"heads": count.heads, "area_dm2": count.area_dm2}
            self.offer(f"poll:{poll_id}", "turnout", data)

    async def _run(self, db: Database, presence: Presence) -> None:
        while True:
            try:
                await self.count(db, presence)
            except Exception as error:
                log.error("counters", error_type=type(error).__name__)
            self.send_due()
            await asyncio.sleep(self._every)
