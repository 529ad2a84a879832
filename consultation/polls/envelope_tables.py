"""Confidential polls in the database: envelopes by voter before the opening of the box, opened
ballots without a voter after it, and who opened it. No row holds both a voter and a choice."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import JSON, LargeBinary
from sqlmodel import Field

from consultation.columns import Row, choice, key, maybe_ref, maybe_text, ref, same, when
from consultation.polls.presets import BallotChannel
from consultation.polls.rules import Choices
from consultation.polls.tables import SignerRole

HASH_BYTES = 32


def _bytes() -> bytes:
    return Field(sa_type=LargeBinary, nullable=False)


class Envelope(Row, table=True):
    """The one ballot of a voter, sealed to the box key. The primary key refuses a second; a
    permitted re-vote replaces what is in the row. No choice, no time, no tracker. ``fingerprint``
    recognises a retry. ``replaced`` holds fingerprint and leaf hash (32 bytes each) of every
    earlier ballot of the voter, so that a late retry of one does not undo the re-vote, and its leaf
    comes on the board as its receipt promised. ``salt`` and ``leaf_hash`` put the envelope there.
    An envelope on paper is handed in shut: ``sealed`` is empty (``sheet_tables`` has what follows).
    All rows of a poll are deleted when its box is opened."""

    poll_id: UUID = key()
    roll_entry_id: UUID = key()
    community_id: UUID = same()
    channel: BallotChannel = choice(BallotChannel)
    entered_by_id: UUID | None = maybe_ref("person.id")
    consent_note: str | None = maybe_text()
    sealed: bytes = _bytes()
    fingerprint: bytes = _bytes()
    replaced: bytes = _bytes()
    salt: bytes = _bytes()
    leaf_hash: bytes = _bytes()

    @property
    def receipt(self) -> str:
        return self.leaf_hash.hex()

    @property
    def earlier(self) -> list[tuple[bytes, bytes]]:
        """Fingerprint and leaf hash of the ballots that this one replaced."""
        return read_replaced(self.replaced)


def read_replaced(replaced: bytes) -> list[tuple[bytes, bytes]]:
    starts = range(0, len(replaced), 2 * HASH_BYTES)
    return [
        (replaced[at : at + HASH_BYTES], replaced[at + HASH_BYTES : at + 2 * HASH_BYTES])
        for at in starts
    ]


class Participation(Row, table=True):
    """Who took part and by which channel: what stays of an envelope after the box was opened, for
    reconciliation and for the voter's own question whether a ballot came in under their name."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    roll_entry_id: UUID = ref("roll_entry.id", primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    channel: BallotChannel = choice(BallotChannel)
    entered_by_id: UUID | None = maybe_ref("person.id")
    consent_note: str | None = maybe_text()


class OpenedBallot(Row, table=True):
    """A ballot as it came out of the box. ``number`` is its rank by tracker and says nothing about
    when it was cast. An invalid one has no choices, and a tracker drawn at the opening."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    number: int = Field(primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    tracker: str = Field(max_length=26)
    choices: Choices | None = Field(default=None, sa_type=JSON(none_as_null=True))


class BoxOpener(Row, table=True):
    """Two tellers and a supervisor each confirm that the box is to be opened 开箱."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    person_id: UUID = ref("person.id", primary_key=True)
    community_id: UUID = ref("node.id")
    role: SignerRole = choice(SignerRole)
    at: datetime = when()
