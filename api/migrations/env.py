"""Run by Alembic with the connection that ``runner.py`` opened."""

from alembic import context

from api.migrations.guards import add_guards
from api.migrations.schema import COMPARISON

context.configure(
    connection=context.config.attributes["connection"],
    transactional_ddl=True,  # SQLite too: our connection begins its own transaction
    process_revision_directives=add_guards,
    **COMPARISON,
)
with context.begin_transaction():
    context.run_migrations()
