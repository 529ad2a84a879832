"""Votes that are held in a meeting: those present vote, and presence is turnout."""

from typing import Any
from uuid import UUID

import pytest

from consultation.community.tables import NodeKind, OrgKind
from consultation.meetings.rules import AttendanceMode
from consultation.permissions import Actor, Role
from consultation.polls import rules, terms
from consultation.polls.commands import casting
from consultation.polls.counting import Funding
from consultation.polls.rules import BallotChannel, PollItem, Verdict
from tests.consultation.polls.stage import Stage
from tests.world import World

FUND = [
    ("扶手", 86_000, 55),
    ("微花园", 54_000, 41),
    ("监控", 60_000, 47),
    ("理发", 32_000, 52),
    ("电子屏", 78_000, 18),
]


async def record(
    stage: Stage, poll_id: UUID, votes: Any, *, channel: BallotChannel = BallotChannel.SHOW_OF_HANDS
) -> int:
    async with stage.db.begin(stage.world.as_("teller1", Role.TELLER)) as tx:
        return len(await casting.record_meeting_votes(tx, poll_id, votes, channel=channel))


async def test_d7_allocates_the_fund_among_58_members_present(stage: Stage, world: World) -> None:
    community = world.community
    members = await stage.assembly(community, 73, OrgKind.RESIDENTS_COMMITTEE)
    await stage.assembly(community, 5, OrgKind.RESIDENTS_COUNCIL)  # not of this assembly
    topic = await stage.topic("fund_allocation", community)
    meeting = await stage.meeting(topic, members[:58], guests=4)
    await stage.sign_in(meeting, members[58:60], AttendanceMode.WRITTEN)  # no presence
    items = [
        PollItem(number=n, text=text, cost_fen=yuan * 100)
        for n, (text, yuan, _) in enumerate(FUND, 1)
    ]
    poll = await stage.opened(
        "fund_allocation",
        topic,
        community,
        items=items,
        budget_fen=20_000_000,
        meeting_id=meeting.id,
    )
    assert poll.eligible_heads == 76  # 73, the secretary, the head, the representative

    numbers = {place.person_id: place.number for place in (await stage.roll(poll.id)).values()}
    votes = {
        numbers[member]: [
            (n, ["for" if index < agree else "against"]) for n, (_, _, agree) in enumerate(FUND, 1)
        ]
        for index, member in enumerate(members[:58])
    }
    assert await record(stage, poll.id, votes) == 58
    assert await record(stage, poll.id, votes) == 58  # the same again changes nothing
    poll = await stage.published(poll.id)

    assert poll.result is not None
    assert (poll.result.turnout[0].needed, poll.result.present) == (51, 58)
    assert [item.funding for item in poll.result.items] == [
        Funding.FUNDED,
        Funding.RESERVE,
        Funding.FUNDED,
        Funding.FUNDED,
        None,
    ]
    assert poll.result.budget_left_fen == 2_200_000
    assert poll.result.verdict is Verdict.PARTLY_PASSED


async def test_only_members_signed_in_vote_and_a_wrong_entry_refuses_all(
    stage: Stage, world: World
) -> None:
    village = await stage.place(NodeKind.VILLAGE, "柳桥村", world.nodes["subdistrict"])
    members = await stage.assembly(village, 6, OrgKind.VILLAGERS_COMMITTEE)
    async with stage.db.begin() as tx:
        for name, role in (
            ("clerk", Role.CLERK),
            ("secretary", Role.PARTY_SECRETARY),
            ("teller1", Role.TELLER),
        ):
            assignment = world.assignments[name, role]
            assignment.community_id, assignment.node_path = village.id, village.path
            await tx.session.merge(assignment)
    topic = await stage.topic("village_reps", village)
    meeting = await stage.meeting(topic, members[:5])
    with pytest.raises(terms.PollMeetingInvalid):
        await stage.announced("village_reps", topic, village)
    poll = await stage.opened("village_reps", topic, village, meeting_id=meeting.id)
    assert poll.eligible_heads == 7  # six and the secretary
    numbers = {place.person_id: place.number for place in (await stage.roll(poll.id)).values()}
    one, absent = numbers[members[0]], numbers[members[5]]

    with pytest.raises(rules.NotAtMeeting) as caught:
        await record(stage, poll.id, {one: [(1, ["for"])], absent: [(1, ["for"])]})
    assert caught.value.facts == {"numbers": [str(absent)]}
    with pytest.raises(rules.NotAtMeeting):
        await stage.cast(poll.id, members[5], "for")
    with pytest.raises(rules.NotOnRoll):
        await record(stage, poll.id, {one: [(1, ["for"])], 99: [(1, ["for"])]})
    with pytest.raises(rules.BallotInvalid):
        await record(stage, poll.id, {one: [(1, ["for"])], numbers[members[1]]: []})
    with pytest.raises(rules.WrongChannel):
        await record(stage, poll.id, {one: [(1, ["for"])]}, channel=BallotChannel.ASSISTED)

    await stage.cast(poll.id, members[1], "against")  # a member with a phone
    await record(stage, poll.id, {one: [(1, ["for"])]})
    with pytest.raises(rules.AlreadyVoted) as again:
        await record(stage, poll.id, {one: [(1, ["against"])], numbers[members[2]]: [(1, ["for"])]})
    assert again.value.facts == {"numbers": [str(one)]}

    closed = await stage.closed(poll.id)
    assert closed.result is not None
    assert closed.result.participating.heads == 2
    assert closed.result.turnout[0].value == 5  # present, whether or not they voted
    assert closed.result.verdict is Verdict.NOT_PASSED  # 1 of 5 present


async def test_doorstep_ballots_have_no_place_in_a_meeting_nor_hands_outside_one(
    stage: Stage,
) -> None:
    poll, _ = await stage.lift_poll()

    with pytest.raises(rules.WrongChannel):
        await record(stage, poll.id, {1: [(1, ["for"])]})


async def test_a_member_signs_in_or_does_not_vote(stage: Stage, world: World) -> None:
    members = await stage.assembly(world.community, 3, OrgKind.RESIDENTS_COMMITTEE)
    topic = await stage.topic("urban_reps_2026", world.community)
    meeting = await stage.meeting(topic, [])
    poll = await stage.opened("urban_reps_2026", topic, world.community, meeting_id=meeting.id)

    with pytest.raises(rules.NotAtMeeting):
        await stage.cast(poll.id, members[0], "for")
    await stage.sign_in(meeting, [members[0]])
    await stage.cast(poll.id, members[0], "for")
    actor = Actor(person_id=members[1])
    await stage.sign_in(meeting, [members[1]], AttendanceMode.WRITTEN)
    with pytest.raises(rules.NotAtMeeting):
        async with stage.db.begin(actor) as tx:
            await casting.cast_ballot(tx, poll.id, [(1, ["for"])])
