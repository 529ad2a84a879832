"""Where a list goes on: rows after the last one that its reader has."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import and_, col, or_

TimeKey = tuple[datetime, UUID]
"""The time and the id of a row, by which lists of what happened go."""


def comes_after(last: TimeKey, at: Any, id: Any) -> ColumnElement[bool]:
    """Of a list that goes by these two columns, the oldest first: what comes after ``last``."""
    moment, row = last
    return or_(col(at) > moment, and_(col(at) == moment, col(id) > row))
