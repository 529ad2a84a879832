"""What goes for every command that plans work or changes a task."""

from consultation.calendar import end_of
from consultation.database import Transaction
from consultation.events.outcomes import TaskChanged
from consultation.jobs import JobKind, schedule
from consultation.outcomes.tables import Task
from consultation.outcomes.task_rules import NotYourTask
from consultation.permissions import Deed, Grant, check
from consultation.topics.tables import Topic


def check_own(tx: Transaction, topic: Topic) -> None:
    """Government plans what it has commissioned and nothing else. Refuses with NotYourTask."""
    grant = check(Deed.PLAN_TASKS, tx.standing.role)
    if grant is Grant.OWN and topic.commissioning_org_id != tx.standing.org_id:
        raise NotYourTask()


def task_changed(tx: Transaction, task: Task) -> None:
    tx.emit(
        TaskChanged(
            community_id=task.community_id,
            topic_id=task.topic_id,
            task_id=task.id,
            state=task.state.value,
        )
    )


async def watch_due_date(tx: Transaction, task: Task) -> None:
    """The due date is new: the task is late no more, and looked at again when that day is over."""
    task.overdue_since = None
    await schedule(
        tx,
        JobKind.TASK_OVERDUE,
        task.id,
        end_of(task.due_on),
        community_id=task.community_id,
        occasion=task.due_on.isoformat(),
    )
