"""Communities 社区(村): the tree, its organisations, and its homes for those who may see them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from api.as_of import AsOf, as_of_head
from api.dependencies import AnyActor, CurrentActor, Db
from api.pagination import CursorParam, Limit, Page, decode_cursor, encode_cursor
from api.wire import WireOut
from consultation.community import place_queries as queries
from consultation.community.queries import read_community as community_at
from consultation.community.tables import NodeKind, OrgKind, UnitKind

router = APIRouter(prefix="/v1", tags=["communities"])


class CommunityOut(WireOut):
    """``above`` is the subdistrict or town. ``households`` counts the occupied ones."""

    id: UUID
    code: str
    kind: NodeKind
    name: str
    above: str
    homes: int
    households: int


class LevelOut(WireOut):
    id: UUID
    kind: NodeKind
    name: str


class NodeCountOut(WireOut):
    kind: NodeKind
    count: int


class CommunityDetailOut(WireOut):
    """``levels`` lead from the city down to the subdistrict or town."""

    id: UUID
    code: str
    kind: NodeKind
    name: str
    levels: list[LevelOut]
    homes: int
    households: int
    adults: int
    nodes: list[NodeCountOut]
    as_of: AsOf | None


class NodeOut(WireOut):
    """A place. ``grid_id`` is the grid that an estate, building or entrance lies in."""

    id: UUID
    kind: NodeKind
    code: str
    name: str
    parent_id: UUID | None
    grid_id: UUID | None
    homes: int
    households: int
    built_year: int | None
    estate_type: str | None
    manager: str | None


class OrganisationOut(WireOut):
    """``community_id`` is null on the levels above the community."""

    id: UUID
    code: str
    kind: OrgKind
    name: str
    node_id: UUID
    node_name: str
    community_id: UUID | None


class HouseholdOut(WireOut):
    """``representative`` is a masked name."""

    id: UUID
    code: str
    unit_id: UUID | None
    unit_code: str | None
    grid_id: UUID | None
    occupied: bool
    adults: int
    representative_id: UUID | None
    representative: str | None


class OwnerOut(WireOut):
    """``name`` is masked."""

    person_id: UUID
    name: str
    named_voter: bool


class UnitOut(WireOut):
    """``area_dm2`` is in 0.01 m²."""

    id: UUID
    code: str
    kind: UnitKind
    area_dm2: int
    developer_unsold: bool
    owners: list[OwnerOut]


def _after(cursor: str | None) -> str | None:
    return None if cursor is None else str(decode_cursor(cursor, 1)[0])


def _next(more: bool, last: str) -> str | None:
    return encode_cursor(last) if more else None


@router.get("/communities")
async def list_communities(
    db: Db, actor: AnyActor, cursor: CursorParam = None, limit: Limit = 20
) -> Page[CommunityOut]:
    """All communities and villages, by code."""
    async with db.read(actor) as tx:
        found = await queries.communities(tx, after=_after(cursor), limit=limit + 1)
    items = [
        CommunityOut(
            id=node.id,
            code=node.code,
            kind=node.kind,
            name=node.name,
            above=above,
            homes=node.homes,
            households=node.households,
        )
        for node, above in found[:limit]
    ]
    return Page(items=items, next_cursor=_next(len(found) > limit, items[-1].code if items else ""))


@router.get("/communities/{community_id}")
async def read_community(community_id: UUID, db: Db, actor: AnyActor) -> CommunityDetailOut:
    """One community: where it lies, how large it is, and of how many places it is made."""
    async with db.read(actor) as tx:
        place = await community_at(tx, community_id)
        counts = await queries.node_counts(tx, community_id)
    node = place.node
    return CommunityDetailOut(
        as_of=as_of_head(place.head),
        id=node.id,
        code=node.code,
        kind=node.kind,
        name=node.name,
        levels=[LevelOut.model_validate(level) for level in place.levels],
        homes=node.homes,
        households=node.households,
        adults=node.adults,
        nodes=[NodeCountOut(kind=kind, count=counts[kind]) for kind in NodeKind if kind in counts],
    )


@router.get("/communities/{community_id}/nodes")
async def list_nodes(
    community_id: UUID,
    db: Db,
    actor: AnyActor,
    parent: Annotated[UUID | None, Query(description="The community itself by default")] = None,
    cursor: CursorParam = None,
    limit: Limit = 50,
) -> Page[NodeOut]:
    """The places directly below one: grids and estates, then buildings, then entrances."""
    async with db.read(actor) as tx:
        found = await queries.places_below(
            tx, community_id, parent or community_id, after=_after(cursor), limit=limit + 1
        )
    items = [
        NodeOut(
            id=node.id,
            kind=node.kind,
            code=node.code,
            name=node.name,
            parent_id=node.parent_id,
            grid_id=node.grid_id,
            homes=node.homes,
            households=node.households,
            built_year=node.facts.get("built_year"),
            estate_type=node.facts.get("estate_type"),
            manager=node.facts.get("manager"),
        )
        for node in found[:limit]
    ]
    return Page(items=items, next_cursor=_next(len(found) > limit, items[-1].code if items else ""))


@router.get("/communities/{community_id}/organisations")
async def list_organisations(
    community_id: UUID, db: Db, actor: AnyActor, cursor: CursorParam = None, limit: Limit = 50
) -> Page[OrganisationOut]:
    """Organisations of the community and of the levels above it, by code."""
    async with db.read(actor) as tx:
        found = await queries.organisations(tx, community_id, after=_after(cursor), limit=limit + 1)
    items = [
        OrganisationOut(
            id=org.id,
            code=org.code,
            kind=org.kind,
            name=org.name,
            node_id=org.node_id,
            node_name=place,
            community_id=org.community_id,
        )
        for org, place in found[:limit]
    ]
    return Page(items=items, next_cursor=_next(len(found) > limit, items[-1].code if items else ""))


@router.get("/nodes/{node_id}/households")
async def list_households(
    node_id: UUID, db: Db, actor: CurrentActor, cursor: CursorParam = None, limit: Limit = 50
) -> Page[HouseholdOut]:
    """The households at a place or in a grid, for the clerk; for a grid worker, of the own grid."""
    async with db.read(actor) as tx:
        found = await queries.households_at(tx, node_id, after=_after(cursor), limit=limit + 1)
    items = [HouseholdOut.model_validate(household) for household in found[:limit]]
    return Page(items=items, next_cursor=_next(len(found) > limit, items[-1].code if items else ""))


@router.get("/nodes/{node_id}/units")
async def list_units(
    node_id: UUID, db: Db, actor: CurrentActor, cursor: CursorParam = None, limit: Limit = 50
) -> Page[UnitOut]:
    """The units at a place or in a grid, for the clerk; for a grid worker, of the own grid."""
    async with db.read(actor) as tx:
        found = await queries.units_at(tx, node_id, after=_after(cursor), limit=limit + 1)
    items = [UnitOut.model_validate(unit) for unit in found[:limit]]
    return Page(items=items, next_cursor=_next(len(found) > limit, items[-1].code if items else ""))
