import asyncio
from datetime import date, timedelta
from uuid import uuid4

import pytest
from sqlmodel import select

from consultation.community.tables import Node, NodeKind, Residence
from consultation.database import Database
from consultation.events.oversight import SurveyPublished
from consultation.journal import JournalEntry
from consultation.outcomes.commands import tasks
from consultation.oversight import queries, rules
from consultation.oversight.commands import surveys
from consultation.oversight.rules import SurveyChannel, SurveyState
from consultation.oversight.tables import Survey, SurveyAnswer, SurveyInvitation
from consultation.permissions import SYSTEM, Role
from consultation.refusals import NotPermitted
from consultation.topics.states import DocumentKind, State
from consultation.topics.tables import Document, Topic
from tests.conftest import ManualClock
from tests.consultation.outcomes.steps import (
    CLERK,
    OFFICIAL,
    PARTY,
    Who,
    a_plan,
    adopted,
    notify,
    post,
    run_due,
    stand,
    topic_now,
)
from tests.consultation.oversight.steps import rate
from tests.world import World


async def survey_of(db: Database, topic: Topic) -> Survey:
    async with db.read() as tx:
        survey = await queries.survey_of(tx, topic.id)
    assert survey is not None
    return survey


async def evaluating(db: Database, world: World, clock: ManualClock) -> Topic:
    """A topic whose feedback has just been given."""
    topic = await adopted(db, world)
    await stand(db, topic.id, State.FEEDBACK)
    notice = await notify(db, world, topic)
    await post(db, world, notice.id, on=clock.now)
    return topic


async def opened(db: Database, world: World, clock: ManualClock) -> tuple[Topic, Survey]:
    topic = await evaluating(db, world, clock)
    clock.now = (await survey_of(db, topic)).opens_at
    await run_due(db)
    return topic, await survey_of(db, topic)


async def closed(
    db: Database, world: World, clock: ManualClock, *scores: int
) -> tuple[Topic, Survey]:
    topic, survey = await opened(db, world, clock)
    for number, score in enumerate(scores, start=1):
        await rate(db, world, survey, f"resident{number}", score)
    clock.now = survey.closes_at
    await run_due(db)
    return topic, await survey_of(db, topic)


async def invited(db: Database, survey: Survey) -> set[object]:
    async with db.read() as tx:
        found = await tx.session.exec(
            select(SurveyInvitation.person_id).where(SurveyInvitation.survey_id == survey.id)
        )
        return set(found)


async def test_a_survey_is_planned_the_moment_evaluation_begins(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic = await evaluating(db, world, clock)
    survey = await survey_of(db, topic)

    assert (survey.state, survey.groups, survey.round) == (SurveyState.PLANNED, ["一层业主"], 1)
    assert survey.opens_at - clock.now > timedelta(days=14)
    assert survey.closes_at - survey.opens_at == timedelta(days=14)
    clock.now = survey.opens_at - timedelta(seconds=1)
    await run_due(db)
    assert (await survey_of(db, topic)).state is SurveyState.PLANNED
    async with db.begin(SYSTEM) as tx:
        await surveys.open_survey(tx, survey.id)  # not before its time
    assert (await survey_of(db, topic)).state is SurveyState.PLANNED


async def test_those_in_the_topics_place_are_asked(
    db: Database, world: World, clock: ManualClock
) -> None:
    async with db.begin() as tx:  # registered, and not verified
        unverified = (
            await tx.session.exec(
                select(Residence).where(Residence.person_id == world.id("resident6"))
            )
        ).one()
        unverified.level = 1
    _, survey = await opened(db, world, clock)

    assert await invited(db, survey) == {world.id(f"resident{n}") for n in range(1, 6)}
    assert survey.invited == 5


async def test_the_place_may_be_a_grid_an_estate_the_community_or_empty(
    db: Database, world: World, clock: ManualClock
) -> None:
    owners = {world.id(f"resident{n}") for n in range(1, 7)}
    everybody = owners | {world.id("tenant")}
    empty = Node(
        id=uuid4(),
        community_id=world.community.id,
        kind=NodeKind.ESTATE,
        parent_id=world.community.id,
        path=f"{world.community.path}{uuid4()}/",
        code="empty",
        name="空置小区",
        facts={},
    )
    async with db.begin() as tx:
        tx.session.add(empty)
    for node, expected in (
        (world.nodes["grid"], everybody),
        (world.nodes["estate"], owners),
        (world.nodes["building"], owners),
        (world.community, everybody),
        (empty, everybody),
        (world.nodes["grid2"], everybody),  # nobody is registered there
    ):
        topic = await evaluating(db, world, clock)
        await stand(db, topic.id, State.EVALUATING, node_id=node.id, node_path=node.path)
        survey = await survey_of(db, topic)
        async with db.begin(SYSTEM) as tx:
            await queries.invite_affected(tx, await tx.session.get_one(Topic, topic.id), survey.id)
        assert await invited(db, survey) == expected, node.code


async def test_everybody_answers_once_and_the_answer_does_not_know_whose_it_is(
    db: Database, world: World, clock: ManualClock
) -> None:
    _, survey = await opened(db, world, clock)
    async with db.read() as tx:
        before = len((await tx.session.exec(select(JournalEntry))).all())
    await rate(db, world, survey, "resident1", 5, "夜间巡查")
    with pytest.raises(rules.SurveyAlreadyAnswered):
        await rate(db, world, survey, "resident1", 1)
    with pytest.raises(rules.NotInvited):
        await rate(db, world, survey, "tenant", 1)
    with pytest.raises(NotPermitted):
        await rate(db, world, survey, "visitor", 1)

    async with db.read() as tx:
        answers = (await tx.session.exec(select(SurveyAnswer))).all()
        after = len((await tx.session.exec(select(JournalEntry))).all())
    assert [(a.score, a.themes, a.channel) for a in answers] == [
        (5, ["夜间巡查"], SurveyChannel.ONLINE)
    ]
    assert not {"person_id", "at"} & set(SurveyAnswer.model_fields)
    assert after == before  # nor does the journal say who answered when


async def test_of_two_answers_at_once_one_counts(
    db: Database, world: World, clock: ManualClock
) -> None:
    _, survey = await opened(db, world, clock)

    tries = await asyncio.gather(
        *(rate(db, world, survey, "resident1", score) for score in (1, 5)), return_exceptions=True
    )

    assert sorted(type(each).__name__ for each in tries) == ["NoneType", "SurveyAlreadyAnswered"]
    async with db.read() as tx:
        assert len((await tx.session.exec(select(SurveyAnswer))).all()) == 1


async def enter(
    db: Database, world: World, survey: Survey, who: Who, person: str, channel: SurveyChannel
) -> None:
    async with db.begin(world.as_(*who)) as tx:
        await surveys.enter_survey_answer(
            tx, survey.id, person_id=world.id(person), score=4, channel=channel
        )


async def test_clerk_and_grid_worker_enter_paper_for_those_who_are_asked(
    db: Database, world: World, clock: ManualClock
) -> None:
    _, survey = await opened(db, world, clock)
    paper, assisted = SurveyChannel.PAPER, SurveyChannel.ASSISTED
    await enter(db, world, survey, CLERK, "resident1", paper)
    await enter(db, world, survey, ("grid_worker", Role.GRID_WORKER), "resident2", assisted)
    with pytest.raises(rules.SurveyAlreadyAnswered):
        await rate(db, world, survey, "resident1", 1)
    with pytest.raises(rules.NotInvited):
        await enter(db, world, survey, CLERK, "tenant", paper)
    with pytest.raises(rules.ChannelNotAllowed):
        await enter(db, world, survey, CLERK, "resident3", SurveyChannel.ONLINE)
    for who in (PARTY, OFFICIAL, ("resident3", None), ("supervisor", Role.SUPERVISOR)):
        with pytest.raises(NotPermitted):
            await enter(db, world, survey, who, "resident3", paper)

    async with db.read(world.as_(*CLERK)) as tx:
        waiting = await queries.waiting_invitations(tx, survey.id, after=None, limit=10)
    assert {person for person, _ in waiting} == {world.id(f"resident{n}") for n in (3, 4, 5, 6)}


async def test_an_answer_is_in_time_until_the_close(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic = await evaluating(db, world, clock)
    survey = await survey_of(db, topic)
    with pytest.raises(rules.SurveyNotOpen):
        await rate(db, world, survey, "resident1", 5)
    clock.now = survey.opens_at
    await run_due(db)
    clock.now = survey.closes_at  # the system has not got round to it yet
    with pytest.raises(rules.SurveyNotOpen):
        await rate(db, world, survey, "resident1", 5)
    async with db.begin(SYSTEM) as tx:
        await surveys.close_survey(tx, survey.id)
    with pytest.raises(rules.SurveyNotOpen):
        await rate(db, world, survey, "resident1", 5)


async def test_the_system_publishes_a_bad_result_as_it_is(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic, survey = await opened(db, world, clock)
    for name, score, theme in (("resident1", 1, "积水"), ("resident2", 2, "积水")):
        await rate(db, world, survey, name, score, theme)
    await enter(db, world, survey, CLERK, "resident3", SurveyChannel.PAPER)
    clock.now = survey.closes_at
    await run_due(db)
    await run_due(db)

    published = await survey_of(db, topic)
    assert published.state is SurveyState.PUBLISHED
    assert published.result is not None
    assert published.result.scores == [1, 1, 0, 1, 0]
    assert published.result.channels == {"online": 2, "paper": 1, "assisted": 0}
    assert published.result.themes == []  # two people are few enough to be guessed at
    assert (published.result.low_score, published.result.sample_sufficient) == (True, True)
    async with db.read() as tx:
        document = (
            await tx.session.exec(
                select(Document).where(Document.kind == DocumentKind.SURVEY_RESULT)
            )
        ).one()
        event = (
            await tx.session.exec(
                select(JournalEntry).where(
                    JournalEntry.type == SurveyPublished.type,
                    JournalEntry.stream == f"topic:{topic.id}",
                )
            )
        ).one()
    assert document.public
    assert document.author_id is None  # nobody's: the system's
    assert "发出6份,收回3份(线上2、纸质1、代录0)。" in document.body
    assert (event.actor_id, event.actor_role) == (None, "system")


async def test_a_close_that_comes_before_the_opening_waits_for_it(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic = await evaluating(db, world, clock)
    survey = await survey_of(db, topic)
    clock.now = survey.closes_at
    with pytest.raises(rules.SurveyNotOpen):
        async with db.begin(SYSTEM) as tx:
            await surveys.close_survey(tx, survey.id)
    await run_due(db)  # both are due: the opening is done first
    assert (await survey_of(db, topic)).state is SurveyState.PUBLISHED


async def respond(
    db: Database, world: World, survey: Survey, rectify_by: date | None = None, who: Who = CLERK
) -> None:
    async with db.begin(world.as_(*who)) as tx:
        await surveys.respond_to_survey(
            tx, survey.id, body="九月底前清理排水沟。", rectify_by=rectify_by
        )


async def test_staff_respond_beside_the_result_and_only_to_a_published_one(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic, survey = await opened(db, world, clock)
    await rate(db, world, survey, "resident1", 5)
    with pytest.raises(rules.SurveyNotPublished):
        await respond(db, world, survey)
    clock.now = survey.closes_at
    await run_due(db)
    for who in (OFFICIAL, ("resident1", None), ("grid_worker", Role.GRID_WORKER)):
        with pytest.raises(NotPermitted):
            await respond(db, world, survey, who=who)
    await respond(db, world, survey)

    assert (await topic_now(db, topic.id)).state is State.CLOSED
    with pytest.raises(rules.SurveyAlreadyResponded):
        await respond(db, world, survey)
    after = await survey_of(db, topic)
    assert after.result is not None
    assert after.result.scores == [0, 0, 0, 0, 1]


async def test_a_low_score_is_closed_by_a_date_and_a_rectification_task(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic, survey = await closed(db, world, clock, 1, 2)
    by = clock.now.date() + timedelta(days=30)
    with pytest.raises(rules.RectifyByRequired):
        await respond(db, world, survey)
    await respond(db, world, survey, by)
    assert (await topic_now(db, topic.id)).state is State.EVALUATING

    async with db.begin(world.as_(*CLERK)) as tx:
        await tasks.plan_task(
            tx, topic.id, plan=a_plan(world, item_number=None, due_on=by), rectification=True
        )
    assert (await topic_now(db, topic.id)).state is State.CLOSED
    assert (await survey_of(db, topic)).rectify_by == by
