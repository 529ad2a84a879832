"""Mandates 书面委托: registered from paper, used by their holder, taken back by the principal."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter
from fastapi import Path as PathParam
from pydantic import AwareDatetime, Field, model_validator

from api.dependencies import AnyActor, CurrentActor, Db
from api.pagination import CursorParam, Limit, Page, decode_cursor, encode_cursor
from api.routes.ballots import Answers, BallotIn, BallotSecret, ReceiptOut, given
from api.routes.paper import Sha256
from api.wire import WireIn, WireOut
from consultation.polls.commands import mandates
from consultation.polls.mandates import MandateRelation, MandateState

router = APIRouter(prefix="/v1", tags=["mandates"])

RollNumber = Annotated[int, PathParam(ge=1)]


class MandateIn(WireIn):
    """The holder is known by ``holder_id`` or, exactly one of the two, by ``holder_phone``.
    ``instruction`` is the ballot that the principal wrote down; where the preset binds the holder
    to it, it is needed; in a confidential poll there is none."""

    holder_id: UUID | None = None
    holder_phone: str | None = Field(default=None, max_length=20)
    relation: MandateRelation
    document_sha256: Sha256
    instruction: Answers | None = None
    valid_until: AwareDatetime

    @model_validator(mode="after")
    def _one_person(self) -> Self:
        if (self.holder_id is None) == (self.holder_phone is None):
            raise ValueError("exactly one of holder_id and holder_phone")
        return self


class MandateWithdrawalIn(WireIn):
    """``document_sha256`` of the written withdrawal, when staff enter it."""

    document_sha256: Sha256 | None = None


class MandateOut(WireOut):
    """``principal`` and ``holder`` are masked. No mandate shows its instruction. ``state`` is null
    of other people's in an election until its result is published."""

    number: int
    principal: str
    holder: str
    state: MandateState | None
    valid_until: datetime
    at: datetime


@router.put("/polls/{poll_id}/roll/{number}/mandate", status_code=204)
async def register_mandate(
    poll_id: UUID, number: RollNumber, body: MandateIn, actor: CurrentActor, db: Db
) -> None:
    """Register a written mandate of the voter in a place on the roll. The voter is told."""
    content = body.model_dump(exclude={"instruction"})
    instruction = None if body.instruction is None else given(body.instruction)
    async with db.begin(actor) as tx:
        await mandates.register_mandate(tx, poll_id, number, instruction=instruction, **content)


@router.put("/polls/{poll_id}/roll/{number}/mandate/ballot")
async def cast_as_proxy(
    poll_id: UUID,
    number: RollNumber,
    body: BallotIn,
    actor: CurrentActor,
    db: Db,
    once: BallotSecret = None,
) -> ReceiptOut:
    """Cast the principal's ballot as the holder of the mandate, or, in a named poll, for the holder
    as staff who did not register it. The same again gets the first receipt, also after the close;
    with its Idempotency-Key it is known again when another ballot came in since, and when the
    mandate is over. Where the poll takes a re-vote, that key with another ballot is refused."""
    async with db.begin(actor) as tx:
        ballot = await mandates.cast_as_proxy(tx, poll_id, number, given(body.answers), once=once)
        return ReceiptOut.model_validate(ballot)


@router.put("/polls/{poll_id}/roll/{number}/mandate/withdrawal", status_code=204)
async def withdraw_mandate(
    poll_id: UUID, number: RollNumber, body: MandateWithdrawalIn, actor: CurrentActor, db: Db
) -> None:
    """Take one's mandate back, or enter that the voter did so in writing."""
    async with db.begin(actor) as tx:
        await mandates.withdraw_mandate(tx, poll_id, number, document_sha256=body.document_sha256)


@router.get("/polls/{poll_id}/mandates")
async def list_mandates(
    poll_id: UUID, actor: AnyActor, db: Db, limit: Limit = 50, cursor: CursorParam = None
) -> Page[MandateOut]:
    """Those that the reader gave or holds; for staff, tellers and supervisor all. Of an election
    all are public, what became of them after the result."""
    after = (0, 0)
    if cursor is not None:
        number, no = decode_cursor(cursor, 2)
        after = (int(number), int(no))
    async with db.read(actor) as tx:
        found = await mandates.read_mandates(tx, poll_id, after=after, limit=limit + 1)
    shown = found[:limit]
    more = len(found) > limit
    return Page(
        items=[MandateOut.model_validate(row) for _, row in shown],
        next_cursor=encode_cursor(shown[-1][1].number, shown[-1][0]) if more else None,
    )
