"""Taking over units with their owners, and households."""

from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, update
from sqlmodel import col

from consultation.community.commands.register_people import People, find_people
from consultation.community.commands.register_residents import settle_residences, settle_sizes
from consultation.community.register_cells import Reason
from consultation.community.register_checks import mentions, named_voter
from consultation.community.register_queries import (
    HouseholdRow,
    Place,
    UnitRow,
    chunks,
    households_by_code,
    owners_by_unit,
    places_in,
    units_by_code,
)
from consultation.community.registers import Outcome, Register, Row
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
from consultation.events.people import VoterNamed
from consultation.jobs import JobKind, schedule
from consultation.polls.designation_queries import designated
from consultation.polls.designation_tables import VoterDesignation


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
    tx: Transaction, community: Node, register: Register, outcome: Outcome, digest: str
) -> None:
    """Take over homes with their owners. Whom co-owners named to vote stays named as long as they
    own the home; whoever a file makes the voter of a home that was there is on the log, under the
    file's ``digest``."""
    places = Places(await places_in(tx, community.id), register, outcome)
    before = await units_by_code(tx, community.id)
    owners_before = await owners_by_unit(tx, community.id)
    chosen = await designated(tx, community.id)
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
        named = chosen.get(id)
        if named in owners and named == _voter(owners_before.get(id, {})) != _voter(owners):
            owners = {person: person == named for person in owners}
            outcome.kept.append(row["code"])
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
    known = {unit.id: code for code, unit in before.items()}
    sold = {unit_id: owned[unit_id] for unit_id in owned.keys() & known.keys()}
    if any(owners.keys() - owners_before.get(id, {}).keys() for id, owners in sold.items()):
        await schedule(
            tx,
            JobKind.ASK_PART_OWNERS,
            community.id,
            tx.now,
            community_id=community.id,
            occasion=tx.new_id().hex,
        )
    for unit_id, owners in owned.items():
        if (home := known.get(unit_id)) is not None:
            was, is_now = _voter(owners_before.get(unit_id, {})), _voter(owners)
            _log_voter(tx, community, was, is_now, digest, home=home, unit_id=unit_id)
    affected = {person for unit in owned for person in owners_before.get(unit, {})}
    affected |= {person for owners in owned.values() for person in owners}
    await settle_residences(tx, community, affected)
    if new or changed:
        outcome.warnings.extend(await settle_sizes(tx, community))


def _voter(owners: dict[UUID, bool]) -> UUID | None:
    """Who votes for a home: its only owner, or whom the owners named."""
    if len(owners) == 1:
        return next(iter(owners))
    return next((person for person, votes in owners.items() if votes), None)


def _log_voter(
    tx: Transaction,
    community: Node,
    was: UUID | None,
    is_now: UUID | None,
    digest: str,
    *,
    home: str,
    unit_id: UUID | None = None,
    household_id: UUID | None = None,
) -> None:
    if was == is_now:
        return
    tx.session.add(
        VoterDesignation(
            id=tx.new_id(),
            community_id=community.id,
            unit_id=unit_id,
            household_id=household_id,
            person_id=is_now,
            previous_id=was,
            by_id=tx.actor.person_id,
            evidence_sha256=digest,
            from_register=True,
            at=tx.now,
        )
    )
    for person in sorted({one for one in (was, is_now) if one is not None}):
        tx.emit(VoterNamed(community_id=community.id, person_id=person, home=home))


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
    tx: Transaction, community: Node, register: Register, outcome: Outcome, digest: str
) -> None:
    """Take over households with who represents them. Whom an occupied household named stays named;
    any other change of a household that was there is on the log, under the file's ``digest``."""
    places = Places(await places_in(tx, community.id), register, outcome)
    units = await units_by_code(tx, community.id)
    owners = await owners_by_unit(tx, community.id)
    before = await households_by_code(tx, community.id)
    chosen = await designated(tx, community.id)
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
    renamed: list[tuple[str, UUID, UUID | None, UUID | None]] = []
    for row in register.rows:
        content = _household(row, places, units, register, outcome)
        household = before.get(row["code"])
        named = None if household is None else chosen.get(household.id)
        spokesperson: UUID | None = None
        for mention in mentions(register, row):
            spokesperson = people.id(mention)
            if _stays(named, household, row) and spokesperson != named:
                continue
            if spokesperson in speaks_for:
                outcome.bad.append(mention.bad(1, Reason.SPEAKS_FOR_ANOTHER))
            elif spokesperson is not None:
                speaks_for[spokesperson] = row["code"]
        if named is not None and _stays(named, household, row) and spokesperson != named:
            if named in speaks_for:
                outcome.bad.append(register.bad_cell(row, "code", Reason.SPEAKS_FOR_ANOTHER))
            speaks_for[named] = row["code"]
            spokesperson = named
            outcome.kept.append(row["code"])
        if content is None:
            continue
        content["representative_id"] = spokesperson
        content["tenure"] = _tenure(row, content["unit_id"], spokesperson, owners)
        differs = household is not None and any(
            getattr(household, name) != value for name, value in content.items()
        )
        if household is None:
            new.append(
                content | {"id": tx.new_id(), "community_id": community.id, "code": row["code"]}
            )
        elif differs:
            changed.append(content | {"id": household.id})
            renamed.append((row["code"], household.id, household.representative_id, spokesperson))
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
    for home, household_id, was, is_now in renamed:
        _log_voter(tx, community, was, is_now, digest, home=home, household_id=household_id)
    await settle_residences(tx, community, affected)
    if new or changed:
        outcome.warnings.extend(await settle_sizes(tx, community))


def _stays(named: UUID | None, household: HouseholdRow | None, row: Row) -> bool:
    """Whether the household is still lived in and represented by whom it named."""
    return (
        named is not None
        and household is not None
        and household.representative_id == named
        and row["occupied"]
    )


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
