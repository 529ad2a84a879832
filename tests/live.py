"""A running server with the world in it, and phones on its live socket."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import httpx
import jsonschema_rs
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from api.asyncapi import asyncapi
from api.dependencies import Services
from consultation.events.community import RegisterImported
from consultation.events.people import UserNotified
from consultation.events.streams import community_stream
from tests.world import World

Frame = dict[str, Any]


@cache
def validator(message: str) -> jsonschema_rs.Validator:
    """By the name of a message or the type of an event: its shape, as clients are promised it."""
    document = asyncapi()
    payload = document["components"]["messages"][message]["payload"]
    return jsonschema_rs.validator_for({**payload, "components": document["components"]})


class Phone:
    """``events`` holds every event frame that came, ``volatile`` the last values by stream and
    key."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.events: list[Frame] = []
        self.volatile: dict[tuple[str, str], dict[str, int]] = {}

    async def say(self, **frame: Any) -> None:
        await self.socket.send(json.dumps(frame))

    async def hello(self, token: str, *streams: Frame, **more: Any) -> Frame:
        """Say hello and read up to ``live``; the welcome. Missed events are in ``events``."""
        await self.say(type="hello", token=token, client="test/1", streams=list(streams), **more)
        welcome = await self.control("welcome")
        await self.control("live")
        return welcome

    async def subscribe(self, *streams: Frame) -> Frame:
        await self.say(type="subscribe", streams=list(streams))
        answer = await self.control("subscribed")
        await self.control("live")
        return answer

    async def frame(self) -> Frame:
        """The next frame; pings are answered and volatile values put aside on the way."""
        while True:
            frame = json.loads(await self.socket.recv())
            assert validator(frame["type"]).is_valid(frame), frame
            if frame["type"] == "ping":
                await self.say(type="pong", t=frame["t"])
            elif frame["type"] == "volatile":
                self.volatile[frame["stream"], frame["key"]] = frame["data"]
            else:
                break
        if "." in frame["type"]:
            self.events.append(frame)
        return frame

    async def control(self, type: str) -> Frame:
        """Read up to the next frame that is not an event, which is of this type."""
        while "." in (frame := await self.frame())["type"]:
            pass
        assert frame["type"] == type, frame
        return frame

    async def until(self, seq: int) -> None:
        """Read on until an event with this number has come."""
        while not self.events or self.events[-1]["seq"] < seq:
            await self.frame()

    async def until_lost(self) -> None:
        """Read on until the connection is gone, without a word."""
        try:
            while True:
                await self.frame()
        except ConnectionClosed:
            return

    async def closed(self) -> tuple[int, str]:
        """Read on until the server hangs up; its code and reason."""
        received = None
        try:
            while True:
                await self.frame()
        except ConnectionClosed as end:
            received = end.rcvd
        assert received is not None, "the connection was lost, not closed"
        return received.code, received.reason


@asynccontextmanager
async def phone(base_url: str, **options: Any) -> AsyncGenerator[Phone]:
    address = base_url.replace("http", "ws", 1) + "/v1/live"
    async with connect(address, proxy=None, close_timeout=1, **options) as socket:
        yield Phone(socket)


@dataclass
class Town:
    """A running server with the world in it."""

    url: str
    services: Services
    world: World

    @property
    def stream(self) -> str:
        return community_stream(self.world.community.id)

    def token(self, name: str = "resident1") -> str:
        return self.services.tokens.issue(self.world.id(name), uuid4(), uuid4())

    async def happen(self, count: int = 1) -> None:
        """So many events on the community's stream, in one transaction."""
        async with self.services.db.begin() as tx:
            for n in range(count):
                tx.emit(RegisterImported(community_id=self.world.community.id, kind="test", rows=n))

    async def numbered(self, count: int = 1) -> None:
        await self.happen(count)
        await self.services.relay.drain()

    async def head(self, stream: str | None = None) -> dict[str, Any]:
        async with httpx.AsyncClient(trust_env=False, base_url=self.url) as http:
            return (await http.get(f"/v1/streams/{stream or self.stream}")).json()


Start = Callable[..., AbstractAsyncContextManager[Town]]
"""Settings as keywords, in place of those of the tests."""


def notified(person_id: UUID, about: str = "test") -> UserNotified:
    return UserNotified(
        community_id=None, person_id=person_id, about=about, topic_id=None, subject_id=None
    )
