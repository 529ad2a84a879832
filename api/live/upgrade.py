"""From HTTP to the live socket on the same port."""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import is_ssl
from websockets.datastructures import Headers
from websockets.http11 import Request

from api.live.wire import Wire
from api.logs import log
from api.one_write import OneWrite


class Http(HttpToolsProtocol):
    """uvicorn's HTTP, which gives an upgrade away as it has read it, where uvicorn would write it
    out again for another parser. ``ws`` of the configuration makes the ``Wire``."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """As uvicorn does it, which makes a socket object each time to look up two addresses."""
        self.connections.add(self)
        self.transport = transport
        self.flow = FlowControl(transport)
        self.server = _address(transport.get_extra_info("sockname"))
        self.client = _address(transport.get_extra_info("peername"))
        self.scheme = "https" if is_ssl(transport) else "http"

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        cycle.__class__ = OneWrite  # uvicorn makes its own by name
        super()._start_asgi_task(cycle, app)

    def handle_websocket_upgrade(self) -> None:
        self.connections.discard(self)
        make = cast(Any, self.ws_protocol_class)
        wire: Wire = make()
        wire.connection_made(self.transport)
        headers = Headers(
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in self.scope["headers"]
        )
        method, version = self.scope["method"], self.scope["http_version"]
        path, protocol = self.url.decode("latin-1"), f"HTTP/{version}"
        # Before the answer: whatever happens from here on, its end is told to the wire.
        self.transport.set_protocol(wire)
        self.parser = None  # ends the circle in which they hold each other
        try:
            wire.shake(Request(path, headers, method=method, protocol=protocol), self.client)
        except Exception as error:
            log.error("live upgrade", error_type=type(error).__name__)
            wire.abort()


def _address(name: Any) -> tuple[str, int] | None:
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else None
