"""Polls 表决: drafted, announced, opened, extended and read."""

from datetime import datetime
from typing import Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, Field, model_validator

from api import scenes
from api.as_of import AsOf, as_of
from api.dependencies import AnyActor, App, CurrentActor, Db, Locale
from api.pagination import CursorParam, Limit, Page, read_time_cursor, time_cursor
from api.phrases import speak, write
from api.wire import WireIn, WireOut
from api.words import say
from consultation.calendar import local_day
from consultation.database import Transaction
from consultation.events.streams import poll_stream
from consultation.permissions import Deed, Grant, grant_of
from consultation.polls import disclosure, envelope_queries, queries, result_wording, terms, wording
from consultation.polls.commands import drafting, opening
from consultation.polls.counting import Count, Result, Step, ThresholdCheck, turnout_progress
from consultation.polls.preset_files import presets, procedures
from consultation.polls.presets import BallotMode, Edition, Procedure, QuestionKind, RulePreset
from consultation.polls.rules import Option, PollItem, PollState, Verdict
from consultation.polls.tables import Poll, SignerRole
from consultation.polls.terms import PollDraft
from consultation.topics.queries import access_topic
from notifications.wechat.tables import SceneKind

router = APIRouter(prefix="/v1", tags=["polls"])


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


class PollItemIn(WireIn):
    """``options`` for every kind but a motion, ``most`` marks on a ballot, ``seats`` of an
    election; ``cost_fen`` exactly when the preset allocates money."""

    text: str = Field(min_length=1, max_length=400)
    kind: QuestionKind = QuestionKind.MOTION
    options: list[Option] = Field(default_factory=list, max_length=50)
    most: int = Field(default=1, ge=1, le=50)
    seats: int | None = Field(default=None, ge=1, le=50)
    cost_fen: int | None = Field(default=None, ge=0, le=10**13)


class CandidateIn(WireIn):
    """Who an option of an election stands for, known by ``person_id`` or, exactly one of the two,
    by ``phone``. Nobody is shown it; whoever is a candidate helps nobody to vote, carries no
    mandate and counts nothing."""

    item: int = Field(ge=1)
    code: str = Field(max_length=20)
    person_id: UUID | None = None
    phone: str | None = Field(default=None, max_length=20)

    @model_validator(mode="after")
    def _one_person(self) -> Self:
        if (self.person_id is None) == (self.phone is None):
            raise ValueError("exactly one of person_id and phone")
        return self


class PollIn(WireIn):
    """``preset`` is the key of a rule preset. ``meeting_id`` names the meeting for presets that
    are held in one; it may still be missing in a draft. ``opens_at`` is inclusive, ``closes_at``
    exclusive and, if it is missing, the end of the preset's default window. ``silence_clause_id``:
    the document by which the owners adopted that silence counts with the majority, for those who
    were served with proof. ``candidates``: every option of an election has one before the poll is
    announced."""

    preset: str = Field(max_length=80)
    scope_node_id: UUID
    question: str = Field(min_length=1, max_length=400)
    items: list[PollItemIn] = Field(min_length=1, max_length=50)
    budget_fen: int | None = Field(default=None, ge=0, le=10**13)
    opens_at: AwareDatetime
    closes_at: AwareDatetime | None = None
    meeting_id: UUID | None = None
    mode: BallotMode | None = None
    silence_clause_id: UUID | None = None
    candidates: list[CandidateIn] = Field(default_factory=list, max_length=200)


class PollAnnouncementIn(WireIn):
    """``confirm_preset``: who announces compared the numbers of a rule that is to be confirmed
    with the law in force. Needed where the draft's ``warnings`` say so. ``confirm_roll``: how many
    they saw on the roll (``roll-check``) where it is not the register's number of adults."""

    confirm_preset: bool = False
    confirm_roll: int | None = Field(default=None, ge=1)


class RollCheckOut(WireOut):
    """How many would be on the roll now. ``registered_adults``: people of age in the occupied
    households of the register, for a roll of adults; null of any other. Where the two differ the
    announcement confirms ``on_roll``."""

    on_roll: int
    registered_adults: int | None
    needs_confirmation: bool


class PollExtensionIn(WireIn):
    closes_at: AwareDatetime
    reason: str = Field(min_length=1, max_length=400)


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


@router.get("/poll-presets")
async def list_poll_presets(db: Db, locale: Locale) -> list[PresetOut]:
    """All rules of deciding, with their thresholds, legal basis and how sure we are of them."""
    return [_preset(preset, locale, db.clock()) for preset in presets().values()]


@router.get("/poll-procedures")
async def list_poll_procedures(db: Db, locale: Locale) -> list[ProcedureOut]:
    """Ways of deciding in several steps, and hearings, which hold no vote."""
    return [
        ProcedureOut(
            key=one.key,
            name=_name(one, locale),
            in_force=one.effective_on(local_day(db.clock())),
            procedure=one,
        )
        for one in procedures().values()
    ]


@router.put("/topics/{topic_id}/poll")
async def draft_poll(
    topic_id: UUID, body: PollIn, actor: CurrentActor, db: Db, locale: Locale, app: App
) -> PollOut:
    """Draft the poll of the topic's present round, or replace the draft. ``warnings`` says what to
    check before announcing."""
    items = [
        PollItem(number=number, **item.model_dump()) for number, item in enumerate(body.items, 1)
    ]
    draft = PollDraft(
        **body.model_dump(exclude={"items", "candidates"}),
        items=items,
        candidates=[terms.Nominee(**one.model_dump()) for one in body.candidates],
        owners_system_of_record=app.settings.owners_system_of_record,
    )
    async with db.begin(actor) as tx:
        poll = await drafting.draft_poll(tx, topic_id, draft)
        return await poll_out(tx, poll, locale)


@router.get("/polls/{poll_id}/roll-check")
async def check_roll(poll_id: UUID, actor: CurrentActor, db: Db) -> RollCheckOut:
    """The roll of a draft held against the register of households, before it is frozen."""
    async with db.read(actor) as tx:
        on_roll, adults = await drafting.check_roll(tx, poll_id)
        return RollCheckOut(
            on_roll=on_roll,
            registered_adults=adults,
            needs_confirmation=adults is not None and adults != on_roll,
        )


@router.put("/polls/{poll_id}/announcement")
async def announce_poll(
    poll_id: UUID,
    actor: CurrentActor,
    app: App,
    locale: Locale,
    body: PollAnnouncementIn = PollAnnouncementIn(),  # noqa: B008
) -> PollOut:
    """Announce the poll as a second person: text, rule and roll are frozen. The link that leads to
    it from a message is made soon after."""
    async with app.db.begin(actor) as tx:
        poll = await drafting.announce_poll(
            tx,
            poll_id,
            write=write,
            confirm_preset=body.confirm_preset,
            confirm_roll=body.confirm_roll,
        )
        if app.settings.wechat_app_id:
            await scenes.add(tx, SceneKind.POLL, poll.id, poll.community_id)
        return await poll_out(tx, poll, locale)


@router.put("/polls/{poll_id}/opening")
async def open_poll(poll_id: UUID, actor: CurrentActor, db: Db, locale: Locale) -> PollOut:
    """Open a poll whose hour has come, after what it waited for was done."""
    async with db.begin(actor) as tx:
        poll = await opening.open_poll(tx, poll_id)
        return await poll_out(tx, poll, locale)


@router.put("/polls/{poll_id}/extension")
async def extend_poll(
    poll_id: UUID, body: PollExtensionIn, actor: CurrentActor, db: Db, locale: Locale
) -> PollOut:
    """Move the close once, before the original end, for turnout only."""
    async with db.begin(actor) as tx:
        poll = await drafting.extend_poll(
            tx, poll_id, closes_at=body.closes_at, reason=body.reason, write=write
        )
        return await poll_out(tx, poll, locale)


@router.get("/polls/{poll_id}")
async def get_poll(poll_id: UUID, actor: AnyActor, db: Db, locale: Locale) -> PollOut:
    """A poll as everybody may see it."""
    async with db.read(actor) as tx:
        poll, _ = await queries.access_poll(tx, poll_id, Deed.READ_PUBLIC)
        shown = await poll_out(tx, poll, locale)
        return shown.model_copy(update={"as_of": await as_of(tx, poll_stream(poll_id))})


@router.get("/topics/{topic_id}/polls")
async def list_topic_polls(
    topic_id: UUID,
    actor: AnyActor,
    db: Db,
    locale: Locale,
    limit: Limit = 20,
    cursor: CursorParam = None,
) -> Page[PollSummary]:
    """The polls of a topic, latest first."""
    async with db.read(actor) as tx:
        await access_topic(tx, topic_id, Deed.READ_PUBLIC)
        found = await queries.polls_of_topic(
            tx, topic_id, after=read_time_cursor(cursor), limit=limit + 1
        )
    shown = found[:limit]
    return Page(
        items=[_summary(poll, locale) for poll in shown],
        next_cursor=time_cursor(shown[-1].drafted_at, shown[-1].id) if len(found) > limit else None,
    )


async def poll_out(tx: Transaction, poll: Poll, locale: str) -> PollOut:
    """The poll for the standing that ``access_poll`` found. Costs at most three statements."""
    over = poll.state in (PollState.CLOSED, PollState.PUBLISHED)
    rounded = disclosure.hides_areas(poll.preset) and not await _sees_areas(tx, poll)
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
        preset=_preset(poll.preset, locale, tx.now),
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


async def _sees_areas(tx: Transaction, poll: Poll) -> bool:
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


def _preset(preset: RulePreset, locale: str, now: datetime) -> PresetOut:
    return PresetOut(
        key=preset.key,
        name=_name(preset, locale),
        in_force=preset.effective_on(local_day(now)),
        rule=preset,
    )


def _name(rule: Edition, locale: str) -> str:
    return rule.name_zh if locale == "zh-CN" else rule.name_en


def _summary(poll: Poll, locale: str) -> PollSummary:
    published = poll.state is PollState.PUBLISHED and poll.result is not None
    return PollSummary(
        id=poll.id,
        topic_id=poll.topic_id,
        round=poll.round,
        state=poll.state,
        question=poll.question,
        preset=poll.preset.key,
        preset_name=_name(poll.preset, locale),
        scope_name=poll.scope_name,
        opens_at=poll.opens_at,
        closes_at=poll.closes_at,
        verdict=poll.result.verdict if published and poll.result else None,
    )
