"""The work on a task: reported, held up, done, accepted by convener and residents, or ended."""

from datetime import date
from uuid import UUID

from consultation.calendar import local_day
from consultation.database import Transaction
from consultation.outcomes import task_queries, task_rules
from consultation.outcomes.tables import Milestone, ProgressReport, Task
from consultation.outcomes.task_rules import TaskAct
from consultation.outcomes.tasks import task_changed, watch_due_date
from consultation.permissions import Deed, Grant, Role, check
from consultation.topics.tables import Topic


async def report_progress(tx: Transaction, task_id: UUID, *, text: str) -> ProgressReport:
    """What was done since the last report, for everybody to read. The first report begins the
    work."""
    task, _ = await _access_work(tx, task_id)
    return _take(tx, task, TaskAct.REPORT, text)


async def complete_milestone(
    tx: Transaction, task_id: UUID, number: int, *, note: str | None = None
) -> Milestone:
    task, _ = await _access_work(tx, task_id)
    milestone = await task_queries.milestone(tx, task.id, number)
    if milestone.done_at is not None:
        raise task_rules.MilestoneAlreadyDone(number=number)

    milestone.done_at = tx.now
    milestone.note = note
    task_changed(tx, task)
    return milestone


async def block_task(tx: Transaction, task_id: UUID, *, reason: str) -> Task:
    task, _ = await _access_work(tx, task_id)
    _take(tx, task, TaskAct.BLOCK, reason)
    task.blocked_reason = reason
    return task


async def unblock_task(tx: Transaction, task_id: UUID, *, note: str) -> Task:
    task, _ = await _access_work(tx, task_id)
    _take(tx, task, TaskAct.UNBLOCK, note)
    task.blocked_reason = None
    return task


async def mark_task_done(tx: Transaction, task_id: UUID, *, note: str) -> Task:
    """The responsible organisation says that it is done; acceptance says whether it is."""
    task, _ = await _access_work(tx, task_id)
    _take(tx, task, TaskAct.FINISH, note)
    task.done_at = tx.now
    return task


async def end_task(tx: Transaction, task_id: UUID, *, reason: str) -> Task:
    """Give a task up, with a public reason: decided by those who planned it, not by the doer."""
    task, topic = await task_queries.access_task(tx, task_id, Deed.PLAN_TASKS, lock=True)
    _check_own(tx, Deed.PLAN_TASKS, topic.commissioning_org_id)
    task_rules.check_may_work(topic.state, rectification=task.is_rectification)
    _take(tx, task, TaskAct.END, reason)
    task.end_reason = reason
    return task


async def accept_work(tx: Transaction, task_id: UUID) -> Task:
    """The convener and a resident accept, each for themselves; the second makes it accepted."""
    task, _ = await _access_acceptance(tx, task_id)
    task_rules.task_after(task.state, TaskAct.ACCEPT)
    by_convener = tx.standing.role is Role.PARTY_SECRETARY
    own = task.accepted_by_convener_id if by_convener else task.accepted_by_resident_id
    other = task.accepted_by_resident_id if by_convener else task.accepted_by_convener_id
    if own == tx.person_id:
        return task
    if own is not None:
        raise task_rules.WorkAlreadyAccepted()
    if other == tx.person_id:
        raise task_rules.SecondAccepterNeeded()

    if by_convener:
        task.accepted_by_convener_id = tx.person_id
    else:
        task.accepted_by_resident_id = tx.person_id
    if other is not None:
        task.state = task_rules.task_after(task.state, TaskAct.ACCEPT)
        task.accepted_at = tx.now
    task_changed(tx, task)
    return task


async def send_back_work(tx: Transaction, task_id: UUID, *, reason: str, due_on: date) -> Task:
    """Not accepted: to be done again by ``due_on``. Acceptances given before no longer count."""
    task, _ = await _access_acceptance(tx, task_id)
    task_rules.check_not_past(due_on, today=local_day(tx.now))
    _take(tx, task, TaskAct.SEND_BACK, reason)
    task.done_at = None
    task.accepted_by_convener_id = None
    task.accepted_by_resident_id = None
    task.due_on = due_on
    await watch_due_date(tx, task)
    return task


async def _access_work(tx: Transaction, task_id: UUID) -> tuple[Task, Topic]:
    task, topic = await task_queries.access_task(tx, task_id, Deed.REPORT_PROGRESS, lock=True)
    _check_own(tx, Deed.REPORT_PROGRESS, task.responsible_org_id)
    task_rules.check_may_work(topic.state, rectification=task.is_rectification)
    return task, topic


async def _access_acceptance(tx: Transaction, task_id: UUID) -> tuple[Task, Topic]:
    task, topic = await task_queries.access_task(tx, task_id, Deed.ACCEPT_WORK, lock=True)
    task_rules.check_may_work(topic.state, rectification=task.is_rectification)
    return task, topic


def _check_own(tx: Transaction, deed: Deed, org_id: UUID | None) -> None:
    """A role that may do the deed only for its own organisation speaks for that one."""
    if check(deed, tx.standing.role) is Grant.OWN and tx.standing.org_id != org_id:
        raise task_rules.NotYourTask()


def _take(tx: Transaction, task: Task, act: TaskAct, text: str) -> ProgressReport:
    """One step of a task, with the words that everybody may read about it."""
    task.state = task_rules.task_after(task.state, act)
    report = ProgressReport(
        id=tx.new_id(),
        community_id=task.community_id,
        topic_id=task.topic_id,
        task_id=task.id,
        state=task.state,
        text=text,
        by_id=tx.person_id,
        at=tx.now,
    )
    tx.session.add(report)
    task_changed(tx, task)
    return report
