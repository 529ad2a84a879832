"""RFC 6455 on the lean protocol: whatever comes in, in whatever pieces, it answers as the
``websockets`` library would, keeps nothing, and harms nobody else. Real clients agree."""

import asyncio
import base64
import json
import os
import random
import shutil
import subprocess
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.frames import BINARY, CLOSE, CONT, PING, PONG, TEXT, Close, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from api.live.wire import FRAME_LIMIT, Lines, Phase, Wire
from tests import node
from tests.live import Town, phone

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Pipe:
    """A transport that writes down."""

    def __init__(self) -> None:
        self.sent = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed, "written after the end"
        self.sent += data

    def close(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return 0


class Plain(Wire):
    """Writes down what it hears."""

    def __init__(self, lines: Lines) -> None:
        super().__init__(lines)
        self.heard: list[bytes | None] = []
        self.frames = 0

    def on_text(self, text: bytes) -> None:
        self.heard.append(text)

    def on_binary(self) -> None:
        self.heard.append(None)

    def on_frames(self, count: int) -> None:
        self.frames += count


def opened(lines: Lines) -> tuple[Plain, Pipe]:
    wire, pipe = Plain(lines), Pipe()
    wire.connection_made(pipe)  # type: ignore[arg-type]
    wire.phase = Phase.OPEN
    return wire, pipe


def as_client(opcode: Opcode, data: bytes, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


def library(stream: bytes) -> tuple[list[bytes | None], bytes]:
    """What the library makes of it: whole messages, and all that it answers."""
    fresh = ServerProtocol(max_size=FRAME_LIMIT, state=State.OPEN)
    fresh.receive_data(stream)
    heard: list[bytes | None] = []
    parts: list[bytes] = []
    for event in fresh.events_received():
        assert isinstance(event, Frame)
        if event.opcode is BINARY:
            heard.append(None)
        elif event.opcode in (TEXT, CONT):
            parts.append(bytes(event.data))
            if event.fin:
                heard.append(b"".join(parts))
                parts = []
    return heard, b"".join(fresh.data_to_send())


SMALL = st.binary(max_size=140)
FRAMES = st.one_of(
    st.builds(as_client, st.just(TEXT), SMALL),
    st.builds(as_client, st.just(TEXT), st.binary(min_size=FRAME_LIMIT - 2, max_size=FRAME_LIMIT)),
    st.builds(as_client, st.sampled_from([PING, PONG]), st.binary(max_size=125)),
    st.lists(SMALL, min_size=2, max_size=4).map(
        lambda parts: b"".join(
            as_client(TEXT if n == 0 else CONT, part, n == len(parts) - 1)
            for n, part in enumerate(parts)
        )
    ),
)
BROKEN = st.one_of(
    st.binary(max_size=40),
    st.builds(as_client, st.just(CONT), SMALL),
    st.builds(
        as_client, st.just(TEXT), st.binary(min_size=FRAME_LIMIT + 1, max_size=FRAME_LIMIT + 9)
    ),
    st.builds(as_client, st.just(CLOSE), st.just(Close(1000, "bye").serialize())),
    st.builds(as_client, st.just(CLOSE), st.binary(max_size=4)),
    st.builds(lambda data: Frame(TEXT, data).serialize(mask=False), SMALL),
    st.builds(lambda data: bytes([0xC1]) + as_client(TEXT, data)[1:], SMALL),  # a reserved bit
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    frames=st.lists(FRAMES, max_size=6),
    tail=st.one_of(st.just(b""), BROKEN),
    seed=st.integers(0, 2**32),
)
def test_what_comes_in_pieces_is_heard_and_answered_as_the_library_does(
    frames: list[bytes], tail: bytes, seed: int
) -> None:
    stream = b"".join(frames) + tail
    heard, answers = library(stream)
    cut = random.Random(seed)

    async def story() -> None:
        lines = Lines("x", "/")
        wire, pipe = opened(lines)
        idle, _ = opened(lines)
        rest = stream
        while rest:
            size = cut.choice([1, 2, 3, 5, 60, len(rest)])
            piece, rest = rest[:size], rest[size:]
            if not pipe.closed:
                wire.data_received(piece)
        assert wire.heard == heard or (pipe.closed and heard[: len(wire.heard)] == wire.heard)
        assert pipe.sent == answers
        if wire.phase is Phase.OPEN and not tail:
            assert wire._parser is None, "an idle connection holds no parser"
        wire.connection_lost(None)
        # and the parsers that went round are as new
        idle.data_received(as_client(TEXT, b"still here"))
        assert idle.heard == [b"still here"]

    asyncio.run(story())


async def test_parsers_are_shared_and_a_half_frame_keeps_its_own() -> None:
    lines = Lines("x", "/")
    one, _ = opened(lines)
    two, _ = opened(lines)
    frame = as_client(TEXT, b"first")
    one.data_received(frame[:3])
    two.data_received(as_client(TEXT, b"second"))
    one.data_received(frame[3:])
    two.data_received(as_client(TEXT, b"third"))

    assert (one.heard, two.heard) == ([b"first"], [b"second", b"third"])
    assert one._parser is two._parser is None
    assert len(lines._spare) == 2


async def test_what_one_turn_brings_leaves_in_one_write() -> None:
    class Counting(Pipe):
        writes = 0

        def write(self, data: bytes) -> None:
            self.writes += 1
            super().write(data)

    lines = Lines("x", "/")
    wire, pipe = Plain(lines), Counting()
    wire.connection_made(pipe)  # type: ignore[arg-type]
    wire.phase = Phase.OPEN
    for frame in (b"a", b"b", b"c"):
        wire.push(frame)
    assert pipe.sent == b""
    await asyncio.sleep(0)

    assert (pipe.sent, pipe.writes) == (b"abc", 1)


async def test_a_backlog_is_bounded_drops_volatile_values_and_gives_up() -> None:
    class Behind(Plain):
        overflows = 0
        reliefs = 0

        def on_overflow(self) -> None:
            self.overflows += 1

        def on_relief(self) -> None:
            self.reliefs += 1

    lines, pipe = Lines("x", "/"), Pipe()
    wire = Behind(lines)
    wire.connection_made(pipe)  # type: ignore[arg-type]
    wire.phase = Phase.OPEN
    wire.pause_writing()
    assert not wire.push_volatile(b"v")
    for n in range(200):
        wire.push(b"%03d" % n)
    wire.resume_writing()
    assert pipe.sent == b"".join(b"%03d" % n for n in range(200))
    assert (wire.overflows, wire.reliefs) == (0, 1)

    wire.pause_writing()
    wire.push(b"x" * 10, 256)
    assert wire.overflows == 0
    wire.push(b"x")
    assert wire.overflows == 1
    wire.resume_writing()
    wire.pause_writing()
    wire.push(b"x" * (512 * 1024 + 1))
    assert wire.overflows == 2


# ---- against real clients and a running server -----------------------------------------------


@on_sqlite
async def test_garbage_ends_its_own_connection_and_no_other(town: Town) -> None:
    """Random bytes after a good handshake: each of these connections ends with a close of the
    protocol, a phone beside them goes on, and nothing of them stays behind."""
    host, port = town.url.removeprefix("http://").split(":")
    rng = random.Random(20261125)
    async with phone(town.url) as beside:
        await beside.hello(town.token(), {"id": town.stream})
        for _ in range(60):
            reader, writer = await asyncio.open_connection(host, int(port))
            key = base64.b64encode(os.urandom(16)).decode()
            writer.write(
                f"GET /v1/live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
                f"Sec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
            junk = bytearray(rng.randbytes(rng.randrange(10, 120)))
            junk[0] |= 0x70  # reserved bits: never a frame
            junk[1] = rng.choice([0x80, 0]) | (len(junk) - 6)  # whole; masked, or not as it must
            writer.write(junk)
            answer = await asyncio.wait_for(reader.read(), 10)
            assert answer[0] == 0x88, answer
            assert int.from_bytes(answer[2:4], "big") == 1002
            writer.close()
        await town.happen()
        await beside.until(1)
    async with asyncio.timeout(5):
        while town.services.live.sockets:  # noqa: ASYNC110  the server notices in its own time
            await asyncio.sleep(0.01)


@on_sqlite
async def test_a_hello_in_fragments_between_pings_is_a_hello(town: Town) -> None:
    async with phone(town.url) as one:
        text = json.dumps({"type": "hello", "token": town.token(), "streams": []})

        async def parts() -> Any:
            for start in range(0, len(text), 50):
                yield text[start : start + 50]
                if start % 100 == 0:
                    await one.socket.ping()

        await one.socket.send(parts())
        await one.control("welcome")
        pong = await one.socket.ping(b"are you there")
        await asyncio.wait_for(pong, 5)


@on_sqlite
async def test_text_that_is_no_utf_8_is_closed_with_1007(town: Town) -> None:
    async with phone(town.url) as one:
        await one.hello(town.token())
        await one.socket.send(b"\xff\xfe", text=True)
        assert (await one.closed())[0] == 1007


NODE_CLIENT = """
const WebSocket = require('ws');
const [url, token, stream, count] = process.argv.slice(1);
const seen = [];
const ws = new WebSocket(url, 'dc.live.v1', {perMessageDeflate: true});
ws.on('open', () => ws.send(JSON.stringify(
  {type: 'hello', token, client: 'node/1', streams: [{id: stream, after_seq: 0}]})));
ws.on('message', data => {
  const frame = JSON.parse(data);
  if (frame.type === 'live') ws.ping('hello there');
  if (frame.seq) seen.push(frame.seq);
  if (seen.length == count) ws.close(1000, 'enough');
});
let pong = null;
ws.on('pong', data => pong = data.toString());
ws.on('close', (code, reason) => console.log(JSON.stringify(
  {seen, code, reason: reason.toString(), protocol: ws.protocol, extensions: ws.extensions,
   pong})));
ws.on('error', error => { console.log(JSON.stringify({error: String(error)})); process.exit(1); });
"""


@on_sqlite
async def test_node_ws_agrees(town: Town, pytestconfig: pytest.Config) -> None:
    modules = node.packages(pytestconfig)
    program = shutil.which("node")
    assert program is not None
    await town.numbered(30)
    process = await asyncio.create_subprocess_exec(
        program,
        "-e",
        NODE_CLIENT,
        town.url.replace("http", "ws") + "/v1/live",
        town.token(),
        town.stream,
        "40",
        env={**os.environ, "NODE_PATH": str(modules)},
        stdout=subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        while not town.services.live.hub.followed:  # noqa: ASYNC110  it is another process
            await asyncio.sleep(0.02)
        await town.happen(10)
        output, _ = await process.communicate()
    assert json.loads(output) == {
        "seen": list(range(1, 41)),
        "code": 1000,
        "reason": "enough",
        "protocol": "dc.live.v1",
        "extensions": "",
        "pong": "hello there",
    }


BROWSER_CLIENT = """
([url, token, stream, count]) => new Promise((resolve, reject) => {
  const seen = [];
  const ws = new WebSocket(url, ['dc.live.v1']);
  ws.onopen = () => ws.send(JSON.stringify(
    {type: 'hello', token, client: 'browser/1', streams: [{id: stream, after_seq: 0}]}));
  ws.onmessage = message => {
    const frame = JSON.parse(message.data);
    if (frame.seq) seen.push(frame.seq);
    if (seen.length == count) ws.close(1000, 'enough');
  };
  ws.onclose = end => resolve({seen, code: end.code, reason: end.reason, protocol: ws.protocol,
    extensions: ws.extensions});
  ws.onerror = error => reject(String(error));
})
"""


@on_sqlite
async def test_a_browser_agrees(town: Town) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        if os.environ.get("REQUIRE_ALL"):
            pytest.fail("Chromium is required (REQUIRE_ALL) and not installed")
        pytest.skip("Chromium is not installed")
    from playwright.async_api import async_playwright

    await town.numbered(30)
    async with async_playwright() as tools:
        browser = await tools.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = await browser.new_page()
        await page.goto(town.url + "/healthz")
        told = asyncio.create_task(
            page.evaluate(
                BROWSER_CLIENT,
                [town.url.replace("http", "ws") + "/v1/live", town.token(), town.stream, 40],
            )
        )
        async with asyncio.timeout(30):
            while not town.services.live.hub.followed:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            await town.happen(10)
            answer = await told
        await browser.close()
    assert answer == {
        "seen": list(range(1, 41)),
        "code": 1000,
        "reason": "enough",
        "protocol": "dc.live.v1",
        "extensions": "",
    }
