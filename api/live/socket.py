"""One phone on the live socket: what it says, and what it is answered.

There is no task per connection. What is at hand is answered in the turn in which it was asked;
only where the database must be asked a task runs until it has answered. A client's orders are
answered one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError
from websockets.datastructures import Headers

from api.live.closing import CLOSES, RESTART, Close
from api.live.wire import Phase, Wire
from api.logs import log, random_hex
from api.problems import NotLoggedIn
from api.tokens import Claims
from consultation.community.rules import RoleNotHeld
from consultation.permissions import NOBODY, Actor
from notifications.frames import text_frame
from notifications.hub import Channel
from notifications.messages import (
    FROM_CLIENT,
    MAX_STREAMS,
    Away,
    Error,
    ErrorCode,
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
from notifications.replay import LogNotOpen, resume

if TYPE_CHECKING:
    from api.live.house import LiveSockets

MAX_ORDERS = 4
"""Subscribes and unsubscribes of one client that may wait for their answer."""
MAX_SAID = 200
"""Frames that a client may send within half a ping interval."""
SILENT_BEATS = 5

Order = Hello | Subscribe | Unsubscribe

LIVE = text_frame(Live().model_dump_json())


class LiveSocket(Wire):
    __slots__ = (
        "_busy",
        "_orders",
        "_said",
        "actor",
        "address",
        "channels",
        "claims",
        "due",
        "house",
        "odd",
        "private",
        "silent_beats",
        "started",
    )

    def __init__(self, house: LiveSockets) -> None:
        super().__init__(house.lines)
        self.house = house
        self.channels: list[Channel] = []
        self.actor: Actor = NOBODY
        self.claims: Claims | None = None
        self.address: str | None = None
        self.private: frozenset[str] | None = None
        """Streams it follows that not everybody may."""
        self.due = 0.0
        """Loop time at which the house looks after it next; ``odd`` beats bring no ping."""
        self.silent_beats = 0
        self.odd = False
        self.started = 0.0
        self._said = 0
        self._busy = False
        self._orders: list[Order] | None = None

    def hang_up(self, code: Close, reason: str) -> None:
        """End the connection from our side with a code below 4400."""
        if self.phase is Phase.OPEN:
            self.close(code, reason)

    def refuse(self, error: ErrorCode, *, retry_after: int | None = None) -> None:
        """End it with an error frame, and a close that may say after how many seconds to come
        again."""
        if self.phase is Phase.OPEN:
            reason = error.value if retry_after is None else f"retry_after={retry_after}"
            last = text_frame(Error(code=error).model_dump_json())
            self.close(CLOSES[error], reason, last=last)

    # ---- the connection ---------------------------------------------------------------

    def on_open(self, headers: Headers, peer: tuple[str, int] | None) -> None:
        self.started = time.monotonic()
        self.house.enter(self, headers, peer)

    def on_overflow(self) -> None:
        self.refuse(ErrorCode.RESYNC)

    def on_log_lost(self) -> None:
        self.refuse(ErrorCode.RESYNC)

    def on_relief(self) -> None:
        for channel in self.channels:
            for frame in (channel.volatile or {}).values():
                self.push_volatile(frame)

    def on_closing(self) -> None:
        self.house.await_end(self)

    def on_lost(self, code: int) -> None:
        if self.started:
            self.house.forget(self)
            log.info(
                "live",
                status=code,
                ms=round((time.monotonic() - self.started) * 1000),
                actor_id=None if self.actor.person_id is None else str(self.actor.person_id),
            )

    # ---- what comes in ----------------------------------------------------------------

    def on_frames(self, count: int) -> None:
        self._said += count
        if self._said > MAX_SAID:
            self.refuse(ErrorCode.SLOW_DOWN, retry_after=30)

    def on_binary(self) -> None:
        self.refuse(ErrorCode.BAD_FRAME)

    def on_text(self, text: bytes) -> None:
        try:
            text.decode()
        except UnicodeDecodeError:
            self.hang_up(Close.BAD_TEXT, "not UTF-8")
            return
        self.silent_beats = 0  # a pong of the protocol says nothing: a sleeping phone sends it too
        try:
            said = FROM_CLIENT.validate_json(text)
        except ValidationError:
            self.refuse(ErrorCode.BAD_FRAME)
            return
        match said:
            case Hello() if self.claims is None:
                self._greet(said)
            case Hello():
                self.refuse(ErrorCode.HELLO_TWICE)
            case _ if self.claims is None:
                self.refuse(ErrorCode.HELLO_FIRST)
            case Pong():
                self.house.renew(self)
            case Ping(t=t):
                self._say(Pong(t=t))
            case Away():
                self.hang_up(Close.NORMAL, "away")
            case Subscribe() | Unsubscribe():
                self._obey(said)

    def beat(self, ping: bytes | None) -> None:
        """Half a ping interval has passed."""
        self._said = 0
        self.silent_beats += 1
        if self.silent_beats > SILENT_BEATS:
            self.refuse(ErrorCode.SILENT)
        elif ping is not None:
            self.push_volatile(ping)

    def _greet(self, hello: Hello) -> None:
        try:
            claims = self.house.tokens.read(hello.token)
        except NotLoggedIn as refusal:
            self.refuse(ErrorCode(refusal.code))
            return
        self.claims = claims
        self.actor = Actor(person_id=claims.person_id, assignment_id=hello.role)
        if self.house.welcomes(self, hello):
            self._obey(hello)

    # ---- orders -----------------------------------------------------------------------

    def _obey(self, order: Order) -> None:
        if self._busy:
            self._orders = [*(self._orders or ()), order]
            if len(self._orders) >= MAX_ORDERS:
                self.refuse(ErrorCode.SLOW_DOWN, retry_after=5)
            return
        if isinstance(order, Unsubscribe):
            self._leave(order)
            return
        allowed = self.house.sights.at_hand(self.actor, order.streams)
        if allowed is not None:
            self._answer(order, allowed)
        else:
            self._busy = True
            self.house.spawn(self._fetch(order))

    async def _fetch(self, order: Hello | Subscribe) -> None:
        try:
            allowed = await self.house.sights.admit(self.actor, order.streams)
        except RoleNotHeld:
            self.refuse(ErrorCode.ROLE_NOT_HELD)
        except LogNotOpen:
            self.hang_up(Close.RESTART, RESTART)
        except Exception as error:
            log.error("live", error_type=type(error).__name__)
            self.hang_up(Close.FAILED, "internal-error")
        else:
            self._answer(order, allowed)
        self._busy = False
        while self._orders and self.phase is Phase.OPEN and not self._busy:
            first, *rest = self._orders
            self._orders = rest or None
            self._obey(first)

    def _answer(self, order: Hello | Subscribe, allowed: set[str]) -> None:
        """The state of each stream, what was missed of it, and ``live``; in one turn, so that
        nothing happens in between."""
        if self.phase is not Phase.OPEN:
            return
        house = self.house
        now, left = house.db.clock(), house.bounds.in_all
        states: list[StreamState] = []
        missed: list[bytes] = []
        joined: list[Channel] = []
        for cursor in order.streams:
            if cursor.id not in allowed:
                states.append(StreamState(id=cursor.id, reason=Reason.NOT_FOUND))
                continue
            channel = house.hub.channel(cursor.id)
            if channel is None:  # lost a moment ago
                self.refuse(ErrorCode.RESYNC)
                return
            if channel not in self.channels and len(self.channels) >= MAX_STREAMS:
                states.append(StreamState(id=cursor.id, reason=Reason.TOO_MANY_STREAMS))
                continue
            state, frames = resume(channel, cursor, house.bounds, left=left, now=now)
            left -= len(frames)
            states.append(state)
            missed += frames
            house.hub.join(self, channel)
            joined.append(channel)
        if isinstance(order, Hello):
            self._say(
                Welcome(
                    conn_id=random_hex(),
                    ping_s=house.settings.ping_seconds,
                    server_time=now,
                    streams=states,
                )
            )
        else:
            self._say(Subscribed(streams=states))
        for frame in missed:
            self.push(frame)
        self.push(LIVE)
        house.followed(self, joined)

    def _leave(self, order: Unsubscribe) -> None:
        for stream in order.streams:
            self.house.hub.leave(self, stream)
        self.house.unfollowed(self, order.streams)
        self._say(Unsubscribed(streams=order.streams))

    def lose_sight(self, streams: Sequence[str]) -> None:
        """The person may no longer follow these."""
        for stream in streams:
            self.house.hub.leave(self, stream)
        self.house.unfollowed(self, streams)
        self._say(Unsubscribed(streams=list(streams), reason=Reason.NOT_FOUND))

    def _say(self, frame: BaseModel) -> None:
        self.push(text_frame(frame.model_dump_json()))
