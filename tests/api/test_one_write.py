"""An answer leaves in one write, whatever the application does in between."""

import asyncio
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from api.live.upgrade import Http


class Line(asyncio.Transport):
    """What would go to the other end, write by write."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 5000), "sockname": ("192.0.2.2", 80)})
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def asked(app: Any, request: bytes) -> Line:
    config = uvicorn.Config(app, http=Http, ws="none", log_config=None, access_log=False)
    config.load()
    protocol = Http(config=config, server_state=ServerState(), app_state={})
    line = Line()
    protocol.connection_made(line)
    protocol.data_received(request)
    await asyncio.gather(*protocol.tasks)
    if protocol.timeout_keep_alive_task is not None:
        protocol.timeout_keep_alive_task.cancel()
    return line


GET = b"GET / HTTP/1.1\r\nhost: minyi.test\r\n\r\n"
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]}


def answering(*messages: dict[str, Any], then: Exception | None = None) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)
        if then is not None:
            raise then

    return app


async def test_head_and_body_leave_together() -> None:
    line = await asked(answering(START, {"type": "http.response.body", "body": b"hello"}), GET)
    [written] = line.writes
    assert written.startswith(b"HTTP/1.1 200 OK\r\n")
    assert written.endswith(b"\r\n\r\nhello")
    assert not line.closed


async def test_a_long_answer_goes_out_as_it_comes() -> None:
    first = {"type": "http.response.body", "body": b"he", "more_body": True}
    line = await asked(answering(START, first, {"type": "http.response.body", "body": b"llo"}), GET)
    assert [written[-3:] for written in line.writes] == [b"\nhe", b"llo"]


async def test_who_asks_for_a_close_is_answered_first() -> None:
    ends = GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    line = await asked(answering(START, {"type": "http.response.body", "body": b"hello"}), ends)
    assert line.writes[0].endswith(b"hello")
    assert line.closed


@pytest.mark.parametrize("said", [(), (START,)])
async def test_who_fails_before_the_body_answers_with_an_error(said: tuple[Any, ...]) -> None:
    line = await asked(answering(*said, then=ValueError("broken")), GET)
    assert b"".join(line.writes).startswith(b"HTTP/1.1 500 ")
