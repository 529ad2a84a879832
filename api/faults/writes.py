"""What SQLite writes and when it is flushed, recorded; and what a power cut leaves of it.

``record_to`` puts a layer between SQLite and the operating system (a VFS, by ``ctypes``, in the
library that Python uses) which notes every write, truncation and flush of database and log before
it happens, or, of a flush, when it is done. ``after_power_cut`` makes the files anew as a disk
could have them that lost its power at some point: all that was flushed, and of the rest any part.
"""

import ctypes
import os
import random
import struct
from collections.abc import Iterator
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_int64, c_void_p
from ctypes.util import find_library
from dataclasses import dataclass
from pathlib import Path

OPEN_MAIN_DB, OPEN_WAL = 0x100, 0x80000
WRITE, TRUNCATE, FLUSH = b"W", b"T", b"F"
HEAD = struct.Struct("<c?qI")  # what, whether it is the log, offset or size, bytes that follow
SECTOR = 512

_Open = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, POINTER(c_int))
_Write = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_Truncate = CFUNCTYPE(c_int, c_void_p, c_int64)
_Sync = CFUNCTYPE(c_int, c_void_p, c_int)

_CALLS_AFTER_OPEN, _CALLS_AFTER_SYNC = 15, 13
"""Of the two tables of SQLite; what they do is not ours to know."""


class _Vfs(ctypes.Structure):
    _fields_ = (
        ("version", c_int),
        ("file_size", c_int),
        ("max_path", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("data", c_void_p),
        ("open", c_void_p),
        *((f"call_{n}", c_void_p) for n in range(_CALLS_AFTER_OPEN)),
    )


class _Methods(ctypes.Structure):
    _fields_ = (
        ("version", c_int),
        ("close", c_void_p),
        ("read", c_void_p),
        ("write", c_void_p),
        ("truncate", c_void_p),
        ("sync", c_void_p),
        *((f"call_{n}", c_void_p) for n in range(_CALLS_AFTER_SYNC)),
    )


_kept: list[object] = []
"""What SQLite points to must not be collected."""


def record_to(path: Path) -> None:
    """From now on, for connections of this process that are opened later."""
    library = ctypes.CDLL(find_library("sqlite3") or "libsqlite3.so.0")
    library.sqlite3_vfs_find.restype = POINTER(_Vfs)
    original = library.sqlite3_vfs_find(None)
    real_open = _Open(original.contents.open)
    record = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    is_log: dict[int, bool] = {}
    replaced: dict[int, _Methods] = {}

    def note(what: bytes, file: int, number: int, content: bytes = b"") -> None:
        os.write(record, HEAD.pack(what, is_log[file], number, len(content)) + content)

    def methods_over(real: _Methods) -> _Methods:
        real_write, real_truncate = _Write(real.write), _Truncate(real.truncate)
        real_sync = _Sync(real.sync)

        def write(file: int, content: int, length: int, offset: int) -> int:
            note(WRITE, file, offset, ctypes.string_at(content, length))
            return real_write(file, content, length, offset)

        def truncate(file: int, size: int) -> int:
            note(TRUNCATE, file, size)
            return real_truncate(file, size)

        def sync(file: int, flags: int) -> int:
            result = real_sync(file, flags)
            if result == 0:
                note(FLUSH, file, 0)
            return result

        ours = _Methods.from_buffer_copy(real)
        calls = (_Write(write), _Truncate(truncate), _Sync(sync))
        ours.write, ours.truncate, ours.sync = (ctypes.cast(c, c_void_p) for c in calls)
        _kept.extend((ours, *calls))
        return ours

    def open_file(vfs: int, name: int, file: int, flags: int, out: object) -> int:
        result = real_open(ctypes.addressof(original.contents), name, file, flags, out)
        if result == 0 and flags & (OPEN_MAIN_DB | OPEN_WAL):
            is_log[file] = bool(flags & OPEN_WAL)
            slot = ctypes.cast(file, POINTER(c_void_p))
            real = slot[0]
            if real not in replaced:
                replaced[real] = methods_over(ctypes.cast(real, POINTER(_Methods)).contents)
            slot[0] = ctypes.addressof(replaced[real])
        return result

    ours = _Vfs.from_buffer_copy(original.contents)
    ours.name = b"recorded"
    call = _Open(open_file)
    ours.open = ctypes.cast(call, c_void_p)
    _kept.extend((ours, call, library, real_open))
    if library.sqlite3_vfs_register(ctypes.byref(ours), 1) != 0:
        raise RuntimeError("SQLite did not take the layer")


@dataclass(frozen=True, slots=True)
class Operation:
    """``end`` is where it ends in the record."""

    what: bytes
    log: bool
    number: int
    content: bytes
    end: int


def read_record(path: Path) -> list[Operation]:
    return list(_operations(path.read_bytes()))


def _operations(record: bytes) -> Iterator[Operation]:
    at = 0
    while at + HEAD.size <= len(record):
        what, log, number, length = HEAD.unpack_from(record, at)
        start, at = at + HEAD.size, at + HEAD.size + length
        if at <= len(record):
            yield Operation(what, log, number, record[start:at], at)


def after_power_cut(
    before: bytes, operations: list[Operation], cut: int, draw: random.Random
) -> tuple[bytes, bytes]:
    """Database and log when the power goes after ``cut`` bytes of the record. ``before`` is the
    database before the first of them, when there was no log."""
    happened = [one for one in operations if one.end <= cut]
    files = []
    for log in (False, True):
        mine = [one for one in happened if one.log is log]
        flushed = max((n for n, one in enumerate(mine, 1) if one.what == FLUSH), default=0)
        content = bytearray(b"" if log else before)
        for number, one in enumerate(mine):
            if number < flushed or draw.random() < 0.5:
                _apply(content, one, torn=None if number < flushed else draw)
        files.append(bytes(content))
    return files[0], files[1]


def _apply(content: bytearray, one: Operation, torn: random.Random | None) -> None:
    if one.what == TRUNCATE:
        del content[one.number :]
    elif one.what == WRITE:
        written = one.content
        if torn is not None and torn.random() < 0.5:
            written = written[: torn.randrange(len(written) // SECTOR + 1) * SECTOR]
        end = one.number + len(written)
        content.extend(bytes(max(0, end - len(content))))
        content[one.number : end] = written
