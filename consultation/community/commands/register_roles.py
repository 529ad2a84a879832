"""Taking over who holds which office, from when to when and on what basis."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, update

from consultation.calendar import end_of
from consultation.community.commands.register_people import find_people
from consultation.community.register_cells import Reason
from consultation.community.register_checks import mentions
from consultation.community.register_queries import organisations_by_code, places_by_code, roles_of
from consultation.community.registers import Outcome, Register, Row
from consultation.community.role_queries import office_of
from consultation.community.rules import (
    GRANTABLE,
    CompanyCannotCount,
    Office,
    RelativeCannotSupervise,
    RolesExclude,
    check_separation,
)
from consultation.community.tables import Node, Organisation, RoleAssignment
from consultation.database import Transaction
from consultation.events.people import RoleEnded, RoleGranted
from consultation.permissions import Role
from consultation.refusals import Refusal

_REASON: dict[type[Refusal], Reason] = {
    RolesExclude: Reason.ROLES_EXCLUDE,
    RelativeCannotSupervise: Reason.RELATIVE_CANNOT_SUPERVISE,
    CompanyCannotCount: Reason.COMPANY_CANNOT_COUNT,
}


@dataclass(slots=True)
class _Held:
    """What people hold: rows of the database by what identifies them, and offices by person."""

    rows: dict[tuple[Any, ...], RoleAssignment] = field(default_factory=dict)
    offices: dict[UUID, dict[tuple[Any, ...], Office]] = field(default_factory=dict)

    def take(self, person: UUID, key: tuple[Any, ...], office: Office) -> None:
        """Refuses with one of the three separation refusals."""
        offices = self.offices.setdefault(person, {})
        others = [held for other, held in offices.items() if other != key]
        offices[key] = office
        check_separation(others, office)


async def take_roles(
    tx: Transaction, community: Node, register: Register, outcome: Outcome
) -> None:
    """Offices in the community and on the levels above it. One role of one person for one
    organisation at one place, begun on one day, is one office; end, title and basis may change.
    What was ended by a person stays ended."""
    places = await places_by_code(tx, (row["node_code"] for row in register.rows))
    organisations = await organisations_by_code(tx, (row["org_code"] for row in register.rows))
    every = [mentions(register, row)[0] for row in register.rows]
    people = await find_people(tx, community, every, outcome)
    held = await _held(tx, {id for m in every if (id := people.id(m)) is not None})

    new: dict[tuple[Any, ...], dict[str, Any]] = {}
    changed: list[dict[str, Any]] = []
    for row, mention in zip(register.rows, every, strict=True):
        place = places.get(row["node_code"])
        org = organisations.get(row["org_code"])
        person = people.id(mention)
        if row["role"] not in GRANTABLE[Role.SYSTEM]:
            outcome.bad.append(register.bad_cell(row, "role", Reason.ROLE_NOT_GIVEN))
        if org is None:
            outcome.bad.append(register.bad_cell(row, "org_code", Reason.ORGANISATION_UNKNOWN))
        if place is None:
            outcome.bad.append(register.bad_cell(row, "node_code", Reason.PLACE_UNKNOWN))
        elif not place.touches(community.path):
            outcome.bad.append(register.bad_cell(row, "node_code", Reason.OUTSIDE_COMMUNITY))
        if place is None or org is None or person is None:
            continue
        office = _office(row, place.path, org)
        key = (person, row["role"], org.id, place.id, office.valid_from)
        assignment = held.rows.get(key)
        if assignment is not None and assignment.ended_by_id is not None:
            outcome.count(new=False, changed=False)
            continue
        try:
            held.take(person, key, office)
        except tuple(_REASON) as refusal:
            outcome.bad.append(register.bad_cell(row, "role", _REASON[type(refusal)]))
            continue
        content = {
            "valid_to": office.valid_to,
            "title": row["title"] or "",
            "basis": row["basis"],
            "close_relative_of_committee": office.close_relative_of_committee,
        }
        differs = assignment is not None and any(
            getattr(assignment, name) != value for name, value in content.items()
        )
        if assignment is None:
            if key in new:
                outcome.bad.append(register.bad_cell(row, "role", Reason.PERSON_TWICE))
                continue
            new[key] = content | {
                "id": tx.new_id(),
                "community_id": place.community_id,
                "person_id": person,
                "role": row["role"],
                "org_id": org.id,
                "node_id": place.id,
                "node_path": place.path,
                "valid_from": office.valid_from,
            }
        elif differs:
            changed.append(content | {"id": assignment.id})
            if office.valid_to is not None and office.valid_to <= tx.now:
                tx.emit(
                    RoleEnded(
                        community_id=assignment.community_id,
                        person_id=person,
                        assignment_id=assignment.id,
                        role=assignment.role.value,
                    )
                )
        outcome.count(new=assignment is None, changed=differs or person in people.changed)
    if outcome.bad:
        return

    await people.keep()
    for given in new.values():
        tx.emit(
            RoleGranted(
                community_id=given["community_id"],
                person_id=given["person_id"],
                assignment_id=given["id"],
                role=given["role"].value,
            )
        )
    if new:
        await tx.session.exec(insert(RoleAssignment), params=list(new.values()))
    if changed:
        await tx.session.exec(update(RoleAssignment), params=changed)


async def _held(tx: Transaction, people: set[UUID]) -> _Held:
    held = _Held()
    for assignment, org_kind in await roles_of(tx, people):
        key = (
            assignment.person_id,
            assignment.role,
            assignment.org_id,
            assignment.node_id,
            assignment.valid_from,
        )
        held.rows[key] = assignment
        held.offices.setdefault(assignment.person_id, {})[key] = office_of(assignment, org_kind)
    return held


def _office(row: Row, path: str, org: Organisation) -> Office:
    return Office(
        role=row["role"],
        path=path,
        org_kind=org.kind,
        close_relative_of_committee=bool(row["close_relative_of_committee"]),
        valid_from=end_of(row["valid_from"] - timedelta(days=1)),
        valid_to=None if row["valid_to"] is None else end_of(row["valid_to"]),
    )
