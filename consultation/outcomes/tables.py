"""After deliberation: outcome items 协商成果, adoption 采纳, tasks 落实, the board."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from consultation.columns import (
    EnumText,
    Row,
    choice,
    key,
    maybe_choice,
    maybe_ref,
    maybe_text,
    maybe_when,
    ref,
    text,
    value,
    when,
)
from consultation.outcomes.rules import AdverseImpact, Decision, NonAdoption, SignatureSide
from consultation.outcomes.task_rules import SpendingKind, TaskCategory, TaskState


class Outcome(Row, table=True):
    """The outcome document of a round, append-only by version. The minority view is mandatory:
    it names the reasons and how they were dealt with, never the people."""

    topic_id: UUID = ref("topic.id", primary_key=True)
    round: int = Field(primary_key=True)
    version: int = Field(primary_key=True)
    community_id: UUID = ref("node.id")
    minority_view: str = text()
    adverse_impacts: list[AdverseImpact] = value(list[AdverseImpact])
    drafted_by_id: UUID = ref("person.id", index=False)
    change_reason: str | None = maybe_text()
    document_id: UUID | None = maybe_ref("document.id")
    at: datetime = when()


class OutcomeItem(Row, table=True):
    __table_args__ = (UniqueConstraint("topic_id", "round", "number"),)

    id: UUID = key()
    community_id: UUID = ref("node.id")
    topic_id: UUID = ref("topic.id")
    round: int
    number: int
    text: str = text()
    created_at: datetime = when()


class ConsensusCall(Row, table=True):
    """The convener says there is consensus without a ballot; participants have 3 days to object.
    ``version`` is that of the outcome paper: a revised paper needs a new call."""

    topic_id: UUID = ref("topic.id", primary_key=True)
    round: int = Field(primary_key=True)
    version: int = Field(primary_key=True)
    community_id: UUID = ref("node.id")
    called_by_id: UUID = ref("person.id", index=False)
    at: datetime = when()


class ConsensusObjection(Row, table=True):
    topic_id: UUID = ref("topic.id", primary_key=True)
    round: int = Field(primary_key=True)
    version: int = Field(primary_key=True)
    person_id: UUID = ref("person.id", primary_key=True)
    community_id: UUID = ref("node.id")
    reason: str = text()
    at: datetime = when()


class AdoptionReply(Row, table=True):
    """采纳答复 to one outcome item, append-only by version; the latest stands until signed."""

    item_id: UUID = ref("outcome_item.id", primary_key=True)
    version: int = Field(primary_key=True)
    community_id: UUID = ref("node.id")
    topic_id: UUID = ref("topic.id")
    decision: Decision = choice(Decision)
    reason_code: NonAdoption | None = maybe_choice(NonAdoption)
    reason: str = text()
    org_id: UUID = ref("organisation.id", index=False)
    by_id: UUID = ref("person.id", index=False)
    at: datetime = when()


class AdoptionSignature(Row, table=True):
    """One side's signature under the replies with ``replies_digest``. It stands while the replies
    stand; a changed reply leaves it behind as history."""

    topic_id: UUID = ref("topic.id", primary_key=True)
    round: int = Field(primary_key=True)
    side: SignatureSide = Field(primary_key=True, sa_type=EnumText(SignatureSide))
    replies_digest: str = Field(primary_key=True, max_length=64)
    community_id: UUID = ref("node.id")
    org_id: UUID = ref("organisation.id", index=False)
    person_id: UUID = ref("person.id", index=False)
    at: datetime = when()


class ReplyExtension(Row, table=True):
    """The one extension of a commissioner's reply, with its reason, before the deadline."""

    topic_id: UUID = ref("topic.id", primary_key=True)
    round: int = Field(primary_key=True)
    community_id: UUID = ref("node.id")
    reason: str = text()
    by_id: UUID = ref("person.id", index=False)
    old_due_at: datetime = when()
    new_due_at: datetime = when()
    at: datetime = when()


class Task(Row, table=True):
    """落实事项. ``budget_fen`` in fen; ``funding_source`` says where the money comes from."""

    id: UUID = key()
    community_id: UUID = ref("node.id")
    topic_id: UUID = ref("topic.id")
    round: int
    item_id: UUID | None = maybe_ref("outcome_item.id", index=True)
    title: str = Field(max_length=120)
    category: TaskCategory = choice(TaskCategory)
    responsible_org_id: UUID = ref("organisation.id", index=False)
    contact_id: UUID | None = maybe_ref("person.id")
    budget_fen: int = 0
    funding_source: str = Field(max_length=80)
    due_on: date
    state: TaskState = choice(TaskState)
    blocked_reason: str | None = maybe_text()
    end_reason: str | None = maybe_text()  # ended without being done
    done_at: datetime | None = maybe_when()
    overdue_since: datetime | None = maybe_when()
    accepted_by_convener_id: UUID | None = maybe_ref("person.id")
    accepted_by_resident_id: UUID | None = maybe_ref("person.id")
    accepted_at: datetime | None = maybe_when()
    is_rectification: bool = False
    created_at: datetime = when()


class Milestone(Row, table=True):
    __table_args__ = (UniqueConstraint("task_id", "number"),)

    id: UUID = key()
    community_id: UUID = ref("node.id")
    task_id: UUID = ref("task.id")
    number: int
    title: str = Field(max_length=120)
    due_on: date
    done_at: datetime | None = maybe_when()
    note: str | None = maybe_text()


class ProgressReport(Row, table=True):
    """What was done, or why not, append-only, public. ``state`` is the task's after it."""

    id: UUID = key()
    community_id: UUID = ref("node.id")
    topic_id: UUID = ref("topic.id")
    task_id: UUID = ref("task.id")
    state: TaskState = choice(TaskState)
    text: str = text()
    by_id: UUID = ref("person.id", index=False)
    at: datetime = when()


class Spending(Row, table=True):
    """One entry of a task's accounts, append-only; a correction is a negative entry."""

    id: UUID = key()
    community_id: UUID = ref("node.id")
    topic_id: UUID = ref("topic.id")
    task_id: UUID = ref("task.id")
    kind: SpendingKind = choice(SpendingKind)
    amount_fen: int
    purpose: str = Field(max_length=120)
    on: date
    by_id: UUID = ref("person.id", index=False)
    at: datetime = when()


class BoardPosting(Row, table=True):
    """Proof that a document hung on the notice board: where, when, and the photo's SHA-256."""

    id: UUID = key()
    community_id: UUID = ref("node.id")
    topic_id: UUID = ref("topic.id")
    document_id: UUID = ref("document.id")
    place: str = Field(max_length=120)
    posted_on: date
    photo_sha256: str | None = Field(default=None, max_length=64)
    by_id: UUID = ref("person.id", index=False)
    at: datetime = when()
