"""Photos that the author of a topic lays before the community. The pictures lie outside."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from consultation.columns import Row, choice, key, maybe_text, ref, when


class PhotoState(StrEnum):
    WAITING = "waiting"  # nobody sees it but its author and who moderates
    SHOWN = "shown"
    HIDDEN = "hidden"


class Photo(Row, table=True):
    """``sha256`` is of the picture as it is kept, re-encoded; ``source_sha256`` of what was sent,
    by which the same upload is known again. ``alt`` says in words what is to be seen."""

    __table_args__ = (UniqueConstraint("topic_id", "source_sha256"),)

    id: UUID = key()
    community_id: UUID = ref("node.id")
    topic_id: UUID = ref("topic.id", index=False)
    author_id: UUID = ref("person.id")
    source_sha256: str = Field(max_length=64)
    sha256: str = Field(max_length=64)
    width: int
    height: int
    alt: str = Field(max_length=120)
    state: PhotoState = choice(PhotoState)
    hidden_reason: str | None = maybe_text()
    created_at: datetime = when()
