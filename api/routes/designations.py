"""Who votes 指定表决人 for co-owners or a household: named, and logged."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter

from api.dependencies import CurrentActor, Db
from api.pagination import CursorParam, Limit, Page, read_time_cursor, time_cursor
from api.routes.paper import Sha256
from api.wire import WireIn, WireOut
from consultation.polls.commands import designations

router = APIRouter(prefix="/v1", tags=["rolls"])


class DesignationIn(WireIn):
    """``evidence_sha256`` of the signed paper, when staff enter it."""

    person_id: UUID
    evidence_sha256: Sha256 | None = None
    witness_id: UUID | None = None


class DesignationOut(WireOut):
    """``named`` is a masked name, null where a register file (``from_register``) names nobody, and
    ``evidence_sha256`` then the digest of the file; exactly one of the two codes is there."""

    id: UUID
    unit_code: str | None
    household_code: str | None
    named: str | None
    evidence_sha256: str | None
    from_register: bool
    at: datetime


@router.put("/units/{unit_id}/voter", status_code=204)
async def name_owner_voter(unit_id: UUID, body: DesignationIn, actor: CurrentActor, db: Db) -> None:
    """Name the one of several owners who votes for a unit, before a roll is frozen."""
    async with db.begin(actor) as tx:
        await designations.name_owner_voter(tx, unit_id, **body.model_dump())


@router.put("/households/{household_id}/representative", status_code=204)
async def name_representative(
    household_id: UUID, body: DesignationIn, actor: CurrentActor, db: Db
) -> None:
    """Name the member who represents a household, before a roll is frozen."""
    async with db.begin(actor) as tx:
        await designations.name_representative(tx, household_id, **body.model_dump())


@router.get("/communities/{community_id}/voter-designations")
async def list_designations(
    community_id: UUID, actor: CurrentActor, db: Db, limit: Limit = 50, cursor: CursorParam = None
) -> Page[DesignationOut]:
    """The log of who was named, latest first, for who keeps the registers."""
    async with db.read(actor) as tx:
        found = await designations.read_designations(
            tx, community_id, after=read_time_cursor(cursor), limit=limit + 1
        )
    shown = found[:limit]
    more = len(found) > limit
    return Page(
        items=[DesignationOut.model_validate(row) for row in shown],
        next_cursor=time_cursor(shown[-1].at, shown[-1].id) if more else None,
    )
