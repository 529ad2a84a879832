"""What happens to a topic on its way from draft to closed."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from consultation.events.event import TopicDetail, TopicEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicStateChanged(TopicEvent):
    type = "topic.state_changed"
    act: str
    from_state: str
    to_state: str
    round: int
    due_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicCosigned(TopicDetail):
    type = "topic.cosigned"
    co_signers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalAsked(TopicDetail):
    """The author wants to withdraw; until then a co-signer may take the topic over."""

    type = "topic.withdrawal_asked"
    take_over_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicTakenOver(TopicDetail):
    type = "topic.taken_over"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppealMade(TopicDetail):
    type = "topic.appeal_made"
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliberationExtended(TopicEvent):
    type = "topic.deliberation_extended"
    ends_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicOverdue(TopicEvent):
    type = "topic.overdue"
    state: str
    due_at: datetime
    escalated_to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentPublished(TopicEvent):
    type = "document.published"
    document_id: UUID
    kind: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferChanged(TopicDetail):
    """``due_at``: by when the receiver answers."""

    type = "transfer.changed"
    transfer_id: UUID
    state: str
    due_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChanged(TopicDetail):
    type = "plan.changed"
    round: int
