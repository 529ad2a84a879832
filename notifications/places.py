"""Where a delivery belongs: to its community; if it concerns an account and no community, to each
in which its person lives. Staff get to a single delivery on this road only."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import aliased
from sqlmodel import col, exists, select

from consultation.community.queries import current_assignment, standings
from consultation.community.tables import Node, Residence
from consultation.database import Transaction
from consultation.permissions import Deed, check, grant_of
from notifications.tables import Delivery


def belongs_to(community_id: UUID) -> Any:
    """Of a delivery, for lists."""
    home = aliased(Residence)
    lives_here = exists().where(
        col(home.person_id) == col(Delivery.person_id), col(home.community_id) == community_id
    )
    return (col(Delivery.community_id) == community_id) | (
        col(Delivery.community_id).is_(None) & lives_here
    )


def belongs_nowhere() -> Any:
    """Of a delivery: to an account that lives in no community."""
    lives = exists().where(col(Residence.person_id) == col(Delivery.person_id))
    return col(Delivery.community_id).is_(None) & ~lives


async def access_delivery(tx: Transaction, row: Delivery, deed: Deed) -> None:
    """The actor may do ``deed`` where the delivery belongs; where it belongs nowhere, whoever may
    do it at the place of their own role."""
    places = select(Node).order_by(col(Node.id))
    if row.community_id is not None:
        places = places.where(Node.id == row.community_id)
    else:
        places = places.join(Residence, col(Residence.community_id) == col(Node.id)).where(
            Residence.person_id == row.person_id
        )
    at = await standings(tx)
    found = [at(place.community_id, place.path) for place in await tx.session.exec(places)]
    if not found:
        own = await current_assignment(tx)
        found = [at(own.community_id, own.node_path)]
    tx.standing = next((one for one in found if grant_of(deed, one.role) is not None), found[0])
    check(deed, tx.standing.role)
