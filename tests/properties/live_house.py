"""Processes of one installation in one loop; the bus between them loses messages, and the log
answers late or not at all, as the machine says."""

import asyncio
import random
import shutil
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from pydantic import SecretStr

from api.app import build_services, build_surface
from api.dependencies import Services
from api.live.house import LiveSockets
from api.server import serving
from api.settings import Settings
from notifications.bus import Hear
from notifications.relay import Relay
from tests.conftest import SECRET

REPLAY = 12
"""Few, so that being too far behind happens."""
PROCESSES = 2


class LossyBus:
    """Between the processes of this test; loses what the machine says."""

    shared = True
    all: "list[LossyBus]" = []  # noqa: RUF012  that is the point
    loses = 0.0
    rng = random.Random(0)

    def __init__(self) -> None:
        self._hears: dict[str, Hear] = {}

    def on(self, kind: str, hear: Hear) -> None:
        self._hears[kind] = hear

    def on_return(self, call: Callable[[], None]) -> None: ...

    def tell(self, kind: str, **content: Any) -> None:
        for other in LossyBus.all:
            if other is not self and self.rng.random() >= LossyBus.loses:
                other._hears[kind](content)

    async def start(self) -> None:
        LossyBus.all.append(self)

    async def stop(self) -> None:
        LossyBus.all.remove(self)


class SlowLog:
    """How the log answers whoever reads it for the hub: after so many seconds, and so often not at
    all. What it answers is what it was when it was asked."""

    seconds = 0.0
    fails = 0.0

    @staticmethod
    def of(read: Any) -> Any:
        async def answer(*args: Any, **options: Any) -> Any:
            if LossyBus.rng.random() < SlowLog.fails:
                raise OSError("no answer")
            found = await read(*args, **options)
            if SlowLog.seconds:
                await asyncio.sleep(SlowLog.seconds)
            return found

        return answer


@dataclass
class Server:
    """One process of the installation, in this loop."""

    app: FastAPI
    settings: Settings
    services: Services = field(init=False)
    url: str = ""
    _running: AbstractAsyncContextManager[str] | None = None

    async def start(self) -> None:
        services = self.services = build_services(self.settings)
        services.bus = LossyBus()
        services.relay = Relay(
            services.db, services.live.hub, bus=services.bus, poll_seconds=0.1, gather_seconds=0.005
        )
        self.app.state.services = services
        self._running = serving(self.app)
        self.url = (await self._running.__aenter__()).replace("http", "ws") + "/v1/live"

    async def stop(self) -> None:
        assert self._running is not None
        await self._running.__aexit__(None, None, None)

    @property
    def live(self) -> LiveSockets:
        return self.services.live


@dataclass
class Tally:
    runs: int = 0
    delivered: int = 0
    lost: int = 0
    doubled: int = 0
    resyncs: int = 0


class House:
    """The loop, the database and the processes, shared by all runs."""

    def __init__(self, folder: Path, template: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.tally = Tally()
        path = folder / "machine.sqlite3"
        shutil.copy(template, path)
        settings = Settings(
            database_url=f"sqlite+aiosqlite:///{path}",
            field_secret=SECRET,  # type: ignore[arg-type]
            token_key="11" * 32,  # type: ignore[arg-type]
            board_key=SecretStr("22" * 32),
            run_worker=False,
            replay_events=REPLAY,
            live_per_person=1000,
        )
        self.servers = [Server(build_surface(), settings) for _ in range(PROCESSES)]
        for server in self.servers:
            self.run(server.start())

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def close(self) -> None:
        for server in self.servers:
            self.run(server.stop())
        self.loop.close()
