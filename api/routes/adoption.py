"""Adoption 采纳: an answer with a reason to every item, and the signatures under them."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from api.dependencies import AnyActor, CurrentActor, Db
from api.idempotency import Once
from api.routes.outcomes import ItemNumber, RoundParam, TopicStateOut, topic_state
from api.wire import WireIn, WireOut
from consultation.database import Transaction
from consultation.outcomes import queries, rules
from consultation.outcomes.commands import adoption
from consultation.outcomes.rules import Decision, NonAdoption, SignatureSide
from consultation.permissions import Deed
from consultation.topics.queries import access_topic
from consultation.topics.states import State, Track
from consultation.topics.tables import Topic

router = APIRouter(prefix="/v1", tags=["adoption"])


class ReplyIn(WireIn):
    """``reason`` is always required. ``reason_code`` names the ground for less than full adoption:
    required on Track A (``community``), free on Track B (``commissioned``)."""

    decision: Decision
    reason: str = Field(min_length=1, max_length=2000)
    reason_code: NonAdoption | None = None


class ReplyOut(WireOut):
    number: int
    version: int
    decision: Decision
    reason_code: NonAdoption | None
    reason: str
    at: datetime


class ItemAnswerOut(WireOut):
    """One item with its reply as it stands. ``answered`` says whether there is one; the reply
    itself is public once it is signed."""

    number: int
    item: str
    answered: bool
    version: int
    decision: Decision | None
    reason_code: NonAdoption | None
    reason: str | None
    org: str | None
    at: datetime | None


class AdoptionSignatureOut(WireOut):
    side: SignatureSide
    org: str
    at: datetime


class ExtensionOut(WireOut):
    reason: str
    old_due_at: datetime
    new_due_at: datetime


class AdoptionOut(WireOut):
    """``replies_digest`` is what a side signs; null for those who do not see the replies yet.
    ``overdue_since`` is public: silence of the adopter shows."""

    topic_id: UUID
    round: int
    track: Track | None
    state: State
    due_at: datetime | None
    overdue_since: datetime | None
    items: list[ItemAnswerOut]
    replies_digest: str | None
    signatures: list[AdoptionSignatureOut]
    extension: ExtensionOut | None


class AdoptionSignatureIn(WireIn):
    """The digest of the replies that were read, from ``get_adoption``."""

    replies_digest: str = Field(pattern=r"^[0-9a-f]{64}$")


class ReplyExtensionIn(WireIn):
    reason: str = Field(min_length=1, max_length=1000)


async def _adoption_out(tx: Transaction, topic: Topic, round: int) -> AdoptionOut:
    answers = await queries.current_answers(tx, topic.id, round)
    digest = rules.replies_digest(answers)
    signatures = await queries.signatures_under(tx, topic.id, round, digest)
    extension = await queries.reply_extension(tx, topic.id, round)
    visible = round < topic.round or rules.sees_drafts(
        topic.state,
        tx.standing.role,
        org_id=tx.standing.org_id,
        commissioning_org_id=topic.commissioning_org_id,
    )
    present = round == topic.round
    return AdoptionOut(
        topic_id=topic.id,
        round=round,
        track=topic.track,
        state=topic.state,
        due_at=topic.due_at if present and topic.state is State.ADOPTION_PENDING else None,
        overdue_since=topic.overdue_since if present else None,
        items=[
            ItemAnswerOut(
                number=answer.number,
                item=answer.item,
                answered=answer.decision is not None,
                version=answer.version,
                decision=answer.decision if visible else None,
                reason_code=answer.reason_code if visible else None,
                reason=answer.reason if visible and answer.decision is not None else None,
                org=answer.org,
                at=answer.at,
            )
            for answer in answers
        ],
        replies_digest=digest if visible and answers else None,
        signatures=[AdoptionSignatureOut(side=s.side, org=org, at=s.at) for s, org in signatures],
        extension=None if extension is None else ExtensionOut.model_validate(extension),
    )


@router.get("/topics/{topic_id}/adoption")
async def get_adoption(
    topic_id: UUID, db: Db, actor: AnyActor, round: RoundParam = None
) -> AdoptionOut:
    """Who must answer by when, every item's reply with its reason, and who signed."""
    async with db.read(actor) as tx:
        topic = await access_topic(tx, topic_id, Deed.READ_PUBLIC)
        return await _adoption_out(tx, topic, round or topic.round)


@router.post("/topics/{topic_id}/outcome/items/{number}/replies", status_code=201)
async def reply_to_item(topic_id: UUID, number: ItemNumber, body: ReplyIn, once: Once) -> ReplyOut:
    """Answer one item; an earlier answer stays as an earlier version, and signatures under it
    fall."""
    async with once.begin() as tx:
        reply = await adoption.reply_to_item(
            tx,
            topic_id,
            number,
            decision=body.decision,
            reason=body.reason,
            reason_code=body.reason_code,
        )
        return once.keep(
            ReplyOut(
                number=number,
                version=reply.version,
                decision=reply.decision,
                reason_code=reply.reason_code,
                reason=reply.reason,
                at=reply.at,
            )
        )


@router.put("/topics/{topic_id}/adoption/signature")
async def sign_adoption(
    topic_id: UUID, body: AdoptionSignatureIn, db: Db, actor: CurrentActor
) -> TopicStateOut:
    """Sign for one's organisation: party organisation and committee on Track A, by two people; the
    commissioner on Track B. The last signature decides the topic."""
    async with db.begin(actor) as tx:
        topic = await adoption.sign_adoption(tx, topic_id, replies_digest=body.replies_digest)
        return topic_state(topic)


@router.put("/topics/{topic_id}/adoption/extension")
async def extend_reply(
    topic_id: UUID, body: ReplyExtensionIn, db: Db, actor: CurrentActor
) -> ExtensionOut:
    """Ten more working days for a commissioner's reply: once, with a reason, before the
    deadline."""
    async with db.begin(actor) as tx:
        extension = await adoption.extend_reply(tx, topic_id, reason=body.reason)
        return ExtensionOut.model_validate(extension)
