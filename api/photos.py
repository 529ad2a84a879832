"""Photos: what a phone sends is decoded, made small, and encoded anew, so that what is kept and
shown holds nothing but the picture: no place, no time, no camera, and no second file behind it."""

import asyncio
import hashlib
import io
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from PIL import Image, ImageOps

from consultation.deliberation.commands.photos import Picture
from consultation.refusals import Invalid, NotFound

BYTES = 10 * 1024 * 1024
"""Of one upload: the most that WeChat checks."""
SIDE = 2048
"""Pixels of the longer side as it is kept."""
PIXELS = {"JPEG": 50_000_000, "PNG": 25_000_000, "WEBP": 25_000_000}
"""The most that is decoded, by format: a small file may unfold to gigabytes."""
AT_ONCE = 2
"""Pictures decoded at the same time."""


class PhotoUnreadable(Invalid):
    """Not a JPEG, PNG or WebP picture, damaged, or of too many pixels."""

    code = "photo-unreadable"


class PhotoFiles:
    """An ``Album`` in a folder: a folder for each topic, in it a JPEG for each hash. Without a
    folder there are no photos: NotFound."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._room = asyncio.Semaphore(AT_ONCE)

    def check_kept(self) -> Path:
        if self._folder is None:
            raise NotFound(what="photos")
        return self._folder

    async def develop(self, sent: bytes) -> Picture:
        """PhotoUnreadable."""
        async with self._room:
            return await asyncio.to_thread(develop, sent)

    async def put(self, topic_id: UUID, sha256: str, picture: bytes) -> None:
        await asyncio.to_thread(_write, self._path(topic_id, sha256), picture)

    async def get(self, topic_id: UUID, sha256: str) -> bytes | None:
        return await asyncio.to_thread(_read, self._path(topic_id, sha256))

    async def drop(self, topic_id: UUID, sha256: str) -> None:
        await asyncio.to_thread(self._path(topic_id, sha256).unlink, missing_ok=True)

    def _path(self, topic_id: UUID, sha256: str) -> Path:
        return self.check_kept() / str(topic_id) / f"{sha256}.jpg"


def develop(sent: bytes) -> Picture:
    """The picture upright, at most ``SIDE`` pixels long, as a plain JPEG."""
    try:
        with Image.open(io.BytesIO(sent), formats=tuple(PIXELS)) as source:
            if source.width * source.height > PIXELS[source.format or ""]:
                raise PhotoUnreadable()
            source.draft("RGB", (SIDE, SIDE))  # a JPEG is decoded at a fraction of its size
            upright = ImageOps.exif_transpose(source)
            upright.thumbnail((SIDE, SIDE))
            plain = Image.new("RGB", upright.size, "white")
            layer = upright.convert("RGBA")
            plain.paste(layer, mask=layer)
    except PhotoUnreadable:
        raise
    except Exception:  # a decoder may raise anything for a file that was made to
        raise PhotoUnreadable() from None
    out = io.BytesIO()
    plain.save(out, "JPEG", quality=85, optimize=True)
    content = out.getvalue()
    return Picture(
        source_sha256=hashlib.sha256(sent).hexdigest(),
        sha256=hashlib.sha256(content).hexdigest(),
        width=plain.width,
        height=plain.height,
        content=content,
    )


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
