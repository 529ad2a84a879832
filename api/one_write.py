"""An answer's head and body leave in one write, and so in one packet.

uvicorn writes the head by itself, which is a second call to the system and a second packet for each
answer. ASGI has it as here: nothing goes out before the first of the body, so that an application
that fails in between still answers with an error.
"""

from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


class OneWrite(RequestResponseCycle):
    """uvicorn's own, but for when it writes."""

    _head: Any = None

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start" and not self.response_started:
            self._head = message
            return
        head, self._head = self._head, None
        if head is None:
            await super().send(message)
            return
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        transport: Any = self.transport
        held: Any = _Held()
        self.transport = held
        try:
            await super().send(head)
            await super().send(message)
        finally:
            self.transport = transport
            if held.parts:
                transport.write(b"".join(held.parts))
            if held.closed:
                transport.close()


class _Held:
    __slots__ = ("closed", "parts", "write")

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.write = self.parts.append
        self.closed = False

    def close(self) -> None:
        self.closed = True
