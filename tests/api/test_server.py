from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI, Request

from api.app import build_app
from api.server import serving
from api.settings import Settings
from tests.conftest import SECRET


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


@pytest.mark.parametrize(
    ("trusted", "seen"),
    [
        (["127.0.0.1"], "198.51.100.7"),
        (["127.0.0.0/24", "198.51.100.0/24"], "203.0.113.9"),
        (["10.0.0.1"], "127.0.0.1"),
        ([], "127.0.0.1"),
    ],
)
async def test_the_settings_say_which_proxies_are_believed_over_http_and_by_the_socket(
    settings: Settings, trusted: list[str], seen: str
) -> None:
    app = build_app(settings.model_copy(update={"trusted_proxies": trusted}))

    @app.get("/whoami")
    async def whoami(request: Request) -> str:
        return request.client.host if request.client else ""

    said = "203.0.113.9, 198.51.100.7"
    async with httpx.AsyncClient(trust_env=False) as http, serving(app) as url:
        answer = await http.get(f"{url}/whoami", headers={"x-forwarded-for": said})

    assert answer.json() == seen
    assert app.state.services.live.proxies.client(("127.0.0.1", 1), said) == seen


@pytest.mark.parametrize("wrong", [["proxy.example"], ["10.0.0.1/8"], ["*", "10.0.0.1"]])
def test_what_is_no_address_is_no_proxy(wrong: list[str]) -> None:
    with pytest.raises(ValueError, match="a proxy is an address"):
        Settings(
            field_secret=SECRET,  # type: ignore[arg-type]
            token_key="11" * 32,  # type: ignore[arg-type]
            board_key="22" * 32,  # type: ignore[arg-type]
            trusted_proxies=wrong,
        )
