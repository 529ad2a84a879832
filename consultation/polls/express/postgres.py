"""Casts in PostgreSQL: a connection of its own, two round trips for a batch.

The first looks. The second is one statement and so one transaction: it holds the polls, shared,
and what is no longer so does not go in.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter
from sqlalchemy import make_url

from consultation.community.tables import ResidenceKind
from consultation.database import Clock, count_statement
from consultation.polls.express.judging import Known, OwnCast, PollText, Seen, preset_of
from consultation.polls.express.ledgers import Ledger
from consultation.polls.express.steps import Answer, Key, Texts, put_in_together
from consultation.polls.leaves import salt_secret
from consultation.polls.presets import BallotChannel, BallotMode
from consultation.polls.rules import PollItem, PollState
from consultation.polls.tables import TURNOUT_SHARDS

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 30
PLANS = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_material": "off",
    "seq_page_cost": "0",
    "random_page_cost": "0",
    "jit": "off",
}
"""Planned once, as planning anew costs more than all else of a small batch; and so that it does not
matter for which polls: from keys to rows, by the index that leaves the fewest. Pages cost nothing,
or one that finds the whole roll of a middling poll passes for as good as one that finds a voter."""
ITEMS = TypeAdapter(list[PollItem])
_STATES = {state.value: state for state in PollState}  # a third of the price of PollState(...)
_KINDS = {kind.value: kind for kind in ResidenceKind}

TEXTS = """
SELECT id, state, items, preset, mode, box_public_key, roll_secret FROM poll
WHERE id = ANY($1::uuid[])
"""

LOOK = """
SELECT clock_timestamp(), p.state, p.closes_at, t.was_public, p.community_id, r.level, r.kind,
       e.id, e.number, e.area_dm2, a.person_id IS NOT NULL
FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS c (poll_id, person_id, ord)
LEFT JOIN poll p ON p.id = c.poll_id
LEFT JOIN topic t ON t.id = p.topic_id
LEFT JOIN residence r ON r.person_id = c.person_id AND r.community_id = t.community_id
LEFT JOIN roll_entry e
  ON e.poll_id = p.id AND e.roll_version = p.roll_version AND e.person_id = c.person_id
LEFT JOIN attendance a
  ON a.meeting_id = p.meeting_id AND a.person_id = c.person_id AND a.mode <> 'written'
ORDER BY c.ord
"""

KNOWN = """
SELECT b.poll_id, b.roll_entry_id, b.cast_no, b.choices, b.channel, b.set_aside, b.leaf_hash,
       b.cast_at, b.salt
FROM unnest($1::uuid[], $2::uuid[]) AS k (poll_id, roll_entry_id)
JOIN ballot b ON b.poll_id = k.poll_id AND b.roll_entry_id = k.roll_entry_id
ORDER BY b.cast_no
"""

HELD = """
WITH held AS MATERIALIZED (
  SELECT id FROM poll
  WHERE id = ANY(${polls}::uuid[]) AND state = 'open'
    AND closes_at > coalesce(${now}::timestamptz, clock_timestamp())
  ORDER BY id FOR SHARE
),
"""
"""After the wait for a close the row is looked at again, and the clock too."""
COUNT = """,
heads AS (
  SELECT i.poll_id, count(*) AS heads, sum(e.area_dm2) AS area
  FROM i JOIN roll_entry e ON e.id = i.roll_entry_id
  GROUP BY i.poll_id ORDER BY i.poll_id
),
counted AS (
  UPDATE poll_turnout t SET heads = t.heads + h.heads, area_dm2 = t.area_dm2 + h.area
  FROM heads h WHERE t.poll_id = h.poll_id AND t.shard = ${shard}
)
"""


@cache
def _insert(ledger: Ledger, *, counts: bool) -> str:
    """Parameters: the columns, what all rows share, the polls, the clock, the counter."""
    columns = [name for name, _ in (*ledger.columns, *ledger.shared)]
    values = ", ".join(f"${n}::{kind}[]" for n, (_, kind) in enumerate(ledger.columns, 1))
    many = len(ledger.columns)
    same = "".join(f", ${n}::{kind}" for n, (_, kind) in enumerate(ledger.shared, many + 1))
    last = len(columns)
    held = HELD.format(polls=last + 1, now=last + 2)
    count = COUNT.format(shard=last + 3) if counts else ""
    return (
        f"{held} i AS (INSERT INTO {ledger.table} ({', '.join(columns)}) "  # noqa: S608  our names
        f"SELECT u.*{same} FROM unnest({values}) AS u ({', '.join(columns[:many])}) "
        "WHERE u.poll_id = ANY(ARRAY(SELECT id FROM held)) "
        f"ON CONFLICT ({', '.join(ledger.key)}) DO NOTHING "
        f"RETURNING poll_id, roll_entry_id){count} "
        "SELECT poll_id, roll_entry_id FROM i UNION ALL SELECT id, NULL FROM held"
    )


class PostgresBox:
    """One writer. ``clock`` stands for the database's own, if there is one. ``shard``: which of
    the counters of a poll it moves; two that differ never wait for one another."""

    def __init__(self, url: str, clock: Clock | None, *, shard: int) -> None:
        self._dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._clock = clock
        self._connection: asyncpg.Connection | None = None
        self._texts = Texts()
        self._prepared: dict[str, Any] = {}
        self._shard = shard % TURNOUT_SHARDS

    async def put_in(self, casts: Sequence[OwnCast]) -> list[Answer]:
        """All of them, those of one mode in one transaction; raises what went wrong, and then some
        may be in: doing it again answers the same."""
        await self._connect()
        try:
            return await put_in_together(self, self._texts, casts)
        except BaseException:
            if self._connection is not None:
                self._connection.terminate()
                self._connection = None
            raise

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        self._prepared.clear()
        if connection is not None and not connection.is_closed():
            with suppress(Exception):
                await connection.close(timeout=CONNECT_SECONDS)

    async def _connect(self) -> None:
        if self._connection is None or self._connection.is_closed():
            self._prepared.clear()
            self._connection = await asyncpg.connect(
                self._dsn,
                timeout=CONNECT_SECONDS,
                command_timeout=STATEMENT_SECONDS,
                server_settings=PLANS,
            )

    async def _fetch(self, sql: str, *values: Any) -> list[Any]:
        assert self._connection is not None
        statement = self._prepared.get(sql)
        if statement is None:
            statement = self._prepared[sql] = await self._connection.prepare(sql)
        count_statement()
        return await statement.fetch(*values)

    # ---- what steps.Store asks for

    async def texts(self, poll_ids: Collection[UUID]) -> Mapping[UUID, tuple[PollState, PollText]]:
        return {
            id: (
                PollState(state),
                PollText(
                    ITEMS.validate_json(items),
                    preset_of(preset),
                    BallotMode(mode),
                    key,
                    None if secret is None else salt_secret(secret),
                ),
            )
            for id, state, items, preset, mode, key, secret in await self._fetch(
                TEXTS, list(poll_ids)
            )
        }

    async def look(self, casts: Sequence[OwnCast]) -> tuple[datetime, list[Seen | None]]:
        rows = await self._fetch(
            LOOK, [cast.poll_id for cast in casts], [cast.person_id for cast in casts]
        )
        now = rows[0][0] if self._clock is None else self._clock()
        return now, [
            None
            if row[1] is None
            else Seen(
                PollState(row[1]),
                row[2],
                row[3],
                row[4],
                row[5],
                _KINDS.get(row[6]),
                row[7],
                row[8],
                row[9],
                row[10],
            )
            for row in rows
        ]

    async def insert(
        self,
        ledger: Ledger,
        rows: Sequence[tuple[Any, ...]],
        same: tuple[Any, ...],
        areas: Sequence[int] | None,
    ) -> tuple[set[Key] | None, set[UUID]]:
        columns = zip(*rows, strict=True)
        polls = {row[0] for row in rows}
        now = None if self._clock is None else self._clock()
        counts = () if areas is None else (self._shard,)
        sql = _insert(ledger, counts=areas is not None)
        found = await self._fetch(sql, *columns, *same, polls, now, *counts)
        if len(found) == len(rows) + len(polls):
            return None, polls
        new: set[Key] = set()
        still_open: set[UUID] = set()
        for poll, entry in found:
            if entry is None:
                still_open.add(poll)
            else:
                new.add((poll, entry))
        return new, still_open

    async def known(self, keys: Sequence[Key]) -> Mapping[Key, list[Known]]:
        found: dict[Key, list[Known]] = {}
        rows = await self._fetch(KNOWN, [key[0] for key in keys], [key[1] for key in keys])
        for poll_id, entry, cast_no, choices, channel, set_aside, leaf, at, salt in rows:
            known = Known(
                cast_no,
                None if choices is None else json.loads(choices),
                BallotChannel(channel),
                set_aside,
                leaf,
                at,
                salt,
            )
            found.setdefault((poll_id, entry), []).append(known)
        return found
