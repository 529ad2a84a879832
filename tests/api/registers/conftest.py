import pytest

from consultation.database import Database
from tests.api.registers.small import SMALL, take


@pytest.fixture
async def small(db: Database) -> Database:
    for kind, lines in SMALL.items():
        await take(db, kind, lines)
    return db
