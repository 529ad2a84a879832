"""The journal: every fact, once, in the transaction that made it true.

It is audit trail, source of live updates and resume log at once. Writers append with ``seq``
NULL; the relay (``notifications/relay.py``, one per database) numbers entries per stream, ``seq``
strictly +1, and chains their digests. Numbering apart from writing keeps writers from waiting for
each other and makes it impossible for a reader to skip an entry whose commit came late.

``data`` is public to whoever may read the stream. Who acted, in which role, stands in columns of
its own and is not sent.
"""

import hashlib
import json
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Index, UniqueConstraint, text
from sqlmodel import Field, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from consultation.columns import BigSerial, Row, UtcDateTime
from consultation.events import Event

GENESIS = "0" * 64


class JournalEntry(Row, table=True):
    __table_args__ = (
        UniqueConstraint("stream", "seq", name="uq_journal_entry_stream_seq"),
        Index(
            "ix_journal_entry_unnumbered",
            "id",
            sqlite_where=text("seq IS NULL"),
            postgresql_where=text("seq IS NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigSerial)
    event_id: UUID = Field(index=True)
    stream: str = Field(max_length=80)
    seq: int | None = None
    type: str = Field(max_length=60)
    at: datetime = Field(sa_type=UtcDateTime, nullable=False)
    community_id: UUID | None = None
    actor_id: UUID | None = None
    actor_role: str = Field(max_length=40)
    actor_org_id: UUID | None = None
    data: dict[str, Any] = Field(sa_type=JSON, nullable=False)
    digest: str | None = Field(default=None, max_length=64)


class JournalHead(Row, table=True):
    """The last number and digest of a stream, and the epoch that changes if a log is rebuilt."""

    stream: str = Field(primary_key=True, max_length=80)
    epoch: str = Field(max_length=16)
    seq: int
    digest: str = Field(max_length=64)


def entries_for(
    event: Event,
    *,
    event_id: UUID,
    at: datetime,
    actor_id: UUID | None,
    actor_role: str,
    actor_org_id: UUID | None,
) -> list[JournalEntry]:
    """One entry per stream that the event belongs to."""
    return [
        JournalEntry(
            event_id=event_id,
            stream=stream,
            type=event.type,
            at=at,
            community_id=event.community_id,
            actor_id=actor_id,
            actor_role=actor_role,
            actor_org_id=actor_org_id,
            data=event.data(),
        )
        for stream in event.streams()
    ]


def digest_of(entry: JournalEntry, *, seq: int, previous: str) -> str:
    """SHA-256 over the entry's canonical JSON (sorted keys, no spaces, UTF-8) and its parent."""
    content = {
        "previous": previous,
        "stream": entry.stream,
        "seq": seq,
        "event_id": str(entry.event_id),
        "type": entry.type,
        "at": entry.at.isoformat(),
        "actor_id": None if entry.actor_id is None else str(entry.actor_id),
        "actor_role": entry.actor_role,
        "actor_org_id": None if entry.actor_org_id is None else str(entry.actor_org_id),
        "data": entry.data,
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


async def first_break(session: AsyncSession, stream: str) -> int | None:
    """The first ``seq`` whose number or digest does not follow from its parent, or None."""
    rows = await session.exec(
        select(JournalEntry)
        .where(JournalEntry.stream == stream, col(JournalEntry.seq).is_not(None))
        .order_by(col(JournalEntry.seq))
    )
    expected, previous = 1, GENESIS
    for entry in rows:
        if entry.seq != expected or entry.digest != digest_of(
            entry, seq=expected, previous=previous
        ):
            return expected
        expected, previous = expected + 1, entry.digest or GENESIS
    return None
