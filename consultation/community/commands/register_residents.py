"""Who belongs to the community, as the registers say it: residents who own nothing, and what
follows for owners and for those who speak for a household."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, update
from sqlmodel import col

from consultation.community.commands.register_people import find_people
from consultation.community.identity import VerificationMethod
from consultation.community.register_cells import Reason
from consultation.community.register_checks import mentions
from consultation.community.register_queries import (
    HouseholdRow,
    ResidenceRow,
    chunks,
    households_by_code,
    owners_by_unit,
    places_in,
    residences_by_person,
    sizes,
    units_by_code,
)
from consultation.community.registers import Outcome, Register, SizeWarning
from consultation.community.rules import GRIDS, LARGEST, OWNING, residence_kind
from consultation.community.tables import Node, Residence, ResidenceKind, UnitKind
from consultation.database import Transaction
from consultation.events.people import PersonVerified

_WHERE = ("kind", "household_id", "unit_id", "grid_id")


async def take_residents(
    tx: Transaction, community: Node, register: Register, outcome: Outcome
) -> None:
    """Tenants, family, merchants and members of resident units. Whoever speaks for a household or
    lives in an own home stays what the other registers make of them."""
    places = {place.code: place for place in (await places_in(tx, community.id)).values()}
    units = await units_by_code(tx, community.id)
    households = await households_by_code(tx, community.id)
    before = await residences_by_person(tx, community.id)
    people = await find_people(
        tx, community, (m for row in register.rows for m in mentions(register, row)), outcome
    )
    spokespeople = {household.representative_id for household in households.values()}
    wanted: dict[UUID, dict[str, Any]] = {}
    for row in register.rows:
        mention = mentions(register, row)[0]
        found: dict[str, Any] = {"kind": row["kind"]}
        for column, known, reason in (
            ("unit_code", units, Reason.UNIT_UNKNOWN),
            ("household_code", households, Reason.HOUSEHOLD_UNKNOWN),
            ("grid_code", places, Reason.PLACE_UNKNOWN),
        ):
            target = known.get(row[column]) if row[column] else None
            if row[column] and target is None:
                outcome.bad.append(register.bad_cell(row, column, reason))
            found[column.replace("_code", "_id")] = target.id if target else None
        grid = places.get(row["grid_code"])
        if grid is not None and grid.kind not in GRIDS:
            outcome.bad.append(register.bad_cell(row, "grid_code", Reason.PLACE_WRONG_KIND))
        household = households.get(row["household_code"])
        if household is not None:
            found["unit_id"] = found["unit_id"] or household.unit_id
            found["grid_id"] = found["grid_id"] or household.grid_id
        person = people.id(mention)
        if person is None:
            continue
        if person in wanted:
            outcome.bad.append(mention.bad(1, Reason.PERSON_TWICE))
            continue
        wanted[person] = found
        residence = before.get(person)
        settled = person in spokespeople or (
            residence is not None and residence.kind is ResidenceKind.OWNER
        )
        if settled:
            del wanted[person]
        outcome.count(
            new=residence is None,
            changed=person in people.changed
            or (residence is not None and not settled and _must_change(residence, found)),
        )
    if outcome.bad:
        return

    await people.keep()
    await _keep(tx, community, wanted, before)


async def settle_residences(tx: Transaction, community: Node, people: Iterable[UUID]) -> None:
    """Make the residences of these people what units and households say of them."""
    people = set(people)
    if not people:
        return
    owners = await owners_by_unit(tx, community.id)
    households = await households_by_code(tx, community.id)
    units = {unit.id: unit for unit in (await units_by_code(tx, community.id)).values()}
    places = await places_in(tx, community.id)
    before = await residences_by_person(tx, community.id)

    owned: dict[UUID, list[UUID]] = {}
    for unit_id in sorted(owners, key=lambda unit: units[unit].code):
        for person in owners[unit_id]:
            owned.setdefault(person, []).append(unit_id)
    occupied = [h for _, h in sorted(households.items()) if h.occupied]
    speaks_for = {h.representative_id: h for h in occupied if h.representative_id is not None}
    lived_in = {h.unit_id: h for h in reversed(occupied) if h.unit_id is not None}

    wanted: dict[UUID, dict[str, Any]] = {}
    gone: list[UUID] = []
    for person in people:
        household = speaks_for.get(person)
        own_homes = [lived_in[unit] for unit in owned.get(person, ()) if unit in lived_in]
        kind = residence_kind(
            speaks_for=household.tenure if household else None,
            lived_in_as=[home.tenure for home in own_homes],
            owns=person in owned,
        )
        if kind is None:
            residence = before.get(person)
            if residence is not None and _of_register(residence) and residence.kind in OWNING:
                gone.append(residence.id)
            continue
        if household is None and kind is ResidenceKind.OWNER:
            household = next(h for h in own_homes if h.tenure is not ResidenceKind.TENANT)
        if household is not None:
            wanted[person] = _at_home(kind, household)
        else:
            unit = units[owned[person][0]]
            grid_id = places[unit.entrance_id].grid_id
            wanted[person] = {
                "kind": kind,
                "household_id": None,
                "unit_id": unit.id,
                "grid_id": grid_id,
            }
    for some in chunks(gone):
        await tx.session.exec(delete(Residence).where(col(Residence.id).in_(some)))
    await _keep(tx, community, wanted, before)


def _at_home(kind: ResidenceKind, household: HouseholdRow) -> dict[str, Any]:
    return {
        "kind": kind,
        "household_id": household.id,
        "unit_id": household.unit_id,
        "grid_id": household.grid_id,
    }


def _of_register(residence: ResidenceRow) -> bool:
    return residence.level < 2 or residence.method == VerificationMethod.REGISTER


def _must_change(residence: ResidenceRow, wanted: dict[str, Any]) -> bool:
    """A residence that a grid worker checked stands; a claim rises; to own something elsewhere
    in the community takes nothing from somebody who lives or works here."""
    if residence.level >= 2:
        if not _of_register(residence):
            return False
        absent = wanted["kind"] is ResidenceKind.ABSENT_OWNER
        if absent and residence.kind not in OWNING:
            return False
    return residence.level < 2 or any(getattr(residence, name) != wanted[name] for name in _WHERE)


async def _keep(
    tx: Transaction,
    community: Node,
    wanted: dict[UUID, dict[str, Any]],
    before: dict[UUID, ResidenceRow],
) -> None:
    """Insert and update residences at level 2: the register itself is the check. An account gets
    nothing of it before it is matched to the registered person."""
    verified = {"level": 2, "method": VerificationMethod.REGISTER.value, "verified_at": tx.now}
    new: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    for person, content in wanted.items():
        residence = before.get(person)
        if residence is None:
            new.append(
                content
                | verified
                | {
                    "id": tx.new_id(),
                    "person_id": person,
                    "community_id": community.id,
                    "created_at": tx.now,
                }
            )
        elif _must_change(residence, content):
            changed.append(
                content | verified | {"id": residence.id, "claim_sealed": None, "refused_at": None}
            )
            if residence.level < 2:
                tx.emit(
                    PersonVerified(
                        community_id=community.id,
                        person_id=person,
                        level=2,
                        method=VerificationMethod.REGISTER.value,
                    )
                )
    if new:
        await tx.session.exec(insert(Residence), params=new)
    if changed:
        await tx.session.exec(update(Residence), params=changed)


async def settle_sizes(tx: Transaction, community: Node) -> list[SizeWarning]:
    """Count homes, occupied households and adults on every node of the community, and say which
    grids, or whether the community itself, are above the norm."""
    places = await places_in(tx, community.id)
    units = await units_by_code(tx, community.id)
    households = await households_by_code(tx, community.id)
    unit_places = {unit.id: unit.entrance_id for unit in units.values()}
    counted = {id: [0, 0, 0] for id in places}

    def add(place_id: UUID, grid_id: UUID | None, *, what: int, number: int) -> None:
        above = {UUID(part) for part in places[place_id].path.strip("/").split("/")}
        for id in above | ({grid_id} if grid_id else set()):
            if id in counted:
                counted[id][what] += number

    for unit in units.values():
        if unit.kind is UnitKind.HOME:
            add(unit.entrance_id, places[unit.entrance_id].grid_id, what=0, number=1)
    for household in households.values():
        if household.occupied:
            place_id = household.estate_id
            if household.unit_id is not None:
                place_id = unit_places[household.unit_id]
            add(place_id, household.grid_id, what=1, number=1)
            add(place_id, household.grid_id, what=2, number=household.adults)

    kept = await sizes(tx, community.id)
    changed = [
        {"id": id, "homes": numbers[0], "households": numbers[1], "adults": numbers[2]}
        for id, numbers in counted.items()
        if kept[id] != tuple(numbers)
    ]
    if changed:
        await tx.session.exec(update(Node), params=changed)
    return [
        SizeWarning(place.code, counted[id][1], LARGEST[place.kind])
        for id, place in sorted(places.items(), key=lambda item: item[1].code)
        if counted[id][1] > LARGEST.get(place.kind, counted[id][1])
    ]
