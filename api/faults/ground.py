"""A database with open polls, a server on it, and what is in it in the end."""

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlmodel import col, func, select

from api.app import build_database
from api.bench.machine import settings_in
from api.bench.postgres import cluster
from api.bench.voting import OpenPoll, build_community, open_polls
from api.migrations import runner
from api.settings import Settings
from api.tokens import Tokens
from consultation.database import system_clock
from consultation.ids import random_id
from consultation.jobs import JobKind, schedule
from consultation.permissions import SYSTEM
from consultation.polls.commands.closing import close_poll
from consultation.polls.queries import turnout
from consultation.polls.tables import Ballot, Poll

START_SECONDS = 60
TOKEN_SECONDS = 24 * 3600


class Violated(Exception):
    """A promise was not kept."""


@dataclass(slots=True)
class Ground:
    """``tokens`` of everybody on the rolls."""

    settings: Settings
    polls: list[OpenPoll]
    tokens: dict[UUID, str]

    async def receipts(self) -> dict[tuple[UUID, UUID], list[str]]:
        """By poll and voter, of every cast in the ledger."""
        voter_of = {
            (poll.id, entry): voter
            for poll in self.polls
            for entry, voter in zip(poll.entries, poll.voters, strict=True)
        }
        db = build_database(self.settings)
        async with db.read() as tx:
            rows = await tx.session.exec(
                select(Ballot.poll_id, Ballot.roll_entry_id, Ballot.leaf_hash)
            )
            found: dict[tuple[UUID, UUID], list[str]] = {}
            for poll, entry, leaf in rows:
                found.setdefault((poll, voter_of[poll, entry]), []).append(leaf.hex())
        await db.dispose()
        return found

    async def counted(self, poll: OpenPoll) -> tuple[int, int]:
        """The heads in the counters, and in the result of a close that comes now or has come."""
        db = build_database(self.settings)
        async with db.begin(SYSTEM) as tx:
            row = await tx.session.get(Poll, poll.id)
            assert row is not None
            row.closes_at = min(row.closes_at, tx.now)
        async with db.begin(SYSTEM) as tx:
            await close_poll(tx, poll.id)
        async with db.read() as tx:
            row = await tx.session.get(Poll, poll.id)
            assert row is not None
            assert row.result is not None
            heads = (await turnout(tx, poll.id)).heads
        await db.dispose()
        return heads, row.result.participating.heads

    async def closes_in(self, poll: OpenPoll, seconds: float) -> None:
        """The system closes the poll by itself."""
        db = build_database(self.settings)
        async with db.begin(SYSTEM) as tx:
            row = await tx.session.get(Poll, poll.id)
            assert row is not None
            row.closes_at = tx.now + timedelta(seconds=seconds)
            await schedule(
                tx,
                JobKind.POLL_CLOSE,
                poll.id,
                row.closes_at,
                community_id=row.community_id,
                occasion=row.closes_at.isoformat(),
            )
        await db.dispose()

    async def is_closed(self, poll: OpenPoll) -> bool:
        db = build_database(self.settings)
        async with db.read() as tx:
            found = await tx.session.exec(
                select(func.count()).where(col(Poll.id) == poll.id, col(Poll.result).is_not(None))
            )
            closed = bool(found.one())
        await db.dispose()
        return closed

    def environment(self) -> dict[str, str]:
        settings = self.settings
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith("MINYI_")},
            "MINYI_DATABASE_URL": settings.database_url,
            "MINYI_FIELD_SECRET": settings.field_secret.get_secret_value(),
            "MINYI_TOKEN_KEY": settings.token_key.get_secret_value(),
            "MINYI_BOARD_KEY": settings.board_key.get_secret_value(),
            "MINYI_ACCESS_TOKEN_SECONDS": str(TOKEN_SECONDS),
            "MINYI_PORT": str(settings.port),
            "MINYI_WORKER_POLL_SECONDS": "0.05",
        }

    @contextmanager
    def servers(self, **more: str) -> Generator["Servers"]:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.faults.nursery"],
            env=self.environment() | more,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        servers = Servers(process, self.settings.port)
        try:
            yield servers
        finally:
            servers.kill()
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            process.stdout.close()
            process.wait(START_SECONDS)


class Servers:
    """One server at a time, on one port."""

    def __init__(self, nursery: subprocess.Popen[str], port: int) -> None:
        self._nursery = nursery
        self.port = port
        self._pid: int | None = None

    async def start(self) -> None:
        """Answers when the server takes connections."""
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write("\n")
        self._nursery.stdin.flush()
        line = await asyncio.to_thread(self._nursery.stdout.readline)
        self._pid = int(line)
        until = time.monotonic() + START_SECONDS
        while not _takes_connections(self.port):
            if time.monotonic() > until or not _is_alive(self._pid):
                raise RuntimeError("the server did not start")
            await asyncio.sleep(0.01)

    @property
    def alive(self) -> bool:
        return self._pid is not None and _is_alive(self._pid)

    def kill(self) -> None:
        """As ``kill -9`` does: nothing in it gets to finish anything."""
        if self._pid is None:
            return
        pid, self._pid = self._pid, None
        os.kill(pid, signal.SIGKILL)
        while _is_alive(pid):
            time.sleep(0.001)


def _port() -> int:
    """A free one that no outgoing connection is given while the server is down: it could not start
    again, and who asks whether it is up could meet themselves."""
    while True:
        port = random.randrange(20_000, 32_000)  # noqa: S311
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _takes_connections(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _is_alive(pid: int) -> bool:
    """Until its last thread is gone: a killed process whose first thread is a zombie still listens,
    and who asks then whether the next server is up meets the dead one. The nursery leaves no
    zombies."""
    return Path(f"/proc/{pid}").exists()


@asynccontextmanager
async def ground(folder: Path, url: str | None, rolls: list[int]) -> AsyncGenerator[Ground]:
    """An open poll for each size of roll, on SQLite in ``folder`` or on the database at ``url``."""
    more: dict[str, Any] = {"port": _port(), "access_token_seconds": TOKEN_SECONDS}
    if url is not None:
        more["database_url"] = url
    settings = settings_in(folder, **more)
    await runner.upgrade(settings.database_url)
    db = build_database(settings)
    community = await build_community(db, max(rolls))
    polls = await open_polls(db, community, [community.people[:size] for size in rolls])
    await db.dispose()
    tokens = Tokens(settings, system_clock)
    held = {id: tokens.issue(id, random_id(), random_id()) for id in community.people}
    yield Ground(settings, polls, held)


@contextmanager
def databases(folder: Path) -> Generator[dict[str, str | None]]:
    """By name, the address of each database; None is SQLite in the folder."""
    with cluster(core=1) as postgres:
        yield {"SQLite": None, "PostgreSQL": postgres.url}
