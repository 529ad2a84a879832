"""Box keys: the X25519 keys to which confidential ballots are sealed, kept outside the database.

A ``BoxKeys`` port makes the pair of a poll, shows its public half, hands out the private half once
the box is opened, and destroys it. Here it is a folder of files; a hardware module or a keeper at
another body would be other adapters. Backups of the database must not hold this folder: whoever has
both can open every envelope.
"""

import asyncio
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Protocol
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from consultation.refusals import NotNow

KEY_BYTES = 32


class BoxKeysMissing(NotNow):
    """No place outside the database is set up for box keys, so no confidential poll can run."""

    code = "box-keys-missing"


class BoxKeyLost(Exception):
    """The private key of this poll is not there, or is not one."""


class BoxKeys(Protocol):
    async def create(self, poll_id: UUID) -> bytes:
        """The public key of a poll, 32 bytes; makes the pair unless it is there."""
        ...

    async def open(self, poll_id: UUID) -> bytes:
        """The private key, 32 bytes. For the opening of the box and nothing else. BoxKeyLost if
        it is not there."""
        ...

    async def destroy(self, poll_id: UUID) -> None:
        """Destroy the private key beyond recovery. Again changes nothing."""
        ...


def public_key(private_key: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()


class NoBoxKeys:
    """Where no folder is set."""

    async def create(self, poll_id: UUID) -> bytes:
        raise BoxKeysMissing()

    async def open(self, poll_id: UUID) -> bytes:
        raise BoxKeyLost(poll_id)

    async def destroy(self, poll_id: UUID) -> None:
        raise BoxKeyLost(poll_id)


class FileBoxKeys:
    """One file per poll, mode 0600, in a folder of mode 0700.

    ``database_folder`` is where an SQLite file lies: a folder for keys in or around it is refused
    with ValueError, because a backup of the one would take the other along.
    """

    def __init__(self, folder: Path, *, database_folder: Path | None = None) -> None:
        self._folder = folder.resolve()
        if database_folder is not None:
            data = database_folder.resolve()
            if self._folder.is_relative_to(data) or data.is_relative_to(self._folder):
                raise ValueError(
                    "box keys must not lie in the folder of the database, or around it"
                )

    async def create(self, poll_id: UUID) -> bytes:
        return await asyncio.to_thread(self._create, poll_id)

    async def open(self, poll_id: UUID) -> bytes:
        return await asyncio.to_thread(self._read, poll_id)

    async def destroy(self, poll_id: UUID) -> None:
        await asyncio.to_thread(self._destroy, poll_id)

    def _path(self, poll_id: UUID) -> Path:
        return self._folder / f"{poll_id}.key"

    def _create(self, poll_id: UUID) -> bytes:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(BoxKeyLost):
            return public_key(self._read(poll_id))
        private_key = X25519PrivateKey.generate().private_bytes_raw()
        fresh = self._folder / f".{poll_id}.{secrets.token_hex(8)}"
        _write(fresh, private_key, os.O_CREAT | os.O_EXCL)
        try:
            os.link(fresh, self._path(poll_id))
        except FileExistsError:
            _erase(fresh)  # of two at the same time the first stands
        else:
            fresh.unlink()
        self._sync_folder()
        return public_key(self._read(poll_id))

    def _read(self, poll_id: UUID) -> bytes:
        try:
            content = self._path(poll_id).read_bytes()
        except FileNotFoundError:
            raise BoxKeyLost(poll_id) from None
        if len(content) != KEY_BYTES:
            raise BoxKeyLost(poll_id)
        return content

    def _destroy(self, poll_id: UUID) -> None:
        if not self._folder.is_dir():
            return
        # with what a crash while the key was made may have left behind
        for path in (self._path(poll_id), *self._folder.glob(f".{poll_id}.*")):
            with suppress(FileNotFoundError):
                _erase(path)
        self._sync_folder()

    def _sync_folder(self) -> None:
        handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _write(path: Path, content: bytes, flags: int) -> None:
    handle = os.open(path, os.O_WRONLY | flags, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _erase(path: Path) -> None:
    """Overwrite in place, make that durable, then unlink."""
    _write(path, secrets.token_bytes(KEY_BYTES), 0)
    path.unlink()
