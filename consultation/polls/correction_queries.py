"""SQL on corrected counts and annulled polls."""

from uuid import UUID

from sqlmodel import col, select

from consultation.database import Transaction
from consultation.polls.correction_tables import (
    AnnulmentConfirmation,
    CountCorrection,
    PollAnnulment,
)
from consultation.polls.tables import CountSignature, Poll


async def last_correction(tx: Transaction, poll: Poll) -> CountCorrection | None:
    rows = await tx.session.exec(
        select(CountCorrection)
        .where(CountCorrection.poll_id == poll.id)
        .order_by(col(CountCorrection.number).desc())
        .limit(1)
    )
    return rows.first()


async def signatures_of(tx: Transaction, poll: Poll) -> list[CountSignature]:
    """Under whatever count, in their order."""
    rows = await tx.session.exec(
        select(CountSignature)
        .where(CountSignature.poll_id == poll.id)
        .order_by(col(CountSignature.at), col(CountSignature.person_id))
    )
    return list(rows)


async def last_annulment(tx: Transaction, poll: Poll) -> PollAnnulment | None:
    rows = await tx.session.exec(
        select(PollAnnulment)
        .where(PollAnnulment.poll_id == poll.id)
        .order_by(col(PollAnnulment.version).desc())
        .limit(1)
    )
    return rows.first()


async def annulment_confirmation(tx: Transaction, poll_id: UUID) -> AnnulmentConfirmation | None:
    return await tx.session.get(AnnulmentConfirmation, poll_id)
