"""Does what is due and needs somebody outside, who may be slow or down: WeChat.

Apart from ``api/worker.py``, so that no deadline waits for them. An errand runs outside any
transaction and opens its own; it is done at least once, re-reads what it is about, and does
nothing if that has moved on. One that fails is put off, as any job.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Means:
    """What an errand may use."""

    settings: Settings
    db: Database
    wechat: Wechat


Errand = Callable[[Means, UUID], Awaitable[None]]


class Errands(Rounds):
    """Several processes may share a database; each errand is run by one of them at a time."""

    name = "errands"

    def __init__(
        self, means: Means, errands: Mapping[JobKind, Errand], *, poll_seconds: float
    ) -> None:
        super().__init__(poll_seconds=poll_seconds)
        self._means = means
        self._errands = errands

    async def run_due(self) -> int:
        """Run all that is due now; how many succeeded."""
        done = 0
        while not self.stopping:
            async with self._means.db.begin(SYSTEM) as tx:
                due = await jobs.claim(tx, kinds=self._errands.keys(), limit=AT_ONCE)
            if not due:
                break
            done += sum(await asyncio.gather(*(self._handle(job) for job in due)))
        return done

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
