"""Preparing a consultation 协商准备, announcing it, and how its deliberation ends."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field

from api.dependencies import AnyActor, CurrentActor, Db, Locale
from api.idempotency import Once
from api.routes.topic_shapes import PaperIn, ReasonIn, StepIn, StepOut, step_out
from api.wire import WireIn, WireOut
from api.words import say
from consultation.topics import dossier
from consultation.topics.commands import deciding, participants, preparing
from consultation.topics.dossier import PlanView
from consultation.topics.plan import FormPlan, GroupPlan, Plan
from consultation.topics.states import ReconsultationGround, RequestState
from consultation.topics.tables import ParticipantRequest, TopicPlan

router = APIRouter(prefix="/v1", tags=["plans"])


class LegalityIn(WireIn):
    lawful: bool
    opinion: str = Field(min_length=1, max_length=2000)


class InterestIn(WireIn):
    has_interest: bool
    note: str = Field(default="", max_length=400)


class InterestOut(WireOut):
    topic_id: UUID
    has_interest: bool
    note: str
    at: datetime


class AnnouncementIn(StepIn):
    notice: PaperIn


class MotionIn(ReasonIn):
    motion: PaperIn


class ReconsultationIn(ReasonIn):
    ground: ReconsultationGround
    changes: list[Annotated[str, Field(min_length=1, max_length=400)]] = Field(
        min_length=1, max_length=20
    )


class ExtensionIn(ReasonIn):
    until: date


class ParticipationIn(WireIn):
    group_name: str = Field(min_length=1, max_length=40)
    reason: str = Field(min_length=1, max_length=400)


class ParticipationAnswerIn(WireIn):
    granted: bool
    answer: str = Field(min_length=1, max_length=400)


class ParticipationOut(WireOut):
    """``person`` is masked, and null in one's own request."""

    id: UUID
    topic_id: UUID
    round: int
    person: str | None
    group_name: str
    reason: str
    state: RequestState
    state_text: str
    answer: str | None
    at: datetime


class ParticipationsOut(WireOut):
    items: list[ParticipationOut]


class OfficerOut(WireOut):
    id: UUID
    name: str  # masked


class PlanOut(WireOut):
    """The plan of a round. ``digest`` (SHA-256 of the plan's canonical JSON) and ``frozen_at`` are
    null while it is made; ``notice_until`` is exclusive."""

    topic_id: UUID
    round: int
    groups: list[GroupPlan]
    forms: list[FormPlan]
    needs_expert: bool
    poll_preset: str | None
    touches_unvotable_right: bool
    hosts: list[OfficerOut]
    tellers: list[OfficerOut]
    venue: str
    deliberation_ends: date
    text: str
    digest: str | None
    legality_ok: bool | None
    legality_opinion: str | None
    frozen_at: datetime | None
    notice_until: datetime | None
    extended_to: date | None
    extension_reason: str | None


class PlanSavedOut(WireOut):
    topic_id: UUID
    round: int
    legality_ok: bool | None
    extended_to: date | None


def plan_out(view: PlanView) -> PlanOut:
    row, plan = view.row, view.row.plan

    def officers(ids: list[UUID]) -> list[OfficerOut]:
        return [OfficerOut(id=id, name=view.names.get(id, "")) for id in ids]

    return PlanOut(
        topic_id=row.topic_id,
        round=row.round,
        groups=plan.groups,
        forms=plan.forms,
        needs_expert=plan.needs_expert,
        poll_preset=plan.poll_preset,
        touches_unvotable_right=plan.touches_unvotable_right,
        hosts=officers(plan.host_ids),
        tellers=officers(plan.teller_ids),
        venue=plan.venue,
        deliberation_ends=plan.deliberation_ends,
        text=plan.text,
        digest=row.digest,
        legality_ok=row.legality_ok,
        legality_opinion=row.legality_opinion,
        frozen_at=row.frozen_at,
        notice_until=row.notice_until,
        extended_to=row.extended_to,
        extension_reason=row.extension_reason,
    )


def _saved(row: TopicPlan) -> PlanSavedOut:
    return PlanSavedOut.model_validate(row)


def participation_out(
    request: ParticipantRequest, locale: str, *, person: str | None = None
) -> ParticipationOut:
    text = say(locale, f"words.request_state.{request.state}")
    return ParticipationOut.model_validate(
        {**request.model_dump(), "person": person, "state_text": text}
    )


@router.post("/topics/{topic_id}/preparation")
async def prepare_topic(topic_id: UUID, once: Once, locale: Locale) -> StepOut:
    """Begin to prepare; after a reconsultation this begins the next round."""
    async with once.begin() as tx:
        return once.keep(step_out(await preparing.prepare_topic(tx, topic_id), locale))


@router.get("/topics/{topic_id}/plan")
async def get_plan(
    topic_id: UUID, actor: AnyActor, db: Db, round: Annotated[int | None, Query(ge=1)] = None
) -> PlanOut:
    """The plan of the present or of an earlier round; while it is made, for verified residents."""
    async with db.read(actor) as tx:
        view = await dossier.topic_plan(tx, topic_id, round=round)
    return plan_out(view)


@router.put("/topics/{topic_id}/plan")
async def save_plan(topic_id: UUID, body: Plan, actor: CurrentActor, db: Db) -> PlanSavedOut:
    """Write the plan of the present round, or write it anew; a changed plan is checked again."""
    async with db.begin(actor) as tx:
        return _saved(await preparing.save_plan(tx, topic_id, body))


@router.put("/topics/{topic_id}/plan/legality")
async def check_legality(
    topic_id: UUID, body: LegalityIn, actor: CurrentActor, db: Db
) -> PlanSavedOut:
    """Say whether the plan as it stands is lawful."""
    async with db.begin(actor) as tx:
        return _saved(
            await preparing.check_legality(tx, topic_id, lawful=body.lawful, opinion=body.opinion)
        )


@router.put("/topics/{topic_id}/interest")
async def declare_interest(
    topic_id: UUID, body: InterestIn, actor: CurrentActor, db: Db
) -> InterestOut:
    """Say whether one has a stake in the topic; who has one neither hosts nor tells."""
    async with db.begin(actor) as tx:
        declaration = await preparing.declare_interest(
            tx, topic_id, has_interest=body.has_interest, note=body.note
        )
        return InterestOut.model_validate(declaration)


@router.put("/topics/{topic_id}/participation")
async def ask_to_be_added(
    topic_id: UUID, body: ParticipationIn, actor: CurrentActor, db: Db, locale: Locale
) -> ParticipationOut:
    """Say that the plan forgot oneself, while it is being made."""
    async with db.begin(actor) as tx:
        request = await participants.ask_to_be_added(
            tx, topic_id, group_name=body.group_name, reason=body.reason
        )
        return participation_out(request, locale)


@router.get("/topics/{topic_id}/participation-requests")
async def list_participation_requests(
    topic_id: UUID, actor: CurrentActor, db: Db, locale: Locale
) -> ParticipationsOut:
    """Who asked to take part in this round, for those who prepare; the first 200."""
    async with db.read(actor) as tx:
        found = await dossier.participant_requests(tx, topic_id)
    return ParticipationsOut(
        items=[participation_out(request, locale, person=name) for request, name in found]
    )


@router.post("/participation-requests/{request_id}/answer")
async def answer_participation(
    request_id: UUID, body: ParticipationAnswerIn, once: Once, locale: Locale
) -> ParticipationOut:
    """Yes or no, with a reason. Until all are answered the topic cannot be announced."""
    async with once.begin() as tx:
        request = await participants.answer_request(
            tx, request_id, granted=body.granted, answer=body.answer
        )
        return once.keep(participation_out(request, locale))


@router.post("/topics/{topic_id}/announcement")
async def announce_topic(
    topic_id: UUID, body: AnnouncementIn, once: Once, locale: Locale
) -> StepOut:
    """The convener announces what the clerk prepared: the plan is frozen, the notice runs, then
    deliberation opens by itself."""
    async with once.begin() as tx:
        step = await preparing.announce_topic(
            tx, topic_id, notice=body.notice.paper(), expected_version=body.expected_version
        )
        return once.keep(step_out(step, locale))


@router.post("/topics/{topic_id}/deliberation/extension")
async def extend_deliberation(topic_id: UUID, body: ExtensionIn, once: Once) -> PlanSavedOut:
    """Deliberate longer than planned, once, with a reason."""
    async with once.begin() as tx:
        row = await preparing.extend_deliberation(
            tx, topic_id, until=body.until, reason=body.reason
        )
        return once.keep(_saved(row))


@router.post("/topics/{topic_id}/deliberation/close")
async def close_deliberation(topic_id: UUID, body: StepIn, once: Once, locale: Locale) -> StepOut:
    """The host closes when what the plan asked for took place and every group was heard."""
    async with once.begin() as tx:
        step = await deciding.close_deliberation(
            tx, topic_id, expected_version=body.expected_version
        )
        return once.keep(step_out(step, locale))


@router.post("/topics/{topic_id}/escalation")
async def escalate_topic(topic_id: UUID, body: MotionIn, once: Once, locale: Locale) -> StepOut:
    """Bring the matter before the assembly, with a motion."""
    async with once.begin() as tx:
        step = await deciding.escalate_topic(
            tx, topic_id, reason=body.reason, motion=body.motion.paper()
        )
        return once.keep(step_out(step, locale))


@router.post("/topics/{topic_id}/assembly-preparation")
async def prepare_assembly(topic_id: UUID, once: Once, locale: Locale) -> StepOut:
    """Prepare the assembly, in a round of its own."""
    async with once.begin() as tx:
        return once.keep(step_out(await deciding.prepare_assembly(tx, topic_id), locale))


@router.post("/topics/{topic_id}/reconsultation")
async def reconsult_topic(
    topic_id: UUID, body: ReconsultationIn, once: Once, locale: Locale
) -> StepOut:
    """Consult once more, with what is different; at most three rounds."""
    async with once.begin() as tx:
        step = await deciding.reconsult_topic(
            tx, topic_id, ground=body.ground, reason=body.reason, changes=tuple(body.changes)
        )
        return once.keep(step_out(step, locale))
