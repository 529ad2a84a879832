"""THRESHOLDS in integers: fractions are compared by cross-multiplication, so that exactly two
thirds is two thirds. Pure."""

from collections.abc import Mapping

from consultation.polls.presets import Base, RulePreset, Threshold
from consultation.polls.results import Count, ThresholdCheck


def check_threshold(
    threshold: Threshold, value: Count, bases: Mapping[Base, Count]
) -> ThresholdCheck:
    """Nothing is reached of a base of zero: at least one head, or 0.01 m², is always needed."""
    measured = value.of(threshold.measure)
    base = bases[threshold.of].of(threshold.measure)
    needed = max(1, least_reaching(threshold, base))
    return ThresholdCheck(
        **threshold.model_dump(),
        value=measured,
        base=base,
        needed=needed,
        missing=max(0, needed - measured),
        reached=measured >= needed,
    )


def least_reaching(threshold: Threshold, base: int) -> int:
    """The least integer v with v × denominator ≥ base × numerator (> if the bound is strict)."""
    whole, rest = divmod(base * threshold.numerator, threshold.denominator)
    return whole if threshold.inclusive and not rest else whole + 1


def turnout_progress(
    preset: RulePreset, eligible: Count, participating: Count
) -> list[ThresholdCheck]:
    """How far turnout has come, with what each threshold still needs. Not for presets that are
    held in a meeting: there presence is turnout."""
    bases = {Base.ELIGIBLE: eligible, Base.MEMBERS: eligible, Base.PARTICIPATING: participating}
    return [check_threshold(threshold, participating, bases) for threshold in preset.turnout]
