"""Meetings 协商会: convened with notice, attended, minuted; those present confirm the minutes."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, Field

from api.dependencies import AnyActor, CurrentActor, Db
from api.idempotency import Once
from api.pagination import (
    BadCursor,
    CursorParam,
    Limit,
    Page,
    decode_cursor,
    encode_cursor,
    read_time_cursor,
    time_cursor,
)
from api.wire import WireIn, WireOut
from consultation.community.tables import OrgKind
from consultation.meetings import queries
from consultation.meetings.commands import attendance, convening, minutes
from consultation.meetings.minutes_rules import MinutesContent
from consultation.meetings.rules import AttendanceMode, Form, MeetingState
from consultation.meetings.tables import Attendance
from consultation.permissions import Deed
from consultation.refusals import NotFound
from consultation.topics.queries import access_topic

router = APIRouter(prefix="/v1", tags=["meetings"])

SEEN_BY_ALL = (MeetingState.MINUTES_CONFIRMED, MeetingState.PUBLISHED)


class MeetingIn(WireIn):
    """``quorum_members``: how many belong to it, for forms with a quorum. ``selection``: how the
    participants of a hearing were chosen."""

    form: Form
    title: str = Field(min_length=1, max_length=80)
    place: str = Field(min_length=1, max_length=120)
    online: bool = False
    starts_at: AwareDatetime
    host_id: UUID
    recorder_id: UUID
    agenda: str = Field(default="", max_length=2000)
    quorum_members: int | None = Field(default=None, ge=1, le=100_000)
    selection: str = Field(default="", max_length=1000)


class MeetingOut(WireOut):
    """``present``: there in person or online; ``written``: sent an opinion."""

    id: UUID
    topic_id: UUID
    round: int
    form: Form
    title: str
    place: str
    online: bool
    starts_at: datetime
    state: MeetingState
    host_id: UUID
    recorder_id: UUID
    quorum_members: int | None
    present: int
    written: int
    notice_id: UUID | None
    opened_at: datetime | None
    closed_at: datetime | None


class GroupOut(WireOut):
    """``present`` counts those who came or wrote. ``org_kind``: a party that must be there."""

    name: str
    affected: bool
    org_kind: OrgKind | None
    members: bool
    present: int
    absence_note: str | None


class HandsIn(WireIn):
    question: str = Field(min_length=1, max_length=200)
    ayes: int = Field(ge=0)
    noes: int = Field(ge=0)
    abstained: int = Field(ge=0)


class HandsOut(WireOut):
    number: int
    question: str
    present: int
    ayes: int
    noes: int
    abstained: int
    at: datetime


class MeetingDetailOut(MeetingOut):
    groups: list[GroupOut]
    hands: list[HandsOut]


class CheckInIn(WireIn):
    group: str = Field(min_length=1, max_length=40)
    mode: AttendanceMode


class AttendanceOut(WireOut):
    meeting_id: UUID
    person_id: UUID
    group_name: str
    mode: AttendanceMode
    at: datetime


class AttendeeOut(AttendanceOut):
    masked_name: str


class AbsenceIn(WireIn):
    """``note``: how the group was asked and what it answered."""

    group: str = Field(min_length=1, max_length=40)
    note: str = Field(min_length=1, max_length=500)


class CancellationIn(WireIn):
    reason: str = Field(min_length=1, max_length=500)


class MinutesOut(WireOut):
    """One version. ``objections`` are in the words of those present, without their names."""

    meeting_id: UUID
    version: int
    content: MinutesContent
    content_hash: str
    confirm_until: datetime
    document_id: UUID | None
    at: datetime
    objections: list[str] = Field(default_factory=list)


class MinutesAnswerIn(WireIn):
    """Confirm, or say what is wrong."""

    confirmed: bool
    objection: str | None = Field(default=None, max_length=1000)


class MinutesAnswerOut(WireOut):
    version: int
    confirmed: bool
    objection: str | None
    at: datetime


@router.post("/topics/{topic_id}/meetings", status_code=201)
async def convene_meeting(topic_id: UUID, body: MeetingIn, once: Once) -> MeetingOut:
    """Call a meeting: the groups of the plan are invited and the notice is published (host, clerk,
    party secretary)."""
    async with once.begin() as tx:
        meeting = await convening.convene_meeting(tx, topic_id, **body.model_dump())
        return once.keep(MeetingOut.model_validate(meeting))


@router.get("/topics/{topic_id}/meetings")
async def list_meetings(
    topic_id: UUID, db: Db, actor: AnyActor, cursor: CursorParam = None, limit: Limit = 20
) -> Page[MeetingOut]:
    """Meetings of a topic in the order they were convened."""
    async with db.read(actor) as tx:
        topic = await access_topic(tx, topic_id, Deed.READ_PUBLIC)
        found = await queries.meetings_of(
            tx, topic.id, after=read_time_cursor(cursor), limit=limit + 1
        )
    more = found[limit - 1] if len(found) > limit else None
    return Page(
        items=[MeetingOut.model_validate(meeting) for meeting in found[:limit]],
        next_cursor=None if more is None else time_cursor(more.created_at, more.id),
    )


@router.get("/meetings/{meeting_id}")
async def get_meeting(meeting_id: UUID, db: Db, actor: AnyActor) -> MeetingDetailOut:
    """A meeting with its invited groups and shows of hands."""
    async with db.read(actor) as tx:
        meeting, _ = await queries.access_meeting(tx, meeting_id, Deed.READ_PUBLIC)
        groups = await queries.groups_of(tx, meeting_id)
        hands = await queries.hands_of(tx, meeting_id)
    return MeetingDetailOut(
        **MeetingOut.model_validate(meeting).model_dump(),
        groups=[GroupOut.model_validate(group) for group in groups],
        hands=[HandsOut.model_validate(each) for each in hands],
    )


@router.put("/meetings/{meeting_id}/opening")
async def open_meeting(meeting_id: UUID, db: Db, actor: CurrentActor) -> MeetingOut:
    """Open at the notified time or later, with the parties and the quorum of the form there."""
    async with db.begin(actor) as tx:
        meeting = await convening.open_meeting(tx, meeting_id)
    return MeetingOut.model_validate(meeting)


@router.put("/meetings/{meeting_id}/attendance/me")
async def check_in(meeting_id: UUID, body: CheckInIn, db: Db, actor: CurrentActor) -> AttendanceOut:
    """Sign oneself in for a group of the plan, from an hour before the start."""
    async with db.begin(actor) as tx:
        row: Attendance = await attendance.check_in(
            tx, meeting_id, group=body.group, mode=body.mode
        )
    return AttendanceOut.model_validate(row)


@router.put("/meetings/{meeting_id}/attendance/{person_id}")
async def enter_attendance(
    meeting_id: UUID, person_id: UUID, body: CheckInIn, db: Db, actor: CurrentActor
) -> AttendanceOut:
    """Enter somebody from the sign-in sheet, the list of members, or a written opinion."""
    async with db.begin(actor) as tx:
        row = await attendance.enter_attendance(
            tx, meeting_id, person_id=person_id, group=body.group, mode=body.mode
        )
    return AttendanceOut.model_validate(row)


@router.get("/meetings/{meeting_id}/attendance")
async def list_attendance(
    meeting_id: UUID, db: Db, actor: CurrentActor, cursor: CursorParam = None, limit: Limit = 50
) -> Page[AttendeeOut]:
    """Who is there, with masked names, for who runs the meeting."""
    async with db.read(actor) as tx:
        await queries.access_meeting(tx, meeting_id, Deed.RUN_MEETING)
        found = await queries.attendance_of(tx, meeting_id, after=_person(cursor), limit=limit + 1)
    shown = found[:limit]
    return Page(
        items=[
            AttendeeOut(**AttendanceOut.model_validate(row).model_dump(), masked_name=name)
            for row, name in shown
        ],
        next_cursor=encode_cursor(str(shown[-1][0].person_id)) if len(found) > limit else None,
    )


def _person(cursor: str | None) -> UUID | None:
    if cursor is None:
        return None
    (value,) = decode_cursor(cursor, 1)
    try:
        return UUID(str(value))
    except ValueError:
        raise BadCursor() from None


@router.put("/meetings/{meeting_id}/absence")
async def document_absence(
    meeting_id: UUID, body: AbsenceIn, db: Db, actor: CurrentActor
) -> GroupOut:
    """Write down why an invited group is not there."""
    async with db.begin(actor) as tx:
        group = await attendance.document_absence(tx, meeting_id, group=body.group, note=body.note)
    return GroupOut.model_validate(group)


@router.post("/meetings/{meeting_id}/hands", status_code=201)
async def show_hands(meeting_id: UUID, body: HandsIn, once: Once) -> HandsOut:
    """Record a show of hands. It binds nobody."""
    async with once.begin() as tx:
        hands = await convening.show_hands(tx, meeting_id, **body.model_dump())
        return once.keep(HandsOut.model_validate(hands))


@router.put("/meetings/{meeting_id}/closing")
async def close_meeting(meeting_id: UUID, db: Db, actor: CurrentActor) -> MeetingOut:
    """Close the sitting; a hearing only when every affected group was heard or is excused."""
    async with db.begin(actor) as tx:
        meeting = await convening.close_meeting(tx, meeting_id)
    return MeetingOut.model_validate(meeting)


@router.put("/meetings/{meeting_id}/cancellation")
async def cancel_meeting(
    meeting_id: UUID, body: CancellationIn, db: Db, actor: CurrentActor
) -> MeetingOut:
    """Call a notified meeting off, with a public reason."""
    async with db.begin(actor) as tx:
        meeting = await convening.cancel_meeting(tx, meeting_id, reason=body.reason)
    return MeetingOut.model_validate(meeting)


@router.post("/meetings/{meeting_id}/minutes", status_code=201)
async def draft_minutes(meeting_id: UUID, body: MinutesContent, once: Once) -> MinutesOut:
    """Write the minutes, or a new version that answers an objection."""
    async with once.begin() as tx:
        row = await minutes.draft_minutes(tx, meeting_id, content=body)
        return once.keep(MinutesOut.model_validate(row))


@router.get("/meetings/{meeting_id}/minutes")
async def get_minutes(meeting_id: UUID, db: Db, actor: AnyActor) -> MinutesOut:
    """The latest version: once confirmed for everybody, before that for those who were there and
    for who runs or oversees the meeting."""
    async with db.read(actor) as tx:
        meeting, _ = await queries.access_meeting(tx, meeting_id, Deed.READ_PUBLIC)
        if meeting.state not in SEEN_BY_ALL and not await queries.may_read_draft(tx, meeting_id):
            raise NotFound(what="minutes")
        row = await queries.latest_minutes(tx, meeting_id)
        if row is None:
            raise NotFound(what="minutes")
        out = MinutesOut.model_validate(row)
        out.objections = await queries.objections_to(tx, meeting_id, row.version)
    return out


@router.put("/meetings/{meeting_id}/minutes/{version}/answer")
async def confirm_minutes(
    meeting_id: UUID, version: int, body: MinutesAnswerIn, db: Db, actor: CurrentActor
) -> MinutesAnswerOut:
    """Somebody who was present confirms a version of the minutes, or says what is wrong."""
    async with db.begin(actor) as tx:
        answer = await minutes.confirm_minutes(
            tx, meeting_id, version=version, confirmed=body.confirmed, objection=body.objection
        )
    return MinutesAnswerOut.model_validate(answer)


@router.put("/meetings/{meeting_id}/publication")
async def publish_minutes(meeting_id: UUID, db: Db, actor: CurrentActor) -> MeetingOut:
    """Publish the confirmed minutes as a document of the topic."""
    async with db.begin(actor) as tx:
        meeting = await minutes.publish_minutes(tx, meeting_id)
    return MeetingOut.model_validate(meeting)
