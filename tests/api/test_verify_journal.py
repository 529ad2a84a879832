"""``minyi verify-journal``: the journal as evidence, checked from outside the server."""

import asyncio
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from api import cli
from api.settings import Settings
from consultation.append_only import unprotect
from consultation.database import Database
from consultation.events.community import RegisterImported
from consultation.events.streams import community_stream
from notifications.hub import Hub
from notifications.relay import Relay


@pytest.fixture
def verify(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    for name in ("database_url", "field_secret", "token_key", "board_key"):
        value = getattr(settings, name)
        secret = value.get_secret_value() if isinstance(value, SecretStr) else value
        monkeypatch.setenv(f"MINYI_{name.upper()}", secret)

    async def run() -> Result:  # in a thread: the command runs a loop of its own
        return await asyncio.to_thread(CliRunner().invoke, cli.cli, ["verify-journal"])

    return run


async def journal(db: Database) -> UUID:
    community = uuid4()
    for rows in range(3):
        async with db.begin() as tx:
            tx.emit(RegisterImported(community_id=community, kind="households", rows=rows))
    await Relay(db, Hub()).drain()
    return community


async def test_an_honest_journal_is_confirmed(db: Database, verify) -> None:
    await journal(db)
    await journal(db)
    async with db.begin() as tx:
        tx.emit(RegisterImported(community_id=uuid4(), kind="households", rows=1))

    done = await verify()

    assert done.exit_code == 0
    assert "2 streams, 6 entries, 1 not yet numbered." in done.output


async def test_a_changed_entry_is_named_and_fails_the_command(db: Database, verify) -> None:
    community = await journal(db)
    async with db.begin() as tx:
        connection = await tx.session.connection()
        for statement in unprotect("sqlite" if db.is_sqlite else "postgresql"):
            await connection.exec_driver_sql(statement)
        await connection.exec_driver_sql("UPDATE journal_entry SET type = 'x' WHERE seq = 2")

    done = await verify()

    assert done.exit_code == 1
    assert f"{community_stream(community)} breaks at 2" in done.output
