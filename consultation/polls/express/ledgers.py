"""How the ballots of each mode are stored: a table, its columns, and what a row holds.

A mode that has no ledger here is cast by ``commands/casting`` one ballot at a time.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_bytes
from typing import Any, Protocol
from uuid import UUID

from consultation.polls import leaves
from consultation.polls.envelopes import seal_ballot
from consultation.polls.express.judging import CHANNEL, PollText, Receipt
from consultation.polls.presets import BallotMode
from consultation.polls.rules import Choices


@dataclass(frozen=True, slots=True)
class Entry:
    """A cast that was admitted. ``entry`` and ``community`` are ids as the database has them."""

    poll_id: UUID
    entry: Any
    number: int
    community: Any
    area_dm2: int
    choices: Choices
    cast_no: int
    set_aside: bool
    now: datetime
    text: PollText
    once: bytes


class Ledger(Protocol):
    """``columns``: name and PostgreSQL type, the first two being ``poll_id`` and
    ``roll_entry_id``; ``key``: the columns whose uniqueness refuses a second ballot."""

    @property
    def table(self) -> str: ...
    @property
    def columns(self) -> Sequence[tuple[str, str]]: ...
    @property
    def key(self) -> Sequence[str]: ...

    def row(self, cast: Entry) -> tuple[tuple[Any, ...], Receipt]:
        """The values of the columns, and the receipt for when they are in."""
        ...


class Named:
    table = "ballot"
    columns = (
        ("poll_id", "uuid"),
        ("roll_entry_id", "uuid"),
        ("cast_no", "int4"),
        ("community_id", "uuid"),
        ("choices", "json"),
        ("channel", "text"),
        ("set_aside", "bool"),
        ("salt", "bytea"),
        ("leaf_hash", "bytea"),
        ("cast_at", "timestamptz"),
    )
    key = ("poll_id", "roll_entry_id", "cast_no")

    def row(self, cast: Entry) -> tuple[tuple[Any, ...], Receipt]:
        salt = token_bytes(leaves.SALT_BYTES)
        leaf = leaves.leaf_hash(
            leaves.ballot_leaf(
                poll_id=cast.poll_id,
                place=cast.number,
                cast_no=cast.cast_no,
                channel=CHANNEL,
                choices=cast.choices,
                salt=salt,
            )
        )
        values = (
            cast.poll_id,
            cast.entry,
            cast.cast_no,
            cast.community,
            json.dumps(cast.choices),
            CHANNEL.value,
            cast.set_aside,
            salt,
            leaf,
            cast.now,
        )
        return values, Receipt(cast.poll_id, leaf.hex(), cast.now)


class Confidential:
    """Envelopes (``polls/envelopes``). Only a voter's first goes in with a batch: a retry or a
    re-vote has to read what lies there, and is cast alone."""

    table = "envelope"
    columns = (
        ("poll_id", "uuid"),
        ("roll_entry_id", "uuid"),
        ("community_id", "uuid"),
        ("channel", "text"),
        ("sealed", "bytea"),
        ("fingerprint", "bytea"),
        ("replaced", "bytea"),
        ("salt", "bytea"),
        ("leaf_hash", "bytea"),
    )
    key = ("poll_id", "roll_entry_id")

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
            CHANNEL.value,
            content.sealed,
            content.fingerprint,
            b"",
            content.salt,
            content.leaf_hash,
        )
        return values, Receipt(cast.poll_id, content.leaf_hash.hex(), None, content.tracker)


LEDGERS: Mapping[BallotMode, Ledger] = {
    BallotMode.NAMED: Named(),
    BallotMode.CONFIDENTIAL: Confidential(),
}
