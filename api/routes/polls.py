"""Polls 表决: drafted, announced, opened, extended and read."""

from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from api import scenes
from api.as_of import as_of
from api.dependencies import AnyActor, App, CurrentActor, Db, Locale
from api.pagination import CursorParam, Limit, Page, read_time_cursor, time_cursor
from api.phrases import write
from api.routes.poll_shapes import (
    PollOut,
    PollSummary,
    PresetOut,
    ProcedureOut,
    poll_out,
    poll_summary,
    preset_name,
    preset_out,
)
from api.wire import Line, WireIn, WireOut, one_line
from consultation.calendar import local_day
from consultation.events.streams import poll_stream
from consultation.permissions import Deed
from consultation.polls import queries
from consultation.polls.commands import drafting, opening
from consultation.polls.drafts import Nominee, PollDraft
from consultation.polls.preset_files import presets, procedures
from consultation.polls.presets import BallotMode, QuestionKind
from consultation.polls.rules import Option, PollItem
from consultation.topics.queries import access_topic
from notifications.wechat.tables import SceneKind

router = APIRouter(prefix="/v1", tags=["polls"])


def _on_one_line(option: Option) -> Option:
    one_line(option.text)
    return option


class PollItemIn(WireIn):
    """``options`` for every kind but a motion, ``most`` marks on a ballot, ``seats`` of an
    election; ``cost_fen`` exactly when the preset allocates money."""

    text: Line = Field(min_length=1, max_length=400)
    kind: QuestionKind = QuestionKind.MOTION
    options: list[Annotated[Option, AfterValidator(_on_one_line)]] = Field(
        default_factory=list, max_length=50
    )
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
    question: Line = Field(min_length=1, max_length=400)
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


@router.get("/poll-presets")
async def list_poll_presets(db: Db, locale: Locale) -> list[PresetOut]:
    """All rules of deciding, with their thresholds, legal basis and how sure we are of them."""
    return [preset_out(preset, locale, db.clock()) for preset in presets().values()]


@router.get("/poll-procedures")
async def list_poll_procedures(db: Db, locale: Locale) -> list[ProcedureOut]:
    """Ways of deciding in several steps, and hearings, which hold no vote."""
    return [
        ProcedureOut(
            key=one.key,
            name=preset_name(one, locale),
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
        candidates=[Nominee(**one.model_dump()) for one in body.candidates],
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
        items=[poll_summary(poll, locale) for poll in shown],
        next_cursor=time_cursor(shown[-1].drafted_at, shown[-1].id) if len(found) > limit else None,
    )
