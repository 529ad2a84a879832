"""What waits for somebody names the act that takes it on: every duty has one, every one is an
operation of the contract, and each is the one that works."""

from dataclasses import replace
from datetime import timedelta
from itertools import product
from uuid import UUID

import pytest

from api import contract
from consultation.database import Database
from consultation.oversight.commands import dissent
from consultation.permissions import Role, grant_of
from consultation.topics import duties
from consultation.topics.commands import participants, preparing, routing, screening
from consultation.topics.lifecycle import set_deadline
from consultation.topics.next_acts import NEXT_ACTS, OF_A_TRANSFER, NextAct, Waits, next_act
from consultation.topics.rules import DUTIES, duty_states
from consultation.topics.states import RejectionReason, State, TransferState
from consultation.topics.tables import Topic
from consultation.topics.transfers import PENDING
from tests.conftest import ManualClock
from tests.consultation.outcomes import steps
from tests.consultation.polls.stage import Stage
from tests.consultation.topics import story
from tests.consultation.topics.story import CLERK, ENFORCER, OFFICIAL, SECRETARY, SUPERVISOR
from tests.consultation.topics.test_routing import transferred
from tests.world import World, a_topic

HOST, COMMITTEE = ("deputy", Role.HOST), ("deputy", Role.COMMITTEE_HEAD)
A = NextAct
STAGES = [
    Waits(
        rejection_proposed=some,
        open_requests=int(requests),
        planned=planned,
        planned_by_other=planned and other,
        lawful=lawful if planned else None,
        sitting_due=some,
        items_unanswered=some,
        tasks_planned=other,
        notice_published=planned,
        notice_on_board=planned and other,
    )
    for some, requests, planned, other, lawful in product(
        (False, True), (False, True), (False, True), (False, True), (None, False, True)
    )
]


def test_every_duty_of_every_role_has_a_next_act_at_every_stage() -> None:
    for role in Role:
        for state in duty_states(role):
            if state is not State.TRANSFERRED:
                assert all(next_act(state, role, stage) for stage in STAGES), (role, state)
    for role in (Role.CLERK, Role.PARTY_SECRETARY):
        for last in (*PENDING, TransferState.ANSWERED):
            assert next_act(State.TRANSFERRED, role, Waits(transfer=last)) is not None


def test_every_act_is_an_operation_of_the_contract_and_every_row_is_somebodys() -> None:
    operations = {
        operation["operationId"]
        for path in contract.openapi()["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict)
    }
    assert {act.value for act in NextAct} <= operations
    assert {row.act for row in NEXT_ACTS} | {*OF_A_TRANSFER.values()} == {*NextAct}
    assert OF_A_TRANSFER.keys() == {*PENDING}

    stages = [*STAGES, *(replace(STAGES[0], transfer=state) for state in TransferState)]
    for row in NEXT_ACTS:
        assert row.states <= DUTIES.keys()
        owing = [
            role
            for role in Role
            if any(grant_of(deed, role) is not None for deed in row.deeds)
            and row.states <= {*duty_states(role)}
        ]
        assert any(
            next_act(state, role, stage) is row.act
            for state, role, stage in product(row.states, owing, stages)
        ), row.act


class Desk:
    """Who looks at their worklist, and what it says to do next about a topic; None: nothing."""

    def __init__(self, db: Database, world: World) -> None:
        self.db, self.world = db, world

    async def next(self, topic_id: UUID, *who: tuple[str, Role]) -> list[NextAct | None]:
        found: list[NextAct | None] = []
        for name, role in who:
            async with self.db.read(self.world.as_(name, role)) as tx:
                waiting = await duties.worklist(tx, after=None, limit=50)
            acts = {duty.card.topic.id: duty.next for duty in waiting}
            found.append(acts.get(topic_id))
        return found

    async def due(self, topic: Topic) -> None:
        async with self.db.begin() as tx:
            row = await tx.session.get_one(Topic, topic.id)
            await set_deadline(tx, row, tx.now + timedelta(days=3))


@pytest.fixture
def desk(db: Database, world: World) -> Desk:
    return Desk(db, world)


async def test_from_the_desk_of_screening_to_the_announcement(
    desk: Desk, db: Database, world: World
) -> None:
    topic_id = await story.submitted(db, world)
    both = (CLERK, SECRETARY)
    assert await desk.next(topic_id, *both) == [A.RETURN_TOPIC, A.ACCEPT_TOPIC]
    async with db.begin(world.as_(*SECRETARY)) as tx:
        await screening.accept_topic(tx, topic_id, story.OWN_MATTER, note=story.NOTE)
    assert await desk.next(topic_id, *both) == [A.PREPARE_TOPIC] * 2
    async with db.begin(world.as_(*CLERK)) as tx:
        await preparing.prepare_topic(tx, topic_id)
    assert await desk.next(topic_id, *both) == [A.SAVE_PLAN] * 2
    async with db.begin(world.as_("resident4")) as tx:
        request = await participants.ask_to_be_added(
            tx, topic_id, group_name="租户", reason="我也住这里"
        )
    assert await desk.next(topic_id, *both) == [A.ANSWER_PARTICIPATION] * 2
    async with db.begin(world.as_(*CLERK)) as tx:
        await participants.answer_request(tx, request.id, granted=True, answer="已列入")
        await preparing.save_plan(tx, topic_id, story.TALK)
    assert await desk.next(topic_id, *both) == [A.CHECK_LEGALITY, A.SAVE_PLAN]
    async with db.begin(world.as_(*CLERK)) as tx:
        await preparing.check_legality(tx, topic_id, lawful=True, opinion="合法")
    assert await desk.next(topic_id, *both) == [A.SAVE_PLAN, A.ANNOUNCE_TOPIC]


async def test_a_rejection_is_confirmed_by_another_and_its_appeal_decided(
    desk: Desk, db: Database, world: World
) -> None:
    topic_id = await story.submitted(db, world)
    for proposer, expected in (
        (SECRETARY, [A.RETURN_TOPIC, A.ACCEPT_TOPIC]),  # nobody confirms their own
        (CLERK, [A.RETURN_TOPIC, A.CONFIRM_REJECTION]),
    ):
        async with db.begin(world.as_(*proposer)) as tx:
            await screening.propose_rejection(
                tx, topic_id, reason_code=RejectionReason.NOT_PUBLIC, reason="属于邻里私事"
            )
        assert await desk.next(topic_id, CLERK, SECRETARY) == expected
    async with db.begin(world.as_(*SECRETARY)) as tx:
        await screening.confirm_rejection(tx, topic_id)
    async with db.begin(world.as_("resident1")) as tx:
        await screening.appeal_rejection(tx, topic_id, reason="全楼都受影响")
    assert await desk.next(topic_id, SUPERVISOR, OFFICIAL, CLERK, ENFORCER) == [
        A.DECIDE_APPEAL,
        A.DECIDE_APPEAL,
        None,
        None,
    ]


async def test_a_transfer_is_on_the_list_of_whose_turn_it_is(
    desk: Desk, db: Database, world: World, clock: ManualClock
) -> None:
    both = (CLERK, SECRETARY)
    topic_id, transfer_id = await transferred(db, world, "enforcement")
    assert await desk.next(topic_id, *both) == [None, None]  # it waits for the office
    async with db.begin(world.as_(*ENFORCER)) as tx:
        await routing.give_back_transfer(tx, transfer_id, reason="不属本局职责")
    clock.advance(hours=1)
    assert await desk.next(topic_id, *both) == [None, A.TRANSFER_TOPIC]

    async with db.begin(world.as_(*SECRETARY)) as tx:
        hotline = world.orgs["hotline"].id
        sent = await routing.transfer_topic(
            tx, topic_id, receiver_org_id=hotline, reason="改派热线"
        )
    assert await desk.next(topic_id, *both) == [A.ANSWER_TRANSFER] * 2  # nobody of it is here
    async with db.begin(world.as_(*CLERK)) as tx:
        await routing.answer_transfer(tx, sent.id, answer="工单已办结")
    assert await desk.next(topic_id, *both) == [A.RELAY_TRANSFER] * 2
    async with db.begin(world.as_(*CLERK)) as tx:
        await routing.relay_to_author(tx, sent.id)
    assert await desk.next(topic_id, *both) == [None, None]


async def test_a_deliberation_is_closed_once_people_have_met(
    desk: Desk, db: Database, world: World, clock: ManualClock
) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    await desk.due(topic)
    who = (CLERK, SECRETARY, HOST)
    assert await desk.next(topic.id, *who) == [A.CONVENE_MEETING] * 3
    await Stage(db=db, world=world, clock=clock).meeting(topic, [])
    assert await desk.next(topic.id, *who) == [A.CLOSE_DELIBERATION] * 3


async def test_from_the_replies_to_the_work(desk: Desk, db: Database, world: World) -> None:
    topic = await steps.with_outcome(db, world, State.ADOPTION_PENDING)
    await desk.due(topic)
    adopters = (SECRETARY, COMMITTEE)
    assert await desk.next(topic.id, CLERK, *adopters) == [None, *[A.REPLY_TO_ITEM] * 2]
    await steps.reply(db, world, topic, 1)
    assert await desk.next(topic.id, *adopters) == [A.REPLY_TO_ITEM] * 2
    await steps.reply(db, world, topic, 2)
    assert await desk.next(topic.id, *adopters) == [A.SIGN_ADOPTION] * 2
    await steps.sign(db, world, topic, SECRETARY)
    await steps.sign(db, world, topic, COMMITTEE)

    both = (CLERK, SECRETARY)
    assert await desk.next(topic.id, *both) == [A.PLAN_TASK] * 2
    await steps.plan(db, world, topic)
    await steps.plan(db, world, topic, item_number=2)
    assert await desk.next(topic.id, *both) == [A.START_IMPLEMENTATION] * 2
    async with db.begin(world.as_(*CLERK)) as tx:
        await steps.tasks.start_implementation(tx, topic.id, text="四月底完成。")
    assert await desk.next(topic.id, *both) == [None, None]


async def test_an_office_answers_for_what_it_commissioned(
    desk: Desk, db: Database, world: World
) -> None:
    topic = await steps.commissioned(db, world, State.ADOPTION_PENDING)
    await desk.due(topic)
    who = (OFFICIAL, SECRETARY, ENFORCER)
    assert await desk.next(topic.id, *who) == [A.REPLY_TO_ITEM, None, None]
    for number in (1, 2):
        await steps.reply(db, world, topic, number, who=OFFICIAL)
    assert await desk.next(topic.id, OFFICIAL) == [A.SIGN_ADOPTION]
    await steps.sign(db, world, topic, OFFICIAL)
    assert await desk.next(topic.id, *who) == [A.PLAN_TASK, A.PLAN_TASK, None]


async def test_feedback_is_published_posted_and_explained(
    desk: Desk, db: Database, world: World, clock: ManualClock
) -> None:
    topic = await steps.with_outcome(db, world)
    async with db.begin(world.as_("resident1")) as tx:
        await dissent.record_dissent(tx, topic.id, view="采光受影响")
    await steps.stand(db, topic.id, State.ADOPTION_PENDING)
    await steps.adopted(
        db, world, steps.Decision.NOT_ADOPTED, steps.Decision.NOT_ADOPTED, topic=topic
    )
    both = (CLERK, SECRETARY)
    assert await desk.next(topic.id, *both) == [None, A.ANSWER_NON_ADOPTION]
    async with db.begin(world.as_(*SECRETARY)) as tx:
        await steps.feedback.answer_non_adoption(tx, topic.id, reason="经费无法落实")
    assert await desk.next(topic.id, *both) == [A.PUBLISH_FEEDBACK_NOTICE] * 2
    notice = await steps.notify(db, world, topic)
    assert await desk.next(topic.id, *both) == [A.POST_ON_BOARD] * 2
    await steps.post(db, world, notice.id, on=clock.now)
    assert await desk.next(topic.id, *both) == [A.EXPLAIN_DISSENT] * 2
