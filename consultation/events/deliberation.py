"""What happens in threads and among statements."""

from dataclasses import dataclass
from uuid import UUID

from consultation.events.event import TopicDetail


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadOpened(TopicDetail):
    type = "thread.opened"
    thread_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadClosed(TopicDetail):
    type = "thread.closed"
    thread_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class PostAdded(TopicDetail):
    type = "post.added"
    thread_id: UUID
    post_id: UUID
    parent_id: UUID | None
    stance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PostEdited(TopicDetail):
    type = "post.edited"
    thread_id: UUID
    post_id: UUID
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoChanged(TopicDetail):
    """``state``: waiting, shown, hidden, or removed by its author."""

    type = "photo.changed"
    photo_id: UUID
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PostHidden(TopicDetail):
    type = "post.hidden"
    thread_id: UUID
    post_id: UUID
    reason_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PostRestored(TopicDetail):
    type = "post.restored"
    thread_id: UUID
    post_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementAdded(TopicDetail):
    type = "statement.added"
    statement_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementMarked(TopicDetail):
    """Counts after the mark; who marked is not said."""

    type = "statement.marked"
    statement_id: UUID
    agrees: int
    disagrees: int
    passes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementModerated(TopicDetail):
    type = "statement.moderated"
    statement_id: UUID
    state: str
