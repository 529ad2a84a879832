"""The real commands of every channel in random order, on both databases: what comes out adds up,
nobody counts twice, and a form that is left over is found."""

import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from consultation.database import Database
from consultation.permissions import Actor, Role
from consultation.polls.commands import casting, mandates
from consultation.polls.commands import paper as forms
from consultation.polls.commands.paper import Settlement
from consultation.polls.mandates import MandateRelation
from consultation.polls.paper import FormFate
from consultation.polls.paper_queries import forms_between
from consultation.polls.presets import BallotChannel, Duplicates, Revote
from consultation.polls.reconciliation_queries import reconciliation_of
from consultation.polls.tables import Poll
from consultation.refusals import Refusal
from tests.conftest import ManualClock
from tests.consultation.polls.stage import Stage
from tests.world import World

STAFF = (
    ("clerk", Role.CLERK),
    ("grid_worker", Role.GRID_WORKER),
    ("teller1", Role.TELLER),
    ("teller2", Role.TELLER),
)
FORMS = 10
SHA = "e" * 64


class Machine:
    """One poll on the lift with twelve owners and three possible holders of mandates."""

    def __init__(self, stage: Stage, poll: Poll, owners: list[UUID], holders: list[UUID]) -> None:
        self.stage, self.poll, self.owners, self.holders = stage, poll, owners, holders
        self.done: dict[str, int] = {}

    async def step(self, source: random.Random) -> None:
        """One thing that somebody tries; a refusal is an answer too."""
        deed: Callable[[random.Random], Awaitable[Any]] = source.choices(
            [
                self.vote,
                self.issue,
                self.enter,
                self.spoil,
                self.help,
                self.give,
                self.use,
                self.take,
            ],
            [4, 4, 9, 1, 2, 2, 3, 1],
        )[0]
        self.stage.clock.now += timedelta(seconds=1)
        try:
            await deed(source)
        except Refusal:
            return
        self.done[deed.__name__] = self.done.get(deed.__name__, 0) + 1

    def staff(self, source: random.Random) -> Actor:
        return self.stage.world.as_(*source.choice(STAFF))

    def answers(self, source: random.Random) -> list[tuple[int, list[str]]]:
        return [(1, [source.choice(["for", "against"])])]

    async def vote(self, source: random.Random) -> None:
        async with self.stage.db.begin(Actor(person_id=source.choice(self.owners))) as tx:
            await casting.cast_ballot(tx, self.poll.id, self.answers(source))

    async def issue(self, source: random.Random) -> None:
        second = source.choice([None, None, self.stage.world.id("grid_worker")])
        async with self.stage.db.begin(self.staff(source)) as tx:
            await forms.issue_form(
                tx,
                self.poll.id,
                source.randint(1, FORMS),
                number=source.randint(1, 12),
                signature_sha256=SHA,
                second_staff_id=second,
            )

    async def enter(self, source: random.Random) -> None:
        answers = None if source.random() < 0.2 else self.answers(source)
        async with self.stage.db.begin(self.staff(source)) as tx:
            await forms.enter_form(tx, self.poll.id, source.randint(1, FORMS), answers, scans=[SHA])

    async def spoil(self, source: random.Random) -> None:
        form = source.randint(1, FORMS)
        async with self.stage.db.begin(self.staff(source)) as tx:
            one = Settlement(first=form, last=form, fate=FormFate.SPOILED, note="残破")
            await forms.settle_forms(tx, self.poll.id, [one])

    async def help(self, source: random.Random) -> None:
        async with self.stage.db.begin(self.staff(source)) as tx:
            await casting.record_ballot(
                tx,
                self.poll.id,
                source.randint(1, 12),
                self.answers(source),
                channel=BallotChannel.ASSISTED,
                consent_note="本人要求",
                helper_id=self.stage.world.id("resident6"),
            )

    async def give(self, source: random.Random) -> None:
        async with self.stage.db.begin(self.staff(source)) as tx:
            await mandates.register_mandate(
                tx,
                self.poll.id,
                source.randint(1, 12),
                holder_id=source.choice(self.holders),
                holder_phone=None,
                relation=MandateRelation.CHILD,
                document_sha256=SHA,
                instruction=self.answers(source),
                valid_until=self.poll.closes_at,
            )

    async def use(self, source: random.Random) -> None:
        async with self.stage.db.begin(Actor(person_id=source.choice(self.holders))) as tx:
            await mandates.cast_as_proxy(
                tx, self.poll.id, source.randint(1, 12), self.answers(source)
            )

    async def take(self, source: random.Random) -> None:
        number = source.randint(1, 12)
        async with self.stage.db.begin(self.staff(source)) as tx:
            await mandates.withdraw_mandate(tx, self.poll.id, number, document_sha256=SHA)

    async def settle(self, *, leave: int | None) -> None:
        """After the close everything left over is accounted for, but for ``leave``."""
        async with self.stage.db.begin(self.stage.world.as_("supervisor", Role.SUPERVISOR)) as tx:
            issues, entered, fates = await forms_between(tx, self.poll, 1, FORMS)
            rest = [form for form in range(1, FORMS + 1) if form not in fates and form != leave]
            late = [
                Settlement(first=f, last=f, fate=FormFate.LATE, note="超时")
                for f in rest
                if f in entered
            ]
            await forms.settle_forms(tx, self.poll.id, late)
        async with self.stage.db.begin(self.stage.clerk) as tx:
            others = [
                Settlement(
                    first=f,
                    last=f,
                    fate=FormFate.KEPT if f in issues else FormFate.UNUSED,
                    note="未交回",
                )
                for f in rest
                if f not in entered
            ]
            await forms.settle_forms(tx, self.poll.id, others)


@pytest.mark.parametrize("seed", range(4))
async def test_any_order_of_any_channel_adds_up(
    db: Database, world: World, clock: ManualClock, seed: int
) -> None:
    source = random.Random(seed)
    stage = Stage(db=db, world=world, clock=clock)
    poll, owners = await stage.lift_poll()
    await stage.rewrite_rule(
        poll.id, revote=source.choice(list(Revote)), duplicates=source.choice(list(Duplicates))
    )
    poll = await stage.load(poll.id)
    machine = Machine(stage, poll, owners, await stage.people(3, poll.community_id))
    async with db.begin(stage.clerk) as tx:
        await forms.print_forms(tx, poll.id, first=1, last=FORMS)
    for _ in range(100):
        await machine.step(source)
    assert len(machine.done) >= 6, machine.done  # the walk went nearly everywhere

    closed = await stage.closed(poll.id)
    await stage.countersign_all(poll.id)
    async with db.read() as tx:
        _, _, fates = await forms_between(tx, closed, 1, FORMS)
        before = await reconciliation_of(tx, closed)
    open_forms = [form for form in range(1, FORMS + 1) if form not in fates]
    assert [one.code for one in before.differences] == (["forms_accounted"] if open_forms else [])
    lost = open_forms[0] if open_forms else None
    await machine.settle(leave=lost)
    async with db.read() as tx:
        assert (await reconciliation_of(tx, closed)).reconciles is (lost is None)
    await machine.settle(leave=None)
    async with db.read() as tx:
        report = await reconciliation_of(tx, closed)
    assert report.reconciles
    assert closed.result is not None
    assert report.voters == closed.result.valid.heads + closed.result.invalid.heads
    assert report.voters + report.not_voted == 12
