"""The faults of ``minyi faults`` in small, on servers in processes of their own."""

import random
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from api.faults import kills, power, races, writes
from api.faults.ground import Violated
from api.faults.phones import Told
from api.faults.writes import FLUSH, TRUNCATE, WRITE, Operation, after_power_cut


def silently(line: str) -> None:
    """The figures are enough."""


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest) -> AsyncGenerator[str | None]:
    """None is SQLite in the test's folder."""
    if request.param == "sqlite":
        yield None
        return
    address: str = request.getfixturevalue("postgres_cluster")
    name = f"f_{uuid4().hex}"
    admin = await asyncpg.connect(f"postgresql://{address}/postgres")
    await admin.execute(f'CREATE DATABASE "{name}"')
    yield f"postgresql+asyncpg://{address}/{name}"
    await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await admin.close()


async def test_fifty_casts_of_one_voter_at_once_leave_one_ballot(
    tmp_path: Path, url: str | None
) -> None:
    figures = await races.one_voter(tmp_path, url)
    assert (figures["casts"], figures["ballots"]) == (50, 1)


async def test_across_the_close_acknowledged_is_counted(tmp_path: Path, url: str | None) -> None:
    figures = await races.across_the_close(tmp_path, url, casts=300)
    assert figures["acknowledged"] == figures["counted"]


async def test_of_many_repeats_acknowledged_voters_and_rows_are_the_same(
    tmp_path: Path, url: str | None
) -> None:
    figures = await races.many_repeats(tmp_path, url, casts=2000)
    assert figures["distinct voters"] == figures["acknowledged"] == figures["rows"]
    assert figures["receipts again"] + figures["already voted"] > 1000


async def test_a_killed_server_loses_and_doubles_nothing(tmp_path: Path, url: str | None) -> None:
    figures = await kills.killed_under_load(tmp_path, url, kills=3, tell=silently)
    assert figures["acknowledged lost"] == figures["counted twice"] == 0
    assert figures["acknowledged"] > 100
    assert figures["asked again"] > 0


async def test_what_was_acknowledged_survives_the_power_cut(tmp_path: Path) -> None:
    figures = await power.power_cuts(tmp_path, cuts=20, voters=300, tell=silently)
    assert figures["acknowledged lost"] == figures["databases broken"] == 0
    assert figures["not yet acknowledged at a cut"] > 0


async def test_the_power_cut_finds_what_is_not_flushed(tmp_path: Path) -> None:
    """The same with a database that does not flush at each commit: ballots must be missing, or
    the cut would show nothing."""
    figures = await power.power_cuts(
        tmp_path, cuts=20, voters=300, tell=silently, synchronous="NORMAL"
    )
    assert figures["acknowledged lost"] > 0


def test_a_cut_keeps_what_was_flushed_and_any_part_of_the_rest() -> None:
    def operation(what: bytes, number: int, content: bytes, end: int) -> Operation:
        return Operation(what, False, number, content, end)

    first, second = b"a" * writes.SECTOR, b"b" * writes.SECTOR
    operations = [
        operation(WRITE, 0, first, 10),
        operation(FLUSH, 0, b"", 20),
        operation(WRITE, 0, second, 30),
        operation(WRITE, writes.SECTOR, second, 40),
        operation(FLUSH, 0, b"", 50),
        operation(TRUNCATE, writes.SECTOR, b"", 60),
    ]

    def left(cut: int) -> set[bytes]:
        return {after_power_cut(b"", operations, cut, random.Random(n))[0] for n in range(60)}

    assert left(9) == {b""}
    assert left(10) == {b"", first}
    assert left(29) == {first}
    assert left(40) == {first, second, first + second, second + second}
    assert left(50) == {second + second}
    assert left(60) == {second + second, second}


def test_a_second_ballot_and_a_lost_one_are_found() -> None:
    poll, voter = uuid4(), uuid4()
    told = Told(receipts={(poll, voter): {"a"}})
    races.agree(told, {(poll, voter): ["a"]})
    for rows in ({(poll, voter): ["a", "b"]}, {(poll, voter): ["b"]}, {}):
        with pytest.raises(Violated):
            races.agree(told, rows)
