"""Paper forms 纸质表决票: printed in blocks, issued to voters, entered twice, and settled."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import JSON, Index, UniqueConstraint
from sqlmodel import Field

from consultation.columns import Row, choice, flag, maybe_ref, maybe_text, ref, when
from consultation.polls.paper import FormFate
from consultation.polls.presets import BallotChannel


class PaperBlock(Row, table=True):
    """Forms ``first`` to ``last`` were printed; a poll's blocks follow one another from 1."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    first: int = Field(primary_key=True)
    last: int
    community_id: UUID = ref("node.id", index=False)
    printed_by_id: UUID = ref("person.id", index=False)
    at: datetime = when()


class PaperIssue(Row, table=True):
    """A form went to the voter in place ``number``, who signed: SHA-256 of the scanned signature.
    If an objection gives the place another voter before the opening, the form is void.
    ``channel`` is paper, or home_visit with ``second_staff_id``, who came along."""

    __table_args__ = (Index("ix_paper_issue_place", "poll_id", "number"),)

    poll_id: UUID = ref("poll.id", primary_key=True)
    form: int = Field(primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    number: int
    voter_id: UUID = ref("person.id", index=False)
    channel: BallotChannel = choice(BallotChannel)
    signature_sha256: str = Field(max_length=64)
    issued_by_id: UUID = ref("person.id", index=False)
    second_staff_id: UUID | None = maybe_ref("person.id")
    at: datetime = when()


class PaperEntry(Row, table=True):
    """What one person read on a form: a keyed hash of it, so that nobody, before the close or
    after it, finds a choice here. ``scans`` are SHA-256 of the scans that they read; the scans
    themselves stay outside."""

    __table_args__ = (UniqueConstraint("poll_id", "form", "entry_no"),)

    poll_id: UUID = ref("poll.id", primary_key=True)
    form: int = Field(primary_key=True)
    person_id: UUID = ref("person.id", primary_key=True)
    entry_no: int
    community_id: UUID = ref("node.id", index=False)
    by_teller: bool = flag()
    readable: bool = flag()
    content: str = Field(max_length=64)
    scans: list[str] = Field(sa_type=JSON, nullable=False)
    at: datetime = when()


class PaperScan(Row, table=True):
    """Of which poll a scan, by its SHA-256, shows papers: one form or sheet, or a whole batch of
    them. The first entry that was made from it says so."""

    community_id: UUID = ref("node.id", primary_key=True)
    sha256: str = Field(max_length=64, primary_key=True)
    poll_id: UUID = ref("poll.id", index=False)


class PaperFate(Row, table=True):
    """What became of a form, once and for good. ``cast_no`` is the voter's cast that a returned
    form became."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    form: int = Field(primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    fate: FormFate = choice(FormFate)
    cast_no: int | None = None
    note: str | None = maybe_text()
    by_id: UUID = ref("person.id", index=False)
    at: datetime = when()
