"""A meeting while it sits: opening, who is there, quorum, hands, closing."""

from datetime import timedelta

import pytest

from consultation.community.tables import RoleAssignment
from consultation.database import Database
from consultation.meetings import rules
from consultation.meetings.commands.attendance import document_absence
from consultation.meetings.commands.convening import show_hands
from consultation.meetings.rules import Form, MeetingState
from consultation.meetings.tables import Meeting
from consultation.permissions import Role
from consultation.refusals import NotPermitted
from consultation.topics.states import State
from tests.conftest import ManualClock
from tests.consultation.meetings.steps import (
    ON_SITE,
    ONLINE,
    WRITTEN,
    a_meeting,
    close_it,
    convene,
    enter,
    groups,
    open_it,
    set_state,
    sign_in,
)
from tests.world import LONG_AGO, World, a_topic


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
