"""Whoever owes a step hears that it is theirs, and once that it is late: the office that a matter
went to, the one that decides an appeal, the one that commissioned it, who answers for a task."""

from datetime import date, timedelta
from uuid import UUID

import pytest

from consultation.calendar import end_of
from consultation.database import Database
from consultation.permissions import Role
from consultation.topics.commands import routing, screening
from consultation.topics.lifecycle import set_deadline
from consultation.topics.states import State
from notifications.audience import AUDIENCE
from notifications.policy import policy
from tests.conftest import ManualClock
from tests.consultation.outcomes import steps
from tests.consultation.topics import story
from tests.consultation.topics.story import ENFORCER
from tests.consultation.topics.test_routing import transferred
from tests.notifications.house import House
from tests.world import World, a_topic


@pytest.fixture
def house(db: Database, world: World, clock: ManualClock) -> House:
    return House(db, clock, world)


async def told(house: House, words: str) -> list[str]:
    """Names of those who have such a notice, each as often as they have it."""
    names = {person.id: name for name, person in house.world.people.items()}
    return sorted(names[one.person_id] for one in await house.notices() if one.words == words)


async def late(house: House, topic_id: UUID) -> None:
    """The step that the topic stands in is due, and more: it is reported to the last body."""
    due = (await story.topic(house.db, topic_id)).due_at
    assert due is not None
    house.clock.now = due + timedelta(days=30)
    await house.later(hours=1)


async def test_an_office_hears_that_a_matter_came_to_it_and_once_that_it_is_late(
    house: House, db: Database, world: World
) -> None:
    await house.give_accounts([world.id("enforcer"), world.id("official")])
    topic_id, transfer_id = await transferred(db, world, "enforcement")
    await house.told()
    assert await told(house, "transfer_received") == ["enforcer"]
    due = (await story.topic(db, topic_id)).due_at
    [notice] = await house.notices(world.id("enforcer"))
    assert due is not None
    assert notice.facts["due_at"] == due.isoformat()

    house.clock.now = due
    await house.later(minutes=1)
    await late(house, topic_id)
    assert await told(house, "duty_overdue") == ["enforcer"]
    await house.later(hours=12)
    assert house.wechat.to(world.id("enforcer")) == ["duty_overdue", "transfer_received"]

    async with db.begin(world.as_(*ENFORCER)) as tx:
        await routing.answer_transfer(tx, transfer_id, answer="已处理")
    await house.told()
    assert await told(house, "transfer_came_back") == ["clerk", "secretary"]
    await late(house, topic_id)  # now the community owes it to the author
    assert await told(house, "duty_overdue") == ["enforcer"]


async def test_what_is_given_back_is_told_to_who_sent_it_and_then_to_the_next_office(
    house: House, db: Database, world: World
) -> None:
    topic_id, transfer_id = await transferred(db, world, "enforcement")
    async with db.begin(world.as_(*ENFORCER)) as tx:
        await routing.give_back_transfer(tx, transfer_id, reason="不属本局职责")
    await house.told()
    assert await told(house, "transfer_received") == []  # it waits for nobody there any more
    assert await told(house, "transfer_came_back") == ["clerk", "secretary"]
    async with db.begin(world.as_(*story.SECRETARY)) as tx:
        await routing.transfer_topic(
            tx, topic_id, receiver_org_id=world.orgs["subdistrict_office"].id, reason="改派街道"
        )
    await house.told()
    assert await told(house, "transfer_received") == ["official"]


async def test_who_decides_an_appeal_hears_of_it_the_office_like_the_committee(
    house: House, db: Database, world: World
) -> None:
    topic_id = await story.rejected(db, world)
    async with db.begin(world.as_("resident1")) as tx:
        await screening.appeal_rejection(tx, topic_id, reason="全楼都受影响")
    await house.told()
    assert await told(house, "appeal_made") == ["official", "supervisor"]
    await late(house, topic_id)
    assert await told(house, "duty_overdue") == ["official"]


async def test_bodies_above_hear_of_what_is_late_in_their_turn(
    house: House, db: Database, world: World
) -> None:
    topic_id = await story.submitted(db, world)
    due = (await story.topic(db, topic_id)).due_at
    assert due is not None
    house.clock.now = due
    await house.later(minutes=1)
    assert await told(house, "topic_overdue") == ["clerk", "secretary", "supervisor"]
    await late(house, topic_id)
    heard = await told(house, "topic_overdue")
    assert sorted({*heard}) == ["clerk", "inspector", "official", "secretary", "supervisor"]
    assert (heard.count("official"), heard.count("inspector")) == (1, 1)


@pytest.mark.parametrize(
    ("state", "commissioned", "owes"),
    [
        (State.ADOPTION_PENDING, False, ["deputy"]),
        (State.DELIBERATING, False, ["deputy"]),
        (State.ADOPTED, True, ["official"]),
        (State.FEEDBACK, True, ["official"]),
        (State.FEEDBACK, False, []),
    ],
)
async def test_who_owes_a_step_beside_the_convener_hears_once_that_it_is_late(
    house: House, db: Database, world: World, state: State, commissioned: bool, owes: list[str]
) -> None:
    office = world.orgs["subdistrict_office"].id if commissioned else None
    topic = await a_topic(db, world, state=state, commissioning_org_id=office)
    async with db.begin() as tx:
        row = await tx.session.merge(topic)
        await tx.session.refresh(row)
        await set_deadline(tx, row, tx.now + timedelta(days=3))
    await late(house, topic.id)
    assert await told(house, "duty_overdue") == owes


async def test_who_answers_for_a_task_hears_once_that_it_is_late(
    house: House, db: Database, world: World, clock: ManualClock
) -> None:
    due = date(2026, 4, 30)
    await steps.implementing(db, world, due_on=due, contact_id=world.id("grid_worker"))
    await house.give_accounts([world.id("company")])
    await house.told()
    house.clock.now = end_of(due)
    await house.later(minutes=1)
    await house.later(days=1)

    # one task each: the second is due on the same day and has no contact
    assert await told(house, "own_task_overdue") == ["company", "company", "grid_worker"]
    assert set(await told(house, "task_overdue")) == {"clerk", "secretary", "supervisor"}
    steps_of = [step.channel for step in policy().chains["told"].steps]
    deliveries = await house.deliveries(world.id("company"))
    assert {channel for channel, _ in deliveries} == set(steps_of)


def test_whoever_may_report_on_a_task_is_told_of_its_own() -> None:
    [row] = [one for one in AUDIENCE["task.overdue"] if one.words == "own_task_overdue"]
    assert {Role.PROPERTY_COMPANY, Role.OWNERS_COMMITTEE, Role.GOVERNMENT, Role.CLERK} <= row.roles
