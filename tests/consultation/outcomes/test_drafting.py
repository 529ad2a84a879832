import pytest
from sqlmodel import select

from consultation.database import Database
from consultation.outcomes import rules
from consultation.outcomes.commands import drafting
from consultation.outcomes.rules import AdverseImpact
from consultation.outcomes.tables import Outcome, OutcomeItem
from consultation.permissions import Role
from consultation.refusals import NotPermitted
from consultation.topics.gates.gate import GateNotMet
from consultation.topics.states import DocumentKind, State
from consultation.topics.subjects import ForbiddenSubject
from consultation.topics.tables import Document, Topic
from tests.conftest import ManualClock
from tests.consultation.outcomes.steps import (
    CLERK,
    HOST,
    ITEMS,
    MINORITY,
    PARTY,
    Who,
    stand,
    topic_now,
    with_outcome,
)
from tests.world import World, a_topic

IMPACT = AdverseImpact(group="一层业主", impact="采光减少", mitigation="一次性补偿,装隔音窗")


async def revise(
    db: Database, world: World, topic: Topic, items: list[str] | None = None, view: str = "改写"
) -> Outcome:
    async with db.begin(world.as_(*CLERK)) as tx:
        return await drafting.revise_outcome(
            tx, topic.id, reason="当事人要求补充", items=items, minority_view=view
        )


async def items_of(db: Database, topic: Topic) -> list[str]:
    async with db.read() as tx:
        rows = await tx.session.exec(
            select(OutcomeItem).where(OutcomeItem.topic_id == topic.id).order_by(OutcomeItem.number)  # type: ignore[arg-type]
        )
        return [row.text for row in rows]


async def test_the_paper_is_published_with_minority_view_and_impacts(
    db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.OUTCOME_DRAFTING)

    async with db.begin(world.as_(*HOST)) as tx:
        outcome = await drafting.draft_outcome(
            tx, topic.id, items=ITEMS, minority_view=MINORITY, adverse_impacts=[IMPACT]
        )

    async with db.read() as tx:
        document = await tx.session.get_one(Document, outcome.document_id)
    assert (document.kind, document.public) == (DocumentKind.OUTCOME, True)
    assert document.body == (
        f"1. {ITEMS[0]}\n2. {ITEMS[1]}\n\n少数意见及处理情况\n{MINORITY}\n\n"
        "不利影响及减轻措施\n一层业主:采光减少 措施:一次性补偿,装隔音窗"
    )
    assert await items_of(db, topic) == list(ITEMS)


async def test_no_paper_without_items_or_without_the_minority_view(
    db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.OUTCOME_DRAFTING)
    for items, view, missing in (
        ((), MINORITY, "items"),
        (("  ",), MINORITY, "items"),
        (ITEMS, "", "minority_view"),
        (ITEMS, " ", "minority_view"),
    ):
        async with db.begin(world.as_(*CLERK)) as tx:
            with pytest.raises(rules.OutcomeIncomplete) as refused:
                await drafting.draft_outcome(tx, topic.id, items=items, minority_view=view)
        assert refused.value.facts == {"missing": [missing]}


async def test_the_paper_is_drafted_once_and_says_nothing_of_special_groups(
    db: Database, world: World
) -> None:
    topic = await with_outcome(db, world)
    async with db.begin(world.as_(*CLERK)) as tx:
        with pytest.raises(rules.OutcomeAlreadyDrafted):
            await drafting.draft_outcome(tx, topic.id, items=ITEMS, minority_view=MINORITY)
    with pytest.raises(ForbiddenSubject):
        await revise(db, world, topic, view="有上访户不同意")


async def test_only_staff_of_the_process_draft(db: Database, world: World) -> None:
    topic = await a_topic(db, world, state=State.OUTCOME_DRAFTING)
    for name, role in (
        ("resident1", None),
        ("supervisor", Role.SUPERVISOR),
        ("official", Role.GOVERNMENT),
    ):
        async with db.begin(world.as_(name, role)) as tx:
            with pytest.raises(NotPermitted):
                await drafting.draft_outcome(tx, topic.id, items=ITEMS, minority_view=MINORITY)


async def test_once_voting_begins_items_are_frozen_and_the_minority_view_is_not(
    db: Database, world: World
) -> None:
    topic = await with_outcome(db, world)
    for version, state in enumerate((State.VOTING, State.OUTCOME_PUBLIC), start=2):
        await stand(db, topic.id, state)
        with pytest.raises(rules.ItemsFrozen):
            await revise(db, world, topic, items=["另一条"])
        revised = await revise(db, world, topic, view="补充:噪声另行检测")

        assert (revised.version, revised.change_reason) == (version, "当事人要求补充")
    assert await items_of(db, topic) == list(ITEMS)


async def test_nothing_is_revised_once_adoption_has_begun(db: Database, world: World) -> None:
    topic = await with_outcome(db, world, State.ADOPTION_PENDING)
    with pytest.raises(rules.OutcomeNotNow):
        await revise(db, world, topic)


async def test_a_revision_leaves_the_first_version_to_be_read(db: Database, world: World) -> None:
    topic = await with_outcome(db, world)

    await revise(db, world, topic, items=["只留一条"])

    assert await items_of(db, topic) == ["只留一条"]
    async with db.read() as tx:
        papers = (await tx.session.exec(select(Document).order_by(Document.version))).all()  # type: ignore[arg-type]
        views = (await tx.session.exec(select(Outcome).order_by(Outcome.version))).all()  # type: ignore[arg-type]
    assert [(p.version, p.correction_reason, p.series_id == papers[0].id) for p in papers] == [
        (1, None, True),
        (2, "当事人要求补充", True),
    ]
    assert [view.minority_view for view in views] == [MINORITY, "改写"]


# ---- consensus without a ballot (T12) -----------------------------------------------------


async def call(db: Database, world: World, topic: Topic, who: Who = PARTY) -> None:
    async with db.begin(world.as_(*who)) as tx:
        await drafting.call_consensus(tx, topic.id)


async def object_(db: Database, world: World, topic: Topic, who: Who = ("resident2", None)) -> None:
    async with db.begin(world.as_(*who)) as tx:
        await drafting.object_to_consensus(tx, topic.id, reason="补偿还没谈好")


async def conclude(db: Database, world: World, topic: Topic) -> None:
    async with db.begin(world.as_(*PARTY)) as tx:
        await drafting.conclude_consensus(tx, topic.id)


async def test_consensus_stands_when_nobody_objects_for_three_days(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic = await with_outcome(db, world)
    with pytest.raises(GateNotMet) as uncalled:
        await conclude(db, world, topic)
    await call(db, world, topic)
    clock.advance(days=3)
    with pytest.raises(GateNotMet) as early:
        await conclude(db, world, topic)
    clock.advance(days=1)
    await conclude(db, world, topic)

    assert uncalled.value.facts["missing"] == ["called"]
    assert early.value.facts["missing"] == ["waited"]
    assert (await topic_now(db, topic.id)).state is State.OUTCOME_PUBLIC


async def test_one_objection_ends_the_call_and_a_revised_paper_needs_a_new_one(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic = await with_outcome(db, world)
    await call(db, world, topic)
    await object_(db, world, topic)
    await object_(db, world, topic)  # again, changes nothing
    clock.advance(days=4)
    with pytest.raises(GateNotMet) as opposed:
        await conclude(db, world, topic)

    await revise(db, world, topic)
    with pytest.raises(GateNotMet) as uncalled:
        await conclude(db, world, topic)
    await call(db, world, topic)
    clock.advance(days=4)
    await conclude(db, world, topic)

    assert opposed.value.facts["missing"] == ["unopposed"]
    assert uncalled.value.facts["missing"] == ["called"]


async def test_an_objection_is_in_time_until_the_third_day_is_over(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic = await with_outcome(db, world)
    with pytest.raises(rules.ConsensusNotNow):
        await object_(db, world, topic)
    await call(db, world, topic)
    clock.advance(days=4)

    with pytest.raises(rules.ConsensusNotNow):
        await object_(db, world, topic)


async def test_the_convener_calls_and_whoever_takes_part_objects(
    db: Database, world: World
) -> None:
    topic = await with_outcome(db, world)
    with pytest.raises(NotPermitted):
        await call(db, world, topic, CLERK)
    await call(db, world, topic)
    with pytest.raises(NotPermitted):
        await object_(db, world, topic, ("visitor", None))
    await object_(db, world, topic, ("tenant", None))


async def test_no_call_before_a_paper_or_after_drafting(db: Database, world: World) -> None:
    empty = await a_topic(db, world, state=State.OUTCOME_DRAFTING)
    with pytest.raises(rules.NoOutcomeYet):
        await call(db, world, empty)
    topic = await with_outcome(db, world)
    await stand(db, topic.id, State.VOTING)
    with pytest.raises(rules.ConsensusNotNow):
        await call(db, world, topic)
