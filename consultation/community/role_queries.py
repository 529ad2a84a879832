"""The one place for SQL on roles: who holds what, what is proposed, and the roads to them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import col, select

from consultation.community.identity import phone_text
from consultation.community.queries import access_node, runs_now, standing_at
from consultation.community.rules import COMMUNITIES, Office, OrganisationElsewhere, PersonUnknown
from consultation.community.tables import (
    Node,
    Organisation,
    OrgKind,
    Person,
    RoleAssignment,
    RoleProposal,
)
from consultation.database import Transaction
from consultation.paging import TimeKey, comes_after
from consultation.permissions import Deed, Role, check
from consultation.refusals import NotFound


async def access_place(tx: Transaction, community_id: UUID, node_id: UUID, deed: Deed) -> Node:
    """A place of the community, if the actor may do ``deed`` there."""
    place = await access_node(tx, node_id, deed)
    if place.community_id != community_id:
        raise NotFound(what="node")
    return place


async def assignments_running(tx: Transaction, ids: Collection[UUID]) -> set[UUID]:
    """Those of these role assignments that run now."""
    rows = await tx.session.exec(
        select(RoleAssignment.id).where(col(RoleAssignment.id).in_(ids), runs_now(tx))
    )
    return set(rows)


async def access_proposal(tx: Transaction, proposal_id: UUID) -> tuple[RoleProposal, Node]:
    """A proposal, locked, and the place it is for, if the actor may grant roles there."""
    proposal = (
        await tx.session.exec(
            select(RoleProposal).where(RoleProposal.id == proposal_id).with_for_update()
        )
    ).first()
    if proposal is None:
        raise NotFound(what="role")
    return proposal, await access_node(tx, proposal.node_id, Deed.GRANT_ROLE)


async def access_assignment(tx: Transaction, assignment_id: UUID) -> RoleAssignment | None:
    """A role, locked, if it is the actor's own or they may grant roles there; None if there is no
    such role."""
    assignment = (
        await tx.session.exec(
            select(RoleAssignment).where(RoleAssignment.id == assignment_id).with_for_update()
        )
    ).first()
    if assignment is None:
        return None
    standing = await standing_at(tx, assignment.community_id, assignment.node_path)
    if assignment.person_id != tx.actor.person_id:
        check(Deed.GRANT_ROLE, standing.role)
    return assignment


async def person_for_role(
    tx: Transaction, *, person_id: UUID | None = None, phone: str | None = None
) -> Person:
    """The person by id or phone, locked: two roles that exclude each other are given one after
    the other. PersonUnknown; an account that became a registered person is that person."""
    found = select(Person).with_for_update()
    if phone is not None:
        found = found.where(
            Person.phone_lookup == tx.vault.lookup("phone", phone_text("86", phone))
        )
    else:
        found = found.where(Person.id == person_id)
    person = (await tx.session.exec(found)).first()
    if person is not None and person.same_as_id is not None:
        return await person_for_role(tx, person_id=person.same_as_id)
    if person is None:
        raise PersonUnknown()
    return person


async def organisation_near(tx: Transaction, org_id: UUID, place: Node) -> Organisation:
    """An organisation in the place's community or on a level above it; OrganisationElsewhere."""
    found = await tx.session.exec(
        select(Organisation, Node.path)
        .join(Node, col(Node.id) == Organisation.node_id)
        .where(Organisation.id == org_id)
    )
    row = found.first()
    if row is None:
        raise OrganisationElsewhere()
    org, path = row
    if org.community_id != place.community_id and not place.path.startswith(path):
        raise OrganisationElsewhere()
    return org


async def roles_of(tx: Transaction, person_id: UUID) -> list[tuple[RoleAssignment, OrgKind]]:
    """All that a person holds or held anywhere, with the kind of each organisation."""
    rows = await tx.session.exec(
        select(RoleAssignment, Organisation.kind)
        .join(Organisation, col(Organisation.id) == RoleAssignment.org_id)
        .where(RoleAssignment.person_id == person_id)
    )
    return [(assignment, OrgKind(kind)) for assignment, kind in rows]


def office_of(assignment: RoleAssignment, org_kind: OrgKind) -> Office:
    return Office(
        role=assignment.role,
        path=assignment.node_path,
        org_kind=org_kind,
        close_relative_of_committee=assignment.close_relative_of_committee,
        valid_from=assignment.valid_from,
        valid_to=assignment.valid_to,
    )


# ---- lists --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NamedRole:
    """An office as others see it: the holder's masked name, the title, for whom and where."""

    id: UUID
    role: Role
    title: str
    holder: str
    org_id: UUID
    org_name: str
    node_id: UUID
    node_name: str
    valid_from: datetime
    valid_to: datetime | None


async def offices(
    tx: Transaction, community_id: UUID, *, after: TimeKey | None, limit: int
) -> list[NamedRole]:
    """The offices held now in a community, oldest first. Public."""
    await _community(tx, community_id)
    query = (
        select(RoleAssignment, Person.masked_name, Organisation.name, Node.name)
        .join(Person, col(Person.id) == RoleAssignment.person_id)
        .join(Organisation, col(Organisation.id) == RoleAssignment.org_id)
        .join(Node, col(Node.id) == RoleAssignment.node_id)
        .where(RoleAssignment.community_id == community_id, runs_now(tx))
        .order_by(col(RoleAssignment.valid_from), col(RoleAssignment.id))
        .limit(limit)
    )
    if after is not None:
        query = query.where(comes_after(after, RoleAssignment.valid_from, RoleAssignment.id))
    return [_named(row, *names) for row, *names in await tx.session.exec(query)]


async def proposals(
    tx: Transaction, community_id: UUID, *, after: TimeKey | None, limit: int
) -> list[tuple[RoleProposal, NamedRole]]:
    """What waits for a second person, oldest first; for those who grant roles here."""
    await access_node(tx, community_id, Deed.GRANT_ROLE)
    query = (
        select(RoleProposal, Person.masked_name, Organisation.name, Node.name)
        .join(Person, col(Person.id) == RoleProposal.person_id)
        .join(Organisation, col(Organisation.id) == RoleProposal.org_id)
        .join(Node, col(Node.id) == RoleProposal.node_id)
        .where(RoleProposal.community_id == community_id, col(RoleProposal.decided_at).is_(None))
        .order_by(col(RoleProposal.proposed_at), col(RoleProposal.id))
        .limit(limit)
    )
    if after is not None:
        query = query.where(comes_after(after, RoleProposal.proposed_at, RoleProposal.id))
    return [(row, _named(row, *names)) for row, *names in await tx.session.exec(query)]


async def named_role(tx: Transaction, row: RoleAssignment | RoleProposal) -> NamedRole:
    found = await tx.session.exec(
        select(Person.masked_name, Organisation.name, Node.name)
        .select_from(Person)
        .join(Organisation, col(Organisation.id) == row.org_id)
        .join(Node, col(Node.id) == row.node_id)
        .where(Person.id == row.person_id)
    )
    return _named(row, *found.one())


def _named(
    row: RoleAssignment | RoleProposal, holder: str, org_name: str, node_name: str
) -> NamedRole:
    return NamedRole(
        id=row.id,
        role=row.role,
        title=row.title,
        holder=holder,
        org_id=row.org_id,
        org_name=org_name,
        node_id=row.node_id,
        node_name=node_name,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
    )


async def _community(tx: Transaction, community_id: UUID) -> Node:
    node = await tx.session.get(Node, community_id)
    if node is None or node.kind not in COMMUNITIES:
        raise NotFound(what="community")
    return node
