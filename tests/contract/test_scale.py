"""Reading costs the same number of SQL statements with a handful of rows and with two hundred."""

from uuid import UUID, uuid4

import httpx
import pytest

from api import contract
from api.openapi import operations
from consultation.community.tables import Person, Residence, ResidenceKind
from consultation.database import Database
from consultation.deliberation.rules import Stance, StatementState
from consultation.deliberation.tables import Post, PostVersion, Statement
from consultation.permissions import Role
from consultation.polls.rules import BallotChannel
from consultation.polls.tables import Ballot, RollEntry
from consultation.topics.states import State
from tests import measuring
from tests.contract.bodies import smallest
from tests.contract.seeded import Seed, seed
from tests.world import World, a_topic

FEW, MANY = 5, 200


async def grow(db: Database, made: Seed, rows: int, *, first: int) -> None:
    """More people, posts, statements, ballots and topics, ``rows`` of each."""
    world, topic = made.world, made.topic
    ids = {name: made.addresses[name] for name in ("thread_id", "poll_id")}
    async with db.begin() as tx:
        for number in range(first, first + rows):
            person, post, entry = uuid4(), uuid4(), uuid4()
            at = {"community_id": topic.community_id}
            on = at | {"topic_id": topic.id}
            tx.session.add(Person(id=person, masked_name="王*", created_at=tx.now))
            await tx.session.flush()
            tx.session.add_all(
                [
                    Residence(
                        id=uuid4(),
                        person_id=person,
                        kind=ResidenceKind.TENANT,
                        level=2,
                        created_at=tx.now,
                        **at,
                    ),
                    Post(
                        id=post,
                        thread_id=UUID(ids["thread_id"]),
                        author_id=person,
                        author_role=Role.RESIDENT,
                        display_name="3幢 王*",
                        stance=Stance.FOR,
                        body="同意",
                        created_at=tx.now,
                        **on,
                    ),
                    Statement(
                        id=uuid4(),
                        number=number,
                        author_id=person,
                        text="应当加装",
                        state=StatementState.ACCEPTED,
                        created_at=tx.now,
                        **on,
                    ),
                    RollEntry(
                        id=entry,
                        poll_id=UUID(ids["poll_id"]),
                        number=number,
                        person_id=person,
                        label="3幢 王*",
                        units=[],
                        **at,
                    ),
                ]
            )
            await tx.session.flush()
            tx.session.add_all(
                [
                    PostVersion(
                        post_id=post, version=1, stance=Stance.FOR, body="同意", at=tx.now, **at
                    ),
                    Ballot(
                        poll_id=UUID(ids["poll_id"]),
                        roll_entry_id=entry,
                        choices={"1": ["for"]},
                        channel=BallotChannel.ELECTRONIC,
                        salt=entry.bytes,
                        leaf_hash=entry.bytes * 2,
                        cast_at=tx.now,
                        **at,
                    ),
                ]
            )
    for _ in range(rows):
        await a_topic(db, world, state=State.DELIBERATING)


async def cost_of_reading(client: httpx.AsyncClient, made: Seed) -> dict[str, int]:
    document = contract.openapi()
    measuring.statements.clear()
    for method, path, operation in operations(document):
        if method != "get":
            continue
        query = {
            parameter["name"]: smallest(parameter["schema"], document)
            for parameter in operation.get("parameters", ())
            if parameter.get("in") == "query" and parameter["required"]
        }
        for who, role in (("clerk", Role.CLERK), ("resident1", None)):
            await client.get(
                path.format_map(made.addresses), params=query, headers=made.world.headers(who, role)
            )
    return dict(measuring.statements)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_reading_costs_the_same_with_five_rows_and_with_two_hundred(
    client: httpx.AsyncClient, world: World, db: Database
) -> None:
    made = await seed(db, world)
    kept = dict(measuring.statements)
    await grow(db, made, FEW, first=10)
    few = await cost_of_reading(client, made)

    await grow(db, made, MANY - FEW, first=10 + FEW)

    many = await cost_of_reading(client, made)
    measuring.merge(kept)
    assert {
        name: (few.get(name), cost) for name, cost in many.items() if few.get(name) != cost
    } == {}
    assert len(many) >= 40
