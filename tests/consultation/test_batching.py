"""Batches that are under way together: who may be in which, and in what order."""

import asyncio
from collections.abc import Sequence

from consultation.batching import Batch


class Desk:
    """Work that ends when the test says so. Items are voter and number of the cast."""

    def __init__(self, *, at_once: int, worth: int) -> None:
        self.begun: list[list[str]] = []
        self._ends: list[asyncio.Event] = []
        self.batch: Batch[str, str] = Batch(
            self._work, key=lambda item: item[0], most=10, at_once=at_once, worth=worth
        )

    async def _work(self, items: Sequence[str]) -> list[str]:
        self.begun.append(list(items))
        self._ends.append(end := asyncio.Event())
        await end.wait()
        return [item.upper() for item in items]

    async def ask(self, *items: str) -> list[asyncio.Task[str]]:
        tasks = [asyncio.create_task(self.batch.do(item)) for item in items]
        await self.settle()
        return tasks

    async def end(self, number: int) -> None:
        self._ends[number].set()
        await self.settle()

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


async def test_a_second_batch_is_begun_when_it_is_worth_it_and_none_beyond() -> None:
    desk = Desk(at_once=2, worth=3)
    first = await desk.ask("a1")
    few = await desk.ask("b1", "c1")
    assert desk.begun == [["a1"]]
    more = await desk.ask("d1")
    assert desk.begun == [["a1"], ["b1", "c1", "d1"]]
    last = await desk.ask("e1", "f1", "g1")
    assert len(desk.begun) == 2

    await desk.end(1)
    assert desk.begun[2] == ["e1", "f1", "g1"]
    await desk.end(0)
    await desk.end(2)
    answers = await asyncio.gather(*first, *few, *more, *last)
    assert answers == ["A1", "B1", "C1", "D1", "E1", "F1", "G1"]


async def test_who_is_under_way_waits_for_that_batch_also_when_another_could_begin() -> None:
    desk = Desk(at_once=2, worth=1)
    first = await desk.ask("a1")
    again = await desk.ask("a2", "a3")
    assert desk.begun == [["a1"]]
    other = await desk.ask("b1")
    assert desk.begun == [["a1"], ["b1"]]
    await desk.end(1)
    assert len(desk.begun) == 2

    await desk.end(0)
    await desk.end(2)
    await desk.end(3)
    assert desk.begun == [["a1"], ["b1"], ["a2"], ["a3"]]
    assert await asyncio.gather(*first, *again, *other) == ["A1", "A2", "A3", "B1"]
