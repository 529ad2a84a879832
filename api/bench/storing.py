"""The store of SQLite by itself, without HTTP: many who share commits beside a commit for each."""

import asyncio
import gc
import time
from collections.abc import Sequence
from pathlib import Path

from api import server
from api.app import build_database
from api.bench.machine import SERVER_CORE, pin, settings_in
from api.bench.report import Report
from api.bench.voting import FOR, Tell, Votes, build_community, open_polls
from api.migrations import runner
from consultation.database import system_clock
from consultation.polls.commands.express import Express
from consultation.polls.express.judging import OwnCast
from consultation.polls.express.sqlite import SqliteBox

AT_HOME = 10
"""Polls at once where SQLite is used: in one community."""
STORES = 3
"""Databases one after the other, so that a slow second of the machine decides nothing."""
STORE_TURNS = 5
STORED = 4000
"""In one turn of the store of SQLite: with the turn that warms up, and a quarter more by the other
side, all ten polls of a community of 3,000 households are voted in to the end."""


async def on_sqlite(report: Report, folder: Path, tell: Tell, *, stored: int, clients: int) -> None:
    """``clients`` callers who share commits, beside a thread that commits each ballot: the same
    steps on the same connection settings, ``synchronous=FULL``, in a process whose garbage is
    collected as a server's is."""
    pin(SERVER_CORE)
    server.collect_less()
    for store in range(STORES):
        tell(f"SQLite, database {store + 1} of {STORES}")
        home = folder / f"sqlite-{store}"
        home.mkdir()
        await _in_one_store(report, home, stored, clients)


async def _in_one_store(report: Report, folder: Path, stored: int, clients: int) -> None:
    settings = settings_in(folder)
    await runner.upgrade(settings.database_url)
    db = build_database(settings)
    turns, alone = STORE_TURNS + 1, stored // 4
    community = await build_community(db, -(-turns * (stored + alone) // AT_HOME))
    polls = await open_polls(db, community, [community.people] * AT_HOME)
    votes = Votes(polls, {})
    group, single = Express(db), SqliteBox(db.url, system_clock, db.turn)
    gc.collect()
    gc.freeze()  # as a server does, which holds nothing of what was measured before
    for turn in range(turns):
        # the first turn of everybody warms up and is not noted
        noted = report if turn else Report(report.bench, 1)
        casts = [OwnCast(poll, voter, FOR) for poll, voter in votes.take(alone)]
        began, cpu = time.perf_counter(), time.process_time()
        await single.put_in_one_by_one(casts)
        _note_store(noted, "SQLite, commit per ballot", alone, began, cpu)
        casts = [OwnCast(poll, voter, FOR) for poll, voter in votes.take(stored)]
        began, cpu = time.perf_counter(), time.process_time()
        await _together(group, casts, clients)
        _note_store(noted, "SQLite, group commit", stored, began, cpu)
    await single.close()
    await db.dispose()


def _note_store(report: Report, name: str, casts: int, began: float, cpu: float) -> None:
    seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    report.note(name, casts_per_second=casts / seconds, cpu_us=spent / casts * 1e6)


async def _together(express: Express, casts: Sequence[OwnCast], clients: int) -> None:
    waiting = iter(casts)

    async def phone() -> None:
        for cast in waiting:
            await express.cast(cast)

    await asyncio.gather(*(phone() for _ in range(clients)))
