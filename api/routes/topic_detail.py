"""One topic in full, and its timeline, as clients see them."""

from datetime import datetime
from uuid import UUID

from api.as_of import AsOf
from api.routes.topic_shapes import TopicPollOut, poll_brief
from api.wire import WireOut
from api.words import say
from consultation.topics.detail import Detail
from consultation.topics.dossier import Entry
from consultation.topics.plan import procedure
from consultation.topics.states import (
    Act,
    Category,
    DocumentKind,
    Layer,
    MatterList,
    RejectionReason,
    State,
    Track,
    TransferState,
)
from consultation.topics.steps import permitted_acts


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
    ``poll`` is the vote that is announced, runs or is counted.
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
    poll: TopicPollOut | None
    transfer: TransferBriefOut | None
    rejection: RejectionOut | None
    permitted_acts: list[Act]
    created_at: datetime
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
        poll=poll_brief(detail.poll, locale),
        transfer=_transfer_out(detail, locale),
        rejection=_rejection_out(detail, locale),
        permitted_acts=permitted_acts(topic.state, detail.role, by_author=detail.by_author),
        created_at=topic.created_at,
    )


def entry_out(entry: Entry, locale: str) -> TimelineEntry:
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
