"""What happens after the vote: outcome, adoption, tasks, and the notice on the board."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from consultation.events.event import TopicDetail, TopicEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeChanged(TopicDetail):
    type = "outcome.changed"
    round: int
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsensusCalled(TopicEvent):
    type = "outcome.consensus_called"
    round: int
    version: int
    objections_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptionSigned(TopicDetail):
    type = "adoption.signed"
    side: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptionReplied(TopicDetail):
    """An item was answered, not yet signed: what the answer is, is public once it is signed."""

    type = "adoption.replied"
    item_id: UUID
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyExtended(TopicEvent):
    type = "adoption.reply_extended"
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskChanged(TopicDetail):
    type = "task.changed"
    task_id: UUID
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOverdue(TopicEvent):
    type = "task.overdue"
    task_id: UUID
    due_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedPartsDeclared(TopicDetail):
    """It is said which exclusive parts the work uses: ``parts`` is how many."""

    type = "outcome.used_parts_declared"
    version: int
    parts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingRecorded(TopicDetail):
    """``total_fen``: what the entries of this kind of the task now come to."""

    type = "task.spending_recorded"
    task_id: UUID
    kind: str
    total_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentPosted(TopicDetail):
    """A published document hangs on the notice board."""

    type = "document.posted"
    document_id: UUID
