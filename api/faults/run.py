"""All faults in a row, with their figures."""

import asyncio
import logging
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
from sqlalchemy import make_url

from api.bench.postgres import PLACE
from api.faults import kills, power, races
from api.faults.ground import Violated, databases

Tell = Callable[[str], None]
Figures = dict[str, int]


def run(trials: int, casts: int, tell: Tell) -> bool:
    """Whether every promise was kept. ``trials``: kills on each database, and power cuts."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    return asyncio.run(_all(trials, casts, tell))


async def _all(trials: int, casts: int, tell: Tell) -> bool:
    kept = True
    with tempfile.TemporaryDirectory(prefix="minyi-faults-", dir=PLACE) as made:
        folder = Path(made)
        with databases(folder) as found:
            for name, url in found.items():
                faults: list[tuple[str, Callable[[Path, str | None], Awaitable[Figures]]]] = [
                    ("50 casts of one voter at once", races.one_voter),
                    ("casts across the close", races.across_the_close),
                    (
                        "casts with many repeats",
                        lambda place, url: races.many_repeats(place, url, casts=casts),
                    ),
                    (
                        "kill -9 under load",
                        lambda place, url: kills.killed_under_load(
                            place, url, kills=trials, tell=tell
                        ),
                    ),
                ]
                for number, (what, fault) in enumerate(faults):
                    place = folder / f"{name}-{number}"
                    place.mkdir()
                    fresh = None if url is None else await _fresh(url, number)
                    kept &= await _one(f"{name}: {what}", fault(place, fresh), tell)
            place = folder / "power"
            place.mkdir()
            cuts = power.power_cuts(place, cuts=trials, tell=tell)
            kept &= await _one("SQLite: the power is cut", cuts, tell)
    return kept


async def _one(what: str, work: Awaitable[Figures], tell: Tell) -> bool:
    try:
        figures = await work
    except Violated as violated:
        tell(f"✗ {what}: {violated}")
        return False
    good = not figures.get("acknowledged lost") and not figures.get("databases broken")
    said = ", ".join(f"{name} {number}" for name, number in figures.items())
    tell(f"{'✓' if good else '✗'} {what}: {said}")
    return good


async def _fresh(url: str, number: int) -> str:
    """A database of its own in the cluster."""
    address = make_url(url)
    connection = await asyncpg.connect(
        address.set(drivername="postgresql").render_as_string(hide_password=False)
    )
    await connection.execute(f'CREATE DATABASE "fault{number}"')
    await connection.close()
    return address.set(database=f"fault{number}").render_as_string(hide_password=False)
