"""SQL on shows of hands."""

from sqlmodel import col, select

from consultation.database import Transaction
from consultation.polls.hand_tables import HandCount
from consultation.polls.results import HandTotals
from consultation.polls.tables import Poll


async def last_hand_count(tx: Transaction, poll: Poll) -> HandCount | None:
    if not poll.preset.held_in_meeting:
        return None
    rows = await tx.session.exec(
        select(HandCount)
        .where(HandCount.poll_id == poll.id)
        .order_by(col(HandCount.count_no).desc())
        .limit(1)
    )
    return rows.first()


async def hands_counted(tx: Transaction, poll: Poll) -> HandTotals | None:
    """The show of hands as it is counted; None where there was none."""
    last = await last_hand_count(tx, poll)
    return None if last is None else HandTotals(heads=last.heads, items=last.items)
