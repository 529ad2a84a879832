"""The lane answers as the framework would answer, in everything but the cost."""

import asyncio
import io
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import structlog
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from api import logs
from api.body_limit import BODY_LIMIT
from api.dependencies import Services
from consultation.permissions import Role
from consultation.polls.tables import Ballot
from tests.api.test_polls import bearer
from tests.conftest import ManualClock, surface
from tests.consultation.polls.stage import Stage
from tests.fake_wechat import FakeWechat, log_in
from tests.fake_wechat import bearer as in_session
from tests.world import World

JSON = {"content-type": "application/json"}
GOOD = b'{"answers":[{"item":1,"choices":["for"]}]}'


@dataclass
class Roads:
    """The application with the lane in front and without it, over the same services."""

    lane: httpx.AsyncClient
    framework: httpx.AsyncClient
    services: Services


def without_lane(app: FastAPI) -> Any:
    """The application as it would be if nothing stood before its routes."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        await FastAPI.__call__(app, scope, receive, send)

    return serve


@pytest.fixture
async def roads(client: httpx.AsyncClient) -> AsyncGenerator[Roads]:
    app = surface()
    transport = httpx.ASGITransport(without_lane(app), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://minyi.test") as framework:
        yield Roads(client, framework, app.state.services)


@pytest.fixture
async def stage(roads: Roads, world: World, clock: ManualClock) -> Stage:
    return Stage(db=roads.services.db, world=world, clock=clock)


VARYING = {"x-request-id"}


async def same(roads: Roads, path: str, **request: Any) -> httpx.Response:
    """The answer of the lane, once it is seen to be that of the framework."""
    one = await roads.lane.put(path, **request)
    await asyncio.sleep(0)  # the lane writes its lines when the loop turns
    other = await roads.framework.put(path, **request)
    assert (one.status_code, one.content) == (other.status_code, other.content), request
    assert {name: one.headers[name] for name in one.headers if name not in VARYING} == {
        name: other.headers[name] for name in other.headers if name not in VARYING
    }
    assert len(one.headers["x-request-id"]) == len(other.headers["x-request-id"]) == 32
    return one


BODIES: dict[str, tuple[dict[str, str], bytes]] = {
    "nothing": (JSON, b""),
    "no type": ({}, GOOD),
    "text": ({"content-type": "text/plain"}, GOOD),
    "form": ({"content-type": "application/x-www-form-urlencoded"}, b"answers=1"),
    "json with charset": ({"content-type": "application/json;charset=UTF-8"}, GOOD),
    "vendor json": ({"content-type": "application/vnd.minyi+json"}, GOOD),
    "json elsewhere": ({"content-type": "text/json"}, GOOD),
    "null": (JSON, b"null"),
    "number": (JSON, b"7"),
    "list": (JSON, b"[]"),
    "text in json": (JSON, b'"for"'),
    "empty": (JSON, b"{}"),
    "half": (JSON, b'{"answers":[{"item":1,'),
    "comma": (JSON, b'{"answers":[],}'),
    "not utf-8": (JSON, b'{"answers":"\xff\xfe"}'),
    "utf-16": (JSON, GOOD.decode().encode("utf-16")),
    "deep": (JSON, b"[" * 100_000),
    "nan": (JSON, b'{"answers":NaN}'),
    "no answers": (JSON, b'{"answers":[]}'),
    "null answers": (JSON, b'{"answers":null}'),
    "further field": (JSON, b'{"answers":[{"item":1,"choices":["for"]}],"why":"x"}'),
    "further field below": (JSON, b'{"answers":[{"item":1,"choices":["for"],"area":9}]}'),
    "item as text": (JSON, b'{"answers":[{"item":"1","choices":["for"]}]}'),
    "item as words": (JSON, b'{"answers":[{"item":"one","choices":["for"]}]}'),
    "item zero": (JSON, b'{"answers":[{"item":0,"choices":["for"]}]}'),
    "item as float": (JSON, b'{"answers":[{"item":1.5,"choices":["for"]}]}'),
    "item huge": (JSON, b'{"answers":[{"item":' + b"9" * 400 + b',"choices":["for"]}]}'),
    "item true": (JSON, b'{"answers":[{"item":true,"choices":["for"]}]}'),
    "other item": (JSON, b'{"answers":[{"item":2,"choices":["for"]}]}'),
    "same item twice": (
        JSON,
        b'{"answers":[{"item":1,"choices":["for"]},{"item":1,"choices":[]}]}',
    ),
    "choice as text": (JSON, b'{"answers":[{"item":1,"choices":"for"}]}'),
    "no choice": (JSON, b'{"answers":[{"item":1,"choices":[]}]}'),
    "choice with spaces": (JSON, b'{"answers":[{"item":1,"choices":[" for "]}]}'),
    "choice in capitals": (JSON, b'{"answers":[{"item":1,"choices":["FOR"]}]}'),
    "choice unknown": (JSON, b'{"answers":[{"item":1,"choices":["maybe"]}]}'),
    "choice Chinese": (JSON, '{"answers":[{"item":1,"choices":["同意"]}]}'.encode()),
    "two choices": (JSON, b'{"answers":[{"item":1,"choices":["for","against"]}]}'),
    "many choices": (JSON, json.dumps({"answers": [{"item": 1, "choices": ["a"] * 51}]}).encode()),
    "many answers": (JSON, json.dumps({"answers": [{"item": 1, "choices": ["a"]}] * 51}).encode()),
    "too long": (JSON, b'{"answers":"' + b"x" * BODY_LIMIT + b'"}'),
    "key twice": (JSON, b'{"answers":[],"answers":[{"item":1,"choices":["for"]}]}'),
    "good": (JSON, GOOD),
}
IDS = ["nonsense", str(uuid4()), uuid4().hex, "{" + str(uuid4()) + "}", "urn:uuid:" + str(uuid4())]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("language", ["zh-CN", "en"])
async def test_every_strange_request_is_answered_as_by_the_framework(
    roads: Roads, stage: Stage, world: World, language: str
) -> None:
    poll, owners = await stage.lift_poll()
    path = f"/v1/polls/{poll.id}/ballot"
    speaks = {"accept-language": language}
    codes = set()
    for headers, body in BODIES.values():
        for person in (bearer(world, owners[0]), world.headers("resident1"), {}):
            answer = await same(roads, path, headers=headers | person | speaks, content=body)
            codes.add(answer.json().get("code"))
    for id in IDS:
        for headers, body in (BODIES["good"], BODIES["empty"], BODIES["half"]):
            for person in (bearer(world, owners[1]), {}):
                answer = await same(
                    roads, f"/v1/polls/{id}/ballot", headers=headers | person | speaks, content=body
                )
                codes.add(answer.json().get("code"))

    assert codes == {
        None,
        "bad-request",
        "ballot-invalid",
        "malformed-json",
        "malformed-request",
        "not-found",
        "not-logged-in",
        "not-on-roll",
        "request-too-large",
    }


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_every_token_and_every_role_is_answered_as_by_the_framework(
    roads: Roads, stage: Stage, world: World
) -> None:
    poll, owners = await stage.lift_poll()
    path = f"/v1/polls/{poll.id}/ballot"
    good = bearer(world, owners[0])["authorization"]
    tokens = [
        good,
        good.lower(),
        good[:-2],
        good + "x",
        "Bearer",
        "Bearer ",
        "Basic eA==",
        "",
        good[7:],
    ]
    tokens += [
        "Bearer  " + good[7:],
        "bearer " + good[7:],
        "Bearer é".encode("latin-1").decode("latin-1"),
    ]
    clerk = str(world.assignments["clerk", Role.CLERK].id)
    roles = [None, clerk, "nonsense", "", str(uuid4()), clerk.upper(), clerk.replace("-", "")]
    codes = set()
    for token in tokens:
        for role in roles:
            headers = JSON | {"authorization": token.encode("latin-1")}
            if role is not None:
                headers["minyi-role"] = role.encode()
            codes.add((await same(roads, path, headers=headers, content=GOOD)).json().get("code"))
            headers.pop("content-type")
            await same(roads, path, headers=headers, content=GOOD)

    assert codes == {None, "malformed-request", "not-logged-in", "role-not-held"}
    assert len(await stage_ballots(stage, poll.id)) == 1


async def stage_ballots(stage: Stage, poll_id: UUID) -> list[Ballot]:
    async with stage.db.read() as tx:
        return list(await tx.session.exec(select(Ballot).where(Ballot.poll_id == poll_id)))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["for", "against", "1", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["answers", "item", "choices", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_invented_bodies_are_answered_as_by_the_framework(
    roads: Roads, stage: Stage, world: World
) -> None:
    poll, owners = await stage.lift_poll()
    bodies: list[bytes] = []

    @settings(
        max_examples=150,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(value=JSON_VALUES, answer=JSON_VALUES)
    def collect(value: Any, answer: Any) -> None:
        bodies.append(json.dumps(value).encode())
        bodies.append(json.dumps({"answers": [{"item": 1, "choices": answer}]}).encode())

    collect()
    headers = JSON | bearer(world, owners[0])
    for body in bodies:
        await same(roads, f"/v1/polls/{poll.id}/ballot", headers=headers, content=body)


async def test_refusals_of_the_vote_itself_are_answered_as_by_the_framework(
    roads: Roads, stage: Stage, world: World
) -> None:
    poll, owners = await stage.lift_poll()
    path = f"/v1/polls/{poll.id}/ballot"
    first = await same(roads, path, headers=bearer(world, owners[0]), json=json.loads(GOOD))
    assert first.status_code == 200
    other = {"answers": [{"item": 1, "choices": ["against"]}]}
    taken = await same(roads, path, headers=bearer(world, owners[0]), json=other)
    assert taken.json()["code"] == "already-voted"
    stage.clock.now = poll.closes_at
    again = await same(roads, path, headers=bearer(world, owners[0]), json=json.loads(GOOD))
    assert again.content == first.content
    late = await same(roads, path, headers=bearer(world, owners[1]), json=other)
    assert (late.status_code, late.json()["code"]) == (409, "poll-closed")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_everything_else_goes_by_the_lane(roads: Roads, stage: Stage, world: World) -> None:
    poll, owners = await stage.lift_poll()
    mine = bearer(world, owners[0])
    requests = [
        ("GET", f"/v1/polls/{poll.id}/ballot"),
        ("HEAD", f"/v1/polls/{poll.id}/ballot"),
        ("POST", f"/v1/polls/{poll.id}/ballot"),
        ("OPTIONS", f"/v1/polls/{poll.id}/ballot"),
        ("DELETE", f"/v1/polls/{poll.id}/ballot"),
        ("PUT", f"/v1/polls/{poll.id}/ballot/"),
        ("PUT", "/v1/polls//ballot"),
        ("PUT", f"/v1/polls/{poll.id}/ballots"),
        ("PUT", f"/v1/polls/{poll.id}/roll/1/ballot"),
        ("PUT", f"/v2/polls/{poll.id}/ballot"),
        ("GET", f"/v1/polls/{poll.id}"),
        ("HEAD", f"/v1/polls/{poll.id}"),
        ("GET", "/healthz"),
    ]
    for method, path in requests:
        one = await roads.lane.request(method, path, headers=mine)
        other = await roads.framework.request(method, path, headers=mine)
        assert (one.status_code, one.content) == (other.status_code, other.content), (method, path)
    assert await stage_ballots(stage, poll.id) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_line_in_the_log_is_that_of_every_request(
    roads: Roads, stage: Stage, world: World
) -> None:
    poll, owners = await stage.lift_poll()
    before, stream = structlog.get_config(), io.StringIO()
    logs.configure(stream)
    try:
        path = f"/v1/polls/{poll.id}/ballot"
        await same(roads, path, headers=bearer(world, owners[0]), json=json.loads(GOOD))
        await same(roads, path, headers=bearer(world, owners[0]), json={})
        await same(roads, path, json=json.loads(GOOD))
    finally:
        structlog.configure(**before)

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(lines) == 6
    for one, other in zip(lines[::2], lines[1::2], strict=True):
        assert list(one) == list(other)
        assert set(one) <= logs.ALLOWED_FIELDS
        assert one["timestamp"][-1] == other["timestamp"][-1] == "Z"
        for name in ("method", "route", "status", "code", "actor_id", "event", "level"):
            assert one[name] == other[name]
    assert "for" not in [value for line in lines for value in line.values()]


async def test_who_logs_out_casts_no_more_within_five_seconds(
    roads: Roads, stage: Stage, fake_wechat: FakeWechat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token was read before and is remembered; the end of its session is seen all the same."""
    poll, _ = await stage.lift_poll()
    path = f"/v1/polls/{poll.id}/ballot"
    session = await log_in(roads.lane, fake_wechat, "o1", unionid="u1")
    asked = await roads.lane.put(path, headers=in_session(session), json=json.loads(GOOD))
    assert asked.json()["code"] == "not-permitted"
    await roads.lane.delete("/v1/session", headers=in_session(session))

    now = roads.services.ended.monotonic()
    passed = 0.0
    monkeypatch.setattr(roads.services.ended, "monotonic", lambda: now + passed)
    code = ""
    while code != "session-ended" and passed < 10:
        passed += 1
        answer = await roads.lane.put(path, headers=in_session(session), json=json.loads(GOOD))
        code = answer.json()["code"]
        await asyncio.sleep(0.05)

    assert code == "session-ended"
    assert passed <= 5
    other = await log_in(roads.lane, fake_wechat, "o1")
    asked = await roads.lane.put(path, headers=in_session(other), json=json.loads(GOOD))
    assert asked.json()["code"] == "not-permitted"


async def test_a_busy_box_says_when_to_come_again(
    roads: Roads, stage: Stage, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll, owners = await stage.lift_poll()
    monkeypatch.setattr(roads.services.casts._batch, "_bound", 0)
    answer = await same(
        roads, f"/v1/polls/{poll.id}/ballot", headers=bearer(world, owners[0]), content=GOOD
    )
    assert answer.json()["code"] == "malformed-request"
    answer = await same(
        roads,
        f"/v1/polls/{poll.id}/ballot",
        headers=bearer(world, owners[0]),
        json=json.loads(GOOD),
    )
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert answer.headers["retry-after"] == "1"
