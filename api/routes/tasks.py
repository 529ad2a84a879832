"""Tasks 落实事项 and the work on them: planned, reported, accepted; with their accounts."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import Field

from api.dependencies import AnyActor, CurrentActor, Db
from api.idempotency import Once
from api.pagination import CursorParam, Limit, Page, read_time_cursor, time_cursor
from api.routes.outcomes import TopicStateOut, topic_state
from api.wire import WireIn, WireOut
from consultation.database import Transaction
from consultation.outcomes import task_queries as queries
from consultation.outcomes.commands import accounts, tasks, work
from consultation.outcomes.task_queries import TaskView
from consultation.outcomes.task_rules import (
    OPEN_TASKS,
    SpendingKind,
    TaskCategory,
    TaskPlan,
    TaskState,
)
from consultation.permissions import Deed
from consultation.topics.queries import access_topic

router = APIRouter(prefix="/v1", tags=["tasks"])

MilestoneNumber = Annotated[int, Path(ge=1, le=20)]


class TaskIn(TaskPlan):
    """``rectification`` answers a satisfaction survey while the topic is being evaluated."""

    rectification: bool = False


class MilestoneOut(WireOut):
    number: int
    title: str
    due_on: date
    done_at: datetime | None
    note: str | None


class TaskOut(WireOut):
    """Money in fen; ``refunded_fen`` went back to the source. ``overdue_since`` shows to everybody
    while the task is open. Acceptance needs the convener and a resident."""

    id: UUID
    topic_id: UUID
    round: int
    item_number: int | None
    title: str
    category: TaskCategory
    responsible_org_id: UUID
    responsible: str
    budget_fen: int
    funding_source: str
    paid_fen: int
    refunded_fen: int
    due_on: date
    overdue_since: datetime | None
    state: TaskState
    blocked_reason: str | None
    end_reason: str | None
    done_at: datetime | None
    accepted_by_convener: bool
    accepted_by_resident: bool
    accepted_at: datetime | None
    rectification: bool
    milestones: list[MilestoneOut]


class ImplementationIn(WireIn):
    """The text of the implementation plan 实施计划, published with the step."""

    text: str = Field(min_length=1, max_length=8000)


class ProgressIn(WireIn):
    text: str = Field(min_length=1, max_length=4000)


class ProgressOut(WireOut):
    """What was done, or why not; ``state`` is the task's after it."""

    id: UUID
    task_id: UUID
    state: TaskState
    text: str
    at: datetime


class MilestoneDoneIn(WireIn):
    note: str | None = Field(default=None, max_length=1000)


class TaskReasonIn(WireIn):
    reason: str = Field(min_length=1, max_length=1000)


class TaskNoteIn(WireIn):
    note: str = Field(min_length=1, max_length=1000)


class SendBackIn(WireIn):
    reason: str = Field(min_length=1, max_length=1000)
    due_on: date


class SpendingIn(WireIn):
    """``amount_fen`` in fen; negative to correct an earlier entry of the same kind."""

    kind: SpendingKind
    amount_fen: int = Field(ge=-2_000_000_000, le=2_000_000_000)
    purpose: str = Field(min_length=1, max_length=120)
    on: date


class SpendingOut(WireOut):
    id: UUID
    task_id: UUID
    kind: SpendingKind
    amount_fen: int
    purpose: str
    on: date
    at: datetime


def _task_out(view: TaskView) -> TaskOut:
    task = view.task
    return TaskOut(
        id=task.id,
        topic_id=task.topic_id,
        round=task.round,
        item_number=view.item_number,
        title=task.title,
        category=task.category,
        responsible_org_id=task.responsible_org_id,
        responsible=view.responsible,
        budget_fen=task.budget_fen,
        funding_source=task.funding_source,
        paid_fen=view.paid_fen,
        refunded_fen=view.refunded_fen,
        due_on=task.due_on,
        overdue_since=task.overdue_since if task.state in OPEN_TASKS else None,
        state=task.state,
        blocked_reason=task.blocked_reason,
        end_reason=task.end_reason,
        done_at=task.done_at,
        accepted_by_convener=task.accepted_by_convener_id is not None,
        accepted_by_resident=task.accepted_by_resident_id is not None,
        accepted_at=task.accepted_at,
        rectification=task.is_rectification,
        milestones=[MilestoneOut.model_validate(row) for row in view.milestones],
    )


async def _read(tx: Transaction, task_id: UUID) -> TaskOut:
    return _task_out(await queries.task_view(tx, task_id))


@router.post("/topics/{topic_id}/tasks", status_code=201)
async def plan_task(topic_id: UUID, body: TaskIn, once: Once) -> TaskOut:
    """Plan one task of an adopted outcome: who is responsible, by when, with which money."""
    async with once.begin() as tx:
        plan = TaskPlan.model_validate(body.model_dump(exclude={"rectification"}))
        task = await tasks.plan_task(tx, topic_id, plan=plan, rectification=body.rectification)
        return once.keep(await _read(tx, task.id))


@router.get("/topics/{topic_id}/tasks")
async def list_tasks(
    topic_id: UUID, db: Db, actor: AnyActor, limit: Limit = 20, cursor: CursorParam = None
) -> Page[TaskOut]:
    """Tasks with progress, money and what is overdue, first planned first."""
    async with db.read(actor) as tx:
        topic = await access_topic(tx, topic_id, Deed.READ_PUBLIC)
        after = read_time_cursor(cursor)
        found = await queries.task_views(tx, topic, after=after, limit=limit + 1)
    last = found[limit - 1].task if len(found) > limit else None
    return Page(
        items=[_task_out(view) for view in found[:limit]],
        next_cursor=None if last is None else time_cursor(last.created_at, last.id),
    )


@router.put("/tasks/{task_id}/plan")
async def replan_task(task_id: UUID, body: TaskPlan, db: Db, actor: CurrentActor) -> TaskOut:
    """Put the plan of a task right that nobody has begun."""
    async with db.begin(actor) as tx:
        await tasks.replan_task(tx, task_id, plan=body)
        return await _read(tx, task_id)


@router.post("/topics/{topic_id}/implementation", status_code=201)
async def start_implementation(topic_id: UUID, body: ImplementationIn, once: Once) -> TopicStateOut:
    """Begin the work: every adopted item has its tasks, the plan is published (T21)."""
    async with once.begin() as tx:
        topic = await tasks.start_implementation(tx, topic_id, text=body.text)
        return once.keep(topic_state(topic))


@router.get("/tasks/{task_id}")
async def get_task(task_id: UUID, db: Db, actor: AnyActor) -> TaskOut:
    async with db.read(actor) as tx:
        await queries.access_task(tx, task_id, Deed.READ_PUBLIC)
        return await _read(tx, task_id)


@router.post("/tasks/{task_id}/progress", status_code=201)
async def report_progress(task_id: UUID, body: ProgressIn, once: Once) -> ProgressOut:
    """Report what was done; everybody can read it."""
    async with once.begin() as tx:
        report = await work.report_progress(tx, task_id, text=body.text)
        return once.keep(ProgressOut.model_validate(report))


@router.get("/tasks/{task_id}/progress")
async def list_progress(
    task_id: UUID, db: Db, actor: AnyActor, limit: Limit = 20, cursor: CursorParam = None
) -> Page[ProgressOut]:
    """Reports on a task, newest first."""
    async with db.read(actor) as tx:
        await queries.access_task(tx, task_id, Deed.READ_PUBLIC)
        before = read_time_cursor(cursor)
        found = await queries.progress_of(tx, task_id, before=before, limit=limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    return Page(
        items=[ProgressOut.model_validate(report) for report in found[:limit]],
        next_cursor=None if last is None else time_cursor(last.at, last.id),
    )


@router.put("/tasks/{task_id}/milestones/{number}/completion")
async def complete_milestone(
    task_id: UUID, number: MilestoneNumber, body: MilestoneDoneIn, db: Db, actor: CurrentActor
) -> MilestoneOut:
    async with db.begin(actor) as tx:
        milestone = await work.complete_milestone(tx, task_id, number, note=body.note)
        return MilestoneOut.model_validate(milestone)


@router.post("/tasks/{task_id}/block")
async def block_task(task_id: UUID, body: TaskReasonIn, once: Once) -> TaskOut:
    """Something holds the work up; everybody can read what."""
    async with once.begin() as tx:
        await work.block_task(tx, task_id, reason=body.reason)
        return once.keep(await _read(tx, task_id))


@router.post("/tasks/{task_id}/unblock")
async def unblock_task(task_id: UUID, body: TaskNoteIn, once: Once) -> TaskOut:
    async with once.begin() as tx:
        await work.unblock_task(tx, task_id, note=body.note)
        return once.keep(await _read(tx, task_id))


@router.post("/tasks/{task_id}/done")
async def mark_task_done(task_id: UUID, body: TaskNoteIn, once: Once) -> TaskOut:
    """The responsible organisation says that it is done; acceptance follows."""
    async with once.begin() as tx:
        await work.mark_task_done(tx, task_id, note=body.note)
        return once.keep(await _read(tx, task_id))


@router.post("/tasks/{task_id}/end")
async def end_task(task_id: UUID, body: TaskReasonIn, once: Once) -> TaskOut:
    """Give the task up without its being done, with a public reason."""
    async with once.begin() as tx:
        await work.end_task(tx, task_id, reason=body.reason)
        return once.keep(await _read(tx, task_id))


@router.put("/tasks/{task_id}/acceptance")
async def accept_work(task_id: UUID, db: Db, actor: CurrentActor) -> TaskOut:
    """Accept finished work, as convener or as a resident; it takes one of each, two people."""
    async with db.begin(actor) as tx:
        await work.accept_work(tx, task_id)
        return await _read(tx, task_id)


@router.post("/tasks/{task_id}/redo")
async def send_back_work(task_id: UUID, body: SendBackIn, once: Once) -> TaskOut:
    """Not accepted: to be done again, with a reason and a new date."""
    async with once.begin() as tx:
        await work.send_back_work(tx, task_id, reason=body.reason, due_on=body.due_on)
        return once.keep(await _read(tx, task_id))


@router.post("/tasks/{task_id}/spending", status_code=201)
async def record_spending(task_id: UUID, body: SpendingIn, once: Once) -> SpendingOut:
    """One entry of the accounts; it is never changed, only corrected by a negative one."""
    async with once.begin() as tx:
        entry = await accounts.record_spending(
            tx,
            task_id,
            kind=body.kind,
            amount_fen=body.amount_fen,
            purpose=body.purpose,
            on=body.on,
        )
        return once.keep(SpendingOut.model_validate(entry))


@router.get("/tasks/{task_id}/spending")
async def list_spending(
    task_id: UUID, db: Db, actor: AnyActor, limit: Limit = 20, cursor: CursorParam = None
) -> Page[SpendingOut]:
    """The accounts of a task, in the order in which they were entered."""
    async with db.read(actor) as tx:
        await queries.access_task(tx, task_id, Deed.READ_PUBLIC)
        after = read_time_cursor(cursor)
        found = await queries.spending_of(tx, task_id, after=after, limit=limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    return Page(
        items=[SpendingOut.model_validate(entry) for entry in found[:limit]],
        next_cursor=None if last is None else time_cursor(last.at, last.id),
    )
