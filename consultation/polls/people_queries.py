"""SQL on the people around a poll: their offices, their interests, and who a phone belongs to."""

from collections.abc import Collection
from uuid import UUID

from sqlmodel import col, func, or_, select

from consultation.community.identity import phone_text
from consultation.community.tables import Person, RoleAssignment
from consultation.database import Transaction
from consultation.permissions import Role
from consultation.polls.assistance_tables import BallotAssistance
from consultation.polls.drafts import Nominee
from consultation.polls.queries import check_no_candidate
from consultation.polls.rules import NotImpartial
from consultation.polls.tables import Poll
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


async def check_disinterested(tx: Transaction, poll: Poll, topic: Topic, person_id: UUID) -> None:
    """Refuses the author of the topic, whoever declared an interest in it, the candidates of the
    poll, and the staff of the property company (domain 4.4, 5)."""
    check_no_candidate(poll, person_id)
    declared = await tx.session.get(InterestDeclaration, (topic.id, person_id))
    if person_id == topic.author_id or (declared is not None and declared.has_interest):
        raise NotImpartial()
    if await holds_a_role(tx, topic.community_id, person_id, {Role.PROPERTY_COMPANY}):
        raise NotImpartial()


async def assistances(tx: Transaction, poll: Poll, roll_entry_id: UUID) -> int:
    """How many times a voter had help so far."""
    rows = await tx.session.exec(
        select(func.count()).where(
            BallotAssistance.poll_id == poll.id, BallotAssistance.roll_entry_id == roll_entry_id
        )
    )
    return rows.one()


async def people_named(tx: Transaction, nominees: Collection[Nominee]) -> dict[Nominee, UUID]:
    """Who they are; NotFound if one is nobody we know. At most two statements."""
    lookups = {
        one: tx.vault.lookup("phone", phone_text("86", one.phone))
        for one in nominees
        if one.phone is not None
    }
    rows = await tx.session.exec(
        select(Person.id, Person.phone_lookup, Person.same_as_id).where(
            or_(
                col(Person.id).in_([one.person_id for one in nominees if one.person_id]),
                col(Person.phone_lookup).in_(list(lookups.values())),
            )
        )
    )
    known: dict[object, UUID] = {}
    for id, lookup, same_as in rows:
        known[id] = known[lookup] = same_as or id
    found = {one: known.get(lookups.get(one, one.person_id)) for one in nominees}
    missing = [one for one, id in found.items() if id is None]
    if missing:
        raise NotFound(what="person")
    return {one: id for one, id in found.items() if id is not None}


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
