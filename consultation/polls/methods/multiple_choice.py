"""MULTIPLE CHOICE: up to ``most`` options, none of these, or abstain. Every option that reaches
every approval threshold is chosen, each by itself; the item passes when there is one. Chosen
options stand in the order of their votes (heads, of equal heads area, then as they were asked)."""

from consultation.polls.methods.counted import Counted, approval_steps, reaches
from consultation.polls.results import ItemResult, Step


def decide(counted: Counted) -> ItemResult:
    tallies = counted.tallies(counted.options)
    steps, chosen = [], []
    if counted.undecided is None:
        reaching = [one.code for one in tallies if one.approval and reaches(one)]
        chosen = sorted(reaching, key=counted.rank, reverse=True)
        steps = [step for one in tallies for step in approval_steps(one)]
        steps += [Step(key="chosen", facts={"option": code}) for code in chosen]
    return ItemResult(
        number=counted.item.number,
        kind=counted.item.kind,
        tallies=tallies,
        verdict=counted.undecided or counted.verdict(bool(chosen)),
        chosen=chosen,
        leading=counted.leading(),
        steps=steps,
    )
