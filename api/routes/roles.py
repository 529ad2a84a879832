"""Roles 任职: who holds which office, and how one person proposes it and another confirms."""

from datetime import date, datetime, timedelta
from typing import Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field, model_validator

from api.dependencies import AnyActor, CurrentActor, Db
from api.idempotency import Once
from api.pagination import CursorParam, Limit, Page, read_time_cursor, time_cursor
from api.wire import WireIn, WireOut
from consultation.calendar import end_of
from consultation.community import role_queries as queries
from consultation.community.commands import roles
from consultation.permissions import Role

router = APIRouter(prefix="/v1", tags=["roles"])


class RoleIn(WireIn):
    """Somebody known by ``person_id`` or, exactly one of the two, by ``phone``. ``last_day`` is
    still in office. ``close_relative_of_committee`` is declared by the person."""

    person_id: UUID | None = None
    phone: str | None = Field(default=None, max_length=20)
    role: Role
    org_id: UUID
    node_id: UUID
    first_day: date
    last_day: date | None = None
    title: str = Field(default="", max_length=40)
    basis: str = Field(min_length=1, max_length=200)
    close_relative_of_committee: bool = False

    @model_validator(mode="after")
    def _one_person(self) -> Self:
        if (self.person_id is None) == (self.phone is None):
            raise ValueError("exactly one of person_id and phone")
        return self


class EndRoleIn(WireIn):
    basis: str = Field(min_length=1, max_length=200)


class RoleOut(WireOut):
    """An office. ``holder`` is a masked name; ``valid_to`` is exclusive."""

    id: UUID
    role: Role
    title: str
    holder: str
    org_id: UUID
    org_name: str
    node_id: UUID
    node_name: str
    valid_from: datetime
    valid_to: datetime | None


class RoleProposalOut(RoleOut):
    """An office that waits for somebody else than ``proposed_by_id`` to confirm it."""

    person_id: UUID
    basis: str
    close_relative_of_committee: bool
    proposed_by_id: UUID
    proposed_at: datetime


def _proposal_out(row: queries.RoleProposal, named: queries.NamedRole) -> RoleProposalOut:
    return RoleProposalOut(
        **RoleOut.model_validate(named).model_dump(),
        person_id=row.person_id,
        basis=row.basis,
        close_relative_of_committee=row.close_relative_of_committee,
        proposed_by_id=row.proposed_by_id,
        proposed_at=row.proposed_at,
    )


@router.get("/communities/{community_id}/roles")
async def list_roles(
    community_id: UUID, db: Db, actor: AnyActor, cursor: CursorParam = None, limit: Limit = 50
) -> Page[RoleOut]:
    """Who holds office in the community now, longest first. Public, with masked names."""
    async with db.read(actor) as tx:
        found = await queries.offices(
            tx, community_id, after=read_time_cursor(cursor), limit=limit + 1
        )
    items = [RoleOut.model_validate(named) for named in found[:limit]]
    more = len(found) > limit
    return Page(
        items=items, next_cursor=time_cursor(items[-1].valid_from, items[-1].id) if more else None
    )


@router.get("/communities/{community_id}/role-proposals")
async def list_role_proposals(
    community_id: UUID, db: Db, actor: CurrentActor, cursor: CursorParam = None, limit: Limit = 50
) -> Page[RoleProposalOut]:
    """Proposed roles that wait for a second person, oldest first, for those who grant roles."""
    async with db.read(actor) as tx:
        found = await queries.proposals(
            tx, community_id, after=read_time_cursor(cursor), limit=limit + 1
        )
    items = [_proposal_out(row, named) for row, named in found[:limit]]
    more = len(found) > limit
    return Page(
        items=items, next_cursor=time_cursor(items[-1].proposed_at, items[-1].id) if more else None
    )


@router.post("/communities/{community_id}/roles", status_code=201)
async def propose_role(community_id: UUID, body: RoleIn, once: Once) -> RoleProposalOut:
    """Propose that somebody holds an office. It gives nothing before another person confirms."""
    async with once.begin() as tx:
        row = await roles.propose_role(
            tx,
            community_id,
            person_id=body.person_id,
            phone=body.phone,
            role=body.role,
            org_id=body.org_id,
            node_id=body.node_id,
            valid_from=end_of(body.first_day - timedelta(days=1)),
            valid_to=None if body.last_day is None else end_of(body.last_day),
            title=body.title,
            basis=body.basis,
            close_relative_of_committee=body.close_relative_of_committee,
        )
        return once.keep(_proposal_out(row, await queries.named_role(tx, row)))


@router.post("/roles/{role_id}/confirm")
async def confirm_role(role_id: UUID, once: Once) -> RoleOut:
    """The second person gives the office; it works from the next request on."""
    async with once.begin() as tx:
        row = await roles.confirm_role(tx, role_id)
        return once.keep(RoleOut.model_validate(await queries.named_role(tx, row)))


@router.post("/roles/{role_id}/end")
async def end_role(role_id: UUID, body: EndRoleIn, once: Once) -> RoleOut:
    """End an office at once, one's own or one that the actor may grant; or decline a proposal."""
    async with once.begin() as tx:
        row = await roles.end_role(tx, role_id, basis=body.basis)
        return once.keep(RoleOut.model_validate(await queries.named_role(tx, row)))
