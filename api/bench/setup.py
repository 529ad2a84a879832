"""A database with one community in it, secrets, and a token for every phone."""

import asyncio
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from api.app import build_database
from api.migrations import runner
from api.settings import Settings, fresh_secrets, load
from api.tokens import Tokens
from consultation.community.tables import Node, NodeKind
from consultation.database import system_clock
from consultation.events.streams import community_stream
from consultation.ids import random_id
from consultation.permissions import SYSTEM


@dataclass
class Bench:
    """``events`` is how far the stream has come; ``tokens`` has one phone per line."""

    environment: dict[str, str]
    stream: str
    tokens: Path
    events: int = 0


@contextmanager
def build(folder: Path, phones: int) -> Generator[Bench]:
    secrets = dict(line.split("=", 1) for line in fresh_secrets().split())
    environment = {
        **secrets,
        "MINYI_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/bench.sqlite3",
        "MINYI_LOG_PATH": os.devnull,
    }
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        settings = load()
    finally:
        os.environ.clear()
        os.environ.update(before)
    stream = asyncio.run(_fill(settings))
    tokens = folder / "tokens"
    issuer = Tokens(settings, system_clock)
    with tokens.open("w") as file:
        for _ in range(phones):
            person = random_id()
            file.write(f"{person} {issuer.issue(person, random_id(), random_id())}\n")
    yield Bench(environment, stream, tokens)


async def _fill(settings: Settings) -> str:
    await runner.upgrade(settings.database_url)
    db = build_database(settings)
    id = random_id()
    async with db.begin(SYSTEM) as tx:
        tx.session.add(
            Node(
                id=id,
                community_id=None,
                kind=NodeKind.COMMUNITY,
                path=f"/{id}/",
                code="bench",
                name="测速社区",
                facts={},
            )
        )
    await db.dispose()
    return community_stream(id)
