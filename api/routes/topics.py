"""Topics 协商议题: raising and reading them."""

from datetime import datetime
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
from api.routes.topic_shapes import StepIn, StepOut, TopicCard, cards_page, step_out
from api.wire import WireIn, WireOut
from api.words import say
from consultation.deliberation.review_rules import ReviewSubject
from consultation.topics import reading
from consultation.topics.commands import raising
from consultation.topics.plan import procedure
from consultation.topics.proposal import CommissionLetter, Proposal
from consultation.topics.reading import Detail, Entry, Filter, Relation
from consultation.topics.states import (
    Act,
    Category,
    DocumentKind,
    Layer,
    MatterList,
    RejectionReason,
    State,
    StateGroup,
    Track,
    TransferState,
)
from consultation.topics.steps import permitted_acts

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


class MergedIntoOut(WireOut):
    id: UUID
    number: str
    title: str


class TransferBriefOut(WireOut):
    """The transfer under which the topic is with another body."""

    id: UUID
    receiver: str
    ticket: str | None
    state: TransferState
    state_text: str
    sent_at: datetime
    due_at: datetime | None
    answer: str | None
    return_reason: str | None
    rating: int | None


class RejectionOut(WireOut):
    """For the author and the staff. ``appeal_until`` is exclusive."""

    id: UUID
    reason_code: RejectionReason
    reason_text: str
    reason: str
    proposed_at: datetime
    confirmed_at: datetime | None
    appeal_until: datetime | None
    appealed_at: datetime | None
    appeal_decided_at: datetime | None
    appeal_upheld: bool | None
    appeal_opinion: str | None


class TopicOut(WireOut):
    """One topic as the asking role sees it.

    ``problem``, ``wish``, ``place_text`` and ``affected`` are null in the public summary of a
    matter that was transferred without having been accepted. ``author`` is masked; ``assisted``:
    written down by a grid worker (代录). ``must_be_answered``: enough residents stand behind it.
    ``permitted_acts`` are the steps that the state knows and the role may take.
    """

    id: UUID
    community_id: UUID
    node_id: UUID
    number: str
    title: str
    summary_plain: str
    place: str
    problem: str | None
    wish: str | None
    place_text: str | None
    affected: list[str] | None
    author: str
    assisted: bool
    mine: bool
    open_to_cosign: bool
    co_signers: int
    must_be_answered: bool
    cosigned: bool
    following: bool
    state: State
    state_text: str
    state_since: datetime
    due_at: datetime | None
    overdue_since: datetime | None
    round: int
    version: int
    category: Category | None
    layer: Layer | None
    track: Track | None
    matter_list: MatterList | None
    convener: str | None
    convener_reason: str | None
    commissioner: str | None
    notice_until: datetime | None
    merged_into: MergedIntoOut | None
    withdrawal_asked_at: datetime | None
    transfer: TransferBriefOut | None
    rejection: RejectionOut | None
    permitted_acts: list[Act]
    created_at: datetime
    as_of: AsOf | None = None


class TopicBoard(Page[TopicCard]):
    """``as_of`` is of the community's stream."""

    as_of: AsOf | None = None


class DocumentRef(WireOut):
    id: UUID
    kind: DocumentKind
    kind_text: str
    title: str


class TimelineEntry(WireOut):
    """One step. ``actor`` is masked; ``reason`` is null where only the author may read it."""

    number: int
    rule: str
    act: Act
    act_text: str
    from_state: State
    to_state: State
    state_text: str
    round: int
    actor: str | None
    role: str
    org: str | None
    reason_code: str | None
    reason: str | None
    changes: list[str]
    documents: list[DocumentRef]
    due_at: datetime | None
    at: datetime


def _transfer_out(detail: Detail, locale: str) -> TransferBriefOut | None:
    transfer = detail.transfer
    if transfer is None or detail.receiver is None:
        return None
    relayed = transfer.relayed_at is not None
    return TransferBriefOut(
        id=transfer.id,
        receiver=detail.receiver,
        ticket=transfer.ticket,
        state=transfer.state,
        state_text=say(locale, f"words.transfer_state.{transfer.state}"),
        sent_at=transfer.sent_at,
        due_at=transfer.due_at,
        answer=transfer.answer if relayed or detail.staff else None,
        return_reason=transfer.return_reason,
        rating=transfer.rating,
    )


def _rejection_out(detail: Detail, locale: str) -> RejectionOut | None:
    """The author learns of a rejection when it is confirmed, not when it is proposed."""
    rejection = detail.rejection
    if rejection is None or (rejection.confirmed_at is None and not detail.staff):
        return None
    confirmed_at = rejection.confirmed_at
    return RejectionOut(
        id=rejection.id,
        reason_code=rejection.reason_code,
        reason_text=say(locale, f"words.rejection_reason.{rejection.reason_code}"),
        reason=rejection.reason,
        proposed_at=rejection.proposed_at,
        confirmed_at=confirmed_at,
        appeal_until=None
        if confirmed_at is None
        else procedure().periods["appeal"].after(confirmed_at),
        appealed_at=rejection.appealed_at,
        appeal_decided_at=rejection.appeal_decided_at,
        appeal_upheld=rejection.appeal_upheld,
        appeal_opinion=rejection.appeal_opinion,
    )


def topic_out(detail: Detail, locale: str) -> TopicOut:
    topic, full = detail.topic, detail.in_full
    return TopicOut(
        id=topic.id,
        community_id=topic.community_id,
        node_id=topic.node_id,
        number=topic.number,
        title=topic.title,
        summary_plain=topic.summary_plain,
        place=detail.place,
        problem=topic.problem if full else None,
        wish=topic.wish if full else None,
        place_text=topic.place if full else None,
        affected=topic.affected if full else None,
        author=detail.author,
        assisted=detail.assisted,
        mine=detail.by_author,
        open_to_cosign=topic.open_to_cosign,
        co_signers=topic.co_signers,
        must_be_answered=topic.co_signers >= procedure().cosign_threshold,
        cosigned=detail.cosigned,
        following=detail.following,
        state=topic.state,
        state_text=say(locale, f"words.state.{topic.state}"),
        state_since=topic.state_since,
        due_at=topic.due_at,
        overdue_since=topic.overdue_since,
        round=topic.round,
        version=topic.version,
        category=topic.category,
        layer=topic.layer,
        track=topic.track,
        matter_list=topic.matter_list,
        convener=detail.convener,
        convener_reason=topic.convener_reason,
        commissioner=detail.commissioner,
        notice_until=detail.notice_until,
        merged_into=None
        if detail.merged_into is None
        else MergedIntoOut(
            id=detail.merged_into[0], number=detail.merged_into[1], title=detail.merged_into[2]
        ),
        withdrawal_asked_at=topic.withdrawal_asked_at,
        transfer=_transfer_out(detail, locale),
        rejection=_rejection_out(detail, locale),
        permitted_acts=permitted_acts(topic.state, detail.role, by_author=detail.by_author),
        created_at=topic.created_at,
    )


def _entry_out(entry: Entry, locale: str) -> TimelineEntry:
    step = entry.step
    return TimelineEntry(
        number=step.number,
        rule=step.rule,
        act=step.act,
        act_text=say(locale, f"words.act.{step.act}"),
        from_state=step.from_state,
        to_state=step.to_state,
        state_text=say(locale, f"words.state.{step.to_state}"),
        round=step.round,
        actor=entry.actor,
        role=step.role,
        org=entry.org,
        reason_code=step.reason_code if entry.open else None,
        reason=step.reason if entry.open else None,
        changes=step.facts.get("changes", []),
        documents=[
            DocumentRef(
                id=document.id,
                kind=document.kind,
                kind_text=say(locale, f"words.document_kind.{document.kind}"),
                title=document.title,
            )
            for document in entry.documents
        ],
        due_at=step.due_at,
        at=step.at,
    )


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
        return once.keep(topic_out(await reading.topic_detail(tx, topic.id), locale))


@router.put("/topics/{topic_id}/proposal")
async def edit_draft(
    topic_id: UUID, body: ProposalIn, actor: CurrentActor, db: Db, locale: Locale
) -> TopicOut:
    """Replace what a draft or a returned topic says."""
    async with db.begin(actor) as tx:
        await raising.edit_draft(
            tx, topic_id, proposal=body.proposal, expected_version=body.expected_version
        )
        return topic_out(await reading.topic_detail(tx, topic_id), locale)


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
        detail = await reading.topic_detail(tx, topic_id)
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
        entries = await reading.timeline(tx, topic_id, after=after, limit=limit)
    more = len(entries) > limit
    shown = entries[:limit]
    return Page(
        items=[_entry_out(entry, locale) for entry in shown],
        next_cursor=encode_cursor(shown[-1].step.number) if more else None,
    )
