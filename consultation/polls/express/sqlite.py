"""Casts in SQLite: one thread with a connection of its own, ``synchronous=FULL``.

The thread has its turn like every other writer of the process (``Database.turn``).
"""

import asyncio
import json
import sqlite3
from collections.abc import Collection, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from itertools import compress
from typing import Any, TypeVar
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import make_url

from consultation.community.tables import ResidenceKind
from consultation.database import PRAGMAS, Clock
from consultation.polls.express.judging import Known, OwnCast, PollText, Seen, preset_of
from consultation.polls.express.ledgers import Ledger
from consultation.polls.express.steps import Answer, Key, Texts, put_in_together
from consultation.polls.leaves import salt_secret
from consultation.polls.presets import BallotChannel, BallotMode
from consultation.polls.rules import PollItem, PollState

Result = TypeVar("Result")
ITEMS = TypeAdapter(list[PollItem])
_KINDS = {kind.value: kind for kind in ResidenceKind}

TEXT = "SELECT state, items, preset, mode, box_public_key, roll_secret FROM poll WHERE id = ?"

POLL = """
SELECT p.state, p.closes_at, t.was_public, p.community_id, p.meeting_id, p.roll_version,
       t.community_id
FROM poll p JOIN topic t ON t.id = p.topic_id WHERE p.id = ?
"""
VOTERS = """
SELECT v.key, r.level, r.kind, e.id, coalesce(e.number, 0), coalesce(e.area_dm2, 0)
FROM (
  SELECT key, substr(value, 1, 32) AS person_id, substr(value, 33, 32) AS place,
         substr(value, 65, 32) AS poll_id, CAST(substr(value, 97) AS INTEGER) AS roll_version
  FROM json_each(?)
) v
LEFT JOIN residence r ON r.person_id = v.person_id AND r.community_id = v.place
LEFT JOIN roll_entry e
  ON e.person_id = v.person_id AND e.poll_id = v.poll_id AND e.roll_version = v.roll_version
"""
"""For each voter 96 hexadecimal digits, three ids, and the version of the roll: to take them out of
JSON costs as much as all the rest."""
PRESENT = """
SELECT 1 FROM attendance WHERE meeting_id = ? AND person_id = ? AND mode <> 'written'
"""
COUNT = """
UPDATE poll_turnout SET heads = heads + ?, area_dm2 = area_dm2 + ?
WHERE poll_id = ? AND shard = ?
"""
KNOWN = """
SELECT cast_no, choices, channel, set_aside, leaf_hash, cast_at, salt FROM ballot
WHERE poll_id = ? AND roll_entry_id = ? ORDER BY cast_no
"""


@cache
def _insert(ledger: Ledger) -> str:
    columns = [name for name, _ in (*ledger.columns, *ledger.shared)]
    return (
        f"INSERT INTO {ledger.table} ({', '.join(columns)}) "  # noqa: S608  our own names
        f"VALUES ({', '.join('?' * len(columns))}) ON CONFLICT ({', '.join(ledger.key)}) DO NOTHING"
    )


def _stored(value: Any) -> Any:
    """As SQLAlchemy stores it (``columns``)."""
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, datetime):
        return _stored_time(value)
    return value


def _stored_time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


@lru_cache(maxsize=1024)
def _read_time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Poll:
    """``place`` is where its topic lies; ids are as the database has them."""

    id: str
    state: PollState
    closes_at: datetime
    topic_public: bool
    community: str
    meeting: str | None
    roll_version: int
    place: str


class SqliteBox:
    def __init__(self, url: str, clock: Clock, turn: asyncio.Lock) -> None:
        self._path = make_url(url).database or ""
        self._clock = clock
        self._turn = turn
        self._thread: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None
        self._texts = Texts()
        self._shard = 0  # there is one writer

    async def put_in(self, casts: Sequence[OwnCast]) -> list[Answer]:
        """All of them in one transaction; raises what went wrong, with nothing done."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "ballots")
        async with self._turn:
            work = asyncio.get_running_loop().run_in_executor(self._thread, self._put_in, casts)
            try:
                return await asyncio.shield(work)
            except asyncio.CancelledError:
                await asyncio.wait([work])  # the turn is over when the thread is done
                raise

    async def put_in_one_by_one(self, casts: Sequence[OwnCast]) -> None:
        """A commit for each: what sharing one is measured beside."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "ballots")
        async with self._turn:
            work = lambda: [self._put_in([cast]) for cast in casts]  # noqa: E731
            await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def close(self) -> None:
        if self._thread is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._hang_up)
            self._thread.shutdown()
            self._thread = None

    # ---- in the thread

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _put_in(self, casts: Sequence[OwnCast]) -> list[Answer]:
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, isolation_level=None)
            for pragma in PRAGMAS:
                self._connection.execute(f"PRAGMA {pragma}")
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            answers = _run(put_in_together(self, self._texts, casts))
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise
        return answers

    # ---- what steps.Store asks for; nothing here waits, so that _run can run it to its end

    async def texts(self, poll_ids: Collection[UUID]) -> Mapping[UUID, tuple[PollState, PollText]]:
        found: dict[UUID, tuple[PollState, PollText]] = {}
        for id in poll_ids:
            for state, items, preset, mode, key, secret in self._rows(TEXT, id.hex):
                text = PollText(
                    ITEMS.validate_json(items),
                    preset_of(preset),
                    BallotMode(mode),
                    key,
                    None if secret is None else salt_secret(secret),
                )
                found[id] = (PollState(state), text)
        return found

    async def look(self, casts: Sequence[OwnCast]) -> tuple[datetime, list[Seen | None]]:
        ids = {cast.poll_id.int: cast.poll_id for cast in casts}
        polls = {n: poll for n, id in ids.items() if (poll := self._poll(id)) is not None}
        known = [
            (index, cast, poll)
            for index, cast in enumerate(casts)
            if (poll := polls.get(cast.poll_id.int)) is not None
        ]
        asked = '","'.join(
            f"{cast.person_id.hex}{poll.place}{poll.id}{poll.roll_version}"
            for _, cast, poll in known
        )
        voters = self._rows(VOTERS, f'["{asked}"]' if known else "[]")
        seen: list[Seen | None] = [None] * len(casts)
        for key, level, kind, entry, number, area in voters:
            index, cast, poll = known[key]
            meeting = poll.meeting
            seen[index] = Seen(
                poll.state,
                poll.closes_at,
                poll.topic_public,
                poll.community,
                level,
                _KINDS.get(kind),
                entry,
                number,
                area,
                meeting is not None
                and bool(list(self._rows(PRESENT, meeting, cast.person_id.hex))),
            )
        return self._clock(), seen

    def _poll(self, id: UUID) -> "_Poll | None":
        for state, closes_at, public, *ids in self._rows(POLL, id.hex):
            return _Poll(id.hex, PollState(state), _read_time(closes_at), bool(public), *ids)
        return None

    async def insert(
        self,
        ledger: Ledger,
        rows: Sequence[tuple[Any, ...]],
        same: tuple[Any, ...],
        areas: Sequence[int] | None,
    ) -> tuple[set[Key] | None, set[UUID]]:
        """All polls are still as they were: there is one writer."""
        connection = self._connection
        assert connection is not None
        stored = tuple(_stored(value) for value in same)
        ids = {row[0].int: row[0] for row in rows}
        as_stored = {number: id.hex for number, id in ids.items()}
        # of the columns only the first is not yet as the database has it
        values = [(as_stored[row[0].int], *row[1:], *stored) for row in rows]
        before = connection.total_changes
        connection.executemany(_insert(ledger), values)
        new: set[Key] | None = None
        if connection.total_changes - before < len(rows):
            leaf = [name for name, _ in ledger.columns].index("leaf_hash")
            mine = (
                f"SELECT 1 FROM {ledger.table} "  # noqa: S608  our own names
                "WHERE poll_id = ? AND roll_entry_id = ? AND leaf_hash = ?"
            )
            went_in = [bool(list(self._rows(mine, *row[:2], row[leaf]))) for row in values]
            new = {(row[0], row[1]) for row in compress(rows, went_in)}
            values = list(compress(values, went_in))
            areas = None if areas is None else list(compress(areas, went_in))
        if areas is not None:
            sums: dict[str, list[int]] = {}
            for (poll, *_), area in zip(values, areas, strict=True):
                counter = sums.setdefault(poll, [0, 0])
                counter[0] += 1
                counter[1] += area
            connection.executemany(COUNT, [(*sum, poll, self._shard) for poll, sum in sums.items()])
        return new, set(ids.values())

    async def known(self, keys: Sequence[Key]) -> Mapping[Key, list[Known]]:
        return {
            (poll_id, entry): [
                Known(
                    cast_no,
                    None if choices is None else json.loads(choices),
                    BallotChannel(channel),
                    bool(set_aside),
                    leaf,
                    _read_time(at),
                    salt,
                )
                for cast_no, choices, channel, set_aside, leaf, at, salt in self._rows(
                    KNOWN, poll_id.hex, entry
                )
            ]
            for poll_id, entry in keys
        }

    def _rows(self, sql: str, *values: Any) -> Any:
        assert self._connection is not None
        return self._connection.execute(sql, values)


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run what never waits to its end, here and now."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waited")
