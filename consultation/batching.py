"""Group commit: requests that come while a transaction is under way share the next one.

Each caller waits for the commit that carries its own item, so an answer is as durable as if the
item had been alone; the cost of a transaction is shared by all that came in the meantime. An item
that is refused does not touch the others; if the transaction fails, all of it fails.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from consultation.refusals import Refusal

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Batch(Generic[Item, Answer]):
    """``work`` does a batch in one transaction and answers each item, in order. Of items with an
    equal ``key`` at most one is in a batch, the earlier one first. With ``gather_seconds`` a batch
    waits so long for more, where answers are not urgent and many come at once."""

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Awaitable[Sequence[Answer | Refusal]]],
        *,
        key: Callable[[Item], Hashable],
        most: int,
        gather_seconds: float = 0,
    ) -> None:
        self._work = work
        self._key = key
        self._most = most
        self._gather_seconds = gather_seconds
        self._waiting: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._running: asyncio.Task[None] | None = None

    async def do(self, item: Item) -> Answer:
        """The answer to ``item``, after its commit; raises its refusal."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running is None:
            # A context of its own: what it does belongs to no request in particular.
            self._running = asyncio.create_task(self._run(), context=Context())
        return await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                if self._gather_seconds:
                    await asyncio.sleep(self._gather_seconds)
                batch = self._take()
                try:
                    answers = await self._work([item for item, _ in batch])
                except Exception as error:
                    for _, future in batch:
                        if not future.done():
                            future.set_exception(error)
                else:
                    self._settle(batch, answers)
        finally:
            self._running = None

    def _take(self) -> list[tuple[Item, asyncio.Future[Answer]]]:
        batch: list[tuple[Item, asyncio.Future[Answer]]] = []
        later: list[tuple[Item, asyncio.Future[Answer]]] = []
        keys: set[Hashable] = set()
        while self._waiting and len(batch) < self._most:
            item, future = self._waiting.popleft()
            key = self._key(item)
            if key in keys:
                later.append((item, future))
            else:
                keys.add(key)
                batch.append((item, future))
        self._waiting.extendleft(reversed(later))
        return batch

    @staticmethod
    def _settle(
        batch: list[tuple[Item, asyncio.Future[Answer]]], answers: Sequence[Answer | Refusal]
    ) -> None:
        for (_, future), answer in zip(batch, answers, strict=True):
            if future.done():  # whoever asked has gone
                continue
            if isinstance(answer, Refusal):
                future.set_exception(answer)
            else:
                future.set_result(answer)
