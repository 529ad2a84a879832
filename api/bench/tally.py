"""``minyi bench tally``: reading a turnout, and a closed result, must not cost more where more have
voted. The server as shipped, one reader with a token, both databases."""

import asyncio
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import uvloop

from api.app import build_database
from api.bench.cast import TOKEN_SECONDS, serve_shipped
from api.bench.clients import drive
from api.bench.machine import LOAD_CORE, SERVER_CORE, free_port, get, pin, process, settings_in
from api.bench.postgres import PLACE, cluster
from api.bench.report import Report
from api.bench.voting import FOR, OpenPoll, Tell, build_community, open_polls
from api.migrations import runner
from api.settings import Settings
from api.tokens import Tokens
from consultation.database import Database, system_clock
from consultation.ids import random_id
from consultation.permissions import SYSTEM
from consultation.polls.commands.closing import close_poll
from consultation.polls.commands.express import Express
from consultation.polls.express.judging import OwnCast
from consultation.polls.queries import frozen_roll
from consultation.polls.rolls import roll_digest
from consultation.polls.rules import PollState
from consultation.polls.tables import Poll

FEW = 1000
READS = 150
"""In one turn."""
AT_ONCE = 256


@dataclass(slots=True)
class Reading:
    name: str
    path: str


async def _prepare(report: Report, settings: Settings, name: str, ballots: int) -> list[Reading]:
    db = build_database(settings)
    community = await build_community(db, ballots)
    sizes = (FEW, ballots)
    polls = await open_polls(db, community, [community.people[:size] for size in (*sizes, *sizes)])
    express = Express(db)
    readings = []
    for poll, closed in zip(polls, (False, False, True, True), strict=True):
        size = len(poll.voters)
        await _vote(express, poll.id, poll.voters)
        if closed:
            seconds = await _close(db, poll)
            report.figures[f"{name}: closing {size} ballots, ms"] = round(seconds * 1000, 1)
        what = "closed result" if closed else "turnout"
        readings.append(Reading(f"{name}, {what}, {size} ballots", f"/v1/polls/{poll.id}"))
    await db.dispose()
    return readings


async def _vote(express: Express, poll_id: UUID, voters: Sequence[UUID]) -> None:
    waiting = iter(voters)

    async def phone() -> None:
        for voter in waiting:
            await express.cast(OwnCast(poll_id, voter, FOR))

    await asyncio.gather(*(phone() for _ in range(AT_ONCE)))


async def _close(db: Database, poll: OpenPoll) -> float:
    """Close it as the system does, and publish without the signatures; the seconds of the close."""
    async with db.begin(SYSTEM) as tx:
        row = await tx.session.get(Poll, poll.id)
        assert row is not None
        row.closes_at = tx.now - timedelta(seconds=1)
        row.roll_digest = roll_digest(list((await frozen_roll(tx, row)).values()))
    began = time.perf_counter()
    async with db.begin(SYSTEM) as tx:
        await close_poll(tx, poll.id)
    seconds = time.perf_counter() - began
    async with db.begin(SYSTEM) as tx:
        row = await tx.session.get(Poll, poll.id)
        assert row is not None
        assert row.result is not None
        assert row.result.participating.heads == len(poll.voters)
        row.state, row.published_at = PollState.PUBLISHED, tx.now
    return seconds


def _measure(report: Report, settings: Settings, folder: Path, name: str, ballots: int) -> None:
    asyncio.run(runner.upgrade(settings.database_url))
    pin(SERVER_CORE)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        readings = loop.run(_prepare(report, settings, name, ballots))
    pin(LOAD_CORE)
    tokens = Tokens(settings, system_clock)
    token = f"Bearer {tokens.issue(random_id(), random_id(), random_id())}"
    log = str(folder / f"{settings.port}.log")
    with process(serve_shipped, settings, log, port=settings.port):
        for run in range(-1, report.runs):
            for reading in readings:
                requests = [get(reading.path, authorization=token)] * READS
                driven = drive(settings.port, requests, connections=1)
                assert driven.statuses.keys() == {200}, driven.statuses
                if run >= 0:
                    report.note(reading.name, p50_ms=driven.wait(0.5) * 1e3)
    for what in ("turnout", "closed result"):
        few, many = [
            report.median(f"{name}, {what}, {size} ballots", "p50_ms") for size in (FEW, ballots)
        ]
        report.at_most(f"{name}: {what}, {ballots} / {FEW} ballots", many / few, 1.5)


def run(runs: int, ballots: int, tell: Tell) -> Report:
    report = Report("tally", runs)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    cores = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory(prefix="minyi-bench-", dir=PLACE) as made:
        folder = Path(made)
        try:
            for name in ("SQLite", "PostgreSQL"):
                tell(f"{name}: {2 * (ballots + FEW)} ballots")
                more = {"port": free_port(), "access_token_seconds": TOKEN_SECONDS}
                if name == "SQLite":
                    _measure(report, settings_in(folder, **more), folder, name, ballots)
                    continue
                with cluster(LOAD_CORE) as postgres:
                    settings = settings_in(folder, database_url=postgres.url, **more)
                    _measure(report, settings, folder, name, ballots)
        finally:
            os.sched_setaffinity(0, cores)
    return report
