"""Voters' phones that remember what they were told, and know when they were told nothing."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from api.bench.clients import put

Vote = tuple[UUID, UUID, str]
"""Poll, voter and choice."""


@dataclass(slots=True)
class Told:
    """``receipts`` by poll and voter, all that ever came; ``refused`` by code; ``unknown`` are the
    votes whose connection broke and which had no answer since."""

    receipts: dict[tuple[UUID, UUID], set[str]] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    unknown: set[Vote] = field(default_factory=set)
    acknowledged: int = 0

    def note(self, vote: Vote, status: int, answer: dict[str, Any]) -> None:
        poll, voter, _ = vote
        if status == 200:
            self.acknowledged += 1
            self.receipts.setdefault((poll, voter), set()).add(answer["receipt"])
        else:
            code = answer["code"]
            self.refused[code] = self.refused.get(code, 0) + 1


class Phone:
    """One connection, kept open; what breaks it makes the vote under way unknown."""

    def __init__(self, port: int, told: Told, tokens: dict[UUID, str]) -> None:
        self._port = port
        self._told = told
        self._tokens = tokens
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def cast(self, vote: Vote) -> int | None:
        """The status, or None when nothing came back."""
        poll, voter, choice = vote
        body = json.dumps({"answers": [{"item": 1, "choices": [choice]}]}).encode()
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            writer.write(put(f"/v1/polls/{poll}/ballot", self._tokens[voter], body))
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
            answer = json.loads(await reader.readexactly(length))
        except (OSError, asyncio.IncompleteReadError):
            self.hang_up()
            self._told.unknown.add(vote)
            return None
        status = int(head[9:12])
        self._told.note(vote, status, answer)
        self._told.unknown.discard(vote)
        return status

    def hang_up(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def vote_all(
    port: int, told: Told, tokens: dict[UUID, str], votes: list[Vote], *, connections: int
) -> None:
    """All votes in their order over so many connections; a phone that is cut off stops."""
    waiting = iter(votes)

    async def phone() -> None:
        mine = Phone(port, told, tokens)
        for vote in waiting:
            if await mine.cast(vote) is None:
                break
        mine.hang_up()

    await asyncio.gather(*(phone() for _ in range(connections)))
