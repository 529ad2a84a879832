"""The one place for SQL on who somebody is and where they belong; the roads to a claim."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func
from sqlmodel import col, or_, select

from consultation.community.identity import AccountJoined, ClaimAlreadyDecided, HomeNotHere
from consultation.community.queries import runs_now, standing_at
from consultation.community.rules import COMMUNITIES, GRIDS
from consultation.community.tables import (
    Household,
    Node,
    Organisation,
    Ownership,
    Person,
    PersonKey,
    PropertyUnit,
    Residence,
    ResidenceKind,
    RoleAssignment,
)
from consultation.database import Transaction
from consultation.paging import TimeKey, comes_after
from consultation.permissions import Deed, Grant, Role, check
from consultation.refusals import NotFound

# ---- people -------------------------------------------------------------------------------


async def access_own_person(tx: Transaction) -> Person:
    """The acting person. AccountJoined for a token from before the account became another."""
    me = await person(tx, tx.person_id)
    if me.same_as_id is not None:
        raise AccountJoined()
    return me


async def person(tx: Transaction, person_id: UUID) -> Person:
    found = await tx.session.get(Person, person_id)
    if found is None:
        raise NotFound(what="person")
    return found


async def person_by_phone(tx: Transaction, phone: str) -> Person | None:
    lookup = tx.vault.lookup("phone", phone)
    return (await tx.session.exec(select(Person).where(Person.phone_lookup == lookup))).first()


async def is_provisional(tx: Transaction, who: Person) -> bool:
    """Whether somebody is an account and nothing more: in no register, verified nowhere, never in
    a role. Only such an account may become another person, for it can have done nothing as one."""
    known = or_(
        exists().where(col(PersonKey.person_id) == who.id),
        exists().where(col(Ownership.person_id) == who.id),
        exists().where(col(Household.representative_id) == who.id),
        exists().where(col(RoleAssignment.person_id) == who.id),
        exists().where(
            col(Residence.person_id) == who.id,
            or_(col(Residence.level) >= 2, col(Residence.claim_sealed).is_(None)),
        ),
    )
    return who.same_as_id is None and not (await tx.session.exec(select(known))).one()


# ---- residences ---------------------------------------------------------------------------


async def residences_of(tx: Transaction, person_id: UUID) -> list[Residence]:
    found = await tx.session.exec(select(Residence).where(Residence.person_id == person_id))
    return list(found)


async def residence_in(tx: Transaction, person_id: UUID, community_id: UUID) -> Residence | None:
    found = await tx.session.exec(
        select(Residence).where(
            Residence.person_id == person_id, Residence.community_id == community_id
        )
    )
    return found.first()


async def access_community(tx: Transaction, community_id: UUID, deed: Deed) -> Node:
    """The community or village, if the actor may do ``deed`` there; NotFound for other nodes."""
    node = await tx.session.get(Node, community_id)
    if node is None or node.kind not in COMMUNITIES:
        raise NotFound(what="community")
    standing = await standing_at(tx, node.id, node.path)
    check(deed, standing.role)
    return node


async def grid_of(tx: Transaction, community_id: UUID, place_id: UUID) -> UUID | None:
    """The grid that a place of this community is, or stands in; null for a whole estate."""
    place = await tx.session.get(Node, place_id)
    if place is None or place.community_id != community_id:
        raise HomeNotHere()
    return place.id if place.kind in GRIDS else place.grid_id


# ---- claims -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim with what its grid worker must see to check it: opened name, address and phone."""

    id: UUID
    person_id: UUID
    kind: ResidenceKind
    grid_id: UUID | None
    name: str
    address: str
    phone: str
    created_at: datetime


def _open_claims() -> tuple[ColumnElement[bool], ...]:
    return (
        col(Residence.level) == 1,
        col(Residence.claim_sealed).is_not(None),
        col(Residence.refused_at).is_(None),
    )


async def claims(
    tx: Transaction, community_id: UUID, *, after: TimeKey | None, limit: int
) -> list[Claim]:
    """Claims that wait for a decision, oldest first: of the own grid for a grid worker, of the
    whole community for a clerk."""
    await access_community(tx, community_id, Deed.VERIFY_RESIDENT)
    query = (
        select(Residence, Person)
        .join(Person, col(Person.id) == Residence.person_id)
        .where(Residence.community_id == community_id, *_open_claims())
        .order_by(col(Residence.created_at), col(Residence.id))
        .limit(limit)
    )
    if check(Deed.VERIFY_RESIDENT, tx.standing.role) is Grant.OWN:
        query = query.where(Residence.grid_id == tx.standing.node_id)
    if after is not None:
        query = query.where(comes_after(after, Residence.created_at, Residence.id))
    return [
        Claim(
            id=residence.id,
            person_id=who.id,
            kind=residence.kind,
            grid_id=residence.grid_id,
            name=_opened(tx, who.id, who.name_sealed),
            address=_opened(tx, residence.id, residence.claim_sealed),
            phone=_opened(tx, who.id, who.phone_sealed),
            created_at=residence.created_at,
        )
        for residence, who in await tx.session.exec(query)
    ]


async def access_claim(tx: Transaction, residence_id: UUID, *, lock: bool = False) -> Residence:
    """A claim that the actor may decide. NotFound where it is not theirs to see, and
    ClaimAlreadyDecided when somebody was faster."""
    query = select(Residence).where(Residence.id == residence_id)
    residence = (await tx.session.exec(query.with_for_update() if lock else query)).first()
    if residence is None:
        raise NotFound(what="claim")
    await access_community(tx, residence.community_id, Deed.VERIFY_RESIDENT)
    own_grid_only = check(Deed.VERIFY_RESIDENT, tx.standing.role) is Grant.OWN
    if own_grid_only and residence.grid_id != tx.standing.node_id:
        raise NotFound(what="claim")
    if residence.level != 1 or residence.claim_sealed is None or residence.refused_at is not None:
        raise ClaimAlreadyDecided()
    return residence


# ---- homes --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Home:
    """A household, a unit, or a unit with its household. ``people`` are those whom the register
    has for it, owners and the household's representative: masked name by id."""

    household_id: UUID | None
    household_code: str | None
    unit_id: UUID | None
    unit_code: str | None
    grid_id: UUID | None
    people: dict[UUID, str]


async def homes_for(tx: Transaction, residence_id: UUID, code: str, *, limit: int) -> list[Home]:
    """Homes that the actor may name for a claim, whose unit or household code contains ``code``:
    in the own grid for a grid worker."""
    claim = await access_claim(tx, residence_id)
    conditions = [
        or_(
            col(PropertyUnit.code).contains(code, autoescape=True),
            col(Household.code).contains(code, autoescape=True),
        )
    ]
    if check(Deed.VERIFY_RESIDENT, tx.standing.role) is Grant.OWN:
        conditions.append(_grid() == tx.standing.node_id)
    return await _homes(tx, claim.community_id, *conditions, limit=limit)


async def home(
    tx: Transaction, community_id: UUID, *, household_id: UUID | None, unit_id: UUID | None
) -> Home | None:
    """The home named by its household, its unit, or both if they belong together."""
    conditions = []
    if household_id is not None:
        conditions.append(col(Household.id) == household_id)
    if unit_id is not None:
        conditions.append(col(PropertyUnit.id) == unit_id)
    if not conditions:
        return None
    found = await _homes(tx, community_id, *conditions, limit=1)
    return found[0] if found else None


def _grid() -> ColumnElement[UUID | None]:
    return func.coalesce(Household.grid_id, Node.grid_id)


async def _homes(
    tx: Transaction, community_id: UUID, *conditions: ColumnElement[bool], limit: int
) -> list[Home]:
    """In three statements: households with their units, units without a household, owners."""
    households = await tx.session.exec(
        select(Household, PropertyUnit, Node, Person)
        .outerjoin(PropertyUnit, col(PropertyUnit.id) == Household.unit_id)
        .outerjoin(Node, col(Node.id) == PropertyUnit.entrance_id)
        .outerjoin(Person, col(Person.id) == Household.representative_id)
        .where(Household.community_id == community_id, *conditions)
        .order_by(col(PropertyUnit.code), col(Household.code))
        .limit(limit)
    )
    empty_units = await tx.session.exec(
        select(PropertyUnit, Node)
        .join(Node, col(Node.id) == PropertyUnit.entrance_id)
        .outerjoin(Household, col(Household.unit_id) == PropertyUnit.id)
        .where(PropertyUnit.community_id == community_id, col(Household.id).is_(None), *conditions)
        .order_by(col(PropertyUnit.code))
        .limit(limit)
    )
    listed: list[Home] = []
    # An outer join may find no row, which the types do not say.
    row: tuple[Household, PropertyUnit | None, Node | None, Person | None]
    for row in households:
        household, unit, entrance, representative = row
        listed.append(
            Home(
                household_id=household.id,
                household_code=household.code,
                unit_id=unit and unit.id,
                unit_code=unit and unit.code,
                grid_id=household.grid_id or (entrance and entrance.grid_id),
                people={}
                if representative is None
                else {representative.id: representative.masked_name},
            )
        )
    listed += [
        Home(None, None, unit.id, unit.code, entrance.grid_id, {}) for unit, entrance in empty_units
    ]
    listed = listed[:limit]
    owners = await tx.session.exec(
        select(Ownership.unit_id, Person.id, Person.masked_name)
        .join(Person, col(Person.id) == Ownership.person_id)
        .where(col(Ownership.unit_id).in_([h.unit_id for h in listed if h.unit_id is not None]))
    )
    for unit_id, person_id, name in owners:
        for one in listed:
            if one.unit_id == unit_id:
                one.people[person_id] = name
    return listed


# ---- what one is oneself ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HeldRole:
    """A role that runs now: what the client offers as "act as"."""

    assignment_id: UUID
    role: Role
    title: str
    org_id: UUID
    org_name: str
    node_id: UUID
    node_name: str
    community_id: UUID | None
    valid_to: datetime | None


async def residences_with_names(tx: Transaction, person_id: UUID) -> list[tuple[Residence, str]]:
    """A person's residences, each with its community's name."""
    found = await tx.session.exec(
        select(Residence, Node.name)
        .join(Node, col(Node.id) == Residence.community_id)
        .where(Residence.person_id == person_id)
        .order_by(col(Residence.created_at), col(Residence.id))
    )
    return list(found)


async def roles_held(tx: Transaction, person_id: UUID) -> list[HeldRole]:
    found = await tx.session.exec(
        select(RoleAssignment, Organisation.name, Node.name)
        .join(Organisation, col(Organisation.id) == RoleAssignment.org_id)
        .join(Node, col(Node.id) == RoleAssignment.node_id)
        .where(RoleAssignment.person_id == person_id, runs_now(tx))
        .order_by(col(RoleAssignment.valid_from), col(RoleAssignment.id))
    )
    return [
        HeldRole(
            assignment_id=held.id,
            role=held.role,
            title=held.title,
            org_id=held.org_id,
            org_name=org_name,
            node_id=held.node_id,
            node_name=node_name,
            community_id=held.community_id,
            valid_to=held.valid_to,
        )
        for held, org_name, node_name in found
    ]


def opened_phone(tx: Transaction, who: Person) -> str | None:
    return None if who.phone_sealed is None else tx.vault.open(who.id, who.phone_sealed)


def opened_claim(tx: Transaction, residence: Residence) -> str | None:
    sealed = residence.claim_sealed
    return None if sealed is None else tx.vault.open(residence.id, sealed)


def _opened(tx: Transaction, owner: UUID, sealed: bytes | None) -> str:
    return "" if sealed is None else tx.vault.open(owner, sealed)
