"""LEAVES: what of a ballot goes on the public board, byte by byte. Pure (RFC 6962, RFC 9162).

A leaf is canonical JSON (sorted keys, no spaces, UTF-8). The board shows its hash alone until the
result pack opens it; ``salt`` keeps anybody from guessing the content of a hash.
"""

import hashlib
import json
from typing import Any
from uuid import UUID

from consultation.polls.presets import BallotChannel
from consultation.polls.rules import Choices

SALT_BYTES = 16


def canonical(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256(0x00 ‖ leaf): RFC 9162, 2.1.1."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def ballot_leaf(
    *,
    poll_id: UUID,
    place: int,
    cast_no: int,
    channel: BallotChannel,
    choices: Choices | None,
    salt: bytes,
) -> bytes:
    """A cast of a named poll. ``place`` is the voter's number on the roll; ``choices`` is null of
    an invalid ballot."""
    return canonical(
        {
            "v": 1,
            "poll": str(poll_id),
            "place": place,
            "cast": cast_no,
            "channel": channel.value,
            "choices": choices,
            "salt": salt.hex(),
        }
    )


def envelope_leaf(*, poll_id: UUID, sealed: bytes, salt: bytes) -> bytes:
    """A confidential ballot as it came in: the hash of its envelope, without the voter."""
    envelope = hashlib.sha256(sealed).hexdigest()
    return canonical({"v": 1, "poll": str(poll_id), "envelope": envelope, "salt": salt.hex()})


def opened_leaf(*, poll_id: UUID, tracker: str, choices: Choices | None) -> bytes:
    """A confidential ballot as it came out of the box; ``choices`` is null of an invalid one."""
    return canonical({"v": 1, "poll": str(poll_id), "tracker": tracker, "choices": choices})
