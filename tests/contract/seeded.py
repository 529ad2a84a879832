"""A world in which every address of the contract leads somewhere, with marked secrets in it.

``Seed.secrets`` are texts that strangers must never read. ``Seed.addresses`` has a value for every
path parameter; ``Seed.hidden`` has the address of a topic that is not public.
"""

from dataclasses import dataclass, field
from uuid import uuid4

from consultation.community.tables import RoleAssignment
from consultation.database import Database
from consultation.permissions import Role
from consultation.topics.states import DocumentKind, State
from consultation.topics.tables import Topic
from notifications.hub import Hub
from notifications.relay import Relay
from tests.contract.seeds import (
    SECRET,
    deliberation,
    files,
    meeting,
    notices,
    outcome,
    oversight,
    poll,
    residence,
)
from tests.world import LONG_AGO, World, a_topic


@dataclass
class Seed:
    world: World
    topic: Topic
    hidden: Topic
    addresses: dict[str, str] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)


async def seed(db: Database, world: World) -> Seed:
    topic = await a_topic(db, world, state=State.ADOPTION_PENDING)
    hidden = await a_topic(
        db,
        world,
        title=f"{SECRET}标题",
        problem=f"{SECRET}问题",
        wish=f"{SECRET}诉求",
        place=f"{SECRET}地点",
    )
    made = Seed(world, topic, hidden)
    made.secrets = [
        SECRET,
        "1990000",  # every phone of the world
        *(f"居民{number}" for number in range(1, 7)),  # full names
    ]
    made.addresses = {
        "community_id": str(world.community.id),
        "topic_id": str(topic.id),
        "session_id": str(uuid4()),
        "number": "1",
        "first": "1",
        "form": "1",
        "subject": "assisted",
        "turn": "1",
        "sheet": "1",
        "unit_id": str(world.units[0].id),
        "owner_id": str(world.id("resident1")),
        "household_id": str(uuid4()),
        "stream_id": f"topic:{topic.id}",
        "node_id": str(world.nodes["grid"].id),
        "grid_id": str(world.nodes["grid"].id),
        "person_id": str(world.id("resident1")),
        "org_id": str(world.orgs["committee"].id),
        "assignment_id": str(world.assignments["clerk", Role.CLERK].id),
        "role_id": str(world.assignments["clerk", Role.CLERK].id),
        "version": "1",
        "accept_key": "popup-of-the-seed",
        "scene": "SeedSceneOfTopic01",
        "kind": DocumentKind.NOTICE.value,
        "side": "committee",
    }
    await _strangers(db, world)
    for part in (residence, files, deliberation, meeting, poll, outcome, oversight, notices):
        made.addresses |= {
            name: str(address)
            for name, address in (await part.sow(db, world, topic, hidden)).items()
        }
    await Relay(db, Hub(), poll_seconds=1).drain()  # opens the log of the streams
    return made


async def _strangers(db: Database, world: World) -> None:
    """The neighbour holds every office there is, in the other community."""
    other = world.nodes["other"]
    async with db.begin() as tx:
        for role in Role:
            if role in (Role.SYSTEM, Role.VISITOR, Role.RESIDENT):
                continue
            assignment = RoleAssignment(
                id=uuid4(),
                community_id=other.id,
                person_id=world.id("neighbour"),
                role=role,
                org_id=world.orgs["hotline"].id,
                node_id=other.id,
                node_path=other.path,
                valid_from=LONG_AGO,
                basis="test",
            )
            world.assignments["neighbour", role] = assignment
            tx.session.add(assignment)
