"""Calling a meeting, and calling it off."""

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import select

from consultation.database import Database
from consultation.meetings import rules
from consultation.meetings.commands.convening import cancel_meeting, convene_meeting
from consultation.meetings.rules import Form, MeetingState
from consultation.permissions import Role
from consultation.refusals import NotPermitted, Refusal
from consultation.topics.plan import FormPlan, GroupPlan, Plan
from consultation.topics.states import DocumentKind, State
from consultation.topics.subjects import ForbiddenSubject
from consultation.topics.tables import Document, InterestDeclaration
from tests.conftest import ManualClock
from tests.consultation.meetings.steps import a_meeting, convene, groups, open_it
from tests.world import World, a_topic


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
