"""What happens to a meeting."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from consultation.events.event import TopicDetail, TopicEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingConvened(TopicEvent):
    type = "meeting.convened"
    meeting_id: UUID
    form: str
    starts_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingChanged(TopicDetail):
    type = "meeting.changed"
    meeting_id: UUID
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttendanceChanged(TopicDetail):
    type = "meeting.attendance_changed"
    meeting_id: UUID
    present: int
