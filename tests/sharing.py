"""Who of several workers runs what (``make test``): each begins with its share of the long tests.

Left to the end, as their folders' names would have it, one of them runs alone while the other
workers have nothing more to do. What follows is dealt in the order of the files, and whoever is
done early takes over from the others (``--dist worksteal``).
"""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

import pytest

LONG = (
    "tests/contract/test_access_matrix.py",
    "tests/contract/test_before_the_close.py",
    "tests/contract/test_scale.py",
    "tests/contract/test_schemathesis.py",
    "tests/journeys/test_demo.py",
    "tests/journeys/test_replay_law.py",
    "tests/properties",
)
T = TypeVar("T")
HERE = Path(__file__).parent.parent


@pytest.hookimpl(trylast=True)  # of what is selected
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    if workers > 1:
        items[:] = dealt(items, [is_long(item.path) for item in items], workers)


def is_long(path: Path) -> bool:
    return any(path.is_relative_to(HERE / one) for one in LONG)


def dealt(items: Sequence[T], long: Sequence[bool], workers: int) -> list[T]:
    """One part for each worker after the other, of equal sizes, as the scheduler cuts them."""
    first = [item for item, is_long in zip(items, long, strict=True) if is_long]
    rest = iter([item for item, is_long in zip(items, long, strict=True) if not is_long])
    order: list[T] = []
    for worker in range(workers):
        mine = first[worker::workers]
        size = (len(items) - len(order)) // (workers - worker)
        order += [*mine, *islice(rest, max(size - len(mine), 0))]
    return [*order, *rest]
