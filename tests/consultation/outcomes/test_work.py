from datetime import date, timedelta
from uuid import uuid4

import pytest
from sqlmodel import select

from consultation.community.tables import Residence, ResidenceKind
from consultation.database import Database
from consultation.outcomes import task_queries, task_rules
from consultation.outcomes.commands import accounts, work
from consultation.outcomes.tables import ProgressReport, Spending, Task
from consultation.outcomes.task_rules import MilestonePlan, SpendingKind, TaskState
from consultation.permissions import Role
from consultation.refusals import NotFound, NotPermitted
from consultation.topics.states import State
from tests.conftest import ManualClock
from tests.consultation.outcomes.steps import (
    CLERK,
    COMPANY,
    OFFICIAL,
    PARTY,
    Who,
    accept,
    end,
    finish,
    implementing,
    run_due,
    stand,
)
from tests.world import World

RESIDENT: Who = ("resident3", None)


async def read(db: Database, task: Task) -> Task:
    async with db.read() as tx:
        return await tx.session.get_one(Task, task.id)


async def reports(db: Database, task: Task) -> list[tuple[TaskState, str]]:
    async with db.read() as tx:
        found = await tx.session.exec(
            select(ProgressReport).where(ProgressReport.task_id == task.id)
        )
        return sorted((report.state, report.text) for report in found)


async def test_every_step_of_the_work_can_be_read_by_everybody(db: Database, world: World) -> None:
    _, task, _ = await implementing(db, world)
    who = world.as_(*CLERK)
    async with db.begin(who) as tx:
        await work.report_progress(tx, task.id, text="合同已签")
    async with db.begin(who) as tx:
        await work.block_task(tx, task.id, reason="连日下雨")
    assert (await read(db, task)).blocked_reason == "连日下雨"
    async with db.begin(who) as tx:
        await work.unblock_task(tx, task.id, note="天晴复工")
    assert (await read(db, task)).blocked_reason is None
    async with db.begin(who) as tx:
        await work.mark_task_done(tx, task.id, note="完工")

    assert await reports(db, task) == [
        (TaskState.BLOCKED, "连日下雨"),
        (TaskState.DONE, "完工"),
        (TaskState.IN_PROGRESS, "合同已签"),
        (TaskState.IN_PROGRESS, "天晴复工"),
    ]


async def test_who_reports_on_the_work(db: Database, world: World) -> None:
    _, task, _ = await implementing(db, world)
    for who in (COMPANY, CLERK, PARTY, ("grid_worker", Role.GRID_WORKER)):
        async with db.begin(world.as_(*who)) as tx:
            await work.report_progress(tx, task.id, text=who[0])
    assert [text for _, text in await reports(db, task)] == [
        "clerk",
        "company",
        "grid_worker",
        "secretary",
    ]


async def test_who_does_not_report_on_the_work(db: Database, world: World) -> None:
    _, task, _ = await implementing(db, world)
    for who in (
        ("owners_chair", Role.OWNERS_COMMITTEE),  # not the responsible organisation
        OFFICIAL,
        ("resident1", None),
        ("supervisor", Role.SUPERVISOR),
    ):
        async with db.begin(world.as_(*who)) as tx:
            with pytest.raises(NotPermitted):
                await work.report_progress(tx, task.id, text="已开工")
            with pytest.raises(NotPermitted):
                await accounts.record_spending(
                    tx,
                    task.id,
                    kind=SpendingKind.PAID,
                    amount_fen=1,
                    purpose="材料",
                    on=date(2026, 3, 11),
                )


async def test_a_milestone_is_reached_once(db: Database, world: World, clock: ManualClock) -> None:
    milestone = MilestonePlan(title="图纸", due_on=date(2026, 4, 1))
    _, task, _ = await implementing(db, world, milestones=[milestone])
    async with db.begin(world.as_(*COMPANY)) as tx:
        row = await work.complete_milestone(tx, task.id, 1, note="已审图")
    assert (row.done_at, row.note) == (clock.now, "已审图")
    async with db.begin(world.as_(*COMPANY)) as tx:
        with pytest.raises(task_rules.MilestoneAlreadyDone):
            await work.complete_milestone(tx, task.id, 1)
        with pytest.raises(NotFound):
            await work.complete_milestone(tx, task.id, 2)


async def test_convener_and_resident_accept_together_in_either_order(
    db: Database, world: World, clock: ManualClock
) -> None:
    _, *both = await implementing(db, world)
    for task, first, second in zip(both, (PARTY, RESIDENT), (RESIDENT, PARTY), strict=True):
        await finish(db, world, task)
        await accept(db, world, task, first, first)  # twice is as good as once
        assert (await read(db, task)).state is TaskState.DONE
        await accept(db, world, task, second)

        done = await read(db, task)
        assert (done.state, done.accepted_at) == (TaskState.ACCEPTED, clock.now)
        assert done.accepted_by_convener_id == world.id("secretary")
        assert done.accepted_by_resident_id == world.id("resident3")


async def test_one_person_cannot_accept_for_both(db: Database, world: World) -> None:
    async with db.begin() as tx:  # the secretary lives here, too
        tx.session.add(
            Residence(
                id=uuid4(),
                person_id=world.id("secretary"),
                community_id=world.community.id,
                kind=ResidenceKind.OWNER,
                level=2,
                created_at=tx.now,
            )
        )
    _, task, _ = await implementing(db, world)
    await finish(db, world, task)
    await accept(db, world, task, PARTY)
    with pytest.raises(task_rules.SecondAccepterNeeded):
        await accept(db, world, task, ("secretary", None))


async def test_one_side_accepts_once(db: Database, world: World) -> None:
    _, task, _ = await implementing(db, world)
    await finish(db, world, task)
    await accept(db, world, task, RESIDENT)
    with pytest.raises(task_rules.WorkAlreadyAccepted):
        await accept(db, world, task, ("representative", Role.REPRESENTATIVE))


async def test_who_does_not_accept(db: Database, world: World) -> None:
    _, task, _ = await implementing(db, world)
    await finish(db, world, task)
    for who in (CLERK, COMPANY, ("visitor", None), ("neighbour", None)):
        with pytest.raises(NotPermitted):
            await accept(db, world, task, who)


async def test_work_that_is_not_done_is_not_accepted(db: Database, world: World) -> None:
    _, task, _ = await implementing(db, world)
    with pytest.raises(task_rules.TaskStepNotAllowed):
        await accept(db, world, task, PARTY)


async def test_work_sent_back_has_a_new_date_and_loses_its_acceptance(
    db: Database, world: World, clock: ManualClock
) -> None:
    _, task, _ = await implementing(db, world)
    await finish(db, world, task)
    await accept(db, world, task, PARTY)
    async with db.begin(world.as_(*RESIDENT)) as tx:
        with pytest.raises(task_rules.DateNotPossible):
            await work.send_back_work(tx, task.id, reason="漏水", due_on=date(2026, 3, 10))
        await work.send_back_work(tx, task.id, reason="漏水", due_on=date(2026, 3, 13))

    again = await read(db, task)
    assert again.state is TaskState.REDO
    assert (again.done_at, again.accepted_by_convener_id) == (None, None)
    assert (TaskState.REDO, "漏水") in await reports(db, task)
    clock.now += timedelta(days=3)
    await run_due(db)
    assert (await read(db, task)).overdue_since == clock.now


async def test_a_task_is_ended_with_a_reason_by_those_who_planned_it(
    db: Database, world: World
) -> None:
    _, task, _ = await implementing(db, world)
    async with db.begin(world.as_(*COMPANY)) as tx:
        with pytest.raises(NotPermitted):
            await work.end_task(tx, task.id, reason="不想做")
    await end(db, world, task)
    ended = await read(db, task)
    assert (ended.state, ended.end_reason) == (TaskState.ENDED, "业主撤回,不再需要")


async def test_work_is_reported_while_the_topic_is_carried_out_and_accounts_a_little_longer(
    db: Database, world: World
) -> None:
    topic, task, _ = await implementing(db, world)
    for state in (State.ADOPTED, State.FEEDBACK, State.CLOSED):
        await stand(db, topic.id, state)
        async with db.begin(world.as_(*CLERK)) as tx:
            with pytest.raises(task_rules.TasksNotNow):
                await work.report_progress(tx, task.id, text="开工")
        if state is State.FEEDBACK:
            await spend(db, world, task, 100)
        else:
            with pytest.raises(task_rules.TasksNotNow):
                await spend(db, world, task, 100)


async def spend(
    db: Database, world: World, task: Task, fen: int, kind: SpendingKind = SpendingKind.PAID
) -> None:
    async with db.begin(world.as_(*COMPANY)) as tx:
        await accounts.record_spending(
            tx, task.id, kind=kind, amount_fen=fen, purpose="材料", on=date(2026, 3, 11)
        )


async def test_accounts_add_up_and_are_corrected_by_negative_entries(
    db: Database, world: World
) -> None:
    _, task, _ = await implementing(db, world)
    await spend(db, world, task, 90_050)
    await spend(db, world, task, -50)
    await spend(db, world, task, 6_000, SpendingKind.REFUNDED)
    for fen, kind in (
        (0, SpendingKind.PAID),
        (-90_001, SpendingKind.PAID),
        (-6_001, SpendingKind.REFUNDED),
    ):
        with pytest.raises(task_rules.SpendingNotPossible):
            await spend(db, world, task, fen, kind)

    async with db.read() as tx:
        view = await task_queries.task_view(tx, task.id)
        entries = (await tx.session.exec(select(Spending))).all()
    assert (view.paid_fen, view.refunded_fen, len(entries)) == (90_000, 6_000, 3)


async def test_nothing_is_spent_tomorrow(db: Database, world: World) -> None:
    _, task, _ = await implementing(db, world)
    async with db.begin(world.as_(*CLERK)) as tx:
        with pytest.raises(task_rules.DateNotPossible):
            await accounts.record_spending(
                tx,
                task.id,
                kind=SpendingKind.PAID,
                amount_fen=1,
                purpose="材料",
                on=date(2026, 3, 12),
            )
