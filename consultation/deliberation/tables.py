"""Threads 讨论 and posts 发言, statements 观点 and marks, reviews of content 人工复核."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from consultation.columns import (
    Row,
    choice,
    key,
    maybe_ref,
    maybe_text,
    maybe_when,
    ref,
    text,
    value,
    when,
)
from consultation.deliberation.review_rules import ReviewCause, ReviewState, ReviewSubject
from consultation.deliberation.rules import Mark, Stance, StatementState


class Thread(Row, table=True):
    """``posts`` and the numbers by stance are kept on the row, so that a list counts nothing."""

    id: UUID = key()
    community_id: UUID = ref("node.id")
    topic_id: UUID = ref("topic.id")
    round: int
    title: str = Field(max_length=80)
    opened_by_id: UUID = ref("person.id", index=False)
    posts: int = 0
    posts_for: int = 0
    posts_against: int = 0
    posts_neutral: int = 0
    posts_question: int = 0
    created_at: datetime = when()
    closed_at: datetime | None = maybe_when()


class Post(Row, table=True):
    """``display_name`` is what neighbours see: building and masked name of a resident (3幢 王*),
    the name of a member of staff; the role's word is made when it is read.
    A hidden post keeps its row and text; readers get the reason in its place. What the supervisor
    restored (``appeal_upheld``) keeps the record of having been hidden."""

    __table_args__ = (
        Index("ix_post_thread_created", "thread_id", "created_at", "id"),
        Index("ix_post_author_topic", "author_id", "topic_id", "created_at"),
    )

    id: UUID = key()
    community_id: UUID = ref("node.id")
    topic_id: UUID = ref("topic.id")
    thread_id: UUID = ref("thread.id", index=False)
    parent_id: UUID | None = maybe_ref("post.id")
    author_id: UUID = ref("person.id", index=False)
    author_role: str = Field(max_length=40)
    display_name: str = Field(max_length=60)
    stance: Stance = choice(Stance)
    body: str = text()
    version: int = 1
    replies: int = 0
    entered_by_id: UUID | None = maybe_ref("person.id")  # 代录
    consent_note: str | None = maybe_text()
    created_at: datetime = when()
    edited_at: datetime | None = maybe_when()
    hidden_at: datetime | None = maybe_when()
    hidden_by_id: UUID | None = maybe_ref("person.id")
    hidden_reason_code: str | None = Field(default=None, max_length=40)
    hidden_reason: str | None = maybe_text()
    appeal: str | None = maybe_text()
    appealed_at: datetime | None = maybe_when()
    appeal_decided_by_id: UUID | None = maybe_ref("person.id")
    appeal_decided_at: datetime | None = maybe_when()
    appeal_upheld: bool | None = None
    appeal_opinion: str | None = maybe_text()


class PostVersion(Row, table=True):
    """Every text a post has had, append-only; readers may see them."""

    post_id: UUID = ref("post.id", primary_key=True)
    version: int = Field(primary_key=True)
    community_id: UUID = ref("node.id")
    stance: Stance = choice(Stance)
    body: str = text()
    at: datetime = when()


class Statement(Row, table=True):
    """One sentence that people mark. ``agrees``, ``disagrees``, ``passes`` count the marks that
    stand; ``*_events`` count every mark ever made, repeats and changes included.
    ``untold_since`` is when the counts first changed after they were last told."""

    __table_args__ = (UniqueConstraint("topic_id", "number"),)

    id: UUID = key()
    community_id: UUID = ref("node.id")
    topic_id: UUID = ref("topic.id")
    number: int
    author_id: UUID = ref("person.id")
    text: str = text()
    state: StatementState = choice(StatementState)
    moderated_by_id: UUID | None = maybe_ref("person.id")
    moderated_at: datetime | None = maybe_when()
    reason_code: str | None = Field(default=None, max_length=40)
    reason: str | None = maybe_text()
    restored_by_id: UUID | None = maybe_ref("person.id")
    agrees: int = 0
    disagrees: int = 0
    passes: int = 0
    agree_events: int = 0
    disagree_events: int = 0
    pass_events: int = 0
    untold_since: datetime | None = maybe_when()
    created_at: datetime = when()


class StatementMark(Row, table=True):
    """The mark of a person on a statement that stands; changing it replaces it. ``events`` is how
    often the person marked; ``last_key`` tells a retry of the last one from a new one."""

    statement_id: UUID = ref("statement.id", primary_key=True)
    person_id: UUID = ref("person.id", primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    mark: Mark = choice(Mark)
    events: int = 1
    last_key: str | None = Field(default=None, max_length=80)
    at: datetime = when()


class ContentReview(Row, table=True):
    """A text or medium that a machine did not let pass, for a person to look at 人工复核. It stays
    as it is until somebody decides. ``cause`` says why it is here, ``label`` is the machine's own
    number, ``traces`` its references. What it is about is read where it stands, never copied."""

    __table_args__ = (
        UniqueConstraint("subject_kind", "subject_id", "version"),
        Index("ix_content_review_community_state", "community_id", "state", "opened_at", "id"),
    )

    id: UUID = key()
    community_id: UUID = ref("node.id", index=False)
    topic_id: UUID | None = maybe_ref("topic.id")
    subject_kind: ReviewSubject = choice(ReviewSubject)
    subject_id: UUID
    version: int
    cause: ReviewCause = choice(ReviewCause)
    label: int | None = None
    traces: list[str] = value(list[str])
    state: ReviewState = choice(ReviewState)
    opened_at: datetime = when()
    decided_by_id: UUID | None = maybe_ref("person.id")
    decided_at: datetime | None = maybe_when()
    reason_code: str | None = Field(default=None, max_length=40)
    reason: str | None = maybe_text()
