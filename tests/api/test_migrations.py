"""The migrations, run as they are shipped, on an empty database of each engine."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import func, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import select

from api.migrations import runner
from consultation.community.tables import Person
from consultation.database import Database, metadata
from consultation.polls.tables import Poll
from consultation.vault import Vault
from tests.conftest import BOARD_KEY, SECRET, ManualClock
from tests.contract.seeded import seed
from tests.world import build_world


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[str]:
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/new/minyi.sqlite3"
        return
    address: str = request.getfixturevalue("postgres_cluster")
    name = f"m_{uuid4().hex}"
    admin = await asyncpg.connect(f"postgresql://{address}/postgres")
    await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    yield f"postgresql+asyncpg://{address}/{name}"
    await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await admin.close()


async def test_an_upgraded_database_is_as_the_models_and_at_the_head(empty_url: str) -> None:
    await runner.upgrade(empty_url)

    assert await runner.differences(empty_url) == []
    assert await runner.current(empty_url) == runner.head()


async def test_up_down_and_up_again_with_people_in_it(empty_url: str) -> None:
    async def people() -> int:
        db = Database(empty_url, vault=Vault(SECRET.encode()), board_key=BOARD_KEY)
        await build_world(db)
        async with db.read() as tx:
            count = (await tx.session.exec(select(func.count()).select_from(Person))).one()
        await db.dispose()
        return count

    await runner.upgrade(empty_url)
    before = await people()
    await runner.downgrade(empty_url, "base")
    assert await runner.current(empty_url) is None
    # an empty database lacks exactly the tables that there are
    assert {d[0] for d in await runner.differences(empty_url)} == {
        "add_table",
        "add_index",
        "add_guard",
    }

    await runner.upgrade(empty_url)

    assert await people() == before > 0
    assert await runner.differences(empty_url) == []


async def test_two_processes_may_upgrade_at_once(empty_url: str) -> None:
    await asyncio.gather(runner.upgrade(empty_url), runner.upgrade(empty_url))

    assert await runner.differences(empty_url) == []


async def test_a_migration_that_fails_leaves_nothing_half_done(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_at_the_end(config: object, revision: str) -> None:
        upgrade(config, revision)
        raise OSError("the disk is full")

    upgrade = runner.command.upgrade
    monkeypatch.setattr(runner.command, "upgrade", fail_at_the_end)
    with pytest.raises(OSError, match="disk is full"):
        await runner.upgrade(empty_url)

    assert await runner.current(empty_url) is None


def test_every_constraint_has_a_name_by_which_a_migration_can_change_it() -> None:
    for table in metadata.tables.values():
        for constraint in [*table.constraints, *table.indexes]:
            if constraint.__class__.__name__ != "UniqueConstraint" or constraint.columns:
                assert constraint.name, (table.name, constraint)


def test_migrations_never_name_our_own_types() -> None:
    for file in (runner.FOLDER / "versions").glob("*.py"):
        text = file.read_text("utf-8")
        assert "consultation" not in text, file
        assert "sqlmodel" not in text, file


async def test_ballots_and_rolls_survive_the_change_to_casts(empty_url: str) -> None:
    """Down to where a voter had one row and up again: the same roll, the same choices, guarded."""
    await runner.upgrade(empty_url)
    db = Database(empty_url, vault=Vault(SECRET.encode()), board_key=BOARD_KEY, clock=ManualClock())
    world = await build_world(db)
    made = await seed(db, world)
    await db.dispose()

    async def ballots() -> list[tuple[str, object]]:
        engine = create_async_engine(empty_url)
        async with engine.connect() as connection:
            rows = await connection.execute(text("SELECT channel, choices FROM ballot"))
            found = [(channel, str(choices)) for channel, choices in rows]
        await engine.dispose()
        return found

    before = await ballots()
    await runner.downgrade(empty_url, "0001")
    assert [(c, str(w).replace("[", "").replace("]", "")) for c, w in before] == await ballots()
    await runner.upgrade(empty_url)

    assert await ballots() == before
    assert len(before) == 1
    assert made.addresses["poll_id"]
    assert await runner.differences(empty_url) == []


async def test_polls_whose_preset_said_whether_areas_are_public_can_be_read(empty_url: str) -> None:
    await runner.upgrade(empty_url)
    db = Database(empty_url, vault=Vault(SECRET.encode()), board_key=BOARD_KEY, clock=ManualClock())
    await seed(db, await build_world(db))
    await db.dispose()
    await runner.downgrade(empty_url, "0005")
    engine = create_async_engine(empty_url)
    async with engine.begin() as connection:
        if db.is_sqlite:
            said = "json_set(preset, '$.public_area_sums', json('true'))"
            await connection.execute(text("DROP TRIGGER poll_no_rewrite"))
        else:
            said = "(preset::jsonb || jsonb_build_object('public_area_sums', true))::json"
            await connection.execute(text("DROP TRIGGER poll_no_rewrite ON poll"))
        changed = await connection.execute(text(f"UPDATE poll SET preset = {said}"))
        assert changed.rowcount > 0
    await engine.dispose()

    await runner.upgrade(empty_url)

    async with db.read() as tx:
        polls = list(await tx.session.exec(select(Poll)))
    assert len(polls) == changed.rowcount
    assert await runner.differences(empty_url) == []
    await db.dispose()
