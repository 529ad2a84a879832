"""What happens to dissent records, counted, and to surveys."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from consultation.events.event import TopicDetail, TopicEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class DissentCounted(TopicDetail):
    """How many dissent records are open and settled; never whose."""

    type = "dissent.counted"
    open: int
    settled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyOpened(TopicEvent):
    type = "survey.opened"
    survey_id: UUID
    closes_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyPublished(TopicEvent):
    type = "survey.published"
    survey_id: UUID
    answers: int
