"""All tables of all packages, and how Alembic compares and writes them.

A migration must say the same for ever, so it never names our own column types: each is written as
the plain SQLAlchemy type it stores.
"""

from typing import Any, Literal

from alembic.autogenerate.api import AutogenContext
from sqlmodel import AutoString

import api.tables  # noqa: F401  its rows belong to the schema
import consultation.schema  # noqa: F401
import notifications.tables  # noqa: F401
from consultation.columns import EnumText, UtcDateTime, ValueObject
from consultation.database import metadata

__all__ = ["COMPARISON", "metadata"]


def render_item(kind: str, item: Any, context: AutogenContext) -> str | Literal[False]:
    if kind != "type":
        return False
    match item:
        case UtcDateTime():
            return "sa.DateTime(timezone=True)"
        case EnumText():
            return "sa.String(length=40)"
        case ValueObject():
            return "sa.JSON()"
        case AutoString():
            length = getattr(item.impl, "length", None)
            return "sa.String()" if length is None else f"sa.String(length={length})"
        case _:
            return False


COMPARISON: dict[str, Any] = {
    "target_metadata": metadata,
    "render_item": render_item,
    "render_as_batch": True,
    "compare_type": True,
    "compare_server_default": True,
}
