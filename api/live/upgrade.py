"""From HTTP to the live socket on the same port."""

from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from websockets.datastructures import Headers
from websockets.http11 import Request

from api.live.wire import Wire


class Http(HttpToolsProtocol):
    """uvicorn's HTTP, which gives an upgrade away as it has read it, where uvicorn would write it
    out again for another parser. ``ws`` of the configuration makes the ``Wire``."""

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
        wire.shake(Request(path, headers, method=method, protocol=protocol), self.client)
        self.transport.set_protocol(wire)
        self.parser = None  # ends the circle in which they hold each other
