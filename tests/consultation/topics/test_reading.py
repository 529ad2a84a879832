"""What readers get: lists by key, one topic, its timeline, what waits for whom; at a cost that
does not grow."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from consultation.community.rules import RoleNotHeld
from consultation.database import Database, Transaction, statements
from consultation.permissions import NOBODY, Actor, Role
from consultation.refusals import NotFound, NotPermitted
from consultation.topics import detail, dossier, duties, reading
from consultation.topics.commands import cosigning, preparing, routing, screening
from consultation.topics.reading import Filter, Relation
from consultation.topics.states import Category, Layer, RejectionReason, State, StateGroup, Track
from tests.conftest import ManualClock
from tests.consultation.topics import story
from tests.consultation.topics.story import CLERK, ENFORCER, OFFICIAL, SECRETARY, SUPERVISOR
from tests.world import World, a_topic


@asynccontextmanager
async def at_most(count: int) -> AsyncGenerator[None]:
    counter = [0]
    token = statements.set(counter)
    try:
        yield
    finally:
        statements.reset(token)
    assert counter[0] <= count


async def titles(
    db: Database, world: World, actor: Actor, wanted: Filter | None = None
) -> list[str]:
    async with db.read(actor) as tx:
        board = await reading.list_topics(
            tx, world.community.id, wanted=wanted or Filter(), after=None, limit=50
        )
    return [card.topic.title for card in board.cards]


async def test_each_reader_gets_the_topics_that_are_theirs_to_see(
    db: Database, world: World, clock: ManualClock
) -> None:
    for title, state, more in (
        ("草稿", State.DRAFT, {}),
        ("待审", State.SUBMITTED, {}),
        ("征集附议", State.SUBMITTED, {"open_to_cosign": True}),
        ("协商中", State.DELIBERATING, {}),
        ("撤回", State.WITHDRAWN, {"was_public": False}),
    ):
        clock.advance(minutes=1)
        await a_topic(db, world, state=state, title=title, **more)

    assert await titles(db, world, NOBODY) == ["协商中"]
    assert await titles(db, world, world.as_("neighbour")) == ["协商中"]
    assert await titles(db, world, world.as_("resident2")) == ["协商中", "征集附议"]
    assert await titles(db, world, world.as_(*CLERK)) == ["撤回", "协商中", "征集附议", "待审"]
    with pytest.raises(NotFound):
        async with db.read() as tx:
            await reading.list_topics(
                tx, world.nodes["estate"].id, wanted=Filter(), after=None, limit=5
            )


async def test_the_list_is_filtered_by_what_screening_decided(db: Database, world: World) -> None:
    await a_topic(db, world, state=State.VOTING, title="业主", layer=Layer.OWNERS)
    await a_topic(db, world, state=State.CLOSED, title="委托", track=Track.COMMISSIONED)
    late = await a_topic(db, world, state=State.ACCEPTED, title="超期")
    await story.force(db, late.id, State.ACCEPTED, overdue_since=late.created_at)

    for wanted, found in (
        (Filter(group=StateGroup.DECIDING), ["业主"]),
        (Filter(layer=Layer.OWNERS), ["业主"]),
        (Filter(track=Track.COMMISSIONED), ["委托"]),
        (Filter(overdue=True), ["超期"]),
        (Filter(group=StateGroup.CLOSED, overdue=False), ["委托"]),
        (Filter(category=Category.PUBLIC_INTEREST_DECISION), []),
    ):
        assert await titles(db, world, NOBODY, wanted) == found


async def test_pages_follow_each_other_without_gap_or_repeat(db: Database, world: World) -> None:
    made = [(await a_topic(db, world, state=State.ACCEPTED)).id for _ in range(7)]

    seen: list[UUID] = []
    after = None
    while True:
        async with db.read() as tx:
            board = await reading.list_topics(
                tx, world.community.id, wanted=Filter(), after=after, limit=3
            )
        cards = board.cards
        seen += [card.topic.id for card in cards[:3]]
        if len(cards) <= 3:
            break
        after = (cards[2].topic.created_at, cards[2].topic.id)
    assert sorted(seen) == sorted(made)
    assert len(seen) == len(set(seen))


async def test_my_topics_are_those_i_raised_co_signed_or_follow(db: Database, world: World) -> None:
    own = await a_topic(db, world, author="resident2")
    other = await a_topic(db, world, state=State.ACCEPTED)
    async with db.begin(world.as_("resident2")) as tx:
        await cosigning.cosign_topic(tx, other.id)
        await cosigning.follow_topic(tx, other.id)

    async def mine(relation: Relation) -> list[UUID]:
        async with at_most(1), db.read(world.as_("resident2")) as tx:
            cards = await reading.my_topics(tx, relation=relation, after=None, limit=9)
        return [card.topic.id for card in cards]

    assert await mine(Relation.RAISED) == [own.id]
    assert await mine(Relation.COSIGNED) == [other.id]
    assert await mine(Relation.FOLLOWED) == [other.id]


async def test_no_read_costs_more_for_a_longer_life(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic_id = await story.announced(db, world)
    clock.advance(days=6)
    await story.run_due(db)

    async def cost(read: Callable[[Transaction], Awaitable[object]], most: int) -> None:
        for actor in (NOBODY, world.as_("resident1"), world.as_(*CLERK)):
            async with at_most(most), db.read(actor) as tx:
                await read(tx)

    await cost(lambda tx: detail.topic_detail(tx, topic_id), 2)
    await cost(lambda tx: dossier.timeline(tx, topic_id, after=None, limit=50), 4)
    await cost(lambda tx: dossier.list_documents(tx, topic_id, after=None, limit=50), 3)
    await cost(lambda tx: dossier.topic_plan(tx, topic_id, round=None), 4)
    await cost(
        lambda tx: reading.list_topics(
            tx, world.community.id, wanted=Filter(), after=None, limit=20
        ),
        2,
    )


async def test_the_timeline_tells_every_step_and_keeps_the_authors_reasons(
    db: Database, world: World
) -> None:
    topic_id = await story.submitted(db, world)
    async with db.begin(world.as_(*CLERK)) as tx:
        await screening.return_topic(tx, topic_id, reason="请写明受影响的人")
    await story.force(db, topic_id, State.ACCEPTED, was_public=True)

    async def entries(actor: Actor) -> list[dossier.Entry]:
        async with db.read(actor) as tx:
            return await dossier.timeline(tx, topic_id, after=None, limit=50)

    public, own = await entries(NOBODY), await entries(world.as_("resident1"))
    assert [entry.step.rule for entry in public] == ["T1", "T2"]
    assert [(entry.open, len(entry.documents)) for entry in public] == [(False, 0), (False, 0)]
    assert [(entry.open, len(entry.documents)) for entry in own] == [(True, 1), (True, 1)]
    assert [(entry.actor, entry.org) for entry in own] == [
        ("居*", None),
        ("陶*", "梧桐里社区居民委员会"),
    ]


async def test_each_role_finds_what_waits_for_it_and_nothing_else(
    db: Database, world: World, clock: ManualClock
) -> None:
    async def waiting(name: str, role: Role) -> list[UUID]:
        async with at_most(2), db.read(world.as_(name, role)) as tx:
            found = await duties.worklist(tx, after=None, limit=20)
        return [duty.card.topic.id for duty in found]

    appealed = await story.rejected(db, world)
    async with db.begin(world.as_("resident1")) as tx:
        await screening.appeal_rejection(tx, appealed, reason="全楼都受影响")
    submitted = await story.submitted(db, world, by="resident2")
    async with db.begin(world.as_(*CLERK)) as tx:
        await screening.propose_rejection(
            tx, submitted, reason_code=RejectionReason.NOT_PUBLIC, reason="私事"
        )
    accepted = await story.accepted(db, world, by="resident3")
    commissioned = await a_topic(db, world, state=State.ADOPTION_PENDING, track=Track.COMMISSIONED)
    await story.force(
        db,
        commissioned.id,
        State.ADOPTION_PENDING,
        due_at=clock.now,
        commissioning_org_id=world.orgs["subdistrict_office"].id,
    )
    await a_topic(db, world, state=State.CLOSED)

    assert await waiting(*CLERK) == [submitted, accepted]
    assert await waiting(*SECRETARY) == [submitted, accepted]
    assert await waiting(*SUPERVISOR) == [appealed]
    assert await waiting(*OFFICIAL) == [commissioned.id, appealed]
    assert await waiting(*ENFORCER) == []
    async with db.read(world.as_(*SECRETARY)) as tx:
        (first, _) = await duties.worklist(tx, after=None, limit=20)
    assert first.rejection_proposed
    with pytest.raises(NotPermitted):
        async with db.read(world.as_("resident1")) as tx:
            await duties.worklist(tx, after=None, limit=20)
    stolen = world.assignments[SECRETARY].id
    with pytest.raises(RoleNotHeld):
        async with db.read(Actor(world.id("resident1"), stolen)) as tx:
            await duties.worklist(tx, after=None, limit=20)


async def test_an_office_reads_its_transfers_by_the_day_they_are_due(
    db: Database, world: World, clock: ManualClock
) -> None:
    sent: list[UUID] = []
    for name in ("resident1", "resident2", "resident3"):
        topic_id = await story.submitted(db, world, by=name)
        async with db.begin(world.as_(*SECRETARY)) as tx:
            await routing.transfer_topic(
                tx, topic_id, receiver_org_id=world.orgs["enforcement"].id, reason="属城管职责"
            )
        sent.append(topic_id)
        clock.advance(days=1)

    async with db.read(world.as_(*ENFORCER)) as tx:
        first = await duties.received_transfers(tx, pending=True, after=None, limit=2)
        last = first[1][0]
        assert last.due_at is not None
        rest = await duties.received_transfers(
            tx, pending=True, after=(last.due_at, last.id), limit=2
        )
    assert [topic.id for _, topic in [*first[:2], *rest]] == sent
    async with db.begin(world.as_(*ENFORCER)) as tx:
        await routing.answer_transfer(tx, last.id, answer="已处理")
    async with at_most(2), db.read(world.as_(*ENFORCER)) as tx:
        done = await duties.received_transfers(tx, pending=False, after=None, limit=9)
    assert [transfer.id for transfer, _ in done] == [last.id]
    async with db.read(world.as_(*SUPERVISOR)) as tx:
        assert await duties.received_transfers(tx, pending=True, after=None, limit=9) == []


async def test_writing_costs_a_bounded_number_of_statements(db: Database, world: World) -> None:
    topic_id = await story.planned(db, world)
    async with at_most(20), db.begin(world.as_(*CLERK)) as tx:
        await preparing.save_plan(tx, topic_id, story.TALK)
    async with at_most(25):
        await story.announce_it(db, world, topic_id)
