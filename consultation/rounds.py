"""The loop of whoever does what is due: a job, an errand, a message that is owed."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import structlog

log = structlog.get_logger("minyi")


class Rounds(ABC):
    """Calls ``run_due`` every ``poll_seconds`` until it is stopped; whatever breaks, it goes on.
    ``name`` stands in the log."""

    name: ClassVar[str]

    def __init__(self, *, poll_seconds: float) -> None:
        self._poll = poll_seconds
        self._end = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def run_due(self) -> int:
        """Do all that is due now, until nothing is left or ``stopping``; how much was done. Tests
        and the demo call it after they have moved the clock."""

    @property
    def stopping(self) -> bool:
        """Asked between two things that are due."""
        return self._end.is_set()

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Finish what is in hand; the rest is left to whoever comes next."""
        if self._task is not None:
            self._end.set()
            await self._task
            self._task = None

    async def _run(self) -> None:
        await self._rounds(self.run_due)

    async def _rounds(self, do: Callable[[], Awaitable[Any]]) -> None:
        while not self.stopping:
            try:
                await do()
            except Exception as error:
                log.error(self.name, error_type=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll):
                    await self._end.wait()
