"""What somebody who drafts a poll asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from consultation.polls.presets import BallotMode
from consultation.polls.rules import PollItem


@dataclass(frozen=True, slots=True, kw_only=True)
class Nominee:
    """Who an option of an election stands for, by id or by phone."""

    item: int
    code: str
    person_id: UUID | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PollDraft:
    """What a clerk proposes to put to the vote. ``preset`` is ``id@version``.

    ``owners_system_of_record``: whether the law of the place takes this server's count for an
    owners' vote. The operator says so, not who drafts; where it does not the poll is indicative
    (domain 2.5)."""

    preset: str
    scope_node_id: UUID
    question: str
    items: list[PollItem]
    budget_fen: int | None
    opens_at: datetime
    closes_at: datetime | None
    meeting_id: UUID | None
    mode: BallotMode | None = None  # None: the preset's first
    owners_system_of_record: bool = True
    candidates: Sequence[Nominee] = ()
    silence_clause_id: UUID | None = None  # the adopted clause by which silence counts (deeming)
