"""Topics 协商议题: raising and reading them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field

from api.as_of import AsOf, as_of_head
from api.content_checks import ask_for_check
from api.dependencies import AnyActor, App, CurrentActor, Db, Locale
from api.idempotency import Once
from api.pagination import (
    BadCursor,
    CursorParam,
    Limit,
    Page,
    decode_cursor,
    encode_cursor,
    read_time_cursor,
)
from api.routes.topic_detail import TimelineEntry, TopicOut, entry_out, topic_out
from api.routes.topic_shapes import StepIn, StepOut, TopicCard, cards_page, step_out
from api.wire import WireIn
from consultation.deliberation.review_rules import ReviewSubject
from consultation.topics import dossier, reading
from consultation.topics.commands import raising
from consultation.topics.detail import topic_detail
from consultation.topics.proposal import CommissionLetter, Proposal
from consultation.topics.reading import Filter, Relation
from consultation.topics.states import Category, Layer, StateGroup, Track

router = APIRouter(prefix="/v1", tags=["topics"])


class DraftIn(WireIn):
    """``on_behalf_of`` and ``consent_note``: a grid worker writes for a verified resident of the
    own grid (代录). ``letter``: a government body commissions the consultation."""

    node_id: UUID
    proposal: Proposal
    on_behalf_of: UUID | None = None
    consent_note: str | None = Field(default=None, max_length=400)
    letter: CommissionLetter | None = None


class ProposalIn(WireIn):
    proposal: Proposal
    expected_version: int | None = None


class TopicBoard(Page[TopicCard]):
    """``as_of`` is of the community's stream."""

    as_of: AsOf | None = None


@router.post("/communities/{community_id}/topics", status_code=201)
async def draft_topic(community_id: UUID, body: DraftIn, once: Once, locale: Locale) -> TopicOut:
    """Begin a topic on what lies at ``node_id``. It is the author's alone until submitted."""
    async with once.begin() as tx:
        topic = await raising.draft_topic(
            tx,
            community_id=community_id,
            node_id=body.node_id,
            proposal=body.proposal,
            on_behalf_of=body.on_behalf_of,
            consent_note=body.consent_note,
            letter=body.letter,
        )
        return once.keep(topic_out(await topic_detail(tx, topic.id), locale))


@router.put("/topics/{topic_id}/proposal")
async def edit_draft(
    topic_id: UUID, body: ProposalIn, actor: CurrentActor, db: Db, locale: Locale
) -> TopicOut:
    """Replace what a draft or a returned topic says."""
    async with db.begin(actor) as tx:
        await raising.edit_draft(
            tx, topic_id, proposal=body.proposal, expected_version=body.expected_version
        )
        return topic_out(await topic_detail(tx, topic_id), locale)


@router.post("/topics/{topic_id}/submission")
async def submit_topic(
    topic_id: UUID, body: StepIn, app: App, once: Once, locale: Locale
) -> StepOut:
    """Hand the topic in, or in again after it was returned; the answer is due in 7 working days."""
    async with once.begin() as tx:
        step = await raising.submit_topic(tx, topic_id, expected_version=body.expected_version)
        await ask_for_check(
            tx,
            app.settings,
            (ReviewSubject.TOPIC, topic_id, step.number),
            community_id=step.community_id,
            topic_id=topic_id,
        )
        return once.keep(step_out(step, locale))


@router.get("/communities/{community_id}/topics")
async def list_topics(
    community_id: UUID,
    actor: AnyActor,
    db: Db,
    locale: Locale,
    group: StateGroup | None = None,
    category: Category | None = None,
    layer: Layer | None = None,
    track: Track | None = None,
    overdue: bool | None = None,
    cursor: CursorParam = None,
    limit: Limit = 20,
) -> TopicBoard:
    """The topics of a community, newest first: the public ones; for residents also what gathers
    co-signers; for staff all but drafts."""
    wanted = Filter(group=group, category=category, layer=layer, track=track, overdue=overdue)
    async with db.read(actor) as tx:
        board = await reading.list_topics(
            tx, community_id, wanted=wanted, after=read_time_cursor(cursor), limit=limit
        )
    page = cards_page(board.cards, limit, locale)
    return TopicBoard(
        items=page.items, next_cursor=page.next_cursor, as_of=as_of_head(board.place.head)
    )


@router.get("/me/topics")
async def list_my_topics(
    actor: CurrentActor,
    db: Db,
    locale: Locale,
    relation: Relation = Relation.RAISED,
    cursor: CursorParam = None,
    limit: Limit = 20,
) -> Page[TopicCard]:
    """Topics that I raised or wrote down for somebody, co-signed, or follow; newest first."""
    async with db.read(actor) as tx:
        cards = await reading.my_topics(
            tx, relation=relation, after=read_time_cursor(cursor), limit=limit
        )
    return cards_page(cards, limit, locale)


@router.get("/topics/{topic_id}")
async def get_topic(topic_id: UUID, actor: AnyActor, db: Db, locale: Locale) -> TopicOut:
    """One topic as the asking role sees it, with the steps that role may take now."""
    async with db.read(actor) as tx:
        detail = await topic_detail(tx, topic_id)
    return topic_out(detail, locale).model_copy(update={"as_of": as_of_head(detail.head)})


@router.get("/topics/{topic_id}/timeline")
async def get_topic_timeline(
    topic_id: UUID,
    actor: AnyActor,
    db: Db,
    locale: Locale,
    cursor: CursorParam = None,
    limit: Annotated[int, Query(ge=1, le=50)] = 50,
) -> Page[TimelineEntry]:
    """The steps of a topic from the first on, each with who, why, with which documents."""
    after = None
    if cursor is not None:
        number = decode_cursor(cursor, 1)[0]
        if not isinstance(number, int):
            raise BadCursor()
        after = number
    async with db.read(actor) as tx:
        entries = await dossier.timeline(tx, topic_id, after=after, limit=limit)
    more = len(entries) > limit
    shown = entries[:limit]
    return Page(
        items=[entry_out(entry, locale) for entry in shown],
        next_cursor=encode_cursor(shown[-1].step.number) if more else None,
    )
