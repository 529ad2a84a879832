"""A phone as every client should be, and what it must come to show."""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

from sqlmodel import select
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from api.dependencies import Services
from consultation.journal import JournalEntry, heads
from consultation.permissions import SYSTEM
from tests.properties.live_house import House, Server


class Phone:
    """The client that every client should be: it keeps a place per stream, and what it shows by
    event id. ``shows`` is what it has fetched or applied."""

    def __init__(self, house: House, person: UUID, streams: list[str]) -> None:
        self.house = house
        self.person = person
        self.places: dict[str, tuple[str, int] | None] = dict.fromkeys(streams)
        self.shows: dict[str, dict[str, int]] = {stream: {} for stream in streams}
        self.server: Server | None = None
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self.live = asyncio.Event()
        self._expected: dict[str, int] = {}

    @property
    def connected(self) -> bool:
        return self._reading is not None and not self._reading.done()

    async def connect(self, server: Server) -> None:
        await self.leave()
        self.server = server
        self.live.clear()
        self._expected = {}
        self._socket = await connect(server.url, proxy=None, close_timeout=0.2)
        token = server.services.tokens.issue(self.person, uuid4(), uuid4())
        cursors = [
            {"id": stream, **({"epoch": place[0], "after_seq": place[1]} if place else {})}
            for stream, place in self.places.items()
        ]
        await self._say(type="hello", token=token, streams=cursors)
        self._reading = asyncio.create_task(self._read(self._socket))

    async def leave(self, *, rudely: bool = False) -> None:
        socket, self._socket = self._socket, None
        if socket is None:
            return
        if rudely:
            socket.transport.abort()
        else:
            await socket.close()
        if self._reading is not None:
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _say(self, **frame: Any) -> None:
        assert self._socket is not None
        await self._socket.send(json.dumps(frame))

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for text in socket:
                await self._take(json.loads(text))
        except ConnectionClosed:
            pass
        if socket.close_code == 4410:
            self.house.tally.resyncs += 1

    async def _take(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "welcome":
                for state in frame["streams"]:
                    await self._begin(state)
            case "live":
                self.live.set()
            case "ping":
                await self._say(type="pong", t=frame["t"])
            case type if "." in type:
                self._apply(frame)

    async def _begin(self, state: dict[str, Any]) -> None:
        stream = state["id"]
        assert state["epoch"] is not None, state
        place = self.places[stream]
        if state["recovered"]:
            assert place is not None
            self._expected[stream] = place[1] + 1
            return
        await self._fetch(stream)
        self._expected[stream] = state["head_seq"] + 1
        # what the snapshot has beyond the head comes again as events, and changes nothing
        self.places[stream] = (state["epoch"], state["head_seq"])

    def _apply(self, event: dict[str, Any]) -> None:
        tally, stream, seq = self.house.tally, event["stream"], event["seq"]
        tally.delivered += 1
        expected = self._expected[stream]
        if seq < expected:
            tally.doubled += 1
        tally.lost += max(0, seq - expected)
        self._expected[stream] = seq + 1
        place = self.places[stream]
        assert place is not None
        self.places[stream] = (place[0], seq)
        self.shows[stream][event["id"]] = event["data"].get("rows", 0)

    async def _fetch(self, stream: str) -> None:
        """As over HTTP: what is, and where the stream stood, in one snapshot."""
        self.shows[stream] = (await truth(self.house.servers[0].services, stream))[1]


async def truth(services: Services, stream: str) -> tuple[int, dict[str, int]]:
    async with services.db.read(SYSTEM) as tx:
        found = await heads(tx.session, [stream])
        rows = await tx.session.exec(select(JournalEntry).where(JournalEntry.stream == stream))
        facts = {str(row.event_id): row.data.get("rows", 0) for row in rows}
    assert found is not None
    return found[stream].seq, facts
