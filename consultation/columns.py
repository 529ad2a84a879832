"""Column types and field makers shared by all tables: the one place that fights the drivers.

SQLite forgets time zones, SQLAlchemy stores enums by member name, and SQLModel cannot read a
``NewType``; each is settled here once.
"""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, TypeAdapter
from sqlalchemy import BigInteger, Boolean, DateTime, Integer, LargeBinary, String, Text, Uuid
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import declared_attr
from sqlalchemy.types import JSON, TypeDecorator
from sqlmodel import Field, SQLModel

# Here, because every table is made after this module is imported: a constraint without a name can
# never be changed by a migration.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Row(SQLModel):
    """Base of all tables: the table is named as the class, in snake_case."""

    @declared_attr.directive
    @classmethod
    def __tablename__(cls) -> str:  # type: ignore[override]
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


class UtcDateTime(TypeDecorator[datetime]):
    """Aware in, aware out, UTC in between."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class EnumText(TypeDecorator[StrEnum]):
    """A StrEnum stored by value, so that renaming a member does not corrupt data."""

    impl = String(40)
    cache_ok = True

    def __init__(self, kind: type[StrEnum]) -> None:
        super().__init__(40)
        self.kind = kind

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:
        return None if value is None else self.kind(value).value

    def process_result_value(self, value: Any, dialect: Dialect) -> StrEnum | None:
        return None if value is None else self.kind(value)


class ValueObject(TypeDecorator[Any]):
    """A frozen pydantic model (or a list of them), stored as JSON."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.kind = kind
        self._adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else self._adapter.dump_python(value, mode="json")

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else self._adapter.validate_python(value)


BigSerial = BigInteger().with_variant(Integer, "sqlite")


def key() -> Any:
    return Field(primary_key=True, sa_type=Uuid)


def same() -> Any:
    """An id that another of the row implies."""
    return Field(sa_type=Uuid, nullable=False)


def ref(target: str, *, primary_key: bool = False, index: bool = True) -> Any:
    """A foreign key to ``target`` ("table.column"), never null."""
    return Field(
        foreign_key=target,
        sa_type=Uuid,
        primary_key=primary_key,
        index=index and not primary_key,
        nullable=False,
    )


def maybe_ref(target: str, *, index: bool = False) -> Any:
    return Field(default=None, foreign_key=target, sa_type=Uuid, index=index, nullable=True)


def when() -> Any:
    return Field(sa_type=UtcDateTime, nullable=False)


def maybe_when() -> Any:
    return Field(default=None, sa_type=UtcDateTime, nullable=True)


def choice(kind: type[StrEnum], *, index: bool = False) -> Any:
    return Field(sa_type=EnumText(kind), index=index, nullable=False)


def maybe_choice(kind: type[StrEnum]) -> Any:
    return Field(default=None, sa_type=EnumText(kind), nullable=True)


def value(kind: Any) -> Any:
    return Field(sa_type=ValueObject(kind), nullable=False)


def maybe_value(kind: type[BaseModel]) -> Any:
    return Field(default=None, sa_type=ValueObject(kind), nullable=True)


def text() -> Any:
    return Field(sa_type=Text, nullable=False)


def maybe_text() -> Any:
    return Field(default=None, sa_type=Text, nullable=True)


def flag(*, default: bool = False) -> Any:
    return Field(default=default, sa_type=Boolean, nullable=False)


def sealed() -> Any:
    """Bytes that only ``consultation.vault`` can open."""
    return Field(default=None, sa_type=LargeBinary, nullable=True)
