"""Photos 照片 of a topic: laid before the community by its author, shown once they have passed.

The pictures themselves lie outside the database, by topic and hash (``Album``).
"""

from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from consultation.database import Transaction
from consultation.deliberation import photo_queries as queries
from consultation.deliberation.photo_tables import Photo, PhotoState
from consultation.events.deliberation import PhotoChanged
from consultation.events.people import UserNotified
from consultation.permissions import Deed
from consultation.refusals import NotNow
from consultation.topics.queries import access_own_topic
from consultation.topics.rules import check_editable

MOST = 9
"""Photos of one topic."""


class TooManyPhotos(NotNow):
    code = "too-many-photos"


class Album(Protocol):
    """Where the pictures of a topic lie, by their SHA-256 in hex."""

    async def put(self, topic_id: UUID, sha256: str, picture: bytes) -> None:
        """Kept when this returns. Again changes nothing."""
        ...

    async def get(self, topic_id: UUID, sha256: str) -> bytes | None: ...

    async def drop(self, topic_id: UUID, sha256: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Picture:
    """A photo as it is kept: re-encoded, with nothing in it but the picture."""

    source_sha256: str
    sha256: str
    width: int
    height: int
    content: bytes = field(repr=False)


async def add_photo(
    tx: Transaction, album: Album, topic_id: UUID, picture: Picture, *, alt: str
) -> tuple[Photo, bool]:
    """Lay a photo before the community with a draft or a returned topic, and whether it is new:
    the same upload again is the same photo. Nobody else sees it before it has passed. Refuses with
    NotTheAuthor, DraftFrozen, TooManyPhotos."""
    topic = await access_own_topic(tx, topic_id, Deed.RAISE_TOPIC)
    known = await queries.photo_sent(tx, topic.id, picture.source_sha256)
    if known is not None:
        return known, False
    check_editable(topic.state)
    if await queries.photo_count(tx, topic.id) >= MOST:
        raise TooManyPhotos(most=MOST)
    await album.put(topic.id, picture.sha256, picture.content)
    photo = Photo(
        id=tx.new_id(),
        community_id=topic.community_id,
        topic_id=topic.id,
        author_id=tx.person_id,
        source_sha256=picture.source_sha256,
        sha256=picture.sha256,
        width=picture.width,
        height=picture.height,
        alt=alt,
        state=PhotoState.WAITING,
        created_at=tx.now,
    )
    tx.session.add(photo)
    await tx.session.flush()
    _tell(tx, photo)
    return photo, True


async def remove_photo(tx: Transaction, album: Album, photo_id: UUID) -> None:
    """The author takes a photo back while the topic may still be changed; the picture goes with
    it. Refuses with NotTheAuthor, DraftFrozen."""
    photo = await queries.access_photo(tx, photo_id)
    topic = await access_own_topic(tx, photo.topic_id, Deed.RAISE_TOPIC)
    check_editable(topic.state)
    if not await queries.picture_used(tx, photo):
        await album.drop(photo.topic_id, photo.sha256)
    await tx.session.delete(photo)
    tx.emit(
        PhotoChanged(
            community_id=photo.community_id,
            topic_id=photo.topic_id,
            photo_id=photo.id,
            state="removed",
        )
    )


async def show_photo(tx: Transaction, photo_id: UUID) -> None:
    """A machine or a person let it pass. What a person has hidden stays hidden, and what was taken
    back is gone."""
    photo = await tx.session.get(Photo, photo_id, with_for_update=True)
    if photo is not None and photo.state is PhotoState.WAITING:
        photo.state = PhotoState.SHOWN
        _tell(tx, photo)


async def hide_photo(tx: Transaction, photo_id: UUID, *, reason: str) -> None:
    """A person decided; the author is told."""
    photo = await tx.session.get(Photo, photo_id, with_for_update=True)
    if photo is None or photo.state is PhotoState.HIDDEN:
        return
    photo.state, photo.hidden_reason = PhotoState.HIDDEN, reason
    _tell(tx, photo)
    tx.emit(
        UserNotified(
            community_id=photo.community_id,
            person_id=photo.author_id,
            about="photo_hidden",
            topic_id=photo.topic_id,
            subject_id=photo.id,
        )
    )


def _tell(tx: Transaction, photo: Photo) -> None:
    tx.emit(
        PhotoChanged(
            community_id=photo.community_id,
            topic_id=photo.topic_id,
            photo_id=photo.id,
            state=photo.state.value,
        )
    )
