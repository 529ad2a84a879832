"""Ways out of a count that is wrong: a corrected count 更正计票, and a poll annulled 宣告无效."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field

from consultation.columns import Row, ref, text, value, when
from consultation.polls.results import Result


class CountCorrection(Row, table=True):
    """What a supervisor found in the ledger when it was counted anew, and why they had it counted.
    It takes the place of the stored count when two tellers who signed no earlier one have signed
    its digest. The last one of a poll stands."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    number: int = Field(primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    corrects_digest: str = Field(max_length=64)
    result: Result = value(Result)
    result_digest: str = Field(max_length=64)
    reason: str = text()
    ordered_by_id: UUID = ref("person.id", index=False)
    at: datetime = when()


class PollAnnulment(Row, table=True):
    """A supervisor asks for a poll to be annulled, and says why in public. The last version is the
    one that is confirmed."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    version: int = Field(primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    reason: str = text()
    proposed_by_id: UUID = ref("person.id", index=False)
    at: datetime = when()


class AnnulmentConfirmation(Row, table=True):
    """The convener agrees; the poll is void from then on."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    version: int
    community_id: UUID = ref("node.id", index=False)
    document_id: UUID = ref("document.id", index=False)
    confirmed_by_id: UUID = ref("person.id", index=False)
    at: datetime = when()
