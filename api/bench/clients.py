"""Sixty-four phones in one process: a load on raw sockets, without library and compiler.

Each connection has one request under way and takes the next one when it is answered.
"""

import select
import socket
import statistics
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

ANSWER = 65536


@dataclass(slots=True)
class Driven:
    """What a load saw. ``seconds`` from the first request to the last answer; ``cpu`` the client's
    own; ``waits`` in seconds, sorted."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0
    cpu: float = 0.0
    waits: list[float] = field(default_factory=list)

    @property
    def answered(self) -> int:
        return sum(self.statuses.values())

    @property
    def rate(self) -> float:
        return self.answered / self.seconds

    def wait(self, share: float) -> float:
        return self.waits[min(int(len(self.waits) * share), len(self.waits) - 1)]

    @property
    def mean_wait(self) -> float:
        return statistics.fmean(self.waits)


def put(path: str, token: str, body: bytes) -> bytes:
    """A request as it goes over the wire."""
    head = (
        f"PUT {path} HTTP/1.1\r\nhost: minyi\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def drive(port: int, requests: Iterable[bytes], *, connections: int) -> Driven:
    """Send all requests, each once; the process waits for the last answer."""
    driven, waiting = Driven(), iter(requests)
    poll = select.epoll()
    phones: dict[int, socket.socket] = {}
    sent: dict[int, float] = {}
    rest: dict[int, bytes] = {}
    now = time.perf_counter
    began, cpu = now(), time.process_time()

    def ask(fd: int) -> None:
        request = next(waiting, None)
        if request is None:
            poll.unregister(fd)
            phones.pop(fd).close()
            return
        sent[fd] = now()
        phones[fd].sendall(request)

    for _ in range(connections):
        phone = socket.create_connection(("127.0.0.1", port))
        phone.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        phones[phone.fileno()] = phone
        poll.register(phone.fileno(), select.EPOLLIN)
    began, cpu = now(), time.process_time()
    for fd in list(phones):
        ask(fd)
    while phones:
        for fd, _ in poll.poll():
            answer = phones[fd].recv(ANSWER)
            if not answer:
                raise ConnectionError("the server hung up")
            if fd in rest:
                answer = rest.pop(fd) + answer
            if not _whole(answer):
                rest[fd] = answer
                continue
            driven.waits.append(now() - sent[fd])
            driven.statuses[int(answer[9:12])] += 1
            ask(fd)
    driven.seconds, driven.cpu = now() - began, time.process_time() - cpu
    driven.waits.sort()
    return driven


def _whole(answer: bytes) -> bool:
    head = answer.find(b"\r\n\r\n")
    if head < 0:
        return False
    at = answer.find(b"content-length: ", 0, head)
    length = int(answer[at + 16 : answer.find(b"\r\n", at)]) if at >= 0 else 0
    return len(answer) >= head + 4 + length
