from uuid import UUID

import pytest
from sqlmodel import select

from consultation.calendar import add_working_days
from consultation.database import Database
from consultation.events.oversight import DissentCounted
from consultation.events.people import UserNotified
from consultation.journal import JournalEntry
from consultation.oversight import queries, rules
from consultation.oversight.commands import dissent
from consultation.oversight.rules import DissentState, Reply
from consultation.oversight.tables import DissentExplanation, DissentRecord
from consultation.permissions import Role
from consultation.refusals import NotFound, NotPermitted
from consultation.topics.states import DocumentKind, State, Track
from consultation.topics.subjects import ForbiddenSubject
from tests.conftest import ManualClock
from tests.consultation.outcomes.steps import (
    CLERK,
    HOST,
    OFFICIAL,
    PARTY,
    adopted,
    stand,
    with_outcome,
)
from tests.consultation.oversight.steps import VIEW, answer, dissent_by, explain, record_now
from tests.world import World, a_topic

D = DissentState


async def test_a_different_view_is_recorded_by_whoever_holds_it(db: Database, world: World) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    record = await dissent_by(db, world, topic)
    with pytest.raises(rules.DissentAlreadyRecorded):
        await dissent_by(db, world, topic, view="再说一遍")
    with pytest.raises(ForbiddenSubject):
        await dissent_by(db, world, topic, "resident2", view="他是吸毒人员")
    await stand(db, topic.id, State.VOTING)
    later = await dissent_by(db, world, topic, view="表决前仍不同意")

    kept = await record_now(db, record.id)
    assert (kept.step, kept.view, kept.state) == ("deliberating", VIEW, D.RECORDED)
    assert later.step == "voting"


@pytest.mark.parametrize("name", ["visitor", "neighbour", "secretary"])
async def test_who_has_no_view_to_record_here(db: Database, world: World, name: str) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    with pytest.raises(NotPermitted):
        await dissent_by(db, world, topic, name)


async def test_staff_record_what_a_resident_said_with_the_step(db: Database, world: World) -> None:
    topic = await a_topic(db, world, state=State.OUTCOME_DRAFTING)
    people = ("resident1", "resident2", "tenant")
    for who, person in zip((CLERK, HOST, ("grid_worker", Role.GRID_WORKER)), people, strict=True):
        async with db.begin(world.as_(*who)) as tx:
            record = await dissent.record_dissent(
                tx,
                topic.id,
                view="会上口头表示不同意",
                person_id=world.id(person),
                step=State.DELIBERATING,
            )
            told = [e for e in tx.events if isinstance(e, UserNotified)]
        assert (record.person_id, record.recorded_by_id) == (world.id(person), world.id(who[0]))
        assert record.step == "deliberating"
        assert [(e.person_id, e.about) for e in told] == [(world.id(person), "dissent_recorded")]


async def test_staff_name_a_person_of_the_community_and_residents_only_themselves(
    db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    for person in (None, world.id("neighbour"), world.id("visitor")):
        async with db.begin(world.as_(*CLERK)) as tx:
            with pytest.raises(rules.DissenterUnknown):
                await dissent.record_dissent(tx, topic.id, view=VIEW, person_id=person)
    async with db.begin(world.as_("resident1")) as tx:
        with pytest.raises(rules.NotYourDissent):
            await dissent.record_dissent(tx, topic.id, view=VIEW, person_id=world.id("resident2"))
    for role in (Role.PARTY_SECRETARY, Role.SUPERVISOR):
        name = "secretary" if role is Role.PARTY_SECRETARY else "supervisor"
        async with db.begin(world.as_(name, role)) as tx:
            with pytest.raises(NotPermitted):
                await dissent.record_dissent(
                    tx, topic.id, view=VIEW, person_id=world.id("resident1")
                )


async def test_dissent_is_recorded_until_the_outcome_has_been_public(
    db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.ADOPTION_PENDING)
    with pytest.raises(rules.DissentNotNow):
        await dissent_by(db, world, topic)


async def test_to_maintain_a_view_is_a_normal_end(db: Database, world: World) -> None:
    topic = await a_topic(db, world, state=State.OUTCOME_PUBLIC)
    record = await dissent_by(db, world, topic)
    told = await explain(db, world, record.id)
    assert (await record_now(db, record.id)).state is D.EXPLAINED
    await answer(db, world, record.id, Reply.MAINTAINED)
    await answer(db, world, record.id, Reply.MAINTAINED)  # again, changes nothing

    kept = await record_now(db, record.id)
    assert (kept.state, kept.view) == (D.MAINTAINED, VIEW)
    assert [(e.person_id, e.about) for e in told if isinstance(e, UserNotified)] == [
        (world.id("resident1"), "dissent_explained")
    ]
    with pytest.raises(rules.AlreadyReplied):
        await answer(db, world, record.id, Reply.UNDERSTOOD)
    with pytest.raises(rules.DissentStepNotAllowed):
        await explain(db, world, record.id)


async def test_to_talk_again_asks_for_another_explanation_in_ten_working_days(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic = await a_topic(db, world, state=State.OUTCOME_PUBLIC)
    record = await dissent_by(db, world, topic)
    await explain(db, world, record.id)
    await answer(db, world, record.id, Reply.TALK_AGAIN)

    again = await record_now(db, record.id)
    assert (again.state, again.due_at) == (D.ASSIGNED, add_working_days(clock.now, 10))
    assert again.assigned_to_id == world.id("clerk")
    await explain(db, world, record.id, who=PARTY)
    await answer(db, world, record.id, Reply.UNDERSTOOD)
    done = await record_now(db, record.id)
    assert (done.state, done.due_at) == (D.UNDERSTOOD, None)
    async with db.read() as tx:
        replies = (await tx.session.exec(select(DissentExplanation.reply))).all()
    assert sorted(str(reply) for reply in replies) == ["talk_again", "understood"]


async def test_an_attempt_is_documented_and_the_person_may_still_turn_up(
    db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.OUTCOME_PUBLIC)
    record = await dissent_by(db, world, topic)
    await explain(db, world, record.id, reached=False, text="3月11日、12日两次上门无人")
    assert (await record_now(db, record.id)).state is D.UNREACHABLE
    await answer(db, world, record.id, Reply.TALK_AGAIN)
    assert (await record_now(db, record.id)).state is D.ASSIGNED
    await explain(db, world, record.id)
    assert (await record_now(db, record.id)).state is D.EXPLAINED


async def test_only_the_dissenter_answers_and_adds_one_rejoinder(
    db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.OUTCOME_PUBLIC)
    record = await dissent_by(db, world, topic)

    async def rejoin(name: str, text: str) -> None:
        async with db.begin(world.as_(name)) as tx:
            await dissent.add_rejoinder(tx, record.id, text=text)

    with pytest.raises(rules.DissentStepNotAllowed):
        await rejoin("resident1", "尚未解释")
    await explain(db, world, record.id)
    with pytest.raises(NotFound):
        await answer(db, world, record.id, Reply.UNDERSTOOD, "resident2")
    with pytest.raises(NotFound):
        await rejoin("resident2", "我来替她说")
    with pytest.raises(NotPermitted):
        await answer(db, world, record.id, Reply.UNDERSTOOD, "clerk")
    await rejoin("resident1", "房屋价值问题没有解决")
    await rejoin("resident1", "房屋价值问题没有解决")
    with pytest.raises(rules.RejoinderGiven):
        await rejoin("resident1", "还有一点")
    kept = await record_now(db, record.id)
    assert (kept.rejoinder, kept.view) == ("房屋价值问题没有解决", VIEW)


async def test_an_explainer_is_named_who_holds_such_a_role(db: Database, world: World) -> None:
    topic = await a_topic(db, world, state=State.OUTCOME_PUBLIC)
    record = await dissent_by(db, world, topic)

    async def assign(name: str) -> list[object]:
        async with db.begin(world.as_(*PARTY)) as tx:
            await dissent.assign_dissent(tx, record.id, to_person_id=world.id(name))
            return list(tx.events)

    for name in ("resident2", "supervisor", "teller1"):
        with pytest.raises(rules.ExplainerNotSuitable):
            await assign(name)
    events = await assign("grid_worker")
    kept = await record_now(db, record.id)
    assert (kept.state, kept.assigned_to_id) == (D.ASSIGNED, world.id("grid_worker"))
    assert [(e.person_id, e.about) for e in events if isinstance(e, UserNotified)] == [
        (world.id("grid_worker"), "dissent_assigned")
    ]
    await explain(db, world, record.id, who=("grid_worker", Role.GRID_WORKER))
    with pytest.raises(rules.DissentStepNotAllowed):
        await assign("clerk")


async def test_who_dissents_is_known_to_those_who_explain_and_to_nobody_else(
    db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.OUTCOME_PUBLIC)
    record = await dissent_by(db, world, topic)
    for who in (
        ("resident2", None),
        ("supervisor", Role.SUPERVISOR),
        ("inspector", Role.INSPECTOR),
        ("company", Role.PROPERTY_COMPANY),
        OFFICIAL,  # commissioned nothing here
    ):
        async with db.read(world.as_(*who)) as tx:
            with pytest.raises(NotPermitted):
                await queries.access_dissent_of_topic(tx, topic.id)
        with pytest.raises(NotPermitted):
            await explain(db, world, record.id, who=who)
    asked = await a_topic(
        db,
        world,
        state=State.OUTCOME_PUBLIC,
        track=Track.COMMISSIONED,
        commissioning_org_id=world.orgs["subdistrict_office"].id,
    )
    theirs = await dissent_by(db, world, asked)
    await explain(db, world, theirs.id, who=OFFICIAL)
    with pytest.raises(rules.NotYoursToExplain):
        await explain(db, world, theirs.id, who=("enforcer", Role.GOVERNMENT))


async def test_in_public_dissent_is_a_number(db: Database, world: World) -> None:
    topic = await a_topic(db, world, state=State.OUTCOME_PUBLIC)
    first = await dissent_by(db, world, topic)
    await dissent_by(db, world, topic, "resident2")
    events = await explain(db, world, first.id)

    assert [(e.open, e.settled) for e in events if isinstance(e, DissentCounted)] == [(1, 1)]
    async with db.read() as tx:
        counts = await queries.dissent_counts(tx, topic.id)
        entries = (
            await tx.session.exec(
                select(JournalEntry).where(JournalEntry.type == DissentCounted.type)
            )
        ).all()
    assert {state.value: n for state, n in counts.items() if n} == {"recorded": 1, "explained": 1}
    for name in ("resident1", "resident2"):
        assert str(world.id(name)) not in str([entry.data for entry in entries])


async def test_from_the_decision_on_dissenters_wait_ten_working_days(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic = await with_outcome(db, world)
    waiting = await dissent_by(db, world, topic)
    settled = await dissent_by(db, world, topic, "resident2")
    await explain(db, world, settled.id)
    await stand(db, topic.id, State.ADOPTION_PENDING)
    clock.advance(days=1)
    await adopted(db, world, topic=topic)

    assert (await record_now(db, waiting.id)).due_at == add_working_days(clock.now, 10)
    assert (await record_now(db, settled.id)).due_at is None


async def test_a_general_explanation_is_for_everybody(db: Database, world: World) -> None:
    topic = await a_topic(db, world, state=State.FEEDBACK)
    async with db.begin(world.as_("resident1")) as tx:
        with pytest.raises(NotPermitted):
            await dissent.publish_general_explanation(tx, topic.id, body="说明")
    async with db.begin(world.as_(*CLERK)) as tx:
        document = await dissent.publish_general_explanation(
            tx, topic.id, body="对采光和噪声的意见,处理如下。"
        )
    assert (document.kind, document.public) == (DocumentKind.GENERAL_EXPLANATION, True)


async def test_lists_are_paged_and_cost_the_same_for_one_and_for_many(
    db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.OUTCOME_PUBLIC)
    for number in range(1, 7):
        record = await dissent_by(db, world, topic, f"resident{number}")
        await explain(db, world, record.id)

    seen: list[UUID] = []
    async with db.read(world.as_(*CLERK)) as tx:
        after = None
        while page := await queries.dissent_to_explain(
            tx, topic, states=rules.WITHOUT_REPLY, after=after, limit=4
        ):
            seen += [view.record.id for view in page]
            after = (page[-1].record.at, page[-1].record.id)
            assert all(len(view.explanations) == 1 for view in page)
    async with db.read() as tx:
        everything = (await tx.session.exec(select(DissentRecord.id))).all()
    assert sorted(seen) == sorted(everything)
