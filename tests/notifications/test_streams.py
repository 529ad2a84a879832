"""Who may follow which stream: the same people who may see the thing itself."""

from datetime import timedelta
from uuid import UUID, uuid4

from sqlmodel import col, update

from consultation.community.tables import RoleAssignment
from consultation.database import Database
from consultation.events.streams import community_stream, poll_stream, topic_stream, user_stream
from consultation.permissions import NOBODY, Actor, Deed, Role
from consultation.polls.presets import BallotMode
from consultation.polls.queries import access_poll
from consultation.polls.rules import PollState
from consultation.polls.tables import Poll
from consultation.refusals import NotFound
from consultation.topics.queries import access_topic
from consultation.topics.states import RejectionReason, State
from consultation.topics.tables import CoSignature, Rejection, Topic
from notifications.streams import in_sight, in_sight_of
from tests.conftest import ManualClock
from tests.consultation.polls.counting_cases import preset
from tests.world import World, a_topic


async def a_poll(db: Database, world: World, topic: Topic, state: PollState) -> Poll:
    async with db.begin() as tx:
        poll = Poll(
            id=uuid4(),
            community_id=topic.community_id,
            topic_id=topic.id,
            round=topic.round,
            scope_node_id=topic.node_id,
            scope_name="3幢2单元",
            mode=BallotMode.NAMED,
            question="是否同意?",
            items=[],
            preset=preset("open_poll"),
            state=state,
            drafted_by_id=world.id("clerk"),
            opens_at=tx.now,
            closes_at=tx.now + timedelta(days=5),
            drafted_at=tx.now,
        )
        tx.session.add(poll)
    return poll


ACTORS: dict[str, tuple[str, Role | None] | None] = {
    "nobody": None,
    "author": ("resident2", None),
    "co-signer": ("resident3", None),
    "resident": ("resident1", None),
    "clerk": ("clerk", Role.CLERK),
    "clerk as a person": ("clerk", None),
    "grid worker": ("grid_worker", Role.GRID_WORKER),
    "neighbour": ("neighbour", None),
    "subdistrict": ("official", Role.GOVERNMENT),
    "another body": ("enforcer", Role.GOVERNMENT),
}


async def test_a_stream_is_followed_by_those_who_may_see_the_thing(
    db: Database, world: World
) -> None:
    """Asked for all at once, and by all at once, the answer is that of ``access_topic`` and
    ``access_poll``."""
    topics = [
        await a_topic(db, world, author="resident2", state=State.DRAFT),
        await a_topic(db, world, author="resident2"),
        await a_topic(db, world, author="resident2", open_to_cosign=True),
        await a_topic(db, world, author="resident2", state=State.DELIBERATING),
        await a_topic(db, world, author="resident2", state=State.RETURNED),
        await a_topic(db, world, author="resident2", state=State.REJECTED),
    ]
    polls = [
        await a_poll(db, world, topics[3], PollState.DRAFT),
        await a_poll(db, world, topics[1], PollState.ANNOUNCED),
        await a_poll(db, world, await a_topic(db, world, state=State.VOTING), PollState.ANNOUNCED),
    ]
    async with db.begin() as tx:
        tx.session.add(
            CoSignature(
                topic_id=topics[4].id,
                person_id=world.id("resident3"),
                community_id=world.community.id,
                at=tx.now,
            )
        )
        tx.session.add(
            Rejection(
                id=uuid4(),
                community_id=world.community.id,
                topic_id=topics[5].id,
                reason_code=RejectionReason.NOT_PUBLIC,
                reason="不属于公共事务",
                proposed_by_id=world.id("clerk"),
                proposed_at=tx.now,
                appealed_at=tx.now,
            )
        )
    asked = [
        *(topic_stream(topic.id) for topic in topics),
        *(poll_stream(poll.id) for poll in polls),
        *(topic_stream(uuid4()), poll_stream(uuid4()), community_stream(uuid4()), "topic:x"),
    ]

    actors = {who: NOBODY if place is None else world.as_(*place) for who, place in ACTORS.items()}
    async with db.read() as tx:
        together = await in_sight_of(tx, dict.fromkeys(actors.values(), asked))
    for who, actor in actors.items():
        async with db.read(actor) as tx:
            seen = await in_sight(tx, asked)
        assert together[actor] == seen, who

        expected = {topic_stream(t.id) for t in topics if await _opens(db, actor, topic_id=t.id)}
        expected |= {poll_stream(p.id) for p in polls if await _opens(db, actor, poll_id=p.id)}
        assert seen == expected, who
        assert {topic_stream(topics[3].id), poll_stream(polls[2].id)} <= seen
        assert (topic_stream(topics[0].id) in seen) is (who == "author")
        assert (poll_stream(polls[0].id) in seen) is (who == "clerk")
        assert (topic_stream(topics[4].id) in seen) is (who in {"author", "co-signer", "clerk"})
        assert (topic_stream(topics[5].id) in seen) is (who in {"author", "clerk", "subdistrict"})


async def test_of_many_who_ask_those_without_their_role_get_no_answer(
    db: Database, world: World, clock: ManualClock
) -> None:
    """Where one is asked alone, that is RoleNotHeld."""
    clerk, host = world.as_("clerk", Role.CLERK), world.as_("deputy", Role.HOST)
    borrowed = Actor(world.id("resident1"), clerk.assignment_id)
    unknown = Actor(world.id("clerk"), uuid4())
    async with db.begin() as tx:
        await tx.session.exec(
            update(RoleAssignment)
            .where(col(RoleAssignment.id) == host.assignment_id)
            .values(valid_to=tx.now + timedelta(days=1))
        )
    stream = community_stream(world.community.id)
    asked = {actor: [stream] for actor in (clerk, host, borrowed, unknown)}
    async with db.read() as tx:
        assert await in_sight_of(tx, asked) == {clerk: {stream}, host: {stream}}
    clock.advance(days=1)
    async with db.read() as tx:
        assert await in_sight_of(tx, asked) == {clerk: {stream}}


async def _opens(
    db: Database, actor: Actor, *, topic_id: UUID | None = None, poll_id: UUID | None = None
) -> bool:
    try:
        async with db.read(actor) as tx:
            if topic_id is not None:
                await access_topic(tx, topic_id, Deed.READ_PUBLIC)
            if poll_id is not None:
                await access_poll(tx, poll_id, Deed.READ_PUBLIC)
    except NotFound:
        return False
    return True


async def test_communities_are_public_and_people_are_not(db: Database, world: World) -> None:
    streams = {
        "village or community": community_stream(world.community.id),
        "no community": community_stream(world.nodes["estate"].id),
        "oneself": user_stream(world.id("resident1")),
        "somebody else": user_stream(world.id("resident2")),
        "another spelling": community_stream(world.community.id).upper().lower().replace("-", ""),
    }
    async with db.read(world.as_("resident1")) as tx:
        mine = await in_sight(tx, list(streams.values()))
    async with db.read() as tx:
        nobodys = await in_sight(tx, list(streams.values()))

    assert mine == {streams["village or community"], streams["oneself"]}
    assert nobodys == {streams["village or community"]}
