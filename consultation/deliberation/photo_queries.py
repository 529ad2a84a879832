"""The one place for SQL on photos, and the only roads to one."""

from uuid import UUID

from sqlmodel import col, func, select

from consultation.database import Transaction
from consultation.deliberation.photo_tables import Photo, PhotoState
from consultation.permissions import Deed, Grant, grant_of
from consultation.refusals import NotFound
from consultation.topics.queries import access_topic, is_author, is_staff
from consultation.topics.rules import NotTheAuthor
from consultation.topics.tables import Topic


def _sees_all(tx: Transaction, topic: Topic) -> bool:
    """Also what waits and what is hidden: the author, process staff, who moderates."""
    moderates = grant_of(Deed.MODERATE, tx.standing.role) is Grant.YES
    return moderates or is_author(topic, tx) or is_staff(tx.standing)


async def check_own_topic(tx: Transaction, topic_id: UUID) -> None:
    """Before any work is done for somebody: whether they may lay photos before the community with
    this topic. NotFound, NotPermitted, NotTheAuthor."""
    if not is_author(await access_topic(tx, topic_id, Deed.RAISE_TOPIC), tx):
        raise NotTheAuthor()


async def photos_of(tx: Transaction, topic_id: UUID) -> list[Photo]:
    """The photos of a topic that the reader may see, in the order in which they came."""
    topic = await access_topic(tx, topic_id, Deed.READ_PUBLIC)
    query = select(Photo).where(Photo.topic_id == topic.id)
    if not _sees_all(tx, topic):
        query = query.where(Photo.state == PhotoState.SHOWN)
    return list(await tx.session.exec(query.order_by(col(Photo.created_at), col(Photo.id))))


async def access_photo(tx: Transaction, photo_id: UUID) -> Photo:
    """A photo that the reader may see; hidden, waiting and unknown ones are all NotFound."""
    photo = await tx.session.get(Photo, photo_id)
    if photo is None:
        raise NotFound(what="photo")
    topic = await access_topic(tx, photo.topic_id, Deed.READ_PUBLIC)
    if photo.state is not PhotoState.SHOWN and not _sees_all(tx, topic):
        raise NotFound(what="photo")
    return photo


async def photo_in_check(tx: Transaction, photo_id: UUID) -> Photo:
    """A photo that nobody has decided about yet, for the machine that looks at it."""
    photo = await tx.session.get(Photo, photo_id)
    if photo is None or photo.state is not PhotoState.WAITING:
        raise NotFound(what="photo")
    return photo


async def photo_sent(tx: Transaction, topic_id: UUID, source_sha256: str) -> Photo | None:
    found = await tx.session.exec(
        select(Photo).where(Photo.topic_id == topic_id, Photo.source_sha256 == source_sha256)
    )
    return found.first()


async def photo_count(tx: Transaction, topic_id: UUID) -> int:
    found = await tx.session.exec(
        select(func.count()).select_from(Photo).where(Photo.topic_id == topic_id)
    )
    return found.one()


async def picture_used(tx: Transaction, photo: Photo) -> bool:
    """Whether another photo of the topic came out as the same picture."""
    found = await tx.session.exec(
        select(Photo.id).where(
            Photo.topic_id == photo.topic_id, Photo.sha256 == photo.sha256, Photo.id != photo.id
        )
    )
    return found.first() is not None


async def captions(tx: Transaction, topic_ids: set[UUID]) -> list[tuple[UUID, str]]:
    """(topic, words) of all photos of these topics."""
    rows = await tx.session.exec(
        select(Photo.topic_id, Photo.alt)
        .where(col(Photo.topic_id).in_(topic_ids))
        .order_by(col(Photo.created_at), col(Photo.id))
    )
    return list(rows)
