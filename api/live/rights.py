"""A right that ends also ends on an open socket, within five seconds.

Every two seconds this looks, for all sockets together, at the sessions that were ended, at the
roles that sockets act under, and, per person, at what they follow that is not public. What is
public is looked at again more rarely. It asks the database and listens to nobody, so that no lost
message keeps a right alive.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from api.live.closing import Close
from api.logs import log
from consultation.community.role_queries import assignments_running
from consultation.community.rules import RoleNotHeld
from consultation.permissions import SYSTEM, Actor
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
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Know the sessions that have ended before the first socket comes, then go on looking."""
        await self._try()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

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

    async def look(self) -> None:
        """End what may no longer be."""
        await self._look_at_sessions()
        await self._look_at_roles()
        await self._look_at_hidden()
        loop = asyncio.get_running_loop()
        if loop.time() >= self._public_due:
            self._public_due = loop.time() + PUBLIC_SECONDS
            await self._look_at_public()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._house.settings.live_recheck_seconds)
            await self._try()

    async def _try(self) -> None:
        try:
            await self.look()
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
                socket.hang_up(Close.TOKEN, "session-ended")
            elif claims.expires_at <= now:
                socket.hang_up(Close.TOKEN, "token-expired")

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
                socket.hang_up(Close.FORBIDDEN, RoleNotHeld.code)

    async def _look_at_hidden(self) -> None:
        groups: dict[Actor, list[LiveSocket]] = {}
        for socket in list(self._hidden):
            if socket.private:
                groups.setdefault(socket.actor, []).append(socket)
            else:
                self._hidden.discard(socket)
        for actor, sockets in groups.items():
            followed = {stream for socket in sockets for stream in socket.private or ()}
            try:
                seen = await self._house.sights.look(actor, followed)
            except RoleNotHeld:
                continue  # the look at roles sees to it
            for socket in sockets:
                lost = sorted((socket.private or frozenset()) & followed - seen)
                if lost:
                    socket.lose_sight(lost)

    async def _look_at_public(self) -> None:
        """What is no longer public is from now on looked at per person."""
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
