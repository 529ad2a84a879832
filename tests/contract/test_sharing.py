"""Sharing the tests between workers loses none, and lets nobody begin a long one late."""

import pytest

from tests.sharing import HERE, LONG, dealt


@pytest.mark.parametrize("workers", [2, 3, 4, 7])
@pytest.mark.parametrize("count", [0, 1, 5, 40, 4921])
@pytest.mark.parametrize("every", [1, 2, 9, 100])
def test_every_test_is_dealt_once(workers: int, count: int, every: int) -> None:
    long = [n % every == 0 for n in range(count)]

    assert sorted(dealt(range(count), long, workers)) == list(range(count))


@pytest.mark.parametrize("workers", [2, 3, 4, 7])
def test_each_worker_begins_with_its_share_of_the_long_ones(workers: int) -> None:
    count, long = 4921, [n >= 4881 for n in range(4921)]

    order = dealt(range(count), long, workers)

    start = 0
    for left in range(workers, 0, -1):  # as pytest-xdist cuts it for work stealing
        part = order[start : start + (count - start) // left]
        start += len(part)
        mine = sum(n >= 4881 for n in part)
        assert mine in (40 // workers, 40 // workers + 1)
        assert all(n >= 4881 for n in part[:mine])


def test_what_is_called_long_is_there() -> None:
    assert [one for one in LONG if not (HERE / one).exists()] == []
