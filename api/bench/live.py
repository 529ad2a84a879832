"""``minyi bench live``: the live socket against a bare transport and against uvicorn's default.

All servers hold all their phones from the start and take short turns, one at a time, on the first
core; their phones are on the second. So whatever the machine does to one it does to the others,
and a ratio is of what stood side by side. All traffic stays on loopback. Nothing is mocked:
tokens are real, and the restart goes through the journal.
"""

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from api.bench.live_processes import (
    Asker,
    Phones,
    Server,
    Unmeasurable,
    compile_phones,
    connect,
    raise_file_limit,
    serving,
    start,
)
from api.bench.report import Report
from api.bench.setup import Bench, build
from api.live.closing import Close

PHONES = 10_000
KINDS = ("app", "uvicorn", "bare")
AT_A_TIME = 200
AT_ONCE = 2000
"""Handshakes under way at a time; the second, when everybody comes at once."""
MISSED = 5
"""Events that happen while everybody is away."""
SINGLES = 3
BURSTS = 3
BURST = 5
FLOOD = 960
"""Events to a reader that reads nothing: more than kernel, transport and queue hold for it."""
QUIET = {
    "MINYI_LIVE_RECHECK_SECONDS": "600",
    "MINYI_RELAY_POLL_SECONDS": "600",
    "MINYI_WORKER_POLL_SECONDS": "600",
}
"""So that every statement counted is one that the phones caused."""


@dataclass
class Side:
    """A server with its phones, and what it is called in the report."""

    kind: str
    server: Server
    phones: Phones


def run(turns: int = 15, phones: int = PHONES) -> Report:
    """The whole bench, in about two and a half minutes for fifteen turns of ten thousand phones."""
    if len(os.sched_getaffinity(0)) < 2:
        raise Unmeasurable("Two cores are needed: one for the server, one for the phones.")
    raise_file_limit(phones + 500)
    report = Report("live", turns)
    with (
        tempfile.TemporaryDirectory(prefix="minyi-bench-") as folder,
        build(Path(folder), phones) as bench,
    ):
        program = compile_phones(Path(folder))
        _side_by_side(report, bench, program, turns, phones)
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


def _side_by_side(report: Report, bench: Bench, program: Path, turns: int, count: int) -> None:
    with ExitStack() as stack:
        sides: list[Side] = []
        for kind in KINDS:
            server = stack.enter_context(serving(bench, kind))
            sides.append(Side(kind, server, stack.enter_context(connect(program, server, bench))))
        for side in sides:
            _come(report, side, count)

        def take_turns(times: int, turn: Callable[[Side], None]) -> None:
            for n in range(times):
                first = n % len(sides)  # nobody always comes after the same one
                for side in sides[first:] + sides[:first]:
                    turn(side)

        take_turns(turns, lambda side: _publish(report, side, "events", 1, SINGLES, count))
        take_turns(turns // 3, lambda side: _publish(report, side, "burst", BURST, BURSTS, count))
        take_turns(turns // 3, lambda side: _come_back(report, side, count))


def _come(report: Report, side: Side, count: int) -> None:
    """For the first time, with tokens that the server has never seen."""
    server, phones = side.server, side.phones
    memory, cpu = server.memory(), server.cpu()
    up, failed, seconds = phones.ask("open", count, AT_A_TIME, 0)
    if up < count:
        raise Unmeasurable(f"{side.kind}: {failed:.0f} of {count} connections failed.")
    accept_cpu = server.cpu() - cpu
    if side.kind == "app" and phones.ask("follow")[0] < count:
        raise Unmeasurable("Not every phone could follow its own stream.")
    phones.ask("listen", 1.2)
    report.note(
        side.kind,
        first_seen_per_s=round(up / seconds),
        first_seen_cpu_us=accept_cpu / up * 1e6,
        bytes_per_phone=round((server.memory() - memory) / up),
    )


def _publish(report: Report, side: Side, name: str, events: int, times: int, count: int) -> None:
    server, phones = side.server, side.phones
    phones.ask("listen", 0.05)
    phones.ask("go", events)  # warm
    cpu = server.cpu()
    took: list[float] = []
    for _ in range(times):
        missing, seconds = phones.ask("go", events)
        if missing:
            raise Unmeasurable(f"{side.kind}: {missing:.0f} deliveries are missing.")
        took.append(seconds)
    report.note(
        side.kind,
        **{
            f"{name}_per_s": round(count * events / sorted(took)[times // 2]),
            f"{name}_cpu_us": (server.cpu() - cpu) / (times * events * count) * 1e6,
        },
    )


def _come_back(report: Report, side: Side, count: int) -> None:
    """With tokens that the server has seen, as those of phones are that ask over HTTP before they
    listen; their first check costs as much on all sides, and more than the rest."""
    side.phones.ask("drop")
    side.phones.ask("listen", 1)
    cpu = side.server.cpu()
    up, failed, seconds = side.phones.ask("open", count, AT_A_TIME, 0)
    if failed:
        raise Unmeasurable(f"{side.kind}: {failed:.0f} of {count} did not come back.")
    report.note(
        side.kind,
        accepted_per_s=round(up / seconds),
        accept_cpu_us=(side.server.cpu() - cpu) / up * 1e6,
    )


def _restart(report: Report, bench: Bench, program: Path, count: int) -> None:
    """Everybody is sent away, comes back at once, and must have lost nothing; then once more,
    inside the ring."""
    with (
        serving(bench, "app", QUIET) as server,
        connect(program, server, bench, control=server.control + 1) as phones,
    ):
        phones.ask("open", count, AT_A_TIME, 1)
        _, whole = phones.ask("go", 1)
        server.stop()
        phones.ask("listen", 1)
        sent_away, code = phones.ask("lost")
        again = start(bench, "app", server.port, server.control, QUIET)
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
    with serving(bench, "app") as server, connect(program, server, bench) as phones:
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
