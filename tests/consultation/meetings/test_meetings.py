from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlmodel import select

from api.worker import Worker
from consultation.community.tables import RoleAssignment
from consultation.database import Database
from consultation.meetings import queries, rules
from consultation.meetings.commands.attendance import check_in, document_absence, enter_attendance
from consultation.meetings.commands.convening import (
    cancel_meeting,
    close_meeting,
    convene_meeting,
    open_meeting,
    show_hands,
)
from consultation.meetings.commands.minutes import confirm_minutes, draft_minutes, publish_minutes
from consultation.meetings.rules import AttendanceMode, Form, MeetingState, MinutesContent
from consultation.meetings.tables import Attendance, Meeting, MeetingGroup
from consultation.permissions import Deed, Role
from consultation.refusals import NotPermitted, Refusal
from consultation.topics.plan import FormPlan, GroupPlan, Plan
from consultation.topics.queries import access_topic
from consultation.topics.states import DocumentKind, State
from consultation.topics.subjects import ForbiddenSubject
from consultation.topics.tables import Document, InterestDeclaration, Topic
from tests.conftest import ManualClock
from tests.world import LONG_AGO, World, a_topic

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


async def test_a_meeting_is_called_with_a_public_notice_to_the_groups_of_the_plan(
    db: Database, world: World
) -> None:
    plan = Plan(
        groups=[
            GroupPlan(name="一层业主", affected=True),
            GroupPlan(name="其他业主"),
            GroupPlan(name="旁听", invited=False),
        ],
        forms=[FormPlan(form="heart_to_heart_meeting")],
        deliberation_ends=date(2026, 5, 30),
        text="恳谈",
    )
    topic = await a_topic(db, world, state=State.ANNOUNCED, plan=plan)
    meeting = await convene(db, world, topic, agenda="一、通报方案;二、自由发言")

    assert meeting.state is MeetingState.NOTIFIED
    invited = await groups(db, meeting)
    assert {name: group.affected for name, group in invited.items()} == {
        "一层业主": True,
        "其他业主": False,
    }
    async with db.read() as tx:
        notice = await tx.session.get(Document, meeting.notice_id)
    assert notice is not None
    assert (notice.kind, notice.public) == (DocumentKind.NOTICE, True)
    assert "2026年3月17日09:00" in notice.body
    assert "许国平" in notice.body
    assert "一层业主、其他业主" in notice.body


@pytest.mark.parametrize("state", [State.PREPARING, State.OUTCOME_PUBLIC])
async def test_no_meeting_is_called_before_the_announcement_or_after_the_decision(
    db: Database, world: World, state: State
) -> None:
    topic = await a_topic(db, world, state=state)
    with pytest.raises(rules.TopicNotReadyForMeeting):
        await convene(db, world, topic)


@pytest.mark.parametrize(
    ("more", "refusal"),
    [
        ({"form": Form.ONLINE_DELIBERATION}, rules.NotASitting),
        ({"in_days": 5}, rules.NoticeTooShort),
        ({"form": Form.HEARING, "selection": "抽签"}, rules.NoticeTooShort),
        ({"form": Form.HEARING, "in_days": 8}, rules.SelectionMissing),
        ({"form": Form.HEARING, "in_days": 8, "selection": "抽签"}, rules.MaterialsMissing),
        ({"form": Form.COUNCIL_MEETING}, rules.MembersMissing),
        ({"recorder": "deputy"}, rules.TwoPeopleRunIt),
        ({"host": "resident2"}, rules.NotARunner),
        ({"recorder": "company"}, rules.NotARunner),
        ({"agenda": "讨论那户吸毒人员"}, ForbiddenSubject),
    ],
)
async def test_a_call_that_breaks_a_rule_is_refused(
    db: Database, world: World, more: dict[str, Any], refusal: type[Refusal]
) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    with pytest.raises(refusal):
        await convene(db, world, topic, **more)
    async with db.read() as tx:
        assert (await tx.session.exec(select(Document))).all() == []


async def test_residents_do_not_call_meetings(db: Database, world: World) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    with pytest.raises(NotPermitted):
        async with db.begin(world.as_("resident1")) as tx:
            await convene_meeting(
                tx,
                topic.id,
                form=Form.HEART_TO_HEART_MEETING,
                title="会",
                place="院里",
                online=False,
                starts_at=tx.now + timedelta(days=7),
                host_id=world.id("deputy"),
                recorder_id=world.id("clerk"),
            )


async def test_who_declared_an_interest_neither_hosts_nor_records(
    db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    async with db.begin() as tx:
        tx.session.add(
            InterestDeclaration(
                topic_id=topic.id,
                person_id=world.id("deputy"),
                community_id=topic.community_id,
                has_interest=True,
                note="住在备选点旁",
                at=tx.now,
            )
        )
    for host, recorder in (("deputy", "clerk"), ("secretary", "deputy")):
        with pytest.raises(rules.HasInterest):
            await convene(db, world, topic, host=host, recorder=recorder)
    await convene(db, world, topic, host="secretary")


async def test_the_host_that_the_plan_names_hosts(db: Database, world: World) -> None:
    plan = Plan(
        groups=[GroupPlan(name="一层业主", affected=True)],
        forms=[FormPlan(form="heart_to_heart_meeting")],
        deliberation_ends=date(2026, 5, 30),
        host_ids=[world.id("deputy")],
    )
    topic = await a_topic(db, world, state=State.DELIBERATING, plan=plan)
    with pytest.raises(rules.NotARunner):
        await convene(db, world, topic, host="secretary")
    await convene(db, world, topic)


async def test_a_hearing_is_called_with_materials_and_selection(db: Database, world: World) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    async with db.begin() as tx:
        tx.session.add(
            Document(
                id=uuid4(),
                community_id=topic.community_id,
                topic_id=topic.id,
                series_id=uuid4(),
                kind=DocumentKind.MATERIAL,
                round=1,
                title="比较表",
                body="距离、风向、清运路线",
                content_hash="0" * 64,
                created_at=tx.now,
            )
        )
    meeting = await convene(
        db, world, topic, form=Form.HEARING, in_days=8, selection="按楼栋抽签,每栋一名"
    )
    async with db.read() as tx:
        notice = await tx.session.get(Document, meeting.notice_id)
    assert notice is not None
    assert "按楼栋抽签" in notice.body


async def test_a_meeting_opens_at_the_notified_time_and_not_before(
    db: Database, world: World, clock: ManualClock
) -> None:
    meeting = await a_meeting(db, world)
    clock.now = meeting.starts_at - timedelta(microseconds=1)
    with pytest.raises(rules.NotYetTime):
        await open_it(db, world, meeting)
    clock.now = meeting.starts_at
    assert (await open_it(db, world, meeting)).state is MeetingState.OPEN


async def test_a_meeting_sits_only_while_the_topic_is_deliberated(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic = await a_topic(db, world, state=State.ANNOUNCED)
    meeting = await convene(db, world, topic)
    clock.now = meeting.starts_at
    with pytest.raises(rules.TopicNotReadyForMeeting):
        await open_it(db, world, meeting)
    with pytest.raises(rules.TopicNotReadyForMeeting):
        await sign_in(db, world, meeting, "resident1")
    await set_state(db, topic.id, State.DELIBERATING)
    await open_it(db, world, meeting)


async def test_residents_sign_themselves_in_from_an_hour_before(
    db: Database, world: World, clock: ManualClock
) -> None:
    meeting = await a_meeting(db, world)
    clock.now = meeting.starts_at - timedelta(hours=1, microseconds=1)
    with pytest.raises(rules.NotYetTime):
        await sign_in(db, world, meeting, "resident1")
    clock.now = meeting.starts_at - timedelta(hours=1)
    await sign_in(db, world, meeting, "resident1")
    clock.now = meeting.starts_at
    await open_it(db, world, meeting)
    await sign_in(db, world, meeting, "resident2", mode=ONLINE)
    await sign_in(db, world, meeting, "resident2", group="其他业主")  # changed their mind

    invited = await groups(db, meeting)
    assert {name: group.present for name, group in invited.items()} == {
        "一层业主": 1,
        "其他业主": 1,
    }
    for who, group, mode, refusal in (
        ("resident3", "商户", ON_SITE, rules.GroupNotInvited),
        ("resident3", "一层业主", WRITTEN, rules.RecorderEnters),
        ("visitor", "一层业主", ON_SITE, NotPermitted),
    ):
        with pytest.raises(refusal):
            await sign_in(db, world, meeting, who, group, mode)


async def test_a_written_opinion_is_heard_and_is_not_presence(
    db: Database, world: World, clock: ManualClock
) -> None:
    meeting = await a_meeting(db, world)
    row = await enter(db, world, meeting, "resident1", "一层业主", WRITTEN)
    assert row.entered_by_id == world.id("clerk")
    assert (await groups(db, meeting))["一层业主"].present == 1
    clock.now = meeting.starts_at
    opened = await open_it(db, world, meeting)
    assert (opened.present, opened.written) == (0, 1)

    await enter(db, world, meeting, "resident1", "一层业主", ON_SITE)  # came after all
    closed = await close_it(db, world, meeting)
    assert (closed.present, closed.written) == (1, 0)


async def test_only_people_from_here_are_entered(
    db: Database, world: World, clock: ManualClock
) -> None:
    meeting = await a_meeting(db, world)
    clock.now = meeting.starts_at
    for who in ("visitor", "neighbour"):
        with pytest.raises(rules.NotFromHere):
            await enter(db, world, meeting, who, "一层业主")


async def test_a_four_party_meeting_opens_with_all_four_or_not_at_all(
    db: Database, world: World, clock: ManualClock
) -> None:
    meeting = await a_meeting(db, world, form=Form.FOUR_PARTY_MEETING)
    clock.now = meeting.starts_at
    with pytest.raises(rules.NotFromParty):
        await enter(db, world, meeting, "resident1", "业主委员会")
    with pytest.raises(rules.RecorderEnters):
        await sign_in(db, world, meeting, "resident1", "业主委员会")
    for who, group in (
        ("secretary", "社区党组织"),
        ("deputy", "居民委员会"),
        ("owners_chair", "业主委员会"),
    ):
        await enter(db, world, meeting, who, group)
    with pytest.raises(rules.PartyAbsent) as refused:
        await open_it(db, world, meeting)
    assert refused.value.facts == {"missing": ["物业服务企业"]}

    await enter(db, world, meeting, "company", "物业服务企业")
    await open_it(db, world, meeting)
    with pytest.raises(rules.NoShowOfHands):
        async with db.begin(world.as_("deputy", Role.HOST)) as tx:
            await show_hands(tx, meeting.id, question="同意吗", ayes=4, noes=0, abstained=0)


async def test_a_council_needs_its_quorum_to_open_and_for_every_show_of_hands(
    db: Database, world: World, clock: ManualClock
) -> None:
    meeting = await a_meeting(db, world, form=Form.COUNCIL_MEETING, quorum_members=3)
    clock.now = meeting.starts_at
    await enter(db, world, meeting, "resident1", "议事会成员")
    await enter(db, world, meeting, "resident2", "议事会成员", WRITTEN)
    await sign_in(db, world, meeting, "resident3", "其他业主")
    with pytest.raises(rules.QuorumMissed) as refused:
        await open_it(db, world, meeting)
    assert refused.value.facts == {"present": 1, "least": 2}

    await enter(db, world, meeting, "resident2", "议事会成员", ONLINE)
    await open_it(db, world, meeting)

    async def hands(ayes: int) -> None:
        async with db.begin(world.as_("deputy", Role.HOST)) as tx:
            await show_hands(tx, meeting.id, question="按此报送", ayes=ayes, noes=0, abstained=0)

    await hands(2)
    with pytest.raises(rules.HandsDoNotAdd):
        await hands(3)  # the third is a guest
    await enter(db, world, meeting, "resident2", "议事会成员", WRITTEN)  # left early
    with pytest.raises(rules.QuorumMissed):
        await hands(1)


async def test_an_absence_is_documented_until_somebody_comes(
    db: Database, world: World, clock: ManualClock
) -> None:
    meeting = await a_meeting(db, world)

    async def absent(group: str, note: str = "电话和上门各一次,表示不参加") -> None:
        async with db.begin(world.as_("clerk", Role.CLERK)) as tx:
            await document_absence(tx, meeting.id, group=group, note=note)

    with pytest.raises(rules.NoteMissing):
        await absent("一层业主", " ")
    with pytest.raises(rules.GroupNotInvited):
        await absent("商户")
    await absent("一层业主")
    clock.now = meeting.starts_at
    await sign_in(db, world, meeting, "resident1")
    assert (await groups(db, meeting))["一层业主"].absence_note is None
    with pytest.raises(rules.GroupWasPresent):
        await absent("一层业主")


async def test_nobody_closes_a_meeting_that_nobody_came_to(
    db: Database, world: World, clock: ManualClock
) -> None:
    meeting = await a_meeting(db, world)
    clock.now = meeting.starts_at
    await open_it(db, world, meeting)
    with pytest.raises(rules.NobodyCame):
        await close_it(db, world, meeting)


async def test_a_hearing_closes_when_the_affected_are_heard(
    db: Database, world: World, clock: ManualClock
) -> None:
    meeting = await a_meeting(db, world)
    async with db.begin() as tx:
        found = await tx.session.get(Meeting, meeting.id)
        assert found is not None
        found.form = Form.HEARING
    clock.now = meeting.starts_at
    await open_it(db, world, meeting)
    await sign_in(db, world, meeting, "resident1", "其他业主")
    with pytest.raises(rules.GroupsNotHeard):
        await close_it(db, world, meeting)
    async with db.begin(world.as_("clerk", Role.CLERK)) as tx:
        await document_absence(tx, meeting.id, group="一层业主", note="两次上门未遇")
    assert (await close_it(db, world, meeting)).state is MeetingState.CLOSED


async def test_a_meeting_is_called_off_in_public_before_it_opens(
    db: Database, world: World, clock: ManualClock
) -> None:
    meeting = await a_meeting(db, world)
    other = await convene(db, world, await a_topic(db, world, state=State.DELIBERATING))
    async with db.begin(world.as_("clerk", Role.CLERK)) as tx:
        await cancel_meeting(tx, meeting.id, reason="议事室漏水")
    async with db.read() as tx:
        papers = list(await tx.session.exec(select(Document.title, Document.public)))
    assert ("选址恳谈会取消公告", True) in papers
    with pytest.raises(rules.MeetingActNotAllowed):
        await open_it(db, world, meeting)

    clock.now = other.starts_at
    await open_it(db, world, other)
    with pytest.raises(rules.MeetingActNotAllowed):
        async with db.begin(world.as_("clerk", Role.CLERK)) as tx:
            await cancel_meeting(tx, other.id, reason="临时有事")


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


async def test_minutes_stand_when_everybody_who_was_present_confirms(
    db: Database, world: World, clock: ManualClock
) -> None:
    meeting = await a_held_meeting(db, world, clock)
    assert await draft(db, world, meeting) == 1
    await answer(db, world, meeting, "resident1")
    assert await state_of(db, meeting) is MeetingState.MINUTES_DRAFT
    with pytest.raises(rules.MinutesAnswered):
        await answer(db, world, meeting, "resident1")
    with pytest.raises(rules.NotPresent):
        await answer(db, world, meeting, "resident3")

    await answer(db, world, meeting, "resident2")
    assert await state_of(db, meeting) is MeetingState.MINUTES_CONFIRMED


async def test_silence_for_three_days_confirms(
    db: Database, world: World, clock: ManualClock
) -> None:
    meeting = await a_held_meeting(db, world, clock)
    await draft(db, world, meeting)
    worker = Worker(db, poll_seconds=1)
    ends = datetime(2026, 3, 20, 16, 0, tzinfo=clock.now.tzinfo)  # drafted on the 17th
    clock.now = ends - timedelta(microseconds=1)
    await worker.run_due()
    assert await state_of(db, meeting) is MeetingState.MINUTES_DRAFT
    clock.now = ends
    with pytest.raises(rules.MinutesPeriodOver):
        await answer(db, world, meeting, "resident1")
    await worker.run_due()
    assert await state_of(db, meeting) is MeetingState.MINUTES_CONFIRMED


async def test_an_objection_calls_for_a_new_version_and_a_second_one_is_annexed(
    db: Database, world: World, clock: ManualClock
) -> None:
    meeting = await a_held_meeting(db, world, clock)
    worker = Worker(db, poll_seconds=1)
    await draft(db, world, meeting)
    with pytest.raises(rules.MinutesNotOpenToChange):
        await draft(db, world, meeting)
    await answer(db, world, meeting, "resident1", objection="我说的是除臭,不是除尘")
    clock.advance(days=4)
    await worker.run_due()
    assert await state_of(db, meeting) is MeetingState.MINUTES_DRAFT

    assert await draft(db, world, meeting) == 2
    with pytest.raises(rules.MinutesNotCurrent):
        await answer(db, world, meeting, "resident2", version=1)
    await answer(db, world, meeting, "resident1", version=2, objection="位置一条仍不准确")
    clock.advance(days=4)
    await worker.run_due()
    assert await state_of(db, meeting) is MeetingState.MINUTES_CONFIRMED

    async with db.begin(world.as_("clerk", Role.CLERK)) as tx:
        await publish_minutes(tx, meeting.id)
    async with db.read() as tx:
        minutes = await queries.latest_minutes(tx, meeting.id)
        assert minutes is not None
        paper = await tx.session.get(Document, minutes.document_id)
    assert paper is not None
    assert "到会人员对纪要的保留意见(原文)\n位置一条仍不准确" in paper.body


async def test_published_minutes_show_groups_and_no_resident(
    db: Database, world: World, clock: ManualClock
) -> None:
    meeting = await a_held_meeting(db, world, clock)
    await draft(db, world, meeting)
    with pytest.raises(rules.MeetingActNotAllowed):
        async with db.begin(world.as_("clerk", Role.CLERK)) as tx:
            await publish_minutes(tx, meeting.id)
    for who in ("resident1", "resident2"):
        await answer(db, world, meeting, who)
    async with db.begin(world.as_("clerk", Role.CLERK)) as tx:
        await publish_minutes(tx, meeting.id)

    assert await state_of(db, meeting) is MeetingState.PUBLISHED
    async with db.read() as tx:
        rows = await tx.session.exec(select(Document).where(Document.kind == DocumentKind.MINUTES))
        paper = rows.one()
    assert paper.public
    assert paper.body.splitlines()[:5] == [
        "议题:3幢2单元加装电梯",
        "时间:2026年3月17日09:00至2026年3月17日11:00",
        "地点:党群服务中心二楼议事室,同步线上",
        "主持:许国平;记录:陶颖",
        "到会3人,书面意见0人:一层业主1人、其他业主2人",
    ]
    assert "居民1" not in paper.body


async def test_only_roles_that_run_now_count(
    db: Database, world: World, clock: ManualClock
) -> None:
    async with db.begin() as tx:
        held = await tx.session.get(
            RoleAssignment, world.assignments["company", Role.PROPERTY_COMPANY].id
        )
        assert held is not None
        held.valid_to = LONG_AGO + timedelta(days=1)
    meeting = await a_meeting(db, world, form=Form.FOUR_PARTY_MEETING)
    clock.now = meeting.starts_at
    with pytest.raises(rules.NotFromParty):
        await enter(db, world, meeting, "company", "物业服务企业")
