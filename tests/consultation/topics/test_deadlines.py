"""Deadlines in Chinese working days, what happens when they pass, and who hears of it."""

from datetime import UTC, datetime, timedelta

import pytest

from consultation.database import Database
from consultation.topics.commands import preparing, routing, screening, system
from consultation.topics.plan import procedure
from consultation.topics.rules import ESCALATION, escalation_times
from consultation.topics.states import State
from tests.conftest import ManualClock
from tests.consultation.topics import story
from tests.consultation.topics.story import CLERK, ENFORCER, SECRETARY, SUPERVISOR
from tests.world import World, a_topic

BEFORE_NATIONAL_DAY = datetime(2026, 9, 30, 1, 0, tzinfo=UTC)  # Wednesday, 09:00 in Shanghai


def midnight_after(year: int, month: int, day: int) -> datetime:
    """The end of a day in Shanghai, as UTC."""
    return datetime(year, month, day, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("state", "last_day"),
    [
        # 1 to 7 October are off; Saturday the 10th is worked in exchange (调休)
        ("submitted", (2026, 10, 15)),
        ("transferred", (2026, 10, 13)),
        ("adoption_pending", (2026, 10, 20)),
        ("adoption_pending_commissioned", (2026, 11, 3)),
        ("returned", (2026, 10, 15)),  # 15 calendar days
    ],
)
def test_working_days_step_over_the_national_day(
    state: str, last_day: tuple[int, int, int]
) -> None:
    due = procedure().deadlines[state].after(BEFORE_NATIONAL_DAY)
    assert due == midnight_after(*last_day)


async def test_an_unanswered_topic_is_overdue_and_reported_ever_higher(
    db: Database, world: World, clock: ManualClock
) -> None:
    clock.now = BEFORE_NATIONAL_DAY
    topic_id = await story.submitted(db, world)
    due = midnight_after(2026, 10, 15)
    assert (await story.topic(db, topic_id)).due_at == due

    clock.now = due - timedelta(seconds=1)
    await story.run_due(db)
    assert (await story.topic(db, topic_id)).overdue_since is None
    for moment, heard in (
        (due, 1),
        (midnight_after(2026, 10, 22) - timedelta(seconds=1), 1),
        (midnight_after(2026, 10, 22), 2),  # five working days later
        (midnight_after(2026, 10, 29), 3),  # ten
        (midnight_after(2026, 11, 30), 3),
    ):
        clock.now = moment
        await story.run_due(db)
        reports = [e for e in await story.journal(db, topic_id) if e.type == "topic.overdue"]
        assert [entry.data["escalated_to"] for entry in reports] == list(ESCALATION[:heard])
    assert (await story.topic(db, topic_id)).overdue_since == due


def test_the_ladder_counts_from_the_last_day_of_the_deadline() -> None:
    due = midnight_after(2026, 3, 20)  # a Friday
    assert escalation_times(due, procedure()) == (
        due,
        midnight_after(2026, 3, 27),
        midnight_after(2026, 4, 3),
    )


async def test_an_answer_ends_the_delay(db: Database, world: World, clock: ManualClock) -> None:
    topic_id = await story.submitted(db, world)
    clock.advance(days=20)
    await story.run_due(db)
    assert (await story.topic(db, topic_id)).overdue_since is not None

    async with db.begin(world.as_(*SECRETARY)) as tx:
        await screening.accept_topic(tx, topic_id, story.OWN_MATTER, note=story.NOTE)
    topic = await story.topic(db, topic_id)
    assert (topic.overdue_since, topic.escalations) == (None, 0)
    assert topic.due_at is not None
    assert topic.due_at > clock.now


async def test_preparing_goes_on_with_the_clock_that_acceptance_started(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic_id = await story.accepted(db, world)
    due = (await story.topic(db, topic_id)).due_at
    assert due == procedure().deadlines["accepted"].after(clock.now)

    clock.advance(days=10)
    async with db.begin(world.as_(*CLERK)) as tx:
        await preparing.prepare_topic(tx, topic_id)
    assert (await story.topic(db, topic_id)).due_at == due  # T8: 15 working days in all
    clock.now = due
    await story.run_due(db)
    assert (await story.topic(db, topic_id)).overdue_since == due


async def test_an_appeal_and_a_transfer_have_clocks_of_their_own(
    db: Database, world: World, clock: ManualClock
) -> None:
    rejected = await story.rejected(db, world)
    assert (await story.topic(db, rejected)).due_at is None
    async with db.begin(world.as_("resident1")) as tx:
        await screening.appeal_rejection(tx, rejected, reason="全楼都受影响")
    due = procedure().periods["appeal_decision"].after(clock.now)
    assert (await story.topic(db, rejected)).due_at == due

    sent = await story.submitted(db, world, by="resident2")
    async with db.begin(world.as_(*SECRETARY)) as tx:
        transfer = await routing.transfer_topic(
            tx, sent, receiver_org_id=world.orgs["enforcement"].id, reason="属城管职责"
        )
    assert transfer.due_at == procedure().deadlines["transferred"].after(clock.now)
    clock.now = max(due, transfer.due_at)
    await story.run_due(db)
    for topic_id in (rejected, sent):
        assert (await story.topic(db, topic_id)).overdue_since is not None
    async with db.begin(world.as_(*SUPERVISOR)) as tx:
        await screening.decide_appeal(tx, rejected, upheld=False, opinion="确属私事")
    async with db.begin(world.as_(*ENFORCER)) as tx:
        await routing.answer_transfer(tx, transfer.id, answer="已处理")
    assert (await story.topic(db, rejected)).overdue_since is None
    after = await story.topic(db, sent)  # now the community owes the author the answer
    assert (after.overdue_since, after.due_at) == (
        None,
        procedure().periods["relay"].after(clock.now),
    )


async def test_handlers_do_nothing_when_the_topic_has_moved_on(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    from consultation.permissions import SYSTEM

    async with db.begin(SYSTEM) as tx:
        await system.open_deliberation(tx, topic.id)
        await system.note_overdue(tx, topic.id)
        assert tx.events == []
    assert await story.state(db, topic.id) is State.DELIBERATING


async def test_a_notice_that_still_runs_opens_nothing(db: Database, world: World) -> None:
    topic_id = await story.announced(db, world)
    from consultation.permissions import SYSTEM

    async with db.begin(SYSTEM) as tx:
        await system.open_deliberation(tx, topic_id)
    assert await story.state(db, topic_id) is State.ANNOUNCED
