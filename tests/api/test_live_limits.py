"""How many sockets, from where and how talkative: limits and close codes."""

import asyncio
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from api.live.addresses import Proxies
from tests.live import Start, Town, phone

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_one_connection_too_many_replaces_the_oldest_of_that_person(start: Start) -> None:
    async with (
        start(live_per_person=2) as town,
        phone(town.url) as first,
        phone(town.url) as second,
        phone(town.url) as third,
        phone(town.url) as somebody_else,
    ):
        await somebody_else.hello(town.token("resident2"))
        for one in (first, second, third):
            await one.hello(town.token("resident1"), {"id": town.stream})
        assert await first.closed() == (4409, "replaced")
        await town.happen()
        await second.until(1)
        await third.until(1)
        await somebody_else.say(type="ping", t=1)
        await somebody_else.control("pong")


async def test_connections_from_one_address_are_limited_behind_a_trusted_proxy(
    start: Start,
) -> None:
    def from_(*addresses: str) -> dict[str, Any]:
        return {"additional_headers": {"X-Forwarded-For": ", ".join(addresses)}}

    async with (
        start(live_per_address=1) as town,
        phone(town.url, **from_("203.0.113.7")) as one,
        phone(town.url, **from_("198.51.100.9")) as elsewhere,
    ):
        await one.hello(town.token())
        await elsewhere.hello(town.token())
        for chain in (("203.0.113.7",), ("198.51.100.250", "203.0.113.7")):  # the client's own word
            async with phone(town.url, **from_(*chain)) as too_many:
                assert await too_many.closed() == (4429, "retry_after=60")
        async with phone(town.url) as local, phone(town.url) as local_too:
            await local.hello(town.token("resident2"))
            await local_too.hello(town.token("resident2"))
        await one.socket.close()
        async with asyncio.timeout(5):
            while "203.0.113.7" in town.services.live._by_address:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        async with phone(town.url, **from_("203.0.113.7")) as again:
            await again.hello(town.token())


async def nobody_is_left(town: Town) -> None:
    live = town.services.live
    async with asyncio.timeout(5):
        while live.sockets:  # noqa: ASYNC110  the server notices in its own time
            await asyncio.sleep(0.01)
    assert not live._by_address


@pytest.mark.parametrize(
    ("trusted", "counted"), [(["127.0.0.1"], "203.0.113.7"), ([], "127.0.0.1")]
)
async def test_an_address_in_several_lines_is_one_and_leaves_nothing_behind(
    start: Start, trusted: list[str], counted: str
) -> None:
    """Proxies may add a line of their own in place of a word to the last."""
    lines = [("X-Forwarded-For", "198.51.100.250"), ("X-Forwarded-For", "203.0.113.7")]
    async with start(live_per_address=2) as town:
        town.services.live.proxies = Proxies(trusted)
        for _ in range(3):
            async with (
                phone(town.url, additional_headers=lines) as one,
                phone(town.url, additional_headers={"X-Forwarded-For": "203.0.113.7"}) as two,
            ):
                await one.hello(town.token())
                await two.hello(town.token())
                assert dict(town.services.live._by_address) == {counted: 2}
                async with phone(town.url, additional_headers=lines) as too_many:
                    assert await too_many.closed() == (4429, "retry_after=60")
            await nobody_is_left(town)


async def test_two_origins_are_no_handshake(start: Start) -> None:
    async with start(live_origins=["https://minyi.example"]) as town:
        lines = [("Origin", "https://minyi.example"), ("Origin", "https://evil.example")]
        with pytest.raises(InvalidStatus) as refused:
            async with phone(town.url, additional_headers=lines):
                pass
        assert refused.value.response.status_code == 400
        await nobody_is_left(town)


async def test_a_fault_while_a_socket_comes_in_ends_it_and_leaves_nothing_behind(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = town.services.live
    enter = live.enter

    def break_after(*args: Any) -> None:
        enter(*args)
        raise ZeroDivisionError

    monkeypatch.setattr(live, "enter", break_after)
    async with phone(town.url) as one:
        await one.until_lost()
    await nobody_is_left(town)
    monkeypatch.undo()
    async with phone(town.url) as again:
        await again.hello(town.token())


async def test_a_client_that_never_stops_talking_is_told_to_slow_down(town: Town) -> None:
    async with phone(town.url) as one:
        await one.hello(town.token())
        for n in range(300):
            await one.say(type="pong", t=n)
        assert await one.control("error") == {"type": "error", "code": "slow-down"}
        assert await one.closed() == (4429, "retry_after=30")


async def test_a_client_that_is_too_old_is_told_to_update(start: Start) -> None:
    async with start(live_min_clients={"miniprogram": "1.10"}) as town:
        for client, welcome in (
            ("miniprogram/1.9.3", False),
            ("miniprogram/nonsense", False),
            ("miniprogram/1.10", True),
            ("miniprogram/2.0", True),
            ("h5/0.1", True),
        ):
            async with phone(town.url) as one:
                await one.say(type="hello", token=town.token(), client=client, streams=[])
                if welcome:
                    await one.control("welcome")
                else:
                    assert await one.closed() == (4426, "upgrade-client")
        async with phone(town.url, subprotocols=["dc.live.v0"]) as one:
            assert one.socket.subprotocol is None
            assert await one.closed() == (4426, "upgrade-client")


async def test_a_client_that_goes_away_is_bidden_farewell(town: Town) -> None:
    async with phone(town.url) as one:
        await one.hello(town.token())
        await one.say(type="away")
        assert await one.closed() == (1000, "away")


async def test_only_the_address_of_the_socket_is_a_socket(town: Town) -> None:
    async with httpx.AsyncClient(trust_env=False, base_url=town.url) as http:
        upgrade = {
            "connection": "upgrade",
            "upgrade": "websocket",
            "sec-websocket-version": "13",
            "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        assert (await http.get("/v1/elsewhere", headers=upgrade)).status_code == 404
        no_key = {name: v for name, v in upgrade.items() if name != "sec-websocket-key"}
        assert (await http.get("/v1/live", headers=no_key)).status_code == 400
        assert (await http.get("/v1/live")).status_code == 404
        assert (await http.get("/healthz")).status_code == 200
