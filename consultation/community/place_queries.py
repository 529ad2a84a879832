"""The one place for SQL that shows the tree, its organisations and its homes."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_
from sqlalchemy.orm import Mapped, aliased
from sqlmodel import col, select

from consultation.community.queries import access_node
from consultation.community.rules import COMMUNITIES
from consultation.community.tables import (
    Household,
    Node,
    NodeKind,
    Organisation,
    Ownership,
    Person,
    PropertyUnit,
    UnitKind,
)
from consultation.database import Transaction
from consultation.permissions import Deed, Grant, check
from consultation.refusals import NotFound


async def communities(tx: Transaction, *, after: str | None, limit: int) -> list[tuple[Node, str]]:
    """Communities and villages by code, each with the name of its subdistrict or town."""
    above = aliased(Node)
    query = (
        select(Node, above.name)
        .join(above, col(above.id) == col(Node.parent_id))
        .where(col(Node.kind).in_(COMMUNITIES))
        .order_by(col(Node.code))
        .limit(limit)
    )
    if after is not None:
        query = query.where(col(Node.code) > after)
    return list(await tx.session.exec(query))


async def community(tx: Transaction, community_id: UUID) -> Node:
    node = await tx.session.get(Node, community_id)
    if node is None or node.kind not in COMMUNITIES:
        raise NotFound(what="community")
    return node


async def node_counts(tx: Transaction, community_id: UUID) -> dict[NodeKind, int]:
    """How many places of each kind a community has."""
    rows = await tx.session.exec(
        select(Node.kind, func.count())
        .where(Node.community_id == community_id, Node.id != community_id)
        .group_by(col(Node.kind))
    )
    return {NodeKind(kind): count for kind, count in rows}


async def places_below(
    tx: Transaction, community_id: UUID, parent_id: UUID, *, after: str | None, limit: int
) -> list[Node]:
    """What hangs directly on a place of the community, by code."""
    await community(tx, community_id)
    query = (
        select(Node)
        .where(Node.community_id == community_id, Node.parent_id == parent_id)
        .order_by(col(Node.code))
        .limit(limit)
    )
    if after is not None:
        query = query.where(col(Node.code) > after)
    return list(await tx.session.exec(query))


async def organisations(
    tx: Transaction, community_id: UUID, *, after: str | None, limit: int
) -> list[tuple[Organisation, str]]:
    """The organisations of a community and of the levels above it by code, with their place."""
    home = await community(tx, community_id)
    above = [UUID(part) for part in home.path.strip("/").split("/")]
    query = (
        select(Organisation, Node.name)
        .join(Node, col(Node.id) == Organisation.node_id)
        .where(
            or_(
                col(Organisation.community_id) == community_id, col(Organisation.node_id).in_(above)
            )
        )
        .order_by(col(Organisation.code))
        .limit(limit)
    )
    if after is not None:
        query = query.where(col(Organisation.code) > after)
    return list(await tx.session.exec(query))


# ---- homes, for those who work with the register ------------------------------------------


@dataclass(frozen=True, slots=True)
class ShownHousehold:
    """``speaks`` is the masked name of who represents it."""

    id: UUID
    code: str
    unit_id: UUID | None
    unit_code: str | None
    grid_id: UUID | None
    occupied: bool
    adults: int
    representative_id: UUID | None
    representative: str | None


@dataclass(frozen=True, slots=True)
class ShownOwner:
    person_id: UUID
    name: str
    named_voter: bool


@dataclass(frozen=True, slots=True)
class ShownUnit:
    id: UUID
    code: str
    kind: UnitKind
    area_dm2: int
    developer_unsold: bool
    owners: Sequence[ShownOwner]


async def households_at(
    tx: Transaction, node_id: UUID, *, after: str | None, limit: int
) -> list[ShownHousehold]:
    """Households at a place, below it or in that grid, by code; a grid worker sees the own grid."""
    node = await access_node(tx, node_id, Deed.READ_REGISTER)
    place, estate = aliased(Node), aliased(Node)
    query = (
        select(
            Household.id,
            Household.code,
            Household.unit_id,
            PropertyUnit.code,
            Household.grid_id,
            Household.occupied,
            Household.adults,
            Household.representative_id,
            Person.masked_name,
        )  # type: ignore[call-overload]
        .join(estate, col(estate.id) == col(Household.estate_id))
        .outerjoin(PropertyUnit, col(PropertyUnit.id) == col(Household.unit_id))
        .outerjoin(place, col(place.id) == col(PropertyUnit.entrance_id))
        .outerjoin(Person, col(Person.id) == col(Household.representative_id))
        .where(
            Household.community_id == node.community_id,
            or_(
                col(Household.grid_id) == node.id,
                col(place.path).startswith(node.path, autoescape=True),
                col(estate.path).startswith(node.path, autoescape=True),
            ),
            *_own_grid(tx, col(Household.grid_id)),
        )
        .order_by(col(Household.code))
        .limit(limit)
    )
    if after is not None:
        query = query.where(col(Household.code) > after)
    return [ShownHousehold(*row) for row in await tx.session.exec(query)]


async def units_at(
    tx: Transaction, node_id: UUID, *, after: str | None, limit: int
) -> list[ShownUnit]:
    """Units at a place, below it or in that grid, by code, with their owners' masked names; a grid
    worker sees the own grid."""
    node = await access_node(tx, node_id, Deed.READ_REGISTER)
    query = (
        select(PropertyUnit)
        .join(Node, col(Node.id) == PropertyUnit.entrance_id)
        .where(
            PropertyUnit.community_id == node.community_id,
            or_(
                and_(col(Node.grid_id).is_not(None), col(Node.grid_id) == node.id),
                col(Node.path).startswith(node.path, autoescape=True),
            ),
            *_own_grid(tx, col(Node.grid_id)),
        )
        .order_by(col(PropertyUnit.code))
        .limit(limit)
    )
    if after is not None:
        query = query.where(col(PropertyUnit.code) > after)
    units = list(await tx.session.exec(query))
    owners: dict[UUID, list[ShownOwner]] = {unit.id: [] for unit in units}
    rows = await tx.session.exec(
        select(Ownership.unit_id, Person.id, Person.masked_name, Ownership.named_voter)
        .join(Person, col(Person.id) == Ownership.person_id)
        .where(col(Ownership.unit_id).in_(owners))
        .order_by(col(Ownership.named_voter).desc(), col(Person.id))
    )
    for unit_id, person_id, name, named_voter in rows:
        owners[unit_id].append(ShownOwner(person_id, name, named_voter))
    return [
        ShownUnit(
            id=unit.id,
            code=unit.code,
            kind=unit.kind,
            area_dm2=unit.area_dm2,
            developer_unsold=unit.developer_unsold,
            owners=owners[unit.id],
        )
        for unit in units
    ]


def _own_grid(tx: Transaction, grid_id: Mapped[UUID | None]) -> list[ColumnElement[bool]]:
    if check(Deed.READ_REGISTER, tx.standing.role) is Grant.OWN:
        return [grid_id == tx.standing.node_id]
    return []
