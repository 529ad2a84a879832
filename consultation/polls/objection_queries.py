"""SQL on objections to a roll, and on what a correction takes from the registers."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, union
from sqlalchemy.orm import aliased
from sqlmodel import col, func, or_, select

from consultation.community.tables import (
    Household,
    Node,
    NodeKind,
    Ownership,
    Person,
    PropertyUnit,
    Residence,
    UnitKind,
)
from consultation.database import Transaction
from consultation.polls.objection_tables import RollObjection, RollRuling
from consultation.polls.registers import grids_of
from consultation.polls.rolls import Place
from consultation.polls.rules import RolledUnit
from consultation.polls.tables import Poll, RollEntry
from consultation.refusals import NotFound


async def objection_of(
    tx: Transaction, poll: Poll, person_id: UUID, number: int
) -> RollObjection | None:
    rows = await tx.session.exec(
        select(RollObjection).where(
            RollObjection.poll_id == poll.id,
            RollObjection.filed_by_id == person_id,
            RollObjection.number == number,
        )
    )
    return rows.first()


async def poll_of_objection(tx: Transaction, objection_id: UUID) -> UUID:
    rows = await tx.session.exec(
        select(RollObjection.poll_id).where(RollObjection.id == objection_id)
    )
    poll_id = rows.first()
    if poll_id is None:
        raise NotFound(what="roll_objection")
    return poll_id


async def load_objection(tx: Transaction, objection_id: UUID) -> RollObjection:
    """The objection, locked; access is by its poll."""
    rows = await tx.session.exec(
        select(RollObjection).where(RollObjection.id == objection_id).with_for_update()
    )
    return rows.one()


async def last_ruling(tx: Transaction, objection_id: UUID) -> RollRuling | None:
    rows = await tx.session.exec(
        select(RollRuling)
        .where(RollRuling.objection_id == objection_id)
        .order_by(col(RollRuling.version).desc())
        .limit(1)
    )
    return rows.first()


async def objections_page(
    tx: Transaction, poll: Poll, *, after: tuple[datetime, UUID] | None, limit: int
) -> list[tuple[RollObjection, RollRuling | None]]:
    """Objections from the latest back, each with its newest ruling; two statements."""
    statement = select(RollObjection).where(RollObjection.poll_id == poll.id)
    if after is not None:
        at, id = after
        statement = statement.where(
            (col(RollObjection.filed_at) < at)
            | ((col(RollObjection.filed_at) == at) & (col(RollObjection.id) < id))
        )
    objections = list(
        await tx.session.exec(
            statement.order_by(
                col(RollObjection.filed_at).desc(), col(RollObjection.id).desc()
            ).limit(limit)
        )
    )
    rulings = await tx.session.exec(
        select(RollRuling)
        .where(col(RollRuling.objection_id).in_([one.id for one in objections]))
        .order_by(col(RollRuling.version))
    )
    newest = {ruling.objection_id: ruling for ruling in rulings}
    return [(one, newest.get(one.id)) for one in objections]


async def verified_person(tx: Transaction, community_id: UUID, person_id: UUID) -> Person | None:
    """Somebody who belongs to the community and was checked (L2)."""
    rows = await tx.session.exec(
        select(Person)
        .join(Residence, col(Residence.person_id) == col(Person.id))
        .where(
            Person.id == person_id,
            Residence.community_id == community_id,
            col(Residence.level) >= 2,
        )
    )
    return rows.first()


async def owned_units(tx: Transaction, person_id: UUID) -> set[UUID]:
    rows = await tx.session.exec(select(Ownership.unit_id).where(Ownership.person_id == person_id))
    return set(rows)


async def household_codes(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, str]:
    if not ids:
        return {}
    rows = await tx.session.exec(
        select(Household.id, Household.code).where(col(Household.id).in_(ids))
    )
    return dict(list(rows))


async def homes_of(tx: Transaction, community_id: UUID, person_id: UUID) -> set[UUID]:
    """The households that somebody was checked to live in, or that the register has them
    represent."""
    lives_in = select(col(Residence.household_id)).where(
        Residence.community_id == community_id,
        Residence.person_id == person_id,
        col(Residence.household_id).is_not(None),
        col(Residence.level) >= 2,
    )
    represents = select(col(Household.id)).where(
        Household.community_id == community_id, Household.representative_id == person_id
    )
    rows = await tx.session.exec(union(lives_in, represents))  # type: ignore[call-overload]  # typed for a select
    return set(rows.scalars())


async def scope_of(tx: Transaction, poll: Poll) -> Node:
    return await tx.session.get_one(Node, poll.scope_node_id)


async def units_of_register(
    tx: Transaction, poll: Poll, unit_ids: Collection[UUID]
) -> dict[UUID, tuple[RolledUnit, str]]:
    """Those of these units that the poll decides about, or beyond its place where the rule lets
    others in; by id, each with the name of its building."""
    if not unit_ids:
        return {}
    place, building, scope = aliased(Node), aliased(Node), aliased(Node)
    statement = (
        select(
            PropertyUnit.id,
            PropertyUnit.code,
            PropertyUnit.area_dm2,
            place.kind,
            place.name,
            building.name,
        )  # type: ignore[call-overload]
        .join(place, col(place.id) == col(PropertyUnit.entrance_id))
        .outerjoin(building, col(building.id) == col(place.parent_id))
        .where(PropertyUnit.community_id == poll.community_id, col(PropertyUnit.id).in_(unit_ids))
        .order_by(col(PropertyUnit.code))
    )
    if not poll.preset.others_with_interest:
        statement = statement.join(
            scope,
            or_(col(place.path).startswith(col(scope.path)), col(place.grid_id) == col(scope.id)),
        ).where(scope.id == poll.scope_node_id)
    if not poll.preset.area_includes_parking:
        statement = statement.where(PropertyUnit.kind != UnitKind.PARKING)
    rows = await tx.session.exec(statement)
    return {
        id: (
            RolledUnit(unit_id=id, code=code, area_dm2=area),
            above if kind is NodeKind.ENTRANCE else name,
        )
        for id, code, area, kind, name, above in rows
    }


async def highest_number(tx: Transaction, poll: Poll) -> int:
    """Of all places in all versions of the roll: a number is never used again."""
    rows = await tx.session.exec(
        select(func.max(RollEntry.number)).where(RollEntry.poll_id == poll.id)
    )
    return rows.one() or 0


async def write_roll(tx: Transaction, poll: Poll, roll: Sequence[Place]) -> None:
    """Write the entries of the poll's present version, in one go."""
    grids = await grids_of(tx, poll.community_id, roll)
    connection = await tx.session.connection()
    await connection.execute(
        insert(RollEntry),
        [
            {
                "id": tx.new_id(),
                "community_id": poll.community_id,
                "poll_id": poll.id,
                "roll_version": poll.roll_version,
                "number": place.number,
                "person_id": place.person_id,
                "household_id": place.household_id,
                "label": place.label,
                "grid_id": grids.get(place.number),
                "area_dm2": place.area_dm2,
                "units": list(place.units),
            }
            for place in roll
        ],
    )
