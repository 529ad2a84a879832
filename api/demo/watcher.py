"""Somebody at a phone who follows topics on the live socket while the stories are played.

The access token runs out again and again as the clock jumps; the watcher comes back and goes on
where it was. At the end it must have every event of every topic, once and in order.
"""

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from api.demo.people import Person, UnexpectedAnswer

SUBPROTOCOL = Subprotocol("dc.live.v1")
PATIENCE = 200  # tenths of a second until everything must have arrived


@dataclass
class Watcher:
    """``events`` by stream: the numbers that arrived, in the order in which they arrived."""

    url: str
    person: Person
    events: dict[str, list[int]] = field(default_factory=dict)
    types: set[str] = field(default_factory=set)
    connections: int = 0
    _epochs: dict[str, str] = field(default_factory=dict)
    _socket: ClientConnection | None = None
    _task: "asyncio.Task[None] | None" = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def watch(self, stream: str) -> None:
        self.events[stream] = []
        if self._socket is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._say(type="subscribe", streams=[self._cursor(stream)])

    async def has_all(self) -> dict[str, tuple[int, bool]]:
        """Wait until every stream has come as far as HTTP says; per stream how many events came,
        and whether they are exactly 1, 2, 3 … to its head."""
        heads = {
            stream: (await self.person.get(f"streams/{stream}"))["head_seq"]
            for stream in self.events
        }
        for _ in range(PATIENCE):
            if all(len(self.events[stream]) >= head for stream, head in heads.items()):
                break
            await asyncio.sleep(0.1)
        return {
            stream: (len(came), came == list(range(1, heads[stream] + 1)))
            for stream, came in self.events.items()
        }

    def _cursor(self, stream: str) -> dict[str, Any]:
        came = self.events[stream]
        cursor: dict[str, Any] = {"id": stream, "after_seq": came[-1] if came else 0}
        if stream in self._epochs:
            cursor["epoch"] = self._epochs[stream]
        return cursor

    async def _say(self, **frame: Any) -> None:
        assert self._socket is not None
        await self._socket.send(json.dumps(frame))

    async def _follow(self) -> None:
        while True:
            # the clock may jump past the end of a token between the log-in and its first use
            with contextlib.suppress(
                ConnectionClosed, OSError, httpx.HTTPStatusError, UnexpectedAnswer
            ):
                await self._connect()
            self._socket = None
            await asyncio.sleep(0.05)

    async def _connect(self) -> None:
        session = self.person.session = await self.person.people.log_in(self.person)
        role = None
        if self.person.role is not None:
            role = await self.person.people.assignment_of(self.person)
        async with connect(self.url, subprotocols=[SUBPROTOCOL], proxy=None) as self._socket:
            self.connections += 1
            streams = [self._cursor(stream) for stream in self.events]
            await self._say(
                type="hello", token=session.access_token, role=role, client="demo", streams=streams
            )
            async for message in self._socket:
                await self._take(json.loads(message))

    async def _take(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "ping":
            await self._say(type="pong", t=frame["t"])
        elif frame["type"] in ("welcome", "subscribed"):
            self._epochs |= {s["id"]: s["epoch"] for s in frame["streams"] if s["epoch"]}
        elif "." in frame["type"]:
            self.events[frame["stream"]].append(frame["seq"])
            self.types.add(frame["type"])
