"""The file of a topic: documents, append-only, each version readable."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from api.dependencies import AnyActor, Db, Locale
from api.idempotency import Once
from api.pagination import CursorParam, Limit, Page, read_time_cursor, time_cursor
from api.routes.topic_shapes import PaperIn
from api.wire import WireOut
from api.words import say
from consultation.permissions import Deed
from consultation.topics import dossier
from consultation.topics.commands import documenting
from consultation.topics.queries import access_document
from consultation.topics.states import DocumentKind
from consultation.topics.tables import Document

router = APIRouter(prefix="/v1", tags=["documents"])


class DocumentIn(PaperIn):
    """``kind``: material, expert_opinion or commission_letter."""

    kind: DocumentKind


class CorrectionIn(PaperIn):
    reason: str = Field(min_length=1, max_length=400)


class DocumentOut(WireOut):
    """``content_hash`` is SHA-256 of title, newline, body as UTF-8."""

    id: UUID
    topic_id: UUID
    series_id: UUID
    version: int
    correction_reason: str | None
    kind: DocumentKind
    kind_text: str
    round: int
    title: str
    body: str
    content_hash: str
    public: bool
    created_at: datetime


def document_out(document: Document, locale: str) -> DocumentOut:
    return DocumentOut.model_validate(
        {**document.model_dump(), "kind_text": say(locale, f"words.document_kind.{document.kind}")}
    )


@router.get("/topics/{topic_id}/documents")
async def list_documents(
    topic_id: UUID,
    actor: AnyActor,
    db: Db,
    locale: Locale,
    cursor: CursorParam = None,
    limit: Limit = 20,
) -> Page[DocumentOut]:
    """The documents that the reader may read, all versions, newest first."""
    async with db.read(actor) as tx:
        documents = await dossier.list_documents(
            tx, topic_id, after=read_time_cursor(cursor), limit=limit
        )
    shown = documents[:limit]
    last = shown[-1] if len(documents) > limit else None
    return Page(
        items=[document_out(document, locale) for document in shown],
        next_cursor=None if last is None else time_cursor(last.created_at, last.id),
    )


@router.get("/documents/{document_id}")
async def get_document(document_id: UUID, actor: AnyActor, db: Db, locale: Locale) -> DocumentOut:
    """One version of a document."""
    async with db.read(actor) as tx:
        document, _ = await access_document(tx, document_id, Deed.READ_PUBLIC)
    return document_out(document, locale)


@router.post("/topics/{topic_id}/documents", status_code=201)
async def add_document(topic_id: UUID, body: DocumentIn, once: Once, locale: Locale) -> DocumentOut:
    """File a material, an expert's opinion or a commission letter."""
    async with once.begin() as tx:
        document = await documenting.add_document(
            tx, topic_id, kind=body.kind, title=body.title, body=body.body
        )
        return once.keep(document_out(document, locale))


@router.post("/documents/{document_id}/corrections", status_code=201)
async def correct_document(
    document_id: UUID, body: CorrectionIn, once: Once, locale: Locale
) -> DocumentOut:
    """A new version, with its reason; the corrected one stays readable."""
    async with once.begin() as tx:
        document = await documenting.correct_document(
            tx, document_id, title=body.title, body=body.body, reason=body.reason
        )
        return once.keep(document_out(document, locale))
