"""Tasks 落实事项 are planned: who is responsible, by when, with which money; then work begins."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import col, delete

from consultation.calendar import local_day
from consultation.database import Transaction
from consultation.events.outcomes import TaskOverdue
from consultation.outcomes import queries, task_queries, task_rules
from consultation.outcomes.tables import Milestone, Task
from consultation.outcomes.task_rules import MilestonePlan, TaskPlan, TaskState
from consultation.outcomes.tasks import check_own, task_changed, watch_due_date
from consultation.oversight.evaluation import close_if_ready
from consultation.permissions import Deed
from consultation.topics.documents import Paper
from consultation.topics.lifecycle import advance
from consultation.topics.queries import access_topic
from consultation.topics.states import Act
from consultation.topics.tables import Topic


async def plan_task(
    tx: Transaction, topic_id: UUID, *, plan: TaskPlan, rectification: bool = False
) -> Task:
    """One task, for an adopted item or beside the items. With ``rectification`` it answers a
    survey, while the topic is being evaluated."""
    topic = await access_topic(tx, topic_id, Deed.PLAN_TASKS, lock=True)
    check_own(tx, topic)
    task_rules.check_may_plan(topic.state, rectification=rectification)
    item_id = await _check_plan(tx, topic, plan)

    task = Task(
        id=tx.new_id(),
        community_id=topic.community_id,
        topic_id=topic.id,
        round=topic.round,
        item_id=item_id,
        title=plan.title,
        category=plan.category,
        responsible_org_id=plan.responsible_org_id,
        contact_id=plan.contact_id,
        budget_fen=plan.budget_fen,
        funding_source=plan.funding_source,
        due_on=plan.due_on,
        state=TaskState.PLANNED,
        is_rectification=rectification,
        created_at=tx.now,
    )
    tx.session.add(task)
    await tx.session.flush()
    _add_milestones(tx, task, plan.milestones)
    await watch_due_date(tx, task)
    task_changed(tx, task)
    if rectification:
        await close_if_ready(tx, topic)
    return task


async def replan_task(tx: Transaction, task_id: UUID, *, plan: TaskPlan) -> Task:
    """Put a task right that nobody has begun."""
    task, topic = await task_queries.access_task(tx, task_id, Deed.PLAN_TASKS, lock=True)
    check_own(tx, topic)
    task_rules.check_may_replan(task.state)
    item_id = await _check_plan(tx, topic, plan)

    task.item_id = item_id
    task.title = plan.title
    task.category = plan.category
    task.responsible_org_id = plan.responsible_org_id
    task.contact_id = plan.contact_id
    task.budget_fen = plan.budget_fen
    task.funding_source = plan.funding_source
    task.due_on = plan.due_on
    await tx.session.exec(delete(Milestone).where(col(Milestone.task_id) == task.id))
    _add_milestones(tx, task, plan.milestones)
    await watch_due_date(tx, task)
    task_changed(tx, task)
    return task


async def start_implementation(tx: Transaction, topic_id: UUID, *, text: str) -> Topic:
    """T21: every adopted item has a task with a responsible organisation, a date and money; the
    plan is published."""
    topic = await access_topic(tx, topic_id, Deed.PLAN_TASKS, lock=True)
    check_own(tx, topic)
    await advance(tx, topic, Act.IMPLEMENT, paper=Paper(f"实施计划:{topic.title}", text))
    return topic


async def note_overdue(tx: Transaction, task_id: UUID) -> None:
    """The day after the due date: an open task is overdue, and everybody sees it."""
    task, topic = await task_queries.access_task(tx, task_id, Deed.RUN_SYSTEM, lock=True)
    if not task_rules.is_overdue(task.state, due_on=task.due_on, now=tx.now):
        return
    if task.overdue_since is not None:
        return
    task.overdue_since = tx.now
    tx.emit(
        TaskOverdue(
            community_id=topic.community_id, topic_id=topic.id, task_id=task.id, due_on=task.due_on
        )
    )


async def _check_plan(tx: Transaction, topic: Topic, plan: TaskPlan) -> UUID | None:
    """Refuses a plan that breaks a rule; returns the id of the outcome item it carries out."""
    task_rules.check_dates(plan, today=local_day(tx.now))
    org = await task_queries.organisation_reaching(tx, plan.responsible_org_id, topic)
    if org is None:
        raise task_rules.ResponsibleOrgUnknown()
    if plan.contact_id is not None and not await task_queries.holds_role(
        tx, plan.contact_id, topic.community_id
    ):
        raise task_rules.ContactUnknown()
    task_rules.check_responsible(plan.category, org.kind, funding_source=plan.funding_source)
    if plan.item_number is None:
        return None
    item = await queries.outcome_item(tx, topic, plan.item_number)
    task_rules.check_item_adopted(await queries.decision_on(tx, item.id))
    return item.id


def _add_milestones(tx: Transaction, task: Task, milestones: Sequence[MilestonePlan]) -> None:
    tx.session.add_all(
        Milestone(
            id=tx.new_id(),
            community_id=task.community_id,
            task_id=task.id,
            number=number,
            title=milestone.title,
            due_on=milestone.due_on,
        )
        for number, milestone in enumerate(milestones, start=1)
    )
