"""THE RULES OF A POLL: states, ballots, thresholds, the count and its wording. No I/O.

Everything that decides is an integer; fractions are compared by cross-multiplication.
"""

import hashlib
import json
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from consultation.polls.presets import Base, Measure, RulePreset


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PollState(StrEnum):
    DRAFT = "draft"
    ANNOUNCED = "announced"
    OPEN = "open"
    CLOSED = "closed"
    COUNTED = "counted"
    PUBLISHED = "published"
    VOIDED = "voided"


class Choice(StrEnum):
    FOR = "for"
    AGAINST = "against"
    ABSTAIN = "abstain"


class BallotChannel(StrEnum):
    ELECTRONIC = "electronic"
    PAPER = "paper"
    SHOW_OF_HANDS = "show_of_hands"
    ASSISTED = "assisted"


class Verdict(StrEnum):
    PASSED = "passed"
    NOT_PASSED = "not_passed"
    NO_QUORUM = "no_quorum"
    SUPPORTED = "supported"  # indicative polls
    NOT_SUPPORTED = "not_supported"
    NOTED = "noted"  # opinion polls: no wording of passing


class PollItem(Frozen):
    """One item 表决事项, voted for, against or abstained. ``cost_fen`` for budget allocation."""

    number: int = Field(ge=1)
    text: str = Field(min_length=1, max_length=400)
    cost_fen: int | None = Field(default=None, ge=0)
    choices: list[Choice] = Field(
        default_factory=lambda: [Choice.FOR, Choice.AGAINST, Choice.ABSTAIN]
    )


class RolledUnit(Frozen):
    unit_id: UUID
    code: str
    area_dm2: int


class Count(Frozen):
    """Heads, and area in 0.01 m²."""

    heads: int = 0
    area_dm2: int = 0


class ThresholdCheck(Frozen):
    """One threshold applied: ``value`` of ``base`` against numerator/denominator."""

    measure: Measure
    of: Base
    value: int
    base: int
    numerator: int
    denominator: int
    inclusive: bool
    needed: int  # the least value that reaches it
    reached: bool


class ItemResult(Frozen):
    number: int
    votes_for: Count
    votes_against: Count
    abstentions: Count
    approval: list[ThresholdCheck]
    verdict: Verdict
    funded_fen: int | None = None


class Result(Frozen):
    """The outcome of a count. Exact counts decide; percentages are for display only."""

    eligible: Count
    participating: Count
    present: int | None
    turnout: list[ThresholdCheck]
    quorum_reached: bool
    items: list[ItemResult]
    verdict: Verdict
    budget_left_fen: int | None = None


class PollText(Protocol):
    """What voters were told they would vote on."""

    question: str
    items: list[PollItem]
    budget_fen: int | None
    preset: RulePreset


def text_hash(poll: PollText) -> str:
    """SHA-256 over the canonical JSON of question, items, budget and preset: what was announced
    is what is voted on (T11)."""
    content = {
        "question": poll.question,
        "items": [item.model_dump(mode="json") for item in poll.items],
        "budget_fen": poll.budget_fen,
        "preset": poll.preset.model_dump(mode="json"),
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
