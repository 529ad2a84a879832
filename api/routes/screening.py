"""Screening 受理审查: return, accept, merge, transfer, reject by two persons, appeal."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from api.dependencies import CurrentActor, Db, Locale
from api.idempotency import Once
from api.pagination import CursorParam, Limit, Page, read_time_cursor, time_cursor
from api.routes.topic_shapes import (
    PaperIn,
    ReasonIn,
    StandingOut,
    StepIn,
    StepOut,
    TopicCard,
    card_out,
    standing_out,
    step_out,
)
from api.wire import WireIn, WireOut
from api.words import say
from consultation.topics import duties
from consultation.topics.commands import routing, screening
from consultation.topics.commands.screening import Classification
from consultation.topics.next_acts import NextAct
from consultation.topics.states import Category, Layer, MatterList, RejectionReason, Track

router = APIRouter(prefix="/v1", tags=["screening"])


class ClassificationIn(WireIn):
    """Without ``convener_org_id`` the community's party organisation convenes; another convener
    needs ``convener_reason``. Track ``commissioned`` needs the commissioning body and its
    letter."""

    category: Category
    layer: Layer
    track: Track
    matter_list: MatterList
    convener_org_id: UUID | None = None
    convener_reason: str | None = Field(default=None, max_length=400)
    commissioning_org_id: UUID | None = None

    def classification(self) -> Classification:
        return Classification(**self.model_dump())


class AcceptanceIn(StepIn):
    classification: ClassificationIn
    note: PaperIn


class TakeBackIn(ReasonIn):
    classification: ClassificationIn
    note: PaperIn


class RejectionIn(ReasonIn):
    reason_code: RejectionReason


class RejectionProposedOut(WireOut):
    """Another person confirms it, or it does not happen."""

    id: UUID
    topic_id: UUID
    reason_code: RejectionReason
    reason: str
    proposed_at: datetime


class AppealOut(WireOut):
    topic_id: UUID
    appealed_at: datetime


class AppealDecisionIn(WireIn):
    upheld: bool
    opinion: str = Field(min_length=1, max_length=4000)


class MergeIn(ReasonIn):
    into_id: UUID


class DutyOut(WireOut):
    """``next``: the operation that takes it on, by this role. ``rejection_proposed``: another
    person may confirm it; ``open_requests``: residents who ask to take part and wait for an
    answer."""

    topic: TopicCard
    next: NextAct
    next_text: str
    rejection_proposed: bool
    open_requests: int


@router.get("/worklist")
async def list_duties(
    actor: CurrentActor, db: Db, locale: Locale, cursor: CursorParam = None, limit: Limit = 20
) -> Page[DutyOut]:
    """What waits for the role named in ``Minyi-Role``, what is due first on top; nothing that
    waits for others."""
    async with db.read(actor) as tx:
        found = await duties.worklist(tx, after=read_time_cursor(cursor), limit=limit)
    shown = found[:limit]
    last = shown[-1].card.topic if len(found) > limit else None
    return Page(
        items=[
            DutyOut(
                topic=card_out(duty.card, locale),
                next=duty.next,
                next_text=say(locale, f"words.next_act.{duty.next}"),
                rejection_proposed=duty.rejection_proposed,
                open_requests=duty.open_requests,
            )
            for duty in shown
        ],
        next_cursor=None
        if last is None or last.due_at is None
        else time_cursor(last.due_at, last.id),
    )


@router.post("/topics/{topic_id}/return")
async def return_topic(topic_id: UUID, body: ReasonIn, once: Once, locale: Locale) -> StepOut:
    """Say what is missing; the author has 15 days."""
    async with once.begin() as tx:
        step = await screening.return_topic(tx, topic_id, reason=body.reason)
        return once.keep(step_out(step, locale))


@router.post("/topics/{topic_id}/acceptance")
async def accept_topic(topic_id: UUID, body: AcceptanceIn, once: Once, locale: Locale) -> StepOut:
    """The convener takes the topic on and sorts it in. From now on everybody may read it."""
    async with once.begin() as tx:
        step = await screening.accept_topic(
            tx,
            topic_id,
            body.classification.classification(),
            note=body.note.paper(),
            expected_version=body.expected_version,
        )
        return once.keep(step_out(step, locale))


@router.post("/topics/{topic_id}/rejection-proposal", status_code=201)
async def propose_rejection(topic_id: UUID, body: RejectionIn, once: Once) -> RejectionProposedOut:
    """The first of two persons who refuse a topic."""
    async with once.begin() as tx:
        rejection = await screening.propose_rejection(
            tx, topic_id, reason_code=body.reason_code, reason=body.reason
        )
        return once.keep(RejectionProposedOut.model_validate(rejection))


@router.post("/topics/{topic_id}/rejection")
async def confirm_rejection(topic_id: UUID, body: StepIn, once: Once, locale: Locale) -> StepOut:
    """The second person. The author is told why, and how to appeal."""
    async with once.begin() as tx:
        step = await screening.confirm_rejection(
            tx, topic_id, expected_version=body.expected_version
        )
        return once.keep(step_out(step, locale))


@router.post("/topics/{topic_id}/appeal", status_code=201)
async def appeal_rejection(topic_id: UUID, body: ReasonIn, once: Once) -> AppealOut:
    """The author appeals once, within 15 days."""
    async with once.begin() as tx:
        rejection = await screening.appeal_rejection(tx, topic_id, reason=body.reason)
        return once.keep(AppealOut.model_validate(rejection))


@router.post("/topics/{topic_id}/appeal-decision")
async def decide_appeal(
    topic_id: UUID, body: AppealDecisionIn, once: Once, locale: Locale
) -> StandingOut:
    """The subdistrict or the supervision committee decides; never those who rejected."""
    async with once.begin() as tx:
        topic = await screening.decide_appeal(
            tx, topic_id, upheld=body.upheld, opinion=body.opinion
        )
        return once.keep(standing_out(topic, locale))


@router.post("/topics/{topic_id}/merge")
async def merge_topic(topic_id: UUID, body: MergeIn, once: Once, locale: Locale) -> StepOut:
    """Merge the topic into another one; author, co-signers and followers go over and are told."""
    async with once.begin() as tx:
        step = await routing.merge_topic(tx, topic_id, body.into_id, reason=body.reason)
        return once.keep(step_out(step, locale))


@router.post("/topics/{topic_id}/taking-back")
async def take_back_topic(topic_id: UUID, body: TakeBackIn, once: Once, locale: Locale) -> StepOut:
    """Accept a transferred topic after all: the receiver gave it back, or its answer shows that
    the community can act."""
    async with once.begin() as tx:
        step = await routing.take_back_topic(
            tx,
            topic_id,
            body.classification.classification(),
            reason=body.reason,
            note=body.note.paper(),
        )
        return once.keep(step_out(step, locale))
