"""Second people countersign under their own login, or nothing is certified (trust 1.3, row 3)."""

from secrets import token_urlsafe
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from consultation.community.tables import RoleAssignment
from consultation.journal import JournalEntry
from consultation.permissions import Actor, Role
from consultation.polls import countersigning as rules_of
from consultation.polls import rules
from consultation.polls.commands import casting, closing, countersigning
from consultation.polls.countersign_tables import Countersignature
from consultation.polls.countersigning import CountersignState, CountersignSubject, EntryKey
from consultation.polls.hands import HandsDiffer
from consultation.polls.paper import FormFate
from consultation.polls.presets import BallotChannel, BallotMode, Revote
from consultation.polls.reconciliation import Reconciliation
from consultation.polls.results import HandTotals
from consultation.polls.rules import PollState
from consultation.polls.tables import Poll
from consultation.refusals import NotPermitted
from consultation.topics.tables import InterestDeclaration
from tests.consultation.polls.stage import Stage
from tests.consultation.polls.test_hands import count as count_hands
from tests.consultation.polls.test_hands import meeting_poll, totals
from tests.consultation.polls.test_paper import (
    ONE,
    TWO,
    enter,
    fate,
    issue,
    poll_of_the_world,
    print_forms,
    settle,
)
from tests.world import World

ASSISTED, DOOR, HANDS = CountersignSubject
WORKER = ("grid_worker", Role.GRID_WORKER)
CLERK = ("clerk", Role.CLERK)
WAITING, REFUSED, CONFIRMED, SETTLED = CountersignState


async def help_to_vote(
    stage: Stage, poll: Poll, number: int, *, helper: str = "resident6", choice: str = "for"
) -> None:
    sealed = poll.mode is BallotMode.CONFIDENTIAL
    async with stage.db.begin(stage.world.as_(*WORKER)) as tx:
        await casting.record_ballot(
            tx,
            poll.id,
            number,
            [(1, [choice])],
            channel=BallotChannel.ASSISTED,
            consent_note="本人口述",
            helper_id=stage.world.id(helper),
            once=token_urlsafe(24) if sealed else None,
        )


async def answer(
    stage: Stage,
    poll_id: UUID,
    person: UUID,
    key: EntryKey,
    *,
    reason: str | None = None,
    hands: HandTotals | None = None,
) -> CountersignState:
    """Confirms, or with a reason refuses."""
    async with stage.db.begin(Actor(person_id=person)) as tx:
        return await countersigning.countersign(
            tx, poll_id, key, confirmed=reason is None, reason=reason, hands=hands
        )


async def settled(stage: Stage, poll_id: UUID, key: EntryKey, note: str) -> CountersignState:
    async with stage.db.begin(stage.world.as_("supervisor", Role.SUPERVISOR)) as tx:
        return await countersigning.settle(tx, poll_id, key, note=note)


async def report(stage: Stage, poll_id: UUID) -> Reconciliation:
    async with stage.db.read(stage.world.as_("supervisor", Role.SUPERVISOR)) as tx:
        found = await closing.read_reconciliation(tx, poll_id)
    assert isinstance(found, Reconciliation)
    return found


async def blocked(stage: Stage, poll_id: UUID, entry: str) -> None:
    """Nobody can sign, and the refusal and the report name the entry."""
    for name, role in (("teller1", Role.TELLER), ("supervisor", Role.SUPERVISOR)):
        with pytest.raises(rules_of.CountersignaturesMissing) as refused:
            await stage.sign(poll_id, name, role)
        assert refused.value.facts["entries"] == [entry]
    found = await report(stage, poll_id)
    assert not found.reconciles
    waiting = found.countersigned.waiting
    assert [f"{one.subject} {one.number} {one.state}" for one in waiting] == [entry]


@pytest.mark.parametrize("mode", [BallotMode.NAMED, BallotMode.CONFIDENTIAL])
async def test_help_that_the_helper_did_not_confirm_is_not_certified(
    stage: Stage, mode: BallotMode
) -> None:
    poll, people = await stage.household_poll(8, mode=mode)
    await help_to_vote(stage, poll, 3)
    if mode is BallotMode.CONFIDENTIAL:
        await stage.open_box(poll.id)
        await stage.work()
    closed = await stage.closed(poll.id)
    if mode is BallotMode.NAMED:
        assert closed.result is not None
        assert closed.result.valid.heads == 1  # the count is what was recorded
    await blocked(stage, poll.id, "assisted 3 waiting")

    key = EntryKey(ASSISTED, 3, 1)
    for stranger in (people[0], stage.world.id("grid_worker"), stage.world.id("clerk")):
        with pytest.raises(rules_of.NotAskedToCountersign):
            await answer(stage, poll.id, stranger, key)
    helper = stage.world.id("resident6")
    assert await answer(stage, poll.id, helper, key) is CONFIRMED
    assert await answer(stage, poll.id, helper, key) is CONFIRMED
    with pytest.raises(rules_of.CountersignAnswered):
        await answer(stage, poll.id, helper, key, reason="不是我")
    line = (await report(stage, poll.id)).countersigned
    assert (line.entries, line.confirmed, line.settled, line.waiting) == (1, 1, 0, [])
    assert (await stage.published(poll.id)).state is PollState.PUBLISHED
    assert await answer(stage, poll.id, helper, key) is CONFIRMED  # again, and too late


async def test_refused_help_waits_for_the_supervisor(stage: Stage) -> None:
    poll, people = await stage.lift_poll()
    await help_to_vote(stage, poll, 3)
    helper, key = stage.world.id("resident6"), EntryKey(ASSISTED, 3, 1)
    with pytest.raises(rules_of.CountersignReasonMissing):
        await answer(stage, poll.id, helper, key, reason=" ")
    assert await answer(stage, poll.id, helper, key, reason="我没有协助过") is REFUSED
    await stage.vote(poll.id, people[:2] + people[3:], "f" * 11)
    await stage.closed(poll.id)
    await blocked(stage, poll.id, "assisted 3 refused")

    for name, role in (CLERK, ("teller1", Role.TELLER)):
        with pytest.raises(NotPermitted):
            async with stage.db.begin(stage.world.as_(name, role)) as tx:
                await countersigning.settle(tx, poll.id, key, note="已核实")
    with pytest.raises(rules_of.NothingToCountersign):
        await settled(stage, poll.id, EntryKey(ASSISTED, 4, 1), "已核实")
    assert await settled(stage, poll.id, key, "向本人核实,票面属实") is SETTLED
    assert (await report(stage, poll.id)).countersigned.settled == 1
    assert (await stage.signed(poll.id)).state is PollState.PUBLISHED
    with pytest.raises(rules_of.CountersignAnswered):
        await answer(stage, poll.id, helper, key)


async def test_a_supervisor_does_not_settle_an_entry_of_their_own_vote(
    stage: Stage, world: World
) -> None:
    poll = await poll_of_the_world(stage)
    await stage.other_tellers()
    given = world.assignments["supervisor", Role.SUPERVISOR]
    async with stage.db.begin() as tx:
        for name in ("resident5", "resident6"):
            row = RoleAssignment(**(given.model_dump() | {"id": uuid4()}))
            row.person_id = world.id(name)
            tx.session.add(row)
            world.assignments[name, Role.SUPERVISOR] = row
    number = {place.person_id: place.number for place in (await stage.roll(poll.id)).values()}
    helped, visited = number[world.id("resident5")], number[world.id("resident6")]
    await help_to_vote(stage, poll, helped)
    await print_forms(stage, poll.id, 1, 1)
    await issue(stage, poll.id, 1, visited, second_staff_id=world.id("grid_worker"))
    for name, key in (
        ("resident5", EntryKey(ASSISTED, helped, 1)),
        ("resident6", EntryKey(DOOR, 1, 1)),
    ):
        with pytest.raises(rules.NotImpartial):
            async with stage.db.begin(world.as_(name, Role.SUPERVISOR)) as tx:
                await countersigning.settle(tx, poll.id, key, note="已核实")
        assert await settled(stage, poll.id, key, "已核实") is SETTLED


@pytest.mark.parametrize("mode", [BallotMode.NAMED, BallotMode.CONFIDENTIAL])
async def test_help_that_is_entered_anew_is_confirmed_anew(stage: Stage, mode: BallotMode) -> None:
    rule = {"revote": Revote.LAST_VALID_BEFORE_CLOSE}
    poll, people = await stage.household_poll(8, mode=mode, rule=rule)
    helper = stage.world.id("resident6")
    await help_to_vote(stage, poll, 3)
    await answer(stage, poll.id, helper, EntryKey(ASSISTED, 3, 1))
    await help_to_vote(stage, poll, 3, choice="against")  # alone, behind the helper's back
    await help_to_vote(stage, poll, 4)
    await answer(stage, poll.id, helper, EntryKey(ASSISTED, 4, 1), reason="不是我")
    vote = stage.cast if mode is BallotMode.NAMED else stage.cast_sealed
    await vote(poll.id, people[3], "for")  # the voter's own ballot takes its place
    if mode is BallotMode.CONFIDENTIAL:
        await stage.open_box(poll.id)
        await stage.work()
    await stage.closed(poll.id)
    await blocked(stage, poll.id, "assisted 3 waiting")
    assert await answer(stage, poll.id, helper, EntryKey(ASSISTED, 3, 2)) is CONFIRMED
    assert (await report(stage, poll.id)).reconciles


async def test_a_retry_of_a_sealed_ballot_with_help_asks_nobody_again(stage: Stage) -> None:
    poll, _ = await stage.household_poll(8)
    once = token_urlsafe(24)
    for _ in range(2):
        async with stage.db.begin(stage.world.as_(*WORKER)) as tx:
            await casting.record_ballot(
                tx,
                poll.id,
                3,
                [(1, ["for"])],
                channel=BallotChannel.ASSISTED,
                consent_note="本人口述",
                helper_id=stage.world.id("resident6"),
                once=once,
            )
    assert await stage.countersign_all(poll.id) == 1


async def test_a_visit_waits_for_who_came_along(stage: Stage) -> None:
    poll, people = await stage.lift_poll()
    await print_forms(stage, poll.id, 1, 3)
    second = stage.world.id("grid_worker")
    await issue(stage, poll.id, 1, 1, second_staff_id=second)
    await issue(stage, poll.id, 2, 2, second_staff_id=second)  # never comes back
    for teller in (ONE, TWO):
        await enter(stage, poll.id, 1, teller, "for")
    await stage.vote(poll.id, people[2:], "f" * 10)
    await stage.closed(poll.id)
    await settle(stage, poll.id, CLERK, fate(FormFate.KEPT, 2), fate(FormFate.UNUSED, 3))
    await blocked(stage, poll.id, "home_visit 1 waiting")
    assert await answer(stage, poll.id, second, EntryKey(DOOR, 1, 1)) is CONFIRMED
    assert (await report(stage, poll.id)).reconciles


async def test_hands_wait_for_witnesses_who_counted_the_same(stage: Stage) -> None:
    poll, members = await meeting_poll(stage)
    right = totals((40, 10, 7), (20, 30, 7))
    first, second = members[:2]
    await count_hands(stage, poll, 57, right, [first, second])
    counted = HandTotals(heads=57, items=right)
    for person in (first, second):
        await answer(stage, poll.id, person, EntryKey(HANDS, 1, 1), hands=counted)
    forged = totals((50, 0, 7), (20, 30, 7))
    await count_hands(stage, poll, 57, forged, [first, second])  # one teller alone, afterwards
    closed = await stage.closed(poll.id)
    assert closed.result is not None
    await blocked(stage, poll.id, "hands 2 waiting")
    last = EntryKey(HANDS, 2, 1)
    for told in (counted, None):
        with pytest.raises(HandsDiffer):
            await answer(stage, poll.id, first, last, hands=told)
    assert await answer(stage, poll.id, first, last, reason="清点不是这个数") is REFUSED
    await blocked(stage, poll.id, "hands 2 refused")
    shown = HandTotals(heads=57, items=forged)
    assert await answer(stage, poll.id, second, last, hands=shown) is REFUSED


async def test_who_has_an_interest_is_named_nowhere(stage: Stage) -> None:
    poll, _ = await stage.lift_poll()
    await print_forms(stage, poll.id, 1, 1)
    async with stage.db.begin() as tx:
        tx.session.add(
            InterestDeclaration(
                topic_id=poll.topic_id,
                person_id=stage.world.id("teller2"),
                community_id=poll.community_id,
                has_interest=True,
                note="亲属住在本单元",
                at=tx.now,
            )
        )
    with pytest.raises(rules.NotImpartial):
        await issue(stage, poll.id, 1, 1, second_staff_id=stage.world.id("teller2"))
    with pytest.raises(rules.NotImpartial):
        async with stage.db.begin(stage.world.as_(*WORKER)) as tx:
            await casting.record_ballot(
                tx,
                poll.id,
                1,
                [(1, ["for"])],
                channel=BallotChannel.ASSISTED,
                consent_note="x",
                helper_id=stage.world.id("grid_worker"),
                witness_id=stage.world.id("teller2"),
            )


async def test_the_named_person_is_told_and_sees_what_is_asked(stage: Stage) -> None:
    poll, _ = await stage.household_poll(8)
    await help_to_vote(stage, poll, 3)
    helper = stage.world.id("resident6")
    async with stage.db.read(Actor(person_id=helper)) as tx:
        told = await tx.session.exec(
            select(JournalEntry).where(JournalEntry.type == "user.countersign_asked")
        )
        (entry,) = told
        asked = await countersigning.read_own(tx, poll.id, after=None, limit=9)
    assert entry.stream == f"user:{helper}"
    assert entry.data == {"poll_id": str(poll.id), "subject": "assisted", "number": 3, "turn": 1}
    assert [(one.key, one.answer) for one in asked] == [(EntryKey(ASSISTED, 3, 1), None)]
    assert asked[0].label is not None
    assert asked[0].at == stage.clock.now
    async with stage.db.read(stage.world.as_(*CLERK)) as tx:
        assert await countersigning.read_own(tx, poll.id, after=None, limit=9) == []


async def test_an_answer_is_never_changed(stage: Stage) -> None:
    poll, _ = await stage.lift_poll()
    await help_to_vote(stage, poll, 3)
    await stage.countersign_all(poll.id)
    for statement in (update(Countersignature).values(reason="改写"), delete(Countersignature)):
        with pytest.raises(IntegrityError):
            async with stage.db.begin() as tx:
                await tx.session.exec(statement)
