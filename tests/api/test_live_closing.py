"""What the end of a connection tells a client to do, and that a client can do it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve

from api.live.closing import RANGES, Close, Then, after
from tests.following import Client
from tests.live import Start, Town

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

SENDABLE = [
    code
    for code in dict.fromkeys(code for one in RANGES for code in (one.first, one.last))
    if code not in {1004, 1005, 1006, 1015} and not 1016 <= code < 3000
]
"""The ends of every range, but for what RFC 6455 lets nobody send."""


async def no_token() -> str | None:
    return None


def client_of(town: Town, **hello: object) -> Client:
    said = {"type": "hello", "token": town.token(), "client": "test/1", "streams": []}
    return Client(town.url.replace("http", "ws") + "/v1/live", said | hello, no_token)


@asynccontextmanager
async def closing_with(reasons: dict[int, str]) -> AsyncGenerator[str]:
    """A server that hangs up with each of these codes in turn."""
    waiting = list(reasons.items())

    async def hang_up(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.close(*waiting.pop(0))

    async with serve(hang_up, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/"


@on_sqlite
async def test_a_hello_too_large_is_not_said_again(town: Town) -> None:
    one = client_of(town, token="x" * 20_000)
    assert not await one.run(times=5)
    assert one.codes == [1009]


@on_sqlite
async def test_a_program_that_is_wrong_stays_away(town: Town) -> None:
    one = client_of(town, colour="red")
    assert not await one.run(times=5)
    assert one.codes == [4400]


@on_sqlite
async def test_a_token_that_ended_is_refreshed_once(town: Town) -> None:
    asked: list[str] = []

    async def refresh() -> str | None:
        asked.append("asked")
        return "still no token" if len(asked) == 1 else None

    one = client_of(town, token="no token")
    one.refresh = refresh
    assert not await one.run(times=5)
    assert (one.codes, len(asked), one.waits) == ([4401, 4401], 2, [0.0])


@on_sqlite
async def test_after_a_restart_clients_spread(start: Start) -> None:
    async with start(live_per_person=100) as town:
        many = [client_of(town) for _ in range(20)]
        running = [asyncio.create_task(one.run(times=1)) for one in many]
        async with asyncio.timeout(10):
            while len(town.services.live.sockets) < len(many):  # noqa: ASYNC110  no event says it
                await asyncio.sleep(0.01)
    assert await asyncio.gather(*running) == [True] * len(many)
    waits = [one.waits[0] for one in many]
    assert {code for one in many for code in one.codes} == {1012}
    assert all(0 <= wait <= 10 for wait in waits)


async def test_the_client_follows_every_code_that_a_server_can_send() -> None:
    reasons = {code: "retry_after=30" if code == Close.SLOW_DOWN else "" for code in SENDABLE}
    come_again = {code: reason for code, reason in reasons.items() if after(code) is not Then.STAY}
    stay = [code for code in SENDABLE if after(code) is Then.STAY]
    async with closing_with(come_again) as url:

        async def refresh() -> str | None:
            return "new"

        one = Client(url, {}, refresh)
        assert await one.run(times=len(come_again))
    assert one.codes == list(come_again)
    waits = dict(zip(one.codes, one.waits, strict=True))
    assert waits.pop(Close.SLOW_DOWN) == 30
    assert waits.pop(Close.RESYNC) == waits.pop(Close.TOKEN) == 0
    assert all(0.5 <= wait <= 20 for wait in waits.values())
    for code in stay:
        async with closing_with({code: ""}) as url:
            one = Client(url, {}, no_token)
            assert not await one.run(times=2)
            assert one.codes == [code]


async def test_the_client_has_one_answer_to_every_code() -> None:
    stays: set[int] = set()
    for code in range(1000, 5000):
        wait = await Client("ws://nowhere", {}, no_token).wait_of(code, "")
        if wait is None:
            stays.add(code)
        else:
            assert 0 <= wait <= 20
    without_token = {code for code in range(1000, 5000) if after(code) is Then.REFRESH}
    assert stays == without_token | {code for code in range(1000, 5000) if after(code) is Then.STAY}
