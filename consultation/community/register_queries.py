"""SQL of the registers: what a community has now, read in a fixed number of statements per
thousand rows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar
from uuid import UUID

from sqlmodel import col, select

from consultation.community.tables import (
    Household,
    Node,
    NodeKind,
    Organisation,
    OrgKind,
    Ownership,
    Person,
    PersonKey,
    PropertyUnit,
    Residence,
    ResidenceKind,
    RoleAssignment,
    UnitKind,
)
from consultation.database import Transaction

Value = TypeVar("Value")
CHUNK = 500


def chunks(values: Iterable[Value]) -> Iterator[list[Value]]:
    """Each value once, in lists that fit into one statement."""
    distinct = list(dict.fromkeys(values))
    for start in range(0, len(distinct), CHUNK):
        yield distinct[start : start + CHUNK]


@dataclass(frozen=True, slots=True)
class Place:
    """A node as the registers see it."""

    id: UUID
    code: str
    kind: NodeKind
    parent_id: UUID | None
    community_id: UUID | None
    grid_id: UUID | None
    path: str
    name: str
    facts: dict[str, Any]

    def touches(self, path: str) -> bool:
        """Whether it is at, below or above ``path``."""
        return self.path.startswith(path) or path.startswith(self.path)


_PLACE = (
    Node.id,
    Node.code,
    Node.kind,
    Node.parent_id,
    Node.community_id,
    Node.grid_id,
    Node.path,
    Node.name,
    Node.facts,
)


async def places_by_code(tx: Transaction, codes: Iterable[str]) -> dict[str, Place]:
    found: dict[str, Place] = {}
    for some in chunks(codes):
        rows = await tx.session.exec(select(*_PLACE).where(col(Node.code).in_(some)))  # type: ignore[call-overload]
        found |= {row.code: Place(*row) for row in rows}
    return found


async def places_in(tx: Transaction, community_id: UUID) -> dict[UUID, Place]:
    rows = await tx.session.exec(select(*_PLACE).where(Node.community_id == community_id))  # type: ignore[call-overload]
    return {row.id: Place(*row) for row in rows}


async def names_below(
    tx: Transaction, parents: Iterable[UUID]
) -> dict[tuple[UUID | None, str], UUID]:
    """Who holds which name below each parent."""
    found: dict[tuple[UUID | None, str], UUID] = {}
    for some in chunks(parents):
        rows = await tx.session.exec(
            select(Node.parent_id, Node.name, Node.id).where(col(Node.parent_id).in_(some))
        )
        found |= {(parent, name): id for parent, name, id in rows}
    return found


async def organisations_by_code(tx: Transaction, codes: Iterable[str]) -> dict[str, Organisation]:
    found: dict[str, Organisation] = {}
    for some in chunks(codes):
        rows = await tx.session.exec(select(Organisation).where(col(Organisation.code).in_(some)))
        found |= {row.code: row for row in rows}
    return found


async def roles_of(tx: Transaction, people: Iterable[UUID]) -> list[tuple[RoleAssignment, OrgKind]]:
    """All roles these people hold or held anywhere, with the kind of organisation."""
    found: list[tuple[RoleAssignment, OrgKind]] = []
    for some in chunks(people):
        rows = await tx.session.exec(
            select(RoleAssignment, Organisation.kind)
            .join(Organisation, col(Organisation.id) == RoleAssignment.org_id)
            .where(col(RoleAssignment.person_id).in_(some))
        )
        found.extend((assignment, OrgKind(kind)) for assignment, kind in rows)
    return found


# ---- people -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PersonRow:
    id: UUID
    name_sealed: bytes | None
    phone_lookup: str | None
    registered: bool
    born_on: date | None
    same_as_id: UUID | None


_PERSON = (
    Person.id,
    Person.name_sealed,
    Person.phone_lookup,
    Person.registered,
    Person.born_on,
    Person.same_as_id,
)


async def people_by_key(
    tx: Transaction, community_id: UUID, lookups: Iterable[str]
) -> dict[str, PersonRow]:
    found: dict[str, PersonRow] = {}
    for some in chunks(lookups):
        rows = await tx.session.exec(
            select(PersonKey.key_lookup, *_PERSON)  # type: ignore[call-overload]
            .join(Person, col(Person.id) == PersonKey.person_id)
            .where(PersonKey.community_id == community_id, col(PersonKey.key_lookup).in_(some))
        )
        found |= {row[0]: PersonRow(*row[1:]) for row in rows}
    return found


async def people_by_phone(tx: Transaction, lookups: Iterable[str]) -> dict[str, PersonRow]:
    found: dict[str, PersonRow] = {}
    for some in chunks(lookups):
        rows = await tx.session.exec(
            select(*_PERSON).where(col(Person.phone_lookup).in_(some))  # type: ignore[call-overload]
        )
        found |= {row.phone_lookup: PersonRow(*row) for row in rows}
    return found


# ---- homes --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UnitRow:
    id: UUID
    code: str
    estate_id: UUID
    entrance_id: UUID
    kind: UnitKind
    area_dm2: int
    developer_unsold: bool


async def units_by_code(tx: Transaction, community_id: UUID) -> dict[str, UnitRow]:
    rows = await tx.session.exec(
        select(  # type: ignore[call-overload]
            PropertyUnit.id,
            PropertyUnit.code,
            PropertyUnit.estate_id,
            PropertyUnit.entrance_id,
            PropertyUnit.kind,
            PropertyUnit.area_dm2,
            PropertyUnit.developer_unsold,
        ).where(PropertyUnit.community_id == community_id)
    )
    return {row.code: UnitRow(*row) for row in rows}


async def owners_by_unit(tx: Transaction, community_id: UUID) -> dict[UUID, dict[UUID, bool]]:
    """Per unit its owners, and whether each is the named voter."""
    found: dict[UUID, dict[UUID, bool]] = {}
    rows = await tx.session.exec(
        select(Ownership.unit_id, Ownership.person_id, Ownership.named_voter).where(
            Ownership.community_id == community_id
        )
    )
    for unit_id, person_id, named_voter in rows:
        found.setdefault(unit_id, {})[person_id] = named_voter
    return found


@dataclass(frozen=True, slots=True)
class HouseholdRow:
    id: UUID
    code: str
    estate_id: UUID
    grid_id: UUID | None
    unit_id: UUID | None
    occupied: bool
    adults: int
    tenure: ResidenceKind | None
    representative_id: UUID | None


async def households_by_code(tx: Transaction, community_id: UUID) -> dict[str, HouseholdRow]:
    rows = await tx.session.exec(
        select(  # type: ignore[call-overload]
            Household.id,
            Household.code,
            Household.estate_id,
            Household.grid_id,
            Household.unit_id,
            Household.occupied,
            Household.adults,
            Household.tenure,
            Household.representative_id,
        ).where(Household.community_id == community_id)
    )
    return {row.code: HouseholdRow(*row) for row in rows}


@dataclass(frozen=True, slots=True)
class ResidenceRow:
    id: UUID
    person_id: UUID
    household_id: UUID | None
    unit_id: UUID | None
    grid_id: UUID | None
    kind: ResidenceKind
    level: int
    method: str | None


async def residences_by_person(tx: Transaction, community_id: UUID) -> dict[UUID, ResidenceRow]:
    rows = await tx.session.exec(
        select(  # type: ignore[call-overload]
            Residence.id,
            Residence.person_id,
            Residence.household_id,
            Residence.unit_id,
            Residence.grid_id,
            Residence.kind,
            Residence.level,
            Residence.method,
        ).where(Residence.community_id == community_id)
    )
    return {row.person_id: ResidenceRow(*row) for row in rows}


async def sizes(tx: Transaction, community_id: UUID) -> dict[UUID, tuple[int, int, int]]:
    """Homes, households and adults now kept on each node of the community."""
    rows = await tx.session.exec(
        select(Node.id, Node.homes, Node.households, Node.adults).where(
            Node.community_id == community_id
        )
    )
    return {id: (homes, households, adults) for id, homes, households, adults in rows}
