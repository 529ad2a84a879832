from datetime import date, timedelta

import pytest
from sqlmodel import select

from consultation.database import Database, statements
from consultation.events.outcomes import TaskOverdue
from consultation.outcomes import task_queries, task_rules
from consultation.outcomes.commands import tasks, work
from consultation.outcomes.rules import Decision
from consultation.outcomes.tables import Milestone, Task
from consultation.outcomes.task_rules import MilestonePlan, TaskCategory, TaskState
from consultation.permissions import SYSTEM, Role
from consultation.refusals import NotFound, NotPermitted
from consultation.topics.gates.gate import GateNotMet
from consultation.topics.states import DocumentKind, State
from consultation.topics.tables import Document, Topic
from tests.conftest import ManualClock
from tests.consultation.outcomes.steps import (
    CLERK,
    COMPANY,
    OFFICIAL,
    PARTY,
    Who,
    a_plan,
    adopted,
    commissioned,
    implementing,
    plan,
    reply,
    run_due,
    sign,
    stand,
    topic_now,
    with_outcome,
)
from tests.world import World


async def start(db: Database, world: World, topic: Topic, who: Who = CLERK) -> None:
    async with db.begin(world.as_(*who)) as tx:
        await tasks.start_implementation(tx, topic.id, text="实施计划")


async def test_work_begins_when_every_adopted_item_has_a_task_with_its_money(
    db: Database, world: World
) -> None:
    topic = await adopted(db, world)
    with pytest.raises(GateNotMet) as nothing:
        await start(db, world, topic)
    await plan(db, world, topic)
    with pytest.raises(GateNotMet) as half:
        await start(db, world, topic)
    unfunded = await plan(db, world, topic, item_number=2, funding_source="")
    with pytest.raises(GateNotMet) as incomplete:
        await start(db, world, topic)
    async with db.begin(world.as_(*CLERK)) as tx:
        await tasks.replan_task(tx, unfunded.id, plan=a_plan(world, item_number=2))
    await start(db, world, topic)

    assert nothing.value.facts["missing"] == ["tasks"]
    assert half.value.facts["missing"] == ["tasks"]
    assert incomplete.value.facts["missing"] == ["complete"]
    assert (await topic_now(db, topic.id)).state is State.IMPLEMENTING
    async with db.read() as tx:
        published = await tx.session.exec(
            select(Document).where(Document.kind == DocumentKind.IMPLEMENTATION_PLAN)
        )
        assert [document.public for document in published] == [True]


async def test_only_adopted_items_get_tasks(db: Database, world: World) -> None:
    topic = await adopted(db, world, Decision.ADOPTED, Decision.NOT_ADOPTED)
    with pytest.raises(task_rules.ItemNotAdopted):
        await plan(db, world, topic, item_number=2)
    with pytest.raises(NotFound):
        await plan(db, world, topic, item_number=9)
    await plan(db, world, topic)
    await plan(db, world, topic, item_number=None, title="另作宣传")
    await start(db, world, topic)


async def test_a_partly_adopted_item_needs_its_task_too(db: Database, world: World) -> None:
    topic = await adopted(db, world, Decision.ADOPTED, Decision.PARTIALLY_ADOPTED)
    await plan(db, world, topic)
    with pytest.raises(GateNotMet):
        await start(db, world, topic)
    await plan(db, world, topic, item_number=2)
    await start(db, world, topic)


async def test_a_government_duty_goes_to_an_agency_and_to_nobody_else(
    db: Database, world: World
) -> None:
    topic = await adopted(db, world)
    for category in sorted(task_rules.GOVERNMENT_DUTIES):
        for org in ("committee", "party_org", "property_company"):
            with pytest.raises(task_rules.ResponsibleOrgNotAllowed):
                await plan(
                    db, world, topic, category=category, responsible_org_id=world.orgs[org].id
                )
        agency = world.orgs["enforcement"].id
        task = await plan(db, world, topic, category=category, responsible_org_id=agency)
        assert task.state is TaskState.PLANNED


async def test_assisting_government_without_money_is_refused_at_once(
    db: Database, world: World
) -> None:
    topic = await adopted(db, world)
    with pytest.raises(task_rules.FundingSourceRequired):
        await plan(
            db,
            world,
            topic,
            category=TaskCategory.ASSIST_GOVERNMENT,
            responsible_org_id=world.orgs["committee"].id,
            funding_source="",
        )


async def test_who_is_responsible_belongs_here_and_the_contact_holds_a_role(
    db: Database, world: World
) -> None:
    topic = await adopted(db, world)
    with pytest.raises(task_rules.ResponsibleOrgUnknown):
        await plan(db, world, topic, responsible_org_id=world.id("clerk"))
    with pytest.raises(task_rules.ContactUnknown):
        await plan(db, world, topic, contact_id=world.id("neighbour"))
    task = await plan(db, world, topic, contact_id=world.id("grid_worker"))
    assert task.contact_id == world.id("grid_worker")


async def test_dates_lie_ahead_and_milestones_before_the_end(db: Database, world: World) -> None:
    topic = await adopted(db, world)
    past, due, late = date(2026, 3, 10), date(2026, 4, 30), date(2026, 5, 1)
    with pytest.raises(task_rules.DateNotPossible):
        await plan(db, world, topic, due_on=past)
    for day in (past, late):
        with pytest.raises(task_rules.DateNotPossible):
            await plan(db, world, topic, milestones=[MilestonePlan(title="开工", due_on=day)])
    task = await plan(db, world, topic, milestones=[MilestonePlan(title="开工", due_on=due)])
    async with db.read() as tx:
        kept = (await tx.session.exec(select(Milestone))).all()
    assert [(m.task_id, m.number, m.title) for m in kept] == [(task.id, 1, "开工")]


async def test_who_may_not_plan(db: Database, world: World) -> None:
    topic = await adopted(db, world)
    for who in (("resident1", None), OFFICIAL, COMPANY, ("grid_worker", Role.GRID_WORKER)):
        async with db.begin(world.as_(*who)) as tx:
            with pytest.raises(NotPermitted):
                await tasks.plan_task(tx, topic.id, plan=a_plan(world))


async def test_the_commissioner_plans_what_it_commissioned(db: Database, world: World) -> None:
    topic = await commissioned(db, world, State.ADOPTION_PENDING)
    for number in (1, 2):
        await reply(db, world, topic, number, who=OFFICIAL)
    await sign(db, world, topic, OFFICIAL)
    async with db.begin(world.as_("enforcer", Role.GOVERNMENT)) as tx:
        with pytest.raises(task_rules.NotYourTask):
            await tasks.plan_task(tx, topic.id, plan=a_plan(world))
    for number in (1, 2):
        async with db.begin(world.as_(*OFFICIAL)) as tx:
            await tasks.plan_task(tx, topic.id, plan=a_plan(world, item_number=number))
    await start(db, world, topic, OFFICIAL)
    assert (await topic_now(db, topic.id)).state is State.IMPLEMENTING


async def test_tasks_are_planned_once_adopted_and_before_the_end(
    db: Database, world: World
) -> None:
    topic = await with_outcome(db, world)
    for state in (State.ADOPTION_PENDING, State.NOT_ADOPTED, State.FEEDBACK, State.CLOSED):
        await stand(db, topic.id, state)
        with pytest.raises(task_rules.TasksNotNow):
            await plan(db, world, topic)


async def test_a_rectification_belongs_to_the_evaluation(db: Database, world: World) -> None:
    topic = await with_outcome(db, world, State.IMPLEMENTING)
    rectify = a_plan(world, item_number=None)
    async with db.begin(world.as_(*CLERK)) as tx:
        with pytest.raises(task_rules.TasksNotNow):
            await tasks.plan_task(tx, topic.id, plan=rectify, rectification=True)
    await stand(db, topic.id, State.EVALUATING)
    async with db.begin(world.as_(*CLERK)) as tx:
        task = await tasks.plan_task(tx, topic.id, plan=rectify, rectification=True)
    await stand(db, topic.id, State.CLOSED)
    async with db.begin(world.as_(*CLERK)) as tx:
        await work.report_progress(tx, task.id, text="排水沟已清")  # it outlives the close


async def test_a_task_begun_is_not_planned_anew(db: Database, world: World) -> None:
    _, task, _ = await implementing(db, world)
    async with db.begin(world.as_(*CLERK)) as tx:
        await work.report_progress(tx, task.id, text="开工")
    async with db.begin(world.as_(*PARTY)) as tx:
        with pytest.raises(task_rules.TaskStepNotAllowed):
            await tasks.replan_task(tx, task.id, plan=a_plan(world))


async def test_an_open_task_is_overdue_the_day_after(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic, late, done = await implementing(db, world, due_on=date(2026, 3, 20))
    async with db.begin(world.as_(*CLERK)) as tx:
        await work.mark_task_done(tx, done.id, note="完成")
    clock.now += timedelta(days=8, hours=23)  # still the 20th in Shanghai, 08:00
    await run_due(db)
    assert (await read(db, late)).overdue_since is None
    clock.advance(days=1)
    await run_due(db)

    assert (await read(db, late)).overdue_since == clock.now
    assert (await read(db, done)).overdue_since is None
    async with db.read() as tx:
        views = await task_queries.task_views(tx, topic, after=None, limit=10)
    assert {view.task.id: view.task.overdue_since is not None for view in views} == {
        late.id: True,
        done.id: False,
    }


async def test_lateness_is_told_once_and_a_new_plan_begins_afresh(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic = await adopted(db, world)
    task = await plan(db, world, topic, due_on=date(2026, 3, 20))
    clock.advance(days=10)
    await run_due(db)
    async with db.begin(SYSTEM) as tx:
        await tasks.note_overdue(tx, task.id)
        assert not [event for event in tx.events if isinstance(event, TaskOverdue)]
    async with db.begin(world.as_(*CLERK)) as tx:
        await tasks.replan_task(tx, task.id, plan=a_plan(world, due_on=date(2026, 3, 25)))
    assert (await read(db, task)).overdue_since is None
    clock.advance(days=5)
    await run_due(db)
    assert (await read(db, task)).overdue_since == clock.now


async def read(db: Database, task: Task) -> Task:
    async with db.read() as tx:
        return await tx.session.get_one(Task, task.id)


async def test_listing_tasks_costs_the_same_for_one_and_for_many(
    db: Database, world: World
) -> None:
    topic = await adopted(db, world)
    counts = []
    for _ in range(2):
        for number in range(3):
            await plan(db, world, topic, title=f"事项{number}")
        counter = [0]
        token = statements.set(counter)
        async with db.read() as tx:
            await task_queries.task_views(tx, topic, after=None, limit=50)
        statements.reset(token)
        counts.append(counter[0])
    assert counts[0] == counts[1]
