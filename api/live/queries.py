"""The SQL of the live socket."""

from datetime import datetime
from uuid import UUID

from sqlmodel import col, select

from api.tables import LoginSession
from consultation.database import Transaction


async def sessions_ended_since(tx: Transaction, since: datetime) -> dict[UUID, datetime]:
    """The sessions that were ended after a moment, each with its end."""
    rows = await tx.session.exec(
        select(LoginSession.id, LoginSession.revoked_at).where(col(LoginSession.revoked_at) > since)
    )
    return {id: at for id, at in rows if at is not None}
