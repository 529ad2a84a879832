"""Taking over the tree and its organisations."""

from typing import Any

from sqlmodel import insert, select, update

from consultation.community.register_cells import Reason
from consultation.community.register_queries import (
    Place,
    names_below,
    organisations_by_code,
    places_by_code,
)
from consultation.community.registers import Outcome, Register, Row
from consultation.community.rules import COMMUNITIES, GRIDS, PARENTS
from consultation.community.tables import Node, NodeKind, Organisation
from consultation.database import Transaction

_FACTS = ("built_year", "estate_type", "manager")


async def take_tree(
    tx: Transaction, community_code: str, register: Register, outcome: Outcome
) -> Node | None:
    """The community after the file, which may bring it and the levels above it along."""
    known = await places_by_code(tx, [row["code"] for row in register.rows] + _named(register))
    known |= await places_by_code(tx, [community_code])
    rows = _parents_first(register, known, outcome)
    places = dict(known)
    for row in rows:
        place = _place(tx, row, places, register, outcome)
        if place is not None:
            places[row["code"]] = place
    community = places.get(community_code)
    if community is None or community.kind not in COMMUNITIES:
        outcome.bad.append(register.bad_header("code", Reason.PLACE_UNKNOWN))
        return None
    for row in rows:
        place = places.get(row["code"])
        if place is not None:
            _check_place(row, place, places, community, register, outcome)
    await _check_names(tx, rows, places, register, outcome)
    if outcome.bad:
        return None

    new: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    for row in rows:
        place, before = places[row["code"]], known.get(row["code"])
        grid = places[row["grid_code"]].id if row["grid_code"] else None
        differs = False
        facts = {name: row[name] for name in _FACTS if row[name] is not None}
        content = {"name": row["name"], "grid_id": grid, "facts": facts}
        if before is None:
            new.append(
                content
                | {
                    "id": place.id,
                    "community_id": place.community_id,
                    "kind": place.kind,
                    "parent_id": place.parent_id,
                    "path": place.path,
                    "code": row["code"],
                    "homes": 0,
                    "households": 0,
                    "adults": 0,
                }
            )
        elif differs := (before.name, before.grid_id, before.facts) != (row["name"], grid, facts):
            changed.append(content | {"id": place.id})
        outcome.count(new=before is None, changed=differs)
    if new:
        # a grid before the estates, buildings and entrances that name it
        new.sort(key=lambda node: (node["path"].count("/"), node["kind"] not in GRIDS))
        await tx.session.exec(insert(Node), params=new)
    if changed:
        await tx.session.exec(update(Node), params=changed)
    return (await tx.session.exec(select(Node).where(Node.code == community_code))).one()


def _named(register: Register) -> list[str]:
    return [
        row[column]
        for row in register.rows
        for column in ("parent_code", "grid_code")
        if row[column] is not None
    ]


def _parents_first(register: Register, known: dict[str, Place], outcome: Outcome) -> list[Row]:
    """The rows so ordered that a parent comes before what hangs on it."""
    in_file = {row["code"] for row in register.rows}
    done: set[str] = set()
    ordered: list[Row] = []
    waiting = list(register.rows)
    while waiting:
        ready = [
            row
            for row in waiting
            if row["parent_code"] in done or row["parent_code"] not in in_file
        ]
        if not ready:
            outcome.bad.extend(
                register.bad_cell(row, "parent_code", Reason.PARENT_IN_CIRCLE) for row in waiting
            )
            break
        ordered.extend(ready)
        done.update(row["code"] for row in ready)
        waiting = [row for row in waiting if row["code"] not in done]
    return ordered


def _place(
    tx: Transaction, row: Row, places: dict[str, Place], register: Register, outcome: Outcome
) -> Place | None:
    """Where the row's node is or will be. A node keeps its kind and its parent for good: topics,
    roles and rolls point to it."""
    kind: NodeKind = row["kind"]
    parent = places.get(row["parent_code"]) if row["parent_code"] else None
    if row["parent_code"] and parent is None:
        if row["parent_code"] not in register.codes:  # else its own row is already reported
            outcome.bad.append(register.bad_cell(row, "parent_code", Reason.PLACE_UNKNOWN))
        return None
    if (parent is None) != (kind is NodeKind.CITY) or (
        parent is not None and parent.kind not in PARENTS[kind]
    ):
        outcome.bad.append(register.bad_cell(row, "parent_code", Reason.PLACE_WRONG_KIND))
        return None
    before = places.get(row["code"])
    if before is not None:
        if before.kind is not kind:
            outcome.bad.append(register.bad_cell(row, "kind", Reason.KIND_CHANGED))
        if before.parent_id != (parent.id if parent else None):
            outcome.bad.append(register.bad_cell(row, "parent_code", Reason.PLACE_MOVED))
        return before
    id = tx.new_id()
    community_id = id if kind in COMMUNITIES else parent.community_id if parent else None
    return Place(
        id=id,
        code=row["code"],
        kind=kind,
        parent_id=parent.id if parent else None,
        community_id=community_id,
        grid_id=None,
        path=f"{parent.path if parent else '/'}{id}/",
        name=row["name"],
        facts={},
    )


def _check_place(
    row: Row,
    place: Place,
    places: dict[str, Place],
    community: Place,
    register: Register,
    outcome: Outcome,
) -> None:
    if not (community.path.startswith(place.path) or place.path.startswith(community.path)):
        outcome.bad.append(register.bad_cell(row, "code", Reason.OUTSIDE_COMMUNITY))
    if row["grid_code"] is None:
        return
    grid = places.get(row["grid_code"])
    if grid is None:
        outcome.bad.append(register.bad_cell(row, "grid_code", Reason.PLACE_UNKNOWN))
    elif grid.kind not in GRIDS:
        outcome.bad.append(register.bad_cell(row, "grid_code", Reason.PLACE_WRONG_KIND))
    elif grid.community_id != community.id:
        outcome.bad.append(register.bad_cell(row, "grid_code", Reason.OUTSIDE_COMMUNITY))


async def _check_names(
    tx: Transaction, rows: list[Row], places: dict[str, Place], register: Register, outcome: Outcome
) -> None:
    """No two places of one parent share a name, those that the file leaves alone included."""
    parents = {place.parent_id for place in places.values() if place.parent_id is not None}
    taken = await names_below(tx, parents)
    for row in rows:
        place = places.get(row["code"])
        if place is None:
            continue
        holder = taken.get((place.parent_id, row["name"]))
        if holder is not None and holder != place.id:
            outcome.bad.append(register.bad_cell(row, "name", Reason.NAME_TWICE))


async def take_organisations(
    tx: Transaction, community: Node, register: Register, outcome: Outcome
) -> None:
    """Organisations of the community and of the levels above it, which several communities may
    bring along."""
    places = await places_by_code(tx, [row["node_code"] for row in register.rows])
    known = await organisations_by_code(tx, [row["code"] for row in register.rows])
    new: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    for row in register.rows:
        place = places.get(row["node_code"])
        if place is None:
            outcome.bad.append(register.bad_cell(row, "node_code", Reason.PLACE_UNKNOWN))
            continue
        if not place.touches(community.path):
            outcome.bad.append(register.bad_cell(row, "node_code", Reason.OUTSIDE_COMMUNITY))
            continue
        before = known.get(row["code"])
        differs = False
        content: dict[str, Any] = {"name": row["name"], "kind": row["kind"]}
        if before is None:
            content |= {"id": tx.new_id(), "code": row["code"]}
            new.append(content | {"node_id": place.id, "community_id": place.community_id})
        elif before.node_id != place.id:
            outcome.bad.append(register.bad_cell(row, "node_code", Reason.PLACE_MOVED))
            continue
        elif differs := (before.name, before.kind) != (row["name"], row["kind"]):
            changed.append(content | {"id": before.id})
        outcome.count(new=before is None, changed=differs)
    if outcome.bad:
        return

    if new:
        await tx.session.exec(insert(Organisation), params=new)
    if changed:
        await tx.session.exec(update(Organisation), params=changed)
