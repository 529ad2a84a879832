from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI

from api.app import build_app
from api.server import serving
from api.settings import Settings


async def test_the_application_serves_in_the_running_loop(settings: Settings) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        async with serving(build_app(settings)) as url:
            assert (await http.get(f"{url}/readyz")).json() == {"status": "ready"}
        with pytest.raises(httpx.ConnectError):
            await http.get(f"{url}/readyz")


async def test_an_application_that_does_not_start_says_so() -> None:
    @asynccontextmanager
    async def no_disk(app: FastAPI) -> AsyncGenerator[None]:
        raise OSError("no disk")
        yield

    with pytest.raises(RuntimeError, match="did not start"):
        async with serving(FastAPI(lifespan=no_disk)):
            pass
