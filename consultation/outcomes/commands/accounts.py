"""The accounts of a task: every fen paid or given back, entered once and never changed."""

from datetime import date
from uuid import UUID

from consultation.calendar import local_day
from consultation.database import Transaction
from consultation.events.outcomes import SpendingRecorded
from consultation.outcomes import task_queries, task_rules
from consultation.outcomes.tables import Spending
from consultation.outcomes.task_rules import SpendingKind
from consultation.permissions import Deed, Grant, check


async def record_spending(
    tx: Transaction, task_id: UUID, *, kind: SpendingKind, amount_fen: int, purpose: str, on: date
) -> Spending:
    """One entry, in fen. A negative amount corrects an earlier entry of the same kind; the reason
    stands in ``purpose``."""
    task, topic = await task_queries.access_task(tx, task_id, Deed.REPORT_PROGRESS, lock=True)
    grant = check(Deed.REPORT_PROGRESS, tx.standing.role)
    if grant is Grant.OWN and task.responsible_org_id != tx.standing.org_id:
        raise task_rules.NotYourTask()
    task_rules.check_may_account(topic.state, rectification=task.is_rectification)
    task_rules.check_not_future(on, today=local_day(tx.now))
    recorded = await task_queries.spent_fen(tx, task.id, kind)
    task_rules.check_spending(recorded, amount_fen)

    entry = Spending(
        id=tx.new_id(),
        community_id=task.community_id,
        topic_id=task.topic_id,
        task_id=task.id,
        kind=kind,
        amount_fen=amount_fen,
        purpose=purpose,
        on=on,
        by_id=tx.person_id,
        at=tx.now,
    )
    tx.session.add(entry)
    tx.emit(
        SpendingRecorded(
            community_id=task.community_id,
            topic_id=task.topic_id,
            task_id=task.id,
            kind=kind.value,
            total_fen=recorded + amount_fen,
        )
    )
    return entry
