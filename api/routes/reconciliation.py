"""Whether a poll adds up 核对, and the shows of hands 举手 that are part of it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from api.dependencies import AnyActor, CurrentActor, Db
from api.routes.ballots import Code
from api.wire import WireIn, WireOut
from consultation.polls.commands import closing, hands, presence
from consultation.polls.reconciliation import FormsIssued, Reconciliation

router = APIRouter(prefix="/v1", tags=["reconciliation"])

Hands = Annotated[int, Field(ge=0, le=10**6)]


class HandItemIn(WireIn):
    """How many raised a hand for each answer; the rest abstained and are counted as that."""

    item: int = Field(ge=1)
    hands: dict[Code, Hands] = Field(min_length=1, max_length=60)


class HandCountIn(WireIn):
    """``heads`` people took part in every item. ``witness_ids``: two or more who are present and
    counted along."""

    heads: Hands
    items: list[HandItemIn] = Field(min_length=1, max_length=50)
    witness_ids: list[UUID] = Field(min_length=2, max_length=9)


class HandCountOut(WireOut):
    """``count_no`` grows with every recount; the last one stands."""

    count_no: int
    heads: int


class PresenceOut(WireOut):
    """``present`` of the ``eligible`` members on the roll were there at ``fixed_at``."""

    present: int
    eligible: int
    fixed_at: datetime


@router.put("/polls/{poll_id}/hand-count")
async def count_hands(
    poll_id: UUID, body: HandCountIn, actor: CurrentActor, db: Db
) -> HandCountOut:
    """Enter the hands counted at the poll's meeting, without names."""
    items = {str(one.item): one.hands for one in body.items}
    async with db.begin(actor) as tx:
        counted = await hands.count_hands(
            tx, poll_id, heads=body.heads, items=items, witness_ids=body.witness_ids
        )
        return HandCountOut.model_validate(counted)


@router.put("/polls/{poll_id}/presence")
async def fix_presence(poll_id: UUID, actor: CurrentActor, db: Db) -> PresenceOut:
    """Fix who is present at a vote in a meeting, when there is a quorum and before hands go up. It
    is done once, and is the base of the vote whoever signs in later."""
    async with db.begin(actor) as tx:
        poll, present = await presence.fix_presence(tx, poll_id)
        assert poll.presence_fixed_at is not None
        return PresenceOut(
            present=present, eligible=poll.eligible_heads, fixed_at=poll.presence_fixed_at
        )


@router.get("/polls/{poll_id}/reconciliation")
async def get_reconciliation(
    poll_id: UUID, actor: AnyActor, db: Db
) -> Reconciliation | FormsIssued:
    """What was issued, cast, counted and set aside, by channel: for tellers and supervisor from
    the close on, and for everybody once the result is published. Before the close tellers and
    supervisor get what was issued alone. Numbers only."""
    async with db.read(actor) as tx:
        return await closing.read_reconciliation(tx, poll_id)
