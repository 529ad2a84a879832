"""Does what is due: maps job kinds to commands and runs them as the system.

Each job is claimed, handled and finished in transactions of its own; a job that fails is put off
and never holds up the others. ``run_due`` is also what tests and the demo call after they have
moved the clock.
"""

from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

from api.logs import log
from consultation import jobs
from consultation.database import Database, Transaction
from consultation.deliberation.commands import marking
from consultation.jobs import Job, JobKind
from consultation.meetings.commands import minutes
from consultation.outcomes.commands import adoption, parts, tasks
from consultation.oversight.commands import surveys
from consultation.permissions import SYSTEM
from consultation.polls.commands import closing, erasure, objections, opening, recording, showing
from consultation.rounds import Rounds
from consultation.topics.commands import system
from notifications.debts import owe_event
from notifications.digests import make_digest

Handler = Callable[[Transaction, UUID], Awaitable[None]]

HANDLERS: Mapping[JobKind, Handler] = {
    JobKind.OPEN_DELIBERATION: system.open_deliberation,
    JobKind.TOPIC_OVERDUE: system.note_overdue,
    JobKind.TELL_MARKS: marking.tell_marks,
    JobKind.SETTLE_MINUTES: minutes.settle_minutes,
    JobKind.POLL_OPEN: opening.open_due_poll,
    JobKind.POLL_CLOSE: closing.close_poll,
    JobKind.BOARD_BATCH: recording.put_on_board,
    JobKind.POLL_SHOW_TURNOUT: showing.show_turnout,
    JobKind.POLL_DESTROY_BOX: erasure.note_destruction,
    JobKind.ROLL_RULING_OVERDUE: objections.note_overdue,
    JobKind.START_ADOPTION: adoption.start_adoption,
    JobKind.TASK_OVERDUE: tasks.note_overdue,
    JobKind.ASK_PART_OWNERS: parts.ask_new_owners,
    JobKind.SURVEY_OPEN: surveys.open_survey,
    JobKind.SURVEY_CLOSE: surveys.close_survey,
    JobKind.OWE_NOTICES: owe_event,
    JobKind.MAKE_DIGEST: make_digest,
}
"""What each kind of job does to its subject. A handler re-reads the subject and does nothing when
it has moved on."""

ERRANDS: Mapping[JobKind, Callable[[Database, UUID], Awaitable[None]]] = {
    JobKind.POLL_DESTROY_BOX: erasure.destroy
}
"""What must happen outside of a transaction before the handler; it may happen more than once."""


class Worker(Rounds):
    """Several workers may share a database; each job is done by one of them at a time."""

    name = "worker"

    def __init__(self, db: Database, *, poll_seconds: float) -> None:
        super().__init__(poll_seconds=poll_seconds)
        self._db = db

    async def run_due(self) -> int:
        """Do all that is due now, jobs that became due on the way included; how many were done."""
        done = 0
        while not self.stopping:
            async with self._db.begin(SYSTEM) as tx:
                due = await jobs.claim(tx, kinds=HANDLERS.keys())
            if not due:
                break
            for job in due:
                if self.stopping:
                    break
                done += await self._handle(job)
        return done

    async def _handle(self, job: Job) -> bool:
        try:
            if job.kind in ERRANDS:
                await ERRANDS[job.kind](self._db, job.subject_id)
            async with self._db.begin(SYSTEM) as tx:
                if not await jobs.hold(tx, job):
                    return False
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
                # the type only: an error's text may hold what people wrote
                await jobs.put_off(tx, job, error=type(error).__name__)
            return False
        return True
