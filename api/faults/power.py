"""The power goes while ballots come in: what SQLite had flushed is there, of the rest any part."""

import asyncio
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

from api.faults.ground import Violated, ground
from api.faults.phones import Phone, Told
from api.faults.writes import after_power_cut, read_record

CONNECTIONS = 16
VOTERS = 1500


async def power_cuts(
    folder: Path,
    *,
    cuts: int,
    tell: Callable[[str], None],
    voters: int = VOTERS,
    seed: int = 1,
    synchronous: str = "",
) -> dict[str, int]:
    """Ballots are cast over HTTP while every write and flush of the server is recorded, with what
    had been written when each was acknowledged. Then the power is cut at ``cuts`` random points of
    the record: each time the database must be whole and hold all that was acknowledged by then."""
    draw = random.Random(seed)  # noqa: S311
    async with ground(folder, None, [voters]) as house:
        poll = house.polls[0]
        told, acknowledged = Told(), list[tuple[int, str]]()
        file = Path(house.settings.database_url.partition(":///")[2])
        before, record = file.read_bytes(), folder / "record"  # noqa: ASYNC240  nobody waits
        record.touch()
        waiting = iter(poll.voters)
        more = {"MINYI_FAULTS_WRITES": str(record)}
        if synchronous:
            more["MINYI_FAULTS_SYNCHRONOUS"] = synchronous
        with house.servers(**more) as servers:
            await servers.start()
            first = record.stat().st_size

            async def phone() -> None:
                mine = Phone(servers.port, told, house.tokens)
                for voter in waiting:
                    if await mine.cast((poll.id, voter, "for")) == 200:
                        (receipt,) = told.receipts[poll.id, voter]
                        # what is in the record by now was written before the answer
                        acknowledged.append((record.stat().st_size, receipt))
                mine.hang_up()

            await asyncio.gather(*(phone() for _ in range(CONNECTIONS)))
        operations = read_record(record)
    if len(acknowledged) != voters:
        raise Violated(f"{len(acknowledged)} of {voters} acknowledged, {told.refused}")

    lost, broken, dropped = 0, 0, 0
    last = acknowledged[-1][0]
    for cut in range(1, cuts + 1):
        at = draw.randrange(first, last)
        must = {receipt for written, receipt in acknowledged if written <= at}
        there = _what_is_there(folder, *after_power_cut(before, operations, at, draw))
        if there is None:
            broken += 1
            lost += len(must)
        else:
            lost += len(must - there)
            dropped += len([1 for written, _ in acknowledged if written > at])
        if cut % 25 == 0:
            tell(f"  {cut} power cuts, {lost} lost")
    return {
        "power cuts": cuts,
        "ballots": voters,
        "writes": len(operations),
        "not yet acknowledged at a cut": dropped,
        "databases broken": broken,
        "acknowledged lost": lost,
    }


def _what_is_there(folder: Path, database: bytes, log: bytes) -> set[str] | None:
    """The receipts in a database as the cut left it; None if it is broken."""
    file = folder / "after.sqlite3"
    for suffix in ("", "-wal", "-shm"):
        Path(f"{file}{suffix}").unlink(missing_ok=True)
    file.write_bytes(database)
    if log:
        Path(f"{file}-wal").write_bytes(log)
    connection = sqlite3.connect(file)
    try:
        (whole,) = connection.execute("PRAGMA integrity_check").fetchone()
        rows = connection.execute("SELECT leaf_hash FROM ballot").fetchall()
    except sqlite3.DatabaseError:
        return None
    finally:
        connection.close()
    return {leaf.hex() for (leaf,) in rows} if whole == "ok" else None
