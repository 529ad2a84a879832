"""A confidential poll by every channel in random order, on both databases, beside a small model:
what the preset lets stand comes out of the box, everything adds up, and nobody counts twice."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from secrets import token_urlsafe
from typing import Any

import pytest
from sqlmodel import select

from consultation.database import Database
from consultation.permissions import Actor, Role
from consultation.polls.commands import casting, mandates, sheets
from consultation.polls.commands import paper as forms
from consultation.polls.commands.paper import Settlement
from consultation.polls.envelope_tables import OpenedBallot
from consultation.polls.mandates import MandateRelation
from consultation.polls.paper import FormFate
from consultation.polls.paper_queries import forms_between, forms_page, issue_of
from consultation.polls.precedence import Precedence, precedence
from consultation.polls.presets import BallotChannel, Duplicates, InvalidBallots, Proxies, Revote
from consultation.polls.queries import turnout
from consultation.polls.reconciliation_queries import reconciliation_of
from consultation.polls.tables import Poll
from consultation.refusals import Refusal
from tests.conftest import ManualClock
from tests.consultation.polls.stage import OPENERS, Stage
from tests.world import World

STAFF = (
    ("clerk", Role.CLERK),
    ("grid_worker", Role.GRID_WORKER),
    ("teller1", Role.TELLER),
    ("teller2", Role.TELLER),
)
PLACES, FORMS = 10, 12
SHA = "e" * 64
Said = str | None
"""for or against; None on a sheet that nobody can read."""


class Machine:
    """``stands`` is the model: by place the channel and the word of the ballot that counts."""

    def __init__(
        self, stage: Stage, poll: Poll, voters: dict[int, Any], holders: list[Any]
    ) -> None:
        self.stage, self.poll, self.voters, self.holders = stage, poll, voters, holders
        self.stands: dict[int, tuple[BallotChannel, Said]] = {}
        self.written: dict[int, Said] = {}
        self.done: Counter[str] = Counter()

    async def step(self, source: random.Random) -> None:
        deed: Callable[[random.Random], Awaitable[Any]] = source.choices(
            [self.vote, self.issue, self.hand_in, self.spoil, self.help, self.give, self.use],
            [4, 4, 7, 1, 2, 3, 4],
        )[0]
        self.stage.clock.now += timedelta(seconds=1)
        try:
            await deed(source)
        except Refusal:
            return
        self.done[deed.__name__] += 1

    def staff(self, source: random.Random) -> Actor:
        return self.stage.world.as_(*source.choice(STAFF))

    def comes(self, place: int, channel: BallotChannel, said: Said) -> None:
        """A ballot was taken: it counts unless the rule sets it aside."""
        known = self.stands.get(place)
        fate = Precedence.REPLACES
        if known is not None:
            fate = precedence(self.poll.preset, known[0], channel)
        assert fate is not Precedence.REFUSED, "taken against the rule"
        if fate is Precedence.REPLACES:
            self.stands[place] = (channel, said)
        else:
            assert channel in (BallotChannel.PAPER, BallotChannel.HOME_VISIT)

    async def vote(self, source: random.Random) -> None:
        place, said = source.randint(1, PLACES), source.choice(["for", "against"])
        async with self.stage.db.begin(Actor(person_id=self.voters[place])) as tx:
            await casting.cast_ballot(tx, self.poll.id, [(1, [said])], once=token_urlsafe(24))
        self.comes(place, BallotChannel.ELECTRONIC, said)

    async def issue(self, source: random.Random) -> None:
        second = source.choice([None, None, self.stage.world.id("grid_worker")])
        form = source.randint(1, FORMS)
        async with self.stage.db.begin(self.staff(source)) as tx:
            await forms.issue_form(
                tx,
                self.poll.id,
                form,
                number=source.randint(1, PLACES),
                signature_sha256=SHA,
                second_staff_id=second,
            )

    async def hand_in(self, source: random.Random) -> None:
        form = source.randint(1, FORMS)
        async with self.stage.db.begin(self.staff(source)) as tx:
            await sheets.take_envelope(tx, self.poll.id, form)
            issue = await issue_of(tx, self.poll, form)
        if form in self.written:
            return  # it was taken before
        assert issue is not None
        self.written[form] = source.choice(["for", "against", None])
        self.comes(issue.number, issue.channel, self.written[form])

    async def spoil(self, source: random.Random) -> None:
        form = source.randint(1, FORMS)
        one = Settlement(first=form, last=form, fate=FormFate.SPOILED, note="残破")
        async with self.stage.db.begin(self.staff(source)) as tx:
            await forms.settle_forms(tx, self.poll.id, [one])

    async def help(self, source: random.Random) -> None:
        place, said = source.randint(1, PLACES), source.choice(["for", "against"])
        async with self.stage.db.begin(self.staff(source)) as tx:
            await casting.record_ballot(
                tx,
                self.poll.id,
                place,
                [(1, [said])],
                channel=BallotChannel.ASSISTED,
                consent_note="本人要求",
                helper_id=self.stage.world.id("resident6"),
                once=token_urlsafe(24),
            )
        self.comes(place, BallotChannel.ASSISTED, said)

    async def give(self, source: random.Random) -> None:
        async with self.stage.db.begin(self.staff(source)) as tx:
            await mandates.register_mandate(
                tx,
                self.poll.id,
                source.randint(1, PLACES),
                holder_id=source.choice(self.holders),
                holder_phone=None,
                relation=MandateRelation.CHILD,
                document_sha256=SHA,
                instruction=None,
                valid_until=self.poll.closes_at,
            )

    async def use(self, source: random.Random) -> None:
        place, said = source.randint(1, PLACES), source.choice(["for", "against"])
        async with self.stage.db.begin(Actor(person_id=source.choice(self.holders))) as tx:
            await mandates.cast_as_proxy(
                tx, self.poll.id, place, [(1, [said])], once=token_urlsafe(24)
            )
        self.comes(place, BallotChannel.PROXY, said)

    async def enter_sheets(self, source: random.Random) -> int:
        """What lies in the envelopes that are to be opened, mixed; how many there were."""
        async with self.stage.db.read() as tx:
            poll = await tx.session.get_one(Poll, self.poll.id)
            rows = await forms_page(tx, poll, after=0, limit=FORMS)
        mixed = [self.written[row.form] for row in rows if row.to_open]
        source.shuffle(mixed)
        for sheet, said in enumerate(mixed, 1):
            for who in STAFF[2:]:
                async with self.stage.db.begin(self.stage.world.as_(*who)) as tx:
                    answers = None if said is None else [(1, [said])]
                    await sheets.enter_sheet(tx, self.poll.id, sheet, answers, scans=[SHA])
        return len(mixed)

    async def settle(self) -> None:
        async with self.stage.db.begin(self.stage.clerk) as tx:
            issues, _, fates = await forms_between(tx, self.poll, 1, FORMS)
            left = [
                Settlement(
                    first=f,
                    last=f,
                    fate=FormFate.KEPT if f in issues else FormFate.UNUSED,
                    note="未交回",
                )
                for f in range(1, FORMS + 1)
                if f not in fates
            ]
            await forms.settle_forms(tx, self.poll.id, left)


@pytest.mark.parametrize("seed", range(4))
async def test_any_order_of_any_channel_comes_out_of_one_box(
    db: Database, world: World, clock: ManualClock, seed: int
) -> None:
    source = random.Random(seed)
    stage = Stage(db=db, world=world, clock=clock)
    rule = {
        "revote": source.choice(list(Revote)),
        "duplicates": list(Duplicates)[seed % 2],
        "invalid": source.choice(list(InvalidBallots)),
        "channels": [one for one in BallotChannel if one is not BallotChannel.SHOW_OF_HANDS],
        "proxies": Proxies(max_principals=3, instructions_binding=False),
    }
    poll, _ = await stage.household_poll(PLACES, rule=rule)
    voters = {place.number: place.person_id for place in (await stage.roll(poll.id)).values()}
    machine = Machine(stage, poll, voters, await stage.people(4, poll.community_id))
    async with db.begin(stage.clerk) as tx:
        await forms.print_forms(tx, poll.id, first=1, last=FORMS)
    for _ in range(90):
        await machine.step(source)
    assert len(machine.done) >= 6, machine.done  # the walk went nearly everywhere
    async with db.read() as tx:
        assert (await turnout(tx, poll.id)).heads == len(machine.stands)

    await stage.closed(poll.id)
    on_paper = sum(
        channel in (BallotChannel.PAPER, BallotChannel.HOME_VISIT)
        for channel, _ in machine.stands.values()
    )
    assert await machine.enter_sheets(source) == on_paper
    for name, role in OPENERS:
        opened = await stage.confirm_opening(poll.id, name, role)
    await machine.settle()
    async with db.read() as tx:
        said = Counter(
            None if one.choices is None else one.choices["1"][0]
            for one in await tx.session.exec(
                select(OpenedBallot).where(OpenedBallot.poll_id == poll.id)
            )
        )
        found = await reconciliation_of(tx, opened)
    assert said == Counter(word for _, word in machine.stands.values())
    assert found.differences == []
    assert found.voters == len(machine.stands)
    assert found.paper.returned == len(machine.written)
