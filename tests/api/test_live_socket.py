"""The live socket's manners, over a real server and a real client. SQLite is enough for these."""

import asyncio
import json
import socket
import time
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import structlog

from api.live.socket import MAX_SAID
from consultation.events.streams import topic_stream, user_stream
from consultation.permissions import Role
from notifications.frames import text_frame
from notifications.messages import Volatile
from tests.conftest import ManualClock
from tests.live import Start, Town, notified, phone
from tests.world import a_topic

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


# ---- hello --------------------------------------------------------------------------------


async def test_hello_is_answered_and_events_arrive_as_they_happen(
    town: Town, clock: ManualClock
) -> None:
    async with phone(town.url, subprotocols=["dc.live.v1"]) as one:
        assert one.socket.subprotocol == "dc.live.v1"
        welcome = await one.hello(town.token(), {"id": town.stream})
        epoch = welcome["streams"][0]["epoch"]
        await town.happen()
        await one.until(1)

    assert welcome["v"] == 1
    assert welcome["ping_s"] == 25
    assert welcome["server_time"] == clock.now.isoformat().replace("+00:00", "Z")
    assert welcome["streams"] == [
        {
            "id": town.stream,
            "epoch": epoch,
            "head_seq": 0,
            "recovered": False,
            "reason": "no_cursor",
        }
    ]
    event = one.events[0]
    assert event.pop("id")
    assert event == {
        "v": 1,
        "stream": town.stream,
        "seq": 1,
        "type": "community.register_imported",
        "ts": clock.now.isoformat().replace("+00:00", "Z"),
        "data": {"kind": "test", "rows": 0},
    }


async def test_who_says_nothing_is_hung_up_on(start: Start) -> None:
    async with start(hello_seconds=0.05) as town, phone(town.url) as one:
        assert await one.closed() == (4408, "hello-timeout")


async def test_a_bad_token_is_told_to_log_in(town: Town) -> None:
    async with phone(town.url) as one:
        await one.say(type="hello", token="no.such.token", streams=[])
        assert await one.frame() == {"type": "error", "code": "not-logged-in"}
        assert await one.closed() == (4401, "not-logged-in")


async def test_a_role_the_person_does_not_hold_is_refused(town: Town) -> None:
    clerk = town.world.assignments["clerk", Role.CLERK]
    async with phone(town.url) as one:
        hello = {"type": "hello", "token": town.token("resident1"), "role": str(clerk.id)}
        await one.say(**hello, streams=[{"id": topic_stream(uuid4())}])
        assert await one.closed() == (4403, "role-not-held")


BAD_FRAMES = (
    "{",
    "[]",
    '{"type": "shout"}',
    '{"type": "hello"}',
    '{"type": "hello", "token": "x", "admin": true}',
    '{"type": "subscribe", "streams": [{"id": "x"}]}',
    '{"type": "pong", "t": 1}',
    b"\x00",
    json.dumps({"type": "hello", "token": "x", "streams": [{"id": "a"}, {"id": "a"}]}),
    json.dumps({"type": "hello", "token": "x", "streams": [{"id": str(n)} for n in range(65)]}),
    json.dumps({"type": "hello", "token": "x", "streams": [{"id": "a", "after_seq": -1}]}),
)


async def test_a_bad_first_frame_ends_the_connection(town: Town) -> None:
    for frame in BAD_FRAMES:
        async with phone(town.url) as one:
            await one.socket.send(frame)
            assert (await one.closed())[0] == 4400, frame


async def test_a_second_hello_and_a_frame_too_large_end_the_connection(town: Town) -> None:
    async with phone(town.url) as one:
        await one.hello(town.token())
        await one.say(type="hello", token=town.token(), streams=[])
        assert await one.closed() == (4400, "hello-twice")
    async with phone(town.url) as one:
        await one.hello(town.token())
        await one.socket.send("x" * 20_000)
        assert (await one.closed())[0] == 1009


async def test_a_foreign_origin_is_refused(start: Start) -> None:
    async with start(live_origins=["https://minyi.example"]) as town:
        async with phone(town.url, origin="https://evil.example") as one:
            assert await one.closed() == (4403, "foreign-origin")
        async with phone(town.url, origin="https://minyi.example") as one:
            assert await one.hello(town.token())
        async with phone(town.url) as one:  # a mini-program sends none
            assert await one.hello(town.token())


async def test_any_origin_may_come_where_the_operator_says_so(start: Start) -> None:
    async with (
        start(live_origins=["*"]) as town,
        phone(town.url, origin="https://elsewhere.example") as one,
    ):
        assert await one.hello(town.token())


async def test_a_client_ahead_of_the_log_fetches_afresh_and_the_operator_is_told_once(
    town: Town,
) -> None:
    """Either it lies, or a backup was put back and nobody renewed the log."""
    head = await town.head()
    ahead = {"id": town.stream, "epoch": head["epoch"], "after_seq": 7}
    with structlog.testing.capture_logs() as lines:
        for cursor in ({**ahead, "epoch": "another"}, ahead, ahead):
            async with phone(town.url) as one:
                state = (await one.hello(town.token(), cursor))["streams"][0]
                assert (state["recovered"], state["reason"]) == (False, "epoch")
            told = [line for line in lines if line["event"] == "client ahead of log"]
            assert len(told) == (cursor is ahead)


# ---- orders ---------


async def test_subscribing_and_unsubscribing_on_an_open_socket(town: Town) -> None:
    me = town.world.id("resident1")
    async with phone(town.url) as one:
        await one.hello(town.token())
        await town.numbered(2)
        first = await one.subscribe({"id": town.stream, "after_seq": 0}, {"id": user_stream(me)})
        assert [state["recovered"] for state in first["streams"]] == [True, False]
        assert [event["seq"] for event in one.events] == [1, 2]
        await town.happen()
        await one.until(3)

        await one.say(type="unsubscribe", streams=[town.stream])
        assert (await one.control("unsubscribed"))["streams"] == [town.stream]
        await town.numbered()
        async with town.services.db.begin() as tx:
            tx.emit(notified(me, "test"))
        while one.events[-1]["stream"] == town.stream:
            await one.frame()
        again = await one.subscribe({"id": town.stream, "after_seq": 3})

    assert again["streams"][0]["recovered"]
    assert [event["seq"] for event in one.events if event["stream"] == town.stream] == [1, 2, 3, 4]


async def test_a_connection_follows_at_most_64_streams(town: Town) -> None:
    ids = [topic_stream((await a_topic(town.services.db, town.world)).id) for _ in range(65)]
    async with phone(town.url) as one:
        await one.hello(town.token("resident1"), *({"id": id} for id in ids[:60]))
        unknown = [f"topic:{uuid4()}" for _ in range(10)]
        answer = await one.subscribe(*({"id": id} for id in [*unknown, *ids[60:]]))
        reasons = [state["reason"] for state in answer["streams"]]
        # what was not found takes no place
        assert reasons == ["not_found"] * 10 + ["no_cursor"] * 4 + ["too_many_streams"]
        await one.say(type="unsubscribe", streams=[ids[0]])
        await one.control("unsubscribed")
        answer = await one.subscribe({"id": ids[64]})
        assert answer["streams"][0]["reason"] == "no_cursor"


async def test_a_flood_of_orders_is_told_to_slow_down(town: Town) -> None:
    async with phone(town.url) as one:
        await one.hello(town.token())
        for _ in range(MAX_SAID - 10):  # fewer than would be too many frames
            await one.say(type="subscribe", streams=[{"id": town.stream}])
        code, reason = await one.closed()
    assert (code, reason) == (4429, "retry_after=5")


# ---- heartbeat, expiry, slow readers, shutdown --------------------------------------------


async def test_the_server_pings_and_a_silent_client_is_hung_up_on(start: Start) -> None:
    async with start(ping_seconds=0.4) as town, phone(town.url) as silent, phone(town.url) as one:
        await one.hello(town.token(), {"id": town.stream})
        answering = asyncio.create_task(one.until(1))
        began = time.monotonic()
        await silent.hello(town.token())
        pings = 0
        code = None
        while code is None:
            frame = json.loads(await silent.socket.recv())
            if frame["type"] == "ping":
                assert abs(frame["t"] / 1000 - time.time()) < 60
                pings += 1
            elif frame["type"] != "volatile":
                assert frame == {"type": "error", "code": "silent"}
                code, _ = await silent.closed()
        assert code == 4408
        assert 1 <= pings <= 2
        assert 2.5 * 0.4 <= time.monotonic() - began < 10

        await town.happen()  # the other one answered its pings and is still there
        await answering


async def test_the_server_answers_a_ping(town: Town) -> None:
    async with phone(town.url) as one:
        await one.hello(town.token())
        await one.say(type="ping", t=42)
        assert await one.control("pong") == {"type": "pong", "t": 42}


async def test_a_token_that_runs_out_ends_the_connection(start: Start, clock: ManualClock) -> None:
    async with start(ping_seconds=0.05) as town, phone(town.url) as one:
        await one.hello(town.token())
        clock.advance(seconds=town.services.settings.access_token_seconds)
        assert await one.closed() == (4401, "token-expired")


async def test_a_client_that_left_is_forgotten(town: Town) -> None:
    async with phone(town.url) as one:
        await one.hello(town.token(), {"id": town.stream})
        hub = town.services.live.hub
        assert [channel.stream for channel in hub.followed] == [town.stream]
    async with asyncio.timeout(5):
        while hub.followed:  # noqa: ASYNC110  the server notices in its own time
            await asyncio.sleep(0.01)


async def test_a_slow_reader_is_sent_to_the_log_and_costs_the_others_nothing(town: Town) -> None:
    me = town.world.id("resident1")
    stream = user_stream(me)

    async def burst() -> None:
        async with town.services.db.begin() as tx:
            for _ in range(20):
                tx.emit(notified(me, "x" * 15_000))

    async with phone(town.url) as quick, phone(town.url, max_queue=1) as slow:
        await quick.hello(town.token(), {"id": stream})
        await slow.hello(town.token(), {"id": stream})
        total = 0
        channel = town.services.live.hub.channel(stream)
        assert channel is not None
        # fills the buffers of both kernels, then the queue
        while len(channel.followers) == 2 and total < 4000:
            await burst()
            total += 40  # each with the notice that it puts into the inbox
            await quick.until(total)
        code, reason = await slow.closed()

    assert (code, reason) == (4410, "resync")
    assert [event["seq"] for event in quick.events] == list(range(1, total + 1))
    got = [event["seq"] for event in slow.events]
    assert got == list(range(1, len(got) + 1))
    assert len(got) < total


async def test_who_was_behind_gets_the_last_volatile_value_once_it_has_read_on(town: Town) -> None:
    """A reader that does not keep up goes without, and then is told how things stand now."""
    me = town.world.id("resident1")
    hub = town.services.live.hub

    def tell(heads: int) -> None:
        channel = hub.channel(town.stream)
        assert channel is not None
        value = Volatile(stream=town.stream, key="turnout", data={"heads": heads})
        hub.publish_volatile(channel, "turnout", text_frame(value.model_dump_json()))

    with socket.socket() as small:
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        small.connect(("127.0.0.1", urlsplit(town.url).port))
        async with phone(town.url, sock=small, max_queue=1) as slow, phone(town.url) as beside:
            await slow.hello(town.token(), {"id": user_stream(me)}, {"id": town.stream})
            await beside.hello(town.token("resident2"), {"id": town.stream})
            [behind] = [s for s in town.services.live.sockets if s.actor.person_id == me]
            sent = 0
            while behind._backlog is None and sent < 200:
                async with town.services.db.begin() as tx:
                    tx.emit(notified(me, "x" * 15_000))
                sent += 1
                await town.services.relay.drain()
            assert behind._backlog is not None
            for heads in (1, 2, 3):
                tell(heads)
            came: list[dict[str, int]] = []
            async with asyncio.timeout(20):
                while slow.volatile.get((town.stream, "turnout")) is None:
                    await slow.say(type="ping", t=0)
                    while (await slow.frame())["type"] != "pong":
                        if value := slow.volatile.get((town.stream, "turnout")):
                            came.append(value)
            assert behind._backlog is None
            await beside.say(type="ping", t=0)
            await beside.control("pong")
    assert slow.volatile[town.stream, "turnout"] == {"heads": 3}
    assert all(value == {"heads": 3} for value in came)
    assert beside.volatile[town.stream, "turnout"] == {"heads": 3}
    assert len([e for e in slow.events if e["type"] == "user.notified"]) == sent


async def test_the_kernel_does_not_hide_a_reader_who_reads_nothing(town: Town) -> None:
    """It would take megabytes before we noticed."""
    me = town.world.id("resident1")
    with socket.socket() as small:
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        small.connect(("127.0.0.1", urlsplit(town.url).port))
        async with phone(town.url, sock=small, max_queue=1) as slow:
            await slow.hello(town.token(), {"id": user_stream(me)})
            channel = town.services.live.hub.channel(user_stream(me))
            assert channel is not None
            sent = 0
            while channel.followers and sent < 4_000_000:
                async with town.services.db.begin() as tx:
                    for _ in range(10):
                        tx.emit(notified(me, "x" * 15_000))
                sent += 150_000
                await town.services.relay.drain()
            code, reason = await slow.closed()

    assert (code, reason) == (4410, "resync")
    assert sent < 1_500_000


async def test_a_restart_tells_every_socket_to_come_back_and_is_prompt(start: Start) -> None:
    running = start()
    town = await running.__aenter__()
    async with phone(town.url) as one, phone(town.url) as two, phone(town.url) as mute:
        await one.hello(town.token(), {"id": town.stream})
        await two.hello(town.token())
        began = time.monotonic()
        stopping = asyncio.create_task(running.__aexit__(None, None, None))
        ends = await asyncio.gather(one.closed(), two.closed(), mute.closed())
        await stopping
        took = time.monotonic() - began

    assert ends == [(1012, "retry_within=10")] * 3
    assert took < 2
