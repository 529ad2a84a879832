"""Does what is due: maps job kinds to commands and runs them as the system.

Each job is claimed, handled and finished in transactions of its own; a job that fails is put off
and never holds up the others. ``run_due`` is also what tests and the demo call after they have
moved the clock.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

from api.logs import log
from consultation import jobs
from consultation.database import Database, Transaction
from consultation.deliberation.commands import statements
from consultation.jobs import Job, JobKind
from consultation.permissions import SYSTEM
from consultation.polls.commands import closing, opening

Handler = Callable[[Transaction, UUID], Awaitable[None]]

HANDLERS: Mapping[JobKind, Handler] = {
    JobKind.TELL_MARKS: statements.tell_marks,
    JobKind.POLL_OPEN: opening.open_due_poll,
    JobKind.POLL_CLOSE: closing.close_poll,
}
"""What each kind of job does to its subject. A handler re-reads the subject and does nothing when
it has moved on."""


class Worker:
    def __init__(self, db: Database, *, poll_seconds: float) -> None:
        self._db = db
        self._poll = poll_seconds
        self._bell = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def ring(self) -> None:
        self._bell.set()

    def start(self) -> None:
        self._db.on_commit.append(self.ring)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def run_due(self) -> int:
        """Do all that is due now, jobs that became due on the way included; how many were done."""
        done = 0
        while True:
            async with self._db.begin(SYSTEM) as tx:
                due = await jobs.claim(tx)
            if not due:
                return done
            for job in due:
                done += await self._handle(job)

    async def _handle(self, job: Job) -> bool:
        try:
            async with self._db.begin(SYSTEM) as tx:
                await HANDLERS[job.kind](tx, job.subject_id)
                await jobs.finish(tx, job.id)
        except Exception as error:
            log.warning(
                "job failed",
                job=job.kind.value,
                job_id=str(job.id),
                attempts=job.attempts,
                error_type=type(error).__name__,
            )
            async with self._db.begin(SYSTEM) as tx:
                await jobs.put_off(tx, job.id, error=repr(error), attempts=job.attempts)
            return False
        return True

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._bell.wait(), self._poll)
            self._bell.clear()
            try:
                await self.run_due()
            except Exception as error:
                log.error("worker", error_type=type(error).__name__)
                await asyncio.sleep(self._poll)
