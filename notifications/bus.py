"""Between the processes of one installation. What it loses costs time and nothing else: every
process looks at the heads of the log by itself (``relay.py``).

Without an address there is one process, and nobody to tell. With one, a server that speaks the
Redis protocol carries the messages.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from consultation.ids import random_id

CHANNEL = "minyi:live"
WAITING = 1000
"""Messages that wait for a server that is away; older ones are dropped."""
TIMEOUT_SECONDS = 2.0
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0

Hear = Callable[[dict[str, Any]], None]

log = structlog.get_logger("minyi")


class Bus(Protocol):
    """``on`` before ``start``. ``shared`` says whether there may be other processes."""

    shared: bool
    connected: bool
    """False while other processes cannot be heard; what they do then shows a poll later."""

    def on(self, kind: str, hear: Hear) -> None:
        """Call ``hear`` for every message of a kind that another process has sent."""

    def on_return(self, call: Callable[[], None]) -> None:
        """Call this whenever messages may have been lost."""

    def tell(self, kind: str, **content: Any) -> None:
        """Send to the other processes, soon, or never."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class NoBus:
    """One process."""

    shared = False
    connected = True

    def on(self, kind: str, hear: Hear) -> None: ...

    def on_return(self, call: Callable[[], None]) -> None: ...

    def tell(self, kind: str, **content: Any) -> None: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class RedisBus:
    """``url`` is ``redis://…`` or ``rediss://…``."""

    shared = True

    def __init__(self, url: str) -> None:
        self.connected = False
        self._where = _host_of(url)
        self._me = random_id().hex
        self._redis: Redis = Redis.from_url(
            url,
            socket_connect_timeout=TIMEOUT_SECONDS,
            socket_timeout=None,
            health_check_interval=10,
        )
        self._hears: dict[str, Hear] = {}
        self._returns: list[Callable[[], None]] = []
        self._waiting: deque[bytes] = deque(maxlen=WAITING)
        self._bell = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def on(self, kind: str, hear: Hear) -> None:
        self._hears[kind] = hear

    def on_return(self, call: Callable[[], None]) -> None:
        self._returns.append(call)

    def tell(self, kind: str, **content: Any) -> None:
        message = {"from": self._me, "kind": kind, **content}
        self._waiting.append(json.dumps(message, separators=(",", ":")).encode())
        self._bell.set()

    async def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._again(self._send)),
            asyncio.create_task(self._again(self._listen)),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._redis.aclose()

    async def _again(self, work: Callable[[], Any]) -> None:
        pause = FIRST_PAUSE
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                await work()
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("bus", host=self._where, error_type=type(error).__name__)
            except Exception as error:
                log.error("bus", host=self._where, error_type=type(error).__name__)
            pause = (
                FIRST_PAUSE if clock() - began > LONGEST_PAUSE else min(2 * pause, LONGEST_PAUSE)
            )
            await asyncio.sleep(pause)

    async def _send(self) -> None:
        while True:
            while self._waiting:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    await self._redis.publish(CHANNEL, self._waiting[0])
                self._waiting.popleft()
            self._bell.clear()
            await self._bell.wait()

    async def _listen(self) -> None:
        try:
            await self._hear_on()
        finally:
            self.connected = False

    async def _hear_on(self) -> None:
        async with self._redis.pubsub() as channel:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await channel.subscribe(CHANNEL)
            async for message in channel.listen():
                if message["type"] == "subscribe":
                    self.connected = True
                    for call in self._returns:
                        call()
                elif message["type"] == "message":
                    self._hear(message["data"])

    def _hear(self, data: bytes) -> None:
        message = json.loads(data)
        if message["from"] != self._me and message["kind"] in self._hears:
            self._hears[message["kind"]](message)


def _host_of(url: str) -> str:
    """Host and port, for the log: the address may hold a password."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 6379}"
