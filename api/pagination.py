"""Opaque cursors: the place after which a page goes on, checksummed so that nobody builds one."""

import base64
import hashlib
import hmac
import json
from datetime import datetime
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from consultation.refusals import Invalid

T = TypeVar("T")
_KEY = b"minyi cursor v1"  # a checksum, not a secret: access is checked anyway


class BadCursor(Invalid):
    """The cursor is not one that a page gave out."""

    code = "bad-cursor"


class Page(BaseModel, Generic[T]):
    """``next_cursor`` is null on the last page. There is no total: counting grows with the list."""

    items: list[T]
    next_cursor: str | None = None


Limit = Annotated[int, Query(ge=1, le=50)]
CursorParam = Annotated[str | None, Query(max_length=400)]


def encode_cursor(*values: str | int) -> str:
    body = json.dumps(values, separators=(",", ":")).encode()
    mac = hmac.new(_KEY, body, hashlib.sha256).digest()[:8]
    return base64.urlsafe_b64encode(mac + body).decode().rstrip("=")


def decode_cursor(cursor: str, count: int) -> list[str | int]:
    """The ``count`` values of a cursor; refuses with BadCursor."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        mac, body = raw[:8], raw[8:]
        if not hmac.compare_digest(mac, hmac.new(_KEY, body, hashlib.sha256).digest()[:8]):
            raise BadCursor()
        values = json.loads(body)
    except ValueError:
        raise BadCursor() from None
    if len(values) != count:
        raise BadCursor()
    return values


def time_cursor(at: datetime, row_id: UUID) -> str:
    return encode_cursor(at.isoformat(), str(row_id))


def read_time_cursor(cursor: str | None) -> tuple[datetime, UUID] | None:
    if cursor is None:
        return None
    at, row_id = decode_cursor(cursor, 2)
    try:
        return datetime.fromisoformat(str(at)), UUID(str(row_id))
    except ValueError:
        raise BadCursor() from None
