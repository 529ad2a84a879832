"""The database itself refuses to change what is only ever added, on both engines."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Column, insert
from sqlalchemy.exc import IntegrityError
from sqlmodel.ext.asyncio.session import AsyncSession

from consultation.append_only import APPEND_ONLY, GUARDED, JOURNAL, ON_ROLL, protect, unprotect
from consultation.columns import EnumText, UtcDateTime, ValueObject
from consultation.database import Database, metadata
from consultation.events.community import RegisterImported
from consultation.topics.states import DocumentKind
from consultation.topics.tables import Document
from notifications.hub import Hub
from notifications.relay import Relay
from tests.world import World, a_topic

SAMPLES: dict[type, Any] = {
    UUID: UUID(int=7),
    date: date(2026, 3, 11),
    int: 1,
    bool: False,
    bytes: b"x",
}


def sample(column: Column[Any]) -> Any:
    if isinstance(column.type, EnumText):
        return next(iter(column.type.kind))
    if isinstance(column.type, UtcDateTime):
        return datetime(2026, 3, 11, tzinfo=UTC)
    if isinstance(column.type, ValueObject):
        kind = column.type.kind
        if hasattr(kind, "model_construct"):
            return kind.model_construct()
        return [] if str(kind).startswith("list") else {}
    return SAMPLES.get(column.type.python_type, "x")


async def run(db: Database, *statements: str) -> None:
    async with db.begin() as tx:
        for statement in statements:
            await (await tx.session.connection()).exec_driver_sql(statement)


async def add_a_row(session: AsyncSession, name: str) -> None:
    """Any row at all, with its references unchecked: the guards look at nothing but the deed."""
    if name in ON_ROLL:
        await add_a_row(session, "roll_entry")
    table = metadata.tables[name]
    row = {column.name: sample(column) for column in table.columns if not column.nullable}
    connection = await session.connection()
    if connection.dialect.name == "sqlite":
        await connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        await connection.execute(insert(table).values(row))
    else:
        await connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        await connection.execute(insert(table).values(row))
        await connection.exec_driver_sql("SET LOCAL session_replication_role = origin")


@pytest.mark.parametrize("deed", ["UPDATE {} SET community_id = community_id", "DELETE FROM {}"])
async def test_an_added_row_is_never_changed_or_removed(db: Database, deed: str) -> None:
    for table in APPEND_ONLY:
        async with AsyncSession(db.writer) as session:
            await add_a_row(session, table)
            connection = await session.connection()
            with pytest.raises(IntegrityError, match=f"{table} is append-only"):
                await connection.exec_driver_sql(deed.format(table))


@pytest.mark.parametrize(
    "deed",
    [
        "UPDATE journal_entry SET data = '{}'",
        "UPDATE journal_entry SET actor_id = NULL",
        "UPDATE journal_entry SET at = '2026-01-01'",
        "UPDATE journal_entry SET seq = 2",
        "UPDATE journal_entry SET digest = NULL",
        "DELETE FROM journal_entry",
    ],
)
async def test_a_numbered_journal_entry_is_never_changed_or_removed(
    db: Database, deed: str
) -> None:
    async with db.begin() as tx:
        tx.emit(RegisterImported(community_id=uuid4(), kind="households", rows=1))
    await Relay(db, Hub()).drain()

    with pytest.raises(IntegrityError, match="journal_entry is append-only"):
        await run(db, deed)


async def test_what_an_unnumbered_entry_says_cannot_change_before_it_is_numbered(
    db: Database,
) -> None:
    async with db.begin() as tx:
        tx.emit(RegisterImported(community_id=uuid4(), kind="households", rows=1))

    with pytest.raises(IntegrityError, match="journal_entry is append-only"):
        await run(db, "UPDATE journal_entry SET stream = 'user:x'")
    assert await Relay(db, Hub()).drain() == 1


@pytest.mark.parametrize("name", ON_ROLL)
async def test_a_ballot_from_a_place_on_another_roll_is_refused(db: Database, name: str) -> None:
    table = metadata.tables[name]
    row = {column.name: sample(column) for column in table.columns if not column.nullable}
    for of, its in (("another poll", {"poll_id": UUID(int=8)}), ("its own", {})):
        async with AsyncSession(db.writer) as session:
            await add_a_row(session, "roll_entry")
            connection = await session.connection()
            into = insert(table).values(row | its)
            if of == "its own":
                await connection.execute(into)
            else:
                with pytest.raises(IntegrityError, match="is not of the roll"):
                    await connection.execute(into)
            await session.rollback()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_truncating_is_refused_too(db: Database) -> None:
    for table in GUARDED:
        with pytest.raises(IntegrityError, match=f"{table} is append-only"):
            await run(db, f"TRUNCATE {table} CASCADE")


async def test_the_guards_can_be_taken_off_and_put_back_by_a_migration(db: Database) -> None:
    dialect = "sqlite" if db.is_sqlite else "postgresql"
    for statements in (unprotect(dialect), protect(dialect), protect(dialect)):
        await run(db, *statements)

    async with AsyncSession(db.writer) as session:
        await add_a_row(session, JOURNAL)
        with pytest.raises(IntegrityError, match="journal_entry is append-only"):
            await (await session.connection()).exec_driver_sql("DELETE FROM journal_entry")


async def test_a_filed_document_may_be_published_and_then_stays_so(
    db: Database, world: World
) -> None:
    topic = await a_topic(db, world)
    async with db.begin() as tx:
        row = Document(
            id=uuid4(),
            community_id=topic.community_id,
            topic_id=topic.id,
            series_id=uuid4(),
            kind=next(iter(DocumentKind)),
            round=1,
            title="方案",
            body="正文",
            content_hash="0" * 64,
            public=False,
            created_at=tx.now,
        )
        tx.session.add(row)

    await run(db, "UPDATE document SET public = TRUE")
    with pytest.raises(IntegrityError, match="document is append-only"):
        await run(db, "UPDATE document SET public = FALSE")


@pytest.mark.parametrize(
    ("table", "may_change"), [("document", {"public"}), (JOURNAL, {"seq", "digest"})]
)
async def test_no_column_of_a_row_with_exceptions_was_forgotten(
    db: Database, table: str, may_change: set[str]
) -> None:
    for column in set(metadata.tables[table].columns.keys()) - may_change:
        async with AsyncSession(db.writer) as session:
            await add_a_row(session, table)
            connection = await session.connection()
            with pytest.raises(IntegrityError, match=f"{table} is append-only"):
                await connection.exec_driver_sql(f"UPDATE {table} SET {column} = {column}")
