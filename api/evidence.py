"""Result packs for the command line: written to a folder, and counted again by the verifier, which
is a program of its own."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import UUID

from api.app import build_database
from api.settings import Settings
from consultation.permissions import SYSTEM
from consultation.polls.commands.packing import make_pack
from consultation.polls.pack import Edition

VERIFIER = Path(__file__).parent.parent / "client-spec" / "verifier" / "minyi_verify.py"


async def write_pack(settings: Settings, poll_id: UUID, folder: Path, *, public: bool) -> None:
    """FileExistsError unless the folder is empty or not there."""
    db = build_database(settings)
    try:
        async with db.begin(SYSTEM) as tx:
            edition = Edition.PUBLIC if public else Edition.FULL
            files = await make_pack(tx, poll_id, edition)
    finally:
        await db.dispose()
    write_files(folder, files)


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """FileExistsError unless the folder is empty or not there."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(folder)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def verify(arguments: Sequence[str]) -> int:
    """Run the verifier in a process of its own and isolated, so that nothing of ours is there to be
    imported. Its exit code."""
    return subprocess.run([sys.executable, "-I", str(VERIFIER), *arguments], check=False).returncode  # noqa: S603
