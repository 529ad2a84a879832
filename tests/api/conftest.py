from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from fastapi import FastAPI

from api.app import build_services
from api.server import serving
from api.settings import Settings
from tests.api.wechat_house import House
from tests.api.wechat_house import house as open_house
from tests.conftest import ManualClock, surface
from tests.fake_wechat import FakeWechat
from tests.live import Start, Town
from tests.measuring import Counted
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
        async with serving(cast(FastAPI, Counted(app))) as url:
            yield Town(url, services, world)

    return start


@pytest.fixture
async def town(start: Start) -> AsyncGenerator[Town]:
    async with start() as town:
        yield town


@pytest.fixture
async def house(start: Start, fake_wechat: FakeWechat) -> AsyncGenerator[House]:
    """The backend on a real port, with the fake WeChat pushing to it."""
    async with open_house(start, fake_wechat) as made:
        yield made
