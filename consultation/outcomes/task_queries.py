"""The one place for SQL on tasks, their progress and their accounts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import and_, col, func, or_, select

from consultation.community.queries import runs_now
from consultation.community.tables import Node, Organisation, RoleAssignment
from consultation.database import Transaction
from consultation.outcomes.tables import Milestone, OutcomeItem, ProgressReport, Spending, Task
from consultation.outcomes.task_rules import SpendingKind
from consultation.paging import TimeKey, comes_after
from consultation.permissions import Deed
from consultation.refusals import NotFound
from consultation.topics.queries import access_topic
from consultation.topics.tables import Topic


async def holds_role(tx: Transaction, person_id: UUID, community_id: UUID) -> bool:
    """Holds some role now in the community."""
    found = await tx.session.exec(
        select(RoleAssignment.id).where(
            RoleAssignment.person_id == person_id,
            RoleAssignment.community_id == community_id,
            runs_now(tx),
        )
    )
    return found.first() is not None


async def organisation_reaching(tx: Transaction, org_id: UUID, topic: Topic) -> Organisation | None:
    """The organisation, if it belongs to the topic's community or to a level above it."""
    found = await tx.session.exec(
        select(Organisation, Node.path)
        .join(Node, col(Node.id) == col(Organisation.node_id))
        .where(Organisation.id == org_id)
    )
    row = found.first()
    if row is None:
        return None
    org, path = row
    reaches = org.community_id == topic.community_id or topic.node_path.startswith(path)
    return org if reaches else None


async def access_task(
    tx: Transaction, task_id: UUID, deed: Deed, *, lock: bool = False
) -> tuple[Task, Topic]:
    """The task and its topic, if the actor may do ``deed`` on it. ``lock`` takes the topic's lock,
    which guards its tasks too."""
    found = await tx.session.exec(select(Task.topic_id).where(Task.id == task_id))
    topic_id = found.first()
    if topic_id is None:
        raise NotFound(what="task")
    topic = await access_topic(tx, topic_id, deed, lock=lock)
    task = (await tx.session.exec(select(Task).where(Task.id == task_id))).one()
    return task, topic


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task as it is shown: who is responsible, for which item, what has been spent."""

    task: Task
    responsible: str
    item_number: int | None
    paid_fen: int
    refunded_fen: int
    milestones: list[Milestone]


async def task_views(
    tx: Transaction, topic: Topic, *, after: TimeKey | None, limit: int
) -> list[TaskView]:
    """Tasks of a topic in all its rounds, first planned first, in two statements."""
    where = [col(Task.topic_id) == topic.id]
    if after is not None:
        where.append(comes_after(after, Task.created_at, Task.id))
    return await _task_views(tx, *where, limit=limit)


async def task_view(tx: Transaction, task_id: UUID) -> TaskView:
    return (await _task_views(tx, Task.id == task_id, limit=1))[0]


async def _task_views(tx: Transaction, *where: object, limit: int) -> list[TaskView]:
    def spent(kind: SpendingKind) -> object:
        return (
            select(func.coalesce(func.sum(Spending.amount_fen), 0))
            .where(Spending.task_id == Task.id, Spending.kind == kind)
            .correlate(Task)
            .scalar_subquery()
        )

    found = await tx.session.exec(
        select(  # type: ignore[call-overload]
            Task,
            Organisation.name,
            OutcomeItem.number,
            spent(SpendingKind.PAID),
            spent(SpendingKind.REFUNDED),
        )
        .join(Organisation, col(Organisation.id) == col(Task.responsible_org_id))
        .outerjoin(OutcomeItem, col(OutcomeItem.id) == col(Task.item_id))
        .where(*where)
        .order_by(col(Task.created_at), col(Task.id))
        .limit(limit)
    )
    rows = found.all()
    milestones: dict[UUID, list[Milestone]] = {row[0].id: [] for row in rows}
    if milestones:
        for milestone in await tx.session.exec(
            select(Milestone)
            .where(col(Milestone.task_id).in_(milestones))
            .order_by(col(Milestone.number))
        ):
            milestones[milestone.task_id].append(milestone)
    return [
        TaskView(task, name, number, int(paid), int(refunded), milestones[task.id])
        for task, name, number, paid, refunded in rows
    ]


async def milestone(tx: Transaction, task_id: UUID, number: int) -> Milestone:
    found = await tx.session.exec(
        select(Milestone).where(Milestone.task_id == task_id, Milestone.number == number)
    )
    row = found.first()
    if row is None:
        raise NotFound(what="milestone")
    return row


async def spent_fen(tx: Transaction, task_id: UUID, kind: SpendingKind) -> int:
    found = await tx.session.exec(
        select(func.coalesce(func.sum(Spending.amount_fen), 0)).where(
            Spending.task_id == task_id, Spending.kind == kind
        )
    )
    return int(found.one())


async def progress_of(
    tx: Transaction, task_id: UUID, *, before: tuple[datetime, UUID] | None, limit: int
) -> Sequence[ProgressReport]:
    """Reports on a task, newest first."""
    statement = select(ProgressReport).where(ProgressReport.task_id == task_id)
    if before is not None:
        at, id = before
        statement = statement.where(
            or_(
                col(ProgressReport.at) < at,
                and_(col(ProgressReport.at) == at, col(ProgressReport.id) < id),
            )
        )
    found = await tx.session.exec(
        statement.order_by(col(ProgressReport.at).desc(), col(ProgressReport.id).desc()).limit(
            limit
        )
    )
    return found.all()


async def progress_of_topic(
    tx: Transaction, topic_id: UUID, *, limit: int
) -> Sequence[ProgressReport]:
    """Reports on all tasks of a topic, newest first."""
    found = await tx.session.exec(
        select(ProgressReport)
        .where(ProgressReport.topic_id == topic_id)
        .order_by(col(ProgressReport.at).desc(), col(ProgressReport.id).desc())
        .limit(limit)
    )
    return found.all()


async def spending_of(
    tx: Transaction, task_id: UUID, *, after: TimeKey | None, limit: int
) -> Sequence[Spending]:
    """Entries of a task's accounts in the order in which they were made."""
    statement = select(Spending).where(Spending.task_id == task_id)
    if after is not None:
        statement = statement.where(comes_after(after, Spending.at, Spending.id))
    found = await tx.session.exec(
        statement.order_by(col(Spending.at), col(Spending.id)).limit(limit)
    )
    return found.all()
