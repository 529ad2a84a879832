"""The server process: uvicorn as this application needs it, for ``minyi serve`` and in-loop.

Open sockets are told to come back (1012, with a spread) before uvicorn closes what is left.
"""

import asyncio
import gc
import os
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from fastapi import FastAPI

from api.app import build_app
from api.live.upgrade import Http
from api.settings import Settings

BACKLOG = 4096
"""Connections that may wait to be accepted, for when everybody comes back at once."""
GRACE_SECONDS = 5
UNSENT_BYTES = 64 * 1024
"""What the kernel may hold for a connection besides what is on its way. It would take megabytes
for a phone that does not read: out of sight of the bounds of ``api/live/wire.py``, and old by the
time the phone reads on."""


def collect_less() -> None:
    """Requests and sockets make objects by the thousand, and hardly any of them form circles: to
    look for those as often as Python does takes a tenth of the time."""
    gc.set_threshold(50_000, 20, 100)


class Server(uvicorn.Server):
    alone = True
    """Whether the process is there for nothing else."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except SystemExit as exit:  # a task that raises it would tear down the caller's loop
            raise RuntimeError("the application did not start") from exit
        for listening in self.servers:
            for one in listening.sockets:
                _bound_unsent(one)
        if self.alone:
            collect_less()
            gc.collect()
            gc.freeze()  # what is there now stays: no collection need look through it again

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        services = getattr(getattr(self.config.app, "state", None), "services", None)
        if services is not None:  # the fake WeChat has no sockets
            await services.live.close()
        await super().shutdown(sockets)


def _bound_unsent(listener: socket.socket) -> None:
    """Connections have it from their listener."""
    if listener.family in (socket.AF_INET, socket.AF_INET6):
        with socket.socket(fileno=os.dup(listener.fileno())) as one:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)


class GuestServer(Server):
    """Runs inside somebody else's loop, and leaves the signals to them."""

    alone = False

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def configure(app: FastAPI, *, host: str, port: int) -> uvicorn.Config:
    services = getattr(app.state, "services", None)
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=getattr(app.state, "http", "httptools") if services is None else Http,
        ws="none" if services is None else services.live.socket,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_SECONDS,
        access_log=False,  # api/logs.py writes one line per request
        log_config=None,
        log_level="warning",
        server_header=False,
        lifespan="on",
        forwarded_allow_ips=[] if services is None else services.settings.trusted_proxies,
    )


def run(settings: Settings) -> None:
    """Serve until a signal says stop."""
    app = build_app(settings)
    Server(configure(app, host=settings.host, port=settings.port)).run()


@asynccontextmanager
async def serving(app: FastAPI, port: int = 0) -> AsyncGenerator[str]:
    """Serve ``app`` in the running loop on a loopback port (a free one for 0), for tests, replay
    and the demo check. Yields the base URL, ``http://127.0.0.1:{port}``, ready for requests."""
    # Named as TCP, or asyncio leaves Nagle's algorithm on: 40 ms for every request.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        port = listener.getsockname()[1]
        server = GuestServer(configure(app, host="127.0.0.1", port=port))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:
                if task.done():
                    await task  # raises what went wrong
                await asyncio.sleep(0.005)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            await asyncio.wait([task])
        await task
