import httpx
import pytest

from consultation.database import Database
from consultation.polls.tables import Poll
from tests.conftest import ManualClock
from tests.consultation.polls.stage import Stage
from tests.notifications.house import House
from tests.world import World


@pytest.fixture
async def house(client: httpx.AsyncClient, db: Database, world: World, clock: ManualClock) -> House:
    house = House(db, clock, world)
    await house.give_accounts([person.id for person in world.people.values()])
    return house


@pytest.fixture
async def poll(house: House, db: Database, world: World, clock: ManualClock) -> Poll:
    stage = Stage(db=db, world=world, clock=clock)
    entrance = world.nodes["entrance"]
    topic = await stage.topic("lift_scope_owners", entrance)
    opened = await stage.opened("lift_scope_owners", topic, entrance)
    await house.told()
    return opened
