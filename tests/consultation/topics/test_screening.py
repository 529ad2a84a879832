"""Screening: returned and completed, accepted by the right convener, rejected by two persons, with
an appeal upheld or dismissed."""

from dataclasses import replace

import pytest

from consultation.community.tables import RoleAssignment
from consultation.database import Database
from consultation.permissions import Actor, Role
from consultation.refusals import NotFound, NotPermitted
from consultation.topics import rules
from consultation.topics.commands import raising, screening
from consultation.topics.gates.gate import GateNotMet
from consultation.topics.states import (
    Act,
    Category,
    DocumentKind,
    Layer,
    MatterList,
    RejectionReason,
    State,
    Track,
)
from consultation.topics.steps import TransitionNotAllowed
from tests.conftest import ManualClock
from tests.consultation.topics import story
from tests.consultation.topics.story import (
    CLERK,
    ENFORCER,
    LETTER,
    LIFT,
    NOTE,
    OFFICIAL,
    OWN_MATTER,
    SECRETARY,
    SUPERVISOR,
)
from tests.world import LONG_AGO, World

PRIVATE = RejectionReason.NOT_PUBLIC


async def test_a_returned_topic_is_completed_and_submitted_again(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic_id = await story.submitted(db, world)
    async with db.begin(world.as_(*CLERK)) as tx:
        await screening.return_topic(tx, topic_id, reason="请写明受影响的人")
    clock.advance(days=15)
    async with db.begin(world.as_("resident1")) as tx:
        await raising.edit_draft(
            tx, topic_id, proposal=LIFT.model_copy(update={"affected": ["一层业主", "租户"]})
        )
        await raising.submit_topic(tx, topic_id)

    topic = await story.topic(db, topic_id)
    assert (topic.state, topic.number) == (State.SUBMITTED, "2026-001")
    assert [step.rule for step in await story.steps(db, topic_id)] == ["T1", "T2", "T2a"]
    assert await story.told(db, world.id("resident1")) == ["topic_returned"]
    assert await story.public_kinds(db, topic_id) == set()


async def test_a_topic_is_completed_within_fifteen_days_or_not_at_all(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic_id = await story.submitted(db, world)
    async with db.begin(world.as_(*CLERK)) as tx:
        await screening.return_topic(tx, topic_id, reason="请写明受影响的人")

    clock.advance(days=16)
    with pytest.raises(GateNotMet):
        async with db.begin(world.as_("resident1")) as tx:
            await raising.submit_topic(tx, topic_id)
    await story.run_due(db)
    assert await story.told(db, world.id("resident1")) == [
        "topic_returned",
        "correction_period_over",
    ]
    assert (await story.topic(db, topic_id)).overdue_since is None  # nobody here is late


async def test_acceptance_makes_topic_and_proposal_public_and_names_the_convener(
    db: Database, world: World
) -> None:
    topic_id = await story.accepted(db, world)

    topic = await story.topic(db, topic_id)
    assert (topic.state, topic.was_public) == (State.ACCEPTED, True)
    assert topic.convener_org_id == world.orgs["party_org"].id
    assert await story.public_kinds(db, topic_id) == {
        DocumentKind.PROPOSAL,
        DocumentKind.ACCEPTANCE_NOTE,
    }
    (_, accept) = await story.steps(db, topic_id)
    assert (accept.actor_id, accept.role, accept.org_id) == (
        world.id("secretary"),
        "party_secretary",
        world.orgs["party_org"].id,
    )
    entries = await story.journal(db, topic_id)
    assert [entry.type for entry in entries] == [
        "topic.state_changed",
        "document.published",
        "topic.state_changed",
        "document.published",
    ]


@pytest.mark.parametrize(
    ("change", "gate"),
    [
        ({"matter_list": MatterList.OUTSIDE_LISTS}, "within_the_lists"),
        ({"track": Track.COMMISSIONED}, "commission_complete"),
    ],
)
async def test_a_topic_is_not_accepted_on_the_wrong_road(
    db: Database, world: World, change: dict[str, object], gate: str
) -> None:
    topic_id = await story.submitted(db, world)

    with pytest.raises(GateNotMet) as refusal:
        async with db.begin(world.as_(*SECRETARY)) as tx:
            await screening.accept_topic(tx, topic_id, replace(OWN_MATTER, **change), note=NOTE)
    assert refusal.value.facts["gate"] == gate
    assert await story.state(db, topic_id) is State.SUBMITTED


async def test_another_convener_needs_a_reason_and_must_be_one_of_those_who_may(
    db: Database, world: World
) -> None:
    topic_id = await story.submitted(db, world)

    async def accept(org: str, reason: str | None) -> None:
        async with db.begin(world.as_(*SECRETARY)) as tx:
            convener = replace(
                OWN_MATTER, convener_org_id=world.orgs[org].id, convener_reason=reason
            )
            await screening.accept_topic(tx, topic_id, convener, note=NOTE)

    with pytest.raises(GateNotMet):
        await accept("committee", None)
    with pytest.raises(GateNotMet):
        await accept("property_company", "由物业牵头比较方便")
    await accept("committee", "党组织正在换届")
    assert await story.state(db, topic_id) is State.ACCEPTED


async def test_what_lies_in_several_communities_is_convened_by_the_subdistrict(
    db: Database, world: World
) -> None:
    subdistrict = world.nodes["subdistrict"]
    async with db.begin(world.as_("resident1")) as tx:
        topic = await raising.draft_topic(
            tx, community_id=world.community.id, node_id=subdistrict.id, proposal=LIFT
        )
        await raising.submit_topic(tx, topic.id)
    async with db.begin() as tx:
        office = RoleAssignment(
            id=tx.new_id(),
            person_id=world.id("official"),
            role=Role.PARTY_SECRETARY,
            org_id=world.orgs["subdistrict_office"].id,
            node_id=subdistrict.id,
            node_path=subdistrict.path,
            valid_from=LONG_AGO,
            basis="test",
        )
        tx.session.add(office)
    actor = Actor(person_id=world.id("official"), assignment_id=office.id)

    with pytest.raises(GateNotMet) as refusal:
        async with db.begin(actor) as tx:
            await screening.accept_topic(tx, topic.id, OWN_MATTER, note=NOTE)
    assert refusal.value.facts["missing"] == ["convener_of_scope"]
    with pytest.raises(NotFound):  # a community's secretary has no say above the community
        async with db.begin(world.as_(*SECRETARY)) as tx:
            await screening.accept_topic(tx, topic.id, OWN_MATTER, note=NOTE)
    async with db.begin(actor) as tx:
        await screening.accept_topic(
            tx,
            topic.id,
            replace(
                OWN_MATTER,
                convener_org_id=world.orgs["subdistrict_office"].id,
                convener_reason="涉及两个社区",
            ),
            note=NOTE,
        )
    assert await story.state(db, topic.id) is State.ACCEPTED


async def test_what_was_commissioned_is_answered_by_who_commissioned_it(
    db: Database, world: World
) -> None:
    async with db.begin(world.as_(*OFFICIAL)) as tx:
        topic = await raising.draft_topic(
            tx,
            community_id=world.community.id,
            node_id=world.community.id,
            proposal=LIFT,
            letter=LETTER,
        )
        await raising.submit_topic(tx, topic.id)

    with pytest.raises(rules.TrackUnsuitable):
        async with db.begin(world.as_(*SECRETARY)) as tx:
            await screening.accept_topic(tx, topic.id, OWN_MATTER, note=NOTE)
    async with db.begin(world.as_(*SECRETARY)) as tx:
        await screening.accept_topic(
            tx,
            topic.id,
            replace(
                OWN_MATTER,
                category=Category.PUBLIC_INTEREST_DECISION,
                layer=Layer.CONSULTATION,
                track=Track.COMMISSIONED,
                matter_list=MatterList.ASSIST_GOVERNMENT,
            ),
            note=NOTE,
        )
    assert DocumentKind.COMMISSION_LETTER in await story.public_kinds(db, topic.id)


# ---- rejection and appeal -----------------------------------------------------------------


async def test_one_person_alone_rejects_nothing(db: Database, world: World) -> None:
    topic_id = await story.submitted(db, world)

    with pytest.raises(GateNotMet) as refusal:  # nobody has proposed it
        async with db.begin(world.as_(*SECRETARY)) as tx:
            await screening.confirm_rejection(tx, topic_id)
    assert refusal.value.facts["missing"] == ["proposal"]
    async with db.begin(world.as_(*SECRETARY)) as tx:
        await screening.propose_rejection(tx, topic_id, reason_code=PRIVATE, reason="私事")
    with pytest.raises(GateNotMet) as refusal:
        async with db.begin(world.as_(*SECRETARY)) as tx:
            await screening.confirm_rejection(tx, topic_id)
    assert refusal.value.facts["missing"] == ["second_person"]
    with pytest.raises(NotPermitted):  # a clerk proposes and does not confirm
        async with db.begin(world.as_(*CLERK)) as tx:
            await screening.confirm_rejection(tx, topic_id)
    assert await story.state(db, topic_id) is State.SUBMITTED


async def test_a_proposal_to_reject_ends_when_the_topic_is_returned(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic_id = await story.submitted(db, world)
    async with db.begin(world.as_(*CLERK)) as tx:
        await screening.propose_rejection(tx, topic_id, reason_code=PRIVATE, reason="私事")
        await screening.return_topic(tx, topic_id, reason="请写明受影响的人")
    clock.advance(days=1)
    async with db.begin(world.as_("resident1")) as tx:
        await raising.submit_topic(tx, topic_id)

    with pytest.raises(GateNotMet):
        async with db.begin(world.as_(*SECRETARY)) as tx:
            await screening.confirm_rejection(tx, topic_id)


async def test_only_a_topic_under_screening_is_rejected(db: Database, world: World) -> None:
    topic_id = await story.accepted(db, world)

    with pytest.raises(TransitionNotAllowed):
        async with db.begin(world.as_(*CLERK)) as tx:
            await screening.propose_rejection(tx, topic_id, reason_code=PRIVATE, reason="私事")


async def test_two_persons_reject_with_a_reason_and_the_road_of_appeal(
    db: Database, world: World
) -> None:
    topic_id = await story.rejected(db, world)

    topic = await story.topic(db, topic_id)
    assert (topic.state, topic.was_public) == (State.REJECTED, False)
    notice = (await story.documents(db, topic_id))[-1]
    assert (notice.kind, notice.public) == (DocumentKind.REJECTION_NOTICE, False)
    assert "属于邻里私事" in notice.body
    assert "15日内" in notice.body
    step = (await story.steps(db, topic_id))[-1]
    assert (step.reason_code, step.facts) == ("not_public", {"proposed_by": str(world.id("clerk"))})
    assert await story.told(db, world.id("resident1")) == ["topic_rejected"]


async def appeal(db: Database, world: World, topic_id: object) -> None:
    async with db.begin(world.as_("resident1")) as tx:
        await screening.appeal_rejection(tx, topic_id, reason="全楼都受影响")  # type: ignore[arg-type]


async def test_an_upheld_appeal_brings_the_topic_back_to_screening(
    db: Database, world: World
) -> None:
    topic_id = await story.rejected(db, world)
    with pytest.raises(rules.NotTheAuthor):
        async with db.begin(world.as_(*CLERK)) as tx:
            await screening.appeal_rejection(tx, topic_id, reason="替人申请")
    await appeal(db, world, topic_id)
    assert (await story.topic(db, topic_id)).due_at is not None

    async with db.begin(world.as_(*SUPERVISOR)) as tx:
        await screening.decide_appeal(tx, topic_id, upheld=True, opinion="涉及全楼利益")
    assert await story.state(db, topic_id) is State.SUBMITTED
    assert (await story.steps(db, topic_id))[-1].rule == "T4a"

    async with db.begin(world.as_(*CLERK)) as tx:  # judged anew, and once more rejected
        await screening.propose_rejection(tx, topic_id, reason_code=PRIVATE, reason="仍是私事")
    async with db.begin(world.as_(*SECRETARY)) as tx:
        await screening.confirm_rejection(tx, topic_id)
    with pytest.raises(rules.AppealAlreadyMade):
        await appeal(db, world, topic_id)


async def test_a_dismissed_appeal_leaves_the_rejection_and_is_decided_once(
    db: Database, world: World
) -> None:
    topic_id = await story.rejected(db, world)
    await appeal(db, world, topic_id)
    async with db.begin(world.as_(*OFFICIAL)) as tx:  # the subdistrict
        await screening.decide_appeal(tx, topic_id, upheld=False, opinion="确属私事")

    topic = await story.topic(db, topic_id)
    assert (topic.state, topic.due_at) == (State.REJECTED, None)
    assert DocumentKind.APPEAL_DECISION in {d.kind for d in await story.documents(db, topic_id)}
    assert await story.told(db, world.id("resident1")) == ["topic_rejected", "appeal_decided"]
    with pytest.raises(GateNotMet) as refusal:
        async with db.begin(world.as_(*SUPERVISOR)) as tx:
            await screening.decide_appeal(tx, topic_id, upheld=True, opinion="改判")
    assert refusal.value.facts["missing"] == ["appeal"]


async def test_an_appeal_comes_within_fifteen_days(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic_id = await story.rejected(db, world)
    clock.advance(days=16)
    with pytest.raises(rules.AppealNotPossible):
        await appeal(db, world, topic_id)


@pytest.mark.parametrize("upheld", [True, False])
async def test_who_rejected_and_a_department_decide_no_appeal(
    db: Database, world: World, upheld: bool
) -> None:
    topic_id = await story.rejected(db, world)
    await appeal(db, world, topic_id)
    async with db.begin() as tx:  # the clerk who proposed the rejection sits elsewhere by now
        turned = RoleAssignment(
            id=tx.new_id(),
            community_id=world.community.id,
            person_id=world.id("clerk"),
            role=Role.SUPERVISOR,
            org_id=world.orgs["supervision"].id,
            node_id=world.community.id,
            node_path=world.community.path,
            valid_from=LONG_AGO,
            basis="test",
        )
        tx.session.add(turned)

    with pytest.raises(GateNotMet) as refusal:
        async with db.begin(Actor(world.id("clerk"), turned.id)) as tx:
            await screening.decide_appeal(tx, topic_id, upheld=upheld, opinion="维持")
    assert refusal.value.facts["missing"] == ["other_person"]
    with pytest.raises(NotFound):  # not the appeal body, and the topic is not public
        async with db.begin(world.as_(*ENFORCER)) as tx:
            await screening.decide_appeal(tx, topic_id, upheld=upheld, opinion="维持")
    with pytest.raises(NotPermitted):
        async with db.begin(world.as_(*SECRETARY)) as tx:
            await screening.decide_appeal(tx, topic_id, upheld=upheld, opinion="维持")


def test_the_acts_of_a_rejection_are_those_of_the_notes() -> None:
    assert {reason.value for reason in RejectionReason} == {
        "not_public",
        "already_decided",
        "in_legal_process",
        "unlawful_aim",
        "personal_attack",
        "outside_scope",
    }
    assert Act.REJECT.value == "reject"
