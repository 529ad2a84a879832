import pytest

from consultation.database import Database
from tests.conftest import ManualClock
from tests.consultation.polls.stage import Stage
from tests.world import World


@pytest.fixture
async def stage(db: Database, world: World, clock: ManualClock) -> Stage:
    return Stage(db=db, world=world, clock=clock)
