"""One dialect for all engines of a kind, so that a statement is compiled once per process.

SQLAlchemy compiles per engine, and every test has engines of its own: each would compile the same
hundred statements anew, and ask PostgreSQL for its version again.
"""

from typing import Any, Self

from sqlalchemy import Engine, util
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.engine import Connection
from sqlalchemy.engine.default import DefaultDialect

STATEMENTS = 2000
"""More than tests that stand together know."""


class _Shared(DefaultDialect):
    _only: Self | None = None
    _compiled: util.LRUCache[Any, Any]
    _initialized = False

    def __new__(cls, **options: Any) -> Self:
        assert set(options) <= {"dbapi", "compiler_linting"}, "engines that differ share no dialect"
        if cls._only is None:
            cls._only = super().__new__(cls)
            cls._compiled = util.LRUCache(STATEMENTS)
        return cls._only

    def __init__(self, **options: Any) -> None:
        if "dbapi" not in self.__dict__:
            super().__init__(**options)

    def initialize(self, connection: Connection) -> None:
        if not self._initialized:
            super().initialize(connection)
            self._initialized = True

    @classmethod
    def engine_created(cls, engine: Engine) -> None:
        engine._compiled_cache = cls._compiled


class SharedSqlite(_Shared, SQLiteDialect_aiosqlite):
    supports_statement_cache = True


class SharedPostgres(_Shared, PGDialect_asyncpg):
    supports_statement_cache = True


def install() -> None:
    """For every engine that is made after this, in this process."""
    registry.register("sqlite.aiosqlite", __name__, "SharedSqlite")
    registry.register("postgresql.asyncpg", __name__, "SharedPostgres")
