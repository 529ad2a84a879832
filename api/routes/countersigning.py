"""The second person whom an entry names countersigns it 会签, under their own login."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from fastapi import Path as PathParam
from pydantic import Field

from api.dependencies import CurrentActor, Db
from api.pagination import CursorParam, Limit, Page, decode_cursor, encode_cursor
from api.routes.reconciliation import HandItemIn, Hands
from api.wire import WireIn, WireOut
from consultation.polls.commands import countersigning
from consultation.polls.countersigning import (
    CountersignAnswer,
    CountersignState,
    CountersignSubject,
    EntryKey,
)
from consultation.polls.results import HandTotals

router = APIRouter(prefix="/v1", tags=["countersigning"])

EntryNumber = Annotated[int, PathParam(ge=1, le=10**6)]
Turn = Annotated[int, PathParam(ge=1, le=1000)]
ENTRY = "/polls/{poll_id}/countersignatures/{subject}/{number}/{turn}"


class CountedHandsIn(WireIn):
    heads: Hands
    items: list[HandItemIn] = Field(min_length=1, max_length=50)


class CountersignatureIn(WireIn):
    """``reason`` when one refuses; ``hands``, what one counted oneself, when one confirms a show of
    hands."""

    confirmed: bool
    reason: str | None = Field(default=None, max_length=400)
    hands: CountedHandsIn | None = None


class CountersignSettlementIn(WireIn):
    note: str = Field(min_length=1, max_length=400)


class CountersignStateOut(WireOut):
    """How far the entry is, by the answers of everybody it names."""

    state: CountersignState


class CountersignRequestOut(WireOut):
    """``number`` is the place of who had help, the form that was brought to a door, or the number
    of the count of hands; ``label`` the place, masked, of who had help. ``answer`` is one's own."""

    subject: CountersignSubject
    number: int
    turn: int
    label: str | None
    at: datetime
    answer: CountersignAnswer | None


@router.get("/polls/{poll_id}/countersignatures")
async def list_my_countersignatures(
    poll_id: UUID, actor: CurrentActor, db: Db, limit: Limit = 50, cursor: CursorParam = None
) -> Page[CountersignRequestOut]:
    """What one is asked to countersign in a poll, and what one answered."""
    after = None
    if cursor is not None:
        subject, number, turn = decode_cursor(cursor, 3)
        after = EntryKey(CountersignSubject(subject), int(number), int(turn))
    async with db.read(actor) as tx:
        found = await countersigning.read_own(tx, poll_id, after=after, limit=limit + 1)
    shown = found[:limit]
    last = shown[-1].key if len(found) > limit else None
    return Page(
        items=[
            CountersignRequestOut(
                subject=one.key.subject,
                number=one.key.number,
                turn=one.key.turn,
                label=one.label,
                at=one.at,
                answer=one.answer,
            )
            for one in shown
        ],
        next_cursor=last and encode_cursor(last.subject.value, last.number, last.turn),
    )


@router.put(ENTRY)
async def countersign_entry(
    poll_id: UUID,
    subject: CountersignSubject,
    number: EntryNumber,
    turn: Turn,
    body: CountersignatureIn,
    actor: CurrentActor,
    db: Db,
) -> CountersignStateOut:
    """Confirm, as somebody whom the entry names, that it is so; or refuse, with a reason."""
    hands = None
    if body.hands is not None:
        items = {str(one.item): one.hands for one in body.hands.items}
        hands = HandTotals(heads=body.hands.heads, items=items)
    async with db.begin(actor) as tx:
        state = await countersigning.countersign(
            tx,
            poll_id,
            EntryKey(subject, number, turn),
            confirmed=body.confirmed,
            reason=body.reason,
            hands=hands,
        )
    return CountersignStateOut(state=state)


@router.put(ENTRY + "/settlement")
async def settle_countersignature(
    poll_id: UUID,
    subject: CountersignSubject,
    number: EntryNumber,
    turn: Turn,
    body: CountersignSettlementIn,
    actor: CurrentActor,
    db: Db,
) -> CountersignStateOut:
    """As supervisor let an entry stand that was refused or not answered, and say what was found."""
    async with db.begin(actor) as tx:
        state = await countersigning.settle(
            tx, poll_id, EntryKey(subject, number, turn), note=body.note
        )
    return CountersignStateOut(state=state)
