"""The log of who was named to vote 指定记录 for co-owners or for a household."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field

from consultation.columns import Row, flag, key, maybe_ref, ref, when


class VoterDesignation(Row, table=True):
    """``person_id`` was named for a unit or, exactly one of the two, for a household.
    ``evidence_sha256`` is of the scanned paper that the co-owners or the household signed; without
    one, who had the vote gave it on (``by_id``). ``from_register``: a register file said so, whose
    digest that is; then ``person_id`` is null where the file names nobody, and ``by_id`` where the
    command line took it over."""

    id: UUID = key()
    community_id: UUID = ref("node.id")
    unit_id: UUID | None = maybe_ref("property_unit.id", index=True)
    household_id: UUID | None = maybe_ref("household.id", index=True)
    person_id: UUID | None = maybe_ref("person.id")
    previous_id: UUID | None = maybe_ref("person.id")
    by_id: UUID | None = maybe_ref("person.id")
    witness_id: UUID | None = maybe_ref("person.id")
    evidence_sha256: str | None = Field(default=None, max_length=64)
    from_register: bool = flag()
    at: datetime = when()
