"""SQL on who votes for a home."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import aliased
from sqlmodel import col, select

from consultation.community.tables import (
    Household,
    Node,
    Ownership,
    Person,
    PropertyUnit,
    Residence,
)
from consultation.database import Transaction
from consultation.polls.designation_tables import VoterDesignation
from consultation.polls.rules import PollState
from consultation.polls.tables import Poll


async def locked_unit(tx: Transaction, unit_id: UUID) -> tuple[PropertyUnit, Node] | None:
    """A unit and the place where it stands."""
    rows = await tx.session.exec(
        select(PropertyUnit, Node)
        .join(Node, col(Node.id) == col(PropertyUnit.entrance_id))
        .where(PropertyUnit.id == unit_id)
        .with_for_update(of=PropertyUnit)
    )
    return rows.first()


async def locked_household(tx: Transaction, household_id: UUID) -> tuple[Household, Node] | None:
    """A household and the place where it lives: of its unit, or its estate or group."""
    place, estate = aliased(Node), aliased(Node)
    household = (
        await tx.session.exec(
            select(Household).where(Household.id == household_id).with_for_update()
        )
    ).first()
    if household is None:
        return None
    rows = await tx.session.exec(
        select(place, estate)
        .select_from(estate)
        .outerjoin(PropertyUnit, col(PropertyUnit.id) == household.unit_id)
        .outerjoin(place, col(place.id) == col(PropertyUnit.entrance_id))
        .where(estate.id == household.estate_id)
    )
    at, in_estate = rows.one()
    return household, at or in_estate


async def owners_of(tx: Transaction, unit_id: UUID) -> list[Ownership]:
    rows = await tx.session.exec(
        select(Ownership).where(Ownership.unit_id == unit_id).order_by(col(Ownership.person_id))
    )
    return list(rows)


async def member_of_household(
    tx: Transaction, household_id: UUID, person_id: UUID
) -> Person | None:
    """Somebody who was checked to live in the household."""
    rows = await tx.session.exec(
        select(Person)
        .join(Residence, col(Residence.person_id) == col(Person.id))
        .where(
            Person.id == person_id,
            Residence.household_id == household_id,
            col(Residence.level) >= 2,
        )
    )
    return rows.first()


async def running_polls(tx: Transaction, community_id: UUID) -> list[tuple[Poll, Node]]:
    """Polls whose roll is frozen and not used up yet, each with its scope. Drafts are held too, so
    that none is announced, and its roll frozen, until the transaction ends."""
    rows = await tx.session.exec(
        select(Poll, Node)
        .join(Node, col(Node.id) == col(Poll.scope_node_id))
        .where(
            Poll.community_id == community_id,
            col(Poll.state).in_((PollState.DRAFT, PollState.ANNOUNCED, PollState.OPEN)),
        )
        .order_by(col(Poll.id))
        .with_for_update(read=True, of=Poll)
    )
    return [(poll, scope) for poll, scope in rows if poll.state is not PollState.DRAFT]


async def designated(tx: Transaction, community_id: UUID) -> dict[UUID, UUID]:
    """By unit or household, whom those who live there named last, where no register has said
    anything else since."""
    rows = await tx.session.exec(
        select(VoterDesignation)
        .where(VoterDesignation.community_id == community_id)
        .order_by(col(VoterDesignation.at), col(VoterDesignation.id))
    )
    last = {row.unit_id or row.household_id: row for row in rows}
    return {
        home: row.person_id
        for home, row in last.items()
        if home is not None and row.person_id is not None and not row.from_register
    }


@dataclass(frozen=True, slots=True)
class DesignationRow:
    id: UUID
    unit_code: str | None
    household_code: str | None
    named: str | None
    evidence_sha256: str | None
    from_register: bool
    at: datetime


async def designations_page(
    tx: Transaction, community_id: UUID, *, after: tuple[datetime, UUID] | None, limit: int
) -> list[DesignationRow]:
    """The log from the latest back; names are masked."""
    statement = (
        select(
            VoterDesignation.id,
            PropertyUnit.code,
            Household.code,
            Person.masked_name,
            VoterDesignation.evidence_sha256,
            VoterDesignation.from_register,
            VoterDesignation.at,
        )  # type: ignore[call-overload]
        .outerjoin(Person, col(Person.id) == col(VoterDesignation.person_id))
        .outerjoin(PropertyUnit, col(PropertyUnit.id) == col(VoterDesignation.unit_id))
        .outerjoin(Household, col(Household.id) == col(VoterDesignation.household_id))
        .where(VoterDesignation.community_id == community_id)
        .order_by(col(VoterDesignation.at).desc(), col(VoterDesignation.id).desc())
        .limit(limit)
    )
    if after is not None:
        at, id = after
        statement = statement.where(
            (col(VoterDesignation.at) < at)
            | ((col(VoterDesignation.at) == at) & (col(VoterDesignation.id) < id))
        )
    return [DesignationRow(*row) for row in await tx.session.exec(statement)]
