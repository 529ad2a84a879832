"""That a voter had help 代为填写, and by whom."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field

from consultation.columns import Row, maybe_ref, ref, when


class BallotAssistance(Row, table=True):
    """Of a ballot on channel ``assisted``, the ``cast_no``-th of its voter (of a confidential poll
    the how many-th with help): the helper whom the voter chose, and the second member
    of staff where the helper is also who entered it (trust 1.3, row 3)."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    roll_entry_id: UUID = ref("roll_entry.id", primary_key=True)
    cast_no: int = Field(primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    helper_id: UUID = ref("person.id", index=False)
    witness_id: UUID | None = maybe_ref("person.id")
    at: datetime = when()
