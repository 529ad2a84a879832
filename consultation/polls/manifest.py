"""THE MANIFEST: what a poll is about, byte by byte, before anybody votes. Pure.

It is canonical JSON. The notice of the poll shows the beginning of its SHA-256, every tree head and
certificate names it whole, and the result pack begins with it: whoever changes the question, a
rule, the roll, the mode or a key after the notice makes another manifest.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from consultation.polls import board, merkle, rolls
from consultation.polls.leaves import canonical, leaf_hash
from consultation.polls.presets import BallotMode, RulePreset
from consultation.polls.rules import PollItem, preset_text
from consultation.refusals import NotNow

FORMAT = "minyi-poll-3"
"""Since the second a confidential poll's envelopes are reconciled with the board; since the third
the digest of the result is salted, and the public result is certified too (pack_format.md)."""
MODE_LABELS: Mapping[BallotMode, Mapping[str, str]] = {
    BallotMode.NAMED: {
        "zh-CN": "记名表决:选择与投票人一并保存,投票人本人可以查看;截止后计票人和监督人可以查看。",
        "en": "Named: the choice is stored with the voter. The voter can see it, and after the "
        "close tellers and supervisor can.",
    },
    BallotMode.CONFIDENTIAL: {
        "zh-CN": "保密表决:双信封,截止时投票人与选择分开,此后无从对应;运营者承诺不查看,"
        "但保有密钥和副本的运营者在技术上能够查看。",
        "en": "Confidential: a double envelope. At the close voter and choice are separated for "
        "good. The operator promises not to look; one who keeps the key and a copy could.",
    },
}
"""What each mode is, in words that are part of the manifest and never change."""


class ManifestFixed(NotNow):
    """From the opening on nothing makes another manifest."""

    code = "manifest-fixed"


@dataclass(frozen=True, slots=True)
class RollLine:
    """A place on the roll as the root commits to it. ``voter`` is the pseudonym of ``voter_of``, or
    None of a place without a voter; ``units`` is how many parts the area has."""

    number: int
    voter: str | None
    area_dm2: int
    units: int
    salt: bytes


def voter_of(secret: bytes, person_id: UUID) -> str:
    """A pseudonym for one poll: HMAC-SHA256 of the person's id, cut to 128 bits. Once the poll's
    secret is destroyed nobody finds the person from it."""
    return hmac.new(secret, person_id.bytes, hashlib.sha256).hexdigest()[:32]


def roll_leaf(poll_id: UUID, line: RollLine) -> bytes:
    return canonical(
        {
            "v": 1,
            "poll": str(poll_id),
            "number": line.number,
            "voter": line.voter,
            "area_dm2": line.area_dm2,
            "units": line.units,
            "salt": line.salt.hex(),
        }
    )


def roll_root(poll_id: UUID, lines: Iterable[RollLine]) -> str:
    """The root over all places in the order of their numbers."""
    ordered = sorted(lines, key=lambda line: line.number)
    return merkle.root([leaf_hash(roll_leaf(poll_id, line)) for line in ordered]).hex()


class PollTerms(Protocol):
    """What the manifest takes from a poll."""

    id: UUID
    round: int
    scope_name: str
    question: str
    items: list[PollItem]
    budget_fen: int | None
    preset: RulePreset
    mode: BallotMode
    text_hash: str | None
    roll_version: int
    roll_digest: str | None
    opens_at: datetime
    closes_at: datetime
    box_public_key: str | None


def build(poll: PollTerms, roll: Iterable[RollLine], *, board_key: str) -> dict[str, Any]:
    """The manifest of a poll. ``box_key`` in it is the public key to which ballots of a
    confidential poll are sealed."""
    lines = list(roll)
    return {
        "format": FORMAT,
        "poll": str(poll.id),
        "round": poll.round,
        "scope": poll.scope_name,
        "question": poll.question,
        "items": [item.model_dump(mode="json") for item in poll.items],
        "budget_fen": poll.budget_fen,
        "text_hash": poll.text_hash,
        "preset": {"key": poll.preset.key, "content": preset_text(poll.preset)},
        "mode": poll.mode.value,
        "mode_label": dict(MODE_LABELS[poll.mode]),
        "roll": {
            "version": poll.roll_version,
            "places": len(lines),
            "area_dm2": sum(line.area_dm2 for line in lines),
            "root": roll_root(poll.id, lines),
            "digest": poll.roll_digest,
        },
        "opens_at": board.instant(poll.opens_at),
        "closes_at": board.instant(poll.closes_at),
        "reference_day": rolls.reference_day(poll.closes_at).isoformat(),
        "batches": {
            "least": board.BATCH_LEAST,
            "every_seconds": int(board.BATCH_EVERY.total_seconds()),
        },
        "board_key": board_key,
        "box_key": poll.box_public_key,
    }


def digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(content)).hexdigest()
