"""The processes of ``bench live``: a server on the first core, its phones on the second."""

import json
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from api.bench.setup import Bench

PHONES_SOURCE = Path(__file__).with_name("phones.c")
TICKS = os.sysconf("SC_CLK_TCK")


class Unmeasurable(Exception):
    """This machine lacks what the bench needs; the message says what."""


@dataclass
class Server:
    """A server process on the first core."""

    process: subprocess.Popen[bytes]
    port: int
    control: int

    def cpu(self) -> float:
        """Seconds of user and system time so far."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / TICKS

    def memory(self) -> int:
        """Bytes resident."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def tell(self) -> dict[str, int]:
        with socket.create_connection(("127.0.0.1", self.control)) as line:
            line.sendall(b"tell\n")
            return json.loads(line.makefile().readline())

    def command(self, count: int) -> None:
        """So many events through the journal."""
        with socket.create_connection(("127.0.0.1", self.control + 1)) as line:
            line.sendall(f"go {count}\ntell\n".encode())
            line.makefile().readline()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Phones:
    """The client process on the second core."""

    def __init__(self, program: Path, server: Server, bench: Bench, *, control: int) -> None:
        self._process = subprocess.Popen(  # noqa: S603  our own program
            [program, str(server.port), str(control), bench.tokens, bench.stream],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            preexec_fn=lambda: _pin(1),  # noqa: PLW1509  no thread of ours holds a lock then
        )

    def ask(self, *command: object) -> list[float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(" ".join(map(str, command)) + "\n")
        answer = self._process.stdout.readline()
        if not answer:
            raise Unmeasurable("The phones have crashed.")
        return [float(part) for part in answer.split()]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


class Asker(threading.Thread):
    """Asks the server something small over HTTP, again and again; ``p99`` in milliseconds."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self._done = threading.Event()
        self.took: list[float] = []

    def run(self) -> None:
        connection = HTTPConnection("127.0.0.1", self._port)
        while not self._done.is_set():
            began = time.perf_counter()
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            self.took.append((time.perf_counter() - began) * 1000)
            time.sleep(0.004)
        connection.close()

    def p99(self) -> float:
        self._done.set()
        self.join()
        return sorted(self.took)[int(len(self.took) * 0.99)]


def compile_phones(folder: Path) -> Path:
    program = folder / "phones"
    try:
        subprocess.run(["gcc", "-O2", "-o", program, PHONES_SOURCE], check=True)  # noqa: S603, S607  our own source, and whichever gcc there is
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unmeasurable("gcc is needed: it makes the phones.") from error
    return program


@contextmanager
def serving(bench: Bench, kind: str, changes: dict[str, str] | None = None) -> Generator[Server]:
    server = start(bench, kind, _free_port(), _free_port(), changes)
    try:
        yield server
    finally:
        server.stop()


def start(
    bench: Bench, kind: str, port: int, control: int, changes: dict[str, str] | None = None
) -> Server:
    process = subprocess.Popen(  # noqa: S603  our own program
        [
            sys.executable,
            "-m",
            "api.bench.live_servers",
            kind,
            bench.stream,
            str(port),
            str(control),
        ],
        env={**os.environ, **bench.environment, **(changes or {})},
        preexec_fn=lambda: _pin(0),  # noqa: PLW1509  no thread of ours holds a lock then
    )
    server = Server(process, port, control)
    for _ in range(1200):
        if process.poll() is not None:
            raise Unmeasurable(f"The server {kind} did not start.")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            time.sleep(0.5)
            return server
    server.stop()
    raise Unmeasurable(f"The server {kind} did not come up.")


@contextmanager
def connect(
    program: Path, server: Server, bench: Bench, *, control: int | None = None
) -> Generator[Phones]:
    phones = Phones(program, server, bench, control=control or server.control)
    try:
        yield phones
    finally:
        phones.close()


def _free_port() -> int:
    """A port whose next one is free too."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
            try:
                two.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def _pin(which: int) -> None:
    cores: Sequence[int] = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[which % len(cores)]})


def raise_file_limit(least: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < least:
        raise Unmeasurable(f"{least} open files are needed, the limit is {hard}.")
    if soft < least:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
