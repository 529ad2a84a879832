"""The one road to publishing a document of a topic. Areas call it inside their commands."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from consultation.database import Transaction
from consultation.events.topics import DocumentPublished
from consultation.topics.states import DocumentKind
from consultation.topics.tables import Document, Topic


def content_hash(title: str, body: str) -> str:
    """SHA-256 of title, newline, body as UTF-8."""
    return hashlib.sha256(f"{title}\n{body}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Paper:
    """What a document says, before it is filed."""

    title: str
    body: str


async def publish_document(
    tx: Transaction,
    topic: Topic,
    kind: DocumentKind,
    *,
    title: str,
    body: str,
    public: bool = True,
    replaces: Document | None = None,
    correction_reason: str | None = None,
) -> Document:
    """A new document, or with ``replaces`` the next version of its series, which needs a reason.
    It is written at once, so that other rows may refer to it. One that is not public yet is filed
    without telling, for who may read it now; ``make_public`` tells."""
    id: UUID = tx.new_id()
    document = Document(
        id=id,
        community_id=topic.community_id,
        topic_id=topic.id,
        series_id=id if replaces is None else replaces.series_id,
        version=1 if replaces is None else replaces.version + 1,
        correction_reason=correction_reason,
        kind=kind,
        round=topic.round,
        title=title,
        body=body,
        content_hash=content_hash(title, body),
        author_id=tx.actor.person_id,
        org_id=tx.standing.org_id,
        public=public,
        created_at=tx.now,
    )
    tx.session.add(document)
    await tx.session.flush()
    if public:
        tx.emit(_published(topic, document))
    return document


def make_public(tx: Transaction, topic: Topic, documents: Sequence[Document]) -> None:
    """Publication goes one way: what is public stays so (domain 3.4, 5)."""
    for document in documents:
        if not document.public:
            document.public = True
            tx.emit(_published(topic, document))


def _published(topic: Topic, document: Document) -> DocumentPublished:
    return DocumentPublished(
        community_id=topic.community_id,
        topic_id=topic.id,
        public=topic.was_public,
        document_id=document.id,
        kind=document.kind.value,
        version=document.version,
    )
