"""``/v1/live``: one WebSocket per phone, over which everything it shows stays fresh.

The client says hello with its token and its place in each stream. It gets a welcome, what it
missed, ``live``, and from then on every event as it happens. Commands go over HTTP only.

One task receives, so that a disconnect is noticed at once. One task sends, and does what the client
orders, in one order: events and answers wait for it in one bounded queue, so that a slow client
costs that queue and costs nobody else anything.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Sequence
from datetime import timedelta
from enum import IntEnum

from fastapi import APIRouter, WebSocket
from pydantic import BaseModel, ValidationError
from starlette.websockets import WebSocketDisconnect

from api.logs import log
from api.problems import NotLoggedIn
from api.settings import Settings
from api.tokens import Claims, Tokens
from consultation.community.rules import RoleNotHeld
from consultation.database import Database
from consultation.ids import random_id
from consultation.journal import entries_after
from consultation.permissions import NOBODY, Actor
from notifications.hub import Behind, Follower, Hub, LogLost
from notifications.messages import (
    FROM_CLIENT,
    MAX_STREAMS,
    Cursor,
    Envelope,
    Error,
    FromClient,
    Hello,
    Live,
    Ping,
    Pong,
    Reason,
    StreamState,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
    Welcome,
)
from notifications.replay import Bounds, LogNotOpen, Replay, replay

SUBPROTOCOL = "dc.live.v1"
RESTART = "retry_within=10"
"""Clients spread their return over so many seconds."""
GOODBYE_SECONDS = 5
RESTART_SECONDS = 2
MAX_ORDERS = 4
"""Subscribes and unsubscribes of one client that may wait for their answer."""

router = APIRouter()


class Close(IntEnum):
    """What the client may do next: after 4400 and 4403 nothing; after 4401 come again with a
    fresh token; after the others come again and go on from its own last numbers."""

    FAILED = 1011
    RESTART = 1012
    BAD_FRAME = 4400
    TOKEN = 4401
    FORBIDDEN = 4403
    TIMEOUT = 4408
    RESYNC = 4410
    SLOW_DOWN = 4429


class HangUp(Exception):
    """Ends the connection from our side."""

    def __init__(self, close: Close, reason: str) -> None:
        self.close = close
        self.reason = reason
        super().__init__(close, reason)


class LiveSockets:
    """The open sockets of this process."""

    def __init__(self, settings: Settings, db: Database, tokens: Tokens, hub: Hub) -> None:
        self.settings = settings
        self.db = db
        self.tokens = tokens
        self.hub = hub
        self.bounds = bounds(settings)
        self._open: set[LiveSocket] = set()
        self._empty = asyncio.Event()
        self._closing = False

    async def serve(self, websocket: WebSocket) -> None:
        socket = LiveSocket(websocket, self)
        self._open.add(socket)
        if self._closing:
            socket.hang_up(Close.RESTART, RESTART)
        try:
            await socket.run()
        finally:
            self._open.discard(socket)
            if not self._open:
                self._empty.set()

    async def close(self) -> None:
        """Send everybody away for a restart, and wait a moment until they have heard it."""
        self._closing = True
        for socket in self._open:
            socket.hang_up(Close.RESTART, RESTART)
        if self._open:
            self._empty.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RESTART_SECONDS):
                    await self._empty.wait()


class LiveSocket:
    def __init__(self, websocket: WebSocket, house: LiveSockets) -> None:
        self._ws = websocket
        self._house = house
        self._follower = Follower(lambda: self.hang_up(Close.RESYNC, "resync"))
        self._end: asyncio.Future[HangUp] = asyncio.get_running_loop().create_future()
        self._greeted = asyncio.Event()
        self._silent_beats = 0
        self._actor = NOBODY
        self._claims: Claims | None = None
        self._orders = 0

    def hang_up(self, close: Close, reason: str) -> None:
        if not self._end.done():
            self._end.set_result(HangUp(close, reason))

    async def run(self) -> None:
        offered = self._ws.scope.get("subprotocols", [])
        await self._ws.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)
        started = time.monotonic()
        try:
            end = await self._talk()
        finally:
            self._house.hub.leave_all(self._follower)
        if end is not None:
            await self._say_goodbye(end)
        log.info(
            "live",
            status=1000 if end is None else end.close.value,
            ms=round((time.monotonic() - started) * 1000),
            actor_id=None if self._actor.person_id is None else str(self._actor.person_id),
        )

    async def _talk(self) -> HangUp | None:
        """Until one side has enough; None when the client has gone by itself."""
        parts = (self._receive, self._send, self._beat, self._expire)
        tasks = [asyncio.create_task(part()) for part in parts]
        try:
            await asyncio.wait([*tasks, self._end], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        if self._end.done():
            return self._end.result()
        for end in ends:
            match end:
                case HangUp():
                    return end
                case WebSocketDisconnect():
                    return None
                case asyncio.CancelledError() | None:
                    pass
                case BaseException():
                    log.error("live", error_type=type(end).__name__)
        return HangUp(Close.FAILED, "internal-error")

    async def _say_goodbye(self, end: HangUp) -> None:
        """A client that does not even read this is left to the server's own time limits."""
        with contextlib.suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
            async with asyncio.timeout(GOODBYE_SECONDS):
                if end.close >= Close.BAD_FRAME:
                    await self._ws.send_text(Error(code=end.reason).model_dump_json())
                await self._ws.close(end.close, end.reason)

    # ---- what comes in ----------------------------------------------------------------

    async def _receive(self) -> None:
        origins = self._house.settings.live_origins
        if origins and self._ws.headers.get("origin", origins[0]) not in origins:
            raise HangUp(Close.FORBIDDEN, "foreign-origin")
        try:
            async with asyncio.timeout(self._house.settings.hello_seconds):
                hello = await self._frame()
        except TimeoutError:
            raise HangUp(Close.TIMEOUT, "hello-timeout") from None
        if not isinstance(hello, Hello):
            raise HangUp(Close.BAD_FRAME, "hello-first")
        try:
            self._claims = self._house.tokens.read(hello.token)
        except NotLoggedIn as refusal:
            raise HangUp(Close.TOKEN, refusal.code) from None
        self._actor = Actor(person_id=self._claims.person_id, assignment_id=hello.role)
        self._order(hello)
        self._greeted.set()
        while True:
            match await self._frame():
                case Pong():
                    pass
                case Ping(t=t):
                    self._follower.put(Pong(t=t).model_dump_json())
                case Hello():
                    raise HangUp(Close.BAD_FRAME, "hello-twice")
                case Subscribe() | Unsubscribe() as order:
                    self._order(order)

    async def _frame(self) -> FromClient:
        message = await self._ws.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1006))
        self._silent_beats = 0
        try:
            return FROM_CLIENT.validate_json(message.get("text") or "")
        except ValidationError:
            raise HangUp(Close.BAD_FRAME, "bad-frame") from None

    def _order(self, order: Hello | Subscribe | Unsubscribe) -> None:
        self._orders += 1
        if self._orders > MAX_ORDERS:
            raise HangUp(Close.SLOW_DOWN, "retry_after=5")
        self._follower.put(order)

    async def _beat(self) -> None:
        """Ping, and give up on a client that was silent for two and a half intervals. They are
        counted in beats, so that a pause of our own is not taken for the client's silence."""
        await self._greeted.wait()
        for beat in itertools.count(1):
            await asyncio.sleep(self._house.settings.ping_seconds / 2)
            self._silent_beats += 1
            if self._silent_beats > 5:
                raise HangUp(Close.TIMEOUT, "silent")
            if beat % 2 == 0:
                self._follower.put(Ping(t=int(time.time() * 1000)).model_dump_json())

    async def _expire(self) -> None:
        """End with the token. Looked up at every half interval, for the clock may be set."""
        await self._greeted.wait()
        assert self._claims is not None
        while True:
            left = (self._claims.expires_at - self._house.db.clock()).total_seconds()
            if left <= 0:
                raise HangUp(Close.TOKEN, "token-expired")
            await asyncio.sleep(min(left, self._house.settings.ping_seconds / 2))

    # ---- what goes out ----------------------------------------------------------------

    async def _send(self) -> None:
        while True:
            match await self._follower.next():
                case str(frame):
                    await self._out(frame)
                case Behind(stream):
                    await self._catch_up(stream)
                case Hello(streams=cursors):
                    found = await self._join(cursors)
                    await self._out(
                        Welcome(
                            conn_id=random_id().hex,
                            ping_s=self._house.settings.ping_seconds,
                            server_time=self._house.db.clock(),
                            streams=[one.state for one in found],
                        )
                    )
                    await self._bring(found)
                case Subscribe(streams=cursors):
                    found = await self._join(cursors)
                    await self._out(Subscribed(streams=[one.state for one in found]))
                    await self._bring(found)
                case Unsubscribe(streams=streams):
                    self._orders -= 1
                    for stream in streams:
                        self._house.hub.leave(self._follower, stream)
                    await self._out(Unsubscribed(streams=streams))

    async def _out(self, frame: str | BaseModel) -> None:
        text = frame if isinstance(frame, str) else frame.model_dump_json()
        try:
            await self._ws.send_text(text)
        except RuntimeError:  # the server closed it under us
            raise WebSocketDisconnect(1006) from None

    async def _join(self, cursors: Sequence[Cursor]) -> list[Replay]:
        """Follow first and read then: what happens in between is heard of, and read at the end."""
        hub, follower = self._house.hub, self._follower
        room = MAX_STREAMS - len(follower.places)
        joining: list[Cursor] = []
        for cursor in cursors:
            if cursor.id not in follower.places:
                room -= 1
            if room >= 0 or cursor.id in follower.places:
                joining.append(cursor)
                hub.join(follower, cursor.id)
        try:
            async with self._house.db.read(self._actor) as tx:
                found = await replay(tx, joining, self._house.bounds)
        except RoleNotHeld as refusal:
            raise HangUp(Close.FORBIDDEN, refusal.code) from None
        except LogNotOpen:
            raise HangUp(Close.RESTART, RESTART) from None
        for one in found:
            if not one.followed:
                hub.leave(follower, one.state.id)
        taken = {cursor.id for cursor in joining}
        return found + [
            Replay(StreamState(id=cursor.id, reason=Reason.TOO_MANY_STREAMS))
            for cursor in cursors
            if cursor.id not in taken
        ]

    async def _bring(self, found: Sequence[Replay]) -> None:
        """What was missed, then what happened meanwhile; then the client is live."""
        for one in found:
            for event in one.events:
                await self._out(event)
        for one in found:
            if one.state.head_seq is not None:
                self._follower.places[one.state.id].at = one.state.head_seq
                await self._catch_up(one.state.id)
        await self._out(Live())
        self._orders -= 1

    async def _catch_up(self, stream: str) -> None:
        try:
            await self._follower.catch_up(stream, self._read_log, self._out)
        except LogLost:
            raise HangUp(Close.RESYNC, "resync") from None

    async def _read_log(self, stream: str, after: int) -> list[Envelope]:
        async with self._house.db.read(self._actor) as tx:
            entries = await entries_after(
                tx.session, {stream: after}, limit=self._house.bounds.events
            )
        return [Envelope.of(entry) for entry in entries]


def bounds(settings: Settings) -> Bounds:
    return Bounds(events=settings.replay_events, age=timedelta(hours=settings.replay_hours))


@router.websocket("/v1/live")
async def live(websocket: WebSocket) -> None:
    await websocket.app.state.services.live.serve(websocket)
