"""What a change of a task brings with it, whichever command made it."""

from consultation.calendar import end_of
from consultation.database import Transaction
from consultation.events.outcomes import TaskChanged
from consultation.jobs import JobKind, schedule
from consultation.outcomes.tables import Task


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
