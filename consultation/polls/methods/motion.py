"""A MOTION: for, against or abstain. It passes when "for" reaches every approval threshold; a tie
reaches no "more than half" and is not passed, and nobody has a casting vote (domain 4.4)."""

from collections.abc import Mapping, Sequence

from consultation.polls.methods.counted import Counted, approval_steps, reaches
from consultation.polls.presets import Measure
from consultation.polls.results import Count, ItemResult, Step
from consultation.polls.rules import Choice


def decide(counted: Counted) -> ItemResult:
    tallies = counted.tallies({Choice.FOR})
    agreed = tallies[0]
    steps = [
        Step(key="deemed", facts={"option": code, "value": silent.heads})
        for code, silent in counted.deemed.items()
    ]
    if counted.quorum:
        steps += approval_steps(agreed)
    return ItemResult(
        number=counted.item.number,
        kind=counted.item.kind,
        tallies=tallies,
        verdict=counted.undecided or counted.verdict(reaches(agreed)),
        steps=steps,
    )


def majority(cast: Mapping[str, Count], measures: Sequence[Measure]) -> Choice:
    """Whom the silent follow where that was adopted: "for" or "against", whichever has more in
    every measure; if neither has, they take part and abstain."""
    agreed, objected = cast[Choice.FOR], cast[Choice.AGAINST]
    if all(agreed.of(measure) > objected.of(measure) for measure in measures):
        return Choice.FOR
    if all(agreed.of(measure) < objected.of(measure) for measure in measures):
        return Choice.AGAINST
    return Choice.ABSTAIN
