"""Whole server processes, started as an operator starts them (``minyi serve``)."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from api.settings import Settings
from tests.servers import free_port

START_SECONDS = 60


@dataclass
class Process:
    url: str
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """As by an operator without patience, or a machine without memory."""
        self.process.kill()
        self.process.wait()

    async def stop(self) -> int:
        """As by a service manager; the exit code."""
        self.process.terminate()
        while self.process.poll() is None:  # noqa: ASYNC110  it is another process
            await asyncio.sleep(0.02)
        return self.process.returncode


async def start(settings: Settings, *, port: int = 0) -> Process:
    """A server process on loopback that is ready for requests."""
    port = port or free_port()
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("MINYI_")
    }
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        secret = getattr(value, "get_secret_value", None)
        environment[f"MINYI_{name.upper()}"] = str(secret() if secret else value)
    environment |= {"MINYI_PORT": str(port), "MINYI_LOG_PATH": os.devnull}
    process = subprocess.Popen(  # noqa: ASYNC220  it takes no time
        [sys.executable, "-c", "from api.cli import main; main()", "serve"],
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    started = Process(f"http://127.0.0.1:{port}", process)
    async with httpx.AsyncClient(trust_env=False, base_url=started.url) as http:
        for _ in range(START_SECONDS * 20):
            assert process.poll() is None, "the server did not start"
            try:
                if (await http.get("/readyz")).status_code == 200:
                    return started
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)
    process.kill()
    raise AssertionError("the server did not become ready")


@asynccontextmanager
async def running(settings: Settings, count: int) -> AsyncGenerator[list[Process]]:
    """So many processes of one installation; whatever is left of them ends with the block."""
    processes = await asyncio.gather(*(start(settings) for _ in range(count)))
    try:
        yield list(processes)
    finally:
        for process in processes:
            if process.process.poll() is None:
                process.process.terminate()
        for process in processes:
            try:
                process.process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
