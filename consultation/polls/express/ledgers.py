"""How the ballots of each mode are stored: a table, its columns, and what a row holds.

A mode that has no ledger here is cast by ``commands/casting`` one ballot at a time.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from consultation.polls import leaves
from consultation.polls.envelopes import seal_ballot
from consultation.polls.express.judging import CHANNEL, Admitted, OwnCast, PollText, Receipt, Seen
from consultation.polls.presets import BallotMode

SALT_BYTES = leaves.SALT_BYTES


class Case:
    """A cast that was admitted, and its place in the batch."""

    __slots__ = ("admitted", "cast", "index", "key", "seen", "text")

    def __init__(
        self, index: int, cast: OwnCast, text: PollText, seen: Seen, admitted: Admitted
    ) -> None:
        self.index = index
        self.cast = cast
        self.text = text
        self.seen = seen
        self.admitted = admitted
        self.key = (cast.poll_id, seen.entry)

    def order(self) -> tuple[int, int]:
        return (self.cast.poll_id.int, self.seen.number)


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

    def row(
        self, case: Case, cast_no: int, now: datetime, salt: bytes
    ) -> tuple[tuple[Any, ...], Receipt]:
        """The values of the columns, and the receipt for when they are in. ``salt`` is 16 fresh
        random bytes."""
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

    def row(
        self, case: Case, cast_no: int, now: datetime, salt: bytes
    ) -> tuple[tuple[Any, ...], Receipt]:
        poll_id, seen, written = case.cast.poll_id, case.seen, case.admitted.written
        key, secret = case.cast.once, case.text.salt_secret
        if key and secret is not None:
            salt = leaves.keyed_salt(secret, seen.number, key, salt)
        # ``leaves.ballot_leaf``, written out: half of what a row costs otherwise
        leaf = leaves.leaf_hash(
            f'{{"cast":{cast_no},"channel":"{_ELECTRONIC}","choices":{written},'
            f'"place":{seen.number},"poll":"{poll_id}","salt":"{salt.hex()}","v":1}}'.encode()
        )
        values = (poll_id, seen.entry, seen.community, written, salt, leaf)
        return values, Receipt(poll_id, leaf.hex(), now)


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

    def row(
        self, case: Case, cast_no: int, now: datetime, salt: bytes
    ) -> tuple[tuple[Any, ...], Receipt]:
        cast, seen, text = case.cast, case.seen, case.text
        assert text.box_public_key is not None
        content = seal_ballot(
            text.box_public_key,
            poll_id=cast.poll_id,
            items=text.items,
            place=seen.number,
            choices=case.admitted.choices,
            once=case.admitted.once,
        )
        values = (
            cast.poll_id,
            seen.entry,
            seen.community,
            content.sealed,
            content.fingerprint,
            content.salt,
            content.leaf_hash,
        )
        return values, Receipt(cast.poll_id, content.leaf_hash.hex(), None, content.tracker)


_ELECTRONIC = CHANNEL.value
LEDGERS: Mapping[BallotMode, Ledger] = {
    BallotMode.NAMED: Named(),
    BallotMode.CONFIDENTIAL: Confidential(),
}
