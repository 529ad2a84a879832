"""What the system must do at a time: openings, closings, deadlines.

A job is inserted in the transaction that makes it due, and done at least once. Its handler
(``api/worker.py`` maps kinds to commands) re-reads what it is about and does nothing if that has
moved on. The same table and code serve SQLite and PostgreSQL.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import Field, col, or_, select

from consultation.columns import Row, choice, key, maybe_ref, maybe_text, maybe_when, when
from consultation.database import Transaction

LEASE = timedelta(minutes=2)


class JobKind(StrEnum):
    OPEN_DELIBERATION = "open_deliberation"
    START_ADOPTION = "start_adoption"
    TOPIC_OVERDUE = "topic_overdue"
    POLL_OPEN = "poll_open"
    POLL_CLOSE = "poll_close"
    BOARD_BATCH = "board_batch"
    POLL_SHOW_TURNOUT = "poll_show_turnout"
    POLL_DESTROY_BOX = "poll_destroy_box"
    ROLL_RULING_OVERDUE = "roll_ruling_overdue"
    SURVEY_OPEN = "survey_open"
    SURVEY_CLOSE = "survey_close"
    TASK_OVERDUE = "task_overdue"
    ASK_PART_OWNERS = "ask_part_owners"
    TELL_MARKS = "tell_marks"
    SETTLE_MINUTES = "settle_minutes"
    WECHAT_PUSH = "wechat_push"
    CHECK_CONTENT = "check_content"
    CHECK_MEDIA = "check_media"
    MEDIA_OVERDUE = "media_overdue"
    RENEW_LINK = "renew_link"
    OWE_NOTICES = "owe_notices"
    MAKE_DIGEST = "make_digest"


class Job(Row, table=True):
    __table_args__ = (Index("ix_job_due", "done_at", "run_at"),)

    id: UUID = key()
    community_id: UUID | None = maybe_ref("node.id")
    kind: JobKind = choice(JobKind)
    dedupe_key: str = Field(max_length=160, unique=True)
    subject_id: UUID
    run_at: datetime = when()
    attempts: int = 0
    lease_until: datetime | None = maybe_when()
    done_at: datetime | None = maybe_when()
    last_error: str | None = maybe_text()
    created_at: datetime = when()


async def schedule(
    tx: Transaction,
    kind: JobKind,
    subject_id: UUID,
    run_at: datetime,
    *,
    community_id: UUID | None,
    occasion: str = "",
) -> None:
    """Ask for ``kind`` on ``subject_id`` at ``run_at``. Asking twice for the same occasion (a
    round, a deadline) keeps the first."""
    insert = sqlite_insert if tx.session.get_bind().dialect.name == "sqlite" else pg_insert
    statement = insert(Job).values(
        id=tx.new_id(),
        community_id=community_id,
        kind=kind,
        subject_id=subject_id,
        run_at=run_at,
        dedupe_key=f"{kind}:{subject_id}:{occasion}",
        attempts=0,
        created_at=tx.now,
    )
    await tx.session.exec(statement.on_conflict_do_nothing(index_elements=["dedupe_key"]))


async def claim(tx: Transaction, *, kinds: Collection[JobKind], limit: int = 20) -> list[Job]:
    """Due jobs of these kinds, earliest first, leased to the caller for two minutes."""
    due = await tx.session.exec(
        select(Job)
        .where(
            col(Job.done_at).is_(None),
            col(Job.kind).in_(list(kinds)),
            col(Job.run_at) <= tx.now,
            or_(col(Job.lease_until).is_(None), col(Job.lease_until) <= tx.now),
        )
        .order_by(col(Job.run_at), col(Job.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    jobs = list(due)
    for job in jobs:
        job.attempts += 1
        job.lease_until = tx.now + LEASE
    return jobs


async def any_due(tx: Transaction, *, kinds: Collection[JobKind]) -> bool:
    """Whether there is anything to claim, or in somebody's hands."""
    rows = await tx.session.exec(
        select(Job.id)
        .where(
            col(Job.done_at).is_(None), col(Job.kind).in_(list(kinds)), col(Job.run_at) <= tx.now
        )
        .limit(1)
    )
    return rows.first() is not None


async def hold(tx: Transaction, job: Job) -> bool:
    """Keep a claimed job to this transaction. False if its lease ran out meanwhile and another
    worker has it, or it is done."""
    found = await tx.session.exec(
        select(Job.id)
        .where(
            Job.id == job.id, col(Job.done_at).is_(None), col(Job.lease_until) == job.lease_until
        )
        .with_for_update(skip_locked=True)
    )
    return found.first() is not None


async def finish(tx: Transaction, job_id: UUID) -> None:
    await tx.session.exec(
        update(Job).where(col(Job.id) == job_id).values(done_at=tx.now, last_error=None)
    )


async def put_off(tx: Transaction, job: Job, *, error: str) -> None:
    """Try again later: after 2, 4, 8 … minutes, at most six hours."""
    wait = timedelta(minutes=min(2 ** min(job.attempts, 9), 360))
    await tx.session.exec(
        update(Job)
        .where(
            col(Job.id) == job.id,
            col(Job.done_at).is_(None),
            col(Job.lease_until) == job.lease_until,
        )
        .values(run_at=tx.now + wait, lease_until=None, last_error=error)
    )


async def next_due(tx: Transaction) -> datetime | None:
    """When the next job that waits falls due, or None."""
    rows = await tx.session.exec(
        select(Job.run_at).where(col(Job.done_at).is_(None)).order_by(col(Job.run_at)).limit(1)
    )
    return rows.first()
