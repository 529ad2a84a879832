"""A made-up consultation of three statements and five people, replayed as the real one is."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from api.replay import vtaiwan
from api.replay.comparing import End, compare, digest
from api.replay.records import PastMark, RecordsUnreadable, read_records
from consultation.deliberation.rules import Mark

COMMENTS = [  # comment-id, author-id, timestamp, agrees, disagrees, moderated, comment-body
    (0, 0, 1000, 4, 1, 1, "要有水池,\n夏天要除臭"),
    (1, 1, 2000, 1, 2, 0, "夜里十点以后不收运"),
    (2, 4, 3000, 0, 1, -1, "随便放哪里都行"),
]
VOTES = [  # timestamp, comment-id, voter-id, vote; out of order as in the real file
    (3500, 2, 3, -1),
    (1000, 0, 0, 1),
    (1100, 0, 1, 1),
    (1200, 0, 2, -1),
    (1300, 0, 2, 1),  # changed
    (1300, 0, 1, 1),  # the same again: an event more, no pair more
    (2000, 1, 1, 1),
    (2100, 1, 0, -1),
    (2200, 1, 2, 0),
    (2300, 1, 3, -1),
]
FINAL = {(0, 0): 1, (0, 1): 1, (0, 2): 1, (1, 1): 1, (1, 0): -1, (1, 2): 0, (1, 3): -1, (2, 3): -1}


def write(folder: Path, name: str, header: list[str], rows: list[tuple[object, ...]]) -> None:
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


@pytest.fixture
def records(tmp_path: Path) -> Path:
    columns = ["comment-id", "author-id", "timestamp", "agrees", "disagrees", "moderated"]
    write(tmp_path, "comments.csv", [*columns, "comment-body"], list(COMMENTS))
    write(tmp_path, "votes.csv", ["timestamp", "comment-id", "voter-id", "vote"], list(VOTES))
    write(
        tmp_path,
        "participants-votes.csv",
        ["participant", "group-id", "0", "1", "2"],
        [(voter, "", *(FINAL.get((n, voter), "") for n in range(3))) for voter in range(4)],
    )
    return tmp_path


async def test_a_replay_ends_as_the_consultation_did_and_twice_the_same(records: Path) -> None:
    told: list[list[str]] = [[], []]
    for lines in told:
        assert await vtaiwan.replay(records, tell=lines.append)

    first, second = ([line for line in lines if "per second" not in line] for lines in told)
    assert first == second
    assert first[0].startswith("5 verified residents; 3 statements and 10 marks")
    assert "✓ statements whose agree and disagree events equal comments.csv: 3 of 3" in first
    assert "✓ pairs as in participants-votes.csv: 8 of 8" in first
    assert first[-1].startswith("digest of the final state: ")


def test_marks_are_read_in_the_order_in_which_they_were_made(records: Path) -> None:
    read = read_records(records)
    order = [(e.statement, e.voter) for e in read.in_order() if isinstance(e, PastMark)]
    assert order[:5] == [(0, 0), (0, 1), (0, 2), (0, 2), (0, 1)]
    assert order[-1] == (2, 3)
    assert read.pairs() == read.matrix


def end_of(folder: Path) -> End:
    """The end that is right."""
    statements = {
        0: {"agrees": 3, "disagrees": 0, "passes": 0, "agree_events": 4, "disagree_events": 1},
        1: {"agrees": 1, "disagrees": 2, "passes": 1, "agree_events": 1, "disagree_events": 2},
        2: {"agrees": 0, "disagrees": 1, "passes": 0, "agree_events": 0, "disagree_events": 1},
    }
    states = {0: "accepted", 1: "open", 2: "rejected"}
    return End(
        {
            number: counts
            | {
                "text": COMMENTS[number][6],
                "number": number + 1,
                "state": states[number],
                "pass_events": counts["passes"],
            }
            for number, counts in statements.items()
        },
        dict(read_records(folder).pairs()),
    )


def test_every_difference_is_seen(records: Path) -> None:
    read = read_records(records)
    right = end_of(records)
    assert all(check.ok for check in compare(read, right))

    for number, name, value in (
        (0, "agree_events", 5),
        (1, "text", "别的"),
        (2, "state", "open"),
        (0, "passes", 1),
    ):
        wrong = End(
            dict(right.statements) | {number: right.statements[number] | {name: value}}, right.pairs
        )
        assert not all(check.ok for check in compare(read, wrong)), name
        assert digest(wrong) != digest(right)
    for pairs in (
        right.pairs | {(0, 2): Mark.PASS},
        right.pairs | {(2, 4): Mark.AGREE},
        {pair: mark for pair, mark in right.pairs.items() if pair != (2, 3)},
    ):
        wrong = End(right.statements, pairs)
        assert not all(check.ok for check in compare(read, wrong))
        assert digest(wrong) != digest(right)
    lost = End({0: right.statements[0]}, right.pairs)
    assert not all(check.ok for check in compare(read, lost))
    more = replace(read, marks=(*read.marks, replace(read.marks[0], place=99)))
    assert not all(check.ok for check in compare(more, right))


def test_a_folder_without_the_records_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordsUnreadable, match="comments"):
        read_records(tmp_path)
