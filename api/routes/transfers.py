"""Transfers 转办: to the body a matter belongs to, its answer, back to the author."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from api.dependencies import CurrentActor, Db, Locale
from api.idempotency import Once
from api.pagination import CursorParam, Limit, Page, read_time_cursor, time_cursor
from api.routes.topic_shapes import ReasonIn
from api.wire import WireIn, WireOut
from api.words import say
from consultation.topics import duties
from consultation.topics.commands import routing
from consultation.topics.next_acts import OF_A_TRANSFER, NextAct
from consultation.topics.states import TransferState
from consultation.topics.tables import Topic, Transfer

router = APIRouter(prefix="/v1", tags=["transfers"])


class TransferIn(ReasonIn):
    """``ticket``: the receiver's number for it, if there is one already."""

    receiver_org_id: UUID
    ticket: str | None = Field(default=None, max_length=60)


class ReceiptIn(WireIn):
    ticket: str | None = Field(default=None, max_length=60)


class TransferAnswerIn(WireIn):
    answer: str = Field(min_length=1, max_length=8000)
    ticket: str | None = Field(default=None, max_length=60)


class RatingIn(WireIn):
    rating: int = Field(ge=1, le=5)


class TransferOut(WireOut):
    """``due_at`` is exclusive. ``rating``: 1 to 5, by the author."""

    id: UUID
    topic_id: UUID
    receiver_org_id: UUID
    ticket: str | None
    state: TransferState
    state_text: str
    reason: str
    answer: str | None
    return_reason: str | None
    sent_at: datetime
    due_at: datetime | None
    received_at: datetime | None
    answered_at: datetime | None
    relayed_at: datetime | None
    rating: int | None


class ReceivedTransferOut(TransferOut):
    """With the matter itself, which the receiver needs in full. ``next``: the operation that takes
    it on, null once it is answered or given back."""

    number: str
    title: str
    problem: str
    wish: str
    place: str
    overdue: bool
    next: NextAct | None
    next_text: str | None


def transfer_out(transfer: Transfer, locale: str) -> TransferOut:
    text = say(locale, f"words.transfer_state.{transfer.state}")
    return TransferOut.model_validate({**transfer.model_dump(), "state_text": text})


def _received_out(
    transfer: Transfer, topic: Topic, now: datetime, locale: str
) -> ReceivedTransferOut:
    due, act = transfer.due_at, OF_A_TRANSFER.get(transfer.state)
    return ReceivedTransferOut(
        **transfer_out(transfer, locale).model_dump(),
        number=topic.number,
        title=topic.title,
        problem=topic.problem,
        wish=topic.wish,
        place=topic.place,
        overdue=due is not None and transfer.answered_at is None and now >= due,
        next=act,
        next_text=None if act is None else say(locale, f"words.next_act.{act}"),
    )


@router.post("/topics/{topic_id}/transfers", status_code=201)
async def transfer_topic(
    topic_id: UUID, body: TransferIn, once: Once, locale: Locale
) -> TransferOut:
    """Send the matter to the body it belongs to, or to another one after it was given back."""
    async with once.begin() as tx:
        transfer = await routing.transfer_topic(
            tx,
            topic_id,
            receiver_org_id=body.receiver_org_id,
            reason=body.reason,
            ticket=body.ticket,
        )
        return once.keep(transfer_out(transfer, locale))


@router.get("/transfers")
async def list_received_transfers(
    actor: CurrentActor,
    db: Db,
    locale: Locale,
    pending: bool = True,
    cursor: CursorParam = None,
    limit: Limit = 20,
) -> Page[ReceivedTransferOut]:
    """What came to the office named by ``Minyi-Role``, what is due first on top."""
    async with db.read(actor) as tx:
        found = await duties.received_transfers(
            tx, pending=pending, after=read_time_cursor(cursor), limit=limit
        )
        now = tx.now
    shown = found[:limit]
    last = shown[-1][0] if len(found) > limit else None
    return Page(
        items=[_received_out(transfer, topic, now, locale) for transfer, topic in shown],
        next_cursor=None
        if last is None or last.due_at is None
        else time_cursor(last.due_at, last.id),
    )


@router.post("/transfers/{transfer_id}/receipt")
async def receive_transfer(
    transfer_id: UUID, body: ReceiptIn, once: Once, locale: Locale
) -> TransferOut:
    """The receiver has it."""
    async with once.begin() as tx:
        transfer = await routing.receive_transfer(tx, transfer_id, ticket=body.ticket)
        return once.keep(transfer_out(transfer, locale))


@router.post("/transfers/{transfer_id}/handling")
async def handle_transfer(transfer_id: UUID, once: Once, locale: Locale) -> TransferOut:
    """The receiver works on it."""
    async with once.begin() as tx:
        transfer = await routing.handle_transfer(tx, transfer_id)
        return once.keep(transfer_out(transfer, locale))


@router.post("/transfers/{transfer_id}/answer")
async def answer_transfer(
    transfer_id: UUID, body: TransferAnswerIn, once: Once, locale: Locale
) -> TransferOut:
    """The receiver answers; for a body that has nobody here, community staff enter its answer."""
    async with once.begin() as tx:
        transfer = await routing.answer_transfer(
            tx, transfer_id, answer=body.answer, ticket=body.ticket
        )
        return once.keep(transfer_out(transfer, locale))


@router.post("/transfers/{transfer_id}/giving-back")
async def give_back_transfer(
    transfer_id: UUID, body: ReasonIn, once: Once, locale: Locale
) -> TransferOut:
    """The receiver says that the matter is not theirs."""
    async with once.begin() as tx:
        transfer = await routing.give_back_transfer(tx, transfer_id, reason=body.reason)
        return once.keep(transfer_out(transfer, locale))


@router.post("/transfers/{transfer_id}/relay")
async def relay_transfer(transfer_id: UUID, once: Once, locale: Locale) -> TransferOut:
    """The community hands the answer to the author and publishes it on the topic."""
    async with once.begin() as tx:
        transfer = await routing.relay_to_author(tx, transfer_id)
        return once.keep(transfer_out(transfer, locale))


@router.post("/transfers/{transfer_id}/rating")
async def rate_transfer(
    transfer_id: UUID, body: RatingIn, once: Once, locale: Locale
) -> TransferOut:
    """The author rates the answer."""
    async with once.begin() as tx:
        transfer = await routing.rate_transfer(tx, transfer_id, rating=body.rating)
        return once.keep(transfer_out(transfer, locale))
