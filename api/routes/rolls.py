"""Objections to a roll 名册异议: filed, ruled by two people, listed."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from fastapi import Path as PathParam
from pydantic import Field

from api.dependencies import CurrentActor, Db
from api.pagination import CursorParam, Limit, Page, read_time_cursor, time_cursor
from api.phrases import write
from api.wire import WireIn, WireOut
from consultation.polls.commands import objections
from consultation.polls.objection_tables import RollObjection, RollRuling
from consultation.polls.objections import (
    RollCorrection,
    RollDecision,
    RollObjectionKind,
    RollObjectionState,
    is_overdue,
)

router = APIRouter(prefix="/v1", tags=["rolls"])

Ground = Annotated[str, Field(min_length=1, max_length=1000)]


class MissingObjectionIn(WireIn):
    ground: Ground


class PlaceObjectionIn(WireIn):
    """``kind`` is any but missing."""

    kind: RollObjectionKind
    ground: Ground


class RollRulingIn(WireIn):
    """``correction`` exactly when the objection is upheld."""

    decision: RollDecision
    correction: RollCorrection | None = None
    reason: str = Field(min_length=1, max_length=1000)


class RollConfirmationIn(WireIn):
    """``version`` of the proposed ruling that is confirmed."""

    version: int = Field(ge=1)


class RollRulingOut(WireOut):
    version: int
    decision: RollDecision
    correction: RollCorrection | None
    reason: str
    at: datetime


class RollObjectionOut(WireOut):
    """``number`` (null: missing), ``ground`` and ``ruling`` are for who filed it and who rules.
    ``overdue``: it is not ruled by ``due_at``, or was not."""

    id: UUID
    kind: RollObjectionKind
    state: RollObjectionState
    filed_at: datetime
    due_at: datetime
    overdue: bool
    ruled_at: datetime | None
    number: int | None = None
    ground: str | None = None
    ruling: RollRulingOut | None = None


@router.put("/polls/{poll_id}/roll-objection")
async def object_to_missing(
    poll_id: UUID, body: MissingObjectionIn, actor: CurrentActor, db: Db
) -> RollObjectionOut:
    """Say that one is missing on the roll."""
    async with db.begin(actor) as tx:
        objection = await objections.file_objection(
            tx, poll_id, None, kind=RollObjectionKind.MISSING, ground=body.ground
        )
        return _out(objection, None, now=tx.now, whole=True)


@router.put("/polls/{poll_id}/roll/{number}/objection")
async def object_to_place(
    poll_id: UUID,
    number: Annotated[int, PathParam(ge=1)],
    body: PlaceObjectionIn,
    actor: CurrentActor,
    db: Db,
) -> RollObjectionOut:
    """Say that a place does not belong on the roll, or has a wrong area or voter."""
    async with db.begin(actor) as tx:
        objection = await objections.file_objection(tx, poll_id, number, **body.model_dump())
        return _out(objection, None, now=tx.now, whole=True)


@router.put("/roll-objections/{objection_id}/ruling")
async def propose_roll_ruling(
    objection_id: UUID, body: RollRulingIn, actor: CurrentActor, db: Db
) -> RollRulingOut:
    """Propose how to rule on an objection; a second person confirms it."""
    async with db.begin(actor) as tx:
        ruling = await objections.propose_ruling(
            tx, objection_id, decision=body.decision, correction=body.correction, reason=body.reason
        )
        return RollRulingOut.model_validate(ruling)


@router.put("/roll-objections/{objection_id}/confirmation")
async def confirm_roll_ruling(
    objection_id: UUID, body: RollConfirmationIn, actor: CurrentActor, db: Db
) -> RollObjectionOut:
    """Confirm the newest proposed ruling. If it upholds the objection, the roll is corrected."""
    async with db.begin(actor) as tx:
        objection = await objections.confirm_ruling(
            tx, objection_id, version=body.version, write=write
        )
        return _out(objection, None, now=tx.now, whole=True)


@router.get("/polls/{poll_id}/roll-objections")
async def list_roll_objections(
    poll_id: UUID, actor: CurrentActor, db: Db, limit: Limit = 50, cursor: CursorParam = None
) -> Page[RollObjectionOut]:
    """Objections to the roll, latest first. Whom they are about is for who filed and who rules."""
    async with db.read(actor) as tx:
        rules_on, found = await objections.read_objections(
            tx, poll_id, after=read_time_cursor(cursor), limit=limit + 1
        )
        items = [
            _out(one, ruling, now=tx.now, whole=rules_on or one.filed_by_id == actor.person_id)
            for one, ruling in found[:limit]
        ]
    last = found[limit - 1][0] if len(found) > limit else None
    return Page(
        items=items, next_cursor=None if last is None else time_cursor(last.filed_at, last.id)
    )


def _out(
    objection: RollObjection, ruling: RollRuling | None, *, now: datetime, whole: bool
) -> RollObjectionOut:
    return RollObjectionOut(
        id=objection.id,
        kind=objection.kind,
        state=objection.state,
        filed_at=objection.filed_at,
        due_at=objection.due_at,
        overdue=is_overdue(objection.due_at, objection.ruled_at, now=now),
        ruled_at=objection.ruled_at,
        number=(objection.number or None) if whole else None,
        ground=objection.ground if whole else None,
        ruling=RollRulingOut.model_validate(ruling) if whole and ruling is not None else None,
    )
