"""THE RULES OF A MEETING: forms, states, notice, quorum, minutes. No I/O."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Form(StrEnum):
    """The forms of consultation (S4, domain 1.1). The subset that is a sitting of people."""

    COUNCIL_MEETING = "council_meeting"  # 居(村)民议事会
    BOARD_MEETING = "board_meeting"  # 居(村)民理事会
    HEART_TO_HEART_MEETING = "heart_to_heart_meeting"  # 民情恳谈会
    DEMOCRATIC_APPRAISAL = "democratic_appraisal"  # 民主评议
    HEARING = "hearing"  # 听证会
    COORDINATION_MEETING = "coordination_meeting"  # 协调会
    FOUR_PARTY_MEETING = "four_party_meeting"  # 四方议事协调会
    ONLINE_DELIBERATION = "online_deliberation"  # 线上协商: the thread itself, no sitting
    RESIDENTS_ASSEMBLY = "residents_assembly"  # 居民会议
    REPRESENTATIVES_ASSEMBLY = "representatives_assembly"  # 居民(村民)代表会议
    VILLAGERS_ASSEMBLY = "villagers_assembly"  # 村民会议
    OWNERS_ASSEMBLY = "owners_assembly"  # 业主大会
    PARTY_BRANCH_MEETING = "party_branch_meeting"  # 村党支部提议
    TWO_COMMITTEES_MEETING = "two_committees_meeting"  # 两委商议
    PARTY_MEMBERS_MEETING = "party_members_meeting"  # 党员大会审议


class MeetingState(StrEnum):
    NOTIFIED = "notified"
    OPEN = "open"
    CLOSED = "closed"
    MINUTES_DRAFT = "minutes_draft"
    MINUTES_CONFIRMED = "minutes_confirmed"
    PUBLISHED = "published"
    CANCELLED = "cancelled"


class MinutesContent(BaseModel):
    """What minutes must hold (domain 3.3): texts in Chinese as spoken; ``agreed`` and
    ``disagreed`` item by item."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    summary: str = Field(min_length=1, max_length=8000)
    points_for: list[str] = Field(default_factory=list)
    points_against: list[str] = Field(default_factory=list)
    agreed: list[str] = Field(default_factory=list)
    disagreed: list[str] = Field(default_factory=list)
    next_steps: list[str] = Field(default_factory=list)
