"""Minutes: confirmed by those who were there, objected to, published."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import select

from api.worker import Worker
from consultation.database import Database
from consultation.meetings import minutes_rules, queries, rules
from consultation.meetings.commands.minutes import publish_minutes
from consultation.meetings.rules import MeetingState
from consultation.permissions import Role
from consultation.topics.states import DocumentKind
from consultation.topics.tables import Document
from tests.conftest import ManualClock
from tests.consultation.meetings.steps import a_held_meeting, answer, draft, state_of
from tests.world import World


async def test_minutes_stand_when_everybody_who_was_present_confirms(
    db: Database, world: World, clock: ManualClock
) -> None:
    meeting = await a_held_meeting(db, world, clock)
    assert await draft(db, world, meeting) == 1
    await answer(db, world, meeting, "resident1")
    assert await state_of(db, meeting) is MeetingState.MINUTES_DRAFT
    with pytest.raises(minutes_rules.MinutesAnswered):
        await answer(db, world, meeting, "resident1")
    with pytest.raises(minutes_rules.NotPresent):
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
    with pytest.raises(minutes_rules.MinutesPeriodOver):
        await answer(db, world, meeting, "resident1")
    await worker.run_due()
    assert await state_of(db, meeting) is MeetingState.MINUTES_CONFIRMED


async def test_an_objection_calls_for_a_new_version_and_a_second_one_is_annexed(
    db: Database, world: World, clock: ManualClock
) -> None:
    meeting = await a_held_meeting(db, world, clock)
    worker = Worker(db, poll_seconds=1)
    await draft(db, world, meeting)
    with pytest.raises(minutes_rules.MinutesNotOpenToChange):
        await draft(db, world, meeting)
    await answer(db, world, meeting, "resident1", objection="我说的是除臭,不是除尘")
    clock.advance(days=4)
    await worker.run_due()
    assert await state_of(db, meeting) is MeetingState.MINUTES_DRAFT

    assert await draft(db, world, meeting) == 2
    with pytest.raises(minutes_rules.MinutesNotCurrent):
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
