"""The one place for SQL on the community, with the only roads to a person's standing."""

from collections.abc import Callable, Collection
from uuid import UUID

from sqlmodel import col, or_, select

from consultation.community.rules import RoleNotHeld, reaches
from consultation.community.tables import Node, NodeKind, Residence, ResidenceKind, RoleAssignment
from consultation.database import Transaction
from consultation.permissions import Deed, Role, Standing, check
from consultation.refusals import NotFound

STAKEHOLDERS = frozenset(
    {ResidenceKind.ABSENT_OWNER, ResidenceKind.MERCHANT, ResidenceKind.UNIT_MEMBER}
)


def residence_role(level: int, kind: ResidenceKind) -> Role:
    """What somebody is in a community who belongs to it, without a role there."""
    if level < 2:
        return Role.VISITOR
    return Role.STAKEHOLDER if kind in STAKEHOLDERS else Role.RESIDENT


async def standing_at(tx: Transaction, community_id: UUID | None, node_path: str) -> Standing:
    """What the actor is at a node, in at most one statement; also kept as ``tx.standing``.

    Under an explicit role: that role, if the assignment is the person's, runs now and covers the
    node; refuses with RoleNotHeld if it is not theirs. Without one: resident or stakeholder of
    the community when verified (level 2), else visitor.
    """
    tx.standing = (await standings(tx))(community_id, node_path)
    return tx.standing


async def standings(tx: Transaction) -> Callable[[UUID | None, str], Standing]:
    """What the actor is at any node (community id, path), as ``standing_at`` says, for lists:
    at most one statement for all of them."""
    actor = tx.actor
    assignment = None if actor.assignment_id is None else await current_assignment(tx)
    homes: dict[UUID, Residence] = {}
    if assignment is None and actor.person_id is not None:
        found = await tx.session.exec(
            select(Residence).where(Residence.person_id == actor.person_id)
        )
        homes = {home.community_id: home for home in found}

    def at(community_id: UUID | None, path: str) -> Standing:
        if actor.system:
            return Standing(Role.SYSTEM)
        if assignment is not None:
            if not reaches(
                assignment.role,
                of_community=assignment.community_id,
                of_path=assignment.node_path,
                community_id=community_id,
                path=path,
            ):
                return Standing(Role.VISITOR)
            return Standing(assignment.role, assignment.org_id, level=2, node_id=assignment.node_id)
        home = None if community_id is None else homes.get(community_id)
        if home is None:
            return Standing(Role.VISITOR)
        return Standing(residence_role(home.level, home.kind), level=home.level)

    return at


async def current_assignment(tx: Transaction) -> RoleAssignment:
    """The assignment the actor acts under; RoleNotHeld unless it is theirs and runs now."""
    found = await tx.session.exec(
        select(RoleAssignment).where(
            RoleAssignment.id == tx.actor.assignment_id,
            RoleAssignment.person_id == tx.actor.person_id,
            col(RoleAssignment.valid_from) <= tx.now,
            or_(col(RoleAssignment.valid_to).is_(None), col(RoleAssignment.valid_to) > tx.now),
        )
    )
    assignment = found.first()
    if assignment is None:
        raise RoleNotHeld()
    return assignment


async def communities_among(tx: Transaction, node_ids: Collection[UUID]) -> list[UUID]:
    """Those of these nodes that are a community or a village; in at most one statement."""
    if not node_ids:
        return []
    kinds = (NodeKind.COMMUNITY, NodeKind.VILLAGE)
    rows = await tx.session.exec(
        select(Node.id).where(col(Node.id).in_(node_ids), col(Node.kind).in_(kinds))
    )
    return list(rows)


async def access_node(tx: Transaction, node_id: UUID, deed: Deed) -> Node:
    """The node, if the actor may do ``deed`` there."""
    node = await tx.session.get(Node, node_id)
    if node is None:
        raise NotFound(what="node")
    standing = await standing_at(tx, node.community_id, node.path)
    check(deed, standing.role)
    return node
