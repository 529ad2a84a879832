"""RFC 6455 on one connection, lean: ``upgrade.py`` hands over the request and the transport.

What comes in is read by the ``websockets`` library (handshake, limits, fragments, control frames,
close). A parser is lent to a connection only while something has come in half, so that ten
thousand idle connections need none. What goes out are ready frames, shared by all who get them:
whatever one connection is sent within one turn of the loop leaves in one write.

Nothing here knows what the frames say.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, cast

from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.streams import StreamReader
from websockets.typing import Subprotocol

FRAME_LIMIT = 16 * 1024
"""Bytes of one message from a client; a hello with 64 streams has about half of it."""
SPARE_PARSERS = 64
MAX_FRAMES = 256
MAX_BYTES = 512 * 1024
"""What may wait for a slow reader, in frames and in bytes, those in the transport included."""
PING = b"\x89\x00"
"""A ping of the protocol itself, which a browser answers by itself."""

_quiet = logging.getLogger("minyi.live.wire")
_quiet.disabled = True  # api/logs.py writes one line per connection


class Parser(ServerProtocol):
    """``parts`` holds the fragments of a message that is not yet whole."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_size=FRAME_LIMIT, logger=_quiet, **options)
        self.parts: list[bytes] = []

    def at_rest(self) -> bool:
        """Between two messages of an open connection: nothing of this connection is in it. The
        library parses in nested generators; the innermost is the one that waits."""
        if self.state is not OPEN or self.current_size is not None or self.reader.buffer:
            return False
        waiting: Any = self.parser
        while (inner := waiting.gi_yieldfrom) is not None:
            waiting = inner
        return waiting.gi_code is StreamReader.at_eof.__code__


def _choose(parser: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Ours if it is offered, else none: some clients cannot offer any."""
    ours = parser.available_subprotocols or ()
    return next((one for one in ours if one in offered), None)


class Phase(IntEnum):
    SHAKING = 0
    OPEN = 1
    CLOSING = 2
    """We said close and wait, for a moment, until the client has heard it."""
    LOST = 3


class Lines:
    """What the connections of one process share: spare parsers, and who is to be written to."""

    def __init__(self, subprotocol: str, path: str) -> None:
        self.subprotocol = subprotocol
        self.path = path
        self.shaker = Parser(subprotocols=[Subprotocol(subprotocol)], select_subprotocol=_choose)
        """Answers every request; it reads and sends nothing itself."""
        self._spare: list[Parser] = []
        self._to_write: list[Wire] = []

    def lend(self) -> Parser:
        return self._spare.pop() if self._spare else Parser(state=OPEN)

    def give_back(self, parser: Parser) -> None:
        if len(self._spare) < SPARE_PARSERS:
            self._spare.append(parser)
        else:
            parser.parser.close()  # ends the circle in which parser and generator hold each other

    def write_soon(self, wire: "Wire") -> None:
        if not self._to_write:
            asyncio.get_running_loop().call_soon(self._write)
        self._to_write.append(wire)

    def _write(self) -> None:
        wires, self._to_write = self._to_write, []
        for wire in wires:
            wire.flush()


class Backlog:
    """What waits for a reader that does not keep up."""

    __slots__ = ("frames", "size", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[bytes] = deque()
        self.frames = 0
        self.size = 0


class Wire(asyncio.Protocol):
    """Below it the transport, above it ``on_open``, ``on_text``, ``on_binary``, ``on_overflow``,
    ``on_relief`` and ``on_lost`` of a subclass."""

    __slots__ = ("_backlog", "_parser", "_pending", "lines", "phase", "transport")

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)
        self.phase = Phase.SHAKING
        self._parser: Parser | None = None
        self._pending: bytes | list[bytes] | None = None
        self._backlog: Backlog | None = None

    # ---- for the subclass -------------------------------------------------------------

    def on_open(self, headers: Headers, peer: tuple[str, int] | None) -> None:
        """The handshake is done; what the request said, and the address at the other end."""

    def on_text(self, text: bytes) -> None:
        """A whole message; UTF-8 has not been checked."""

    def on_binary(self) -> None: ...

    def on_frames(self, count: int) -> None:
        """So many frames of any kind, pongs and fragments too, have come."""

    def on_overflow(self) -> None:
        """More waits than may."""

    def on_relief(self) -> None:
        """A slow reader has taken everything that waited."""

    def on_closing(self) -> None:
        """From here on only the end of the connection is awaited: see to it that it comes."""

    def on_lost(self, code: int) -> None:
        """The connection is gone; the close code that we sent or got, 1006 without any."""

    # ---- what goes out ----------------------------------------------------------------

    def push(self, frame: bytes, count: int = 1) -> None:
        """Send a ready frame, or several in one, with whatever else this turn brings."""
        if self._backlog is not None:
            self._wait(frame, count)
            return
        pending = self._pending
        if pending is None:
            self._pending = frame
            self.lines.write_soon(self)
        elif type(pending) is list:
            pending.append(frame)
        else:
            self._pending = [cast(bytes, pending), frame]

    def push_now(self, frame: bytes, count: int = 1) -> None:
        """As ``push``, when this turn is known to bring nothing else."""
        if self._pending is None and self._backlog is None:
            self.transport.write(frame)
        else:
            self.push(frame, count)

    def push_volatile(self, frame: bytes) -> bool:
        """As ``push``, but a reader that is behind does without it; whether it was sent."""
        if self._backlog is not None or self.phase is not Phase.OPEN:
            return False
        self.push(frame)
        return True

    def flush(self) -> None:
        pending, self._pending = self._pending, None
        if pending is None or self.phase is not Phase.OPEN:
            return
        self.transport.write(b"".join(pending) if type(pending) is list else cast(bytes, pending))

    def _wait(self, frame: bytes, count: int) -> None:
        backlog = self._backlog
        assert backlog is not None
        if self.phase is not Phase.OPEN:
            return
        backlog.waiting.append(frame)
        backlog.frames += count
        backlog.size += len(frame)
        held = backlog.size + self.transport.get_write_buffer_size()
        if backlog.frames > MAX_FRAMES or held > MAX_BYTES:
            backlog.waiting.clear()
            self.on_overflow()

    def pause_writing(self) -> None:
        if self._backlog is None:
            self._backlog = Backlog()

    def resume_writing(self) -> None:
        backlog, self._backlog = self._backlog, None
        if backlog is None or self.phase is not Phase.OPEN:
            return
        if backlog.waiting:
            self.transport.write(b"".join(backlog.waiting))
        if self._backlog is None:
            self.on_relief()

    # ---- the end ----------------------------------------------------------------------

    def close(self, code: int, reason: str, *, last: bytes = b"") -> None:
        """Say close, after ``last``; the connection ends when the client has answered, or when
        somebody aborts it."""
        if self.phase is Phase.SHAKING:
            self.phase = Phase.CLOSING
            self.transport.close()
            self.on_closing()
            return
        if self.phase is not Phase.OPEN:
            return
        parser = self._parser
        if parser is None:
            parser = self._parser = self.lines.lend()
        if parser.state is not OPEN:
            return  # the client has just said it; the answer is on its way
        parser.send_close(code, reason)
        self._end(last + b"".join(parser.data_to_send()))

    def _end(self, farewell: bytes) -> None:
        self._backlog_out()
        self.flush()
        self.phase = Phase.CLOSING
        if farewell:
            self.transport.write(farewell)
        self.on_closing()

    def _backlog_out(self) -> None:
        """What a slow reader is still owed goes before the close, unless it was too much."""
        backlog, self._backlog = self._backlog, None
        if backlog is not None and backlog.waiting:
            self.transport.write(b"".join(backlog.waiting))

    def abort(self) -> None:
        if self.phase is not Phase.LOST:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        parser, self._parser = self._parser, None
        code = 1006
        if parser is not None:
            for close in (parser.close_sent, parser.close_rcvd):
                if close is not None:
                    code = int(close.code)
                    break
            parser.parser.close()
        self.phase = Phase.LOST
        self._pending = self._backlog = None
        self.on_lost(code)

    # ---- what comes in ----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.phase in (Phase.SHAKING, Phase.LOST):
            return
        parser = self._parser
        if parser is None:
            parser = self._parser = self.lines.lend()
        parser.receive_data(data)
        events = parser.events_received()
        if self.phase is Phase.OPEN and events:
            self.on_frames(len(events))
        for event in events:
            if self.phase is not Phase.OPEN:
                break
            self._take(cast(Frame, event), parser)
        answers = parser.data_to_send()
        if self.phase is Phase.LOST:
            return
        if parser.close_sent is not None or parser.parser_exc is not None:
            self._hear_the_end(b"".join(answers), parser)
        elif answers:
            self.flush()
            self.transport.write(b"".join(answers))
        if self._parser is parser and self.phase is Phase.OPEN and parser.at_rest():
            self._parser = None
            self.lines.give_back(parser)

    def _take(self, frame: Frame, parser: Parser) -> None:
        match frame.opcode:
            case Opcode.TEXT if frame.fin:
                self.on_text(bytes(frame.data))
            case Opcode.TEXT:
                parser.parts = [bytes(frame.data)]
            case Opcode.CONT:
                parser.parts.append(bytes(frame.data))
                if frame.fin:
                    parts, parser.parts = parser.parts, []
                    self.on_text(b"".join(parts))
            case Opcode.BINARY:
                self.on_binary()
            case _:
                pass  # pings were answered by the parser, pongs count by having come

    def _hear_the_end(self, answers: bytes, parser: Parser) -> None:
        """The client said close, or answered ours, or broke the protocol."""
        if self.phase is Phase.OPEN:
            self._end(answers)
        elif answers:
            self.transport.write(answers)
        if parser.eof_sent:
            self.transport.close()

    def shake(self, request: Request, peer: tuple[str, int] | None) -> None:
        """Answer the upgrade request: with 101, or with a refusal."""
        shaker = self.lines.shaker
        if request.path.partition("?")[0] == self.lines.path:
            response = shaker.accept(request)
        else:
            response = shaker.reject(404, "No such socket.\n")
        self.transport.write(response.serialize())
        if response.status_code != 101:
            self.close(1002, "")
            return
        self.phase = Phase.OPEN
        self.on_open(request.headers, peer)
