"""What benches share: servers in processes of their own on one core, a load on the other."""

import multiprocessing
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import resources
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from pydantic import SecretStr

from api.settings import Settings

SERVER_CORE, LOAD_CORE = 0, 1
START_SECONDS = 60


def settings_in(folder: Path, **more: Any) -> Settings:
    """A server with secrets of its own on a fresh SQLite file in ``folder``."""
    given: dict[str, Any] = {
        "database_url": f"sqlite+aiosqlite:///{folder}/bench.sqlite3",
        "field_secret": SecretStr(secrets.token_hex(32)),
        "token_key": SecretStr(secrets.token_hex(32)),
        "board_key": SecretStr(secrets.token_hex(32)),
    }
    return Settings(**(given | more))


class NoCompiler(Exception):
    """The load is written in C, so that it costs less than what it measures."""


def pin(core: int) -> None:
    """Keep this process to one core, where the machine has several."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[core % len(cores)]})


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _pinned(core: int, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    pin(core)
    work(*arguments)


@contextmanager
def process(work: Callable[..., Any], *arguments: Any, port: int) -> Generator[BaseProcess]:
    """``work(*arguments)`` in a process on the server's core, once something listens on ``port``;
    killed at the end."""
    spawned = multiprocessing.get_context("spawn").Process(
        target=_pinned, args=(SERVER_CORE, work, arguments), daemon=True
    )
    spawned.start()
    try:
        _wait_for(port, spawned)
        yield spawned
    finally:
        spawned.terminate()
        spawned.join(10)
        if spawned.is_alive():
            spawned.kill()
            spawned.join()


def _wait_for(port: int, spawned: BaseProcess) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if not spawned.is_alive() or time.monotonic() > until:
            raise RuntimeError("the server to be measured did not start")
        time.sleep(0.05)


@dataclass(frozen=True, slots=True)
class Load:
    """What a load saw. Times in microseconds."""

    answered: int
    fine: int
    unchanged: int
    failed: int
    seconds: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        return self.answered / self.seconds


@cache
def _load_program() -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise NoCompiler("the load needs a C compiler: apt-get install gcc")
    program = Path(gettempdir()) / f"minyi-load-{os.getuid()}-{os.getpid()}"
    with resources.as_file(resources.files("api.bench").joinpath("load.c")) as source:
        subprocess.run([compiler, "-O2", "-o", str(program), str(source)], check=True)  # noqa: S603
    return program


def load(
    port: int, requests: Sequence[bytes], *, connections: int, seconds: float, folder: Path
) -> Load:
    """Ask ``requests`` in turn on keep-alive connections for so long; with ``seconds`` 0 each of
    them once."""
    file = folder / "requests"
    with file.open("wb") as out:
        for request in requests:
            out.write(len(request).to_bytes(4, "little") + request)
    said = subprocess.run(  # noqa: S603
        [str(_load_program()), str(port), str(connections), str(seconds), str(file)],
        check=True,
        capture_output=True,
        preexec_fn=lambda: pin(LOAD_CORE),
    ).stdout.split()
    answered, fine, unchanged, failed = map(int, said[:4])
    return Load(answered, fine, unchanged, failed, *map(float, said[4:]))


def get(path: str, **headers: str) -> bytes:
    """A GET as it goes over the wire."""
    lines = [f"GET {path} HTTP/1.1", "host: 127.0.0.1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()
