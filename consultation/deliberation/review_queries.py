"""The one place for SQL on reviews of content, and on what they are about."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import col, select

from consultation.community.queries import access_node
from consultation.database import Transaction
from consultation.deliberation.photo_queries import captions
from consultation.deliberation.photo_tables import Photo
from consultation.deliberation.review_rules import ReviewState, ReviewSubject
from consultation.deliberation.tables import ContentReview, Post, PostVersion, Statement
from consultation.paging import TimeKey, comes_after
from consultation.permissions import Deed
from consultation.refusals import NotFound
from consultation.topics.tables import Topic

Subject = tuple[ReviewSubject, UUID, int]


def subject_of(review: ContentReview) -> Subject:
    return review.subject_kind, review.subject_id, review.version


@dataclass(frozen=True, slots=True)
class Written:
    """What somebody wrote, in one version: the text, and who wrote or entered it."""

    text: str
    writers: frozenset[UUID]


async def access_review(tx: Transaction, review_id: UUID, *, lock: bool = False) -> ContentReview:
    """The review, for who moderates in its community."""
    query = select(ContentReview).where(ContentReview.id == review_id)
    review = (await tx.session.exec(query.with_for_update() if lock else query)).first()
    if review is None:
        raise NotFound(what="review")
    await access_node(tx, review.community_id, Deed.MODERATE)
    return review


async def review_of(tx: Transaction, subject: Subject) -> ContentReview | None:
    kind, subject_id, version = subject
    found = await tx.session.exec(
        select(ContentReview)
        .where(
            ContentReview.subject_kind == kind,
            ContentReview.subject_id == subject_id,
            ContentReview.version == version,
        )
        .with_for_update()
    )
    return found.first()


async def reviews(
    tx: Transaction,
    community_id: UUID,
    *,
    state: ReviewState | None,
    after: TimeKey | None,
    limit: int,
) -> list[ContentReview]:
    """Reviews of a community, the oldest first, for who moderates there."""
    await access_node(tx, community_id, Deed.MODERATE)
    query = select(ContentReview).where(ContentReview.community_id == community_id)
    if state is not None:
        query = query.where(ContentReview.state == state)
    if after is not None:
        query = query.where(comes_after(after, ContentReview.opened_at, ContentReview.id))
    rows = await tx.session.exec(
        query.order_by(col(ContentReview.opened_at), col(ContentReview.id)).limit(limit)
    )
    return list(rows)


async def written(tx: Transaction, subjects: Collection[Subject]) -> Mapping[Subject, Written]:
    """What these say, in at most one statement for each kind, two for topics. Of a photo it is
    the words that its author gave it, of a topic also those of its photos."""
    found: dict[Subject, Written] = {}
    by_kind = {kind: [s for s in subjects if s[0] is kind] for kind in ReviewSubject}
    posts = by_kind[ReviewSubject.POST]
    if posts:
        rows = await tx.session.exec(
            select(PostVersion, Post.author_id, Post.entered_by_id)
            .join(Post, col(Post.id) == PostVersion.post_id)
            .where(col(PostVersion.post_id).in_({id for _, id, _ in posts}))
        )
        for version, author, entered_by in rows:
            key = (ReviewSubject.POST, version.post_id, version.version)
            found[key] = Written(version.body, frozenset({author, entered_by} - {None}))
    statements = by_kind[ReviewSubject.STATEMENT]
    if statements:
        ids = {id for _, id, _ in statements}
        for one in await tx.session.exec(select(Statement).where(col(Statement.id).in_(ids))):
            key = (ReviewSubject.STATEMENT, one.id, 1)
            found[key] = Written(one.text, frozenset({one.author_id}))
    topics = by_kind[ReviewSubject.TOPIC]
    if topics:
        versions = {id: version for _, id, version in topics}
        alts: dict[UUID, list[str]] = {}
        for topic_id, alt in await captions(tx, set(versions)):
            alts.setdefault(topic_id, []).append(alt)
        for topic in await tx.session.exec(select(Topic).where(col(Topic.id).in_(versions))):
            parts = (topic.title, topic.summary_plain, topic.problem, topic.wish, topic.place)
            said = (*parts, *topic.affected, *alts.get(topic.id, ()))
            text = "\n".join(part for part in said if part)
            people = frozenset({topic.author_id, topic.entered_by_id} - {None})
            found[ReviewSubject.TOPIC, topic.id, versions[topic.id]] = Written(text, people)
    media = {id for kind, id, _ in subjects if kind is ReviewSubject.MEDIUM}
    if media:
        for photo in await tx.session.exec(select(Photo).where(col(Photo.id).in_(media))):
            key = (ReviewSubject.MEDIUM, photo.id, 1)
            found[key] = Written(photo.alt, frozenset({photo.author_id}))
    return {key: what for key, what in found.items() if key in subjects}
