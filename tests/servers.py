"""Real servers for the tests, found on this machine and started on loopback."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _postgres_tool(name: str) -> str | None:
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / name).exists():
            return str(folder / name)
    return shutil.which(name)


def has_postgres() -> bool:
    return _postgres_tool("initdb") is not None


@contextmanager
def postgres() -> Generator[str]:
    """A throw-away cluster; yields ``user@host:port`` for URLs. It runs without root's rights,
    which PostgreSQL demands, and without fsync, which tests do not need."""
    initdb, pg_ctl = _postgres_tool("initdb"), _postgres_tool("pg_ctl")
    assert initdb is not None
    assert pg_ctl is not None
    prefix: list[str] = []
    with tempfile.TemporaryDirectory(prefix="minyi-pg-") as folder:
        if os.geteuid() == 0:
            Path(folder).chmod(0o777)
            prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        data = f"{folder}/data"
        port = free_port()

        def run(*command: str) -> None:
            subprocess.run(
                [*prefix, *command],
                cwd=folder,
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

        run(initdb, "-D", data, "-U", "minyi", "--auth=trust", "--locale=C.UTF-8", "--no-sync")
        options = (
            f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} "
            "-c fsync=off -c full_page_writes=off -c max_connections=60"
        )
        run(pg_ctl, "-D", data, "-o", options, "-l", f"{folder}/log", "-w", "start")
        try:
            yield f"minyi@127.0.0.1:{port}"
        finally:
            run(pg_ctl, "-D", data, "-m", "immediate", "stop")
