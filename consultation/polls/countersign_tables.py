"""Who was asked to countersign an entry 会签, and what they said."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field

from consultation.columns import EnumText, Row, choice, maybe_text, ref, when
from consultation.polls.countersigning import CountersignAnswer, CountersignSubject


class CountersignRequest(Row, table=True):
    """An entry of ``asked_by_id`` names ``person_id``. ``number`` is what ``CountersignSubject``
    says."""

    __table_args__ = (Index("ix_countersign_request_person", "person_id", "at"),)

    poll_id: UUID = ref("poll.id", primary_key=True)
    subject: CountersignSubject = Field(primary_key=True, sa_type=EnumText(CountersignSubject))
    number: int = Field(primary_key=True)
    turn: int = Field(primary_key=True)
    person_id: UUID = ref("person.id", primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    asked_by_id: UUID = ref("person.id", index=False)
    at: datetime = when()


class Countersignature(Row, table=True):
    """The one answer of a person on an entry: of somebody it names, or, ``settled``, of the
    supervisor."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    subject: CountersignSubject = Field(primary_key=True, sa_type=EnumText(CountersignSubject))
    number: int = Field(primary_key=True)
    turn: int = Field(primary_key=True)
    person_id: UUID = ref("person.id", primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    answer: CountersignAnswer = choice(CountersignAnswer)
    reason: str | None = maybe_text()
    at: datetime = when()
