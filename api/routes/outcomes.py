"""The outcome paper 协商成果 of a topic, and consensus on it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import Field

from api.dependencies import AnyActor, CurrentActor, Db
from api.idempotency import Once
from api.wire import WireIn, WireOut
from consultation.outcomes import queries
from consultation.outcomes.commands import drafting
from consultation.outcomes.queries import OutcomePaper
from consultation.outcomes.rules import AdverseImpact
from consultation.permissions import Deed
from consultation.refusals import NotFound
from consultation.topics.plan import procedure
from consultation.topics.queries import access_topic
from consultation.topics.states import State
from consultation.topics.tables import Topic

router = APIRouter(prefix="/v1", tags=["outcomes"])

ItemText = Annotated[str, Field(min_length=1, max_length=1000)]
RoundParam = Annotated[
    int | None, Query(ge=1, le=9, description="The round; the present one if not given")
]
ItemNumber = Annotated[int, Path(ge=1, le=50, description="The item's number in the paper")]


class OutcomeIn(WireIn):
    """``minority_view``: the views that did not prevail, their reasons and how they were dealt
    with, never the people. Where there is none, say so."""

    items: list[ItemText] = Field(min_length=1, max_length=50)
    minority_view: str = Field(min_length=1, max_length=4000)
    adverse_impacts: list[AdverseImpact] = Field(default_factory=list, max_length=20)


class OutcomeRevisionIn(WireIn):
    """What is not given stays as it was. Items change only before a vote on them is announced."""

    reason: str = Field(min_length=1, max_length=400)
    items: list[ItemText] | None = Field(default=None, min_length=1, max_length=50)
    minority_view: str | None = Field(default=None, min_length=1, max_length=4000)
    adverse_impacts: list[AdverseImpact] | None = Field(default=None, max_length=20)


class OutcomeItemOut(WireOut):
    id: UUID
    number: int
    text: str


class ConsensusOut(WireOut):
    """The call to consensus on this version: null times while there is none."""

    called_at: datetime | None
    objections_until: datetime | None
    objections: int


class OutcomeOut(WireOut):
    topic_id: UUID
    round: int
    version: int
    items: list[OutcomeItemOut]
    minority_view: str
    adverse_impacts: list[AdverseImpact]
    change_reason: str | None
    document_id: UUID | None
    at: datetime
    consensus: ConsensusOut


class ObjectionIn(WireIn):
    reason: str = Field(min_length=1, max_length=1000)


class ObjectionOut(WireOut):
    topic_id: UUID
    version: int
    reason: str
    at: datetime


class TopicStateOut(WireOut):
    """Where the topic stands after the step."""

    topic_id: UUID
    state: State
    round: int
    version: int
    due_at: datetime | None


def topic_state(topic: Topic) -> TopicStateOut:
    return TopicStateOut(
        topic_id=topic.id,
        state=topic.state,
        round=topic.round,
        version=topic.version,
        due_at=topic.due_at,
    )


def _outcome_out(paper: OutcomePaper) -> OutcomeOut:
    outcome, called_at = paper.outcome, paper.consensus.called_at
    period = procedure().periods["consensus"]
    return OutcomeOut(
        topic_id=outcome.topic_id,
        round=outcome.round,
        version=outcome.version,
        items=[OutcomeItemOut.model_validate(item) for item in paper.items],
        minority_view=outcome.minority_view,
        adverse_impacts=outcome.adverse_impacts,
        change_reason=outcome.change_reason,
        document_id=outcome.document_id,
        at=outcome.at,
        consensus=ConsensusOut(
            called_at=called_at,
            objections_until=None if called_at is None else period.after(called_at),
            objections=paper.consensus.objections,
        ),
    )


@router.post("/topics/{topic_id}/outcome", status_code=201)
async def draft_outcome(topic_id: UUID, body: OutcomeIn, once: Once) -> OutcomeOut:
    """Write the outcome of this round: items, minority view, burdens and what is done about
    them."""
    async with once.begin() as tx:
        outcome = await drafting.draft_outcome(
            tx,
            topic_id,
            items=body.items,
            minority_view=body.minority_view,
            adverse_impacts=body.adverse_impacts,
        )
        paper = await queries.outcome_paper(tx, topic_id, outcome.round)
        assert paper is not None
        return once.keep(_outcome_out(paper))


@router.post("/topics/{topic_id}/outcome/revisions", status_code=201)
async def revise_outcome(topic_id: UUID, body: OutcomeRevisionIn, once: Once) -> OutcomeOut:
    """Publish a new version of the paper, with the reason for it."""
    async with once.begin() as tx:
        outcome = await drafting.revise_outcome(
            tx,
            topic_id,
            reason=body.reason,
            items=body.items,
            minority_view=body.minority_view,
            adverse_impacts=body.adverse_impacts,
        )
        paper = await queries.outcome_paper(tx, topic_id, outcome.round)
        assert paper is not None
        return once.keep(_outcome_out(paper))


@router.get("/topics/{topic_id}/outcome")
async def get_outcome(
    topic_id: UUID, db: Db, actor: AnyActor, round: RoundParam = None
) -> OutcomeOut:
    """The latest version of the paper. 404 while none is written."""
    async with db.read(actor) as tx:
        topic = await access_topic(tx, topic_id, Deed.READ_PUBLIC)
        paper = await queries.outcome_paper(tx, topic_id, round or topic.round)
        if paper is None:
            raise NotFound(what="outcome")
        return _outcome_out(paper)


@router.put("/topics/{topic_id}/consensus")
async def call_consensus(topic_id: UUID, db: Db, actor: CurrentActor) -> OutcomeOut:
    """The convener says that the present paper has everybody's consent; who takes part has three
    days to object."""
    async with db.begin(actor) as tx:
        call = await drafting.call_consensus(tx, topic_id)
        paper = await queries.outcome_paper(tx, topic_id, call.round)
        assert paper is not None
        return _outcome_out(paper)


@router.put("/topics/{topic_id}/consensus/objection")
async def object_to_consensus(
    topic_id: UUID, body: ObjectionIn, db: Db, actor: CurrentActor
) -> ObjectionOut:
    """Say that there is no consensus. One objection is enough; asking again changes nothing."""
    async with db.begin(actor) as tx:
        objection = await drafting.object_to_consensus(tx, topic_id, reason=body.reason)
        return ObjectionOut.model_validate(objection)


@router.put("/topics/{topic_id}/consensus/conclusion")
async def conclude_consensus(topic_id: UUID, db: Db, actor: CurrentActor) -> TopicStateOut:
    """Nobody objected in time: the paper is published as the outcome (T12)."""
    async with db.begin(actor) as tx:
        return topic_state(await drafting.conclude_consensus(tx, topic_id))
