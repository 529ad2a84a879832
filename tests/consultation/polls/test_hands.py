"""A show of hands counted in totals: witnessed, bounded by who is present, never beside ballots."""

from typing import Any
from uuid import UUID

import pytest

from consultation.community.tables import OrgKind
from consultation.permissions import Actor, Role
from consultation.polls import hands as rules_of
from consultation.polls import rules
from consultation.polls.commands import casting, hands
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
