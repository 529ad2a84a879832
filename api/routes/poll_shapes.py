"""Polls as clients see them."""

from datetime import datetime
from uuid import UUID

from api.as_of import AsOf
from api.phrases import speak
from api.wire import WireOut
from api.words import say
from consultation.calendar import local_day
from consultation.database import Transaction
from consultation.permissions import Deed, Grant, grant_of
from consultation.polls import disclosure, envelope_queries, queries, result_wording, terms, wording
from consultation.polls.counting import Count, Result, Step, ThresholdCheck, turnout_progress
from consultation.polls.presets import BallotMode, Edition, Procedure, RulePreset
from consultation.polls.rules import PollItem, PollState, Verdict
from consultation.polls.tables import Poll, SignerRole


class PresetOut(WireOut):
    """A rule of deciding. ``key`` (``id@version``) is what a plan or poll names."""

    key: str
    name: str
    in_force: bool
    rule: RulePreset


class ProcedureOut(WireOut):
    """A way of deciding in several steps, or without a vote. Its polls have presets of their own;
    no poll names a procedure."""

    key: str
    name: str
    in_force: bool
    procedure: Procedure


class PollWarning(WireOut):
    code: str
    text: str


class PollStepOut(WireOut):
    """A step of the count: what was compared or decided. ``item`` is null for the whole poll."""

    item: int | None
    key: str
    facts: dict[str, str | int | list[str]]
    text: str

    @classmethod
    def of(cls, item: int | None, step: Step, text: str) -> "PollStepOut":
        return cls(item=item, key=step.key, facts=step.facts, text=text)


class SignatureOut(WireOut):
    """``recount``: under the second count, which other tellers made."""

    role: SignerRole
    recount: bool
    at: datetime


class PollSummary(WireOut):
    """``verdict`` is null until the result is published."""

    id: UUID
    topic_id: UUID
    round: int
    state: PollState
    question: str
    preset: str
    preset_name: str
    scope_name: str
    opens_at: datetime
    closes_at: datetime
    verdict: Verdict | None


class BoxOpenerOut(WireOut):
    role: SignerRole
    at: datetime


class BoxOut(WireOut):
    """The box of a confidential poll. ``public_key`` (X25519, hex) is what ballots are sealed to;
    from ``destroyed_at`` on its private half and the envelopes are gone."""

    public_key: str | None
    openers: list[BoxOpenerOut]
    opened_at: datetime | None
    destroyed_at: datetime | None


class PollOut(WireOut):
    """``eligible`` sums the frozen roll. ``turnout`` is how many took part, without choices, as far
    as the preset shows it before the close; ``turnout_progress`` says what each threshold needs and
    what is ``missing``, and ``meter`` says it in a sentence. ``served`` is how many of the roll
    were told of the poll, as the ledger proves, null in a draft. ``mode_promise`` says what the
    mode protects, and what it does not; ``box`` is there in confidential polls. ``ballot_warning``
    must stand on the ballot where there is one. ``areas_rounded``: the reader is not on the roll
    and counts nothing, and gets areas in ``result`` to 0.1 % of the whole, or 0 where few ballots
    would tell on their voters; ``result_digest`` and steps on areas are not there then.
    ``result``, its ``result_digest``, its ``wording`` and the ``steps`` that led to it, in the
    reader's language, are there from the publication on (for tellers and supervisor, who sign it,
    from the close on)."""

    id: UUID
    community_id: UUID
    topic_id: UUID
    round: int
    state: PollState
    question: str
    items: list[PollItem]
    budget_fen: int | None
    preset: PresetOut
    mode: BallotMode
    legal_system_of_record: bool
    silence_clause_id: UUID | None
    mode_promise: str
    box: BoxOut | None
    scope_node_id: UUID
    scope_name: str
    registered_adults: int | None
    meeting_id: UUID | None
    opens_at: datetime
    closes_at: datetime
    extensions: int
    announced_at: datetime | None
    closed_at: datetime | None
    recount_due_at: datetime | None
    published_at: datetime | None
    text_hash: str | None
    manifest_hash: str | None
    roll_digest: str | None
    eligible: Count
    turnout: Count | None
    turnout_progress: list[ThresholdCheck]
    meter: str | None
    ballot_warning: str | None
    served: int | None
    result: Result | None
    areas_rounded: bool
    result_digest: str | None
    wording: list[str]
    steps: list[PollStepOut]
    signatures: list[SignatureOut]
    notice_id: UUID | None
    tally_sheet_id: UUID | None
    warnings: list[PollWarning]
    as_of: AsOf | None = None


async def poll_out(tx: Transaction, poll: Poll, locale: str) -> PollOut:
    """The poll for the standing that ``access_poll`` found. Costs at most three statements."""
    over = poll.state in (PollState.CLOSED, PollState.PUBLISHED)
    rounded = disclosure.hides_areas(poll.preset) and not await sees_areas(tx, poll)
    signs = any(grant_of(d, tx.standing.role) for d in (Deed.SIGN_COUNT, Deed.WITNESS_COUNT))
    shown = poll.result if poll.state is PollState.PUBLISHED or (over and signs) else None
    eligible = Count(heads=poll.eligible_heads, area_dm2=poll.eligible_area_dm2)
    turnout, served = None, None
    counts = None
    if poll.state is not PollState.DRAFT:
        counted, served = await queries.participation_and_served(tx, poll)
        if poll.result is not None and poll.state is PollState.PUBLISHED:
            counts = disclosure.without_areas(poll.result) if rounded else poll.result
            turnout = counts.participating
        elif over:
            turnout = counted
        elif poll.state is PollState.OPEN and poll.preset.live_turnout:
            turnout = counted
            if disclosure.in_steps(poll.preset, poll.mode):
                turnout = (await queries.steps_shown(tx, [poll.id]))[poll.id]
    progress = []
    if turnout is not None and not poll.preset.held_in_meeting:
        # of a rounded turnout nobody could say whether it reaches
        progress = counts.turnout if counts else turnout_progress(poll.preset, eligible, turnout)
    signed = await queries.signatures(tx, poll) if over else []
    if shown is not None and rounded:
        shown = disclosure.without_areas(shown)
    said = (
        []
        if shown is None
        else result_wording.result(poll.preset, poll.items, shown, areas_rounded=rounded)
    )
    steps = [] if shown is None else result_wording.steps(poll.items, shown)
    meter = wording.meter(poll.preset, progress) if poll.state is PollState.OPEN else None
    warning = wording.ballot_warning(poll.preset)
    return PollOut(
        id=poll.id,
        community_id=poll.community_id,
        topic_id=poll.topic_id,
        round=poll.round,
        state=poll.state,
        question=poll.question,
        items=poll.items,
        budget_fen=poll.budget_fen,
        preset=preset_out(poll.preset, locale, tx.now),
        mode=poll.mode,
        legal_system_of_record=poll.legal_system_of_record,
        silence_clause_id=poll.silence_clause_id,
        mode_promise=speak(locale, wording.mode_promise(poll.mode)),
        box=await _box(tx, poll),
        scope_node_id=poll.scope_node_id,
        scope_name=poll.scope_name,
        registered_adults=poll.registered_adults,
        meeting_id=poll.meeting_id,
        opens_at=poll.opens_at,
        closes_at=poll.closes_at,
        extensions=poll.extensions,
        announced_at=poll.announced_at,
        closed_at=poll.closed_at,
        recount_due_at=poll.recount_due_at,
        published_at=poll.published_at,
        text_hash=poll.text_hash,
        manifest_hash=poll.manifest_hash,
        roll_digest=poll.roll_digest,
        eligible=eligible,
        turnout=turnout,
        turnout_progress=progress,
        meter=None if meter is None else speak(locale, meter),
        ballot_warning=None if warning is None else speak(locale, warning),
        served=served,
        result=shown,
        areas_rounded=rounded,
        # of a rounded result it would let one try out the exact sums
        result_digest=None if shown is None or rounded else poll.result_digest,
        wording=[speak(locale, phrase) for phrase in said],
        steps=[PollStepOut.of(item, step, speak(locale, phrase)) for item, step, phrase in steps],
        signatures=[SignatureOut.model_validate(one) for one in signed],
        notice_id=poll.notice_id,
        tally_sheet_id=poll.tally_sheet_id,
        warnings=[
            PollWarning(code=code, text=say(locale, f"words.poll_warning.{code}"))
            for code in terms.warnings(poll.preset)
        ],
    )


async def sees_areas(tx: Transaction, poll: Poll) -> bool:
    """Tellers, supervisor and the voters of a poll may see its exact sums of areas."""
    if grant_of(Deed.SEE_NAMED_CHOICES, tx.standing.role) is Grant.YES:
        return True
    person = tx.actor.person_id
    return person is not None and await queries.place_of(tx, poll, person) is not None


async def _box(tx: Transaction, poll: Poll) -> BoxOut | None:
    if poll.mode is not BallotMode.CONFIDENTIAL:
        return None
    openers = [] if poll.closed_at is None else await envelope_queries.openers(tx, poll.id)
    return BoxOut(
        public_key=poll.box_public_key,
        openers=[BoxOpenerOut.model_validate(one) for one in openers],
        opened_at=poll.box_opened_at,
        destroyed_at=poll.box_destroyed_at,
    )


def preset_out(preset: RulePreset, locale: str, now: datetime) -> PresetOut:
    return PresetOut(
        key=preset.key,
        name=preset_name(preset, locale),
        in_force=preset.effective_on(local_day(now)),
        rule=preset,
    )


def preset_name(rule: Edition, locale: str) -> str:
    return rule.name_zh if locale == "zh-CN" else rule.name_en


def poll_summary(poll: Poll, locale: str) -> PollSummary:
    published = poll.state is PollState.PUBLISHED and poll.result is not None
    return PollSummary(
        id=poll.id,
        topic_id=poll.topic_id,
        round=poll.round,
        state=poll.state,
        question=poll.question,
        preset=poll.preset.key,
        preset_name=preset_name(poll.preset, locale),
        scope_name=poll.scope_name,
        opens_at=poll.opens_at,
        closes_at=poll.closes_at,
        verdict=poll.result.verdict if published and poll.result else None,
    )
