"""Oversight: dissent records 不同意见, explanations, the satisfaction survey 满意度测评."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from consultation.columns import (
    Row,
    choice,
    flag,
    key,
    maybe_choice,
    maybe_ref,
    maybe_text,
    maybe_value,
    maybe_when,
    ref,
    text,
    value,
    when,
)
from consultation.oversight.rules import (
    DissentState,
    ExplanationChannel,
    Reply,
    SurveyChannel,
    SurveyResult,
    SurveyState,
)


class DissentRecord(Row, table=True):
    """Who held which different view, at which step. The view is never changed; the person may
    add a rejoinder. Seen by the person and by those who must explain, never listed in public.
    ``due_at``: until when it must be explained, null while no such deadline runs."""

    __table_args__ = (UniqueConstraint("topic_id", "round", "person_id", "step"),)

    id: UUID = key()
    community_id: UUID = ref("node.id")
    topic_id: UUID = ref("topic.id")
    round: int
    person_id: UUID = ref("person.id")
    step: str = Field(max_length=40)  # the topic state in which it was recorded
    view: str = text()
    recorded_by_id: UUID = ref("person.id", index=False)
    state: DissentState = choice(DissentState)
    assigned_to_id: UUID | None = maybe_ref("person.id")
    due_at: datetime | None = maybe_when()
    rejoinder: str | None = maybe_text()
    at: datetime = when()


class DissentExplanation(Row, table=True):
    """解释说明, or a documented attempt at one (``reached`` false), append-only but for the
    person's reply."""

    __table_args__ = (UniqueConstraint("dissent_id", "number"),)

    id: UUID = key()
    community_id: UUID = ref("node.id")
    dissent_id: UUID = ref("dissent_record.id")
    number: int
    by_id: UUID = ref("person.id", index=False)
    org_id: UUID | None = maybe_ref("organisation.id")
    channel: ExplanationChannel = choice(ExplanationChannel)
    reached: bool = True
    text: str = text()
    at: datetime = when()
    reply: Reply | None = maybe_choice(Reply)
    replied_at: datetime | None = maybe_when()


class Survey(Row, table=True):
    """The result is written by the system at the close and cannot be hidden; staff may respond."""

    __table_args__ = (UniqueConstraint("topic_id", "round"),)

    id: UUID = key()
    community_id: UUID = ref("node.id")
    topic_id: UUID = ref("topic.id")
    round: int
    state: SurveyState = choice(SurveyState)
    invited: int
    groups: list[str] = value(list[str])
    opens_at: datetime = when()
    closes_at: datetime = when()
    result: SurveyResult | None = maybe_value(SurveyResult)
    published_at: datetime | None = maybe_when()
    response_document_id: UUID | None = maybe_ref("document.id")
    rectify_by: date | None = None


class SurveyInvitation(Row, table=True):
    """An affected person asked for a rating. That they answered is known; what, is not linked."""

    survey_id: UUID = ref("survey.id", primary_key=True)
    person_id: UUID = ref("person.id", primary_key=True)
    community_id: UUID = ref("node.id")
    answered: bool = False


class SurveyAnswer(Row, table=True):
    """One rating, 1 (very dissatisfied) to 5 (very satisfied), without the person."""

    id: UUID = key()
    community_id: UUID = ref("node.id")
    survey_id: UUID = ref("survey.id")
    score: int
    themes: list[str] = value(list[str])
    themes_checked: bool = flag()  # a machine passed them, or staff entered them
    remark: str | None = maybe_text()
    channel: SurveyChannel = choice(SurveyChannel)
