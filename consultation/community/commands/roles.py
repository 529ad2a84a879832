"""Giving and ending roles: one person proposes, another confirms; an end works at once.

Registers bring roles in by themselves (``register_roles``); this is for what changes in between.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from consultation.community import role_queries as queries
from consultation.community.role_queries import office_of
from consultation.community.rules import (
    Office,
    ProposalAlreadyDecided,
    RoleAlreadyEnded,
    RoleAlreadyHeld,
    RoleProposalExpired,
    check_grantable,
    check_period,
    check_second_person,
    check_separation,
    overlap,
)
from consultation.community.tables import (
    Organisation,
    OrgKind,
    Person,
    RoleAssignment,
    RoleProposal,
)
from consultation.database import Transaction
from consultation.events.people import RoleEnded, RoleGranted
from consultation.permissions import Deed, Role


async def propose_role(
    tx: Transaction,
    community_id: UUID,
    *,
    person_id: UUID | None,
    phone: str | None,
    role: Role,
    org_id: UUID,
    node_id: UUID,
    valid_from: datetime,
    valid_to: datetime | None,
    title: str,
    basis: str,
    close_relative_of_committee: bool,
) -> RoleProposal:
    """Propose that a person, known by id or by phone, holds a role; it waits for a second person.

    What could not be confirmed is refused here already: RoleNotYours, PeriodEmpty,
    OrganisationElsewhere, PersonUnknown, RoleAlreadyHeld, and the separation rules.
    """
    place = await queries.access_place(tx, community_id, node_id, Deed.GRANT_ROLE)
    await _check_grantable(tx, role, place.id)
    check_period(valid_from, valid_to, tx.now)
    org = await queries.organisation_near(tx, org_id, place)
    person = await queries.person_for_role(tx, person_id=person_id, phone=phone)
    office = Office(
        role=role,
        path=place.path,
        org_kind=org.kind,
        close_relative_of_committee=close_relative_of_committee,
        valid_from=valid_from,
        valid_to=valid_to,
    )
    _check_beside(await queries.roles_of(tx, person.id), office, org.id)

    proposal = RoleProposal(
        id=tx.new_id(),
        community_id=community_id,
        person_id=person.id,
        role=role,
        org_id=org.id,
        node_id=place.id,
        title=title,
        close_relative_of_committee=close_relative_of_committee,
        valid_from=valid_from,
        valid_to=valid_to,
        basis=basis,
        proposed_by_id=tx.person_id,
        proposed_at=tx.now,
    )
    tx.session.add(proposal)
    await tx.session.flush()
    return proposal


async def confirm_role(tx: Transaction, proposal_id: UUID) -> RoleAssignment:
    """The second person gives the role; all rules are looked at again. From the next request on
    the person can act under it, if its time has come."""
    proposal, place = await queries.access_proposal(tx, proposal_id)
    if proposal.decided_at is not None:
        raise ProposalAlreadyDecided()
    await _check_grantable(tx, proposal.role, place.id)
    check_second_person(
        proposed_by=proposal.proposed_by_id,
        receives=proposal.person_id,
        confirms=tx.actor.person_id,
    )
    if proposal.valid_to is not None and proposal.valid_to <= tx.now:
        raise RoleProposalExpired()
    org = await queries.organisation_near(tx, proposal.org_id, place)
    person = await queries.person_for_role(tx, person_id=proposal.person_id)
    assignment = _assignment(tx, proposal, person, org, place.path)
    _check_beside(await queries.roles_of(tx, person.id), office_of(assignment, org.kind), org.id)

    proposal.decided_at = tx.now
    tx.session.add(assignment)
    await tx.session.flush()

    tx.emit(
        RoleGranted(
            community_id=assignment.community_id,
            person_id=person.id,
            assignment_id=assignment.id,
            role=assignment.role.value,
        )
    )
    return assignment


async def end_role(tx: Transaction, role_id: UUID, *, basis: str) -> RoleAssignment | RoleProposal:
    """End a role that runs or is to begin, by its holder or by who may grant it; it is kept with
    its end. A proposal nobody confirmed is declined or withdrawn in the same way."""
    assignment = await queries.access_assignment(tx, role_id)
    if assignment is None:
        return await _decline(tx, role_id)
    if assignment.person_id != tx.actor.person_id:
        await _check_grantable(tx, assignment.role, assignment.node_id)
    if assignment.valid_to is not None and assignment.valid_to <= tx.now:
        raise RoleAlreadyEnded()

    assignment.valid_to = max(tx.now, assignment.valid_from)
    assignment.ended_by_id = tx.actor.person_id
    assignment.end_basis = basis

    tx.emit(
        RoleEnded(
            community_id=assignment.community_id,
            person_id=assignment.person_id,
            assignment_id=assignment.id,
            role=assignment.role.value,
        )
    )
    return assignment


async def _decline(tx: Transaction, proposal_id: UUID) -> RoleProposal:
    proposal, _ = await queries.access_proposal(tx, proposal_id)
    if proposal.proposed_by_id != tx.actor.person_id:
        await _check_grantable(tx, proposal.role, proposal.node_id)
    if proposal.decided_at is not None:
        raise ProposalAlreadyDecided()

    proposal.decided_at = tx.now
    return proposal


async def _check_grantable(tx: Transaction, role: Role, node_id: UUID) -> None:
    standing = tx.standing
    org = None if standing.org_id is None else await tx.session.get(Organisation, standing.org_id)
    check_grantable(
        standing.role,
        role,
        org_kind=None if org is None else org.kind,
        own_node=node_id == standing.node_id,
    )


def _assignment(
    tx: Transaction, proposal: RoleProposal, person: Person, org: Organisation, path: str
) -> RoleAssignment:
    return RoleAssignment(
        id=proposal.id,
        community_id=proposal.community_id,
        person_id=person.id,
        role=proposal.role,
        org_id=org.id,
        node_id=proposal.node_id,
        node_path=path,
        title=proposal.title,
        close_relative_of_committee=proposal.close_relative_of_committee,
        valid_from=proposal.valid_from,
        valid_to=proposal.valid_to,
        granted_by_id=proposal.proposed_by_id,
        confirmed_by_id=tx.actor.person_id,
        basis=proposal.basis,
    )


def _check_beside(
    held: Iterable[tuple[RoleAssignment, OrgKind]], office: Office, org_id: UUID
) -> None:
    offices: list[Office] = []
    for assignment, kind in held:
        offices.append(office_of(assignment, kind))
        same = (assignment.role, assignment.org_id, assignment.node_path)
        if same == (office.role, org_id, office.path) and overlap(offices[-1], office):
            raise RoleAlreadyHeld()
    check_separation(offices, office)
