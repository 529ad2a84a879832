"""THE BOARD: when hashes of ballots go on it, and what its key signs, byte by byte. Pure.

While a poll is open the recorded leaves wait for a batch: every four hours, if there are at least
twenty, and at the first round of each day however few they are. A batch is sorted by hash; its
head tells the hour and no more. So neither order nor time on the board tells who cast what. Where
turnout is not shown as it is, the board does not show it either: ``disclosure.for_board`` says how
many leaves may go on it, and the rest wait for the close. A receipt promises the day by which its
leaf is on the board.

Whatever is signed is canonical JSON with a ``kind`` of its own, so that one signature can never be
taken for another.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from consultation.calendar import SHANGHAI
from consultation.polls.leaves import canonical

BATCH_LEAST = 20
BATCH_EVERY = timedelta(hours=4)
PROMISE_MARGIN = timedelta(hours=1)
"""A ballot cast later than this before the day's first round is promised for the next day's."""


def instant(at: datetime) -> str:
    """2026-03-11T01:00:00Z, whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_the_hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def next_round(at: datetime) -> datetime:
    """The first round of batches after an instant: 0, 4, 8 … o'clock in Shanghai."""
    local = at.astimezone(SHANGHAI)
    day = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return (day + ((local - day) // BATCH_EVERY + 1) * BATCH_EVERY).astimezone(UTC)


def day_begins(at: datetime) -> datetime:
    local = at.astimezone(SHANGHAI)
    return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def include_by(cast_at: datetime) -> datetime:
    """The promise of a receipt: the first beginning of a day that is an hour away at least. It
    depends on the cast alone, so that a retry gets the same receipt."""
    return day_begins(cast_at + PROMISE_MARGIN) + timedelta(days=1)


def batch_is_due(waiting: int, last_head_at: datetime | None, now: datetime) -> bool:
    """``last_head_at`` is null before the first head."""
    first_of_day = last_head_at is None or last_head_at < day_begins(now)
    return first_of_day or waiting >= BATCH_LEAST


def head_text(
    *,
    poll_id: UUID,
    manifest: str,
    tree: str,
    number: int,
    size: int,
    root: str,
    prev: str | None,
    at: datetime,
) -> bytes:
    """A tree head. ``manifest`` is the manifest's digest, ``prev`` that of the text before."""
    return canonical(
        {
            "v": 1,
            "kind": "head",
            "poll": str(poll_id),
            "manifest": manifest,
            "tree": tree,
            "number": number,
            "size": size,
            "root": root,
            "prev": prev,
            "at": instant(at),
        }
    )


def text_digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def receipt_text(*, poll_id: UUID, manifest: str, leaf: str, by: datetime) -> bytes:
    """The promise to a voter: this leaf will be on the board of this poll by then."""
    return canonical(
        {
            "v": 1,
            "kind": "receipt",
            "poll": str(poll_id),
            "manifest": manifest,
            "leaf": leaf,
            "include_by": instant(by),
        }
    )


def extension_line(*, old: datetime, new: datetime, at: datetime) -> dict[str, str]:
    """That at an instant the close was moved from the one in the manifest to a later one."""
    return {"from": instant(old), "to": instant(new), "at": instant(at)}


def certificate_text(
    *,
    poll_id: UUID,
    manifest: str,
    version: int,
    corrects: str | None,
    reason: str | None,
    result_digest: str,
    public_result: str,
    heads: Mapping[str, Mapping[str, Any]],
    reconciliation: Mapping[str, Any],
    signatures: Sequence[Mapping[str, Any]],
    extension: Mapping[str, str] | None,
    closed_at: datetime,
    certified_at: datetime,
) -> bytes:
    """The certificate of a count. ``public_result`` is the digest of ``pack.public_result``;
    ``heads`` holds number, size and root of the last head of each tree; ``signatures`` are those of
    tellers and supervisor; ``corrects`` is the digest of the certificate that this one replaces,
    for ``reason``; ``extension`` is that of ``extension_line``."""
    return canonical(
        {
            "v": 1,
            "kind": "certificate",
            "poll": str(poll_id),
            "manifest": manifest,
            "version": version,
            "corrects": corrects,
            "reason": reason,
            "result_digest": result_digest,
            "public_result": public_result,
            "heads": heads,
            "reconciliation": text_digest(canonical(reconciliation)),
            "signatures": signatures,
            "extension": extension,
            "closed_at": instant(closed_at),
            "certified_at": instant(certified_at),
        }
    )
