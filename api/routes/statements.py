"""Statements 观点, which people mark agree, disagree or pass."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header
from pydantic import Field

from api.content_checks import ask_for_check
from api.dependencies import AnyActor, App, CurrentActor, Db, Locale
from api.idempotency import Once
from api.pagination import BadCursor, CursorParam, Limit, Page, decode_cursor, encode_cursor
from api.wire import WireIn, WireOut
from api.words import say
from consultation.database import Transaction
from consultation.deliberation import mark_queries, queries, rules
from consultation.deliberation.commands import statements
from consultation.deliberation.commands.marking import MarkRequest
from consultation.deliberation.review_rules import ReviewSubject
from consultation.deliberation.rules import HidingReason, Mark, StatementState
from consultation.deliberation.tables import Statement, StatementMark
from consultation.permissions import Deed
from consultation.topics.queries import access_topic

router = APIRouter(prefix="/v1", tags=["deliberation"])


class StatementIn(WireIn):
    text: str = Field(min_length=1, max_length=rules.STATEMENT_LENGTH)


class StatementOut(WireOut):
    """``agrees``, ``disagrees``, ``passes``: marks that stand; ``*_events``: marks ever made.
    Who wrote a statement is not shown. ``my_mark`` is the reader's own."""

    id: UUID
    topic_id: UUID
    number: int
    text: str
    state: StatementState
    reason_code: HidingReason | None
    reason_text: str | None
    reason: str | None
    agrees: int
    disagrees: int
    passes: int
    agree_events: int
    disagree_events: int
    pass_events: int
    created_at: datetime
    mine: bool
    my_mark: Mark | None


class ModerationIn(WireIn):
    """``reason_code`` and ``reason`` are needed to reject."""

    accept: bool
    reason_code: HidingReason | None = None
    reason: str = Field(default="", max_length=500)


class RestoringIn(WireIn):
    opinion: str = Field(min_length=1, max_length=500)


class MarkIn(WireIn):
    mark: Mark


class MarkOut(WireOut):
    """The mark that stands, and the counts after it."""

    mark: Mark
    agrees: int
    disagrees: int
    passes: int


MarkKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=8,
        max_length=80,
        description="New for each mark, same on retry; without it an equal mark is a retry",
    ),
]


def _out(
    tx: Transaction, statement: Statement, mark: StatementMark | None, locale: str
) -> StatementOut:
    code = None if statement.reason_code is None else HidingReason(statement.reason_code)
    return StatementOut(
        id=statement.id,
        topic_id=statement.topic_id,
        number=statement.number,
        text=statement.text,
        state=statement.state,
        reason_code=code,
        reason_text=None if code is None else say(locale, f"words.hiding_reason.{code}"),
        reason=statement.reason,
        agrees=statement.agrees,
        disagrees=statement.disagrees,
        passes=statement.passes,
        agree_events=statement.agree_events,
        disagree_events=statement.disagree_events,
        pass_events=statement.pass_events,
        created_at=statement.created_at,
        mine=tx.actor.person_id is not None and statement.author_id == tx.actor.person_id,
        my_mark=None if mark is None else mark.mark,
    )


@router.post("/topics/{topic_id}/statements", status_code=201)
async def add_statement(
    topic_id: UUID, body: StatementIn, app: App, once: Once, locale: Locale
) -> StatementOut:
    """Put one sentence (at most 200 characters) before the others; it can be marked at once."""
    async with once.begin() as tx:
        statement = await statements.add_statement(tx, topic_id, text=body.text)
        await ask_for_check(
            tx,
            app.settings,
            (ReviewSubject.STATEMENT, statement.id, 1),
            community_id=statement.community_id,
            topic_id=statement.topic_id,
        )
        return once.keep(_out(tx, statement, None, locale))


@router.get("/topics/{topic_id}/statements")
async def list_statements(
    topic_id: UUID,
    db: Db,
    actor: AnyActor,
    locale: Locale,
    state: StatementState | None = None,
    cursor: CursorParam = None,
    limit: Limit = 50,
) -> Page[StatementOut]:
    """Statements by number, with the reader's own marks. Rejected ones are listed to moderators,
    and each to its author."""
    async with db.read(actor) as tx:
        topic = await access_topic(tx, topic_id, Deed.READ_PUBLIC)
        found = await queries.statements_of(
            tx, topic.id, state=state, after=_number(cursor), limit=limit + 1
        )
        shown = found[:limit]
        marks = await mark_queries.my_marks(tx, [statement.id for statement in shown])
        return Page(
            items=[_out(tx, each, marks.get(each.id), locale) for each in shown],
            next_cursor=encode_cursor(shown[-1].number) if len(found) > limit else None,
        )


def _number(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    (number,) = decode_cursor(cursor, 1)
    if not isinstance(number, int):
        raise BadCursor()
    return number


@router.put("/statements/{statement_id}/mark")
async def mark_statement(
    statement_id: UUID, body: MarkIn, app: App, actor: CurrentActor, idempotency_key: MarkKey = None
) -> MarkOut:
    """Mark a statement; the last mark stands. Marking anew is counted as one more event, a retry
    (same Idempotency-Key, or none and an equal mark) is not."""
    assert actor.person_id is not None
    marked = await app.marks.do(
        MarkRequest(
            statement_id,
            actor.person_id,
            body.mark,
            once=idempotency_key,
            under_role=actor.assignment_id is not None,
        )
    )
    return MarkOut.model_validate(marked)


@router.put("/statements/{statement_id}/moderation")
async def moderate_statement(
    statement_id: UUID, body: ModerationIn, db: Db, actor: CurrentActor, locale: Locale
) -> StatementOut:
    """Accept a statement, or take it off the list for a reason from the list (clerk, host)."""
    async with db.begin(actor) as tx:
        statement = await statements.moderate_statement(
            tx, statement_id, accept=body.accept, reason_code=body.reason_code, reason=body.reason
        )
        return _out(tx, statement, None, locale)


@router.put("/statements/{statement_id}/restoring")
async def restore_statement(
    statement_id: UUID, body: RestoringIn, db: Db, actor: CurrentActor, locale: Locale
) -> StatementOut:
    """The supervisor puts a rejected statement back for good."""
    async with db.begin(actor) as tx:
        statement = await statements.restore_statement(tx, statement_id, opinion=body.opinion)
        return _out(tx, statement, None, locale)
