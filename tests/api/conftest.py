from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from api.app import build_services
from api.server import serving
from api.settings import Settings
from tests.conftest import ManualClock, surface
from tests.live import Start, Town
from tests.world import World


@pytest.fixture
def start(settings: Settings, clock: ManualClock, world: World) -> Start:
    @asynccontextmanager
    async def start(**changes: Any) -> AsyncGenerator[Town]:
        changed = {"run_relay": True, "relay_poll_seconds": 0.05, **changes}
        app = surface()
        app.state.services = services = build_services(
            settings.model_copy(update=changed), clock=clock
        )
        async with serving(app) as url:
            yield Town(url, services, world)

    return start


@pytest.fixture
async def town(start: Start) -> AsyncGenerator[Town]:
    async with start() as town:
        yield town
