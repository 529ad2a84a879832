"""THE RULES AFTER THE VOTE: adoption with reasons, who may be made responsible, tasks. No I/O."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AdverseImpact(Frozen):
    """A group that bears a burden, and what is done about it (S11 b)."""

    group: str = Field(min_length=1, max_length=40)
    impact: str = Field(min_length=1, max_length=400)
    mitigation: str = Field(min_length=1, max_length=400)


class Decision(StrEnum):
    ADOPTED = "adopted"
    PARTIALLY_ADOPTED = "partially_adopted"
    NOT_ADOPTED = "not_adopted"


class TaskState(StrEnum):
    PLANNED = "planned"
    IN_PROGRESS = "in_progress"
    BLOCKED = "blocked"
    DONE = "done"
    ACCEPTED = "accepted"
    REDO = "redo"
    ENDED = "ended"  # without being done, with a reason


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
