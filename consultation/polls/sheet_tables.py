"""Sheets of paper in a confidential poll: by a number that was given when they came out of the
mixed envelopes. No row leads to a voter or to a form."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import JSON, LargeBinary, UniqueConstraint
from sqlmodel import Field

from consultation.columns import Row, flag, ref, when


class SheetEntry(Row, table=True):
    """What one person read on a sheet: a keyed hash of it, as in ``PaperEntry``. ``scans`` are
    SHA-256 of the scans that they read."""

    __table_args__ = (UniqueConstraint("poll_id", "sheet", "entry_no"),)

    poll_id: UUID = ref("poll.id", primary_key=True)
    sheet: int = Field(primary_key=True)
    person_id: UUID = ref("person.id", primary_key=True)
    entry_no: int
    community_id: UUID = ref("node.id", index=False)
    by_teller: bool = flag()
    readable: bool = flag()
    content: str = Field(max_length=64)
    scans: list[str] = Field(sa_type=JSON, nullable=False)
    at: datetime = when()


class SealedSheet(Row, table=True):
    """What two people read alike, sealed to the box key under a tracker that nobody holds. Deleted
    when the box is opened, like the envelopes that came from phones."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    sheet: int = Field(primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    sealed: bytes = Field(sa_type=LargeBinary, nullable=False)
