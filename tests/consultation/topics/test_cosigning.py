"""Co-signing and following a topic of somebody else."""

from uuid import uuid4

import pytest

from consultation.community.tables import Residence, ResidenceKind
from consultation.database import Database
from consultation.refusals import NotFound, NotPermitted
from consultation.topics import rules
from consultation.topics.commands import cosigning
from consultation.topics.states import State
from tests.consultation.topics import story
from tests.consultation.topics.story import LIFT, SECRETARY
from tests.world import LONG_AGO, World, a_topic


async def test_a_co_signature_counts_once_and_can_be_taken_back(db: Database, world: World) -> None:
    open_lift = LIFT.model_copy(update={"open_to_cosign": True})
    topic_id = await story.submitted(db, world, proposal=open_lift)
    for name in ("resident2", "resident3", "resident2"):
        async with db.begin(world.as_(name)) as tx:
            await cosigning.cosign_topic(tx, topic_id)
    assert (await story.topic(db, topic_id)).co_signers == 2

    for _ in range(2):
        async with db.begin(world.as_("resident2")) as tx:
            await cosigning.undo_cosign(tx, topic_id)
    assert (await story.topic(db, topic_id)).co_signers == 1
    counts = [e.data["co_signers"] for e in await story.journal(db, topic_id) if "cosig" in e.type]
    assert counts == [1, 2, 1]


async def test_neighbours_see_a_submitted_topic_only_if_its_author_opens_it(
    db: Database, world: World
) -> None:
    topic_id = await story.submitted(db, world)

    with pytest.raises(NotFound):
        async with db.begin(world.as_("resident2")) as tx:
            await cosigning.cosign_topic(tx, topic_id)


async def test_the_author_and_strangers_do_not_co_sign(db: Database, world: World) -> None:
    topic = await a_topic(db, world, state=State.ACCEPTED)

    with pytest.raises(rules.OwnTopic):
        async with db.begin(world.as_("resident1")) as tx:
            await cosigning.cosign_topic(tx, topic.id)
    for actor in (world.as_("neighbour"), world.as_(*SECRETARY)):
        with pytest.raises(NotPermitted):
            async with db.begin(actor) as tx:
                await cosigning.cosign_topic(tx, topic.id)


@pytest.mark.parametrize("state", [State.VOTING, State.CLOSED, State.TRANSFERRED])
async def test_co_signing_ends_with_the_vote(db: Database, world: World, state: State) -> None:
    topic = await a_topic(db, world, state=state)

    for command in (cosigning.cosign_topic, cosigning.undo_cosign):
        with pytest.raises(rules.CosignClosed):
            async with db.begin(world.as_("resident2")) as tx:
                await command(tx, topic.id)


async def test_a_stakeholder_co_signs_where_the_stake_lies(db: Database, world: World) -> None:
    async with db.begin() as tx:
        tx.session.add(
            Residence(
                id=uuid4(),
                person_id=world.id("visitor"),
                community_id=world.community.id,
                unit_id=world.units[0].id,
                kind=ResidenceKind.ABSENT_OWNER,
                level=2,
                created_at=LONG_AGO,
            )
        )
    own = await a_topic(db, world, state=State.ACCEPTED)
    grid = world.nodes["grid2"]
    elsewhere = await a_topic(db, world, state=State.ACCEPTED, node_id=grid.id, node_path=grid.path)

    async with db.begin(world.as_("visitor")) as tx:
        await cosigning.cosign_topic(tx, own.id)
    with pytest.raises(rules.ScopeTooFar):
        async with db.begin(world.as_("visitor")) as tx:
            await cosigning.cosign_topic(tx, elsewhere.id)


async def test_following_is_for_those_who_belong_here(db: Database, world: World) -> None:
    topic = await a_topic(db, world, state=State.ACCEPTED)

    for _ in range(2):
        async with db.begin(world.as_("resident2")) as tx:
            await cosigning.follow_topic(tx, topic.id)
    async with db.begin(world.as_("resident2")) as tx:
        await cosigning.unfollow_topic(tx, topic.id)
    with pytest.raises(NotPermitted):
        async with db.begin(world.as_("neighbour")) as tx:
            await cosigning.follow_topic(tx, topic.id)
