"""Everything that can be noticed of the server, and what of it may differ between two plays.

``Noticed`` is kept in the order in which things came. ``BLIND`` is the whole list of fields that
are made with fresh randomness or are the voter's own; in any other field, length, status, header,
frame or log line a difference is a leak.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

DIGEST = re.compile(r"[0-9a-f]{64}")
SIGNATURE = re.compile(r"[0-9a-f]{128}")
PLACE = re.compile(r"\d{1,2}")
SHORT_ROOT = re.compile(r"(?<=校验码 )[0-9a-f]{16}\b")

BLIND: Mapping[str, Mapping[str, re.Pattern[str]]] = {
    # A receipt is the hash of a leaf that holds the choice and 16 random bytes.
    "cast_ballot": {"receipt": DIGEST},
    "record_ballot": {"receipt": DIGEST},
    "cast_as_proxy": {"receipt": DIGEST},
    "my_ballot": {"receipt": DIGEST},
    # The board key's signature over a receipt.
    "my_signed_receipt": {"receipt": DIGEST, "signature": SIGNATURE},
    # The board holds those hashes, sorted, and roots and signatures over them.
    "get_board": {
        "leaves": DIGEST,
        "head.root": DIGEST,
        "head.prev": DIGEST,
        "head.signature": SIGNATURE,
    },
    "list_tree_heads": {"items.root": DIGEST, "items.prev": DIGEST, "items.signature": SIGNATURE},
    "prove_inclusion": {
        "leaf": DIGEST,
        "index": PLACE,
        "path": DIGEST,
        "head.root": DIGEST,
        "head.prev": DIGEST,
        "head.signature": SIGNATURE,
    },
    "prove_consistency": {"from_root": DIGEST, "to_root": DIGEST, "proof": DIGEST},
}
"""By operation, the fields that are commitments made with randomness of their own. Each must look
like one, whole, or it counts as it is."""
PATHS = frozenset({"prove_inclusion"})
"""Operations whose answer is as long as the way from a leaf to the root, and a leaf's place comes
from its hash; the board's size is compared elsewhere."""
OWN: Mapping[str, str] = {
    "my_ballot": "answers"  # of a named ballot, to the voter whose it is
}
"""By operation, the field that shows voters their own ballot, and nobody else's."""
RANDOM_HEADERS = frozenset({"x-request-id", "date"})
RANDOM_OF_A_LINE = frozenset({"timestamp", "ms", "request_id", "rid"})
"""Wall-clock times and random ids of a log line."""
RANDOM_OF_A_FRAME = frozenset({"conn_id", "t"})
RANDOM_OF_A_KIND = {"notice.added": frozenset({"id"})}
"""Ids are random; which of two tasks takes the next of a seeded row is chance."""


@dataclass(frozen=True)
class Seen:
    """``what`` names operation, reader and occasion; ``shape`` is all that was there to notice."""

    what: tuple[str, ...]
    shape: tuple[object, ...]


@dataclass
class Noticed:
    seen: list[Seen] = field(default_factory=list)

    def answer(self, what: tuple[str, ...], answer: httpx.Response, *, own: bool = False) -> None:
        """``what`` begins with the operation; ``own``: the reader is the voter whose ballot it
        is."""
        headers = {n: v for n, v in answer.headers.items() if n not in RANDOM_HEADERS}
        tag = headers.pop("etag", None)
        if tag is not None:  # it says nothing beside what the body says
            assert tag == f'"{hashlib.sha256(answer.content).hexdigest()[:24]}"', what
        body: object = answer.text
        length = len(answer.content)
        if answer.content and "json" in headers.get("content-type", ""):
            body = blinded(what[0], answer.json(), own=own)
            if what[0] in PATHS or (own and what[0] in OWN):
                del headers["content-length"]
                length = 0
        elif what[0] == "page":  # which shows the beginning of the board's root
            body = SHORT_ROOT.sub("#", answer.text)
        self.seen.append(Seen(what, (answer.status_code, headers, length, body)))

    def frame(self, reader: str, frame: Mapping[str, Any]) -> None:
        random = RANDOM_OF_A_FRAME | RANDOM_OF_A_KIND.get(str(frame.get("type")), frozenset())
        content = {n: v for n, v in frame.items() if n not in random}
        self.seen.append(Seen(("frame", str(frame.get("type")), reader), (content,)))

    def lines(self, text: str) -> None:
        """The log, whose lines of one moment may come in any order."""
        kept = []
        for line in text.splitlines():
            fields = json.loads(line)
            kept.append({n: v for n, v in fields.items() if n not in RANDOM_OF_A_LINE})
        for one in sorted(json.dumps(line, sort_keys=True) for line in kept):
            self.seen.append(Seen(("log",), (one,)))


def blinded(operation: str, content: Any, *, own: bool) -> Any:
    blind = BLIND.get(operation, {})

    def walk(value: Any, at: str) -> Any:
        if own and OWN.get(operation) == at:
            return "own"
        if isinstance(value, dict):
            return {n: walk(v, f"{at}.{n}".lstrip(".")) for n, v in value.items()}
        if isinstance(value, list):
            seen = [walk(one, at) for one in value]
            return ["#"] if at == "path" and set(seen) == {"#"} else seen
        if at in blind and blind[at].fullmatch(str(value)):
            return "#"
        return value

    return walk(content, "")


def differences(one: Noticed, other: Noticed) -> Iterator[str]:
    """What somebody could tell the plays apart by."""
    for a, b in zip(one.seen, other.seen, strict=False):
        if a.what != b.what:
            yield f"{a.what} | {b.what}"
            return
        if a.shape != b.shape:
            yield f"{a.what}: {_first(a.shape, b.shape)}"
    if len(one.seen) != len(other.seen):
        yield f"{len(one.seen)} | {len(other.seen)} things were noticed"


def _first(a: object, b: object, at: str = "") -> str:
    if isinstance(a, Mapping) and isinstance(b, Mapping) and a.keys() == b.keys():
        pairs = [(str(name), a[name], b[name]) for name in a]
    elif isinstance(a, list | tuple) and isinstance(b, list | tuple) and len(a) == len(b):
        pairs = [(str(n), x, y) for n, (x, y) in enumerate(zip(a, b, strict=True))]
    else:
        one, other = str(a), str(b)
        pairs_of = enumerate(zip(one, other, strict=False))
        where = next((n for n, (x, y) in pairs_of if x != y), min(len(one), len(other)))
        start = max(0, where - 40)
        return f"{at}: {one[start : where + 60]!r} | {other[start : where + 60]!r}"
    return "; ".join(_first(x, y, f"{at}.{name}") for name, x, y in pairs if x != y)
