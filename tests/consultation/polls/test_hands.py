"""A show of hands counted in totals: witnessed, bounded by who is present, never beside ballots."""

from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, delete

from consultation.community.tables import OrgKind
from consultation.meetings.commands import attendance
from consultation.meetings.rules import AttendanceMode, MeetingState, PresenceCounts
from consultation.meetings.tables import Attendance, Meeting, MeetingGroup
from consultation.permissions import Actor, Role
from consultation.polls import hands as rules_of
from consultation.polls import rules, terms
from consultation.polls.commands import casting, hands, presence
from consultation.polls.presets import BallotChannel, BallotMode
from consultation.polls.reconciliation_queries import reconciliation_of
from consultation.polls.rules import PollItem, PollState, Verdict
from consultation.polls.tables import Poll
from consultation.refusals import NotPermitted
from consultation.topics.tables import InterestDeclaration
from tests.consultation.polls.stage import Stage
from tests.world import World

TELLER = ("teller1", Role.TELLER)


async def meeting_poll(stage: Stage, present: int = 60, **change: Any) -> tuple[Poll, list[UUID]]:
    members = await stage.assembly(stage.world.community, 73, OrgKind.RESIDENTS_COMMITTEE)
    topic = await stage.topic("urban_reps_2026", stage.world.community)
    meeting = await stage.meeting(topic, members[:present])
    poll = await stage.opened(
        "urban_reps_2026",
        topic,
        stage.world.community,
        meeting_id=meeting.id,
        items=[PollItem(number=1, text="甲事项"), PollItem(number=2, text="乙事项")],
        **change,
    )
    return poll, members


def totals(*items: tuple[int, int, int]) -> dict[str, dict[str, int]]:
    return {
        str(n): {"for": yes, "against": no, "abstain": rest}
        for n, (yes, no, rest) in enumerate(items, 1)
    }


async def count(
    stage: Stage,
    poll: Poll,
    heads: int,
    items: dict[str, dict[str, int]],
    witnesses: list[UUID],
    who: tuple[str, Role] = TELLER,
) -> int:
    async with stage.db.begin(stage.world.as_(*who)) as tx:
        counted = await hands.count_hands(
            tx, poll.id, heads=heads, items=items, witness_ids=witnesses
        )
        return counted.count_no


async def test_hands_enter_the_count_as_totals(stage: Stage) -> None:
    poll, members = await meeting_poll(stage)
    two = members[:2]
    wrong = totals((30, 20, 6), (20, 30, 6))
    assert await count(stage, poll, 56, wrong, two) == 1
    assert await count(stage, poll, 56, wrong, two) == 1
    right = totals((40, 10, 7), (20, 30, 7))
    assert await count(stage, poll, 57, right, two) == 2  # counted again; the last one stands

    closed = await stage.closed(poll.id)
    assert closed.result is not None
    assert (closed.result.by_hand, closed.result.participating.heads) == (57, 57)
    assert [item.votes_for.heads for item in closed.result.items] == [40, 20]
    assert [item.verdict for item in closed.result.items] == [Verdict.PASSED, Verdict.NOT_PASSED]
    assert await stage.countersign_all(poll.id) == 4  # two of each count
    async with stage.db.read() as tx:
        report = await reconciliation_of(tx, closed)
    assert (report.voters, report.by_hand, report.not_voted) == (0, 57, 76 - 57)
    assert report.reconciles
    assert (await stage.published(poll.id)).state is PollState.PUBLISHED


async def test_totals_that_cannot_be_are_refused(stage: Stage, world: World) -> None:
    poll, members = await meeting_poll(stage)
    two = members[:2]
    fine = totals((30, 20, 5), (20, 30, 5))
    for heads, items, refusal in (
        (61, totals((61, 0, 0), (61, 0, 0)), rules_of.MoreHandsThanPeople),
        (55, totals((30, 20, 6), (20, 30, 5)), rules.BallotInvalid),
        (55, totals((30, 20, 5)), rules.BallotInvalid),
        (55, fine | {"3": {"for": 55}}, rules.BallotInvalid),
        (55, fine | {"1": {"for": 50, "yes": 5}}, rules.BallotInvalid),
        (55, fine | {"1": {"for": 60, "against": -5}}, rules.BallotInvalid),
    ):
        with pytest.raises(refusal):
            await count(stage, poll, heads, items, two)
    async with stage.db.begin() as tx:
        tx.session.add(
            InterestDeclaration(
                topic_id=poll.topic_id,
                person_id=members[1],
                community_id=poll.community_id,
                has_interest=True,
                note="承包人",
                at=tx.now,
            )
        )
    bad: list[tuple[list[UUID], Any]] = [
        ([members[0]], rules_of.WitnessesNeeded),
        ([members[0], members[0]], rules_of.WitnessesNeeded),
        ([members[0], members[70]], rules_of.WitnessesNeeded),  # was not there
        ([members[0], world.id("teller1")], rules_of.WitnessesNeeded),  # counts already
        (two, rules.NotImpartial),
    ]
    for witnesses, refusal in bad:
        with pytest.raises(refusal):
            await count(stage, poll, 55, fine, witnesses)
    with pytest.raises(NotPermitted):
        await count(stage, poll, 55, fine, two, ("secretary", Role.PARTY_SECRETARY))


async def test_hands_and_ballots_are_not_mixed(stage: Stage) -> None:
    poll, members = await meeting_poll(stage)
    fine = totals((30, 20, 5), (20, 30, 5))
    await count(stage, poll, 55, fine, members[:2])
    answers = [(1, ["for"]), (2, ["for"])]
    with pytest.raises(rules_of.HandsOrBallots):
        async with stage.db.begin(Actor(person_id=members[3])) as tx:
            await casting.cast_ballot(tx, poll.id, answers)
    with pytest.raises(rules_of.HandsOrBallots):
        async with stage.db.begin(stage.world.as_(*TELLER)) as tx:
            await casting.record_meeting_votes(
                tx, poll.id, {1: answers}, channel=BallotChannel.SHOW_OF_HANDS
            )


async def test_after_a_ballot_there_are_no_hands(stage: Stage) -> None:
    poll, members = await meeting_poll(stage)
    async with stage.db.begin(Actor(person_id=members[3])) as tx:
        await casting.cast_ballot(tx, poll.id, [(1, ["for"]), (2, ["for"])])
    with pytest.raises(rules_of.HandsOrBallots):
        await count(stage, poll, 1, totals((1, 0, 0), (1, 0, 0)), members[:2])


async def test_hands_are_for_meetings(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()
    with pytest.raises(rules_of.HandsNotCounted):
        await count(stage, poll, 1, totals((1, 0, 0)), owners[:2])


async def test_a_confidential_poll_counts_no_hands_by_total_or_by_name(stage: Stage) -> None:
    poll, members = await meeting_poll(stage, mode=BallotMode.CONFIDENTIAL)
    with pytest.raises(rules_of.HandsNotConfidential):
        await count(stage, poll, 55, totals((30, 20, 5), (20, 30, 5)), members[:2])
    async with stage.db.begin(stage.world.as_(*TELLER)) as tx:
        with pytest.raises(rules_of.HandsNotConfidential):
            await casting.record_meeting_votes(
                tx, poll.id, {1: [(1, ["for"]), (2, ["for"])]}, channel=BallotChannel.SHOW_OF_HANDS
            )


async def fix(stage: Stage, poll: Poll, who: tuple[str, Role] = TELLER) -> int:
    async with stage.db.begin(stage.world.as_(*who)) as tx:
        return (await presence.fix_presence(tx, poll.id))[1]


async def test_who_signs_in_after_the_hands_does_not_change_their_base(stage: Stage) -> None:
    poll, members = await meeting_poll(stage, present=58)
    assert await count(stage, poll, 58, totals((30, 28, 0), (29, 29, 0)), members[:2]) == 1
    await stage.sign_in(await stage.meeting_of(poll), members[58:61])
    with pytest.raises(rules_of.MoreHandsThanPeople):
        await count(stage, poll, 61, totals((30, 31, 0), (32, 29, 0)), members[:2])

    closed = await stage.closed(poll.id)
    assert closed.result is not None
    assert closed.result.present == 58
    assert [item.verdict for item in closed.result.items] == [Verdict.PASSED, Verdict.NOT_PASSED]


async def test_presence_is_fixed_before_hands_go_up_and_only_with_a_quorum(stage: Stage) -> None:
    poll, members = await meeting_poll(stage, present=50)
    meeting = await stage.meeting_of(poll)
    with pytest.raises(rules_of.HandsWithoutQuorum) as refused:
        await fix(stage, poll)  # 51 of 76 are two thirds
    assert refused.value.facts == {"present": 50, "needed": 51, "base": 76}
    with pytest.raises(rules_of.HandsWithoutQuorum):
        await count(stage, poll, 50, totals((26, 24, 0), (26, 24, 0)), members[:2])
    with pytest.raises(rules_of.HandsWithoutQuorum):
        async with stage.db.begin(stage.world.as_(*TELLER)) as tx:
            await casting.record_meeting_votes(
                tx, poll.id, {1: [(1, ["for"]), (2, ["for"])]}, channel=BallotChannel.SHOW_OF_HANDS
            )
    with pytest.raises(NotPermitted):
        await fix(stage, poll, ("secretary", Role.PARTY_SECRETARY))
    await stage.sign_in(meeting, members[50:52])
    assert await fix(stage, poll) == 52

    await stage.sign_in(meeting, members[52:55])
    assert await fix(stage, poll) == 52
    with pytest.raises(rules.NotAtMeeting):
        await stage.cast(poll.id, members[53], "for")
    await stage.cast(poll.id, members[51], "for")
    closed = await stage.closed(poll.id)
    assert closed.result is not None
    assert closed.result.present == 52


@pytest.mark.parametrize("state", [MeetingState.NOTIFIED, MeetingState.CANCELLED])
async def test_nobody_is_present_at_a_meeting_that_does_not_sit(
    stage: Stage, state: MeetingState
) -> None:
    """People signed in; the meeting was not opened, or was called off after they had come."""
    poll, members = await meeting_poll(stage)
    meeting = await stage.meeting_of(poll)

    async def put(state: MeetingState) -> None:
        async with stage.db.begin() as tx:
            (await tx.session.get_one(Meeting, meeting.id)).state = state

    await put(state)
    with pytest.raises(rules_of.HandsWithoutQuorum) as refused:
        await fix(stage, poll)
    assert refused.value.facts["present"] == 0
    with pytest.raises(rules_of.WitnessesNeeded):
        await count(stage, poll, 57, totals((40, 10, 7), (20, 30, 7)), members[:2])
    with pytest.raises(rules.NotAtMeeting):
        await stage.cast(poll.id, members[0], "for")
    for later in (MeetingState.OPEN, MeetingState.CLOSED):
        await put(later)
        assert await fix(stage, poll) == 60
    await put(state)
    await stage.cast(poll.id, members[0], "for")  # presence is fixed


async def test_a_meeting_that_never_sat_has_no_quorum(stage: Stage) -> None:
    poll, _ = await meeting_poll(stage)
    meeting = await stage.meeting_of(poll)
    async with stage.db.begin() as tx:
        (await tx.session.get_one(Meeting, meeting.id)).state = MeetingState.CANCELLED
    closed = await stage.closed(poll.id)
    assert closed.result is not None
    assert (closed.result.present, closed.result.verdict) == (0, Verdict.NO_QUORUM)


async def test_a_poll_outside_a_meeting_has_no_presence_to_fix(stage: Stage) -> None:
    poll, _ = await stage.lift_poll()
    with pytest.raises(terms.PollMeetingInvalid):
        await fix(stage, poll)


async def write_in(stage: Stage, poll: Poll, person: UUID, group: str = "代表") -> None:
    """The recorder makes a written opinion of somebody who signed in."""
    meeting = await stage.meeting_of(poll)
    async with stage.db.begin(stage.world.as_("clerk", Role.CLERK)) as tx:
        if await tx.session.get(MeetingGroup, (meeting.id, group)) is None:
            tx.session.add(
                MeetingGroup(
                    meeting_id=meeting.id,
                    name=group,
                    community_id=meeting.community_id,
                    present=60,
                    members=True,
                )
            )
            await tx.session.flush()
        await attendance.enter_attendance(
            tx, meeting.id, person_id=person, group=group, mode=AttendanceMode.WRITTEN
        )


@pytest.mark.parametrize("mode", [BallotMode.NAMED, BallotMode.CONFIDENTIAL])
async def test_who_voted_does_not_become_a_written_opinion(stage: Stage, mode: BallotMode) -> None:
    poll, members = await meeting_poll(stage, mode=mode)
    if mode is BallotMode.NAMED:
        await stage.cast(poll.id, members[0], "for")
    else:
        await stage.cast_sealed(poll.id, members[0], "for")
    with pytest.raises(PresenceCounts):
        await write_in(stage, poll, members[0])
    await write_in(stage, poll, members[1])  # has not voted
    await stage.closed(poll.id)
    assert (await stage.load(poll.id)).present == 59


async def test_the_close_counts_whoever_voted_as_present(stage: Stage) -> None:
    """However the sheet was changed: whoever gave a ballot that was taken was there."""
    poll, members = await meeting_poll(stage)
    await stage.cast(poll.id, members[0], "for")
    async with stage.db.begin() as tx:
        await tx.session.exec(delete(Attendance).where(col(Attendance.meeting_id).is_not(None)))
    closed = await stage.closed(poll.id)
    assert closed.result is not None
    assert (closed.result.present, closed.result.verdict) == (1, Verdict.NO_QUORUM)
