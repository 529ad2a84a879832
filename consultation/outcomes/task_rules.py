"""THE RULES OF TASKS 落实事项: who may be made responsible, the steps of the work, its dates and
its accounts. No I/O."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from consultation.calendar import end_of
from consultation.community.tables import OrgKind
from consultation.outcomes.rules import Decision, Frozen
from consultation.refusals import AlreadyDone, Invalid, NotNow, NotPermitted
from consultation.topics.states import State


class TaskState(StrEnum):
    PLANNED = "planned"
    IN_PROGRESS = "in_progress"
    BLOCKED = "blocked"
    DONE = "done"
    ACCEPTED = "accepted"
    REDO = "redo"
    ENDED = "ended"  # without being done, with a reason


class TaskAct(StrEnum):
    REPORT = "report"
    BLOCK = "block"
    UNBLOCK = "unblock"
    FINISH = "finish"
    END = "end"
    ACCEPT = "accept"
    SEND_BACK = "send_back"


class TaskCategory(StrEnum):
    WORKS = "works"  # 小型工程、设施
    SERVICE = "service"
    COVENANT = "covenant"  # 公约、制度
    PURCHASE = "purchase"
    PUBLICITY = "publicity"
    COORDINATION = "coordination"
    ASSIST_GOVERNMENT = "assist_government"  # needs a funding source (S19)
    LAW_ENFORCEMENT = "law_enforcement"
    DEMOLITION = "demolition"
    ENVIRONMENTAL_CAMPAIGN = "environmental_campaign"
    CITY_MANAGEMENT = "city_management"
    INVESTMENT_PROMOTION = "investment_promotion"


class SpendingKind(StrEnum):
    PAID = "paid"
    REFUNDED = "refunded"


class MilestonePlan(Frozen):
    title: str = Field(min_length=1, max_length=120)
    due_on: date


class TaskPlan(Frozen):
    """What is to be done. ``item_number`` is the outcome item it carries out, or null for work
    beside the items. ``funding_source`` may be named later, but before work begins (T21)."""

    item_number: int | None = Field(default=None, ge=1)
    title: str = Field(min_length=1, max_length=120)
    category: TaskCategory
    responsible_org_id: UUID
    contact_id: UUID | None = None
    budget_fen: int = Field(default=0, ge=0, le=2_000_000_000)
    funding_source: str = Field(default="", max_length=80)
    due_on: date
    milestones: list[MilestonePlan] = Field(default_factory=list, max_length=20)


class ResponsibleOrgNotAllowed(Invalid):
    """Government duties are not put on the committee or the party organisation (S19)."""

    code = "responsible-org-not-allowed"


class ResponsibleOrgUnknown(Invalid):
    code = "responsible-org-unknown"


class ContactUnknown(Invalid):
    """The contact of a task holds a role in the community."""

    code = "contact-unknown"


class FundingSourceRequired(Invalid):
    """What the committee helps government with comes with its money (S19)."""

    code = "funding-source-required"


class ItemNotAdopted(Invalid):
    code = "item-not-adopted"


class TasksNotNow(NotNow):
    code = "tasks-not-now"


class TaskStepNotAllowed(NotNow):
    code = "task-step-not-allowed"


class NotYourTask(NotPermitted):
    """This role reports on the tasks of its own organisation, and plans what it commissioned."""

    code = "not-your-task"


class SecondAccepterNeeded(NotPermitted):
    """Convener and resident who accept the work are two people."""

    code = "second-accepter-needed"


class WorkAlreadyAccepted(AlreadyDone):
    code = "work-already-accepted"


class MilestoneAlreadyDone(AlreadyDone):
    code = "milestone-already-done"


class SpendingNotPossible(Invalid):
    """An entry of zero, or a correction of more than was recorded."""

    code = "spending-not-possible"


class DateNotPossible(Invalid):
    """A date that lies on the wrong side of today."""

    code = "date-not-possible"


GOVERNMENT_DUTIES = frozenset(
    {
        TaskCategory.LAW_ENFORCEMENT,
        TaskCategory.DEMOLITION,
        TaskCategory.ENVIRONMENTAL_CAMPAIGN,
        TaskCategory.CITY_MANAGEMENT,
        TaskCategory.INVESTMENT_PROMOTION,
    }
)
AGENCIES = frozenset(
    {
        OrgKind.CITY_GOVERNMENT,
        OrgKind.DISTRICT_GOVERNMENT,
        OrgKind.DEPARTMENT,
        OrgKind.SUBDISTRICT_OFFICE,
        OrgKind.TOWN_GOVERNMENT,
        OrgKind.POLICE,
    }
)


def check_responsible(category: TaskCategory, org_kind: OrgKind, *, funding_source: str) -> None:
    """S19 (seed 二(三)): law enforcement, demolition, environmental campaigns, city management and
    investment promotion are never put on the residents' or villagers' committee or the party
    organisation; being duties of government, they go to an agency and to nobody else. Where
    the community assists, the money comes with the task."""
    if category in GOVERNMENT_DUTIES and org_kind not in AGENCIES:
        raise ResponsibleOrgNotAllowed(category=category.value, org_kind=org_kind.value)
    if category is TaskCategory.ASSIST_GOVERNMENT and not funding_source.strip():
        raise FundingSourceRequired(category=category.value)


_T, _A = TaskState, TaskAct
_OPEN = (_T.PLANNED, _T.IN_PROGRESS, _T.BLOCKED, _T.REDO)
_STEPS: tuple[tuple[TaskAct, tuple[TaskState, ...], TaskState], ...] = (
    (_A.REPORT, (_T.PLANNED, _T.IN_PROGRESS, _T.REDO), _T.IN_PROGRESS),
    (_A.BLOCK, (_T.PLANNED, _T.IN_PROGRESS, _T.REDO), _T.BLOCKED),
    (_A.UNBLOCK, (_T.BLOCKED,), _T.IN_PROGRESS),
    (_A.FINISH, (_T.PLANNED, _T.IN_PROGRESS, _T.REDO), _T.DONE),
    (_A.END, _OPEN, _T.ENDED),
    (_A.ACCEPT, (_T.DONE,), _T.ACCEPTED),
    (_A.SEND_BACK, (_T.DONE,), _T.REDO),
)
TASK_STEPS = {(source, act): target for act, sources, target in _STEPS for source in sources}
OPEN_TASKS = frozenset(_OPEN)

PLANNING = frozenset({State.ADOPTED, State.PARTIALLY_ADOPTED, State.IMPLEMENTING})
_ACCOUNTING = frozenset({State.IMPLEMENTING, State.FEEDBACK, State.EVALUATING})
RECTIFYING = frozenset({State.EVALUATING, State.CLOSED})


def task_after(state: TaskState, act: TaskAct) -> TaskState:
    target = TASK_STEPS.get((state, act))
    if target is None:
        raise TaskStepNotAllowed(state=state.value, act=act.value)
    return target


def check_may_plan(state: State, *, rectification: bool) -> None:
    """Tasks are planned once the outcome is adopted; a rectification answers the survey."""
    allowed = {State.EVALUATING} if rectification else PLANNING
    if state not in allowed:
        raise TasksNotNow(state=state.value)


def check_may_work(state: State, *, rectification: bool) -> None:
    """Work is reported while the topic is carried out; a rectification outlives the close."""
    allowed = RECTIFYING if rectification else {State.IMPLEMENTING}
    if state not in allowed:
        raise TasksNotNow(state=state.value)


def check_may_replan(state: TaskState) -> None:
    if state is not TaskState.PLANNED:
        raise TaskStepNotAllowed(state=state.value, act="replan")


def check_not_past(day: date, *, today: date) -> None:
    if day < today:
        raise DateNotPossible(date=day.isoformat())


def check_not_future(day: date, *, today: date) -> None:
    if day > today:
        raise DateNotPossible(date=day.isoformat())


def check_dates(plan: TaskPlan, *, today: date) -> None:
    """A task is due today or later, its milestones by then."""
    check_not_past(plan.due_on, today=today)
    for milestone in plan.milestones:
        check_not_past(milestone.due_on, today=today)
        if milestone.due_on > plan.due_on:
            raise DateNotPossible(date=milestone.due_on.isoformat())


def is_overdue(state: TaskState, *, due_on: date, now: datetime) -> bool:
    """The due date itself is still in time."""
    return state in OPEN_TASKS and now >= end_of(due_on)


def check_item_adopted(decision: Decision | None) -> None:
    if decision is None or decision is Decision.NOT_ADOPTED:
        raise ItemNotAdopted()


def check_spending(recorded_fen: int, amount_fen: int) -> None:
    """Entries are never changed: a correction is a negative entry, and never corrects more than
    the task's entries of that kind come to."""
    if amount_fen == 0 or recorded_fen + amount_fen < 0:
        raise SpendingNotPossible(amount_fen=amount_fen)


def check_may_account(state: State, *, rectification: bool) -> None:
    """Accounts may be completed and corrected until the topic is closed."""
    allowed = RECTIFYING if rectification else _ACCOUNTING
    if state not in allowed:
        raise TasksNotNow(state=state.value)
