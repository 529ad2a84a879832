"""Meetings 协商会: convened with notice, attended, minuted; those present confirm the minutes."""

from datetime import datetime
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
    maybe_when,
    ref,
    value,
    when,
)
from consultation.community.tables import OrgKind
from consultation.meetings.minutes_rules import MinutesContent
from consultation.meetings.rules import AttendanceMode, Form, MeetingState


class Meeting(Row, table=True):
    """``quorum_members`` is how many belong to the meeting, for forms that have a quorum.
    ``present`` counts who is there in person or online, ``written`` who sent an opinion."""

    id: UUID = key()
    community_id: UUID = ref("node.id")
    topic_id: UUID = ref("topic.id")
    round: int
    form: Form = choice(Form)
    title: str = Field(max_length=80)
    place: str = Field(max_length=120)
    online: bool = flag()
    starts_at: datetime = when()
    state: MeetingState = choice(MeetingState)
    convened_by_id: UUID = ref("person.id", index=False)
    host_id: UUID = ref("person.id", index=False)
    recorder_id: UUID = ref("person.id", index=False)
    quorum_members: int | None = None
    present: int = 0
    written: int = 0
    notice_id: UUID | None = maybe_ref("document.id")
    opened_at: datetime | None = maybe_when()
    closed_at: datetime | None = maybe_when()
    created_at: datetime = when()


class MeetingGroup(Row, table=True):
    """An invited group: it was heard (``present`` counts those who came or wrote), or its absence
    is documented. ``org_kind``: a party that must be there, spoken for by somebody with a role in
    such an organisation. ``members``: those the quorum is counted of, from the list."""

    meeting_id: UUID = ref("meeting.id", primary_key=True)
    name: str = Field(primary_key=True, max_length=40)
    community_id: UUID = ref("node.id")
    affected: bool = flag()
    org_kind: OrgKind | None = maybe_choice(OrgKind)
    members: bool = flag()
    present: int = 0
    absence_note: str | None = maybe_text()


class Attendance(Row, table=True):
    meeting_id: UUID = ref("meeting.id", primary_key=True)
    person_id: UUID = ref("person.id", primary_key=True)
    community_id: UUID = ref("node.id")
    group_name: str = Field(max_length=40)
    mode: AttendanceMode = choice(AttendanceMode)
    entered_by_id: UUID | None = maybe_ref("person.id")
    at: datetime = when()


class Minutes(Row, table=True):
    """协商纪要. Each version is a row; who was present confirms the latest."""

    meeting_id: UUID = ref("meeting.id", primary_key=True)
    version: int = Field(primary_key=True)
    community_id: UUID = ref("node.id")
    content: MinutesContent = value(MinutesContent)
    content_hash: str = Field(max_length=64)
    drafted_by_id: UUID = ref("person.id", index=False)
    confirm_until: datetime = when()
    document_id: UUID | None = maybe_ref("document.id")
    at: datetime = when()


class MinutesConfirmation(Row, table=True):
    """A person present confirms the minutes, or states what is wrong (``objection``)."""

    meeting_id: UUID = ref("meeting.id", primary_key=True)
    version: int = Field(primary_key=True)
    person_id: UUID = ref("person.id", primary_key=True)
    community_id: UUID = ref("node.id")
    confirmed: bool = flag(default=True)
    objection: str | None = maybe_text()
    at: datetime = when()


class ShowOfHands(Row, table=True):
    """举手表决: what hands said on one question, counted by the recorder. It binds nobody; a vote
    that binds is a poll."""

    __table_args__ = (UniqueConstraint("meeting_id", "number"),)

    id: UUID = key()
    community_id: UUID = ref("node.id", index=False)
    meeting_id: UUID = ref("meeting.id", index=False)
    number: int
    question: str = Field(max_length=200)
    present: int
    ayes: int
    noes: int
    abstained: int
    by_id: UUID = ref("person.id", index=False)
    at: datetime = when()
