"""Taking a topic back, and taking it over."""

import pytest

from consultation.database import Database
from consultation.topics import rules
from consultation.topics.commands import cosigning, withdrawing
from consultation.topics.gates.gate import GateNotMet
from consultation.topics.states import State
from consultation.topics.steps import TransitionNotAllowed
from tests.conftest import ManualClock
from tests.consultation.topics import story
from tests.consultation.topics.story import SECRETARY
from tests.world import World, a_topic


@pytest.mark.parametrize("state", [State.DRAFT, State.SUBMITTED, State.RETURNED])
async def test_before_acceptance_the_author_withdraws_freely(
    db: Database, world: World, state: State
) -> None:
    topic = await a_topic(db, world, state=state)
    async with db.begin(world.as_("resident1")) as tx:
        await withdrawing.withdraw_topic(tx, topic.id, reason="问题已经解决")
    assert await story.state(db, topic.id) is State.WITHDRAWN


async def test_after_acceptance_a_co_signer_may_take_the_topic_over(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic = await a_topic(db, world, state=State.ACCEPTED)
    async with db.begin(world.as_("resident2")) as tx:
        await cosigning.cosign_topic(tx, topic.id)
    with pytest.raises(TransitionNotAllowed):
        async with db.begin(world.as_("resident1")) as tx:
            await withdrawing.withdraw_topic(tx, topic.id)
    async with db.begin(world.as_("resident1")) as tx:
        await withdrawing.ask_withdrawal(tx, topic.id)
    with pytest.raises(rules.WithdrawalAlreadyAsked):
        async with db.begin(world.as_("resident1")) as tx:
            await withdrawing.ask_withdrawal(tx, topic.id)
    with pytest.raises(rules.TakeOverNotPossible):  # not a co-signer
        async with db.begin(world.as_("resident3")) as tx:
            await withdrawing.take_over_topic(tx, topic.id)
    with pytest.raises(GateNotMet):  # the five days run
        async with db.begin(world.as_(*SECRETARY)) as tx:
            await withdrawing.agree_withdrawal(tx, topic.id)

    clock.advance(days=5)
    async with db.begin(world.as_("resident2")) as tx:
        await withdrawing.take_over_topic(tx, topic.id)

    after = await story.topic(db, topic.id)
    assert (after.author_id, after.co_signers, after.withdrawal_asked_at, after.state) == (
        world.id("resident2"),
        0,
        None,
        State.ACCEPTED,
    )
    assert await story.told(db, world.id("resident2")) == ["withdrawal_asked"]
    assert await story.told(db, world.id("resident1")) == ["topic_taken_over"]


async def test_when_nobody_takes_it_over_the_convener_agrees(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    async with db.begin(world.as_("resident2")) as tx:
        await cosigning.cosign_topic(tx, topic.id)
    async with db.begin(world.as_("resident1")) as tx:
        await withdrawing.ask_withdrawal(tx, topic.id)

    clock.advance(days=6)  # to midnight after the fifth day and beyond
    with pytest.raises(rules.TakeOverNotPossible):
        async with db.begin(world.as_("resident2")) as tx:
            await withdrawing.take_over_topic(tx, topic.id)
    async with db.begin(world.as_(*SECRETARY)) as tx:
        await withdrawing.agree_withdrawal(tx, topic.id)

    after = await story.topic(db, topic.id)
    assert (after.state, after.was_public) == (State.WITHDRAWN, True)
    assert await story.told(db, world.id("resident2")) == ["withdrawal_asked", "topic_withdrawn"]


async def test_only_the_author_withdraws(db: Database, world: World) -> None:
    topic = await a_topic(db, world, state=State.SUBMITTED, open_to_cosign=True)

    with pytest.raises(rules.NotTheAuthor):
        async with db.begin(world.as_("resident2")) as tx:
            await withdrawing.withdraw_topic(tx, topic.id)
