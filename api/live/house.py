"""The open sockets of this process: who may come in, who must go, and what is due for all.

Beats, time limits and the looks at rights are done for all sockets from one timer, in the order
in which they fall due.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter, deque
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from websockets.datastructures import Headers

from api.live.addresses import Proxies
from api.live.closing import RESTART, Close
from api.live.rights import Rights
from api.live.socket import LiveSocket
from api.live.wire import PING, Lines, Phase
from api.settings import Settings
from api.tokens import Tokens
from consultation.database import Database
from notifications.bus import Bus
from notifications.frames import text_frame
from notifications.hub import Channel, Hub
from notifications.log_reader import LogReader
from notifications.messages import ErrorCode, Hello, Ping
from notifications.presence import Presence
from notifications.replay import Bounds
from notifications.sights import Sights
from notifications.volatile import Counters

if TYPE_CHECKING:
    from api.ended_sessions import EndedSessions

PATH = "/v1/live"
SUBPROTOCOL = "dc.live.v1"
FAMILY = "dc.live."
"""Subprotocols of ours, of whatever version."""
END_SECONDS = 5.0
"""How long a client may take to answer our close."""
RESTART_SECONDS = 2
DRAIN_PORTION = 500
TICKS = 8
"""Looks at the timer per ping interval."""


class LiveSockets:
    """Make sockets with ``socket``; ``start`` before the first, ``close`` after the last."""

    def __init__(
        self,
        settings: Settings,
        db: Database,
        tokens: Tokens,
        hub: Hub,
        bus: Bus,
        ended: EndedSessions,
    ) -> None:
        self.settings = settings
        self.db = db
        self.tokens = tokens
        self.hub = hub
        self.ended = ended
        self.bounds = bounds(settings)
        origins = frozenset(settings.live_origins)
        self._origins = frozenset() if "*" in origins else origins
        """Empty for any."""
        self.lines = Lines(SUBPROTOCOL, PATH)
        self.proxies = Proxies(settings.trusted_proxies)
        self.reader = LogReader(db, hub, self.bounds)
        self.sights = Sights(db, hub, self.reader)
        self.presence = Presence(hub, bus)
        self.counters = Counters(hub)
        self.rights = Rights(self)
        self.sockets: set[LiveSocket] = set()
        self._by_person: dict[UUID, list[LiveSocket]] = {}
        self._by_address: Counter[str] = Counter()
        self._greeting: deque[LiveSocket] = deque()
        self._beating: deque[LiveSocket] = deque()
        self._ending: deque[LiveSocket] = deque()
        self._half = settings.ping_seconds / 2
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()
        self._closing = False

    def socket(self) -> LiveSocket:
        """For a connection that asks for an upgrade."""
        return LiveSocket(self)

    async def start(self) -> None:
        await self.rights.start()
        self.counters.start(self.db, self.presence)
        self._tick()

    async def close(self) -> None:
        """Send everybody away for a restart, and wait a moment until they have heard it."""
        self._closing = True
        for number, socket in enumerate(list(self.sockets), 1):
            socket.hang_up(Close.RESTART, RESTART)
            if number % DRAIN_PORTION == 0:
                await asyncio.sleep(0)
        if self.sockets:
            self._empty.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RESTART_SECONDS):
                    await self._empty.wait()
        for socket in list(self.sockets):
            socket.abort()
        if self._timer is not None:
            self._timer.cancel()
        await self.counters.stop()
        await self.rights.stop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.sights.stop()
        await self.reader.stop()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- who comes and goes -----------------------------------------------------------

    def enter(self, socket: LiveSocket, headers: Headers, peer: tuple[str, int] | None) -> None:
        """The handshake is done. Who is refused is told why by the close."""
        chain = ",".join(headers.get_all("X-Forwarded-For")) if self.proxies.any else ""
        address = self.proxies.client(peer, chain)
        origin = headers.get("Origin")
        if address is not None:
            socket.address = address
            self._by_address[address] += 1
        self.sockets.add(socket)
        if self._closing:
            socket.hang_up(Close.RESTART, RESTART)
        elif self._origins and origin is not None and origin not in self._origins:
            socket.refuse(ErrorCode.FOREIGN_ORIGIN)
        elif _speaks_another_version(headers):
            socket.refuse(ErrorCode.UPGRADE_CLIENT)
        elif self._by_address[socket.address or ""] > self.settings.live_per_address:
            socket.refuse(ErrorCode.SLOW_DOWN, retry_after=60)
        else:
            socket.due = asyncio.get_running_loop().time() + self.settings.hello_seconds
            self._greeting.append(socket)

    def welcomes(self, socket: LiveSocket, hello: Hello) -> bool:
        """Whether somebody with a good token may stay; else the socket was hung up. Beyond its
        number of connections a person loses the oldest."""
        claims = socket.claims
        assert claims is not None
        if self.ended.holds(claims.session_id):
            socket.refuse(ErrorCode.SESSION_ENDED)
            return False
        if self._outdated(hello.client):
            socket.refuse(ErrorCode.UPGRADE_CLIENT)
            return False
        theirs = self._by_person.setdefault(claims.person_id, [])
        theirs.append(socket)
        if len(theirs) > self.settings.live_per_person:
            theirs[0].refuse(ErrorCode.REPLACED)
        socket.due = asyncio.get_running_loop().time() + self._half
        self._beating.append(socket)
        return True

    def _outdated(self, client: str) -> bool:
        name, _, version = client.partition("/")
        least = self.settings.live_min_clients.get(name)
        return least is not None and _numbers(version) < _numbers(least)

    def await_end(self, socket: LiveSocket) -> None:
        """The socket is closing; it ends soon, with or without its client."""
        self._part(socket)
        self.hub.leave_all(socket)
        socket.due = asyncio.get_running_loop().time() + END_SECONDS
        self._ending.append(socket)

    def forget(self, socket: LiveSocket) -> None:
        """The connection is gone."""
        self._part(socket)
        self.hub.leave_all(socket)
        self.sockets.discard(socket)
        if socket.address is not None:
            self._by_address[socket.address] -= 1
            if not self._by_address[socket.address]:
                del self._by_address[socket.address]
        if not self.sockets:
            self._empty.set()

    def _part(self, socket: LiveSocket) -> None:
        if socket.claims is None:
            return
        theirs = self._by_person.get(socket.claims.person_id, [])
        if socket in theirs:
            theirs.remove(socket)
            if not theirs:
                del self._by_person[socket.claims.person_id]
        self.rights.forget(socket)

    # ---- what they follow -------------------------------------------------------------

    def followed(self, socket: LiveSocket, channels: Sequence[Channel]) -> None:
        """The socket has joined these."""
        hidden = {
            channel.stream
            for channel in channels
            if not channel.stream.startswith("user:") and not self.sights.is_public(channel.stream)
        }
        self.rights.watch(socket, hidden)
        for channel in channels:
            for frame in (channel.volatile or {}).values():
                socket.push_volatile(frame)
        self.renew(socket)

    def unfollowed(self, socket: LiveSocket, streams: Sequence[str]) -> None:
        if socket.private:
            socket.private = socket.private.difference(streams)

    def renew(self, socket: LiveSocket) -> None:
        """The person is here, as far as the streams of this socket go."""
        if socket.actor.person_id is not None:
            self.presence.renew(socket.actor.person_id, [c.stream for c in socket.channels])

    # ---- what is due ------------------------------------------------------------------

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for socket in self._due(self._greeting, now):
            if socket.phase is Phase.OPEN and socket.claims is None:
                socket.refuse(ErrorCode.HELLO_TIMEOUT)
        ping: bytes | None = None
        for socket in self._due(self._beating, now):
            if socket.phase is not Phase.OPEN:
                continue
            socket.odd = not socket.odd
            if socket.odd:
                socket.beat(None)
            else:
                ping = ping or _ping()
                socket.beat(ping)
            socket.due = now + self._half
            self._beating.append(socket)
        for socket in self._due(self._ending, now):
            socket.abort()
        self._timer = loop.call_later(min(0.25, self.settings.ping_seconds / TICKS), self._tick)

    @staticmethod
    def _due(waiting: deque[LiveSocket], now: float) -> Sequence[LiveSocket]:
        """Taken off the queue. All in it wait equally long, so that the first is due first."""
        due: list[LiveSocket] = []
        while waiting and (waiting[0].phase is Phase.LOST or waiting[0].due <= now):
            due.append(waiting.popleft())
        return due


def _speaks_another_version(headers: Headers) -> bool:
    lines = headers.get_all("Sec-WebSocket-Protocol")
    offered = [one.strip() for line in lines for one in line.split(",")]
    return SUBPROTOCOL not in offered and any(one.startswith(FAMILY) for one in offered)


def _ping() -> bytes:
    return text_frame(Ping(t=int(time.time() * 1000)).model_dump_json()) + PING


def _numbers(version: str) -> list[int]:
    return [int(part) if part.isdigit() else 0 for part in version.split(".")]


def bounds(settings: Settings) -> Bounds:
    return Bounds(
        events=settings.replay_events,
        bytes=settings.replay_bytes,
        age=timedelta(hours=settings.replay_hours),
    )
