"""Servers that can be killed a hundred times: imported and built once, then forked at each start.

``python -m api.faults.nursery`` with the settings in the environment. A line on standard input
starts a server and is answered with its process id; the end of the input ends it.
``MINYI_FAULTS_WRITES`` names a file that records what SQLite writes (``writes.py``), and
``MINYI_FAULTS_SYNCHRONOUS`` weakens it, to see that the loss is found.
"""

import os
import signal
import sys
from pathlib import Path

from api import logs
from api.app import build_services, build_surface
from api.faults import writes
from api.server import Server, configure
from api.settings import Settings
from consultation.polls.express import sqlite


def main() -> None:
    record = os.environ.pop("MINYI_FAULTS_WRITES", "")
    weaker = os.environ.pop("MINYI_FAULTS_SYNCHRONOUS", "")
    settings = Settings()  # type: ignore[call-arg]
    app = build_surface()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _ in sys.stdin:
        child = os.fork()
        if child:
            sys.stdout.write(f"{child}\n")
            sys.stdout.flush()
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if record:
            writes.record_to(Path(record))
        if weaker:
            sqlite.PRAGMAS = tuple(
                f"synchronous={weaker}" if pragma.startswith("synchronous") else pragma
                for pragma in sqlite.PRAGMAS
            )
        with Path(os.devnull).open("w") as nowhere:
            logs.configure(nowhere)
            app.state.services = build_services(settings)
            Server(configure(app, host=settings.host, port=settings.port)).run()
        os._exit(0)


if __name__ == "__main__":
    main()
