"""The records of a Polis consultation as its open data give them: statements, and every mark.

``comments.csv`` (comment-id, author-id, timestamp, agrees, disagrees, moderated, comment-body),
``votes.csv`` (timestamp, comment-id, voter-id, vote) and, where it is there,
``participants-votes.csv`` (participant, and a column for each comment-id with the final mark).
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from consultation.deliberation.rules import Mark, StatementState

MARKS: Mapping[str, Mark] = {"1": Mark.AGREE, "-1": Mark.DISAGREE, "0": Mark.PASS}
STATES: Mapping[str, StatementState] = {
    "1": StatementState.ACCEPTED,
    "0": StatementState.OPEN,
    "-1": StatementState.REJECTED,
}


class RecordsUnreadable(Exception):
    """The folder does not hold what a replay needs; the message says what."""


@dataclass(frozen=True, slots=True)
class PastStatement:
    """``agrees`` and ``disagrees`` count every mark of the kind, repeats and changes included."""

    number: int
    author: int
    at_ms: int
    text: str
    state: StatementState
    agrees: int
    disagrees: int


@dataclass(frozen=True, slots=True)
class PastMark:
    """``place`` is the line of the file, which tells two equal marks apart."""

    place: int
    at_ms: int
    statement: int
    voter: int
    mark: Mark


Pairs = dict[tuple[int, int], Mark]
"""The mark that stands by statement and voter."""


@dataclass(frozen=True, slots=True)
class Records:
    statements: tuple[PastStatement, ...]
    marks: tuple[PastMark, ...]
    matrix: Pairs | None

    @property
    def voters(self) -> set[int]:
        return {mark.voter for mark in self.marks}

    @property
    def people(self) -> list[int]:
        return sorted(self.voters | {statement.author for statement in self.statements})

    def in_order(self) -> Iterator[PastStatement | PastMark]:
        """As it happened: a statement before the marks of the same instant."""
        events: list[tuple[int, int, int, PastStatement | PastMark]] = [
            *((s.at_ms, 0, s.number, s) for s in self.statements),
            *((m.at_ms, 1, m.place, m) for m in self.marks),
        ]
        events.sort(key=lambda event: event[:3])
        return (event[3] for event in events)

    def pairs(self) -> Pairs:
        """What the marks, in order, leave standing."""
        standing: Pairs = {}
        for event in self.in_order():
            if isinstance(event, PastMark):
                standing[event.statement, event.voter] = event.mark
        return standing


def read_records(folder: Path) -> Records:
    try:
        statements = tuple(
            PastStatement(
                number=int(row["comment-id"]),
                author=int(row["author-id"]),
                at_ms=int(row["timestamp"]),
                text=row["comment-body"].strip(),
                state=STATES[row["moderated"]],
                agrees=int(row["agrees"]),
                disagrees=int(row["disagrees"]),
            )
            for row in _rows(folder / "comments.csv")
        )
        marks = tuple(
            PastMark(
                place=place,
                at_ms=int(row["timestamp"]),
                statement=int(row["comment-id"]),
                voter=int(row["voter-id"]),
                mark=MARKS[row["vote"]],
            )
            for place, row in enumerate(_rows(folder / "votes.csv"))
        )
        matrix = folder / "participants-votes.csv"
        return Records(statements, marks, _matrix(matrix) if matrix.is_file() else None)
    except (OSError, KeyError, ValueError) as error:
        raise RecordsUnreadable(f"{folder} does not hold the records: {error}") from None


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def _matrix(path: Path) -> Pairs:
    return {
        (int(column), int(row["participant"])): MARKS[value]
        for row in _rows(path)
        for column, value in row.items()
        if column.isdigit() and value
    }
