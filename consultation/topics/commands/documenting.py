"""The file of a topic: documents are added and corrected by a new version, never changed."""

from uuid import UUID

from consultation.database import Transaction
from consultation.permissions import Deed
from consultation.topics import lookups, planning
from consultation.topics.documents import publish_document
from consultation.topics.queries import access_document, access_topic
from consultation.topics.states import DocumentKind
from consultation.topics.tables import Document


async def add_document(
    tx: Transaction, topic_id: UUID, *, kind: DocumentKind, title: str, body: str
) -> Document:
    """File a material, an expert's opinion or a commission letter. Materials become public with
    the announcement, and at once from then on. Refuses with DocumentKindNotAllowed, FileClosed."""
    topic = await access_topic(tx, topic_id, Deed.PREPARE, lock=True)
    planning.check_addable(kind, topic.state)
    return await publish_document(
        tx,
        topic,
        kind,
        title=title,
        body=body,
        public=planning.public_at_once(kind, topic.state, was_public=topic.was_public),
    )


async def correct_document(
    tx: Transaction, document_id: UUID, *, title: str, body: str, reason: str
) -> Document:
    """A new version with its reason. All versions stay readable, and a version of what is public
    is public (domain 3.4, 5). Refuses with DocumentKindNotAllowed or DocumentSuperseded."""
    document, topic = await access_document(tx, document_id, Deed.PREPARE, lock=True)
    planning.check_correctable(document.kind)
    if await lookups.newest_version(tx, document.series_id) != document.version:
        raise planning.DocumentSuperseded()
    return await publish_document(
        tx,
        topic,
        document.kind,
        title=title,
        body=body,
        public=document.public,
        replaces=document,
        correction_reason=reason,
    )
