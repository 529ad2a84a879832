"""The servers of ``bench live``, one per process: the application as shipped, and what it is
measured against.

    python -m api.bench.live_servers KIND PORT CONTROL_PORT

``app`` is the application. ``uvicorn`` is uvicorn's default WebSocket with a plain loop over the
subscribers and the same check of the same tokens. ``bare`` only writes a ready frame to each
transport. All take the same hello, and all publish when ``go COUNT`` comes on the control port.
"""

import asyncio
import base64
import hashlib
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import uvicorn
from sqlalchemy.event import listen

from api.settings import Settings, load
from consultation.database import system_clock
from consultation.ids import random_id

EVENT_BYTES = 200
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

Publish = Callable[[int], Awaitable[None]]


def event_text(stream: str, seq: int) -> str:
    """An event of the live stream that is 200 bytes long, as the envelope makes it."""
    from notifications.messages import Envelope

    def text(filling: str) -> str:
        return Envelope(
            stream=stream,
            seq=seq,
            id=UUID(int=seq),
            type="a.b",
            ts=system_clock().replace(microsecond=0),
            data={"k": filling} if filling else {},
        ).frame()

    return text("x" * max(1, EVENT_BYTES - len(text("")) - 6))


async def control(
    port: int, publish: Publish, tell: Callable[[], dict[str, int]] = dict[str, int]
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            match line.split():
                case [b"go", count]:
                    await publish(int(count))
                case _:
                    writer.write(json.dumps(tell()).encode() + b"\n")

    await asyncio.start_server(serve, "127.0.0.1", port)


# ---- the application ----------------------------------------------------------------------


def serve_app(settings: Settings, stream: str, port: int, control_port: int) -> None:
    from api import logs, server
    from api.app import build_app
    from consultation.events.community import RegisterImported
    from notifications.messages import Envelope

    assert settings.log_path is not None
    logs.configure(settings.log_path.open("a"))
    app = build_app(settings)
    services = app.state.services

    async def publish(count: int) -> None:
        """As the relay does with a batch it has numbered."""
        channel = services.live.hub.channel(stream)
        first = channel.head + 1
        services.live.hub.publish(
            [
                Envelope.model_validate_json(event_text(stream, seq))
                for seq in range(first, first + count)
            ],
            channel.epoch,
        )

    async def command(count: int) -> None:
        """Through the journal: a command that commits, the relay that numbers and publishes."""
        async with services.db.begin() as tx:
            for row in range(count):
                tx.emit(
                    RegisterImported(
                        community_id=UUID(stream.partition(":")[2]), kind="bench", rows=row
                    )
                )

    statements = 0

    def count(*details: Any) -> None:
        nonlocal statements
        statements += 1

    for engine in {services.db.writer, services.db.reader}:
        listen(engine.sync_engine, "before_cursor_execute", count)

    def tell() -> dict[str, int]:
        return {"statements": statements, "sockets": len(services.live.sockets)}

    async def run() -> None:
        await control(control_port, publish, tell)
        await control(control_port + 1, command)
        await server.Server(server.configure(app, host="127.0.0.1", port=port)).serve()

    import uvloop

    uvloop.run(run())


# ---- uvicorn's default and a plain loop ----------------------------------------------------


def serve_uvicorn(settings: Settings, stream: str, port: int, control_port: int) -> None:
    from api.tokens import Tokens

    tokens = Tokens(settings, system_clock)
    subscribers: dict[int, Any] = {}
    seq = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ok"})
            return
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "dc.live.v1"})
        said = json.loads((await receive())["text"])
        tokens.read(said["token"])
        await send({"type": "websocket.send", "text": welcome(stream, seq)})
        await send({"type": "websocket.send", "text": '{"type":"live"}'})
        subscribers[id(send)] = send
        while (await receive())["type"] != "websocket.disconnect":
            pass
        subscribers.pop(id(send), None)

    async def publish(count: int) -> None:
        nonlocal seq
        for _ in range(count):
            seq += 1
            text = event_text(stream, seq)
            for send in list(subscribers.values()):
                await send({"type": "websocket.send", "text": text})

    async def run() -> None:
        await control(control_port, publish)
        config = uvicorn.Config(
            app, host="127.0.0.1", port=port, log_level="error", access_log=False, backlog=4096
        )
        await uvicorn.Server(config).serve()

    import uvloop

    uvloop.run(run())


# ---- bare transports -------------------------------------------------------------------------


def serve_bare(settings: Settings, stream: str, port: int, control_port: int) -> None:
    from notifications.frames import text_frame

    transports: dict[Any, None] = {}
    seq = 0

    class Bare(asyncio.Protocol):
        __slots__ = ("transport",)
        transport: Any

        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            if data[:3] == b"GET":
                key = data.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
                accept = base64.b64encode(hashlib.sha1(key + GUID).digest())  # noqa: S324  RFC 6455
                self.transport.write(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                    b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
                )
            elif self.transport not in transports:
                transports[self.transport] = None
                self.transport.write(
                    text_frame(welcome(stream, seq)) + text_frame('{"type":"live"}')
                )

        def connection_lost(self, exc: Exception | None) -> None:
            transports.pop(self.transport, None)

    async def publish(count: int) -> None:
        nonlocal seq
        for _ in range(count):
            seq += 1
            frame = text_frame(event_text(stream, seq))
            for transport in transports:
                transport.write(frame)

    async def run() -> None:
        await control(control_port, publish)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Bare, "127.0.0.1", port, backlog=4096)
        await server.serve_forever()

    import uvloop

    uvloop.run(run())


def welcome(stream: str, head: int) -> str:
    state = {
        "id": stream,
        "epoch": "0",
        "head_seq": head,
        "recovered": False,
        "reason": "no_cursor",
    }
    return json.dumps(
        {"type": "welcome", "v": 1, "conn_id": random_id().hex, "ping_s": 25, "streams": [state]},
        separators=(",", ":"),
    )


KINDS = {"app": serve_app, "uvicorn": serve_uvicorn, "bare": serve_bare}

if __name__ == "__main__":
    kind, stream, port, control_port = sys.argv[1:]
    KINDS[kind](load(), stream, int(port), int(control_port))
