"""Written mandates 书面委托, and their end."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field

from consultation.columns import Row, choice, ref, when
from consultation.polls.mandates import MandateRelation


class Mandate(Row, table=True):
    """``principal_id``, the voter in place ``number`` of one poll, lets ``holder_id`` vote for them
    until ``valid_until``. ``document_sha256`` is of the scanned paper, which staff checked; it
    stays outside. ``instruction`` is a keyed hash of the ballot that the principal wrote down:
    nobody finds a choice here, and the holder's ballot can be compared with it."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    number: int = Field(primary_key=True)
    mandate_no: int = Field(primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    principal_id: UUID = ref("person.id", index=False)
    holder_id: UUID = ref("person.id")
    relation: MandateRelation = choice(MandateRelation)
    document_sha256: str = Field(max_length=64)
    instruction: str | None = Field(default=None, max_length=64)
    valid_until: datetime = when()
    registered_by_id: UUID = ref("person.id", index=False)
    at: datetime = when()


class MandateWithdrawal(Row, table=True):
    """The end of a mandate before its time: the principal took it back, on the phone or in writing
    (``document_sha256``), or lost the place by a ruling on the roll, which ``by_id`` confirmed."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    number: int = Field(primary_key=True)
    mandate_no: int = Field(primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    document_sha256: str | None = Field(default=None, max_length=64)
    by_id: UUID = ref("person.id", index=False)
    at: datetime = when()
