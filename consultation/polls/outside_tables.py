"""Certified results of another system 外部系统认定结果."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field

from consultation.columns import Row, ref, value, when
from consultation.polls.outside import OutsideCount
from consultation.polls.results import Result


class OutsideResult(Row, table=True):
    """The sums of a certificate, as one person entered them; ``certificate_sha256`` is of the
    scanned certificate, which stays outside. ``result`` follows from them by the rule."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    version: int = Field(primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    system: str = Field(max_length=200)
    certificate_sha256: str = Field(max_length=64)
    sums: OutsideCount = value(OutsideCount)
    result: Result = value(Result)
    entered_by_id: UUID = ref("person.id", index=False)
    at: datetime = when()


class OutsideConfirmation(Row, table=True):
    """A second person compared what was entered with the certificate; once and for good."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    version: int
    community_id: UUID = ref("node.id", index=False)
    document_id: UUID = ref("document.id", index=False)
    confirmed_by_id: UUID = ref("person.id", index=False)
    at: datetime = when()
