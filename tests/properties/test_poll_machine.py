"""A poll driven through its life by random steps of the real commands, beside a small model: what
stands of each voter's casts, what is shown, and what it comes to."""

import os
from collections.abc import Generator
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlmodel import func, select

from api.phrases import write
from api.routes.poll_shapes import poll_out
from consultation.community.tables import Node, NodeKind
from consultation.permissions import Actor, Deed, Role
from consultation.polls import recounts, rules, terms
from consultation.polls.commands import casting, closing, drafting
from consultation.polls.commands import paper as forms
from consultation.polls.presets import BallotChannel
from consultation.polls.queries import access_poll, turnout
from consultation.polls.rules import PollState, Verdict
from consultation.polls.tables import Ballot, CountSignature, Poll
from consultation.refusals import NotFound
from consultation.topics.states import State
from tests.conftest import START
from tests.properties.poll_model import PLAYS, Choices, Model, Voter
from tests.properties.poll_theatre import Theatre

SIGNERS = (("teller1", Role.TELLER), ("teller2", Role.TELLER), ("supervisor", Role.SUPERVISOR))
RUNS = int(os.environ.get("MINYI_POLL_RUNS", "20"))
"""Lives of a poll on each database; more of them by hand."""


class PollMachine(RuleBasedStateMachine):
    theatre: Theatre
    seen: ClassVar[set[str]]  # what the runs came to, so that none of it can fall away unnoticed

    # ---- the scene

    @initialize(
        name=st.sampled_from(sorted(PLAYS)),
        areas=st.lists(st.integers(3000, 15000), min_size=3, max_size=6),
        opened=st.sampled_from([True, True, True, False]),
        patience=st.integers(0, 10),
    )
    def set_the_scene(self, name: str, areas: list[int], opened: bool, patience: int) -> None:
        self.stage = self.theatre.stage
        self.theatre.clock.now = START
        self.theatre.plays += 1
        self.name = name
        self.items, self.again, _ = PLAYS[name]
        self.state: PollState | None = None
        self.poll_id: UUID | None = None
        self.signed: set[str] = set()
        self.forms = 0
        self.extended = False
        self.patience = patience
        self.voters: list[Voter] = []
        self.theatre.run(self._build(areas))
        if opened:
            self.draft("是否同意")
            self.announce()
            self.open()

    async def _build(self, areas: list[int]) -> None:
        stage, title = self.stage, f"第{self.theatre.plays}场"
        self.scope: Node
        if self.name == "household_poll":
            self.scope, people = await stage.households(len(areas), name=title)
            areas = [0] * len(areas)
        else:
            estate = await stage.place(NodeKind.ESTATE, title, stage.world.community)
            building = await stage.place(NodeKind.BUILDING, "1幢", estate)
            entrance = await stage.place(NodeKind.ENTRANCE, "1单元", building)
            people = await stage.people(len(areas), estate.community_id)
            await stage.homes(estate, entrance, areas, people)
            self.scope = entrance if self.name == "lift_scope_owners" else estate
        self.voters = [Voter(person, area) for person, area in zip(people, areas, strict=True)]
        self.model = Model(self.name, self.voters)
        self.topic = await stage.topic(self.name, self.scope)

    @property
    def id(self) -> UUID:
        assert self.poll_id is not None
        return self.poll_id

    def load(self) -> Poll:
        return self.theatre.run(self.stage.load(self.id))

    # ---- before the vote

    @precondition(lambda self: self.state in (None, PollState.DRAFT))
    @rule(question=st.sampled_from(["是否同意", "是否赞成"]))
    def draft(self, question: str) -> None:
        poll = self.theatre.run(
            self.stage.drafted(
                self.name, self.topic, self.scope, question=question, items=self.items
            )
        )
        assert self.poll_id in (None, poll.id)
        self.poll_id, self.state = poll.id, PollState.DRAFT

    @precondition(lambda self: self.state not in (None, PollState.DRAFT))
    @rule()
    def draft_again_what_is_announced(self) -> None:
        with pytest.raises((terms.PollExists, terms.PollTooEarly)):
            self.theatre.run(
                self.stage.drafted(self.name, self.topic, self.scope, items=self.items)
            )

    @precondition(lambda self: self.state is PollState.DRAFT)
    @rule()
    def announce(self) -> None:
        with pytest.raises(terms.SecondPersonNeeded):
            self.theatre.run(self._announce(self.stage.clerk))
        self.theatre.run(self._announce(self.stage.secretary))
        self.state = PollState.ANNOUNCED
        roll = self.theatre.run(self.stage.roll(self.id))
        numbers = {place.person_id: place.number for place in roll.values()}
        for voter in self.voters:
            voter.number = numbers[voter.person_id]

    async def _announce(self, actor: Actor) -> None:
        async with self.theatre.db.begin(actor) as tx:
            await drafting.announce_poll(tx, self.id, write=write)

    @precondition(lambda self: self.state is PollState.ANNOUNCED)
    @rule()
    def open(self) -> None:
        self.theatre.clock.now = self.load().opens_at
        self.theatre.run(self.stage.work())
        self.state = PollState.OPEN

    # ---- the vote

    def answers(self, data: st.DataObject) -> Choices:
        said: Choices = {}
        for item in self.items:
            codes = [option.code for option in item.options]
            one = st.sampled_from(["for", "for", *item.choices] if not codes else item.choices)
            some = st.lists(
                st.sampled_from(codes or ["for"]), unique=True, min_size=1, max_size=item.most
            )
            drawn = data.draw(some if item.most > 1 else one.map(lambda code: [code]))
            said[str(item.number)] = sorted(drawn)
        return said

    async def _cast(self, person_id: UUID, said: Choices) -> str:
        given = [(int(number), codes) for number, codes in said.items()]
        async with self.theatre.db.begin(Actor(person_id=person_id)) as tx:
            return (await casting.cast_ballot(tx, self.id, given)).receipt

    @precondition(lambda self: self.state is PollState.OPEN)
    @rule(data=st.data())
    def cast_or_cast_again(self, data: st.DataObject) -> None:
        self.cast(data.draw(st.sampled_from(self.voters)), self.answers(data))

    @precondition(lambda self: self.state is PollState.OPEN)
    @rule(data=st.data())
    def everybody_casts(self, data: st.DataObject) -> None:
        for voter in self.voters:
            self.cast(voter, self.answers(data))

    def cast(self, voter: Voter, said: Choices) -> None:
        mine = (BallotChannel.ELECTRONIC, said)
        cast = self._cast(voter.person_id, said)
        if voter.stands == mine:
            receipt = self.theatre.run(cast)
            assert self.theatre.run(self._cast(voter.person_id, said)) == receipt
            return
        after_phone = voter.stands is not None and voter.stands[0] is BallotChannel.ELECTRONIC
        if after_phone and not self.again:
            with pytest.raises(rules.AlreadyVoted):
                self.theatre.run(cast)
            return
        self.theatre.run(cast)  # the first, a re-vote, or the phone over paper
        if voter.stands is not None:
            self.seen.add("again" if after_phone else "phone over paper")
        voter.casts += 1
        voter.stands = mine

    @precondition(lambda self: self.state is PollState.OPEN)
    @rule(data=st.data(), readable=st.booleans())
    def vote_on_paper(self, data: st.DataObject, readable: bool) -> None:
        without = [voter for voter in self.voters if not voter.form]
        without = [voter for voter in without if voter.stands is None] or without
        if not without:
            return
        voter = data.draw(st.sampled_from(without))
        said = self.answers(data) if readable else None
        self.forms += 1
        voter.form = True
        self.theatre.run(self._paper(self.forms, voter.number, said))
        voter.casts += 1
        if voter.stands is None:
            voter.stands = (BallotChannel.PAPER, said)
        else:
            self.seen.add("paper set aside")  # the phone prevails, and the paper is on record

    async def _paper(self, form: int, number: int, said: Choices | None) -> None:
        world = self.stage.world
        given = None if said is None else [(int(n), codes) for n, codes in said.items()]
        async with self.theatre.db.begin(world.as_("clerk", Role.CLERK)) as tx:
            await forms.print_forms(tx, self.id, first=form, last=form)
            await forms.issue_form(tx, self.id, form, number=number, signature_sha256="c" * 64)
        for name in ("teller1", "teller2"):
            async with self.theatre.db.begin(world.as_(name, Role.TELLER)) as tx:
                await forms.enter_form(tx, self.id, form, given, scans=(self.id.hex * 2,))

    @precondition(lambda self: self.state is not None)
    @rule(data=st.data())
    def cast_what_is_not_a_ballot_or_not_now(self, data: st.DataObject) -> None:
        voter = data.draw(st.sampled_from(self.voters))
        said = self.answers(data)
        stranger = self.stage.world.id("resident1")
        if self.state is PollState.DRAFT:
            with pytest.raises(NotFound):
                self.theatre.run(self._cast(voter.person_id, said))
            return
        with pytest.raises(rules.NotOnRoll):
            self.theatre.run(self._cast(stranger, said))
        for bad in ({}, said | {"9": ["for"]}, said | {"1": ["yes"]}, said | {"1": []}):
            with pytest.raises(rules.BallotInvalid):
                self.theatre.run(self._cast(voter.person_id, bad))
        if self.state is PollState.ANNOUNCED:
            with pytest.raises(rules.PollNotOpen):
                self.theatre.run(self._cast(voter.person_id, said))
        elif self.state is not PollState.OPEN and voter.stands != (BallotChannel.ELECTRONIC, said):
            with pytest.raises((rules.PollClosed, rules.PollNotOpen)):
                self.theatre.run(self._cast_unlike_any(voter, said))

    async def _cast_unlike_any(self, voter: Voter, said: Choices) -> None:
        """After the close a cast that is in keeps its receipt; any other is too late."""
        async with self.theatre.db.read() as tx:
            rows = await tx.session.exec(select(Ballot).where(Ballot.poll_id == self.id))
            if any(row.choices == said for row in rows):
                raise rules.PollClosed()
        await self._cast(voter.person_id, said)

    @precondition(lambda self: self.state is PollState.OPEN)
    @rule()
    def extend(self) -> None:
        """Once, and only while turnout is not reached."""
        poll = self.load()
        later = poll.closes_at + timedelta(days=2)
        reached = self.model.turnout_reached()
        if self.extended or reached:
            with pytest.raises(terms.CannotExtend):
                self.theatre.run(self._extend(later))
            return
        self.theatre.run(self._extend(later))
        self.extended = True
        self.seen.add("extended")
        assert self.load().closes_at == later

    async def _extend(self, closes_at: Any) -> None:
        async with self.theatre.db.begin(self.stage.secretary) as tx:
            await drafting.extend_poll(
                tx, self.id, closes_at=closes_at, reason="参与不足", write=write
            )

    def tired(self) -> bool:
        return sum(voter.casts for voter in self.voters) >= self.patience

    # ---- the count

    @precondition(lambda self: self.state is PollState.OPEN and self.tired())
    @rule()
    def close(self) -> None:
        poll = self.load()
        self.theatre.clock.now = poll.closes_at - timedelta(microseconds=1)
        self.theatre.run(self.stage.work())
        assert self.load().state is PollState.OPEN
        self.theatre.clock.now = poll.closes_at
        self.theatre.run(self.stage.work())
        self.state = PollState.CLOSED

    @precondition(lambda self: self.state in (PollState.OPEN, PollState.CLOSED))
    @rule(signer=st.sampled_from(SIGNERS), right=st.booleans())
    def sign(self, signer: tuple[str, Role], right: bool) -> None:
        name, role = signer
        if self.state is PollState.OPEN:
            with pytest.raises(rules.NotCounted):
                self.theatre.run(self.stage.sign(self.id, name, role, digest="0" * 64))
            return
        if not right and name not in self.signed:
            with pytest.raises(rules.SignedDigestDiffers):
                self.theatre.run(self.stage.sign(self.id, name, role, digest="0" * 64))
            return
        self.theatre.run(self.stage.sign(self.id, name, role))  # once more changes nothing
        self.signed.add(name)
        poll = self.load()
        assert poll.result is not None
        if len(self.signed) == len(SIGNERS) and recounts.is_close(poll.preset, poll.result):
            assert poll.state is PollState.CLOSED
            assert poll.recount_due_at is not None
            self.seen.add("close")
            for other in self.theatre.run(self.stage.other_tellers()):  # they count again
                assert self.load().state is PollState.CLOSED
                self.theatre.run(self.stage.sign(self.id, other, Role.TELLER))
                self.signed.add(other)
            self.state = PollState.PUBLISHED
        elif len(self.signed) == len(SIGNERS):
            self.state = PollState.PUBLISHED

    @precondition(lambda self: self.state is PollState.CLOSED)
    @rule()
    def everybody_signs(self) -> None:
        for signer in SIGNERS:
            self.sign(signer, right=True)

    # ---- what holds at every moment

    @invariant()
    def the_rows_say_what_the_model_says(self) -> None:
        if self.poll_id is None:
            return
        poll, came, casts, signed = self.theatre.run(self._rows())
        assert poll.state is self.state
        assert casts == sum(voter.casts for voter in self.voters)
        took_part = [voter for voter in self.voters if voter.casts]
        assert came == (len(took_part), sum(voter.area for voter in took_part))
        assert signed == len(self.signed)
        assert (poll.result is None) == (self.state not in (PollState.CLOSED, PollState.PUBLISHED))
        if poll.text_hash is not None:
            assert poll.text_hash == rules.text_hash(poll)
            assert poll.eligible_heads == len(self.voters)

    async def _rows(self) -> tuple[Poll, tuple[int, int], int, int]:
        async with self.theatre.db.read() as tx:
            poll = await tx.session.get(Poll, self.id)
            assert poll is not None
            came = await turnout(tx, poll.id)
            casts = await tx.session.exec(
                select(func.count()).select_from(Ballot).where(Ballot.poll_id == poll.id)
            )
            signed = await tx.session.exec(
                select(func.count())
                .select_from(CountSignature)
                .where(CountSignature.poll_id == poll.id)
            )
            return poll, (came.heads, came.area_dm2), casts.one(), signed.one()

    @invariant()
    def nobody_sees_a_choice_before_the_result_is_published(self) -> None:
        if self.state in (None, PollState.DRAFT):
            return
        shown = self.theatre.run(self._shown(Actor(person_id=self.voters[0].person_id)))
        if self.state is PollState.PUBLISHED:
            assert shown.result is not None
            assert shown.wording
        else:
            assert (shown.result, shown.wording, shown.steps) == (None, [], [])
        if self.state is PollState.OPEN:
            missing = [check.missing for check in shown.turnout_progress]
            assert (shown.meter == "已达到参与要求。") == (sum(missing) == 0)
        if self.state in (PollState.CLOSED, PollState.PUBLISHED):
            self.theatre.run(self._read())
            return
        with pytest.raises(rules.ChoicesSealed):
            self.theatre.run(self._read())

    async def _shown(self, actor: Actor) -> Any:
        async with self.theatre.db.read(actor) as tx:
            poll, _ = await access_poll(tx, self.id, Deed.READ_PUBLIC)
            return await poll_out(tx, poll, "zh-CN")

    async def _read(self) -> None:
        async with self.theatre.db.begin(self.stage.world.as_("teller1", Role.TELLER)) as tx:
            await closing.read_ballots(tx, self.id, after=0, limit=100)

    @invariant()
    def the_count_is_that_of_the_casts_that_stand(self) -> None:
        if self.state not in (PollState.CLOSED, PollState.PUBLISHED):
            return
        poll = self.load()
        result = poll.result
        assert result is not None
        valid = [voter for voter in self.voters if voter.stands and voter.stands[1] is not None]
        invalid = [voter for voter in self.voters if voter.stands and voter.stands[1] is None]
        assert (result.valid.heads, result.invalid.heads) == (len(valid), len(invalid))
        for asked, item in zip(self.items, result.items, strict=True):
            for tally in item.tallies:
                chose = [v for v in valid if tally.code in self.model.said(v, asked.number)]
                assert tally.votes.heads == len(chose)
                assert tally.votes.area_dm2 == sum(voter.area for voter in chose)
        assert result.quorum_reached == self.model.quorum(valid)
        self.model.check_motion(result.items[0], valid)
        if invalid:
            self.seen.add("invalid")
        self.seen.add(result.verdict.value)
        if self.state is PollState.PUBLISHED:
            self.seen.add("published")
            state = self.theatre.run(self.stage.topic_state(self.topic.id))
            missed = result.verdict is Verdict.NO_QUORUM
            assert state is (State.NO_QUORUM if missed else State.OUTCOME_PUBLIC)


@pytest.fixture
def theatre(anyio_backend: str, database_url: str) -> Generator[Theatre]:
    made = Theatre(database_url)
    yield made
    made.close()


def test_a_poll_lives_as_the_model_says(theatre: Theatre) -> None:
    class OnStage(PollMachine):
        seen: ClassVar[set[str]] = set()

    OnStage.theatre = theatre
    run_state_machine_as_test(
        OnStage,
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=18,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert OnStage.seen >= {
        "again",
        "phone over paper",
        "paper set aside",
        "extended",
        "invalid",
        "no_quorum",
        "published",
    }
