"""A right that ends also ends on an open socket, within five seconds.

Every two seconds this looks, for all sockets together, at the sessions that were ended and at the
roles that sockets act under; and, beside that, for some hundred people at a time, at what they
follow that is not public. What is public is looked at again more rarely. It asks the database and
listens to nobody, so that no lost message keeps a right alive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from api.logs import log
from consultation.community.role_queries import assignments_running
from consultation.permissions import SYSTEM, Actor
from notifications.messages import ErrorCode
from notifications.sights import PUBLIC_SECONDS

if TYPE_CHECKING:
    from api.live.house import LiveSockets
    from api.live.socket import LiveSocket


class Rights:
    def __init__(self, house: LiveSockets) -> None:
        self._house = house
        self._in_role: set[LiveSocket] = set()
        self._hidden: set[LiveSocket] = set()
        self._public_due = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Know the sessions that have ended before the first socket comes, then go on looking."""
        await self._try(self._look_at_sessions)
        self._tasks = [
            asyncio.create_task(self._run(self._look_at_sessions, self._look_at_roles)),
            asyncio.create_task(self._run(self._look_at_hidden, self._look_at_public)),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def watch(self, socket: LiveSocket, hidden: set[str]) -> None:
        """The socket has begun to follow these, which not everybody may."""
        if socket.actor.assignment_id is not None:
            self._in_role.add(socket)
        if hidden:
            socket.private = (socket.private or frozenset()) | hidden
            self._hidden.add(socket)

    def forget(self, socket: LiveSocket) -> None:
        self._in_role.discard(socket)
        self._hidden.discard(socket)

    async def _run(self, *looks: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(self._house.settings.live_recheck_seconds)
            for look in looks:
                await self._try(look)

    async def _try(self, look: Callable[[], Awaitable[None]]) -> None:
        """End what may no longer be."""
        try:
            await look()
        except Exception as error:
            log.error("live rights", error_type=type(error).__name__)

    async def _look_at_sessions(self) -> None:
        house = self._house
        await house.ended.look()
        now = house.db.clock()
        for socket in list(house.sockets):
            claims = socket.claims
            if claims is None:
                continue
            if house.ended.holds(claims.session_id):
                socket.refuse(ErrorCode.SESSION_ENDED)
            elif claims.expires_at <= now:
                socket.refuse(ErrorCode.TOKEN_EXPIRED)

    async def _look_at_roles(self) -> None:
        asked = {
            socket: socket.actor.assignment_id
            for socket in self._in_role
            if socket.actor.assignment_id is not None
        }
        if not asked:
            return
        async with self._house.db.read(SYSTEM) as tx:
            running = await assignments_running(tx, list(set(asked.values())))
        for socket, id in asked.items():  # who came while this was asked is looked at next time
            if id not in running:
                socket.refuse(ErrorCode.ROLE_NOT_HELD)

    async def _look_at_hidden(self) -> None:
        groups: dict[Actor, list[LiveSocket]] = {}
        for socket in list(self._hidden):
            if socket.private:
                groups.setdefault(socket.actor, []).append(socket)
            else:
                self._hidden.discard(socket)
        followed = {
            actor: {stream for socket in sockets for stream in socket.private or ()}
            for actor, sockets in groups.items()
        }
        for actor, seen in (await self._house.sights.look(followed)).items():
            for socket in groups[actor]:
                lost = sorted((socket.private or frozenset()).intersection(followed[actor]) - seen)
                if lost:
                    socket.lose_sight(lost)

    async def _look_at_public(self) -> None:
        """What is no longer public is from now on looked at per person."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._public_due:
            return
        self._public_due = loop.time() + PUBLIC_SECONDS
        hub = self._house.hub
        streams = [
            channel.stream for channel in hub.followed if not channel.stream.startswith("user:")
        ]
        seen = await self._house.sights.look_public(streams)
        for stream in set(streams) - seen:
            channel = hub.channel(stream)
            for follower in list(channel.followers) if channel is not None else ():
                if stream not in (getattr(follower, "private", None) or ()):
                    self.watch(follower, {stream})  # type: ignore[arg-type]
