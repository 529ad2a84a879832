"""A topic driven through its life by random steps, beside a model written out by hand.

The evidence for the gates is given by the test, passing or lacking one thing, so that every step
can be reached; the tables of the database are the real ones.
"""

import asyncio
from collections.abc import Generator
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlmodel import col, func, select

from consultation.database import Database
from consultation.journal import JournalEntry
from consultation.permissions import Role, Standing
from consultation.refusals import NotPermitted
from consultation.topics import lifecycle
from consultation.topics.documents import Paper
from consultation.topics.facts import TopicFacts
from consultation.topics.gates.gate import GateNotMet
from consultation.topics.lifecycle import advance
from consultation.topics.states import Act, State
from consultation.topics.steps import TransitionNotAllowed
from consultation.topics.tables import Document, Topic, TopicTransition
from consultation.topics.transitions import NEXT
from consultation.vault import Vault
from tests.conftest import BOARD_KEY, SECRET, START, ManualClock
from tests.consultation.topics.building import BALLOT_PLAN, SECRETARY, facts
from tests.consultation.topics.test_gates import REFUSES
from tests.consultation.topics.test_transitions import WHO
from tests.world import World, a_topic, build_world

S, A = State, Act
BEFORE_VOTING = (S.ACCEPTED, S.PREPARING, S.ANNOUNCED, S.DELIBERATING, S.OUTCOME_DRAFTING)
MODEL: dict[tuple[State, Act], State] = {
    (S.DRAFT, A.SUBMIT): S.SUBMITTED,
    (S.RETURNED, A.RESUBMIT): S.SUBMITTED,
    (S.SUBMITTED, A.RETURN): S.RETURNED,
    (S.SUBMITTED, A.ACCEPT): S.ACCEPTED,
    (S.SUBMITTED, A.REJECT): S.REJECTED,
    (S.REJECTED, A.UPHOLD_APPEAL): S.SUBMITTED,
    **{(s, A.MERGE): S.MERGED for s in (S.SUBMITTED, S.ACCEPTED)},
    **{(s, A.TRANSFER): S.TRANSFERRED for s in (S.SUBMITTED, S.ACCEPTED, S.TRANSFERRED)},
    (S.TRANSFERRED, A.TAKE_BACK): S.ACCEPTED,
    **{(s, A.WITHDRAW): S.WITHDRAWN for s in (S.DRAFT, S.SUBMITTED, S.RETURNED)},
    **{(s, A.AGREE_WITHDRAWAL): S.WITHDRAWN for s in BEFORE_VOTING},
    **{(s, A.PREPARE): S.PREPARING for s in (S.ACCEPTED, S.RECONSULTATION)},
    (S.PREPARING, A.ANNOUNCE): S.ANNOUNCED,
    (S.ANNOUNCED, A.OPEN_DELIBERATION): S.DELIBERATING,
    (S.DELIBERATING, A.CLOSE_DELIBERATION): S.OUTCOME_DRAFTING,
    (S.OUTCOME_DRAFTING, A.OPEN_VOTING): S.VOTING,
    (S.OUTCOME_DRAFTING, A.CONSENSUS): S.OUTCOME_PUBLIC,
    (S.VOTING, A.PUBLISH_RESULT): S.OUTCOME_PUBLIC,
    (S.VOTING, A.FAIL_QUORUM): S.NO_QUORUM,
    (S.VOTING, A.ANNUL_VOTE): S.OUTCOME_DRAFTING,
    **{
        (s, A.ESCALATE): S.ESCALATED_TO_ASSEMBLY
        for s in (S.DELIBERATING, S.OUTCOME_DRAFTING, S.NO_QUORUM)
    },
    (S.ESCALATED_TO_ASSEMBLY, A.PREPARE_ASSEMBLY): S.PREPARING,
    **{
        (s, A.RECONSULT): S.RECONSULTATION
        for s in (S.OUTCOME_PUBLIC, S.ADOPTION_PENDING, S.NO_QUORUM)
    },
    (S.OUTCOME_PUBLIC, A.START_ADOPTION): S.ADOPTION_PENDING,
    (S.ADOPTION_PENDING, A.ADOPT): S.ADOPTED,
    (S.ADOPTION_PENDING, A.ADOPT_PARTIALLY): S.PARTIALLY_ADOPTED,
    (S.ADOPTION_PENDING, A.NOT_ADOPT): S.NOT_ADOPTED,
    **{(s, A.IMPLEMENT): S.IMPLEMENTING for s in (S.ADOPTED, S.PARTIALLY_ADOPTED)},
    (S.IMPLEMENTING, A.REPORT): S.FEEDBACK,
    (S.NOT_ADOPTED, A.ANSWER): S.FEEDBACK,
    (S.FEEDBACK, A.EVALUATE): S.EVALUATING,
    (S.EVALUATING, A.CLOSE): S.CLOSED,
}
"""Domain 3.2, columns "from → to", without the steps of a later release."""

NEW_ROUND = {(S.RECONSULTATION, A.PREPARE), (S.ESCALATED_TO_ASSEMBLY, A.PREPARE_ASSEMBLY)}
HIDDEN = {S.DRAFT, S.SUBMITTED, S.RETURNED, S.REJECTED, S.WITHDRAWN, S.MERGED}

ENOUGH: dict[Act, dict[str, Any]] = {
    Act.UPHOLD_APPEAL: {"entered_by_id": None},
    Act.ANNOUNCE: {"actor_id": SECRETARY},
    Act.OPEN_VOTING: {"plan": {"plan": BALLOT_PLAN}},
    Act.FAIL_QUORUM: {"poll": {"verdict": "no_quorum"}},
    Act.ANNUL_VOTE: {"poll": None},
    Act.ADOPT_PARTIALLY: {"adoption": {"decisions": ("adopted", "not_adopted")}},
    Act.NOT_ADOPT: {"adoption": {"decisions": ("not_adopted",)}},
}


def test_the_model_and_the_table_know_the_same_steps() -> None:
    assert {pair: row.target for pair, row in NEXT.items() if row.built} == MODEL


class Stage:
    """One database with its people, shared by all runs; the event loop they live in."""

    def __init__(self, url: str) -> None:
        self.runner = asyncio.Runner()
        self.clock = ManualClock()
        self.db = Database(
            url, vault=Vault(SECRET.encode()), board_key=BOARD_KEY, clock=self.clock, pool_size=2
        )
        self.world: World = self.runner.run(build_world(self.db))
        self.evidence = facts()

    def close(self) -> None:
        self.runner.run(self.db.dispose())
        self.runner.close()


class TopicMachine(RuleBasedStateMachine):
    stage: Stage

    @initialize(start=st.sampled_from([S.DRAFT, S.ACCEPTED, S.OUTCOME_DRAFTING, S.NO_QUORUM]))
    def raise_topic(self, start: State) -> None:
        self.stage.clock.now = START
        made = a_topic(self.stage.db, self.stage.world, state=start)
        self.id: UUID = self.stage.runner.run(made).id
        self.start = self.state = start
        self.round, self.steps, self.public = 1, 0, start not in HIDDEN

    def take(self, act: Act, role: Role, evidence: TopicFacts) -> None:
        self.stage.evidence = evidence
        self.stage.clock.advance(hours=5)

        async def go() -> None:
            async with self.stage.db.begin(self.stage.world.as_("clerk")) as tx:
                statement = select(Topic).where(Topic.id == self.id).with_for_update()
                topic = (await tx.session.exec(statement)).one()
                tx.standing = Standing(role, level=2)
                await advance(tx, topic, act, reason="有理由", paper=Paper("文书", str(uuid4())))

        self.stage.runner.run(go())

    @precondition(lambda self: any(state is self.state for state, _ in MODEL))
    @rule(data=st.data())
    def take_a_step_that_the_state_knows(self, data: st.DataObject) -> None:
        act = data.draw(st.sampled_from([a for s, a in MODEL if s is self.state]))
        if act is Act.RECONSULT and self.round >= 3:
            with pytest.raises(GateNotMet):
                self.take(act, Role.PARTY_SECRETARY, facts(round=self.round))
            return
        role = data.draw(st.sampled_from(sorted(WHO[act])))
        round = min(self.round, 2) if act is Act.RECONSULT else self.round
        self.take(act, role, facts(**{"round": round} | ENOUGH.get(act, {})))

        self.round += (self.state, act) in NEW_ROUND
        self.state = MODEL[self.state, act]
        self.steps += 1
        self.public = self.public or self.state not in HIDDEN

    @rule(act=st.sampled_from(Act))
    def ask_for_a_step_that_the_state_does_not_know(self, act: Act) -> None:
        if (self.state, act) in NEXT:
            return
        with pytest.raises(TransitionNotAllowed):
            self.take(act, Role.SYSTEM, facts())

    @rule(data=st.data())
    def ask_without_the_right_or_without_what_is_needed(self, data: st.DataObject) -> None:
        known = [a for s, a in MODEL if s is self.state]
        if not known:
            return
        act = data.draw(st.sampled_from(known))
        strangers = sorted(set(Role) - WHO[act])
        with pytest.raises(NotPermitted):
            self.take(act, data.draw(st.sampled_from(strangers)), facts())
        gates = NEXT[self.state, act].gates
        lacking = [case for case in REFUSES if case[0] in gates]
        if lacking:
            _, changes, _ = data.draw(st.sampled_from(lacking))
            with pytest.raises(GateNotMet):
                self.take(act, min(WHO[act]), facts(**changes))

    @invariant()
    def the_rows_say_what_the_model_says(self) -> None:
        async def read() -> tuple[Topic, list[TopicTransition], int, int]:
            async with self.stage.db.read() as tx:
                topic = await tx.session.get(Topic, self.id)
                assert topic is not None
                steps = await tx.session.exec(
                    select(TopicTransition)
                    .where(TopicTransition.topic_id == self.id)
                    .order_by(col(TopicTransition.number))
                )
                told = await tx.session.exec(
                    select(func.count())
                    .select_from(JournalEntry)
                    .where(
                        JournalEntry.stream == f"topic:{self.id}",
                        JournalEntry.type == "topic.state_changed",
                    )
                )
                filed = await tx.session.exec(
                    select(func.count()).select_from(Document).where(Document.topic_id == self.id)
                )
                return topic, list(steps), told.one(), filed.one()

        topic, steps, told, filed = self.stage.runner.run(read())
        assert (topic.state, topic.round, topic.version, topic.was_public) == (
            self.state,
            self.round,
            self.steps + 1,
            self.public,
        )
        assert [step.number for step in steps] == list(range(1, self.steps + 1))
        path = [self.start, *(step.to_state for step in steps)]
        assert [step.from_state for step in steps] == path[:-1]
        assert told == self.steps
        assert filed == sum(NEXT[step.from_state, step.act].document is not None for step in steps)
        if State.CLOSED in path:
            taken = {step.act for step in steps}
            assert taken & {Act.CONSENSUS, Act.PUBLISH_RESULT}
            assert taken & {Act.ADOPT, Act.ADOPT_PARTIALLY, Act.NOT_ADOPT}
            assert Act.START_ADOPTION in taken
            assert Act.EVALUATE in taken


@pytest.fixture
def stage(
    anyio_backend: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Generator[Stage]:
    made = Stage(database_url)

    async def load(*args: object, **more: object) -> TopicFacts:
        return made.evidence

    monkeypatch.setattr(lifecycle, "load_facts", load)
    yield made
    made.close()


def test_a_topic_lives_as_the_notes_say(stage: Stage) -> None:
    class OnStage(TopicMachine):
        pass

    OnStage.stage = stage
    run_state_machine_as_test(
        OnStage,
        settings=settings(
            max_examples=10,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
