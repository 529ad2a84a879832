"""A client that knows close codes only from the contract, and does what it says."""

import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from api.asyncapi import asyncapi

LEAST, MOST = 0.5, 20.0


@cache
def ranges() -> list[dict[str, Any]]:
    return asyncapi()["channels"]["live"]["x-close-ranges"]


def _facts(reason: str) -> dict[str, float]:
    name, _, value = reason.partition("=")
    return {name: float(value)} if value.isdigit() else {}


@dataclass
class Client:
    """``waits`` are the seconds before each return, which it notes instead of waiting."""

    url: str
    hello: dict[str, Any]
    refresh: Callable[[], Awaitable[str | None]]
    rng: random.Random = field(default_factory=lambda: random.Random(7))
    codes: list[int] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ranges = ranges()

    async def run(self, *, times: int) -> bool:
        """Stay connected over so many closes; whether it would come again after the last."""
        for _ in range(times):
            code, reason = await self._listen()
            self.codes.append(code)
            wait = await self.wait_of(code, reason)
            if wait is None:
                return False
            self.waits.append(wait)
        return True

    async def _listen(self) -> tuple[int, str]:
        socket = await connect(self.url, proxy=None, close_timeout=1)
        try:
            await socket.send(json.dumps(self.hello))
            while True:
                await socket.recv()
        except ConnectionClosed as end:
            return (1006, "") if end.rcvd is None else (end.rcvd.code, end.rcvd.reason)

    async def wait_of(self, code: int, reason: str) -> float | None:
        """Seconds until it comes again; None for not by itself."""
        [then] = [one["then"] for one in self._ranges if one["first"] <= code <= one["last"]]
        facts = _facts(reason)
        if then == "stay":
            return None
        if then == "return_at_once":
            return 0.0
        if then == "refresh":
            token = await self.refresh()
            if token is None:
                return None
            self.hello["token"] = token
            return 0.0
        if then == "return_after" and "retry_after" in facts:
            return facts["retry_after"]
        if then == "return_within" and "retry_within" in facts:
            return self.rng.uniform(0, facts["retry_within"])
        return self.rng.uniform(LEAST, min(MOST, LEAST * 2 ** min(6, 1 + len(self.waits))))
