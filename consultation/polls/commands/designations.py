"""Co-owners name their voter, a household its representative; before a roll is frozen only."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from consultation.calendar import local_day
from consultation.community.queries import access_node, standing_at
from consultation.community.tables import Node
from consultation.database import Transaction
from consultation.events.people import VoterNamed
from consultation.permissions import Deed, Grant, Role, check
from consultation.polls.designation_queries import (
    DesignationRow,
    designations_page,
    locked_household,
    locked_unit,
    member_of_household,
    owners_of,
    running_polls,
)
from consultation.polls.designation_tables import VoterDesignation
from consultation.polls.designations import (
    EvidenceNeeded,
    RollFrozen,
    VoterNotEligible,
    WitnessNotApart,
)
from consultation.polls.objections import HOUSEHOLDS, OWNERS
from consultation.polls.people_queries import find_person
from consultation.polls.presets import Electorate
from consultation.polls.registers import of_age
from consultation.refusals import NotFound, NotPermitted


async def name_owner_voter(
    tx: Transaction,
    unit_id: UUID,
    *,
    person_id: UUID,
    evidence_sha256: str | None,
    witness_id: UUID | None,
) -> None:
    """One of the co-owners votes for a unit. Who has the vote gives it to another on the phone;
    anything else is entered by staff, from a signed paper. The same again changes nothing.

    Refuses with NotFound, NotPermitted, EvidenceNeeded, VoterNotEligible, RollFrozen or
    WitnessNotApart.
    """
    found = await locked_unit(tx, unit_id)
    if found is None:
        raise NotFound(what="unit")
    unit, place = found
    owners = await owners_of(tx, unit_id)
    named = [one.person_id for one in owners if one.named_voter]
    voter = named[0] if len(named) == 1 else None
    if person_id not in {one.person_id for one in owners}:
        await _check_may_name(tx, place, place.grid_id, voter=voter, evidence=evidence_sha256)
        raise VoterNotEligible()
    await _check_may_name(tx, place, place.grid_id, voter=voter, evidence=evidence_sha256)
    if voter == person_id:
        return
    await _check_not_frozen(tx, place, OWNERS)
    await _check_witness(tx, witness_id, {person_id, voter})

    for one in owners:
        one.named_voter = one.person_id == person_id
        tx.session.add(one)
    _log(tx, place, person_id, voter, evidence_sha256, witness_id, unit_id=unit.id)
    for one in owners:
        tx.emit(VoterNamed(community_id=unit.community_id, person_id=one.person_id, home=unit.code))


async def name_representative(
    tx: Transaction,
    household_id: UUID,
    *,
    person_id: UUID,
    evidence_sha256: str | None,
    witness_id: UUID | None,
) -> None:
    """One adult member represents a household, named as a co-owner is.

    Refuses with NotFound, NotPermitted, EvidenceNeeded, VoterNotEligible, RollFrozen or
    WitnessNotApart.
    """
    found = await locked_household(tx, household_id)
    if found is None:
        raise NotFound(what="household")
    household, place = found
    before = household.representative_id
    await _check_may_name(tx, place, household.grid_id, voter=before, evidence=evidence_sha256)
    if before == person_id:
        return
    member = await member_of_household(tx, household_id, person_id)
    if member is None or (
        member.born_on is not None and not of_age(member.born_on, local_day(tx.now))
    ):
        raise VoterNotEligible()
    await _check_not_frozen(tx, place, HOUSEHOLDS)
    await _check_witness(tx, witness_id, {person_id, before})

    household.representative_id = person_id
    tx.session.add(household)
    _log(tx, place, person_id, before, evidence_sha256, witness_id, household_id=household.id)
    for one in {person_id, before or person_id}:
        tx.emit(VoterNamed(community_id=household.community_id, person_id=one, home=household.code))


async def read_designations(
    tx: Transaction, community_id: UUID, *, after: tuple[datetime, UUID] | None, limit: int
) -> list[DesignationRow]:
    """The log of a community, for who keeps its registers."""
    await access_node(tx, community_id, Deed.READ_REGISTER)
    if check(Deed.READ_REGISTER, tx.standing.role) is not Grant.YES:
        raise NotPermitted(deed=Deed.READ_REGISTER.value, role=tx.standing.role.value)
    return await designations_page(tx, community_id, after=after, limit=limit)


async def _check_may_name(
    tx: Transaction, place: Node, grid_id: UUID | None, *, voter: UUID | None, evidence: str | None
) -> None:
    standing = await standing_at(tx, place.community_id, place.path)
    if standing.role is Role.VISITOR and grid_id is not None and tx.actor.assignment_id:
        grid = await tx.session.get(Node, grid_id)  # a grid worker stands at the grid
        if grid is not None:
            standing = await standing_at(tx, grid.community_id, grid.path)
    check(Deed.NAME_VOTER, standing.role)
    if standing.role in (Role.CLERK, Role.GRID_WORKER):
        if standing.role is Role.GRID_WORKER and standing.node_id != grid_id:
            raise NotPermitted(deed=Deed.NAME_VOTER.value, role=standing.role.value)
        if evidence is None:
            raise EvidenceNeeded()
    elif voter is None or voter != tx.person_id:  # one gives on only what one has
        raise NotPermitted(deed=Deed.NAME_VOTER.value, role=standing.role.value)


async def _check_not_frozen(
    tx: Transaction, place: Node, electorates: frozenset[Electorate]
) -> None:
    assert place.community_id is not None
    for poll, scope in await running_polls(tx, place.community_id):
        inside = place.path.startswith(scope.path) or scope.id in (place.id, place.grid_id)
        if inside and poll.preset.electorate in electorates:
            raise RollFrozen()


async def _check_witness(
    tx: Transaction, witness_id: UUID | None, parties: Collection[UUID | None]
) -> None:
    """A witness is somebody we know, beside who enters it and those whose vote it is."""
    if witness_id is None:
        return
    witness = (await find_person(tx, person_id=witness_id)).id
    if witness == tx.person_id or witness in parties:
        raise WitnessNotApart()


def _log(
    tx: Transaction,
    place: Node,
    person_id: UUID,
    previous_id: UUID | None,
    evidence_sha256: str | None,
    witness_id: UUID | None,
    *,
    unit_id: UUID | None = None,
    household_id: UUID | None = None,
) -> None:
    assert place.community_id is not None
    tx.session.add(
        VoterDesignation(
            id=tx.new_id(),
            community_id=place.community_id,
            unit_id=unit_id,
            household_id=household_id,
            person_id=person_id,
            previous_id=previous_id,
            by_id=tx.person_id,
            witness_id=witness_id,
            evidence_sha256=evidence_sha256,
            at=tx.now,
        )
    )
