"""The one place for SQL on the community, with the only roads to a person's standing."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlalchemy import select as sa_select
from sqlmodel import and_, col, or_, select

from consultation.community.rules import COMMUNITIES, RoleNotHeld, reaches
from consultation.community.tables import (
    Node,
    NodeKind,
    Organisation,
    Residence,
    ResidenceKind,
    RoleAssignment,
)
from consultation.database import Transaction
from consultation.events.streams import community_stream
from consultation.journal import Head, head_columns, head_of
from consultation.permissions import ALLOWED, Actor, Deed, Role, Standing, check
from consultation.refusals import NotFound

STAKEHOLDERS = frozenset(
    {ResidenceKind.ABSENT_OWNER, ResidenceKind.MERCHANT, ResidenceKind.UNIT_MEMBER}
)


def residence_role(level: int, kind: ResidenceKind) -> Role:
    """What somebody is in a community who belongs to it, without a role there."""
    if level < 2:
        return Role.VISITOR
    return Role.STAKEHOLDER if kind in STAKEHOLDERS else Role.RESIDENT


At = Callable[[UUID | None, str], Standing]
"""What somebody is at any node (community id, path)."""


async def standing_at(tx: Transaction, community_id: UUID | None, node_path: str) -> Standing:
    """What the actor is at a node, in at most one statement; also kept as ``tx.standing``.

    Under an explicit role: that role, if the assignment is the person's, runs now and covers the
    node; refuses with RoleNotHeld if it is not theirs. Without one: resident or stakeholder of
    the community when verified (level 2), else visitor.
    """
    tx.standing = (await standings(tx))(community_id, node_path)
    return tx.standing


async def standings(tx: Transaction) -> At:
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
    return _standings_of(actor, assignment, homes)


async def standings_of(tx: Transaction, actors: Collection[Actor]) -> dict[Actor, At]:
    """``standings`` of each of these, in at most two statements; without those whose role is not
    theirs or does not run now."""
    held: dict[UUID | None, RoleAssignment] = {}
    roles = {actor.assignment_id for actor in actors if actor.assignment_id is not None}
    if roles:
        running = await tx.session.exec(
            select(RoleAssignment).where(col(RoleAssignment.id).in_(roles), runs_now(tx))
        )
        held = {assignment.id: assignment for assignment in running}
    homes: dict[UUID | None, dict[UUID, Residence]] = {}
    people = {actor.person_id for actor in actors if actor.assignment_id is None} - {None}
    if people:
        found = await tx.session.exec(select(Residence).where(col(Residence.person_id).in_(people)))
        for home in found:
            homes.setdefault(home.person_id, {})[home.community_id] = home
    known: dict[Actor, At] = {}
    for actor in actors:
        assignment = held.get(actor.assignment_id)
        if actor.assignment_id is None:
            known[actor] = _standings_of(actor, None, homes.get(actor.person_id, {}))
        elif assignment is not None and assignment.person_id == actor.person_id:
            known[actor] = _standings_of(actor, assignment, {})
    return known


def _standings_of(
    actor: Actor, assignment: RoleAssignment | None, homes: Mapping[UUID, Residence]
) -> At:
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
    found = await tx.session.exec(select(RoleAssignment).where(_held_now(tx)))
    assignment = found.first()
    if assignment is None:
        raise RoleNotHeld()
    return assignment


async def held_for(tx: Transaction, deed: Deed) -> list[tuple[RoleAssignment, str]]:
    """The assignments of the actor that are of a role which may do ``deed``, each with the name of
    its organisation; whether it reaches the place in question shows when it is used."""
    found = await tx.session.exec(
        select(RoleAssignment, Organisation.name)
        .join(Organisation, col(Organisation.id) == col(RoleAssignment.org_id))
        .where(_theirs_now(tx), col(RoleAssignment.role).in_(ALLOWED[deed]))
        .order_by(col(RoleAssignment.role), col(RoleAssignment.id))
    )
    return list(found)


def _held_now(tx: Transaction) -> ColumnElement[bool]:
    return and_(col(RoleAssignment.id) == tx.actor.assignment_id, _theirs_now(tx))


def _theirs_now(tx: Transaction) -> ColumnElement[bool]:
    return and_(col(RoleAssignment.person_id) == tx.actor.person_id, runs_now(tx))


def runs_now(tx: Transaction) -> ColumnElement[bool]:
    """Whether a role assignment is in force: at its first instant it is, at its last no more."""
    return and_(
        col(RoleAssignment.valid_from) <= tx.now,
        or_(col(RoleAssignment.valid_to).is_(None), col(RoleAssignment.valid_to) > tx.now),
    )


@dataclass(frozen=True, slots=True)
class CommunityAt:
    """A community or village, what lies above it from the top (city, district, subdistrict or
    town), and how far its stream had come."""

    node: Node
    levels: list[Node]
    head: Head | None


async def read_community(tx: Transaction, community_id: UUID) -> CommunityAt:
    """A community for whoever asks, with their standing there as ``standing_at`` keeps it; all in
    one statement. Refuses with NotFound, and with RoleNotHeld like ``standing_at``."""
    up = sa_select(col(Node.id), col(Node.parent_id)).where(col(Node.id) == community_id)
    chain = up.cte("chain", recursive=True)
    chain = chain.union_all(
        sa_select(col(Node.id), col(Node.parent_id)).join(chain, col(Node.id) == chain.c.parent_id)
    )
    place: Any = sa_select(Node, *head_columns(community_stream(community_id))).join(
        chain, chain.c.id == col(Node.id)
    )
    actor = tx.actor
    if actor.assignment_id is not None:
        place = place.add_columns(RoleAssignment).outerjoin(RoleAssignment, _held_now(tx))
    elif actor.person_id is not None:
        at_home = and_(
            col(Residence.person_id) == actor.person_id, col(Residence.community_id) == community_id
        )
        place = place.add_columns(Residence).outerjoin(Residence, at_home)
    rows = sorted((await tx.session.exec(place)).all(), key=lambda row: len(row[0].path))
    if not rows or rows[-1][0].kind not in COMMUNITIES:
        raise NotFound(what="community")
    *above, (node, epoch, seq, *mine) = rows
    assignment = next((one for one in mine if isinstance(one, RoleAssignment)), None)
    if actor.assignment_id is not None and assignment is None:
        raise RoleNotHeld()
    homes = {one.community_id: one for one in mine if isinstance(one, Residence)}
    tx.standing = _standings_of(actor, assignment, homes)(community_id, node.path)
    return CommunityAt(node, [row[0] for row in above], head_of(epoch, seq))


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
