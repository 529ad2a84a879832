"""Paper forms 纸质表决票: printed, issued, entered by two people, and accounted for."""

from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter
from fastapi import Path as PathParam
from pydantic import Field, model_validator

from api.dependencies import CurrentActor, Db
from api.pagination import CursorParam, Limit, Page, decode_cursor, encode_cursor
from api.routes.ballots import Answers, given
from api.wire import WireIn, WireOut
from consultation.polls.commands import paper
from consultation.polls.commands.paper import MOST_FORMS, Settlement
from consultation.polls.paper import EntryState, FormFate

router = APIRouter(prefix="/v1", tags=["paper"])

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
"""SHA-256 of a scanned paper, in hex. The scan itself stays with who made it."""
FormNumber = Annotated[int, PathParam(ge=1, le=10**6)]


class PaperBlockIn(WireIn):
    """The last number of the block."""

    last: int = Field(ge=1, le=10**6)


class PaperBlockOut(WireOut):
    first: int
    last: int


class PaperIssueIn(WireIn):
    """``number`` is the voter's place on the roll; ``second_staff_id`` came along to their door."""

    number: int = Field(ge=1)
    signature_sha256: Sha256
    second_staff_id: UUID | None = None


class PaperIssueOut(WireOut):
    """``voted``: a ballot of this voter stands already, by phone, by helper or by holder. Whether
    the form can still become their ballot is for the rule of the poll to say (``duplicates``,
    ``revote``). Null in a confidential poll: nobody learns there who has voted."""

    voted: bool | None


class PaperEntryIn(WireIn):
    """What the form says, or ``unreadable``. ``scans`` are those that were read: one, or for a
    third person both. A scan may show many papers, all of one poll."""

    answers: Answers | None = None
    unreadable: bool = False
    scans: list[Sha256] = Field(min_length=1, max_length=9)

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.answers is None) != self.unreadable:
            raise ValueError("either answers or unreadable")
        return self


class PaperEntryOut(WireOut):
    """How far the form is; never what anybody read on it. ``disputed``: the entries differ, and a
    third person who made neither of them decides: they enter what the form says with both scans,
    and the entry that theirs equals becomes the ballot."""

    state: EntryState


class PaperSettlementIn(WireIn):
    """The forms ``first`` to ``last``; a note is needed for ``late`` and ``missing``, and for
    whatever became of a form that was issued to a voter."""

    first: int = Field(ge=1)
    last: int = Field(ge=1)
    fate: FormFate
    note: str | None = Field(default=None, max_length=400)


class PaperSettlementsIn(WireIn):
    settlements: list[PaperSettlementIn] = Field(min_length=1, max_length=100)


class PaperSettlementsOut(WireOut):
    settled: int


class PaperFormOut(WireOut):
    """``number`` is the place of the voter who has the form. ``scans`` are there when a third
    person is needed. ``to_open`` is for the envelopes of a confidential poll that were handed in:
    after the close, whether this one is opened or stays shut because another ballot stands."""

    form: int
    number: int | None
    state: EntryState | None
    fate: FormFate | None
    scans: list[str]
    to_open: bool | None


@router.put("/polls/{poll_id}/paper-blocks/{first}")
async def print_paper_forms(
    poll_id: UUID, first: FormNumber, body: PaperBlockIn, actor: CurrentActor, db: Db
) -> PaperBlockOut:
    """Print a block of numbered forms; it begins where the last one ended."""
    async with db.begin(actor) as tx:
        block = await paper.print_forms(tx, poll_id, first=first, last=body.last)
        return PaperBlockOut.model_validate(block)


@router.put("/polls/{poll_id}/paper-forms/{form}/issue")
async def issue_paper_form(
    poll_id: UUID, form: FormNumber, body: PaperIssueIn, actor: CurrentActor, db: Db
) -> PaperIssueOut:
    """Hand a form to a voter, who signs; at their door with a second member of staff. The answer
    says of a named poll whether the voter has voted already."""
    async with db.begin(actor) as tx:
        voted = await paper.issue_form(tx, poll_id, form, **body.model_dump())
    return PaperIssueOut(voted=voted)


@router.put("/polls/{poll_id}/paper-forms/{form}/entry")
async def enter_paper_form(
    poll_id: UUID, form: FormNumber, body: PaperEntryIn, actor: CurrentActor, db: Db
) -> PaperEntryOut:
    """Enter what a form says. When two people agree, the ballot goes into the ledger; when they do
    not, a third who finds both scans in the list of forms decides."""
    answers = None if body.answers is None else given(body.answers)
    async with db.begin(actor) as tx:
        state = await paper.enter_form(tx, poll_id, form, answers, scans=body.scans)
    return PaperEntryOut(state=state)


@router.put("/polls/{poll_id}/paper-fates")
async def settle_paper_forms(
    poll_id: UUID, body: PaperSettlementsIn, actor: CurrentActor, db: Db
) -> PaperSettlementsOut:
    """Record what became of forms that did not become ballots: all of them or none."""
    settlements = [Settlement(**one.model_dump()) for one in body.settlements]
    async with db.begin(actor) as tx:
        settled = await paper.settle_forms(tx, poll_id, settlements)
    return PaperSettlementsOut(settled=settled)


@router.get("/polls/{poll_id}/paper-forms")
async def list_paper_forms(
    poll_id: UUID, actor: CurrentActor, db: Db, limit: Limit = 50, cursor: CursorParam = None
) -> Page[PaperFormOut]:
    """The printed forms in order, for who enters them and the supervisor."""
    after = 0 if cursor is None else int(decode_cursor(cursor, 1)[0])
    async with db.read(actor) as tx:
        found = await paper.read_forms(tx, poll_id, after=min(after, MOST_FORMS * 200), limit=limit)
    items = [PaperFormOut.model_validate(row) for row in found]
    more = len(items) == limit
    return Page(items=items, next_cursor=encode_cursor(items[-1].form) if more else None)
