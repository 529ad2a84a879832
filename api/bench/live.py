"""``minyi bench live``: the live socket against a bare transport and against uvicorn's default.

One server at a time on the first core and the phones on the second, in turns. All traffic stays
on loopback. Nothing is mocked: tokens are real, and the restart goes through the journal.
"""

import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from api.bench.report import Report
from api.bench.setup import Bench, build
from api.live.closing import Close

PHONES_SOURCE = Path(__file__).with_name("phones.c")
PHONES = 10_000
AT_A_TIME = 200
AT_ONCE = 2000
"""Handshakes under way at a time; the second, when everybody comes at once."""
MISSED = 5
"""Events that happen while everybody is away."""
SINGLES = 5
BURSTS = 3
BURST = 5
FLOOD = 960
"""Events to a reader that reads nothing: more than kernel, transport and queue hold for it."""
TICKS = os.sysconf("SC_CLK_TCK")
QUIET = {
    "MINYI_LIVE_RECHECK_SECONDS": "600",
    "MINYI_RELAY_POLL_SECONDS": "600",
    "MINYI_WORKER_POLL_SECONDS": "600",
}
"""So that every statement counted is one that the phones caused."""


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


def run(runs: int = 3, phones: int = PHONES) -> Report:
    """The whole bench, in about two and a half minutes for three runs of ten thousand phones."""
    if len(os.sched_getaffinity(0)) < 2:
        raise Unmeasurable("Two cores are needed: one for the server, one for the phones.")
    _raise_file_limit(phones + 500)
    report = Report("live", runs)
    with (
        tempfile.TemporaryDirectory(prefix="minyi-bench-") as folder,
        build(Path(folder), phones) as bench,
    ):
        program = compile_phones(Path(folder))
        for _ in range(runs):
            for kind in ("app", "uvicorn", "bare"):
                _fan_out(report, bench, program, kind, phones)
        _restart(report, bench, program, phones)
        _beside_others(report, bench, program, phones)
    report.compare(
        "one event, against bare transport.write", "app", "bare", "events_per_s", least=0.85
    )
    report.compare("one event, against uvicorn's loop", "app", "uvicorn", "events_per_s", least=1.4)
    report.compare(
        "five events in a tick, against uvicorn's loop", "app", "uvicorn", "burst_per_s", least=3
    )
    report.at_most("bytes per idle connection", report.median("app", "bytes_per_phone"), 8192)
    report.compare(
        "connections accepted, against uvicorn", "app", "uvicorn", "accepted_per_s", least=2
    )
    report.at_most(
        "statements on reconnect inside the ring", report.figures["reconnect"]["statements"], 0
    )
    report.at_least(
        "a frozen reader is sent away for a new start",
        report.figures["frozen_reader"]["close_code"],
        Close.RESYNC,
    )
    report.at_most("events lost by a restart", report.figures["restart"]["lost"], 0)
    return report


def _fan_out(report: Report, bench: Bench, program: Path, kind: str, count: int) -> None:
    with _serving(bench, kind) as server, _phones(program, server, bench) as phones:
        memory, cpu = server.memory(), server.cpu()
        up, failed, seconds = phones.ask("open", count, AT_A_TIME, 0)
        if up < count:
            raise Unmeasurable(f"{kind}: {failed:.0f} of {count} connections failed.")
        accept_cpu = server.cpu() - cpu
        if kind == "app" and phones.ask("follow")[0] < count:
            raise Unmeasurable("Not every phone could follow its own stream.")
        phones.ask("listen", 1.2)
        report.note(
            kind,
            first_seen_per_s=round(up / seconds),
            first_seen_cpu_us=accept_cpu / up * 1e6,
            bytes_per_phone=round((server.memory() - memory) / up),
        )
        for name, events, times in (("events", 1, SINGLES), ("burst", BURST, BURSTS)):
            phones.ask("go", events)  # warm
            phones.ask("listen", 0.1)
            cpu = server.cpu()
            took: list[float] = []
            for _ in range(times):
                missing, seconds = phones.ask("go", events)
                if missing:
                    raise Unmeasurable(f"{kind}: {missing:.0f} deliveries are missing.")
                took.append(seconds)
                phones.ask("listen", 0.05)
            delivered = times * events * up
            report.note(
                kind,
                **{
                    f"{name}_per_s": round(up * events / sorted(took)[times // 2]),
                    f"{name}_cpu_us": (server.cpu() - cpu) / delivered * 1e6,
                },
            )
        _come_back(report, server, phones, kind, count)


def _come_back(report: Report, server: Server, phones: Phones, kind: str, count: int) -> None:
    """With tokens that the server has seen, as those of phones are that ask over HTTP before they
    listen; their first check costs as much on all sides, and more than the rest."""
    phones.ask("drop")
    phones.ask("listen", 1)
    cpu = server.cpu()
    up, failed, seconds = phones.ask("open", count, AT_A_TIME, 0)
    if failed:
        raise Unmeasurable(f"{kind}: {failed:.0f} of {count} did not come back.")
    report.note(
        kind, accepted_per_s=round(up / seconds), accept_cpu_us=(server.cpu() - cpu) / up * 1e6
    )
    phones.ask("drop")


def _restart(report: Report, bench: Bench, program: Path, count: int) -> None:
    """Everybody is sent away, comes back at once, and must have lost nothing; then once more,
    inside the ring."""
    with (
        _serving(bench, "app", QUIET) as server,
        _phones(program, server, bench, control=server.control + 1) as phones,
    ):
        phones.ask("open", count, AT_A_TIME, 1)
        _, whole = phones.ask("go", 1)
        server.stop()
        phones.ask("listen", 1)
        sent_away, code = phones.ask("lost")
        again = _start(bench, "app", server.port, server.control, QUIET)
        try:
            before = bench.events + 1
            again.command(MISSED)
            bench.events = before + MISSED
            cpu = again.cpu()
            up, failed, seconds = phones.ask("open", count, AT_ONCE, 1)
            missing, more = phones.ask("await", bench.events, 20)
            lost, doubled = phones.ask("tally")
            report.figures["restart"] = {
                "sent_away": sent_away,
                "close_code": code,
                "back": up,
                "failed": failed,
                "all_live_after_s": round(seconds + more, 3),
                "cpu_s": round(again.cpu() - cpu, 3),
                "lost": lost + missing,
                "doubled": doubled,
                "command_to_last_phone_ms": round(whole * 1000, 1),
            }
            phones.ask("drop")
            phones.ask("listen", 1)
            statements = again.tell()["statements"]
            up, failed, seconds = phones.ask("open", count, AT_ONCE, 1)
            report.figures["reconnect"] = {
                "back": up,
                "per_s": round(up / seconds),
                "statements": again.tell()["statements"] - statements,
            }
            phones.ask("drop")
        finally:
            again.stop()


def _beside_others(report: Report, bench: Bench, program: Path, count: int) -> None:
    """What a broadcast costs a request, and what one frozen reader costs the others."""
    with _serving(bench, "app") as server, _phones(program, server, bench) as phones:
        phones.ask("open", count, AT_A_TIME, 1)
        alone = Asker(server.port)
        alone.start()
        phones.ask("listen", 1.5)
        quiet = alone.p99()
        beside = Asker(server.port)
        beside.start()
        began = time.monotonic()
        while time.monotonic() - began < 2.5:
            phones.ask("go", 1)
        report.figures["http_p99_ms"] = {
            "quiet": round(quiet, 2),
            "broadcast": round(beside.p99(), 2),
        }

        def rate() -> float:
            took = sorted(phones.ask("go", BURST)[1] for _ in range(BURSTS))
            return count * BURST / took[BURSTS // 2]

        phones.ask("go", BURST)
        free = rate()
        phones.ask("freeze")
        frozen = rate()
        for _ in range(FLOOD // 60):
            phones.ask("go", 60)
        phones.ask("thaw")
        phones.ask("listen", 6)  # the server waits five seconds for an answer to its close
        ended, code = phones.ask("lost")
        report.figures["frozen_reader"] = {
            "burst_per_s_without": round(free),
            "burst_per_s_with": round(frozen),
            "sent_away": ended,
            "close_code": code,
            "sockets_left": server.tell()["sockets"],
        }


# ---- processes -------------------------------------------------------------------------------


def compile_phones(folder: Path) -> Path:
    program = folder / "phones"
    try:
        subprocess.run(["gcc", "-O2", "-o", program, PHONES_SOURCE], check=True)  # noqa: S603, S607
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unmeasurable("gcc is needed: it makes the phones.") from error
    return program


@contextmanager
def _serving(bench: Bench, kind: str, changes: dict[str, str] | None = None) -> Generator[Server]:
    server = _start(bench, kind, _free_port(), _free_port(), changes)
    try:
        yield server
    finally:
        server.stop()


def _start(
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
def _phones(
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


def _raise_file_limit(least: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < least:
        raise Unmeasurable(f"{least} open files are needed, the limit is {hard}.")
    if soft < least:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
