"""Objections to a roll 名册异议 and the rulings on them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from consultation.columns import (
    Row,
    choice,
    key,
    maybe_ref,
    maybe_value,
    maybe_when,
    ref,
    text,
    when,
)
from consultation.polls.objections import (
    RollCorrection,
    RollDecision,
    RollObjectionKind,
    RollObjectionState,
)


class RollObjection(Row, table=True):
    """Somebody says that the roll of a poll is wrong at a place; ``number`` 0: that they are
    missing. It is open until a ruling is confirmed, and the poll does not open before."""

    __table_args__ = (UniqueConstraint("poll_id", "filed_by_id", "number"),)

    id: UUID = key()
    community_id: UUID = ref("node.id", index=False)
    poll_id: UUID = ref("poll.id", index=False)
    number: int
    kind: RollObjectionKind = choice(RollObjectionKind)
    ground: str = text()
    filed_by_id: UUID = ref("person.id", index=False)
    filed_at: datetime = when()
    due_at: datetime = when()
    state: RollObjectionState = choice(RollObjectionState)
    ruling_version: int | None = None
    confirmed_by_id: UUID | None = maybe_ref("person.id")
    ruled_at: datetime | None = maybe_when()


class RollRuling(Row, table=True):
    """A proposed ruling. The one that another person confirmed is named by the objection."""

    objection_id: UUID = ref("roll_objection.id", primary_key=True)
    version: int = Field(primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    decision: RollDecision = choice(RollDecision)
    correction: RollCorrection | None = maybe_value(RollCorrection)
    reason: str = text()
    by_id: UUID = ref("person.id", index=False)
    at: datetime = when()
