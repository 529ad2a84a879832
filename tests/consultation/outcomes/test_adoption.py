import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlmodel import select

from consultation.calendar import add_working_days
from consultation.community.tables import RoleAssignment
from consultation.database import Database
from consultation.outcomes import queries, rules
from consultation.outcomes.commands import adoption, drafting
from consultation.outcomes.rules import Decision, NonAdoption
from consultation.outcomes.tables import AdoptionReply, AdoptionSignature
from consultation.permissions import SYSTEM, Role
from consultation.polls.presets import BallotMode
from consultation.polls.results import Count, Result
from consultation.polls.rules import PollState, Verdict
from consultation.polls.tables import Poll
from consultation.refusals import NotFound, NotPermitted
from consultation.topics.states import DocumentKind, State, Track
from consultation.topics.tables import Document, Topic, TopicTransition
from tests.conftest import ManualClock
from tests.consultation.outcomes.steps import (
    CLERK,
    COMMITTEE,
    ITEMS,
    OFFICIAL,
    PARTY,
    Who,
    adopted,
    commissioned,
    digest,
    reply,
    run_due,
    sign,
    stand,
    topic_now,
    with_outcome,
)
from tests.consultation.polls.counting_cases import preset
from tests.world import World

FULL, PART, NONE = Decision.ADOPTED, Decision.PARTIALLY_ADOPTED, Decision.NOT_ADOPTED
PENDING = State.ADOPTION_PENDING


async def documents(db: Database, topic: Topic, kind: DocumentKind) -> list[Document]:
    async with db.read() as tx:
        found = await tx.session.exec(
            select(Document).where(Document.topic_id == topic.id, Document.kind == kind)
        )
        return list(found)


# ---- T19 ----------------------------------------------------------------------------------


async def published(db: Database, world: World, clock: ManualClock, track: Track) -> Topic:
    """A topic whose outcome has just been published, by consensus called three days ago."""
    make = commissioned if track is Track.COMMISSIONED else with_outcome
    topic = await make(db, world, State.OUTCOME_DRAFTING)
    async with db.begin(world.as_(*PARTY)) as tx:
        await drafting.call_consensus(tx, topic.id)
    clock.advance(days=4)
    async with db.begin(world.as_(*PARTY)) as tx:
        await drafting.conclude_consensus(tx, topic.id)
    return topic


@pytest.mark.parametrize(("track", "letters"), [(Track.COMMUNITY, 0), (Track.COMMISSIONED, 1)])
async def test_adoption_begins_when_the_objection_period_is_over(
    db: Database, world: World, clock: ManualClock, track: Track, letters: int
) -> None:
    topic = await published(db, world, clock, track)
    clock.advance(days=7)
    await run_due(db)
    assert (await topic_now(db, topic.id)).state is State.OUTCOME_PUBLIC
    clock.advance(days=1)
    await run_due(db)

    now = await topic_now(db, topic.id)
    assert now.state is PENDING
    days = 20 if track is Track.COMMISSIONED else 10
    assert now.due_at == add_working_days(clock.now, days)
    submitted = await documents(db, topic, DocumentKind.SUBMISSION_LETTER)
    assert len(submitted) == letters
    assert all(ITEMS[0] in letter.body for letter in submitted)
    async with db.read() as tx:
        steps = await tx.session.exec(
            select(TopicTransition).where(TopicTransition.topic_id == topic.id)
        )
        start = next(step for step in steps if step.rule == "T19")
    assert start.document_ids == [letter.id for letter in submitted]


async def test_a_topic_that_moved_on_is_left_alone(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic = await published(db, world, clock, Track.COMMUNITY)
    await stand(db, topic.id, State.RECONSULTATION)
    clock.advance(days=8)
    await run_due(db)
    assert (await topic_now(db, topic.id)).state is State.RECONSULTATION

    await stand(db, topic.id, State.OUTCOME_PUBLIC)  # a later round, just published
    async with db.begin(SYSTEM) as tx:
        await adoption.start_adoption(tx, topic.id)
    assert (await topic_now(db, topic.id)).state is State.OUTCOME_PUBLIC


# ---- T20, Track A -------------------------------------------------------------------------


async def test_the_second_signature_decides_the_topic(db: Database, world: World) -> None:
    for decisions, state in (
        ((FULL, FULL), State.ADOPTED),
        ((FULL, NONE), State.PARTIALLY_ADOPTED),
        ((PART, PART), State.PARTIALLY_ADOPTED),
        ((NONE, NONE), State.NOT_ADOPTED),
    ):
        topic = await adopted(db, world, *decisions)

        assert (await topic_now(db, topic.id)).state is state
        [decision] = await documents(db, topic, DocumentKind.ADOPTION_DECISION)
        assert decision.public
        assert decision.body.count("同意,由社区协助办理。") == 2


async def test_one_signature_decides_nothing(db: Database, world: World) -> None:
    topic = await with_outcome(db, world, PENDING)
    await reply(db, world, topic, 1)
    await reply(db, world, topic, 2, who=COMMITTEE)
    await sign(db, world, topic, PARTY)
    await sign(db, world, topic, PARTY)  # again, changes nothing

    assert (await topic_now(db, topic.id)).state is PENDING
    assert await documents(db, topic, DocumentKind.ADOPTION_DECISION) == []


async def test_two_signatures_at_once_decide_once(db: Database, world: World) -> None:
    topic = await with_outcome(db, world, PENDING)
    await reply(db, world, topic, 1)
    await reply(db, world, topic, 2)

    await asyncio.gather(sign(db, world, topic, PARTY), sign(db, world, topic, COMMITTEE))

    assert (await topic_now(db, topic.id)).state is State.ADOPTED
    assert len(await documents(db, topic, DocumentKind.ADOPTION_DECISION)) == 1


async def test_one_person_does_not_sign_for_both(db: Database, world: World) -> None:
    await give_role(db, world, "secretary", Role.COMMITTEE_HEAD, "committee")
    topic = await with_outcome(db, world, PENDING)
    await reply(db, world, topic, 1)
    await reply(db, world, topic, 2)
    await sign(db, world, topic, PARTY)

    with pytest.raises(rules.SecondSignerNeeded):
        await sign(db, world, topic, ("secretary", Role.COMMITTEE_HEAD))
    assert (await topic_now(db, topic.id)).state is PENDING


async def give_role(
    db: Database, world: World, name: str, role: Role, org: str, at: str = "community"
) -> None:
    row = RoleAssignment(
        id=uuid4(),
        community_id=world.nodes[at].community_id,
        person_id=world.id(name),
        role=role,
        org_id=world.orgs[org].id,
        node_id=world.nodes[at].id,
        node_path=world.nodes[at].path,
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        basis="test",
    )
    world.assignments[name, role] = row
    async with db.begin() as tx:
        tx.session.add(row)


async def test_a_second_person_of_the_same_side_is_told_that_it_has_signed(
    db: Database, world: World
) -> None:
    await give_role(db, world, "clerk", Role.PARTY_SECRETARY, "party_org")
    topic = await with_outcome(db, world, PENDING)
    await reply(db, world, topic, 1)
    await reply(db, world, topic, 2)
    await sign(db, world, topic, PARTY)
    with pytest.raises(rules.SideHasSigned):
        await sign(db, world, topic, ("clerk", Role.PARTY_SECRETARY))


async def test_a_changed_reply_voids_the_signatures_under_it(db: Database, world: World) -> None:
    topic = await with_outcome(db, world, PENDING)
    await reply(db, world, topic, 1)
    await reply(db, world, topic, 2)
    await sign(db, world, topic, PARTY)
    seen = await digest(db, topic)
    await reply(db, world, topic, 2, NONE, code=NonAdoption.IMPOSSIBLE, who=COMMITTEE)

    with pytest.raises(rules.RepliesChanged):
        await sign(db, world, topic, COMMITTEE, under=seen)
    await sign(db, world, topic, COMMITTEE)
    assert (await topic_now(db, topic.id)).state is PENDING  # the party's signature fell
    await sign(db, world, topic, PARTY)
    assert (await topic_now(db, topic.id)).state is State.PARTIALLY_ADOPTED

    async with db.read() as tx:
        replies = (await tx.session.exec(select(AdoptionReply))).all()
        signatures = (await tx.session.exec(select(AdoptionSignature))).all()
    assert len(replies) == 3  # every version is kept
    assert len(signatures) == 3  # and so is the signature that fell


async def test_nothing_is_signed_while_an_item_is_unanswered(db: Database, world: World) -> None:
    topic = await with_outcome(db, world, PENDING)
    await reply(db, world, topic, 1)
    with pytest.raises(rules.ItemsUnanswered) as refused:
        await sign(db, world, topic, PARTY)
    assert refused.value.facts == {"items": ["2"]}


async def test_withholding_adoption_on_track_a_needs_a_ground(db: Database, world: World) -> None:
    topic = await with_outcome(db, world, PENDING)
    with pytest.raises(rules.ReasonCodeRequired):
        await reply(db, world, topic, 1, NONE)
    with pytest.raises(rules.ReasonRequired):
        await reply(db, world, topic, 1, NONE, code=NonAdoption.UNLAWFUL, reason=" ")
    with pytest.raises(NotFound):
        await reply(db, world, topic, 3)


@pytest.mark.parametrize(
    ("preset_id", "verdict", "adoptable"),
    [
        ("civil278_general", Verdict.NOT_PASSED, False),
        ("civil278_general", Verdict.PASSED, True),
        ("open_poll", Verdict.NOT_SUPPORTED, True),
    ],
)
async def test_what_the_vote_declined_cannot_be_adopted(
    db: Database, world: World, preset_id: str, verdict: Verdict, adoptable: bool
) -> None:
    topic = await with_outcome(db, world, PENDING)
    nobody = Count()
    async with db.begin() as tx:
        poll = Poll(
            id=uuid4(),
            community_id=topic.community_id,
            topic_id=topic.id,
            round=topic.round,
            scope_node_id=topic.node_id,
            scope_name="3幢",
            mode=BallotMode.NAMED,
            question="是否同意?",
            items=[],
            preset=preset(preset_id),
            state=PollState.PUBLISHED,
            drafted_by_id=world.id("clerk"),
            opens_at=tx.now,
            closes_at=tx.now,
            drafted_at=tx.now,
            result=Result(
                eligible=nobody,
                participating=nobody,
                valid=nobody,
                invalid=nobody,
                deemed=nobody,
                present=None,
                turnout=[],
                quorum_reached=True,
                items=[],
                verdict=verdict,
            ),
        )
        tx.session.add(poll)

    if adoptable:
        await reply(db, world, topic, 1)
    else:
        for decision in (FULL, PART):
            code = None if decision is FULL else NonAdoption.IMPOSSIBLE
            with pytest.raises(rules.VoteWasAgainst):
                await reply(db, world, topic, 1, decision, code=code)
    await reply(db, world, topic, 1, NONE, code=NonAdoption.CONTRARY_BINDING_DECISION)


async def test_only_the_two_committees_answer_and_sign_on_track_a(
    db: Database, world: World
) -> None:
    topic = await with_outcome(db, world, PENDING)
    for who in (
        CLERK,
        OFFICIAL,
        ("deputy", Role.HOST),
        ("supervisor", Role.SUPERVISOR),
        ("inspector", Role.INSPECTOR),
        ("resident1", None),
        ("representative", Role.REPRESENTATIVE),
        ("company", Role.PROPERTY_COMPANY),
    ):
        with pytest.raises(NotPermitted):
            await reply(db, world, topic, 1, who=who)
        with pytest.raises(NotPermitted):
            await sign(db, world, topic, who)


async def test_a_side_is_signed_for_by_its_own_organisation(db: Database, world: World) -> None:
    topic = await with_outcome(db, world, PENDING)
    for role, org in (
        (Role.PARTY_SECRETARY, "committee"),
        (Role.COMMITTEE_HEAD, "party_org"),
        (Role.COMMITTEE_HEAD, "owners_committee"),
        (Role.PARTY_SECRETARY, "subdistrict_office"),
    ):
        await give_role(db, world, "tenant", role, org)
        with pytest.raises(rules.NotTheAdopter):
            await reply(db, world, topic, 1, who=("tenant", role))


async def test_items_are_answered_while_adoption_is_pending(db: Database, world: World) -> None:
    topic = await with_outcome(db, world)
    for state in (State.OUTCOME_PUBLIC, State.ADOPTED, State.IMPLEMENTING):
        await stand(db, topic.id, state)
        with pytest.raises(rules.AdoptionNotNow):
            await reply(db, world, topic, 1)


# ---- T20, Track B -------------------------------------------------------------------------


async def test_the_commissioner_answers_item_by_item_and_signs_alone(
    db: Database, world: World
) -> None:
    topic = await commissioned(db, world, PENDING)
    await reply(db, world, topic, 1, who=OFFICIAL)
    await reply(db, world, topic, 2, NONE, reason="首年测算日均需求不足20份", who=OFFICIAL)
    await sign(db, world, topic, OFFICIAL)

    assert (await topic_now(db, topic.id)).state is State.PARTIALLY_ADOPTED
    [letter] = await documents(db, topic, DocumentKind.REPLY_LETTER)
    assert "不予采纳。首年测算日均需求不足20份" in letter.body
    assert letter.org_id == world.orgs["subdistrict_office"].id


async def test_nobody_but_the_commissioner_answers_on_track_b(db: Database, world: World) -> None:
    topic = await commissioned(db, world, PENDING)
    for who in (PARTY, COMMITTEE, ("enforcer", Role.GOVERNMENT), CLERK):
        with pytest.raises(NotPermitted):
            await reply(db, world, topic, 1, who=who)
        with pytest.raises(NotPermitted):
            await sign(db, world, topic, who)
    with pytest.raises(rules.ReasonRequired):  # even adoption has its reason
        await reply(db, world, topic, 1, who=OFFICIAL, reason="")


async def extend(db: Database, world: World, topic: Topic, who: Who = OFFICIAL) -> None:
    async with db.begin(world.as_(*who)) as tx:
        await adoption.extend_reply(tx, topic.id, reason="需与区民政局会商")


async def test_a_reply_is_extended_once_and_its_silence_shows(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic = await published(db, world, clock, Track.COMMISSIONED)
    clock.advance(days=8)
    await run_due(db)
    due = (await topic_now(db, topic.id)).due_at
    assert due is not None

    await extend(db, world, topic)
    with pytest.raises(rules.ExtensionNotAllowed):
        await extend(db, world, topic)
    clock.now = due
    await run_due(db)
    waiting = await topic_now(db, topic.id)
    assert waiting.overdue_since is None
    assert waiting.due_at is not None

    clock.now = waiting.due_at
    await run_due(db)
    late = await topic_now(db, topic.id)
    assert late.overdue_since == waiting.due_at
    with pytest.raises(rules.ExtensionNotAllowed):
        await extend(db, world, topic)
    async with db.read() as tx:
        kept = await queries.reply_extension(tx, topic.id, 1)
    assert kept is not None
    assert (kept.old_due_at, kept.new_due_at) == (due, waiting.due_at)
    assert kept.reason == "需与区民政局会商"


async def test_no_extension_for_the_committees_or_by_anybody_else(
    db: Database, world: World, clock: ManualClock
) -> None:
    own = await with_outcome(db, world, PENDING)
    await stand(db, own.id, PENDING, due_at=add_working_days(clock.now, 10))
    with pytest.raises(rules.ExtensionNotAllowed):
        await extend(db, world, own, PARTY)
    asked = await commissioned(db, world, PENDING)
    await stand(db, asked.id, PENDING, due_at=add_working_days(clock.now, 20))
    with pytest.raises(NotPermitted):
        await extend(db, world, asked, ("enforcer", Role.GOVERNMENT))
