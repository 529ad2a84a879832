import asyncio
from collections.abc import AsyncGenerator
from io import StringIO
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from api import logs
from api.app import build_app
from api.body_limit import BODY_LIMIT
from api.server import serving
from api.settings import Settings
from consultation import jobs
from consultation.database import Database
from consultation.jobs import JobKind
from tests.conftest import ManualClock
from tests.world import World


async def test_health_and_readiness(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert (await client.get("/readyz")).json() == {"status": "ready"}


async def test_an_unknown_address_is_a_problem_in_the_callers_language(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/v1/nothing", headers={"accept-language": "en"})

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not-found"
    assert answer.json()["title"] == "Not found"


async def test_a_server_whose_schema_is_not_the_programs_is_not_ready(
    client: httpx.AsyncClient, db: Database
) -> None:
    async with db.begin() as tx:
        await tx.session.exec(text("UPDATE alembic_version SET version_num = '0000'"))

    answer = await client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["facts"] == {"reason": "schema"}


async def test_a_server_whose_jobs_lag_behind_is_not_ready(
    client: httpx.AsyncClient, db: Database, clock: ManualClock
) -> None:
    async with db.begin() as tx:
        await jobs.schedule(tx, JobKind.POLL_CLOSE, uuid4(), tx.now, community_id=None)
    clock.advance(minutes=5)
    assert (await client.get("/readyz")).status_code == 200

    clock.advance(seconds=1)

    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["facts"] == {"reason": "jobs"}


async def test_a_server_without_its_database_is_alive_and_not_ready(
    settings: Settings, clock: ManualClock, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    nowhere = {"database_url": f"sqlite+aiosqlite:///{tmp_path}/file/below.sqlite3"}
    app = build_app(settings.model_copy(update=nowhere), clock=clock)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://minyi.test"
    ) as http:
        assert (await http.get("/healthz")).status_code == 200
        answer = await http.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["facts"] == {"reason": "database"}


async def test_a_body_over_the_limit_is_refused_as_a_problem(client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncGenerator[bytes]:
        while True:
            yield b" " * 65536

    client.headers["content-type"] = "application/json"

    answer = await client.post("/v1/session/refresh", content=b"{" * BODY_LIMIT)
    assert answer.json()["code"] == "malformed-json"
    answer = await client.post("/v1/session/refresh", content=endless())

    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "request-too-large"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/c/{}", "/v1/communities/{}/topics"])
async def test_head_is_answered_as_get_without_the_body(
    settings: Settings, clock: ManualClock, world: World, path: str
) -> None:
    there = path.format(world.community.id)
    async with (
        serving(build_app(settings, clock=clock)) as url,
        httpx.AsyncClient(trust_env=False, base_url=url) as http,
    ):
        got, head = await http.get(there), await http.head(there)
        assert (await http.get("/healthz")).status_code == 200  # on the same connection

    assert head.status_code == got.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == str(len(got.content)) != "0"
    assert head.headers.get("etag") == got.headers.get("etag")


async def test_a_bus_out_of_reach_is_said_and_does_not_take_the_server_out(
    settings: Settings, clock: ManualClock
) -> None:
    url = "redis://:hidden@127.0.0.1:9/0"
    app = build_app(settings.model_copy(update={"bus_url": SecretStr(url)}), clock=clock)
    logs.configure(stream := StringIO())
    async with serving(app) as there, httpx.AsyncClient(trust_env=False, base_url=there) as http:
        answer = await http.get("/readyz")
        while '"bus"' not in stream.getvalue():  # noqa: ASYNC110  the server says it in its time
            await asyncio.sleep(0.01)

    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "degraded": ["bus"]})
    assert "127.0.0.1:9" in stream.getvalue()
    assert "hidden" not in stream.getvalue()
