"""THE RESULT PACK: everything that a stranger needs to count a poll again, as files. Pure.

The same facts always give the same bytes. ``pack_format.md`` (FORMAT.md in the pack) says what each
byte means, so that anybody can write a second verifier. Two editions: the *full* one opens the
ballots, to those who may see them; the *public* one of a named poll keeps roll and ballots closed
as leaf hashes, and sums of areas back, and says so.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import resources
from typing import Any
from uuid import UUID

from consultation.polls.leaves import canonical, leaf_hash
from consultation.polls.manifest import RollLine, roll_leaf
from consultation.polls.presets import BallotMode, Measure
from consultation.refusals import NotFound


class PackNotReady(NotFound):
    """There is a pack once the result is certified."""

    code = "pack-not-ready"


class Edition(StrEnum):
    FULL = "full"
    PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class CastLine:
    """A cast of a named poll as its leaf says it, and what the leaf does not say: whether the rule
    on several casts set it aside."""

    place: int
    cast_no: int
    channel: str
    choices: Mapping[str, list[str]] | None
    salt: bytes
    set_aside: bool
    leaf: bytes


@dataclass(frozen=True, slots=True)
class OpenedLine:
    tracker: str
    choices: Mapping[str, list[str]] | None


@dataclass(frozen=True, slots=True)
class CertificateLine:
    """One version of the result: its certificate and what that certifies."""

    content: str
    signature: str
    result: Mapping[str, Any]
    result_digest: str
    reconciliation: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackSource:
    """What a pack is made of. ``leaves`` are whole trees by name, ``heads`` their heads as FORMAT
    says, ``hands`` the totals of a show of hands, ``deemed`` the places of silent voters who count
    with the majority."""

    poll_id: UUID
    mode: BallotMode
    measures: list[Measure]
    manifest: str
    roll: list[RollLine]
    ballots: list[CastLine] = field(default_factory=list)
    opened: list[OpenedLine] = field(default_factory=list)
    leaves: Mapping[str, list[bytes]]
    heads: Sequence[Mapping[str, Any]]
    certificates: list[CertificateLine]
    hands: Mapping[str, Any] | None = None
    deemed: list[int] = field(default_factory=list)
    result_salt: bytes | None
    closed_at: str


def render(source: PackSource, edition: Edition) -> dict[str, bytes]:
    """The files of a pack by name, SHA256SUMS last."""
    closed = edition is Edition.PUBLIC and source.mode is BallotMode.NAMED
    last = source.certificates[-1]
    files = {
        "manifest.json": source.manifest.encode(),
        "roll.jsonl": _lines(_roll(source, closed=closed)),
        "ballots.jsonl": _lines(_ballots(source, closed=closed)),
        "board.jsonl": _lines(
            {"tree": tree, "idx": idx, "leaf": leaf.hex()}
            for tree, leaves in sorted(source.leaves.items())
            for idx, leaf in enumerate(leaves)
        ),
        "heads.jsonl": _lines(source.heads),
        "tally.json": canonical(_tally(source, closed=closed)),
        "reconciliation.json": canonical(last.reconciliation),
        "certificate.json": canonical(
            {
                "content": last.content,
                "signature": last.signature,
                "earlier": [
                    {"content": one.content, "signature": one.signature}
                    for one in source.certificates[:-1]
                ],
            }
        ),
        "FORMAT.md": resources.files("consultation.polls").joinpath("pack_format.md").read_bytes(),
    }
    sums = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in sorted(files.items())
    )
    return files | {"SHA256SUMS": sums.encode()}


def _roll(source: PackSource, *, closed: bool) -> Iterable[Mapping[str, Any]]:
    for line in sorted(source.roll, key=lambda one: one.number):
        if closed:
            yield {"leaf": leaf_hash(roll_leaf(source.poll_id, line)).hex()}
        else:
            yield {
                "number": line.number,
                "voter": line.voter,
                "area_dm2": line.area_dm2,
                "units": line.units,
                "salt": line.salt.hex(),
            }


def _ballots(source: PackSource, *, closed: bool) -> Iterable[Mapping[str, Any]]:
    if source.mode is BallotMode.CONFIDENTIAL:
        for line in source.opened:
            yield {"tracker": line.tracker, "choices": line.choices}
        return
    if closed:
        for leaf in sorted(cast.leaf for cast in source.ballots):
            yield {"leaf": leaf.hex()}
        return
    for cast in sorted(source.ballots, key=lambda one: (one.place, one.cast_no)):
        yield {
            "place": cast.place,
            "cast": cast.cast_no,
            "channel": cast.channel,
            "choices": cast.choices,
            "salt": cast.salt.hex(),
            "set_aside": cast.set_aside,
        }


def _tally(source: PackSource, *, closed: bool) -> dict[str, Any]:
    last = source.certificates[-1]
    withheld = ["roll", "ballots"] if closed else []
    result, salt = last.result, source.result_salt
    if closed:
        result = public_result(result, mode=source.mode, measures=source.measures)
    if closed and Measure.AREA in source.measures:
        withheld.append("areas")
        salt = None
    return {
        "poll": str(source.poll_id),
        "edition": (Edition.PUBLIC if closed else Edition.FULL).value,
        "withheld": withheld,
        "closed_at": source.closed_at,
        "result": result,
        "result_digest": last.result_digest,
        "salt": None if salt is None else salt.hex(),
        "hands": source.hands,
        "deemed": [] if closed else sorted(source.deemed),
    }


def public_result(
    result: Mapping[str, Any], *, mode: BallotMode, measures: Sequence[Measure]
) -> Mapping[str, Any]:
    """The result as everybody may have it. A sum of areas to 0.01 m² singles out a lone voter in
    most estates (trust 5.2); a confidential poll has none."""
    if mode is BallotMode.NAMED and Measure.AREA in measures:
        return _without_areas(result)
    return result


def _without_areas(value: Any) -> Any:
    """A result without sums of areas of votes, and without the steps that tell them."""
    if isinstance(value, list):
        return [_without_areas(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {name: _without_areas(one) for name, one in value.items() if name != "steps"}
    kept.pop("area_dm2", None)
    if kept.get("measure") == Measure.AREA:
        for name in ("value", "base", "needed", "missing"):
            kept.pop(name, None)
    return kept


def _lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(canonical(row) + b"\n" for row in rows)
