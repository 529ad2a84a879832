"""What the gates of raising and screening look at."""

from sqlmodel import col, select

from consultation.database import Transaction
from consultation.topics.facts import RejectionFacts, TransferFacts
from consultation.topics.states import TransferState
from consultation.topics.tables import Rejection, Topic, Transfer


async def rejection_facts(tx: Transaction, topic: Topic) -> RejectionFacts | None:
    rows = await tx.session.exec(
        select(Rejection).where(Rejection.topic_id == topic.id).order_by(col(Rejection.proposed_at))
    )
    rejections = list(rows)
    if not rejections:
        return None
    last = rejections[-1]
    return RejectionFacts(
        reason_code=last.reason_code,
        proposed_by=last.proposed_by_id,
        proposed_at=last.proposed_at,
        confirmed_by=last.confirmed_by_id,
        confirmed_at=last.confirmed_at,
        confirmed_org_id=last.confirmed_org_id,
        appealed_at=last.appealed_at,
        appeal_decided_at=last.appeal_decided_at,
        appeals=sum(r.appealed_at is not None for r in rejections),
    )


async def transfer_facts(tx: Transaction, topic: Topic) -> TransferFacts | None:
    rows = await tx.session.exec(
        select(Transfer.state)
        .where(Transfer.topic_id == topic.id)
        .order_by(col(Transfer.sent_at).desc())
        .limit(1)
    )
    state = rows.first()
    return (
        None
        if state is None
        else TransferFacts(
            settled=state
            not in (TransferState.SENT, TransferState.RECEIVED, TransferState.HANDLING)
        )
    )
