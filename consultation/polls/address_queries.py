"""SQL from a home to its place on the roll."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, String
from sqlmodel import and_, col, exists, func, or_, select

from consultation.community.tables import Household, PropertyUnit, Residence
from consultation.database import Transaction
from consultation.polls.objections import OWNERS
from consultation.polls.queries import on_roll
from consultation.polls.tables import Poll, RollEntry


@dataclass(frozen=True, slots=True)
class Address:
    """A place on the roll with the codes of its units or its household, or of the home in which a
    voter without either lives."""

    number: int
    label: str
    codes: tuple[str, ...]


async def addresses(
    tx: Transaction, poll: Poll, *, unit: str, grid_id: UUID | None, after: int, limit: int
) -> list[Address]:
    """Places of the present roll after a number with a code that begins with ``unit``, of one grid
    or of all. What an owner's place is made of stands frozen on the roll; the index of the roll
    bounds what is read. One statement."""
    statement = (
        select(
            RollEntry.number, RollEntry.label, RollEntry.units, Household.code, PropertyUnit.code
        )  # type: ignore[call-overload]  # typed up to four
        .outerjoin(
            Residence,
            and_(
                col(RollEntry.household_id).is_(None),
                col(Residence.person_id) == col(RollEntry.person_id),
                col(Residence.community_id) == poll.community_id,
            ),
        )
        .outerjoin(
            Household,
            col(Household.id) == func.coalesce(RollEntry.household_id, Residence.household_id),
        )
        .outerjoin(
            PropertyUnit,
            col(PropertyUnit.id) == func.coalesce(Residence.unit_id, Household.unit_id),
        )
        .where(*on_roll(poll), col(RollEntry.number) > after)
        .order_by(col(RollEntry.number))
        .limit(limit)
    )
    of_owners = poll.preset.electorate in OWNERS
    if unit:
        lives = or_(_begins(col(Household.code), unit), _begins(col(PropertyUnit.code), unit))
        statement = statement.where(_has_unit(tx, unit) if of_owners else lives)
    if grid_id is not None:
        statement = statement.where(RollEntry.grid_id == grid_id)
    found = []
    for number, label, units, household, home in await tx.session.exec(statement):
        codes = [one.code for one in units] if of_owners else [household, home]
        found.append(Address(number, label, tuple(dict.fromkeys(code for code in codes if code))))
    return found


def _begins(code: Any, unit: str) -> ColumnElement[bool]:
    begins: ColumnElement[bool] = code.startswith(unit, autoescape=True)
    return begins


def _has_unit(tx: Transaction, unit: str) -> ColumnElement[bool]:
    """One of the units of the place has a code that begins so."""
    if tx.session.get_bind().dialect.name == "sqlite":
        parts = func.json_each(RollEntry.units).table_valued("value", name="part")
        code: Any = func.json_extract(parts.c.value, "$.code", type_=String)
    else:
        parts = func.json_array_elements(RollEntry.units).table_valued("value", name="part")
        code = parts.c.value.op("->>", return_type=String())("code")
    return exists().select_from(parts).where(_begins(code, unit))
