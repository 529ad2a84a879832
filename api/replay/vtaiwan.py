"""``minyi replay vtaiwan``: a real public consultation, held again through the public API.

vTaiwan's consultation on UberX (2015): 197 statements, 49,997 marks by 1,921 people. Everybody gets
a verified account through the registers; a real server in a process of its own, on a fresh SQLite
file, gets every statement and every mark as one HTTP request with that person's access token.
Data: The Computational Democracy Project, CC BY 4.0.
"""

import asyncio
import multiprocessing
import secrets
import socket
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import cache
from multiprocessing.process import BaseProcess
from pathlib import Path

import httpx
from pydantic import SecretStr

from api import logs, server
from api.app import build_database
from api.migrations import runner
from api.replay.community import LEAD, SetUpClock, Venue, set_up
from api.replay.comparing import compare, digest, read_end
from api.replay.feeding import LANES, feed, moderate
from api.replay.records import Records, read_records
from api.settings import Settings
from api.tokens import Tokens
from consultation.database import system_clock
from consultation.ids import random_id

START_SECONDS = 120


async def replay(folder: Path, *, tell: Callable[[str], None] = print) -> bool:
    """Whether everything came out as it was. Raises RecordsUnreadable."""
    records = read_records(folder)
    with tempfile.TemporaryDirectory(prefix="minyi-replay-") as temporary:
        settings = _settings(Path(temporary))
        await runner.upgrade(settings.database_url)
        clock = SetUpClock(system_clock() - LEAD)
        db = build_database(settings, clock=clock)
        try:
            venue = await set_up(db, clock, records.people)
        finally:
            await db.dispose()
        tell(
            f"{len(records.people)} verified residents; {len(records.statements)} statements and "
            f"{len(records.marks)} marks follow in {LANES} lanes"
        )
        return await _replay(settings, Path(temporary), records, venue, tell)


async def _replay(
    settings: Settings, temporary: Path, records: Records, venue: Venue, tell: Callable[[str], None]
) -> bool:
    tokens = Tokens(settings, system_clock)

    @cache
    def headers_of(number: int) -> dict[str, str]:
        token = tokens.issue(venue.people[number], random_id(), random_id())
        return {"authorization": f"Bearer {token}"}

    assert venue.clerk.person_id is not None
    clerk = {
        "authorization": f"Bearer {tokens.issue(venue.clerk.person_id, random_id(), random_id())}",
        "minyi-role": str(venue.clerk.assignment_id),
    }
    async with _served(settings, temporary / "server.log") as http:
        fed = await feed(http, records, topic_id=venue.topic_id, headers_of=headers_of, tell=tell)
        tell(f"{fed.marks} mark events in {fed.seconds:.1f} s: {fed.per_second:.0f} per second")
        await moderate(http, records.statements, fed, clerk)
        db = build_database(settings)
        try:
            end = await read_end(
                http,
                db,
                topic_id=venue.topic_id,
                headers=clerk,
                statement_ids=fed.statement_ids,
                people=venue.people,
            )
        finally:
            await db.dispose()
    checks = compare(records, end)
    for check in checks:
        tell(str(check))
    tell(f"digest of the final state: {digest(end)}")
    return all(check.ok for check in checks)


def _settings(folder: Path) -> Settings:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return Settings(
        database_url=f"sqlite+aiosqlite:///{folder}/replay.sqlite3",
        field_secret=SecretStr(secrets.token_urlsafe(48)),
        token_key=SecretStr(secrets.token_hex(32)),
        board_key=SecretStr(secrets.token_hex(32)),
        access_token_seconds=24 * 3600,
        content_check="none",  # people moderated it at the time
        port=port,
    )


@asynccontextmanager
async def _served(settings: Settings, log_path: Path) -> AsyncGenerator[httpx.AsyncClient]:
    """The server in a process of its own, as ``minyi serve`` runs it, logs included."""
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(settings, log_path))
    process.start()
    limits = httpx.Limits(max_connections=LANES + 2, max_keepalive_connections=LANES + 2)
    try:
        async with httpx.AsyncClient(
            base_url=f"http://{settings.host}:{settings.port}",
            limits=limits,
            timeout=60,
            trust_env=False,  # loopback needs no proxy
        ) as http:
            await _ready(http, process)
            yield http
    finally:
        process.terminate()
        await asyncio.to_thread(process.join)


def _serve(settings: Settings, log_path: Path) -> None:
    with log_path.open("a", encoding="utf-8", buffering=1) as stream:
        logs.configure(stream)
        server.run(settings)


async def _ready(http: httpx.AsyncClient, process: BaseProcess) -> None:
    give_up = time.monotonic() + START_SECONDS
    while process.is_alive() and time.monotonic() < give_up:
        try:
            if (await http.get("/readyz")).is_success:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.1)
    raise RuntimeError("the server did not start")
