"""What goes wrong on the way: scripted faults, and no callers but from this machine."""

import asyncio
import ipaddress
import socket
import struct

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.fake_wechat.state import FakeWechat, Fault
from api.fake_wechat.tokens import AccessTokens

RESETTABLE = "minyi.connection"


class Resettable(HttpToolsProtocol):
    """uvicorn's HTTP, which lets the application have the connection to break it."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {RESETTABLE: {"transport": self.transport}}


class Faults:
    """Pure ASGI middleware around the whole fake."""

    def __init__(self, app: ASGIApp, fake: FakeWechat, tokens: AccessTokens) -> None:
        self.app = app
        self.fake = fake
        self.tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if not _from_here(scope):
            await PlainTextResponse("loopback only", 403)(scope, receive, send)
            return
        self.fake.calls[scope["path"]] += 1
        answer: ASGIApp = self.app
        match self._take(scope["path"]):
            case Fault(kind="errcode", errcode=errcode):
                answer = JSONResponse(self.fake.refusal(errcode))
            case Fault(kind="html"):
                answer = Response("<html>502 Bad Gateway</html>", 502, media_type="text/html")
            case Fault(kind="truncated"):
                answer = Response('{"openid":"o', media_type="text/plain")
            case Fault(kind="lost"):  # done, but nobody hears of it
                await self.app(scope, receive, _nowhere)
                await _cut(send)
                return
            case Fault(kind="reset"):  # not even looked at
                await _reset(scope)
                return
            case Fault(kind="drip", seconds=seconds):
                await _drip(send, seconds)
                return
            case Fault(kind="slow", seconds=seconds):
                await asyncio.sleep(seconds)
            case Fault(kind="token_dies"):
                self.tokens.kill()
        await answer(scope, receive, send)

    def _take(self, path: str) -> Fault | None:
        for fault in self.fake.faults:
            everywhere = fault.path == "*" and not path.startswith("/__fake__/")
            if (fault.path == path or everywhere) and fault.n > 0:
                fault.n -= 1
                return fault
        return None


def _from_here(scope: Scope) -> bool:
    client = scope.get("client")
    return client is not None and ipaddress.ip_address(client[0]).is_loopback


async def _nowhere(message: Message) -> None:
    pass


async def _reset(scope: Scope) -> None:
    """The other side hears that the connection is no more, and not one byte of an answer."""
    transport: asyncio.Transport = scope["extensions"][RESETTABLE]["transport"]
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await asyncio.sleep(0.01)  # the server has heard, too, and does not look for an answer


async def _cut(send: Send) -> None:
    """Promise a thousand bytes and stop: the server then closes the connection."""
    headers = [(b"content-length", b"1000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{", "more_body": True})


async def _drip(send: Send, seconds: float) -> None:
    """Spaces before JSON, one at a time, never late enough for a timeout of reading."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(int(seconds / 0.1)):
        await send({"type": "http.response.body", "body": b" ", "more_body": True})
        await asyncio.sleep(0.1)
    await send({"type": "http.response.body", "body": b"{}"})
