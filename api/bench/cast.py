"""``minyi bench cast``: the moment of the vote, at 64 phones, beside what else one could do.

The server as shipped has one core; PostgreSQL, which flushes what it says is safe, and the phones
have the other. Every cast is a new ballot over HTTP with a token, judged, and durable before it is
answered; phones have looked at the poll before, so their tokens are known to the server. All sides
take their turns in one run.
"""

import asyncio
import logging
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import uvicorn
import uvloop

from api import logs, server
from api.app import build_database
from api.bench import plain_casting
from api.bench.clients import Driven, drive
from api.bench.machine import (
    LOAD_CORE,
    SERVER_CORE,
    cpu_seconds,
    free_port,
    pin,
    process,
    settings_in,
)
from api.bench.postgres import PLACE, Cluster, cluster
from api.bench.report import Report
from api.bench.storing import STORED, on_sqlite
from api.bench.voting import FOR, OpenPoll, Tell, Votes, build_community, open_polls
from api.migrations import runner
from api.settings import Settings
from api.tokens import Tokens
from consultation.database import system_clock
from consultation.ids import random_id
from consultation.polls.commands.express import Express
from consultation.polls.express.judging import OwnCast

CLIENTS = 64
POLLS = 1000
CASTS = 6000
"""In one turn over HTTP."""
RUNS = 5
FEWER = 10
"""The plain route takes so many times fewer, or nobody would wait for it."""
ALONE = 400
"""In one turn of one client."""
TOKEN_SECONDS = 4 * 3600


# ---- what is served ------------------------------------------------------------------------------


def serve_shipped(settings: Settings, log: str) -> None:
    with Path(log).open("a", encoding="utf-8", buffering=1) as stream:
        logs.configure(stream)
        server.run(settings)


def serve_bare(settings: Settings, port: int) -> None:
    _serve(plain_casting.bare(Tokens(settings, system_clock)), port)


def serve_orm(settings: Settings, port: int) -> None:
    app = plain_casting.with_orm(build_database(settings), Tokens(settings, system_clock))
    _serve(app, port)


def _serve(app: Any, port: int) -> None:
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_config=None)


# ---- over HTTP, on PostgreSQL --------------------------------------------------------------------


@dataclass(slots=True)
class Side:
    """One server; ``pid`` whose time is counted."""

    name: str
    port: int
    pid: int


def _turn(report: Report, side: Side, name: str, requests: Sequence[bytes], clients: int) -> None:
    before = cpu_seconds(side.pid)
    driven = _driven(side.port, requests, clients)
    cpu = cpu_seconds(side.pid) - before
    if driven.statuses.keys() != {200}:
        raise RuntimeError(f"{name} answered {dict(driven.statuses)}")
    report.note(
        name,
        casts_per_second=driven.rate,
        server_cpu_us=cpu / driven.answered * 1e6,
        client_cpu_us=driven.cpu / driven.answered * 1e6,
        p50_ms=driven.wait(0.5) * 1e3,
        p99_ms=driven.wait(0.99) * 1e3,
    )


def _driven(port: int, requests: Sequence[bytes], clients: int) -> Driven:
    pin(LOAD_CORE)
    return drive(port, requests, connections=min(clients, len(requests)))


@contextmanager
def _sides(settings: Settings, folder: Path) -> Iterator[dict[str, Side]]:
    with ExitStack() as stack:
        sides = {}
        ports = {name: free_port() for name in ("shipped", "bare", "orm")}
        shipped = settings.model_copy(update={"port": ports["shipped"]})
        for name, work, arguments in (
            ("shipped", serve_shipped, (shipped, str(folder / "server.log"))),
            ("bare", serve_bare, (settings, ports["bare"])),
            ("orm", serve_orm, (settings, ports["orm"])),
        ):
            spawned = stack.enter_context(process(work, *arguments, port=ports[name]))
            assert spawned.pid is not None
            sides[name] = Side(name, ports[name], spawned.pid)
        yield sides


@dataclass(slots=True)
class Hall:
    """Everything that is voted on. ``many`` and ``one`` by phones, ``alone`` by one client."""

    many: Votes
    one: Votes
    plain: Votes
    alone: Votes
    voters: Sequence[UUID]


async def _prepare(settings: Settings, postgres: Cluster, casts: int, runs: int) -> Hall:
    db = build_database(settings)
    tokens = Tokens(settings, system_clock)
    turns = runs + 1
    each = -(-turns * casts // POLLS)
    crowd = turns * casts
    few = -(-turns * (casts // FEWER + ALONE * 3) // 100) + 1
    community = await build_community(db, max(crowd, 2 * each))
    people = community.people
    held = {id: tokens.issue(id, random_id(), random_id()) for id in people}

    def rolls(count: int, size: int) -> list[Sequence[UUID]]:
        """Overlapping: somebody votes in several polls."""
        shared = min(len(people), 5000)
        return [[people[(n * 7 + k) % shared] for k in range(size)] for n in range(count)]

    many = await open_polls(db, community, rolls(POLLS, each))
    one = await open_polls(db, community, [people[:crowd]])
    plain = await open_polls(db, community, rolls(100, few))
    alone = await open_polls(db, community, rolls(100, few))
    for_pgbench = await open_polls(db, community, rolls(POLLS, each))
    hot_for_pgbench = await open_polls(db, community, [people[:crowd]])
    await _places(postgres, community.id, for_pgbench, hot_for_pgbench[0])
    await db.dispose()
    return Hall(Votes(many, held), Votes(one, held), Votes(plain, held), Votes(alone, held), people)


async def _places(
    postgres: Cluster, community: UUID, many: Sequence[OpenPoll], one: OpenPoll
) -> None:
    """Places by number for pgbench; n of the many belongs to poll n % 1,000."""
    connection = await asyncpg.connect(postgres.dsn)
    await connection.execute(plain_casting.TABLES)
    await connection.execute("CREATE TABLE bench_hot_place (LIKE bench_place INCLUDING ALL)")
    rows = [
        (index * len(many) + number, poll.id, poll.entries[index], community)
        for number, poll in enumerate(many)
        for index in range(len(poll.entries))
    ]
    await connection.copy_records_to_table("bench_place", records=rows)
    rows = [(n, one.id, entry, community) for n, entry in enumerate(one.entries)]
    await connection.copy_records_to_table("bench_hot_place", records=rows)
    await connection.execute(
        "INSERT INTO bench_tally SELECT p, c, 0 "
        "FROM generate_series(0, $1::int) p, generate_series(1, 2) c",
        POLLS - 1,
    )
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


async def _settle(postgres: Cluster) -> None:
    """Every turn begins with the same clean table of pages."""
    connection = await asyncpg.connect(postgres.dsn)
    await connection.execute("CHECKPOINT")
    await connection.close()


def _pgbench(
    report: Report, postgres: Cluster, name: str, run: int, casts: int, *, polls: int
) -> None:
    hot = polls == 1
    each = casts // CLIENTS
    rate = postgres.pgbench(
        plain_casting.PGBENCH.replace("bench_place", "bench_hot_place" if hot else "bench_place"),
        clients=CLIENTS,
        transactions=each,
        i=-1,
        each=each,
        first=run * casts,
        polls=polls,
    )
    report.note(name, casts_per_second=rate)


def _over_http(report: Report, folder: Path, casts: int, tell: Tell) -> None:
    with cluster(LOAD_CORE) as postgres:
        settings = settings_in(
            folder, database_url=postgres.url, access_token_seconds=TOKEN_SECONDS
        )
        tell("building polls and rolls")
        asyncio.run(runner.upgrade(settings.database_url))
        hall = asyncio.run(_prepare(settings, postgres, casts, report.runs))
        with _sides(settings, folder) as sides:
            for run in range(-1, report.runs):
                # the first turn of everybody warms up and is not noted
                noted = report if run >= 0 else Report(report.bench, 1)
                tell(f"run {run + 1} of {report.runs}" if run >= 0 else "warming up")
                _one_run(noted, postgres, sides, hall, run + 1, casts)
                asyncio.run(_alone(noted, settings, hall))


def _one_run(
    report: Report, postgres: Cluster, sides: dict[str, Side], hall: Hall, run: int, casts: int
) -> None:
    shipped, bare, orm = sides["shipped"], sides["bare"], sides["orm"]
    many, one = hall.many.take(casts), hall.one.take(casts)
    for pairs in (many, one):  # phones look before they vote: their tokens are known
        known = list({voter: (poll, voter) for poll, voter in pairs}.values())
        _driven(shipped.port, hall.many.requests(known, b"{}"), CLIENTS)
        _driven(bare.port, hall.many.requests(known), CLIENTS)
    asyncio.run(_settle(postgres))
    _turn(report, bare, "bare endpoint", hall.many.requests(many), CLIENTS)
    _pgbench(report, postgres, "pgbench, 1,000 polls", run, casts, polls=POLLS)
    asyncio.run(_settle(postgres))
    before = postgres.cpu_seconds()
    _turn(report, shipped, "minyi, 1,000 polls", hall.many.requests(many), CLIENTS)
    spent = (postgres.cpu_seconds() - before) / casts * 1e6
    report.note("minyi, 1,000 polls", postgres_cpu_us=spent)
    asyncio.run(_settle(postgres))
    _pgbench(report, postgres, "pgbench, one hot poll", run, casts, polls=1)
    asyncio.run(_settle(postgres))
    _turn(report, shipped, "minyi, one hot poll", hall.one.requests(one), CLIENTS)
    asyncio.run(_settle(postgres))
    fewer = hall.plain.requests(hall.plain.take(casts // FEWER))
    _turn(report, orm, "plain ORM route", fewer, CLIENTS)
    _turn(report, shipped, "minyi, one client", hall.alone.requests(hall.alone.take(ALONE // 4)), 1)


async def _alone(report: Report, settings: Settings, hall: Hall) -> None:
    """One client in the process itself: the group of one beside one transaction per ballot."""
    pin(SERVER_CORE)
    db = build_database(settings)
    express, one_by_one = Express(db), await plain_casting.OneByOne.open(db.url)
    sides: list[tuple[str, Callable[[UUID, UUID], Awaitable[Any]]]] = [
        ("store, one client, group", lambda p, v: express.cast(OwnCast(p, v, FOR))),
        ("store, one client, transaction", one_by_one.cast),
    ]
    for _, cast in sides:
        await cast(*hall.alone.take(1)[0])
    for poll, voter in hall.alone.take(ALONE):  # a process knows the polls it has taken ballots of
        await express.cast(OwnCast(poll, voter, FOR))
    part = ALONE // 8
    spent: dict[str, list[float]] = {name: [] for name, _ in sides}
    for name, cast in sides * 8:  # in small turns, as both wait for the same disk
        pairs = hall.alone.take(part // 2)
        began = time.perf_counter()
        for poll, voter in pairs:
            await cast(poll, voter)
        spent[name].append(time.perf_counter() - began)
    for name, seconds in spent.items():
        report.note(name, casts_per_second=part // 2 * len(seconds) / sum(seconds))
    await one_by_one.close()
    await db.dispose()


# ---- the report ----------------------------------------------------------------------------------


def run(runs: int, casts: int, tell: Tell) -> Report:
    """``casts`` per turn. Takes some minutes."""
    report = Report("cast", runs)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    cores = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory(prefix="minyi-bench-", dir=PLACE) as name:
        folder = Path(name)
        try:
            _over_http(report, folder, casts, tell)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
                loop.run(
                    on_sqlite(report, folder, tell, stored=min(casts, STORED), clients=CLIENTS)
                )
        finally:
            os.sched_setaffinity(0, cores)
    rate = "casts_per_second"
    for name, ours, theirs, least in (
        ("HTTP over 1,000 polls / pgbench", "minyi, 1,000 polls", "pgbench, 1,000 polls", 1.5),
        ("HTTP on one hot poll / pgbench", "minyi, one hot poll", "pgbench, one hot poll", 3.0),
        ("HTTP / plain ORM route", "minyi, 1,000 polls", "plain ORM route", 20.0),
        ("HTTP / bare endpoint", "minyi, 1,000 polls", "bare endpoint", 0.35),
        (
            "SQLite: group / commit per ballot",
            "SQLite, group commit",
            "SQLite, commit per ballot",
            6.0,
        ),
        (
            "one client: group / transaction",
            "store, one client, group",
            "store, one client, transaction",
            0.9,
        ),
    ):
        report.compare(name, ours, theirs, rate, least=least)
    report.figures |= {"clients": CLIENTS, "polls": POLLS, "casts_per_turn": casts}
    return report
