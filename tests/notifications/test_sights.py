"""What a look at who may follow what costs, however many are looked for."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event
from sqlmodel import select

from consultation.community.rules import RoleNotHeld
from consultation.community.tables import Person, Residence
from consultation.database import Database
from consultation.events.streams import topic_stream
from consultation.permissions import Actor, Role
from consultation.topics.states import State
from notifications.hub import Hub
from notifications.log_reader import LogReader
from notifications.messages import Cursor
from notifications.relay import Relay
from notifications.replay import Bounds
from notifications.sights import Sights
from tests.world import World, a_topic


async def neighbours(db: Database, world: World, count: int) -> list[UUID]:
    """So many more verified residents."""
    people = [uuid4() for _ in range(count)]
    async with db.begin() as tx:
        mine = Residence.person_id == world.id("resident1")
        home = (await tx.session.exec(select(Residence).where(mine))).one()
        tx.session.add_all(Person(id=id, created_at=tx.now) for id in people)
        await tx.session.flush()
        tx.session.add_all(
            Residence(**{**home.model_dump(), "id": uuid4(), "person_id": id}) for id in people
        )
    return people


async def for_neighbours(db: Database, world: World) -> str:
    """The stream of a topic that gathers co-signers: verified residents see it, others not."""
    topic = await a_topic(db, world, state=State.SUBMITTED, author="resident2", open_to_cosign=True)
    return topic_stream(topic.id)


@contextmanager
def counting(db: Database) -> Generator[list[str]]:
    """Every statement to the database, whoever gives it."""
    said: list[str] = []

    def hear(_: Any, __: Any, statement: str, *___: Any) -> None:
        said.append(statement)

    engines = {db.writer.sync_engine, db.reader.sync_engine}
    for engine in engines:
        event.listen(engine, "before_cursor_execute", hear)
    yield said
    for engine in engines:
        event.remove(engine, "before_cursor_execute", hear)


@pytest.fixture
async def sights(db: Database) -> Sights:
    hub = Hub()
    await Relay(db, hub).drain()
    return Sights(db, hub, LogReader(db, hub, Bounds()))


async def test_a_thousand_who_follow_what_is_hidden_cost_as_many_statements_as_five_hundred_twice(
    db: Database, world: World, sights: Sights
) -> None:
    stream = await for_neighbours(db, world)
    people = await neighbours(db, world, 998)
    author, stranger = world.id("resident2"), world.id("neighbour")
    actors = [Actor(author), Actor(stranger), *map(Actor, people)]

    async def cost(count: int) -> int:
        with counting(db) as said:
            seen = await sights.look({actor: {stream} for actor in actors[:count]})
        assert seen == {actor: {stream} for actor in actors[:count]} | {Actor(stranger): set()}
        return len(said)

    few, many = await cost(10), await cost(1000)
    assert few <= 8
    assert many <= 2 * few


async def test_many_who_come_at_once_to_what_is_hidden_are_looked_for_together(
    db: Database, world: World, sights: Sights
) -> None:
    stream = await for_neighbours(db, world)
    people = await neighbours(db, world, 200)
    clerk = world.as_("clerk", Role.CLERK)
    borrowed = Actor(people[0], clerk.assignment_id)
    actors = [*map(Actor, people), clerk, Actor(world.id("neighbour")), borrowed]
    with counting(db) as said:
        answers = await asyncio.gather(
            *(sights.admit(actor, [Cursor(id=stream)]) for actor in actors), return_exceptions=True
        )
    assert answers[:201] == [{stream}] * 201
    assert answers[201] == set()
    assert isinstance(answers[202], RoleNotHeld)
    assert len(said) <= 20
