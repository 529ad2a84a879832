"""Threads 讨论 and posts 发言, statements 观点 and marks."""

from datetime import datetime
from enum import StrEnum
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
    when,
)


class Stance(StrEnum):
    FOR = "for"
    AGAINST = "against"
    NEUTRAL = "neutral"
    QUESTION = "question"


class Thread(Row, table=True):
    """``counts`` per stance are kept on the row, so that a list counts nothing."""

    id: UUID = key()
    community_id: UUID = ref("node.id")
    topic_id: UUID = ref("topic.id")
    round: int
    title: str = Field(max_length=80)
    opened_by_id: UUID = ref("person.id", index=False)
    posts: int = 0
    created_at: datetime = when()
    closed_at: datetime | None = maybe_when()


class Post(Row, table=True):
    """``display_name`` is what neighbours see (王**, 社区工作人员 陶颖, 网格员代录 …).
    A hidden post keeps its row and text; readers get the reason in its place."""

    __table_args__ = (Index("ix_post_thread_created", "thread_id", "created_at", "id"),)

    id: UUID = key()
    community_id: UUID = ref("node.id")
    topic_id: UUID = ref("topic.id")
    thread_id: UUID = ref("thread.id", index=False)
    parent_id: UUID | None = maybe_ref("post.id")
    author_id: UUID = ref("person.id")
    author_role: str = Field(max_length=40)
    display_name: str = Field(max_length=60)
    stance: Stance = choice(Stance)
    body: str = text()
    version: int = 1
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
    appeal_upheld: bool | None = None


class PostVersion(Row, table=True):
    """Every text a post has had, append-only; readers may see them."""

    post_id: UUID = ref("post.id", primary_key=True)
    version: int = Field(primary_key=True)
    community_id: UUID = ref("node.id")
    stance: Stance = choice(Stance)
    body: str = text()
    at: datetime = when()


class StatementState(StrEnum):
    OPEN = "open"  # not yet looked at; can be marked
    ACCEPTED = "accepted"
    REJECTED = "rejected"  # off the list, with a reason; its marks stay


class Statement(Row, table=True):
    """One sentence that people mark. ``agrees``, ``disagrees``, ``passes`` count the marks that
    stand; ``*_events`` count every mark ever made, changes included."""

    __table_args__ = (UniqueConstraint("topic_id", "number"),)

    id: UUID = key()
    community_id: UUID = ref("node.id")
    topic_id: UUID = ref("topic.id")
    number: int
    author_id: UUID = ref("person.id")
    text: str = text()
    state: StatementState = choice(StatementState)
    moderated_by_id: UUID | None = maybe_ref("person.id")
    reason_code: str | None = Field(default=None, max_length=40)
    agrees: int = 0
    disagrees: int = 0
    passes: int = 0
    agree_events: int = 0
    disagree_events: int = 0
    pass_events: int = 0
    created_at: datetime = when()


class Mark(StrEnum):
    AGREE = "agree"
    DISAGREE = "disagree"
    PASS = "pass"  # noqa: S105  not a password


class StatementMark(Row, table=True):
    """The mark of a person on a statement that stands; changing it replaces it."""

    statement_id: UUID = ref("statement.id", primary_key=True)
    person_id: UUID = ref("person.id", primary_key=True)
    community_id: UUID = ref("node.id")
    mark: Mark = choice(Mark)
    changes: int = 0
    at: datetime = when()
