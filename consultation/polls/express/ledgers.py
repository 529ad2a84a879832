"""How the ballots of each mode are stored: a table, its columns, and what a row holds.

A mode that has no ledger here is cast by ``commands/casting`` one ballot at a time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from consultation.polls import leaves
from consultation.polls.envelopes import seal_ballot
from consultation.polls.express.judging import CHANNEL, PollText, Receipt
from consultation.polls.presets import BallotMode
from consultation.polls.rules import Choices

RANDOM_BYTES = leaves.SALT_BYTES


@dataclass(slots=True)
class Entry:
    """A cast that was admitted; ``written`` are its choices in canonical JSON. ``entry`` and
    ``community`` are ids as the database has them; ``random`` are fresh random bytes."""

    poll_id: UUID
    entry: Any
    number: int
    community: Any
    choices: Choices
    written: str
    cast_no: int
    now: datetime
    random: bytes
    text: PollText
    once: bytes


class Ledger(Protocol):
    """``columns``: name and PostgreSQL type, the first two being ``poll_id`` and
    ``roll_entry_id``; ``shared``: those that are the same in all rows of a statement; ``key``: the
    columns whose uniqueness refuses a second ballot."""

    @property
    def table(self) -> str: ...
    @property
    def columns(self) -> Sequence[tuple[str, str]]: ...
    @property
    def shared(self) -> Sequence[tuple[str, str]]: ...
    @property
    def key(self) -> Sequence[str]: ...

    def same(self, cast_no: int, set_aside: bool, now: datetime) -> tuple[Any, ...]:
        """The values of the shared columns."""
        ...

    def row(self, cast: Entry) -> tuple[tuple[Any, ...], Receipt]:
        """The values of the columns, and the receipt for when they are in."""
        ...


class Named:
    table = "ballot"
    columns = (
        ("poll_id", "uuid"),
        ("roll_entry_id", "uuid"),
        ("community_id", "uuid"),
        ("choices", "json"),
        ("salt", "bytea"),
        ("leaf_hash", "bytea"),
    )
    shared = (
        ("cast_no", "int4"),
        ("set_aside", "bool"),
        ("channel", "text"),
        ("cast_at", "timestamptz"),
    )
    key = ("poll_id", "roll_entry_id", "cast_no")

    def same(self, cast_no: int, set_aside: bool, now: datetime) -> tuple[Any, ...]:
        return (cast_no, set_aside, _ELECTRONIC, now)

    def row(self, cast: Entry) -> tuple[tuple[Any, ...], Receipt]:
        leaf = leaves.leaf_hash(_leaf(cast))
        values = (cast.poll_id, cast.entry, cast.community, cast.written, cast.random, leaf)
        return values, Receipt(cast.poll_id, leaf.hex(), cast.now)


class Confidential:
    """Envelopes (``polls/envelopes``). Only a voter's first goes in with a batch: a retry or a
    re-vote has to read what lies there, and is cast alone."""

    table = "envelope"
    columns = (
        ("poll_id", "uuid"),
        ("roll_entry_id", "uuid"),
        ("community_id", "uuid"),
        ("sealed", "bytea"),
        ("fingerprint", "bytea"),
        ("salt", "bytea"),
        ("leaf_hash", "bytea"),
    )
    shared = (("channel", "text"), ("replaced", "bytea"))
    key = ("poll_id", "roll_entry_id")

    def same(self, cast_no: int, set_aside: bool, now: datetime) -> tuple[Any, ...]:
        return (_ELECTRONIC, b"")

    def row(self, cast: Entry) -> tuple[tuple[Any, ...], Receipt]:
        assert cast.text.box_public_key is not None
        content = seal_ballot(
            cast.text.box_public_key,
            poll_id=cast.poll_id,
            items=cast.text.items,
            place=cast.number,
            choices=cast.choices,
            once=cast.once,
        )
        values = (
            cast.poll_id,
            cast.entry,
            cast.community,
            content.sealed,
            content.fingerprint,
            content.salt,
            content.leaf_hash,
        )
        return values, Receipt(cast.poll_id, content.leaf_hash.hex(), None, content.tracker)


def _leaf(cast: Entry) -> bytes:
    """``leaves.ballot_leaf``, written out: half of what a row costs otherwise."""
    return (
        f'{{"cast":{cast.cast_no},"channel":"{_ELECTRONIC}","choices":{cast.written},'
        f'"place":{cast.number},"poll":"{cast.poll_id}","salt":"{cast.random.hex()}","v":1}}'
    ).encode()


_ELECTRONIC = CHANNEL.value
LEDGERS: Mapping[BallotMode, Ledger] = {
    BallotMode.NAMED: Named(),
    BallotMode.CONFIDENTIAL: Confidential(),
}
