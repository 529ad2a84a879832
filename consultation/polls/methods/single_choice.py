"""SINGLE CHOICE: one option, none of these, or abstain. The option that reaches every approval
threshold is chosen. Where a low bound lets several reach it, the one with most votes is (heads, of
equal heads area); if those are equal too, none is, and the item is not passed."""

from consultation.polls.methods.counted import Counted, approval_steps, reaches
from consultation.polls.results import ItemResult, Step


def decide(counted: Counted) -> ItemResult:
    tallies = counted.tallies(counted.options)
    steps, chosen, tied = [], [], []
    if counted.undecided is None:
        reaching = [one.code for one in tallies if one.approval and reaches(one)]
        steps = [step for one in tallies for step in approval_steps(one)]
        best = max((counted.rank(code) for code in reaching), default=None)
        ahead = [code for code in reaching if counted.rank(code) == best]
        if len(ahead) > 1:
            tied = ahead
            steps.append(Step(key="tied", facts={"options": tied}))
        else:
            chosen = ahead
            steps += [Step(key="chosen", facts={"option": code}) for code in chosen]
    return ItemResult(
        number=counted.item.number,
        kind=counted.item.kind,
        tallies=tallies,
        verdict=counted.undecided or counted.verdict(bool(chosen)),
        chosen=chosen,
        leading=counted.leading(),
        tied=tied,
        steps=steps,
    )
