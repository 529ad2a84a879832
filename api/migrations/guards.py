"""Writes the append-only triggers into a revision, word for word, whenever a database that is at
the newest revision has other ones than ``consultation/append_only.py`` asks for."""

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
    if missing(context.connection):
        assert script.upgrade_ops is not None
        assert script.downgrade_ops is not None
        script.upgrade_ops.ops.append(RunOp({name: protect(name) for name in DIALECTS}))
        script.downgrade_ops.ops.insert(0, RunOp({name: unprotect(name) for name in DIALECTS}))


def _words(statement: str) -> str:
    return statement.replace("IF NOT EXISTS ", "")


def _name(statement: str) -> str:
    words = _words(statement).split()
    return words[words.index("TRIGGER") + 1]
