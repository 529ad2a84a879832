"""A poll before its vote: drafted by one person, announced by another, which freezes text, preset
and roll; and its one extension."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert

from consultation.community.tables import Node
from consultation.database import Transaction
from consultation.events.polls import PollAnnounced, PollExtended
from consultation.jobs import JobKind, schedule
from consultation.meetings.rules import MeetingState
from consultation.meetings.tables import Meeting
from consultation.permissions import Deed, Role
from consultation.polls import deeming, rules, runoffs, terms, wording
from consultation.polls.commands.recording import fix_manifest, schedule_round
from consultation.polls.commands.showing import schedule_look
from consultation.polls.counting import Count, turnout_progress
from consultation.polls.deeming_queries import check_clause
from consultation.polls.drafts import PollDraft
from consultation.polls.extension_tables import PollExtension
from consultation.polls.items import check_candidates, check_items, check_nominees
from consultation.polls.objection_queries import write_roll
from consultation.polls.people_queries import people_named
from consultation.polls.phrases import Phrase
from consultation.polls.presets import BallotMode, RulePreset
from consultation.polls.queries import Hold, access_poll, live_poll, participation, voters_follow
from consultation.polls.registers import build_roll, place_name, registered_adults
from consultation.polls.rolls import Place, roll_digest
from consultation.polls.rules import Candidate, PollItem, PollState
from consultation.polls.runoff_queries import election_before
from consultation.polls.tables import TURNOUT_SHARDS, Poll, PollTurnout
from consultation.refusals import NotFound, NotPermitted
from consultation.topics.documents import publish_document
from consultation.topics.queries import access_topic
from consultation.topics.states import DocumentKind, Layer, State
from consultation.topics.subjects import check_subject
from consultation.topics.tables import Document, Topic, TopicPlan

Writer = Callable[[Sequence[Phrase]], str]
"""Makes the Chinese text of a document; the catalogue lies outside the domain."""


async def draft_poll(tx: Transaction, topic_id: UUID, draft: PollDraft) -> Poll:
    """Draft the poll of the topic's present round, or replace the draft there is.

    Refuses with PollTooEarly, PollExists, UnknownPreset, PollLayerMismatch, PresetNotPlanned,
    PresetNotPolled, PollScopeInvalid, PollItemsInvalid, PollModeInvalid, PollMeetingInvalid,
    RunoffInvalid, PollWindowInvalid, DeemingNotAllowed or ForbiddenSubject.
    """
    topic = await access_topic(tx, topic_id, Deed.CHOOSE_PRESET, lock=True)
    preset = terms.find_preset(draft.preset)
    if tx.standing.role is Role.OWNERS_COMMITTEE and preset.layer is not Layer.OWNERS:
        raise NotPermitted(deed=Deed.CHOOSE_PRESET.value, role=tx.standing.role.value)
    _check_stage(topic, terms.OPEN_TO_DRAFT)
    await _check_preset(tx, topic, preset)
    scope = await _scope(tx, topic, preset, draft.scope_node_id)
    terms.check_mode(preset, draft.mode)
    check_items(preset, draft.items, draft.budget_fen)
    check_nominees(draft.items, draft.candidates)
    people = await people_named(tx, draft.candidates) if draft.candidates else {}
    options = (option.text for item in draft.items for option in item.options)
    check_subject(draft.question, *(item.text for item in draft.items), *options)
    candidates = [
        Candidate(item=one.item, code=one.code, person_id=id) for one, id in people.items()
    ]
    await _check_runoff(tx, topic, preset, scope.id, draft.items, candidates)
    closes_at = terms.closing(preset, draft.opens_at, draft.closes_at)
    terms.check_window(preset, draft.opens_at, closes_at)
    if draft.meeting_id is not None:
        await _check_meeting(tx, topic, preset, draft.meeting_id)
    poll = await live_poll(tx, topic)
    if poll is not None and poll.state is not PollState.DRAFT:
        raise terms.PollExists()

    if draft.silence_clause_id is not None:
        preset = deeming.with_clause(preset, draft.items)
        await check_clause(tx, topic, draft.silence_clause_id)
    of_record = terms.system_of_record(preset, draft)
    content = {
        "scope_node_id": scope.id,
        "scope_name": await place_name(tx, scope),
        "meeting_id": draft.meeting_id,
        "question": draft.question,
        "items": draft.items,
        "candidates": candidates,
        "budget_fen": draft.budget_fen,
        "preset": terms.as_announced(preset, legal_system_of_record=of_record),
        "legal_system_of_record": of_record,
        "silence_clause_id": draft.silence_clause_id,
        "mode": draft.mode or terms.default_mode(preset, draft.items),
        "drafted_by_id": tx.person_id,
        "drafted_at": tx.now,
        "opens_at": draft.opens_at,
        "closes_at": closes_at,
    }
    if poll is None:
        poll = Poll(
            id=tx.new_id(),
            community_id=topic.community_id,
            topic_id=topic.id,
            round=topic.round,
            state=PollState.DRAFT,
            **content,
        )
    for name, value in content.items():
        setattr(poll, name, value)
    tx.session.add(poll)
    return poll


async def announce_poll(
    tx: Transaction,
    poll_id: UUID,
    *,
    write: Writer,
    confirm_preset: bool = False,
    confirm_roll: int | None = None,
) -> Poll:
    """A second person announces the poll: text, preset and roll are frozen from now on.
    ``confirm_preset``: they compared the numbers of a rule that is to be confirmed with the law.
    ``confirm_roll``: how many they saw on a roll of adults that is not the register's.

    A confidential poll gets its box key. Announcing again by the same person changes nothing.
    Refuses with SecondPersonNeeded, PollTooEarly, PresetNotPlanned, PresetNotEffective,
    PresetNeedsConfirmation, PollMeetingInvalid, RunoffInvalid, PollWindowInvalid, RollNotAvailable,
    EmptyRoll, RollNeedsConfirmation or BoxKeysMissing.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.CHOOSE_PRESET, hold=Hold.TOPIC_AND_POLL)
    if poll.announced_by_id == tx.person_id:
        return poll
    if poll.state is not PollState.DRAFT or poll.round != topic.round:
        raise terms.PollExists()
    if poll.drafted_by_id == tx.person_id:
        raise terms.SecondPersonNeeded()
    _check_stage(topic, terms.OPEN_TO_ANNOUNCE)
    await _check_preset(tx, topic, poll.preset)
    terms.check_effective(terms.find_preset(poll.preset.key), tx.now)
    terms.check_confirmed(poll.preset, confirmed=confirm_preset)
    check_items(poll.preset, poll.items, poll.budget_fen)
    check_candidates(poll.items, poll.candidates)
    await _check_runoff(tx, topic, poll.preset, poll.scope_node_id, poll.items, poll.candidates)
    terms.check_window(poll.preset, poll.opens_at, poll.closes_at)
    terms.check_notice(poll.preset, poll.opens_at, tx.now)
    await _check_meeting(tx, topic, poll.preset, poll.meeting_id)
    scope = await _scope(tx, topic, poll.preset, poll.scope_node_id)
    roll = await build_roll(tx, poll.preset, scope, closes_at=poll.closes_at)
    if not any(place.person_id for place in roll):
        raise terms.EmptyRoll()
    adults = await registered_adults(tx, poll.preset, scope)
    terms.check_roll_confirmed(len(roll), adults, confirmed=confirm_roll)

    if poll.mode is BallotMode.CONFIDENTIAL:
        poll.box_public_key = (await tx.box_keys.create(poll.id)).hex()
    poll.state = PollState.ANNOUNCED
    poll.announced_by_id = tx.person_id
    poll.announced_at = tx.now
    poll.text_hash = rules.text_hash(poll)
    poll.roll_digest = roll_digest(roll)
    poll.registered_adults = adults
    poll.eligible_heads = len(roll)
    poll.eligible_area_dm2 = sum(place.area_dm2 for place in roll)
    await _freeze(tx, poll, roll)
    await fix_manifest(tx, poll)
    await voters_follow(tx, poll)
    poll.notice_id = (await publish_notice(tx, poll, topic, write)).id
    for kind, at in ((JobKind.POLL_OPEN, poll.opens_at), (JobKind.POLL_CLOSE, poll.closes_at)):
        await schedule(
            tx, kind, poll.id, at, community_id=poll.community_id, occasion=at.isoformat()
        )
    await schedule_round(tx, poll)

    tx.emit(
        PollAnnounced(
            community_id=poll.community_id,
            topic_id=topic.id,
            poll_id=poll.id,
            opens_at=poll.opens_at,
            closes_at=poll.closes_at,
            text_hash=poll.text_hash,
            served_min=poll.preset.served_min,
        )
    )
    return poll


async def check_roll(tx: Transaction, poll_id: UUID) -> tuple[int, int | None]:
    """How many the roll of a draft would hold now, and of a roll of adults how many people of age
    the register of households has. Refuses with PollExists once it is frozen, or RollNotAvailable.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.CHOOSE_PRESET)
    if poll.state is not PollState.DRAFT:
        raise terms.PollExists()
    scope = await _scope(tx, topic, poll.preset, poll.scope_node_id)
    roll = await build_roll(tx, poll.preset, scope, closes_at=poll.closes_at)
    return len(roll), await registered_adults(tx, poll.preset, scope)


async def extend_poll(
    tx: Transaction, poll_id: UUID, *, closes_at: datetime, reason: str, write: Writer
) -> Poll:
    """Move the close once, before the original end, because turnout is not reached. Asking again
    for the same close changes nothing.

    Refuses with PollNotOpen, PollClosed, CannotExtend, PollWindowInvalid or ForbiddenSubject.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.CONVENE, hold=Hold.TOPIC_AND_POLL)
    check_subject(reason)  # it stands in the notice
    if poll.extensions and poll.closes_at == closes_at:
        return poll
    eligible = Count(heads=poll.eligible_heads, area_dm2=poll.eligible_area_dm2)
    progress = turnout_progress(poll.preset, eligible, await participation(tx, poll))
    terms.check_extension(
        poll.preset,
        state=poll.state,
        extensions=poll.extensions,
        opens_at=poll.opens_at,
        closes_at=poll.closes_at,
        new_closes_at=closes_at,
        turnout_reached=all(check.reached for check in progress),
        now=tx.now,
    )

    said = wording.extension(poll.closes_at, closes_at, reason)
    tx.session.add(
        PollExtension(
            poll_id=poll.id,
            community_id=poll.community_id,
            from_closes_at=poll.closes_at,
            to_closes_at=closes_at,
            reason=reason,
            by_id=tx.person_id,
            at=tx.now,
        )
    )
    poll.closes_at = closes_at
    poll.extensions += 1
    notice = await publish_notice(
        tx,
        poll,
        topic,
        write,
        title="polls.notice.extension_title",
        replaces=await tx.session.get(Document, poll.notice_id),
        correction=said,
    )
    poll.notice_id = notice.id
    await schedule(
        tx,
        JobKind.POLL_CLOSE,
        poll.id,
        closes_at,
        community_id=poll.community_id,
        occasion=closes_at.isoformat(),
    )
    await schedule_look(tx, poll)

    tx.emit(
        PollExtended(
            community_id=poll.community_id, topic_id=topic.id, poll_id=poll.id, closes_at=closes_at
        )
    )
    return poll


def _check_stage(topic: Topic, stages: frozenset[State]) -> None:
    if topic.state not in stages:
        raise terms.PollTooEarly(state=topic.state.value)


async def _check_preset(tx: Transaction, topic: Topic, preset: RulePreset) -> None:
    plan = await tx.session.get(TopicPlan, (topic.id, topic.round))
    terms.check_preset(
        preset,
        layer=topic.layer,
        planned=None if plan is None else plan.plan.poll_preset,
        plan_frozen=plan is not None and plan.frozen_at is not None,
    )


async def _check_runoff(
    tx: Transaction,
    topic: Topic,
    preset: RulePreset,
    scope_id: UUID,
    items: Sequence[PollItem],
    candidates: Sequence[Candidate],
) -> None:
    if preset.runoff_of is None:
        return
    poll = await election_before(tx, topic, preset, scope_id)
    before = None
    if poll is not None and poll.result is not None:
        before = (poll.items, poll.candidates, poll.result)
    runoffs.check_runoff(items, candidates, before=before)


async def _scope(tx: Transaction, topic: Topic, preset: RulePreset, node_id: UUID) -> Node:
    scope = await tx.session.get(Node, node_id)
    if scope is None or scope.community_id != topic.community_id:
        raise NotFound(what="node")
    whole = preset.electorate in terms.OF_WHOLE_COMMUNITY and scope.id == topic.community_id
    inside = scope.path.startswith(topic.node_path) or scope.grid_id == topic.node_id
    terms.check_scope(preset, scope.kind, in_topic=whole or inside)
    return scope


async def _check_meeting(
    tx: Transaction, topic: Topic, preset: RulePreset, meeting_id: UUID | None
) -> None:
    """A vote held in a meeting names one of this topic and round; no other names any."""
    fits = meeting_id is None
    if preset.held_in_meeting:
        meeting = None if meeting_id is None else await tx.session.get(Meeting, meeting_id)
        fits = (
            meeting is not None
            and (meeting.topic_id, meeting.round) == (topic.id, topic.round)
            and meeting.state is not MeetingState.CANCELLED
        )
    if not fits:
        raise terms.PollMeetingInvalid()


async def _freeze(tx: Transaction, poll: Poll, roll: Sequence[Place]) -> None:
    """Write the roll and the turnout counters, each in one go."""
    await tx.session.flush()
    await write_roll(tx, poll, roll)
    connection = await tx.session.connection()
    await connection.execute(
        insert(PollTurnout),
        [
            {
                "poll_id": poll.id,
                "shard": shard,
                "community_id": poll.community_id,
                "heads": 0,
                "area_dm2": 0,
                "served": 0,
            }
            for shard in range(TURNOUT_SHARDS)
        ],
    )


async def publish_notice(
    tx: Transaction,
    poll: Poll,
    topic: Topic,
    write: Writer,
    *,
    title: str = "polls.notice.title",
    replaces: Document | None = None,
    correction: Phrase | None = None,
) -> Document:
    """The notice of the poll as it stands; with ``correction``, which it says first, as the next
    version of the one it replaces."""
    said = wording.notice(
        poll.preset,
        mode=poll.mode,
        question=poll.question,
        items=poll.items,
        budget_fen=poll.budget_fen,
        scope=poll.scope_name,
        eligible=Count(heads=poll.eligible_heads, area_dm2=poll.eligible_area_dm2),
        opens_at=poll.opens_at,
        closes_at=poll.closes_at,
        text_hash=poll.text_hash or "",
        legal_system_of_record=poll.legal_system_of_record,
        manifest_hash=poll.manifest_hash or "",
    )
    if correction is not None:
        said = [correction, *said]
    return await publish_document(
        tx,
        topic,
        DocumentKind.POLL_NOTICE,
        title=write([Phrase(title, {"title": topic.title})]),
        body=write(said),
        replaces=replaces,
        correction_reason=None if correction is None else write([correction]),
    )
