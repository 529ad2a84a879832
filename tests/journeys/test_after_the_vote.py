"""What follows the vote, from the published outcome to the archive, step by step as its people."""

from datetime import date, timedelta

import pytest
from sqlmodel import select

from consultation.database import Database
from consultation.events.topics import TopicOverdue
from consultation.journal import JournalEntry
from consultation.outcomes.commands import accounts, adoption, drafting, feedback, tasks, work
from consultation.outcomes.rules import Decision
from consultation.outcomes.task_rules import MilestonePlan, SpendingKind, TaskCategory
from consultation.oversight import queries, rules
from consultation.oversight.commands import surveys
from consultation.oversight.rules import DissentState, Reply, SurveyState
from consultation.oversight.tables import Survey
from consultation.permissions import SYSTEM, Role
from consultation.topics.gates.gate import GateNotMet
from consultation.topics.lifecycle import advance
from consultation.topics.plan import procedure
from consultation.topics.states import Act, State, Track
from consultation.topics.tables import Topic, TopicTransition
from tests.conftest import ManualClock
from tests.consultation.outcomes.steps import (
    CLERK,
    COMMITTEE,
    COMPANY,
    OFFICIAL,
    PARTY,
    a_plan,
    accept,
    adopted,
    commissioned,
    complete,
    finish,
    notify,
    plan,
    post,
    reply,
    run_due,
    sign,
    stand,
    topic_now,
    with_outcome,
)
from tests.consultation.oversight.steps import answer, dissent_by, explain, rate, record_now
from tests.world import World, a_topic


async def timeline(db: Database, topic: Topic) -> list[str]:
    async with db.read() as tx:
        steps = await tx.session.exec(
            select(TopicTransition).where(TopicTransition.topic_id == topic.id)
        )
        ordered = sorted(steps, key=lambda step: step.number)
        return [f"{step.rule} {step.to_state} {step.role}" for step in ordered]


async def survey_of(db: Database, topic: Topic) -> Survey:
    async with db.read() as tx:
        survey = await queries.survey_of(tx, topic.id)
    assert survey is not None
    return survey


async def by_consensus(db: Database, world: World, clock: ManualClock, topic: Topic) -> None:
    async with db.begin(world.as_(*PARTY)) as tx:
        await drafting.call_consensus(tx, topic.id)
    clock.advance(days=4)
    async with db.begin(world.as_(*PARTY)) as tx:
        await drafting.conclude_consensus(tx, topic.id)


async def test_track_a_from_the_published_outcome_to_the_archive(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic = await with_outcome(db, world)
    record = await dissent_by(db, world, topic)
    await by_consensus(db, world, clock, topic)
    clock.advance(days=8)
    await run_due(db)

    for number in (1, 2):
        await reply(db, world, topic, number)
    await sign(db, world, topic, PARTY)
    await sign(db, world, topic, COMMITTEE)

    milestone = MilestonePlan(title="签约", due_on=date(2026, 4, 10))
    lift = await plan(db, world, topic, milestones=[milestone], due_on=date(2026, 4, 20))
    rules_task = await plan(
        db,
        world,
        topic,
        item_number=2,
        category=TaskCategory.COVENANT,
        responsible_org_id=world.orgs["committee"].id,
        budget_fen=0,
        funding_source="无需经费",
    )
    async with db.begin(world.as_(*CLERK)) as tx:
        await tasks.start_implementation(tx, topic.id, text="两项任务,四月底前完成。")
    async with db.begin(world.as_(*COMPANY)) as tx:
        await work.report_progress(tx, lift.id, text="已与厂家签约")
        await work.complete_milestone(tx, lift.id, 1, note="合同已存档")
    clock.now += timedelta(days=40)  # the 20th of April passes
    await run_due(db)
    async with db.begin(world.as_(*COMPANY)) as tx:
        await accounts.record_spending(
            tx,
            lift.id,
            kind=SpendingKind.PAID,
            amount_fen=98_000,
            purpose="协议公证",
            on=date(2026, 4, 22),
        )
    for task in (lift, rules_task):
        await finish(db, world, task)
        await accept(db, world, task)
    await complete(db, world, topic)

    notice = await notify(db, world, topic)
    await post(db, world, notice.id, on=clock.now)
    assert (await topic_now(db, topic.id)).state is State.FEEDBACK  # one view waits
    await explain(db, world, record.id)
    assert (await topic_now(db, topic.id)).state is State.EVALUATING
    await answer(db, world, record.id, Reply.MAINTAINED)

    survey = await survey_of(db, topic)
    clock.now = survey.opens_at
    await run_due(db)
    for number, score in enumerate((5, 5, 4, 4, 1), start=1):
        await rate(db, world, survey, f"resident{number}", score)
    clock.now = survey.closes_at
    await run_due(db)
    assert (await topic_now(db, topic.id)).state is State.EVALUATING  # no response yet
    async with db.begin(world.as_(*CLERK)) as tx:
        await surveys.respond_to_survey(tx, survey.id, body="夜间噪声将再测一次。")

    assert (await topic_now(db, topic.id)).state is State.CLOSED
    assert (await record_now(db, record.id)).state is DissentState.MAINTAINED
    assert await timeline(db, topic) == [
        "T12 outcome_public party_secretary",
        "T19 adoption_pending system",
        "T20 adopted committee_head",
        "T21 implementing clerk",
        "T22 feedback party_secretary",
        "T24 evaluating clerk",
        "T25 closed clerk",
    ]


async def test_track_b_with_a_reply_that_is_late_to_feedback(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic = await commissioned(db, world, State.OUTCOME_DRAFTING)
    await by_consensus(db, world, clock, topic)
    clock.advance(days=8)
    await run_due(db)
    due = (await topic_now(db, topic.id)).due_at
    assert due is not None
    async with db.begin(world.as_(*OFFICIAL)) as tx:
        await adoption.extend_reply(tx, topic.id, reason="与区民政局会商补贴口径")
    extended = (await topic_now(db, topic.id)).due_at
    assert extended is not None
    assert extended > due

    clock.now = extended
    await run_due(db)
    clock.advance(days=14)
    await run_due(db)
    late = await topic_now(db, topic.id)
    assert (late.state, late.overdue_since) == (State.ADOPTION_PENDING, extended)
    async with db.read() as tx:
        told = await tx.session.exec(
            select(JournalEntry).where(
                JournalEntry.type == TopicOverdue.type,
                JournalEntry.stream == f"community:{topic.community_id}",
            )
        )
        assert [entry.data["escalated_to"] for entry in told] == [
            "supervisor",
            "subdistrict",
            "inspection",
        ]

    await reply(db, world, topic, 1, who=OFFICIAL)
    await reply(
        db,
        world,
        topic,
        2,
        Decision.NOT_ADOPTED,
        reason="首年日均需求不足20份,2027年1月重新评估",
        who=OFFICIAL,
    )
    await sign(db, world, topic, OFFICIAL)
    answered = await topic_now(db, topic.id)
    assert (answered.state, answered.overdue_since) == (State.PARTIALLY_ADOPTED, None)

    async with db.begin(world.as_(*OFFICIAL)) as tx:
        task = await tasks.plan_task(
            tx,
            topic.id,
            plan=a_plan(
                world,
                category=TaskCategory.ASSIST_GOVERNMENT,
                responsible_org_id=world.orgs["committee"].id,
                funding_source="街道助餐专项",
                budget_fen=0,
                due_on=date(2026, 12, 31),
            ),
        )
        await tasks.start_implementation(tx, topic.id, text="助餐点装修")
    await finish(db, world, task)
    await accept(db, world, task)
    await complete(db, world, topic)
    async with db.begin(world.as_(*OFFICIAL)) as tx:
        await feedback.publish_feedback_notice(tx, topic.id, body="助餐点10月开餐。")

    assert (await topic_now(db, topic.id)).state is State.FEEDBACK
    assert topic.track is Track.COMMISSIONED


async def test_a_topic_of_which_nothing_was_adopted_is_explained_and_closed(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic = await adopted(db, world, Decision.NOT_ADOPTED, Decision.NOT_ADOPTED)
    async with db.begin(world.as_(*PARTY)) as tx:
        await feedback.answer_non_adoption(tx, topic.id, reason="两项与生效判决相抵触")
    notice = await notify(db, world, topic)
    await post(db, world, notice.id, on=clock.now)
    survey = await survey_of(db, topic)
    clock.now = survey.opens_at
    await run_due(db)
    clock.now = survey.closes_at
    await run_due(db)
    async with db.begin(world.as_(*CLERK)) as tx:
        await surveys.respond_to_survey(tx, survey.id, body="没有收到评价,将上门听取意见。")
    assert (await topic_now(db, topic.id)).state is State.CLOSED


# ---- closed is impossible without each of its conditions ----------------------------------

LOW = rules.count_survey(
    invited=6,
    scores={1: 6},
    channels={"online": 6},
    themes=[],
    checked=[],
    numbers=procedure().survey,
)


async def almost_closed(
    db: Database, world: World, clock: ManualClock, *, without: str | None
) -> Topic:
    """A topic in evaluation after a low score, with everything that the close asks for but one."""
    topic = await a_topic(db, world, state=State.OUTCOME_DRAFTING)
    if without != "outcome":
        async with db.begin(world.as_(*CLERK)) as tx:
            await drafting.draft_outcome(
                tx, topic.id, items=["加装", "低速"], minority_view="101室不同意"
            )
    record = await dissent_by(db, world, topic)
    await stand(db, topic.id, State.ADOPTION_PENDING)
    if without != "outcome":
        for number in (1,) if without == "reply" else (1, 2):
            await reply(db, world, topic, number)
    await stand(db, topic.id, State.EVALUATING)
    if without != "explanation":
        await explain(db, world, record.id, reached=False, text="两次上门,家中无人")
    if without != "notice":
        notice = await notify(db, world, topic)
        if without != "board":
            await post(db, world, notice.id, on=clock.now)
    async with db.begin() as tx:
        survey = Survey(
            id=tx.new_id(),
            community_id=topic.community_id,
            topic_id=topic.id,
            round=1,
            state=SurveyState.PUBLISHED,
            invited=6,
            groups=[],
            opens_at=clock.now,
            closes_at=clock.now,
            result=LOW,
        )
        if without == "survey":
            survey.result, survey.state = None, SurveyState.OPEN
        tx.session.add(survey)
    if without != "rectification":
        async with db.begin(world.as_(*CLERK)) as tx:
            await tasks.plan_task(
                tx, topic.id, plan=a_plan(world, item_number=None), rectification=True
            )
    if without not in ("response", "survey"):
        async with db.begin(world.as_(*CLERK)) as tx:
            await surveys.respond_to_survey(
                tx, survey.id, body="整改措施如下", rectify_by=date(2026, 4, 30)
            )
    return topic


@pytest.mark.parametrize(
    ("without", "gate", "missing"),
    [
        ("outcome", "outcome_written", ["items", "minority_view"]),
        ("reply", "every_item_answered", ["replies"]),
        ("notice", "feedback_given", ["notice_on_board", "notice_online"]),
        ("board", "feedback_given", ["notice_on_board"]),
        ("explanation", "dissent_settled", ["dissent_records"]),
        ("survey", "survey_answered", ["survey"]),
        ("response", "survey_answered", ["response"]),
        ("rectification", "survey_answered", ["rectification"]),
    ],
)
async def test_no_topic_is_closed_without(
    db: Database, world: World, clock: ManualClock, without: str, gate: str, missing: list[str]
) -> None:
    topic = await almost_closed(db, world, clock, without=without)

    assert (await topic_now(db, topic.id)).state is State.EVALUATING
    with pytest.raises(GateNotMet) as refused:
        async with db.begin(SYSTEM) as tx:
            await advance(tx, await tx.session.get_one(Topic, topic.id), Act.CLOSE)
    assert refused.value.facts == {"gate": gate, "missing": missing}


async def test_with_all_of_them_it_is_closed(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic = await almost_closed(db, world, clock, without=None)
    assert (await topic_now(db, topic.id)).state is State.CLOSED


async def test_a_view_to_be_talked_over_again_keeps_the_topic_open(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic = await almost_closed(db, world, clock, without="response")
    async with db.read() as tx:
        [view] = await queries.dissent_to_explain(
            tx,
            await tx.session.get_one(Topic, topic.id),
            states=rules.WITHOUT_REPLY,
            after=None,
            limit=5,
        )
    await answer(db, world, view.record.id, Reply.TALK_AGAIN)
    survey = await survey_of(db, topic)
    async with db.begin(world.as_(*CLERK)) as tx:
        await surveys.respond_to_survey(
            tx, survey.id, body="整改措施如下", rectify_by=date(2026, 4, 30)
        )
    assert (await topic_now(db, topic.id)).state is State.EVALUATING

    await explain(db, world, view.record.id, who=("grid_worker", Role.GRID_WORKER))
    assert (await topic_now(db, topic.id)).state is State.CLOSED
