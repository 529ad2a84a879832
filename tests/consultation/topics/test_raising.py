"""Raising a topic: by a resident, for a resident, by a body that commissions."""

import asyncio
from uuid import uuid4

import pytest

from consultation.community.tables import Residence, ResidenceKind
from consultation.database import Database
from consultation.permissions import Role
from consultation.refusals import NotFound, NotPermitted
from consultation.topics import rules
from consultation.topics.commands import raising, withdrawing
from consultation.topics.gates.gate import GateNotMet
from consultation.topics.proposal import (
    CommissionLetterRequired,
    CommissionNotYours,
    ConsentRequired,
    Proposal,
    ResidentNotVerified,
    ScopeNotInCommunity,
)
from consultation.topics.states import DocumentKind, State, Track
from consultation.topics.subjects import ForbiddenSubject
from tests.conftest import ManualClock
from tests.consultation.topics import story
from tests.consultation.topics.story import CLERK, LETTER, LIFT, OFFICIAL
from tests.world import LONG_AGO, World


async def test_a_verified_resident_raises_a_topic_and_gets_a_number(
    db: Database, world: World
) -> None:
    topic_id = await story.drafted(db, world)
    assert (await story.topic(db, topic_id)).number == ""

    async with db.begin(world.as_("resident1")) as tx:
        step = await raising.submit_topic(tx, topic_id)

    topic = await story.topic(db, topic_id)
    assert (topic.number, topic.state, topic.author_id) == (
        "2026-001",
        State.SUBMITTED,
        world.id("resident1"),
    )
    (proposal,) = await story.documents(db, topic_id)
    assert (proposal.kind, proposal.public) == (DocumentKind.PROPOSAL, False)
    assert "老人上下楼难" in proposal.body
    assert step.document_ids == [proposal.id]


async def test_numbers_run_through_a_year_and_begin_anew(
    db: Database, world: World, clock: ManualClock
) -> None:
    first = await story.submitted(db, world)
    await story.drafted(db, world)  # a draft takes no number
    second = await story.submitted(db, world, by="resident2")
    clock.advance(days=365)
    third = await story.submitted(db, world)

    numbers = [(await story.topic(db, id)).number for id in (first, second, third)]
    assert numbers == ["2026-001", "2026-002", "2027-001"]


async def test_topics_submitted_at_once_get_different_numbers(db: Database, world: World) -> None:
    people = ["resident1", "resident2", "resident3", "resident4", "resident5"]
    drafts = [await story.drafted(db, world, by=name) for name in people]

    async def submit(name: str, topic_id: object) -> None:
        async with db.begin(world.as_(name)) as tx:
            await raising.submit_topic(tx, topic_id)  # type: ignore[arg-type]

    await asyncio.gather(*(submit(n, t) for n, t in zip(people, drafts, strict=True)))

    numbers = {(await story.topic(db, id)).number for id in drafts}
    assert numbers == {f"2026-00{n}" for n in range(1, 6)}


@pytest.mark.parametrize("name", ["visitor", "neighbour"])
async def test_who_is_not_verified_here_raises_nothing(
    db: Database, world: World, name: str
) -> None:
    with pytest.raises(NotPermitted):
        await story.drafted(db, world, by=name)


async def test_a_tenant_may_raise_a_topic(db: Database, world: World) -> None:
    await story.submitted(db, world, by="tenant")


async def test_an_incomplete_draft_is_kept_and_not_submitted(db: Database, world: World) -> None:
    topic_id = await story.drafted(db, world, proposal=Proposal(title="路灯不亮"))

    with pytest.raises(GateNotMet) as refusal:
        async with db.begin(world.as_("resident1")) as tx:
            await raising.submit_topic(tx, topic_id)
    assert refusal.value.facts["missing"] == ["affected", "place", "problem", "wish"]
    async with db.begin(world.as_("resident1")) as tx:
        await raising.edit_draft(tx, topic_id, proposal=LIFT)
        await raising.submit_topic(tx, topic_id)
    assert await story.state(db, topic_id) is State.SUBMITTED


async def test_special_groups_of_people_are_not_written_down(db: Database, world: World) -> None:
    bad = LIFT.model_copy(update={"wish": "请公布吸毒人员名单"})

    with pytest.raises(ForbiddenSubject):
        await story.drafted(db, world, proposal=bad)


async def test_only_the_author_sees_and_edits_a_draft(db: Database, world: World) -> None:
    topic_id = await story.drafted(db, world)

    for actor in (world.as_("resident2"), world.as_(*CLERK)):
        with pytest.raises(NotFound):
            async with db.begin(actor) as tx:
                await raising.edit_draft(tx, topic_id, proposal=LIFT)


async def test_a_submitted_topic_is_not_edited(db: Database, world: World) -> None:
    topic_id = await story.submitted(db, world)

    with pytest.raises(rules.DraftFrozen):
        async with db.begin(world.as_("resident1")) as tx:
            await raising.edit_draft(tx, topic_id, proposal=LIFT)


async def test_an_edit_on_an_old_version_is_refused(db: Database, world: World) -> None:
    topic_id = await story.drafted(db, world)

    with pytest.raises(rules.TopicChanged):
        async with db.begin(world.as_("resident1")) as tx:
            await raising.edit_draft(tx, topic_id, proposal=LIFT, expected_version=7)


async def test_a_topic_lies_in_its_community_or_above_it(db: Database, world: World) -> None:
    async with db.begin(world.as_("resident1")) as tx:
        above = await raising.draft_topic(
            tx,
            community_id=world.community.id,
            node_id=world.nodes["subdistrict"].id,
            proposal=LIFT,
        )
    assert above.node_path == world.nodes["subdistrict"].path
    with pytest.raises(ScopeNotInCommunity):
        async with db.begin(world.as_("resident1")) as tx:
            await raising.draft_topic(
                tx, community_id=world.community.id, node_id=world.nodes["other"].id, proposal=LIFT
            )
    with pytest.raises(NotFound):
        async with db.begin(world.as_("resident1")) as tx:
            await raising.draft_topic(
                tx,
                community_id=world.nodes["subdistrict"].id,
                node_id=world.nodes["subdistrict"].id,
                proposal=LIFT,
            )


# ---- for a resident ----------------------------------------------------------------------


async def test_a_grid_worker_writes_down_the_topic_of_a_resident(
    db: Database, world: World
) -> None:
    async with db.begin(world.as_("grid_worker", Role.GRID_WORKER)) as tx:
        topic = await raising.draft_topic(
            tx,
            community_id=world.community.id,
            node_id=world.nodes["entrance"].id,
            proposal=LIFT,
            on_behalf_of=world.id("resident3"),
            consent_note="上门走访,本人口述并同意代录",
        )
        await raising.submit_topic(tx, topic.id)

    assert (topic.author_id, topic.entered_by_id) == (
        world.id("resident3"),
        world.id("grid_worker"),
    )
    async with db.begin(world.as_("resident3")) as tx:  # it is the resident's own
        await withdrawing.withdraw_topic(tx, topic.id)
    assert await story.state(db, topic.id) is State.WITHDRAWN


@pytest.mark.parametrize("consent", [None, "  "])
async def test_without_consent_nothing_is_written_down_for_anybody(
    db: Database, world: World, consent: str | None
) -> None:
    with pytest.raises(ConsentRequired):
        async with db.begin(world.as_("grid_worker", Role.GRID_WORKER)) as tx:
            await raising.draft_topic(
                tx,
                community_id=world.community.id,
                node_id=world.nodes["entrance"].id,
                proposal=LIFT,
                on_behalf_of=world.id("resident3"),
                consent_note=consent,
            )


@pytest.mark.parametrize("name", ["visitor", "neighbour", "stranger_to_the_grid"])
async def test_a_grid_worker_writes_for_verified_residents_of_the_own_grid_only(
    db: Database, world: World, name: str
) -> None:
    async with db.begin() as tx:
        if name == "stranger_to_the_grid":
            name = "visitor"
            tx.session.add(
                Residence(
                    id=uuid4(),
                    person_id=world.id("visitor"),
                    community_id=world.community.id,
                    grid_id=world.nodes["grid2"].id,
                    kind=ResidenceKind.TENANT,
                    level=2,
                    created_at=LONG_AGO,
                )
            )
    with pytest.raises(ResidentNotVerified):
        async with db.begin(world.as_("grid_worker", Role.GRID_WORKER)) as tx:
            await raising.draft_topic(
                tx,
                community_id=world.community.id,
                node_id=world.nodes["entrance"].id,
                proposal=LIFT,
                on_behalf_of=world.id(name),
                consent_note="电话同意",
            )


async def test_nobody_but_a_grid_worker_writes_for_others(db: Database, world: World) -> None:
    for actor in (world.as_("resident1"), world.as_(*CLERK)):
        with pytest.raises(NotPermitted):
            async with db.begin(actor) as tx:
                await raising.draft_topic(
                    tx,
                    community_id=world.community.id,
                    node_id=world.nodes["entrance"].id,
                    proposal=LIFT,
                    on_behalf_of=world.id("resident3"),
                    consent_note="电话同意",
                )


# ---- commissioned ------------------------------------------------------------------------


async def test_a_government_body_commissions_by_letter(db: Database, world: World) -> None:
    async with db.begin(world.as_(*OFFICIAL)) as tx:
        topic = await raising.draft_topic(
            tx,
            community_id=world.community.id,
            node_id=world.community.id,
            proposal=LIFT,
            letter=LETTER,
        )
        await raising.submit_topic(tx, topic.id)

    assert (topic.track, topic.commissioning_org_id) == (
        Track.COMMISSIONED,
        world.orgs["subdistrict_office"].id,
    )
    kinds = [document.kind for document in await story.documents(db, topic.id)]
    assert sorted(kinds) == [DocumentKind.COMMISSION_LETTER, DocumentKind.PROPOSAL]
    with pytest.raises(CommissionLetterRequired):
        async with db.begin(world.as_(*OFFICIAL)) as tx:
            await raising.draft_topic(
                tx, community_id=world.community.id, node_id=world.community.id, proposal=LIFT
            )


async def test_nobody_else_commissions(db: Database, world: World) -> None:
    with pytest.raises(CommissionNotYours):
        await story.drafted(db, world, letter=LETTER)
