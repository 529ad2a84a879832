"""A topic 议题, the record of its life, its documents, plan, co-signers and transfers."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy import text as text_
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
    text,
    value,
    when,
)
from consultation.topics.plan import Plan
from consultation.topics.states import (
    Act,
    Category,
    DocumentKind,
    Layer,
    MatterList,
    RejectionReason,
    RequestState,
    State,
    Track,
    TransferState,
)


class Topic(Row, table=True):
    """``due_at`` is the deadline of the step the topic stands in, null where none runs.
    ``number`` is the short public name within the community (2026-007), empty while a draft.
    ``state_since`` is when it came into its state; ``version`` counts the steps, from 1."""

    __table_args__ = (
        Index(
            "uq_topic_community_id_number",
            "community_id",
            "number",
            unique=True,
            sqlite_where=text_("number <> ''"),
            postgresql_where=text_("number <> ''"),
        ),
        Index("ix_topic_community_created", "community_id", "created_at", "id"),
        Index("ix_topic_community_due", "community_id", "due_at", "id"),
    )

    id: UUID = key()
    community_id: UUID = ref("node.id")
    node_id: UUID = ref("node.id")  # the scope: where the matter lies
    node_path: str = Field(max_length=400)
    number: str = Field(default="", max_length=16)
    title: str = Field(max_length=80)
    summary_plain: str = Field(default="", max_length=120)
    problem: str = text()
    wish: str = text()
    place: str = Field(max_length=120)
    affected: list[str] = value(list[str])

    author_id: UUID = ref("person.id")
    entered_by_id: UUID | None = maybe_ref("person.id")  # 代录: the grid worker who typed it
    consent_note: str | None = maybe_text()  # how the resident agreed to be assisted
    open_to_cosign: bool = flag()
    co_signers: int = 0

    state: State = choice(State, index=True)
    state_since: datetime = when()
    due_at: datetime | None = maybe_when()
    overdue_since: datetime | None = maybe_when()
    escalations: int = 0  # how often the present step, being overdue, has been reported upwards
    round: int = 1
    version: int = 1

    category: Category | None = maybe_choice(Category)
    layer: Layer | None = maybe_choice(Layer)
    track: Track | None = maybe_choice(Track)
    matter_list: MatterList | None = maybe_choice(MatterList)
    convener_org_id: UUID | None = maybe_ref("organisation.id")
    convener_reason: str | None = maybe_text()
    commissioning_org_id: UUID | None = maybe_ref("organisation.id")
    merged_into_id: UUID | None = maybe_ref("topic.id", index=True)
    withdrawal_asked_at: datetime | None = maybe_when()
    was_public: bool = flag()
    created_at: datetime = when()


class TopicCounter(Row, table=True):
    """The last number that a community gave to a topic in a year."""

    community_id: UUID = ref("node.id", primary_key=True)
    year: int = Field(primary_key=True)
    last: int


class Follow(Row, table=True):
    """A person hears how a topic goes on, to its end: who asked to, who co-signed, who spoke, who
    is on the roll of its vote, whether they vote or not. ``by_roll``: for no other reason; they
    hear what matters, and not of every day's talk. ``ended``: they asked to hear no more, which no
    later deed of theirs changes but following again."""

    topic_id: UUID = ref("topic.id", primary_key=True)
    person_id: UUID = Field(foreign_key="person.id", primary_key=True, index=True)
    community_id: UUID = ref("node.id", index=False)
    by_roll: bool = flag()
    ended: bool = flag()
    at: datetime = when()


class CoSignature(Row, table=True):
    topic_id: UUID = ref("topic.id", primary_key=True)
    person_id: UUID = Field(foreign_key="person.id", primary_key=True, index=True)
    community_id: UUID = ref("node.id", index=False)
    carried_from_id: UUID | None = maybe_ref("topic.id")
    at: datetime = when()


class TopicTransition(Row, table=True):
    """One step of a topic's life, append-only: the table behind the timeline."""

    __table_args__ = (UniqueConstraint("topic_id", "number"),)

    id: UUID = key()
    community_id: UUID = ref("node.id")
    topic_id: UUID = ref("topic.id")
    number: int  # 1, 2, 3 … within the topic
    rule: str = Field(max_length=8)  # T1 … T29
    act: Act = choice(Act)
    from_state: State = choice(State)
    to_state: State = choice(State)
    round: int
    actor_id: UUID | None = maybe_ref("person.id")
    role: str = Field(max_length=40)
    org_id: UUID | None = maybe_ref("organisation.id")
    reason_code: str | None = Field(default=None, max_length=60)
    reason: str | None = maybe_text()
    document_ids: list[UUID] = value(list[UUID])
    facts: dict[str, Any] = value(dict[str, Any])
    due_at: datetime | None = maybe_when()
    at: datetime = when()


class Document(Row, table=True):
    """A document of a topic, append-only. A correction is a new row with the same ``series_id``,
    the next version and a reason; nothing published is ever changed or removed.
    ``content_hash`` is SHA-256 of title, newline, body as UTF-8."""

    __table_args__ = (UniqueConstraint("series_id", "version"),)

    id: UUID = key()
    community_id: UUID = ref("node.id")
    topic_id: UUID = ref("topic.id")
    series_id: UUID
    version: int = 1
    correction_reason: str | None = maybe_text()
    kind: DocumentKind = choice(DocumentKind)
    round: int
    title: str = Field(max_length=120)
    body: str = text()
    content_hash: str = Field(max_length=64)
    author_id: UUID | None = maybe_ref("person.id")
    org_id: UUID | None = maybe_ref("organisation.id")
    public: bool = flag()
    created_at: datetime = when()


class TopicPlan(Row, table=True):
    """The consultation plan 协商方案 of one round; frozen when the topic is announced."""

    topic_id: UUID = ref("topic.id", primary_key=True)
    round: int = Field(primary_key=True)
    community_id: UUID = ref("node.id")
    plan: Plan = value(Plan)
    digest: str | None = Field(default=None, max_length=64)  # SHA-256 of the frozen plan
    prepared_by_id: UUID | None = maybe_ref("person.id")
    legality_checked_by_id: UUID | None = maybe_ref("person.id")
    legality_ok: bool | None = None
    legality_opinion: str | None = maybe_text()
    frozen_at: datetime | None = maybe_when()
    notice_until: datetime | None = maybe_when()
    extended_to: date | None = None  # the one extension of the deliberation; the plan stays as is
    extension_reason: str | None = maybe_text()


class ParticipantRequest(Row, table=True):
    """A resident who says that the plan forgot them (S3). The answer carries a reason."""

    __table_args__ = (UniqueConstraint("topic_id", "round", "person_id"),)

    id: UUID = key()
    community_id: UUID = ref("node.id")
    topic_id: UUID = ref("topic.id", index=False)
    round: int
    person_id: UUID = ref("person.id")
    group_name: str = Field(max_length=40)
    reason: str = text()
    state: RequestState = choice(RequestState)
    answer: str | None = maybe_text()
    answered_by_id: UUID | None = maybe_ref("person.id")
    answered_at: datetime | None = maybe_when()
    at: datetime = when()


class InterestDeclaration(Row, table=True):
    """利益申报: who is to tell or host on this topic says whether they have a stake in it."""

    topic_id: UUID = ref("topic.id", primary_key=True)
    person_id: UUID = ref("person.id", primary_key=True)
    community_id: UUID = ref("node.id")
    has_interest: bool = flag()
    note: str = text()
    at: datetime = when()


class Rejection(Row, table=True):
    """不予受理: proposed by one person, confirmed by another; may be appealed once."""

    id: UUID = key()
    community_id: UUID = ref("node.id")
    topic_id: UUID = ref("topic.id")
    reason_code: RejectionReason = choice(RejectionReason)
    reason: str = text()
    proposed_by_id: UUID = ref("person.id", index=False)
    proposed_at: datetime = when()
    confirmed_by_id: UUID | None = maybe_ref("person.id")
    confirmed_at: datetime | None = maybe_when()
    confirmed_org_id: UUID | None = maybe_ref("organisation.id")
    appeal_reason: str | None = maybe_text()
    appealed_at: datetime | None = maybe_when()
    appeal_decided_by_id: UUID | None = maybe_ref("person.id")
    appeal_decided_at: datetime | None = maybe_when()
    appeal_upheld: bool | None = None
    appeal_opinion: str | None = maybe_text()


class Transfer(Row, table=True):
    """转办: the matter lies with another body, which answers."""

    __table_args__ = (Index("ix_transfer_receiver_due", "receiver_org_id", "due_at", "id"),)

    id: UUID = key()
    community_id: UUID = ref("node.id")
    topic_id: UUID = ref("topic.id")
    receiver_org_id: UUID = ref("organisation.id", index=False)
    ticket: str | None = Field(default=None, max_length=60)
    state: TransferState = choice(TransferState)
    reason: str = text()
    sent_by_id: UUID = ref("person.id", index=False)
    answer: str | None = maybe_text()
    answer_document_id: UUID | None = maybe_ref("document.id")
    answered_by_id: UUID | None = maybe_ref("person.id")
    return_reason: str | None = maybe_text()
    due_at: datetime | None = maybe_when()
    sent_at: datetime = when()
    received_at: datetime | None = maybe_when()
    answered_at: datetime | None = maybe_when()
    relayed_at: datetime | None = maybe_when()
    rating: int | None = None  # 1 to 5, by the author
