"""SQL that turns the registers of a place into a roll: one statement per electorate."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import aliased
from sqlmodel import and_, col, func, or_, select

from consultation.community.tables import (
    Household,
    Node,
    NodeKind,
    Organisation,
    OrgKind,
    Ownership,
    Person,
    PropertyUnit,
    Residence,
    ResidenceKind,
    RoleAssignment,
    UnitKind,
)
from consultation.database import Transaction
from consultation.permissions import Role
from consultation.polls.presets import Electorate, Measure, RulePreset
from consultation.polls.rolls import (
    NOBODY,
    Member,
    OwnedUnit,
    Owner,
    Place,
    members_roll,
    of_heads,
    owners_roll,
    reference_day,
)
from consultation.polls.rules import RolledUnit
from consultation.polls.terms import RollNotAvailable

_ASSEMBLY_ROLES = (Role.REPRESENTATIVE, Role.PARTY_SECRETARY, Role.COMMITTEE_HEAD)
_NOT_THE_ASSEMBLY = (OrgKind.RESIDENTS_COUNCIL, OrgKind.RESIDENTS_BOARD, OrgKind.CONSULTATION_ROOM)
_NAMED = (NodeKind.ESTATE, NodeKind.BUILDING)
_ADULT = 18
_Build = Callable[[Transaction, RulePreset, Node, datetime], Awaitable[list[Place]]]


async def build_roll(
    tx: Transaction, preset: RulePreset, scope: Node, *, closes_at: datetime
) -> list[Place]:
    """The roll of ``scope`` as the registers stand now. Refuses with RollNotAvailable."""
    build = _ROLLS.get(preset.electorate)
    if build is None:
        raise RollNotAvailable(electorate=preset.electorate.value)
    places = await build(tx, preset, scope, closes_at)
    return places if Measure.AREA in preset.measures else of_heads(places)


async def place_name(tx: Transaction, node: Node) -> str:
    """What people call a place: 桐荫苑3幢2单元, from the estate down."""
    ids = [UUID(part) for part in node.path.strip("/").split("/")]
    rows = await tx.session.exec(
        select(Node.name, Node.path).where(
            col(Node.id).in_(ids), or_(col(Node.kind).in_(_NAMED), col(Node.id) == node.id)
        )
    )
    return "".join(name for name, _ in sorted(rows, key=lambda row: len(row[1])))


async def _owners(
    tx: Transaction, preset: RulePreset, scope: Node, closes_at: datetime
) -> list[Place]:
    """Every unit in the scope with its owners; units without any stay in."""
    place, building = aliased(Node), aliased(Node)
    statement = (
        select(
            PropertyUnit.id,
            PropertyUnit.code,
            PropertyUnit.area_dm2,
            PropertyUnit.developer_unsold,
            place.kind,
            place.name,
            building.name,
            Ownership.person_id,
            Ownership.named_voter,
            Person.masked_name,
        )  # type: ignore[call-overload]
        .join(place, col(place.id) == col(PropertyUnit.entrance_id))
        .outerjoin(building, col(building.id) == col(place.parent_id))
        .outerjoin(Ownership, col(Ownership.unit_id) == col(PropertyUnit.id))
        .outerjoin(Person, col(Person.id) == col(Ownership.person_id))
        .where(PropertyUnit.community_id == scope.community_id, _within(scope, place))
        .order_by(col(PropertyUnit.code), col(Ownership.person_id))
    )
    if not preset.area_includes_parking:
        statement = statement.where(PropertyUnit.kind != UnitKind.PARKING)
    units: dict[UUID, OwnedUnit] = {}
    for id, code, area, unsold, kind, name, above, person_id, named, masked in (
        await tx.session.exec(statement)
    ).all():
        known = units.get(id)
        owner = () if person_id is None else (Owner(person_id, masked, named),)
        units[id] = OwnedUnit(
            unit=RolledUnit(unit_id=id, code=code, area_dm2=area),
            place=above if kind is NodeKind.ENTRANCE else name,
            developer_unsold=unsold,
            owners=(() if known is None else known.owners) + owner,
        )
    return owners_roll(units.values())


async def _households(
    tx: Transaction, preset: RulePreset, scope: Node, closes_at: datetime
) -> list[Place]:
    """Occupied households in the scope. A representative votes who is of age on the last day."""
    rows = await tx.session.exec(_homes_in(scope).order_by(col(Household.code)))
    last_day = reference_day(closes_at)
    members = []
    for id, estate, kind, name, above, person_id, masked, born_on in rows.all():
        where = _where(estate, kind, name, above)
        may_vote = person_id is not None and (born_on is None or of_age(born_on, last_day))
        members.append(
            Member(
                person_id=person_id if may_vote else None,
                label=f"{where} {masked if may_vote else NOBODY}",
                household_id=id,
            )
        )
    return members_roll(members)


def _homes_in(scope: Node) -> Any:
    """Occupied households in the scope: id, name of the estate, kind and name of the place of the
    home and name of what that lies in, and the representative."""
    place, estate, building = aliased(Node), aliased(Node), aliased(Node)
    return (
        select(
            Household.id,
            estate.name,
            place.kind,
            place.name,
            building.name,
            Person.id,
            Person.masked_name,
            Person.born_on,
        )  # type: ignore[call-overload]
        .join(estate, col(estate.id) == col(Household.estate_id))
        .outerjoin(PropertyUnit, col(PropertyUnit.id) == col(Household.unit_id))
        .outerjoin(place, col(place.id) == col(PropertyUnit.entrance_id))
        .outerjoin(building, col(building.id) == col(place.parent_id))
        .outerjoin(Person, col(Person.id) == col(Household.representative_id))
        .where(
            Household.community_id == scope.community_id,
            col(Household.occupied).is_(True),
            or_(_within(scope, place), _within(scope, estate), col(Household.grid_id) == scope.id),
        )
    )


def _where(estate: str, kind: NodeKind | None, name: str, above: str) -> str:
    return {None: estate, NodeKind.ENTRANCE: above}.get(kind, name)


async def home_in(tx: Transaction, scope: Node, household_id: UUID) -> str | None:
    """The place in words of an occupied household of the scope; None of any other."""
    rows = await tx.session.exec(_homes_in(scope).where(Household.id == household_id))
    found = rows.first()
    return None if found is None else _where(*found[1:5])


def of_age(born_on: date, day: date) -> bool:
    """Eighteen on that day at the latest; the birthday itself counts."""
    return (day.year - born_on.year) - (
        (day.month, day.day) < (born_on.month, born_on.day)
    ) >= _ADULT


async def _assembly(
    tx: Transaction, preset: RulePreset, scope: Node, closes_at: datetime
) -> list[Place]:
    """Representatives in office today, with the members of the two committees: the party
    secretary, the head of the committee, and every other member by an assignment as
    representative for one of them. Council members hold the same role for the council and are
    not of the assembly."""
    rows = await tx.session.exec(
        select(Person.id, Person.masked_name)
        .join(RoleAssignment, col(RoleAssignment.person_id) == col(Person.id))
        .join(Organisation, col(Organisation.id) == col(RoleAssignment.org_id))
        .where(
            RoleAssignment.community_id == scope.community_id,
            col(RoleAssignment.role).in_(_ASSEMBLY_ROLES),
            col(Organisation.kind).not_in(_NOT_THE_ASSEMBLY),
            col(RoleAssignment.valid_from) <= tx.now,
            or_(col(RoleAssignment.valid_to).is_(None), col(RoleAssignment.valid_to) > tx.now),
        )
        .distinct()
        .order_by(col(Person.masked_name), col(Person.id))
    )
    return members_roll(Member(person_id=id, label=masked) for id, masked in rows)


async def _residents(
    tx: Transaction, preset: RulePreset, scope: Node, closes_at: datetime
) -> list[Place]:
    """Everybody whose residence or stake in the community is verified."""
    rows = await tx.session.exec(
        select(Person.id, Person.masked_name)
        .join(Residence, col(Residence.person_id) == col(Person.id))
        .where(Residence.community_id == scope.community_id, col(Residence.level) >= 2)
        .order_by(col(Person.masked_name), col(Person.id))
    )
    return members_roll(Member(person_id=id, label=masked) for id, masked in rows)


ADULTS = frozenset({Electorate.ADULT_RESIDENTS, Electorate.VILLAGERS, Electorate.VILLAGERS_GROUP})
OF_A_PLACE = ADULTS | {Electorate.AFFECTED_PEOPLE}
"""Who votes because their home, shop or grid lies in the scope."""
_LIVING_HERE = (ResidenceKind.OWNER, ResidenceKind.TENANT, ResidenceKind.FAMILY)


async def _adults(
    tx: Transaction, preset: RulePreset, scope: Node, closes_at: datetime
) -> list[Place]:
    """Verified residents who live in the scope and are of age on the last day of voting, whether
    their household register is here or not; owners who live elsewhere, merchants and staff of
    units are not residents. Also villagers, and those of one group."""
    statement = _people_of(scope).where(col(Residence.kind).in_(_LIVING_HERE))
    return await _members_of_age(tx, statement, closes_at)


async def registered_adults(tx: Transaction, preset: RulePreset, scope: Node) -> int | None:
    """The people of age in the occupied households of the scope by the register of households, to
    hold a roll of adults against; None of any other electorate."""
    if preset.electorate not in ADULTS:
        return None
    place, estate = aliased(Node), aliased(Node)
    rows = await tx.session.exec(
        select(func.coalesce(func.sum(Household.adults), 0))
        .join(estate, col(estate.id) == col(Household.estate_id))
        .outerjoin(PropertyUnit, col(PropertyUnit.id) == col(Household.unit_id))
        .outerjoin(place, col(place.id) == col(PropertyUnit.entrance_id))
        .where(
            Household.community_id == scope.community_id,
            col(Household.occupied).is_(True),
            or_(_within(scope, place), _within(scope, estate), col(Household.grid_id) == scope.id),
        )
    )
    return int(rows.one())


async def _affected(
    tx: Transaction, preset: RulePreset, scope: Node, closes_at: datetime
) -> list[Place]:
    """Everybody verified whose home, shop or grid lies in the scope, and who is of age."""
    return await _members_of_age(tx, _people_of(scope), closes_at)


def _people_of(scope: Node) -> Any:
    place, estate = aliased(Node), aliased(Node)
    statement = (
        select(Person.id, Person.masked_name, Person.born_on)  # type: ignore[call-overload]
        .join(Residence, col(Residence.person_id) == col(Person.id))
        .where(Residence.community_id == scope.community_id, col(Residence.level) >= 2)
        .order_by(col(Person.masked_name), col(Person.id))
    )
    if scope.id == scope.community_id:
        return statement
    unit_id = func.coalesce(col(Residence.unit_id), col(Household.unit_id))
    grid_id = func.coalesce(col(Residence.grid_id), col(Household.grid_id))
    return (
        statement.outerjoin(Household, col(Household.id) == col(Residence.household_id))
        .outerjoin(PropertyUnit, col(PropertyUnit.id) == unit_id)
        .outerjoin(place, col(place.id) == col(PropertyUnit.entrance_id))
        .outerjoin(estate, col(estate.id) == col(Household.estate_id))
        .where(or_(_within(scope, place), _within(scope, estate), grid_id == scope.id))
    )


async def is_of_place(tx: Transaction, scope: Node, person_id: UUID) -> bool:
    """Whether home, shop or grid of somebody verified lies in the scope."""
    rows = await tx.session.exec(_people_of(scope).where(Person.id == person_id))
    return rows.first() is not None


async def _members_of_age(tx: Transaction, statement: Any, closes_at: datetime) -> list[Place]:
    last_day = reference_day(closes_at)
    rows = (await tx.session.exec(statement)).all()
    return members_roll(
        Member(person_id=id, label=masked)
        for id, masked, born_on in rows
        if born_on is None or of_age(born_on, last_day)
    )


def _holders(role: Role, kind: OrgKind) -> _Build:
    """Who holds a role today for organisations of one kind that stand at the scope or below it."""

    async def build(
        tx: Transaction, preset: RulePreset, scope: Node, closes_at: datetime
    ) -> list[Place]:
        rows = await tx.session.exec(
            select(Person.id, Person.masked_name)
            .join(RoleAssignment, col(RoleAssignment.person_id) == col(Person.id))
            .join(Organisation, col(Organisation.id) == col(RoleAssignment.org_id))
            .where(
                RoleAssignment.community_id == scope.community_id,
                RoleAssignment.role == role,
                Organisation.kind == kind,
                col(RoleAssignment.node_path).startswith(scope.path, autoescape=True),
                col(RoleAssignment.valid_from) <= tx.now,
                or_(col(RoleAssignment.valid_to).is_(None), col(RoleAssignment.valid_to) > tx.now),
            )
            .distinct()
            .order_by(col(Person.masked_name), col(Person.id))
        )
        return members_roll(Member(person_id=id, label=masked) for id, masked in rows)

    return build


async def grids_of(tx: Transaction, community_id: UUID, roll: Sequence[Place]) -> dict[int, UUID]:
    """By number on the roll, the grid in which the voter is to be looked for: that of their first
    unit, of their household, or of their residence. Places without any are left out."""
    if any(place.units for place in roll):
        found = select(PropertyUnit.id, Node.grid_id).join(
            Node, col(Node.id) == col(PropertyUnit.entrance_id)
        )
        rows = await tx.session.exec(found.where(PropertyUnit.community_id == community_id))
        keys: dict[int, UUID | None] = {p.number: p.units[0].unit_id for p in roll if p.units}
    elif any(place.household_id for place in roll):
        rows = await tx.session.exec(
            select(Household.id, Household.grid_id).where(Household.community_id == community_id)
        )
        keys = {place.number: place.household_id for place in roll}
    else:
        rows = await tx.session.exec(
            select(Residence.person_id, Residence.grid_id).where(
                Residence.community_id == community_id
            )
        )
        keys = {place.number: place.person_id for place in roll}
    grids = {id: grid for id, grid in rows if grid is not None}
    return {n: grids[key] for n, key in keys.items() if key is not None and key in grids}


def _within(scope: Node, place: Any) -> Any:
    """In or below the scope; buildings and entrances also lie in the grid that they name."""
    return or_(
        col(place.path).startswith(scope.path, autoescape=True),
        and_(col(place.grid_id).is_not(None), col(place.grid_id) == scope.id),
    )


_ROLLS: Mapping[Electorate, _Build] = {
    Electorate.OWNERS: _owners,
    Electorate.OWNERS_IN_SCOPE: _owners,
    Electorate.OWNERS_COMMITTEE: _holders(Role.OWNERS_COMMITTEE, OrgKind.OWNERS_COMMITTEE),
    Electorate.ADULT_RESIDENTS: _adults,
    Electorate.HOUSEHOLD_REPRESENTATIVES: _households,
    Electorate.GROUP_REPRESENTATIVES: _holders(Role.REPRESENTATIVE, OrgKind.RESIDENTS_GROUP),
    Electorate.RESIDENTS_REPRESENTATIVES: _assembly,
    Electorate.VILLAGERS: _adults,
    Electorate.VILLAGER_HOUSEHOLDS: _households,
    Electorate.VILLAGERS_GROUP: _adults,
    Electorate.VILLAGERS_REPRESENTATIVES: _assembly,
    Electorate.COUNCIL_MEMBERS: _holders(Role.REPRESENTATIVE, OrgKind.RESIDENTS_COUNCIL),
    Electorate.AFFECTED_PEOPLE: _affected,
    Electorate.OPEN_POLL: _residents,
}
"""Party members have none: membership is kept out of the database (domain 4.1)."""
