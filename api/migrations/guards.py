"""Writes into a revision, word for word, the append-only triggers that a database at the newest
revision has not, or has with other words, and ``consultation/append_only.py`` asks for."""

from typing import Any

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.migration import MigrationContext
from alembic.operations import MigrateOperation, MigrationScript
from sqlalchemy import Connection, text

from consultation.append_only import protect, unprotect

DIALECTS = ("sqlite", "postgresql")


class RunOp(MigrateOperation):
    """Statements by dialect."""

    def __init__(self, statements: dict[str, list[str]]) -> None:
        self.statements = statements


@renderers.dispatch_for(RunOp)
def _render(context: AutogenContext, operation: RunOp) -> str:
    lines = [
        f"    {dialect}=[\n" + "".join(f"        {text!r},\n" for text in statements) + "    ],\n"
        for dialect, statements in operation.statements.items()
    ]
    return f"run(\n{''.join(lines)})"


def missing(connection: Connection) -> set[str]:
    """The names of guards that a database has not, or has with other words. SQLite keeps the words
    of a trigger as they were given; on PostgreSQL only the names are compared."""
    if connection.dialect.name == "sqlite":
        there = connection.execute(text("SELECT sql FROM sqlite_master WHERE type = 'trigger'"))
        words = {_words(row[0]) for row in there}
        return {_name(one) for one in protect("sqlite") if _words(one) not in words}
    there = connection.execute(text("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"))
    names = {row[0] for row in there}
    triggers = [one for one in protect("postgresql") if " TRIGGER " in one]
    return {name for one in triggers if (name := _name(one)) not in names}


def add_guards(context: MigrationContext, revision: Any, directives: list[MigrationScript]) -> None:
    """An Alembic ``process_revision_directives``."""
    assert context.connection is not None
    [script] = directives
    names = missing(context.connection)
    if names:
        assert script.upgrade_ops is not None
        assert script.downgrade_ops is not None
        put, take = (
            {name: _of(make(name), names) for name in DIALECTS} for make in (protect, unprotect)
        )
        script.upgrade_ops.ops.append(RunOp(put))
        script.downgrade_ops.ops.insert(0, RunOp(take))


def _of(statements: list[str], names: set[str]) -> list[str]:
    """Those on these guards, and on those against emptying the tables that come with them."""
    emptying = {
        f"{name.rpartition('_no_')[0]}_no_truncate" for name in names if "_no_update" in name
    }
    return [one for one in statements if " TRIGGER " in one and _name(one) in names | emptying]


def _words(statement: str) -> str:
    return statement.replace("IF NOT EXISTS ", "").replace("IF EXISTS ", "")


def _name(statement: str) -> str:
    words = _words(statement).split()
    return words[words.index("TRIGGER") + 1]
