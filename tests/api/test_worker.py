"""What is due is done: once at a time, again after a failure, and never held up by another."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import select

from api import worker
from api.app import ERRANDS
from api.worker import Worker
from consultation.database import Database, Transaction
from consultation.jobs import LEASE, Job, JobKind, claim, schedule
from tests.conftest import ManualClock

KIND = JobKind.TASK_OVERDUE


class Handler:
    """Notes what it did; fails for subjects in ``bad``; waits for ``gate`` if there is one."""

    def __init__(self) -> None:
        self.done: list[UUID] = []
        self.bad: set[UUID] = set()
        self.running = 0
        self.most_at_once = 0
        self.gate: asyncio.Event | None = None
        self.started = asyncio.Event()

    async def __call__(self, tx: Transaction, subject_id: UUID) -> None:
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        self.started.set()
        try:
            if self.gate is not None:
                await self.gate.wait()
            if subject_id in self.bad:
                raise ValueError("张三")
            self.done.append(subject_id)
        finally:
            self.running -= 1


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> Handler:
    handler = Handler()
    monkeypatch.setattr(worker, "HANDLERS", {KIND: handler})
    return handler


async def ask(db: Database, *, after: timedelta = timedelta(0), occasion: str = "") -> UUID:
    subject = uuid4()
    async with db.begin() as tx:
        await schedule(tx, KIND, subject, tx.now + after, community_id=None, occasion=occasion)
    return subject


async def job_of(db: Database, subject: UUID) -> Job:
    async with db.read() as tx:
        return (await tx.session.exec(select(Job).where(Job.subject_id == subject))).one()


async def test_jobs_are_done_when_they_fall_due_earliest_first(
    db: Database, clock: ManualClock, handler: Handler
) -> None:
    late = await ask(db, after=timedelta(hours=2))
    soon = await ask(db, after=timedelta(hours=1))
    now = await ask(db)
    work = Worker(db, poll_seconds=1)

    assert await work.run_due() == 1
    assert await work.run_due() == 0
    clock.advance(hours=2)
    assert await work.run_due() == 2
    assert handler.done == [now, soon, late]


async def test_asking_twice_for_the_same_occasion_does_it_once(
    db: Database, handler: Handler
) -> None:
    subject = uuid4()
    for occasion in ("1", "1", "2"):
        async with db.begin() as tx:
            await schedule(tx, KIND, subject, tx.now, community_id=None, occasion=occasion)

    assert await Worker(db, poll_seconds=1).run_due() == 2


async def test_a_job_that_fails_is_put_off_longer_each_time_and_holds_up_nobody(
    db: Database, clock: ManualClock, handler: Handler
) -> None:
    failing = await ask(db)
    handler.bad = {failing}
    other = await ask(db)
    work = Worker(db, poll_seconds=1)

    waits = []
    for _ in range(3):
        assert await work.run_due() == (1 if not handler.done[1:] and not waits else 0)
        waits.append((await job_of(db, failing)).run_at - clock.now)
        clock.advance(seconds=waits[-1].total_seconds())

    assert waits == [timedelta(minutes=2), timedelta(minutes=4), timedelta(minutes=8)]
    assert handler.done == [other]
    assert (await job_of(db, failing)).last_error == "ValueError"  # never what people wrote

    handler.bad = set()
    assert await work.run_due() == 1
    assert handler.done == [other, failing]
    assert (await job_of(db, failing)).done_at == clock.now


async def test_the_wait_after_failures_is_at_most_six_hours(
    db: Database, clock: ManualClock, handler: Handler
) -> None:
    failing = await ask(db)
    handler.bad = {failing}
    for _ in range(12):
        await Worker(db, poll_seconds=1).run_due()
        clock.now = (await job_of(db, failing)).run_at
    before = clock.now
    await Worker(db, poll_seconds=1).run_due()

    assert (await job_of(db, failing)).run_at - before == timedelta(hours=6)


async def test_workers_side_by_side_do_each_job_once(db: Database, handler: Handler) -> None:
    subjects = [await ask(db) for _ in range(25)]
    done = await asyncio.gather(*(Worker(db, poll_seconds=1).run_due() for _ in range(3)))

    assert sum(done) == 25
    assert sorted(handler.done) == sorted(subjects)


async def test_what_a_worker_that_died_had_claimed_is_done_when_its_lease_is_over(
    db: Database, clock: ManualClock, handler: Handler
) -> None:
    subject = await ask(db)
    async with db.begin() as tx:
        assert len(await claim(tx, kinds=[KIND])) == 1  # and the process dies here
    work = Worker(db, poll_seconds=1)

    assert await work.run_due() == 0
    clock.advance(seconds=LEASE.total_seconds() - 1)
    assert await work.run_due() == 0
    clock.advance(seconds=1)
    assert await work.run_due() == 1
    assert handler.done == [subject]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_job_still_in_hand_when_its_lease_ends_is_not_begun_by_another(
    db: Database, clock: ManualClock, handler: Handler
) -> None:
    """SQLite has one writer, who holds everything."""
    subject = await ask(db)
    handler.gate = asyncio.Event()
    slow = asyncio.create_task(Worker(db, poll_seconds=1).run_due())
    await handler.started.wait()
    clock.advance(seconds=LEASE.total_seconds() + 1)

    assert await Worker(db, poll_seconds=1).run_due() == 0
    handler.gate.set()
    assert await slow == 1
    assert handler.done == [subject]
    assert handler.most_at_once == 1


async def test_a_claim_whose_lease_went_to_another_worker_is_not_acted_upon(
    db: Database, clock: ManualClock, handler: Handler
) -> None:
    await ask(db)
    work = Worker(db, poll_seconds=1)
    async with db.begin() as tx:
        stale = await claim(tx, kinds=[KIND])
    clock.advance(seconds=LEASE.total_seconds())
    async with db.begin() as tx:
        assert len(await claim(tx, kinds=[KIND])) == 1

    assert not await work._handle(stale[0])
    assert handler.done == []


async def test_the_worker_runs_by_itself_until_it_is_stopped(
    db: Database, handler: Handler
) -> None:
    work = Worker(db, poll_seconds=0.02)
    work.start()
    subject = await ask(db)
    async with asyncio.timeout(5):
        await handler.started.wait()
    await work.stop()
    after = await ask(db)

    assert handler.done == [subject]
    assert (await job_of(db, after)).done_at is None


def test_every_kind_of_job_has_its_handler() -> None:
    assert set(worker.HANDLERS) | set(ERRANDS) == set(JobKind)
    assert set(worker.HANDLERS) & set(ERRANDS) == set()
