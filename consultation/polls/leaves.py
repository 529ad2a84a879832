"""LEAVES: what of a ballot goes on the public board, byte by byte. Pure (RFC 6962, RFC 9162).

A leaf is canonical JSON (sorted keys, no spaces, UTF-8). The board shows its hash alone until the
result pack opens it; ``salt`` keeps anybody from guessing the content of a hash.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar
from uuid import UUID

from consultation.polls.presets import BallotChannel
from consultation.polls.rules import Choices

SALT_BYTES = 16


def canonical(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256(0x00 ‖ leaf): RFC 9162, 2.1.1."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def salt_secret(roll_secret: bytes) -> bytes:
    """What salts of a poll's keyed casts are made with; it does not lead back to the pseudonyms."""
    return hmac.digest(roll_secret, b"salts", "sha256")


def keyed_salt(secret: bytes, place: int, key: str, random: bytes) -> bytes:
    """The salt of a cast that came with its client's key: half of it is random, the other says
    which key it was, so that the key need not be stored. Who does not know the secret can guess no
    salt, however weak the key."""
    half = random[: SALT_BYTES // 2]
    mark = hmac.digest(secret, half + f"{place} {key}".encode(), "sha256")
    return half + mark[: SALT_BYTES - len(half)]


class Salted(Protocol):
    @property
    def salt(self) -> bytes: ...


AnySalted = TypeVar("AnySalted", bound=Salted)


def sent_before(
    known: Sequence[AnySalted], secret: bytes | None, place: int, key: str | None
) -> AnySalted | None:
    """The cast of this place that came with this key."""
    if not key or secret is None:
        return None
    return next(
        (one for one in known if one.salt == keyed_salt(secret, place, key, one.salt)), None
    )


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
