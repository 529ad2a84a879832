"""A RATING: one grade of a scale, or abstain. The options are the grades, best first. The *majority
grade* is the best grade which more than half of those who graded gave or bettered. A rating is
noted; what follows from it is for the assembly."""

from consultation.polls.methods.counted import Counted
from consultation.polls.results import ItemResult, Step
from consultation.polls.rules import Verdict


def decide(counted: Counted) -> ItemResult:
    graded = sum(counted.cast[code].heads for code in counted.options)
    steps, chosen, reached = [], [], 0
    if counted.quorum and graded:
        for code in counted.options:
            reached += counted.cast[code].heads
            facts: dict[str, str | int | list[str]] = {
                "option": code,
                "value": reached,
                "base": graded,
            }
            steps.append(Step(key="grade_or_better", facts=facts))
            if reached * 2 > graded:
                chosen = [code]
                break
    return ItemResult(
        number=counted.item.number,
        kind=counted.item.kind,
        tallies=counted.tallies(()),
        verdict=Verdict.NOTED if counted.quorum else Verdict.NO_QUORUM,
        chosen=chosen,
        leading=counted.leading(),
        steps=steps,
    )
