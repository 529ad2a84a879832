"""The printed sheet: whom a grid worker visits with a paper, because no message reaches them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import col, func, or_, select

from consultation.community.queries import access_node
from consultation.community.rules import COMMUNITIES, GRIDS
from consultation.community.tables import Household, Node, Person, PropertyUnit, Residence
from consultation.database import Transaction
from consultation.permissions import Deed, check
from consultation.polls import serving
from consultation.polls.queries import on_present_roll
from consultation.polls.serving import BEING_SERVED, NoticeChannel, NoticeEvidence, Proof
from consultation.polls.tables import Poll, RollEntry
from consultation.refusals import NotFound
from notifications.delivery_queries import drop_waiting, drop_waiting_of_poll, told_in_person_since
from notifications.places import access_delivery, belongs_to
from notifications.policy import Channel
from notifications.tables import Delivery, DeliveryState, Notice

MOST = 500
"""Visits on one sheet."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One person to visit: ``label`` is masked, ``address`` the home as the register names it."""

    id: UUID
    notice: Notice
    label: str
    address: str
    number: int | None
    since: datetime


async def access_grid(tx: Transaction, grid_id: UUID) -> Node:
    """The grid, for its own worker and the clerk of its community; VoterOutsideGrid for another
    grid's worker."""
    grid = await access_node(tx, grid_id, Deed.SERVE_NOTICE)
    if grid.kind not in GRIDS:
        raise NotFound(what="node")
    serving.check_grid(check(Deed.SERVE_NOTICE, tx.standing.role), tx.standing.node_id, grid.id)
    return grid


async def access_community(tx: Transaction, community_id: UUID) -> Node:
    """The community, for its clerk."""
    community = await access_node(tx, community_id, Deed.SERVE_NOTICE)
    if community.kind not in COMMUNITIES:
        raise NotFound(what="node")
    serving.check_grid(check(Deed.SERVE_NOTICE, tx.standing.role), tx.standing.node_id, None)
    return community


async def sheet(tx: Transaction, grid_id: UUID) -> tuple[Node, Sequence[Visit]]:
    """What waits to be brought to doors in a grid, by address."""
    grid = await access_grid(tx, grid_id)
    return grid, await _visits(tx, grid, col(Delivery.grid_id) == grid.id)


async def sheet_of_no_grid(tx: Transaction, community_id: UUID) -> tuple[Node, Sequence[Visit]]:
    """What waits to be brought to people of a community of whom no grid is known; their clerk
    finds out where they are."""
    community = await access_community(tx, community_id)
    waits_here = col(Delivery.grid_id).is_(None) & belongs_to(community.id)
    return community, await _visits(tx, community, waits_here)


async def _visits(tx: Transaction, place: Node, waits_here: Any) -> Sequence[Visit]:
    """Not what was seen in the app or reached the person otherwise, nor what is about a poll that
    is over or on whose roll the person is no more. Of several notices of a poll the last is
    brought."""
    rows = await tx.session.exec(
        select(
            Delivery.id,
            Delivery.created_at,
            Notice,
            Person.masked_name,
            RollEntry.label,
            RollEntry.number,
            RollEntry.units,
            Household.code,
            PropertyUnit.code,
        )  # type: ignore[call-overload]
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .join(Person, col(Person.id) == col(Delivery.person_id))
        .outerjoin(Poll, col(Poll.id) == col(Notice.poll_id))
        .outerjoin(
            RollEntry, on_present_roll() & (col(RollEntry.person_id) == col(Notice.person_id))
        )
        .outerjoin(
            Residence,
            (col(Residence.person_id) == col(Notice.person_id))
            & (
                col(Residence.community_id)
                == func.coalesce(col(Notice.community_id), place.community_id)
            ),
        )
        .outerjoin(
            Household,
            or_(
                col(Household.id) == col(RollEntry.household_id),
                col(RollEntry.household_id).is_(None)
                & (col(Household.id) == col(Residence.household_id)),
            ),
        )
        .outerjoin(PropertyUnit, col(PropertyUnit.id) == col(Residence.unit_id))
        .where(
            waits_here,
            col(Delivery.channel) == Channel.PRINTED,
            col(Delivery.state) == DeliveryState.WAITING,
            col(Notice.fetched_at).is_(None),
            ~told_in_person_since(),
            or_(
                col(Notice.poll_id).is_(None),
                col(Poll.state).in_(BEING_SERVED)
                & (col(Poll.closes_at) > tx.now)
                & col(RollEntry.id).is_not(None),
            ),
        )
        .order_by(col(Delivery.created_at), col(Delivery.id))
        .limit(MOST)
    )
    visits: dict[tuple[UUID, UUID], Visit] = {}
    for row in rows:
        visit = _visit(*row)
        visits[visit.notice.person_id, visit.notice.poll_id or visit.id] = visit
    return sorted(visits.values(), key=lambda visit: (visit.address, visit.label, visit.since))


def _visit(
    id: UUID,
    since: datetime,
    notice: Notice,
    masked: str,
    label: str | None,
    number: int | None,
    units: Any,
    household: str | None,
    unit: str | None,
) -> Visit:
    address = units[0].code if units else household or unit or ""
    return Visit(id, notice, label or masked, address, number, since)


async def hand_over(
    tx: Transaction, delivery_id: UUID, *, evidence: NoticeEvidence, note: str
) -> tuple[Delivery, list[Proof]]:
    """A grid worker or the clerk was there. Doing it again changes nothing. NotFound for what is on
    no sheet; refuses with EvidenceUnfit or VoterOutsideGrid."""
    rows = await tx.session.exec(
        select(Delivery)
        .where(Delivery.id == delivery_id, Delivery.channel == Channel.PRINTED)
        .with_for_update()
    )
    row = rows.first()
    if row is None:
        raise NotFound(what="delivery")
    if row.grid_id is not None:
        await access_grid(tx, row.grid_id)
    else:
        await access_delivery(tx, row, Deed.SERVE_NOTICE)
        serving.check_grid(check(Deed.SERVE_NOTICE, tx.standing.role), tx.standing.node_id, None)
    serving.check_entered(NoticeChannel.PRINTED, evidence)
    if row.state is not DeliveryState.WAITING:
        return row, []
    row.state, row.done_at, row.reference = DeliveryState.SENT, tx.now, note
    row.attempts = 1
    await tx.session.flush()
    notice = await tx.session.get_one(Notice, row.notice_id)
    if notice.poll_id is None:
        await drop_waiting(tx, {notice.id})
        return row, []
    await drop_waiting_of_poll(tx, notice.poll_id, row.person_id)
    proof = Proof(
        poll_id=notice.poll_id,
        person_id=row.person_id,
        channel=NoticeChannel.PRINTED,
        at=tx.now,
        evidence=evidence,
        reference=note,
        recorded_by_id=tx.person_id,
    )
    return row, [proof]
