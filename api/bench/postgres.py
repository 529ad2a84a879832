"""A PostgreSQL of the bench's own: durable, on a real disk, kept to one core."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.bench.machine import free_port, pin

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "512MB",
    "max_connections": "160",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
}
NOBODY = 65534
PLACE = Path("/var/tmp")  # noqa: S108  not in memory: flushing must cost what it costs


class NoPostgres(Exception):
    """The programs of PostgreSQL are not on this machine."""


def tool(name: str) -> str:
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / name).exists():
            return str(folder / name)
    found = shutil.which(name)
    if found is None:
        raise NoPostgres(f"{name} is needed: apt-get install postgresql")
    return found


@dataclass(frozen=True, slots=True)
class Cluster:
    """``core`` is where it runs and its clients should."""

    port: int
    core: int

    @property
    def url(self) -> str:
        return f"postgresql+asyncpg://minyi@127.0.0.1:{self.port}/postgres"

    @property
    def dsn(self) -> str:
        return f"postgresql://minyi@127.0.0.1:{self.port}/postgres"

    def pgbench(self, script: str, *, clients: int, transactions: int, **variables: int) -> float:
        """Transactions a second of ``clients`` that do the script so many times each, beside the
        cluster on its core."""
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
            file.write(script)
            file.flush()
            defined = [f"--define={name}={value}" for name, value in variables.items()]
            said = subprocess.run(  # noqa: S603
                [
                    tool("pgbench"),
                    "--no-vacuum",
                    "--protocol=prepared",
                    f"--client={clients}",
                    f"--transactions={transactions}",
                    *defined,
                    f"--file={file.name}",
                    self.dsn,
                ],
                check=True,
                capture_output=True,
                text=True,
                preexec_fn=lambda: pin(self.core),
            ).stdout
        line = next(line for line in said.splitlines() if line.startswith("tps ="))
        return float(line.split()[2])

    def cpu_seconds(self) -> float:
        """Of all its processes so far; those that have ended are missing."""
        total = 0
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                name, rest = (entry / "stat").read_text().rsplit(")", 1)
            except OSError:
                continue
            if name.endswith("(postgres"):
                fields = rest.split()
                total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")


@contextmanager
def cluster(core: int) -> Generator[Cluster]:
    """A fresh cluster, gone at the end. PostgreSQL refuses root's rights, so it has nobody's."""
    initdb, pg_ctl = tool("initdb"), tool("pg_ctl")
    as_whom: dict[str, Any] = {}
    folder = Path(tempfile.mkdtemp(prefix="minyi-pg-", dir=PLACE))
    if os.geteuid() == 0:
        folder.chmod(0o777)
        as_whom = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    data, port = folder / "data", free_port()

    def run(*command: str | Path) -> None:
        subprocess.run(  # noqa: S603
            list(map(str, command)),
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: pin(core),
            **as_whom,
        )

    options = _options(port, folder)
    try:
        run(initdb, "-D", data, "-U", "minyi", "--auth=trust", "--locale=C.UTF-8")
        run(pg_ctl, "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
        try:
            yield Cluster(port, core)
        finally:
            run(pg_ctl, "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _options(port: int, folder: Path) -> str:
    given: Sequence[tuple[str, str]] = [
        ("port", str(port)),
        ("unix_socket_directories", str(folder)),
        *SETTINGS.items(),
    ]
    return " ".join(f"-c {name}={value}" for name, value in given)
