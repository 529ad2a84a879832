"""Barring an account: one person proposes, another confirms; either may lift it again.

What is open of the account (sessions, sockets) is ended by the surface (``api/sessions.py``).
"""

from uuid import UUID

from consultation.community import bar_queries as queries
from consultation.community.bar_rules import (
    AccountAlreadyBarred,
    BarAlreadyDecided,
    BarAlreadyLifted,
    check_reach,
)
from consultation.community.queries import access_node
from consultation.community.role_queries import person_for_role
from consultation.community.rules import check_second_person
from consultation.community.tables import AccountBar, BarReason
from consultation.database import Transaction
from consultation.events.people import AccountBarLifted, AccountBarred
from consultation.permissions import Deed


async def propose_bar(
    tx: Transaction,
    node_id: UUID,
    *,
    person_id: UUID | None,
    phone: str | None,
    reason: BarReason,
    basis: str,
) -> AccountBar:
    """Propose that nobody may log in as a person, known by id or by phone; it waits for a second
    person. PersonUnknown, AccountElsewhere, AccountAlreadyBarred."""
    place = await access_node(tx, node_id, Deed.BAR_ACCOUNT)
    person = await person_for_role(tx, person_id=person_id, phone=phone)
    known, settled = await queries.places_of(tx, person.id)
    check_reach(place.path, known_at=known, settled_at=settled)
    if await queries.open_bar(tx, person.id) is not None:
        raise AccountAlreadyBarred()

    bar = AccountBar(
        id=tx.new_id(),
        community_id=place.community_id,
        node_id=place.id,
        person_id=person.id,
        reason=reason,
        basis=basis,
        proposed_by_id=tx.person_id,
        proposed_at=tx.now,
    )
    tx.session.add(bar)
    await tx.session.flush()
    return bar


async def confirm_bar(tx: Transaction, bar_id: UUID) -> AccountBar:
    """The second person bars the account. It works at once."""
    bar = await queries.access_bar(tx, bar_id)
    if bar.confirmed_at is not None or bar.lifted_at is not None:
        raise BarAlreadyDecided()
    check_second_person(
        proposed_by=bar.proposed_by_id, receives=bar.person_id, confirms=tx.actor.person_id
    )

    bar.confirmed_by_id, bar.confirmed_at = tx.person_id, tx.now

    tx.emit(
        AccountBarred(
            community_id=bar.community_id,
            person_id=bar.person_id,
            bar_id=bar.id,
            bar_reason=bar.reason.value,
        )
    )
    return bar


async def lift_bar(tx: Transaction, bar_id: UUID, *, basis: str) -> AccountBar:
    """Let the person log in again; a proposal nobody confirmed is declined or withdrawn in the
    same way."""
    bar = await queries.access_bar(tx, bar_id)
    if bar.lifted_at is not None:
        raise BarAlreadyLifted()

    bar.lifted_by_id, bar.lifted_at, bar.lift_basis = tx.person_id, tx.now, basis

    if bar.confirmed_at is not None:
        tx.emit(
            AccountBarLifted(community_id=bar.community_id, person_id=bar.person_id, bar_id=bar.id)
        )
    return bar
