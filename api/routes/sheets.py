"""Paper in a confidential poll: envelopes are handed in, and sheets that lead to nobody entered."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from fastapi import Path as PathParam

from api.dependencies import CurrentActor, Db
from api.pagination import CursorParam, Limit, Page, decode_cursor, encode_cursor
from api.routes.ballots import given
from api.routes.paper import FormNumber, PaperEntryIn, PaperEntryOut
from api.wire import WireOut
from consultation.polls.commands import sheets
from consultation.polls.paper import EntryState

router = APIRouter(prefix="/v1", tags=["paper"])

MOST_SHEETS = 10**6
SheetNumber = Annotated[int, PathParam(ge=1, le=MOST_SHEETS)]


class PaperSheetOut(WireOut):
    """``scans`` are there when a third person is needed."""

    sheet: int
    state: EntryState | None
    scans: list[str]


@router.put("/polls/{poll_id}/paper-forms/{form}/return", status_code=204)
async def take_paper_envelope(poll_id: UUID, form: FormNumber, actor: CurrentActor, db: Db) -> None:
    """Take in the shut envelope of a form that was issued in a confidential poll. Who issued the
    form does not take it back in."""
    async with db.begin(actor) as tx:
        await sheets.take_envelope(tx, poll_id, form)


@router.put("/polls/{poll_id}/paper-sheets/{sheet}/entry")
async def enter_paper_sheet(
    poll_id: UUID, sheet: SheetNumber, body: PaperEntryIn, actor: CurrentActor, db: Db
) -> PaperEntryOut:
    """Enter what a sheet says, after the close: sheets are numbered as they come out of the mixed
    envelopes. An empty envelope, and one with several sheets, is one unreadable sheet."""
    answers = None if body.answers is None else given(body.answers)
    async with db.begin(actor) as tx:
        state = await sheets.enter_sheet(tx, poll_id, sheet, answers, scans=body.scans)
    return PaperEntryOut(state=state)


@router.get("/polls/{poll_id}/paper-sheets")
async def list_paper_sheets(
    poll_id: UUID, actor: CurrentActor, db: Db, limit: Limit = 50, cursor: CursorParam = None
) -> Page[PaperSheetOut]:
    """The sheets of a closed confidential poll, for who enters them and the supervisor."""
    after = 0 if cursor is None else int(decode_cursor(cursor, 1)[0])
    async with db.read(actor) as tx:
        found = await sheets.read_sheets(tx, poll_id, after=min(after, MOST_SHEETS), limit=limit)
    items = [PaperSheetOut.model_validate(row) for row in found]
    more = len(items) == limit
    return Page(items=items, next_cursor=encode_cursor(items[-1].sheet) if more else None)
