"""An honest pack, and the terms of the invented poll that it came from."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from api.bench.poll_kinds import CLOSES, OPENS, Kind
from consultation.polls.keys import LocalBoardKey
from consultation.polls.pack import Edition, PackSource, render
from consultation.polls.presets import BallotMode, RulePreset
from consultation.polls.rules import PollItem


@dataclass(slots=True, kw_only=True)
class Terms:
    """The terms of an invented poll, as the manifest takes them."""

    id: UUID
    round: int = 1
    scope_name: str = "桐荫苑"
    question: str = "是否同意加装电梯"
    items: list[PollItem]
    budget_fen: int | None
    preset: RulePreset
    mode: BallotMode
    text_hash: str | None = None
    roll_version: int = 1
    roll_digest: str | None = None
    opens_at: datetime = OPENS
    closes_at: datetime = CLOSES
    box_public_key: str | None = None


@dataclass(slots=True, kw_only=True)
class Honest:
    """An honest pack with what people around it hold. ``key`` is the board's own, for forgers
    who have it."""

    kind: Kind
    key: LocalBoardKey
    source: PackSource
    terms: Terms
    notice: str
    receipts: list[dict[str, Any]]
    extension: dict[str, str] | None
    earlier_head: dict[str, Any] | None

    def files(self, edition: Edition = Edition.FULL) -> dict[str, bytes]:
        return render(self.source, edition)
