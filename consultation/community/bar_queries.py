"""The one place for SQL on barred accounts."""

from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import and_, col, or_, select

from consultation.community.bar_rules import AccountIsBarred
from consultation.community.queries import access_node
from consultation.community.rules import SecondPersonNeeded
from consultation.community.tables import AccountBar, Node, Person, Residence, RoleAssignment
from consultation.database import Transaction
from consultation.paging import TimeKey, comes_after
from consultation.permissions import Deed
from consultation.refusals import NotFound


def bars_now() -> ColumnElement[bool]:
    """The condition by which a bar keeps its person out."""
    return and_(col(AccountBar.confirmed_at).is_not(None), col(AccountBar.lifted_at).is_(None))


async def check_not_barred(tx: Transaction, person_id: UUID) -> None:
    """AccountIsBarred."""
    found = await tx.session.exec(
        select(AccountBar.id).where(AccountBar.person_id == person_id, bars_now())
    )
    if found.first() is not None:
        raise AccountIsBarred()


async def open_bar(tx: Transaction, person_id: UUID) -> AccountBar | None:
    """The bar of a person that runs or waits to be confirmed."""
    found = await tx.session.exec(
        select(AccountBar).where(
            AccountBar.person_id == person_id, col(AccountBar.lifted_at).is_(None)
        )
    )
    return found.first()


async def places_of(tx: Transaction, person_id: UUID) -> tuple[list[str], list[str]]:
    """The paths of the places where a person is known, and of those where they are verified or
    hold an office now."""
    homes = list(
        await tx.session.exec(
            select(Node.path, Residence.level)
            .join(Residence, col(Residence.community_id) == Node.id)
            .where(Residence.person_id == person_id)
        )
    )
    offices = list(
        await tx.session.exec(
            select(RoleAssignment.node_path).where(
                RoleAssignment.person_id == person_id,
                or_(col(RoleAssignment.valid_to).is_(None), col(RoleAssignment.valid_to) > tx.now),
            )
        )
    )
    known = [path for path, _ in homes] + offices
    return known, [path for path, level in homes if level >= 2] + offices


async def access_bar(tx: Transaction, bar_id: UUID) -> AccountBar:
    """A bar, locked, if the actor may bar accounts at its place. SecondPersonNeeded for whom it
    is about."""
    found = await tx.session.exec(
        select(AccountBar).where(AccountBar.id == bar_id).with_for_update()
    )
    bar = found.first()
    if bar is None:
        raise NotFound(what="bar")
    await access_node(tx, bar.node_id, Deed.BAR_ACCOUNT)
    if bar.person_id == tx.actor.person_id:
        raise SecondPersonNeeded()
    return bar


async def holder(tx: Transaction, person_id: UUID) -> str:
    """The masked name."""
    found = await tx.session.exec(select(Person.masked_name).where(Person.id == person_id))
    return found.one()


async def open_bars(
    tx: Transaction, node_id: UUID, *, after: TimeKey | None, limit: int
) -> list[tuple[AccountBar, str]]:
    """Those at a place that run or wait, oldest first, with masked names; for those who bar."""
    await access_node(tx, node_id, Deed.BAR_ACCOUNT)
    query = (
        select(AccountBar, Person.masked_name)
        .join(Person, col(Person.id) == AccountBar.person_id)
        .where(AccountBar.node_id == node_id, col(AccountBar.lifted_at).is_(None))
        .order_by(col(AccountBar.proposed_at), col(AccountBar.id))
        .limit(limit)
    )
    if after is not None:
        query = query.where(comes_after(after, AccountBar.proposed_at, AccountBar.id))
    return list(await tx.session.exec(query))
