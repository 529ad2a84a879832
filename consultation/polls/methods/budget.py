"""A BUDGET under a ceiling: motions with a cost, of which those that passed are funded in the order
of their votes (heads; D7).

Most votes first, while the money lasts: the first item that does not fit ends the allocation, so
that no item overtakes one with more votes. Items with equal votes stand or fall together, for
neither their number nor a lot may decide between them. What is left is for the assembly.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby

from consultation.polls.results import Funding, ItemResult, Step
from consultation.polls.rules import PollItem, Verdict


def fund(
    items: Sequence[PollItem], counted: Sequence[ItemResult], ceiling: int
) -> tuple[list[ItemResult], int, list[Step]]:
    """The items with their funding, the money that is left in fen, and how it came about."""
    approved = {
        item.number: (result.votes_for.heads, item.cost_fen or 0)
        for item, result in zip(items, counted, strict=True)
        if result.verdict in (Verdict.PASSED, Verdict.SUPPORTED)
    }
    funded, left, steps = allocate(approved, ceiling)

    def place(number: int) -> Funding | None:
        if number not in approved:
            return None
        return Funding.FUNDED if number in funded else Funding.RESERVE

    return [r.model_copy(update={"funding": place(r.number)}) for r in counted], left, steps


def allocate(
    approved: Mapping[int, tuple[int, int]], ceiling: int
) -> tuple[frozenset[int], int, list[Step]]:
    """``approved`` is item → (votes, cost). Gives the funded items, the money left, the steps."""
    funded: set[int] = set()
    steps: list[Step] = []
    left = ceiling
    order = sorted(approved, key=lambda item: (-approved[item][0], item))
    for votes, equal in groupby(order, key=lambda item: approved[item][0]):
        items = list(equal)
        cost = sum(approved[item][1] for item in items)
        facts: dict[str, str | int | list[str]] = {
            "items": [str(item) for item in items],
            "value": votes,
            "cost_fen": cost,
        }
        if cost > left:
            steps.append(Step(key="does_not_fit", facts=facts | {"left_fen": left}))
            break
        funded.update(items)
        left -= cost
        steps.append(Step(key="funded", facts=facts | {"left_fen": left}))
    return frozenset(funded), left, steps
