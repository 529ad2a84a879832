"""Group commit: requests that come while a transaction is under way share the next one.

Each caller waits for the commit that carries its own item, so an answer is as durable as if the
item had been alone; the cost of a transaction is shared by all that came in the meantime. An item
that is refused does not touch the others. If the transaction fails, its items are tried again one
by one, so that one that cannot be done takes none of the others with it.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import Context
from itertools import islice
from typing import Generic, TypeVar

from consultation.refusals import Refusal

Item = TypeVar("Item", bound=Hashable)
Answer = TypeVar("Answer")


class Busy(Refusal):
    """More waits than can be done soon; trying again a moment later is right."""

    code = "busy"


class Batch(Generic[Item, Answer]):
    """``work`` does a batch in one transaction and answers each item, in order; done again after a
    commit whose answer was lost, it must give the same answers. Items are compared by value.

    Of items with an equal ``key`` at most one is in a batch, the earlier one first; equal items
    that wait together are one item with one answer. ``bound``: more waiting items than that are
    refused with Busy. With ``gather_seconds`` a batch waits so long for more, where answers are
    not urgent and many come at once. ``at_once`` batches may be under way together, so that one is
    worked out while another is written; a further one is begun when ``worth`` items wait. An item
    whose key is under way waits for that batch.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Awaitable[Sequence[Answer | Refusal]]],
        *,
        key: Callable[[Item], Hashable],
        most: int,
        bound: int | None = None,
        gather_seconds: float = 0,
        at_once: int = 1,
        worth: int = 1,
    ) -> None:
        self._work = work
        self._key = key
        self._most = most
        self._bound = bound
        self._gather_seconds = gather_seconds
        self._waiting: OrderedDict[Hashable, deque[_Waiting[Item, Answer]]] = OrderedDict()
        self._count = 0
        self._at_once = at_once
        self._worth = worth
        self._running: set[asyncio.Task[None]] = set()
        self._under_way: set[Hashable] = set()

    async def do(self, item: Item) -> Answer:
        """The answer to ``item``, after its commit; raises its refusal."""
        if self._bound is not None and self._count >= self._bound:
            raise Busy()
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        same_key = self._waiting.setdefault(self._key(item), deque())
        if same_key and same_key[-1].item == item:
            same_key[-1].futures.append(future)
        else:
            same_key.append(_Waiting(item, future))
        self._count += 1
        if len(self._running) < self._at_once and self._is_worth_it(others=len(self._running)):
            # A context of its own: what it does belongs to no request in particular.
            task = asyncio.create_task(self._run(), context=Context())
            self._running.add(task)
        return await future

    async def settle(self) -> None:
        """Wait until nothing is under way, before what the work needs is taken away."""
        while self._running:
            await asyncio.wait(self._running)

    def _is_worth_it(self, *, others: int) -> bool:
        return self._count >= self._worth if others else self._count > 0

    async def _run(self) -> None:
        try:
            while self._is_worth_it(others=len(self._running) - 1):
                if self._gather_seconds:
                    await asyncio.sleep(self._gather_seconds)
                batch = self._take()
                if not batch:  # all of them wait for another batch, which goes on with them
                    break
                try:
                    await self._do(list(batch.values()))
                finally:
                    self._under_way -= batch.keys()
        finally:
            task = asyncio.current_task()
            assert task is not None
            self._running.discard(task)

    async def _do(self, batch: list["_Waiting[Item, Answer]"]) -> None:
        try:
            answers = await self._work([waiting.item for waiting in batch])
        except Exception:
            for waiting in batch:
                await self._alone(waiting)
        else:
            for waiting, answer in zip(batch, answers, strict=True):
                waiting.settle(answer)

    async def _alone(self, waiting: "_Waiting[Item, Answer]") -> None:
        try:
            waiting.settle((await self._work([waiting.item]))[0])
        except Exception as error:
            waiting.settle(error)

    def _take(self) -> dict[Hashable, "_Waiting[Item, Answer]"]:
        batch: dict[Hashable, _Waiting[Item, Answer]] = {}
        free = (key for key in self._waiting if key not in self._under_way)
        for key in list(islice(free, self._most)):
            same_key = self._waiting[key]
            batch[key] = same_key.popleft()
            if not same_key:
                del self._waiting[key]
        self._count -= sum(len(waiting.futures) for waiting in batch.values())
        self._under_way |= batch.keys()
        return batch


class _Waiting(Generic[Item, Answer]):
    __slots__ = ("futures", "item")

    def __init__(self, item: Item, future: asyncio.Future[Answer]) -> None:
        self.item = item
        self.futures = [future]

    def settle(self, answer: Answer | Exception) -> None:
        for future in self.futures:
            if future.done():  # whoever asked has gone
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
