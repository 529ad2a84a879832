"""SQL on the people around a poll: their offices, their interests, and who a phone belongs to."""

from collections.abc import Collection
from uuid import UUID

from sqlmodel import col, or_, select

from consultation.community.identity import phone_text
from consultation.community.tables import Person, RoleAssignment
from consultation.database import Transaction
from consultation.permissions import Role
from consultation.polls.rules import NotImpartial
from consultation.refusals import NotFound
from consultation.topics.tables import InterestDeclaration, Topic

STAFF = frozenset({Role.GRID_WORKER, Role.CLERK, Role.TELLER, Role.SUPERVISOR, Role.HOST})
"""Who may stand beside a colleague at a voter's door."""


async def holds_a_role(
    tx: Transaction, community_id: UUID, person_id: UUID, roles: Collection[Role]
) -> bool:
    """Whether somebody holds one of these roles in the community today."""
    rows = await tx.session.exec(
        select(RoleAssignment.id)
        .where(
            RoleAssignment.community_id == community_id,
            RoleAssignment.person_id == person_id,
            col(RoleAssignment.role).in_(roles),
            col(RoleAssignment.valid_from) <= tx.now,
            or_(col(RoleAssignment.valid_to).is_(None), col(RoleAssignment.valid_to) > tx.now),
        )
        .limit(1)
    )
    return rows.first() is not None


async def check_disinterested(tx: Transaction, topic: Topic, person_id: UUID) -> None:
    """Refuses the author of the topic, whoever declared an interest in it, and the staff of the
    property company (domain 4.4, 5)."""
    declared = await tx.session.get(InterestDeclaration, (topic.id, person_id))
    if person_id == topic.author_id or (declared is not None and declared.has_interest):
        raise NotImpartial()
    if await holds_a_role(tx, topic.community_id, person_id, {Role.PROPERTY_COMPANY}):
        raise NotImpartial()


async def find_person(
    tx: Transaction, *, person_id: UUID | None = None, phone: str | None = None
) -> Person:
    """Somebody by id or by phone; NotFound if there is no such person."""
    if person_id is not None:
        who = await tx.session.get(Person, person_id)
    else:
        lookup = tx.vault.lookup("phone", phone_text("86", phone or ""))
        who = (await tx.session.exec(select(Person).where(Person.phone_lookup == lookup))).first()
    if who is not None and who.same_as_id is not None:
        who = await tx.session.get(Person, who.same_as_id)
    if who is None:
        raise NotFound(what="person")
    return who
