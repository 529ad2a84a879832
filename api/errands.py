"""Does what is due and needs somebody outside, who may be slow or down: WeChat.

Apart from ``api/worker.py``, so that no deadline waits for them. An errand runs outside any
transaction and opens its own; it is done at least once, re-reads what it is about, and does
nothing if that has moved on. One that fails is put off, as any job.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from api.logs import log
from api.settings import Settings
from consultation import jobs
from consultation.database import Database
from consultation.jobs import Job, JobKind
from consultation.permissions import SYSTEM
from consultation.rounds import Rounds
from notifications.wechat.client import Wechat

AT_ONCE = 4
IN_THE_HOUSE = frozenset({JobKind.WECHAT_PUSH, JobKind.MEDIA_OVERDUE})
"""What asks nobody outside, but what has come from there: it never waits for what does."""


@dataclass(frozen=True, slots=True)
class Means:
    """What an errand may use."""

    settings: Settings
    db: Database
    wechat: Wechat


Errand = Callable[[Means, UUID], Awaitable[None]]


class Errands(Rounds):
    """Several processes may share a database; each errand is run by one of them at a time. What
    asks somebody outside has rounds of its own, so that a revocation is not kept waiting by checks
    of content that hang."""

    name = "errands"

    def __init__(
        self, means: Means, errands: Mapping[JobKind, Errand], *, poll_seconds: float
    ) -> None:
        super().__init__(poll_seconds=poll_seconds)
        self._means = means
        self._errands = errands
        self._lanes = (errands.keys() & IN_THE_HOUSE, errands.keys() - IN_THE_HOUSE)

    async def _run(self) -> None:
        await asyncio.gather(*(self._rounds(partial(self._clear, lane)) for lane in self._lanes))

    async def run_due(self) -> int:
        """Run all that is due now; how many succeeded."""
        done = 0
        while not self.stopping and await self._any_due():
            lanes = await asyncio.gather(*(self._clear(lane) for lane in self._lanes))
            if not any(found for found, _ in lanes):  # one errand may ask for another
                break
            done += sum(succeeded for _, succeeded in lanes)
        return done

    async def _any_due(self) -> bool:
        """A look that waits for nobody who writes: there is seldom an errand."""
        async with self._means.db.read(SYSTEM) as tx:
            return await jobs.any_due(tx, kinds=self._errands.keys())

    async def _clear(self, lane: Collection[JobKind]) -> tuple[int, int]:
        """All that is due of some kinds: how many were found, how many succeeded."""
        found = done = 0
        while not self.stopping:
            async with self._means.db.begin(SYSTEM) as tx:
                due = await jobs.claim(tx, kinds=lane, limit=AT_ONCE)
            if not due:
                break
            found += len(due)
            done += sum(await asyncio.gather(*(self._handle(job) for job in due)))
        return found, done

    async def _handle(self, job: Job) -> bool:
        try:
            await self._errands[job.kind](self._means, job.subject_id)
        except Exception as error:
            log.warning(
                "errand failed",
                job=job.kind.value,
                job_id=str(job.id),
                attempts=job.attempts,
                error_type=type(error).__name__,
            )
            async with self._means.db.begin(SYSTEM) as tx:
                await jobs.put_off(tx, job, error=type(error).__name__)
            return False
        async with self._means.db.begin(SYSTEM) as tx:
            if await jobs.hold(tx, job):
                await jobs.finish(tx, job.id)
        return True
