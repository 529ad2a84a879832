"""SQL on certified results of another system."""

from sqlmodel import col, select

from consultation.database import Transaction
from consultation.polls.outside_tables import OutsideConfirmation, OutsideResult
from consultation.polls.tables import Poll


async def last_outside(tx: Transaction, poll: Poll) -> OutsideResult | None:
    rows = await tx.session.exec(
        select(OutsideResult)
        .where(OutsideResult.poll_id == poll.id)
        .order_by(col(OutsideResult.version).desc())
        .limit(1)
    )
    return rows.first()


async def outside_confirmation(tx: Transaction, poll: Poll) -> OutsideConfirmation | None:
    return await tx.session.get(OutsideConfirmation, poll.id)


async def confirmed_outside(
    tx: Transaction, poll: Poll
) -> tuple[OutsideResult, OutsideConfirmation] | None:
    rows = await tx.session.exec(
        select(OutsideResult, OutsideConfirmation)
        .join(
            OutsideConfirmation,
            (col(OutsideConfirmation.poll_id) == col(OutsideResult.poll_id))
            & (col(OutsideConfirmation.version) == col(OutsideResult.version)),
        )
        .where(OutsideResult.poll_id == poll.id)
    )
    return rows.first()
