"""Compares the end of a replay with the records, and gives it a digest."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from sqlmodel import col, select

from api.replay.records import Pairs, PastStatement, Records
from consultation.database import Database
from consultation.deliberation.rules import Mark
from consultation.deliberation.tables import Statement, StatementMark


@dataclass(frozen=True, slots=True)
class End:
    """The final state by the old numbers: statements as the API lists them, and the marks that
    stand. Those are read from the database, because the API shows nobody the marks of others."""

    statements: Mapping[int, Mapping[str, Any]]
    pairs: Pairs


@dataclass(frozen=True, slots=True)
class Check:
    what: str
    right: int
    of: int

    @property
    def ok(self) -> bool:
        return self.right == self.of

    def __str__(self) -> str:
        return f"{'✓' if self.ok else '✗'} {self.what}: {self.right} of {self.of}"


async def read_end(
    http: httpx.AsyncClient,
    db: Database,
    *,
    topic_id: UUID,
    headers: Mapping[str, str],
    statement_ids: Mapping[int, UUID],
    people: Mapping[int, UUID],
) -> End:
    listed: dict[str, dict[str, Any]] = {}
    cursor: str | None = None
    while True:
        page = await http.get(
            f"/v1/topics/{topic_id}/statements",
            params={"limit": 50} | ({} if cursor is None else {"cursor": cursor}),
            headers=dict(headers),
        )
        page.raise_for_status()
        listed |= {item["id"]: item for item in page.json()["items"]}
        cursor = page.json()["next_cursor"]
        if cursor is None:
            break
    numbers = {id: number for number, id in statement_ids.items()}
    voters = {id: number for number, id in people.items()}
    async with db.read() as tx:
        rows = await tx.session.exec(
            select(StatementMark.statement_id, StatementMark.person_id, StatementMark.mark)
            .join(Statement, col(Statement.id) == col(StatementMark.statement_id))
            .where(Statement.topic_id == topic_id)
        )
        pairs = {
            (numbers[statement], voters[person]): Mark(mark) for statement, person, mark in rows
        }
    return End(
        {number: listed[str(id)] for number, id in statement_ids.items() if str(id) in listed},
        pairs,
    )


def compare(records: Records, end: End) -> list[Check]:
    def right(statements: Sequence[PastStatement], *fields: str) -> int:
        return sum(
            all(
                str(end.statements[past.number][name]) == str(_expected(past, name))
                for name in fields
            )
            for past in statements
            if past.number in end.statements
        )

    every = records.statements
    expected = records.pairs()
    checks = [
        Check("statements with their text and number", right(every, "text", "number"), len(every)),
        Check(
            "statements whose agree and disagree events equal comments.csv",
            right(every, "agree_events", "disagree_events"),
            len(every),
        ),
        Check("statements in the state of comments.csv", right(every, "state"), len(every)),
        Check(
            "statements whose counts are those of the marks that stand",
            sum(_counts_hold(number, item, end.pairs) for number, item in end.statements.items()),
            len(every),
        ),
        Check(
            "mark events",
            sum(_events(item) for item in end.statements.values()),
            len(records.marks),
        ),
        Check("pairs as the last mark of votes.csv", _equal(end.pairs, expected), len(expected)),
        Check("pairs in all", len(end.pairs), len(expected)),
    ]
    if records.matrix is not None:
        equal = _equal(end.pairs, records.matrix)
        checks.append(Check("pairs as in participants-votes.csv", equal, len(records.matrix)))
    return checks


def digest(end: End) -> str:
    """SHA-256 over the final state in lines, sorted: statements by number with the hash of their
    text, state and counts, then every standing mark by statement and voter. No id, no time and no
    trace of the order in which requests met."""
    return hashlib.sha256("\n".join(_lines(end)).encode()).hexdigest()


COUNTS = ("agrees", "disagrees", "passes", "agree_events", "disagree_events", "pass_events")


def _lines(end: End) -> Iterator[str]:
    for number, item in sorted(end.statements.items()):
        text = hashlib.sha256(item["text"].encode()).hexdigest()
        counts = " ".join(str(item[name]) for name in COUNTS)
        yield f"statement {number} {text} {item['state']} {counts}"
    for (statement, voter), mark in sorted(end.pairs.items()):
        yield f"mark {statement} {voter} {mark.value}"


def _expected(past: PastStatement, name: str) -> object:
    """Records count statements from 0, topics from 1."""
    return {
        "text": past.text,
        "number": past.number + 1,
        "agree_events": past.agrees,
        "disagree_events": past.disagrees,
        "state": past.state.value,
    }[name]


def _counts_hold(number: int, item: Mapping[str, Any], pairs: Pairs) -> bool:
    standing = Counter(mark for (statement, _), mark in pairs.items() if statement == number)
    return [item["agrees"], item["disagrees"], item["passes"]] == [
        standing[mark] for mark in (Mark.AGREE, Mark.DISAGREE, Mark.PASS)
    ]


def _events(item: Mapping[str, Any]) -> int:
    return sum(item[name] for name in ("agree_events", "disagree_events", "pass_events"))


def _equal(found: Pairs, expected: Pairs) -> int:
    return sum(found.get(pair) == mark for pair, mark in expected.items())
