"""Allocation of money under a ceiling, in the order of votes (D7). Pure."""

from collections.abc import Mapping
from itertools import groupby


def allocate(approved: Mapping[int, tuple[int, int]], ceiling: int) -> tuple[frozenset[int], int]:
    """``approved`` is item → (votes, cost). Gives the funded items and the money that is left.

    Most votes first, while the money lasts: the first item that does not fit ends the allocation,
    so that no item overtakes one with more votes. Items with equal votes stand or fall together,
    for neither their number nor a lot may decide between them. What is left is for the assembly.
    """
    funded: set[int] = set()
    left = ceiling
    order = sorted(approved, key=lambda item: -approved[item][0])
    for _, equal in groupby(order, key=lambda item: approved[item][0]):
        items = list(equal)
        cost = sum(approved[item][1] for item in items)
        if cost > left:
            break
        funded.update(items)
        left -= cost
    return frozenset(funded), left
