"""A meeting on its way, step by step, by the commands and the people of ``tests.world``."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from consultation.database import Database
from consultation.meetings import queries
from consultation.meetings.commands.attendance import check_in, enter_attendance
from consultation.meetings.commands.convening import close_meeting, convene_meeting, open_meeting
from consultation.meetings.commands.minutes import confirm_minutes, draft_minutes
from consultation.meetings.minutes_rules import MinutesContent
from consultation.meetings.rules import AttendanceMode, Form, MeetingState
from consultation.meetings.tables import Attendance, Meeting, MeetingGroup
from consultation.permissions import Deed, Role
from consultation.topics.queries import access_topic
from consultation.topics.states import State
from consultation.topics.tables import Topic
from tests.conftest import ManualClock
from tests.world import World, a_topic

ON_SITE, ONLINE, WRITTEN = AttendanceMode.ON_SITE, AttendanceMode.ONLINE, AttendanceMode.WRITTEN
CONTENT = MinutesContent(
    summary="设计单位通报三个备选点的比较。",
    points_for=["4幢东侧有水电"],
    points_against=["夏天有味道"],
    agreed=["设水池和除臭"],
    disagreed=["具体位置"],
)


async def convene(
    db: Database,
    world: World,
    topic: Topic,
    *,
    form: Form = Form.HEART_TO_HEART_MEETING,
    in_days: float = 6,
    host: str = "deputy",
    recorder: str = "clerk",
    **more: Any,
) -> Meeting:
    async with db.begin(world.as_("clerk", Role.CLERK)) as tx:
        return await convene_meeting(
            tx,
            topic.id,
            form=form,
            title="选址恳谈会",
            place="党群服务中心二楼议事室",
            online=True,
            starts_at=tx.now + timedelta(days=in_days),
            host_id=world.id(host),
            recorder_id=world.id(recorder),
            **more,
        )


async def a_meeting(db: Database, world: World, **more: Any) -> Meeting:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    return await convene(db, world, topic, **more)


async def sign_in(
    db: Database,
    world: World,
    meeting: Meeting,
    who: str,
    group: str = "一层业主",
    mode: AttendanceMode = ON_SITE,
) -> Attendance:
    async with db.begin(world.as_(who)) as tx:
        return await check_in(tx, meeting.id, group=group, mode=mode)


async def enter(
    db: Database,
    world: World,
    meeting: Meeting,
    who: str,
    group: str,
    mode: AttendanceMode = ON_SITE,
) -> Attendance:
    async with db.begin(world.as_("clerk", Role.CLERK)) as tx:
        return await enter_attendance(
            tx, meeting.id, person_id=world.id(who), group=group, mode=mode
        )


async def open_it(db: Database, world: World, meeting: Meeting) -> Meeting:
    async with db.begin(world.as_("deputy", Role.HOST)) as tx:
        return await open_meeting(tx, meeting.id)


async def close_it(db: Database, world: World, meeting: Meeting) -> Meeting:
    async with db.begin(world.as_("deputy", Role.HOST)) as tx:
        return await close_meeting(tx, meeting.id)


async def draft(
    db: Database, world: World, meeting: Meeting, content: MinutesContent = CONTENT
) -> int:
    async with db.begin(world.as_("clerk", Role.CLERK)) as tx:
        return (await draft_minutes(tx, meeting.id, content=content)).version


async def answer(
    db: Database,
    world: World,
    meeting: Meeting,
    who: str,
    *,
    version: int = 1,
    objection: str | None = None,
) -> None:
    async with db.begin(world.as_(who)) as tx:
        await confirm_minutes(
            tx, meeting.id, version=version, confirmed=objection is None, objection=objection
        )


async def state_of(db: Database, meeting: Meeting) -> MeetingState:
    async with db.read() as tx:
        found = await tx.session.get(Meeting, meeting.id)
        assert found is not None
        return found.state


async def groups(db: Database, meeting: Meeting) -> dict[str, MeetingGroup]:
    async with db.read() as tx:
        return {group.name: group for group in await queries.groups_of(tx, meeting.id)}


async def set_state(db: Database, topic_id: UUID, state: State) -> None:
    async with db.begin() as tx:
        topic = await access_topic(tx, topic_id, Deed.READ_PUBLIC)
        topic.state = state


async def a_held_meeting(db: Database, world: World, clock: ManualClock) -> Meeting:
    """Closed, with two residents and the host present."""
    meeting = await a_meeting(db, world)
    clock.now = meeting.starts_at
    await open_it(db, world, meeting)
    await sign_in(db, world, meeting, "resident1")
    await sign_in(db, world, meeting, "resident2", "其他业主", ONLINE)
    await enter(db, world, meeting, "deputy", "其他业主")
    clock.advance(hours=2)
    return await close_it(db, world, meeting)
