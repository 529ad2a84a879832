"""How PostgreSQL goes about a batch: from keys to rows, whatever the statistics say."""

import json
import re
from collections.abc import Iterator
from secrets import token_bytes
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import make_url

from api.bench.voting import OpenPoll, build_community, open_polls
from consultation.database import Database
from consultation.polls.express import postgres
from consultation.polls.express.ledgers import LEDGERS
from consultation.polls.presets import BallotMode

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
ROLL = 1000
BATCH = 24


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def literal(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case list():
            return "'{" + ", ".join(json.dumps(plain(one)) for one in value) + "}'"
        case _:
            return f"'{plain(value)}'"


def plain(value: object) -> str:
    return f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)


async def explained(connection: asyncpg.Connection, sql: str, *values: object) -> list[Any]:
    """The scans of a statement that was prepared, with what they really read."""
    kinds = dict(re.findall(r"\$(\d+)::(\w+(?:\[\])?)", sql))
    types = ", ".join(kinds.get(str(n), "int4") for n in range(1, len(values) + 1))
    arguments = ", ".join(map(literal, values))
    await connection.execute(f"PREPARE batch ({types}) AS {sql}")
    [[text]] = await connection.fetch(
        f"EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) EXECUTE batch ({arguments})"
    )
    await connection.execute("DEALLOCATE batch")
    found = nodes(json.loads(text)[0]["Plan"])
    return [node for node in found if "Relation Name" in node and "Scan" in node["Node Type"]]


async def a_hall(db: Database) -> list[OpenPoll]:
    """Three polls with a long roll, of which nobody has voted, and many with a short one."""
    community = await build_community(db, ROLL)
    people = community.people
    short = [people[3 * n : 3 * n + 3] for n in range(40)]
    return await open_polls(db, community, [people, people, people, *short])


@pytest.mark.parametrize("hot", [True, False])
async def test_a_batch_reads_no_place_but_its_own(db: Database, hot: bool) -> None:
    polls = await a_hall(db)
    chosen = [polls[0]] * BATCH if hot else polls[3 : 3 + BATCH]
    ids = [poll.id for poll in chosen]
    people = [poll.voters[n if hot else 0] for n, poll in enumerate(chosen)]
    entries = [poll.entries[n if hot else 0] for n, poll in enumerate(chosen)]
    dsn = make_url(db.url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn, server_settings=postgres.PLANS)
    try:
        await connection.execute("ANALYZE")
        look = await explained(connection, postgres.LOOK, ids, people)
        rows: list[list[object]] = [
            [*ids],
            [*entries],
            [*ids],
            ['{"1": ["for"]}'] * BATCH,
            [token_bytes(16) for _ in ids],
            [token_bytes(32) for _ in ids],
        ]
        now = db.clock()
        distinct: list[UUID] = list(dict.fromkeys(ids))
        sql = postgres._insert(LEDGERS[BallotMode.NAMED], counts=True)
        write = await explained(
            connection, sql, *rows, 1, False, "electronic", now, distinct, now, 0
        )
        assert await connection.fetchval("SELECT count(*) FROM ballot") == BATCH
    finally:
        await connection.close()

    for scans in (look, write):
        assert {"poll", "roll_entry"} <= {scan["Relation Name"] for scan in scans}
        for scan in scans:
            if scan["Relation Name"] in ("poll", "topic"):  # of few, all may be cheaper
                continue
            read = scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)
            assert read * scan["Actual Loops"] <= BATCH, scan
