"""PHRASES: a text of the catalogue with its facts; the edge says it in the reader's language. What
notices and results have in common stands here. Pure.

Nobody types a result (domain 4.4, 9.1). Counts decide, so all numbers are always said; percentages
are for reading, and are marked as rounded by the catalogue.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from consultation.polls.presets import Measure, RulePreset, Threshold
from consultation.polls.results import Count, ThresholdCheck
from consultation.polls.rules import Choice, PollItem

Fact: TypeAlias = "str | int | Phrase | list[str] | list[Phrase]"


@dataclass(frozen=True, slots=True)
class Phrase:
    """A text of the catalogue with its facts, some of which are phrases themselves."""

    key: str
    facts: dict[str, Fact] = field(default_factory=dict)


_NAMED_BOUNDS = frozenset(
    {"at_least_1_1", "at_least_1_3", "at_least_2_3", "at_least_3_4", "more_than_1_2"}
)
"""Bounds that the catalogue says as people do; any other is said by its numbers."""


def rule(preset: RulePreset, threshold: Threshold | ThresholdCheck) -> dict[str, Fact]:
    kind = "at_least" if threshold.inclusive else "more_than"
    bound = f"{kind}_{threshold.numerator}_{threshold.denominator}"
    base = f"polls.base.{threshold.of.value}_{threshold.measure.value}"
    numbers: dict[str, Fact] = {
        "numerator": threshold.numerator,
        "denominator": threshold.denominator,
    }
    return people(preset) | {
        "of": Phrase(base, people(preset)),
        "bound": (
            Phrase(f"polls.bound.{bound}")
            if bound in _NAMED_BOUNDS
            else Phrase(f"polls.bound.{kind}", numbers)
        ),
    }


def people(preset: RulePreset) -> dict[str, Fact]:
    """What the voters are called and counted in: 业主…人, 住户…户."""
    name = preset.electorate.value
    return {"voters": Phrase(f"polls.voters.{name}"), "unit": Phrase(f"polls.unit.{name}")}


def option_text(item: PollItem, code: str) -> Fact:
    """What a code of a ballot means: the text of the option, or a word of the catalogue."""
    for option in item.options:
        if option.code == code:
            return option.text
    return Phrase(f"words.choice.{Choice(code).value}")


def measured(preset: RulePreset) -> str:
    return "heads_area" if Measure.AREA in preset.measures else "heads"


def counted(name: str, count: Count) -> dict[str, Fact]:
    return {name: count.heads, f"{name}_area": square_metres(count.area_dm2)}


def amount(measure: Measure, value: int) -> str | int:
    return value if measure is Measure.HEADS else square_metres(value)


def percent(value: int, base: int) -> str:
    """Two decimals, rounded half up, in integers; "0.00" of nothing. For display only."""
    if base == 0:
        return "0.00"
    hundredths = (value * 20000 + base) // (2 * base)
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def per_cent(value: int, base: int) -> str:
    """One decimal, rounded half up: what the public gets of a share of an area."""
    tenths = 0 if base == 0 else (value * 2000 + base) // (2 * base)
    return f"{tenths // 10}.{tenths % 10}"


def square_metres(area_dm2: int) -> str:
    """63855 → 638.55, exactly."""
    return f"{area_dm2 // 100}.{area_dm2 % 100:02d}"


def yuan(fen: int) -> str:
    """17800000 → 178000, 50 → 0.50, exactly."""
    whole, rest = divmod(fen, 100)
    return f"{whole}.{rest:02d}" if rest else str(whole)
