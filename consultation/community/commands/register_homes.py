"""Taking over units with their owners, and households."""

from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, update
from sqlmodel import col

from consultation.community.commands.register_people import People, find_people
from consultation.community.commands.register_residents import settle_residences, settle_sizes
from consultation.community.register_checks import mentions, named_voter
from consultation.community.register_queries import (
    Place,
    UnitRow,
    chunks,
    households_by_code,
    owners_by_unit,
    places_in,
    units_by_code,
)
from consultation.community.registers import Outcome, Reason, Register, Row
from consultation.community.rules import GRIDS
from consultation.community.tables import (
    Household,
    Node,
    NodeKind,
    Ownership,
    PropertyUnit,
    ResidenceKind,
)
from consultation.database import Transaction


class Places:
    """The places of one community by code, with the complaints about codes that are not there."""

    def __init__(self, places: dict[UUID, Place], register: Register, outcome: Outcome) -> None:
        self.by_id = places
        self._by_code = {place.code: place for place in places.values()}
        self._register = register
        self._outcome = outcome

    def named(self, row: Row, column: str, kinds: frozenset[NodeKind]) -> Place | None:
        """The place that an optional cell names; None if it is empty or bad."""
        code = row[column]
        if code is None:
            return None
        place = self._by_code.get(code)
        if place is None:
            self._outcome.bad.append(self._register.bad_cell(row, column, Reason.PLACE_UNKNOWN))
        elif place.kind not in kinds:
            self._outcome.bad.append(self._register.bad_cell(row, column, Reason.PLACE_WRONG_KIND))
            return None
        return place


_ESTATE = frozenset({NodeKind.ESTATE})
_BUILDING = frozenset({NodeKind.BUILDING})
_ENTRANCE = frozenset({NodeKind.ENTRANCE})
_SETTLEMENT = frozenset({NodeKind.ESTATE, NodeKind.VILLAGERS_GROUP})


async def take_units(
    tx: Transaction, community: Node, register: Register, outcome: Outcome
) -> None:
    places = Places(await places_in(tx, community.id), register, outcome)
    before = await units_by_code(tx, community.id)
    owners_before = await owners_by_unit(tx, community.id)
    people = await find_people(
        tx, community, (m for row in register.rows for m in mentions(register, row)), outcome
    )
    new: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    owned: dict[UUID, dict[UUID, bool]] = {}
    for row in register.rows:
        where = _place_of_unit(row, places, register, outcome)
        owners = _owners(row, people, register, outcome)
        if where is None or owners is None:
            continue
        unit = before.get(row["code"])
        content = {
            "estate_id": where[0].id,
            "entrance_id": where[1].id,
            "kind": row["kind"],
            "area_dm2": row["area"],
            "developer_unsold": bool(row["developer_unsold"]),
        }
        id = tx.new_id() if unit is None else unit.id
        differs = unit is not None and any(getattr(unit, k) != v for k, v in content.items())
        if unit is None:
            new.append(content | {"id": id, "community_id": community.id, "code": row["code"]})
        elif differs:
            changed.append(content | {"id": id})
        other_owners = owners_before.get(id) != owners
        if other_owners:
            owned[id] = owners
        outcome.count(
            new=unit is None,
            changed=differs or other_owners or not people.changed.isdisjoint(owners),
        )
    if outcome.bad:
        return

    await people.keep()
    if new:
        await tx.session.exec(insert(PropertyUnit), params=new)
    if changed:
        await tx.session.exec(update(PropertyUnit), params=changed)
    await _keep_owners(tx, community, owned)
    affected = {person for unit in owned for person in owners_before.get(unit, {})}
    affected |= {person for owners in owned.values() for person in owners}
    await settle_residences(tx, community, affected)
    if new or changed:
        outcome.warnings.extend(await settle_sizes(tx, community))


def _place_of_unit(
    row: Row, places: Places, register: Register, outcome: Outcome
) -> tuple[Place, Place] | None:
    """The estate, and the narrowest place the row names: entrance, else building, else estate."""
    estate = places.named(row, "estate_code", _ESTATE)
    building = places.named(row, "building_code", _BUILDING)
    entrance = places.named(row, "entrance_code", _ENTRANCE)
    if estate is None:
        return None
    around = estate
    for column, place in (("building_code", building), ("entrance_code", entrance)):
        if place is None:
            continue
        if not place.path.startswith(around.path):
            outcome.bad.append(register.bad_cell(row, column, Reason.PLACE_NOT_INSIDE))
            return None
        around = place
    return estate, around


def _owners(
    row: Row, people: People, register: Register, outcome: Outcome
) -> dict[UUID, bool] | None:
    voter = named_voter(row)
    ids = [people.id(mention) for mention in mentions(register, row)]
    owners = {id: index == voter for index, id in enumerate(ids) if id is not None}
    if None in ids:
        return None
    if len(owners) < len(ids):
        outcome.bad.append(register.bad_cell(row, "owner_names", Reason.PERSON_TWICE))
        return None
    return owners


async def _keep_owners(
    tx: Transaction, community: Node, owned: dict[UUID, dict[UUID, bool]]
) -> None:
    for some in chunks(owned):
        await tx.session.exec(delete(Ownership).where(col(Ownership.unit_id).in_(some)))
    rows = [
        {"unit_id": unit, "person_id": person, "community_id": community.id, "named_voter": votes}
        for unit, owners in owned.items()
        for person, votes in owners.items()
    ]
    if rows:
        await tx.session.exec(insert(Ownership), params=rows)


async def take_households(
    tx: Transaction, community: Node, register: Register, outcome: Outcome
) -> None:
    places = Places(await places_in(tx, community.id), register, outcome)
    units = await units_by_code(tx, community.id)
    owners = await owners_by_unit(tx, community.id)
    before = await households_by_code(tx, community.id)
    people = await find_people(
        tx, community, (m for row in register.rows for m in mentions(register, row)), outcome
    )
    rewritten = {row["code"] for row in register.rows}
    speaks_for = {
        household.representative_id: code
        for code, household in before.items()
        if household.representative_id is not None and code not in rewritten
    }
    new: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    affected: set[UUID] = set()
    for row in register.rows:
        content = _household(row, places, units, register, outcome)
        spokesperson: UUID | None = None
        for mention in mentions(register, row):
            spokesperson = people.id(mention)
            if spokesperson in speaks_for:
                outcome.bad.append(mention.bad(1, Reason.SPEAKS_FOR_ANOTHER))
            elif spokesperson is not None:
                speaks_for[spokesperson] = row["code"]
        if content is None:
            continue
        content["representative_id"] = spokesperson
        content["tenure"] = _tenure(row, content["unit_id"], spokesperson, owners)
        household = before.get(row["code"])
        differs = household is not None and any(
            getattr(household, name) != value for name, value in content.items()
        )
        if household is None:
            new.append(
                content | {"id": tx.new_id(), "community_id": community.id, "code": row["code"]}
            )
        elif differs:
            changed.append(content | {"id": household.id})
            affected |= _touched(household.unit_id, household.representative_id, owners)
        if household is None or differs:
            affected |= _touched(content["unit_id"], spokesperson, owners)
        outcome.count(new=household is None, changed=differs or spokesperson in people.changed)
    if outcome.bad:
        return

    await people.keep()
    if new:
        await tx.session.exec(insert(Household), params=new)
    if changed:
        await tx.session.exec(update(Household), params=changed)
    await settle_residences(tx, community, affected)
    if new or changed:
        outcome.warnings.extend(await settle_sizes(tx, community))


def _household(
    row: Row, places: Places, units: dict[str, UnitRow], register: Register, outcome: Outcome
) -> dict[str, Any] | None:
    """Where the household is. The unit says which estate and grid, unless the row does; in a
    village the group is both."""
    unit = units.get(row["unit_code"]) if row["unit_code"] else None
    estate = places.named(row, "estate_code", _SETTLEMENT)
    grid = places.named(row, "grid_code", GRIDS)
    if row["unit_code"] and unit is None:
        outcome.bad.append(register.bad_cell(row, "unit_code", Reason.UNIT_UNKNOWN))
        return None
    if unit is not None:
        if estate is not None and estate.id != unit.estate_id:
            outcome.bad.append(register.bad_cell(row, "estate_code", Reason.PLACE_NOT_INSIDE))
            return None
        estate = places.by_id[unit.estate_id]
    if estate is None:
        return None
    grid_id = grid.id if grid else None
    if grid_id is None and unit is not None:
        grid_id = places.by_id[unit.entrance_id].grid_id
    if grid_id is None:
        grid_id = estate.id if estate.kind in GRIDS else estate.grid_id
    return {
        "estate_id": estate.id,
        "grid_id": grid_id,
        "unit_id": unit.id if unit else None,
        "occupied": row["occupied"],
        "adults": row["adults"],
    }


def _tenure(
    row: Row, unit_id: UUID | None, spokesperson: UUID | None, owners: dict[UUID, dict[UUID, bool]]
) -> ResidenceKind | None:
    """As the row says; else owner for an owner's household or one without a registered unit,
    tenant for anybody else's."""
    if row["tenure"] is not None or not row["occupied"]:
        return row["tenure"]
    if unit_id is None or spokesperson in owners.get(unit_id, {}):
        return ResidenceKind.OWNER
    return None if spokesperson is None else ResidenceKind.TENANT


def _touched(
    unit_id: UUID | None, spokesperson: UUID | None, owners: dict[UUID, dict[UUID, bool]]
) -> set[UUID]:
    people = set() if unit_id is None else set(owners.get(unit_id, {}))
    return people if spokesperson is None else people | {spokesperson}
