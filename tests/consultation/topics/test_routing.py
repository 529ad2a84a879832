"""Merged into another topic, or transferred to the body it belongs to, which answers."""

from uuid import UUID

import pytest

from consultation.database import Database
from consultation.permissions import Deed, Role
from consultation.refusals import NotPermitted
from consultation.topics import detail, duties, reading, rules, transfers
from consultation.topics.commands import cosigning, routing, screening
from consultation.topics.gates.gate import GateNotMet
from consultation.topics.queries import access_topic
from consultation.topics.states import DocumentKind, State, TransferAct, TransferState
from consultation.topics.tables import CoSignature
from consultation.topics.transfers import TRANSFER_NEXT, transfer_after
from tests.conftest import ManualClock
from tests.consultation.topics import story
from tests.consultation.topics.story import (
    CLERK,
    ENFORCER,
    LIFT,
    NOTE,
    OFFICIAL,
    OWN_MATTER,
    SECRETARY,
)
from tests.world import World, a_topic


async def merge(db: Database, world: World, topic_id: UUID, target_id: UUID) -> None:
    async with db.begin(world.as_(*SECRETARY)) as tx:
        await routing.merge_topic(tx, topic_id, target_id, reason="同一地点、同一诉求")


async def test_a_merge_carries_author_co_signers_and_followers_over_and_tells_them(
    db: Database, world: World
) -> None:
    target = await a_topic(db, world, state=State.ACCEPTED, author="resident1")
    opened = LIFT.model_copy(update={"open_to_cosign": True})
    topic_id = await story.submitted(db, world, by="resident2", proposal=opened)
    for name, topic in (
        ("resident1", topic_id),  # the target's own author
        ("resident3", topic_id),
        ("resident4", topic_id),
        ("resident4", target.id),  # stands behind both
    ):
        async with db.begin(world.as_(name)) as tx:
            await cosigning.cosign_topic(tx, topic)
    async with db.begin(world.as_("resident5")) as tx:
        await cosigning.follow_topic(tx, topic_id)

    await merge(db, world, topic_id, target.id)

    merged, after = await story.topic(db, topic_id), await story.topic(db, target.id)
    assert (merged.state, merged.merged_into_id, merged.was_public) == (
        State.MERGED,
        target.id,
        False,
    )
    assert after.co_signers == 3  # resident2, 3 and 4, each once
    async with db.read(world.as_("resident5")) as tx:
        following = await reading.my_topics(
            tx, relation=reading.Relation.FOLLOWED, after=None, limit=10
        )
    assert [card.topic.id for card in following] == [target.id]
    async with db.read() as tx:
        kept = await tx.session.get(CoSignature, (target.id, world.id("resident4")))
        carried = await tx.session.get(CoSignature, (target.id, world.id("resident3")))
    assert kept is not None
    assert carried is not None
    assert (kept.carried_from_id, carried.carried_from_id) == (None, topic_id)
    for name in ("resident1", "resident2", "resident3", "resident4", "resident5"):
        assert await story.told(db, world.id(name)) == ["topic_merged"]


async def test_who_was_carried_over_sees_a_target_that_is_not_public(
    db: Database, world: World
) -> None:
    target = await a_topic(db, world, author="resident1")
    topic_id = await story.submitted(db, world, by="resident2")
    await merge(db, world, topic_id, target.id)

    async with db.read(world.as_("resident2")) as tx:
        assert (await access_topic(tx, target.id, Deed.READ_PUBLIC)).id == target.id


async def test_a_topic_merges_only_into_an_open_one_that_is_as_public(
    db: Database, world: World
) -> None:
    public = await a_topic(db, world, state=State.ACCEPTED)
    voting = await a_topic(db, world, state=State.VOTING)
    hidden = await a_topic(db, world)

    for topic, target, reason in (
        (public, public, "itself"),
        (hidden, voting, "state"),
        (public, hidden, "less_public"),
    ):
        with pytest.raises(rules.MergeTargetUnsuitable) as refusal:
            await merge(db, world, topic.id, target.id)
        assert refusal.value.facts["reasons"] == [reason]


# ---- transfers ----------------------------------------------------------------------------


def test_a_transfer_moves_as_its_table_says_and_no_other_way() -> None:
    for state in TransferState:
        for act in TransferAct:
            if (state, act) not in TRANSFER_NEXT:
                with pytest.raises(transfers.TransferStepNotAllowed):
                    transfer_after(state, act)
    road = [TransferState.SENT]
    for act in (
        TransferAct.RECEIVE,
        TransferAct.HANDLE,
        TransferAct.ANSWER,
        TransferAct.RELAY,
        TransferAct.RATE,
    ):
        road.append(transfer_after(road[-1], act))
    assert road == [
        TransferState.SENT,
        TransferState.RECEIVED,
        TransferState.HANDLING,
        TransferState.ANSWERED,
        TransferState.RELAYED_TO_AUTHOR,
        TransferState.RATED,
    ]


async def transferred(db: Database, world: World, to: str) -> tuple[UUID, UUID]:
    """A submitted topic that was transferred: its id and that of the transfer."""
    topic_id = await story.submitted(db, world)
    async with db.begin(world.as_(*SECRETARY)) as tx:
        transfer = await routing.transfer_topic(
            tx, topic_id, receiver_org_id=world.orgs[to].id, reason="路灯由城管维护"
        )
    return topic_id, transfer.id


async def test_the_receiver_answers_and_the_author_hears_and_rates(
    db: Database, world: World
) -> None:
    topic_id, transfer_id = await transferred(db, world, "enforcement")
    topic = await story.topic(db, topic_id)
    assert (topic.state, topic.was_public) == (State.TRANSFERRED, True)
    async with db.begin(world.as_(*ENFORCER)) as tx:
        await routing.receive_transfer(tx, transfer_id, ticket="QX-2026-0312")
    async with db.begin(world.as_(*ENFORCER)) as tx:
        await routing.handle_transfer(tx, transfer_id)
        await routing.answer_transfer(tx, transfer_id, answer="已更换灯具")
    assert DocumentKind.TRANSFER_ANSWER not in await story.public_kinds(db, topic_id)
    with pytest.raises(transfers.TransferStepNotAllowed):  # nothing to rate yet
        async with db.begin(world.as_("resident1")) as tx:
            await routing.rate_transfer(tx, transfer_id, rating=5)

    async with db.begin(world.as_(*CLERK)) as tx:
        await routing.relay_to_author(tx, transfer_id)
    with pytest.raises(rules.NotTheAuthor):
        async with db.begin(world.as_("resident2")) as tx:
            await routing.rate_transfer(tx, transfer_id, rating=1)
    async with db.begin(world.as_("resident1")) as tx:
        transfer = await routing.rate_transfer(tx, transfer_id, rating=4)

    assert (transfer.state, transfer.rating, transfer.ticket) == (
        TransferState.RATED,
        4,
        "QX-2026-0312",
    )
    assert await story.public_kinds(db, topic_id) == {DocumentKind.TRANSFER_ANSWER}
    assert await story.told(db, world.id("resident1")) == ["topic_transferred", "transfer_answered"]
    assert [
        entry.data["state"]
        for entry in await story.journal(db, topic_id)
        if entry.type == "transfer.changed"
    ] == ["sent", "received", "handling", "answered", "relayed_to_author", "rated"]


async def test_only_the_receiver_deals_with_a_transfer(db: Database, world: World) -> None:
    _, transfer_id = await transferred(db, world, "enforcement")

    for actor in (world.as_(*OFFICIAL), world.as_(*CLERK)):
        with pytest.raises(transfers.NotTheReceiver):
            async with db.begin(actor) as tx:
                await routing.answer_transfer(tx, transfer_id, answer="不是我答的")
    with pytest.raises(NotPermitted):
        async with db.begin(world.as_("resident1")) as tx:
            await routing.answer_transfer(tx, transfer_id, answer="我自己答")


async def test_the_clerk_enters_the_answer_of_a_body_that_has_nobody_here(
    db: Database, world: World
) -> None:
    _, transfer_id = await transferred(db, world, "hotline")
    async with db.begin(world.as_(*CLERK)) as tx:
        transfer = await routing.answer_transfer(
            tx, transfer_id, answer="12345 工单已办结", ticket="12345-88"
        )
    assert (transfer.state, transfer.answered_by_id) == (TransferState.ANSWERED, world.id("clerk"))


async def test_what_the_receiver_gives_back_is_taken_back_or_sent_elsewhere(
    db: Database, world: World
) -> None:
    topic_id, transfer_id = await transferred(db, world, "enforcement")
    with pytest.raises(GateNotMet) as refusal:  # not before the receiver has said something
        async with db.begin(world.as_(*SECRETARY)) as tx:
            await routing.take_back_topic(tx, topic_id, OWN_MATTER, reason="自办", note=NOTE)
    assert refusal.value.facts["gate"] == "transfer_settled"
    with pytest.raises(GateNotMet):
        async with db.begin(world.as_(*SECRETARY)) as tx:
            await routing.transfer_topic(
                tx, topic_id, receiver_org_id=world.orgs["hotline"].id, reason="转热线"
            )
    async with db.begin(world.as_(*ENFORCER)) as tx:
        await routing.give_back_transfer(tx, transfer_id, reason="不属本局职责")

    async with db.begin(world.as_(*SECRETARY)) as tx:
        second = await routing.transfer_topic(
            tx, topic_id, receiver_org_id=world.orgs["subdistrict_office"].id, reason="改派街道"
        )
    async with db.begin(world.as_(*OFFICIAL)) as tx:
        await routing.answer_transfer(tx, second.id, answer="社区可以自行协商")
    async with db.begin(world.as_(*SECRETARY)) as tx:
        await routing.take_back_topic(tx, topic_id, OWN_MATTER, reason="可以由社区自办", note=NOTE)

    topic = await story.topic(db, topic_id)
    assert (topic.state, topic.convener_org_id) == (State.ACCEPTED, world.orgs["party_org"].id)
    assert DocumentKind.PROPOSAL in await story.public_kinds(db, topic_id)
    assert [step.rule for step in await story.steps(db, topic_id)] == ["T1", "T6", "T6", "T6a"]


@pytest.mark.parametrize("org", ["property_company", "party_org"])
async def test_a_matter_goes_to_a_competent_body(db: Database, world: World, org: str) -> None:
    topic_id = await story.submitted(db, world)
    with pytest.raises(transfers.ReceiverUnsuitable):
        async with db.begin(world.as_(*SECRETARY)) as tx:
            await routing.transfer_topic(
                tx, topic_id, receiver_org_id=world.orgs[org].id, reason="转办"
            )


async def test_the_public_reads_a_summary_of_what_was_only_transferred(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic_id, _ = await transferred(db, world, "enforcement")

    async def in_full(name: str | None, role: Role | None = None) -> bool:
        actor = world.as_(name, role) if name else world.as_("visitor")
        async with db.read(actor) as tx:
            return (await detail.topic_detail(tx, topic_id)).in_full

    assert not await in_full(None)
    assert not await in_full("resident2")
    assert await in_full("resident1")
    assert await in_full(*CLERK)
    assert await in_full(*ENFORCER)
    assert not await in_full(*OFFICIAL)
    async with db.read(world.as_(*ENFORCER)) as tx:
        inbox = await duties.received_transfers(tx, pending=True, after=None, limit=10)
    assert [topic.id for _, topic in inbox] == [topic_id]
    clock.advance(days=1)
    async with db.read(world.as_(*OFFICIAL)) as tx:
        assert await duties.received_transfers(tx, pending=True, after=None, limit=10) == []


async def test_a_rejection_after_a_transfer_needs_screening_first(
    db: Database, world: World
) -> None:
    topic_id, _ = await transferred(db, world, "enforcement")
    with pytest.raises(rules.TransitionNotAllowed):
        async with db.begin(world.as_(*CLERK)) as tx:
            await screening.propose_rejection(
                tx,
                topic_id,
                reason_code=screening.RejectionReason.OUTSIDE_SCOPE,
                reason="不属于协商范围",
            )
