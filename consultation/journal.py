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
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ColumnElement, Index, UniqueConstraint, bindparam, insert, text, update
from sqlalchemy import select as sa_select
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import Field, and_, col, func, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from consultation.columns import BigSerial, Row, UtcDateTime
from consultation.events.event import Event

GENESIS = "0" * 64
LOG = "log"
"""The head of no stream: its row holds the epoch that every new stream starts with."""
SHARDS = 4
"""Parts in which streams are numbered by different processes at the same time, on PostgreSQL.
SQLite has one. Must divide sixteen: a stream's shard is the first hex digit of its MD5."""
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


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
    """The last number and digest of a stream, and the epoch that changes if a log is rebuilt.
    Only the relay writes here."""

    stream: str = Field(primary_key=True, max_length=80)
    epoch: str = Field(max_length=16)
    seq: int
    digest: str = Field(max_length=64)


@dataclass(slots=True)
class Waiting:
    """An entry to be numbered. Only its columns: one event may be told to thousands, and the
    session's book-keeping of that many objects takes longer than all the rest."""

    id: int
    event_id: UUID
    stream: str
    type: str
    at: datetime
    community_id: UUID | None
    actor_id: UUID | None
    actor_role: str
    actor_org_id: UUID | None
    data: dict[str, Any]
    seq: int | None = None
    digest: str | None = None


Entry = JournalEntry | Waiting
_FACTS = [
    JournalEntry.__table__.c[each.name]  # type: ignore[attr-defined]  # SQLModel makes it
    for each in fields(Waiting)
    if each.name not in ("seq", "digest")
]


@dataclass(slots=True)
class Reached:
    """What the row of a head says, without the object."""

    stream: str
    epoch: str
    seq: int
    digest: str


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


async def append(session: AsyncSession, entries: Sequence[JournalEntry]) -> None:
    """In one statement. The entries here do not learn their ids: nobody asks for them, and to get
    them back would take a statement for each."""
    facts = [entry.model_dump(exclude={"id", "seq", "digest"}) for entry in entries]
    await (await session.connection()).execute(insert(JournalEntry), facts)


def digest_of(entry: Entry, *, seq: int, previous: str) -> str:
    """SHA-256 over the entry's canonical JSON (sorted keys, no spaces, UTF-8) and its parent."""
    content = {
        "previous": previous,
        "stream": entry.stream,
        "seq": seq,
        "event_id": str(entry.event_id),
        "type": entry.type,
        "at": entry.at.isoformat(),
        "community_id": None if entry.community_id is None else str(entry.community_id),
        "actor_id": None if entry.actor_id is None else str(entry.actor_id),
        "actor_role": entry.actor_role,
        "actor_org_id": None if entry.actor_org_id is None else str(entry.actor_org_id),
        "data": entry.data,
    }
    return hashlib.sha256(_canonical(content).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Head:
    """How far a stream is numbered; ``seq`` 0 where nothing has happened yet."""

    epoch: str
    seq: int


async def heads(session: AsyncSession, streams: Collection[str]) -> dict[str, Head] | None:
    """The head of each stream, in one statement. None on a database whose journal no relay has
    opened yet."""
    rows = await session.exec(
        select(JournalHead).where(col(JournalHead.stream).in_([LOG, *streams]))
    )
    found = {row.stream: Head(row.epoch, row.seq) for row in rows}
    if LOG not in found:
        return None
    fresh = Head(found[LOG].epoch, 0)
    return {stream: found.get(stream, fresh) for stream in streams}


def head_columns(stream: str) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Epoch and number of a stream's head, to be read in the statement that reads what the stream
    is about; ``head_of`` makes a head of them."""

    def of(column: Any, name: str) -> Any:
        return sa_select(column).where(col(JournalHead.stream) == name).scalar_subquery()

    epoch = func.coalesce(of(JournalHead.epoch, stream), of(JournalHead.epoch, LOG))
    return epoch, func.coalesce(of(JournalHead.seq, stream), 0)


def head_of(epoch: str | None, seq: int) -> Head | None:
    """None on a database whose journal no relay has opened yet."""
    return None if epoch is None else Head(epoch, seq)


def shard_counter(shard: int) -> str:
    """The head that counts the entries numbered in a shard."""
    return f"{LOG}/{shard}"


def of_shard(session: AsyncSession, shard: int) -> list[ColumnElement[bool]]:
    """The conditions by which an entry belongs to a shard."""
    if _is_sqlite(session):
        return []
    digits = [f"{digit:x}" for digit in range(16) if digit % SHARDS == shard]
    return [_first_digit().in_(digits)]


async def shards_waiting(session: AsyncSession) -> list[int]:
    """The shards in which entries wait to be numbered, in one statement."""
    waiting = col(JournalEntry.seq).is_(None)
    if _is_sqlite(session):
        found = await session.exec(select(JournalEntry.id).where(waiting).limit(1))
        return [0] if found.first() is not None else []
    digits = await session.exec(select(_first_digit()).where(waiting).distinct())
    return sorted({int(digit, 16) % SHARDS for digit in digits})


async def waiting(session: AsyncSession, shard: int, *, limit: int) -> list[Waiting]:
    """The first entries of a shard that wait to be numbered, in the order of their ids."""
    rows = await (await session.connection()).execute(
        sa_select(*_FACTS)
        .where(col(JournalEntry.seq).is_(None), *of_shard(session, shard))
        .order_by(col(JournalEntry.id))
        .limit(limit)
    )
    return [Waiting(*row) for row in rows]


async def reached(session: AsyncSession, streams: Collection[str]) -> dict[str, Reached]:
    """How far each of these streams has come, but for those in which nothing has happened yet."""
    table = JournalHead.__table__  # type: ignore[attr-defined]  # SQLModel makes it
    rows = await (await session.connection()).execute(
        sa_select(table.c.stream, table.c.epoch, table.c.seq, table.c.digest).where(
            table.c.stream.in_(streams)
        )
    )
    return {row.stream: Reached(*row) for row in rows}


async def write_numbers(
    session: AsyncSession, entries: Sequence[Waiting], heads: Collection[Reached]
) -> None:
    """Put down numbers, digests and how far streams have come; two statements, however many."""
    connection = await session.connection()
    await connection.execute(
        update(JournalEntry)
        .where(col(JournalEntry.id) == bindparam("entry_id"))
        .values(seq=bindparam("number"), digest=bindparam("chained")),
        [{"entry_id": e.id, "number": e.seq, "chained": e.digest} for e in entries],
    )
    upsert = (sqlite_insert if _is_sqlite(session) else pg_insert)(JournalHead)
    await connection.execute(
        upsert.on_conflict_do_update(
            index_elements=["stream"],
            set_={"seq": upsert.excluded.seq, "digest": upsert.excluded.digest},
        ),
        [asdict(head) for head in heads],
    )


async def shard_counts(session: AsyncSession) -> tuple[str | None, dict[int, int]]:
    """The epoch of the log, and how many entries were numbered by shard, in one statement."""
    rows = await session.exec(
        select(JournalHead.stream, JournalHead.epoch, JournalHead.seq).where(
            col(JournalHead.stream).in_([LOG, *map(shard_counter, range(SHARDS))])
        )
    )
    found = {stream: (epoch, seq) for stream, epoch, seq in rows}
    epoch = found[LOG][0] if LOG in found else None
    counters = {shard: found.get(shard_counter(shard)) for shard in range(SHARDS)}
    return epoch, {shard: counter[1] for shard, counter in counters.items() if counter}


def _first_digit() -> ColumnElement[str]:
    return func.substr(func.md5(col(JournalEntry.stream)), 1, 1)


def _is_sqlite(session: AsyncSession) -> bool:
    return session.get_bind().dialect.name == "sqlite"


async def entries_after(
    session: AsyncSession, positions: Mapping[str, int], *, limit: int
) -> list[JournalEntry]:
    """Numbered entries behind a position per stream, by stream and number, in one statement."""
    if not positions:
        return []
    rows = await session.exec(
        select(JournalEntry)
        .where(
            or_(
                *(
                    and_(col(JournalEntry.stream) == stream, col(JournalEntry.seq) > seq)
                    for stream, seq in positions.items()
                )
            )
        )
        .order_by(col(JournalEntry.stream), col(JournalEntry.seq))
        .limit(limit)
    )
    return list(rows)


@dataclass(slots=True)
class Audit:
    """``breaks`` names, per broken stream, the first number that does not follow."""

    streams: int = 0
    entries: int = 0
    waiting: int = 0
    breaks: dict[str, int] = field(default_factory=dict)


class _Chain:
    """One stream's entries, checked one after the other."""

    def __init__(self) -> None:
        self.seq = 0
        self.digest = GENESIS
        self.broken_at: int | None = None

    def follow(self, entry: JournalEntry) -> None:
        seq = self.seq + 1
        digest = digest_of(entry, seq=seq, previous=self.digest)
        if self.broken_at is None and (entry.seq != seq or entry.digest != digest):
            self.broken_at = seq
        self.seq, self.digest = seq, entry.digest or GENESIS

    def end(self, head: JournalHead | None) -> int | None:
        """A tail that was cut off shows in the head; so does a head that was set back."""
        if self.broken_at is None and (
            head is None or (head.seq, head.digest) != (self.seq, self.digest)
        ):
            return min(self.seq, head.seq if head else 0) + 1
        return self.broken_at


async def audit(session: AsyncSession) -> Audit:
    """Follow every chain from its first entry to its head, in constant memory per stream."""
    report = Audit()
    chains: dict[str, _Chain] = {}
    rows = await session.stream_scalars(
        select(JournalEntry)
        .order_by(col(JournalEntry.stream), col(JournalEntry.seq))
        .execution_options(yield_per=500)
    )
    async for entry in rows:
        if entry.seq is None:
            report.waiting += 1
            continue
        report.entries += 1
        chains.setdefault(entry.stream, _Chain()).follow(entry)
    found = await session.exec(select(JournalHead).where(col(JournalHead.stream).contains(":")))
    known = {head.stream: head for head in found}
    report.streams = len(known.keys() | chains.keys())
    for stream in sorted(known.keys() | chains.keys()):
        broken = chains.get(stream, _Chain()).end(known.get(stream))
        if broken is not None:
            report.breaks[stream] = broken
    return report
