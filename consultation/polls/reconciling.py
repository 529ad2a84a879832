"""How casts of a poll add up, for its certificate; to be replaced by the ledger's report."""

from typing import Any

from sqlmodel import select

from consultation.database import Transaction
from consultation.polls.presets import BallotChannel
from consultation.polls.tables import Ballot, Poll


async def reconciliation_of(tx: Transaction, poll: Poll) -> dict[str, Any]:
    rows = await tx.session.exec(select(Ballot).where(Ballot.poll_id == poll.id))
    casts = list(rows)
    standing: dict[Any, Ballot] = {}
    for cast in sorted(casts, key=lambda one: one.cast_no):
        if not cast.set_aside:
            standing[cast.roll_entry_id] = cast
    channels = []
    for channel in BallotChannel:
        ours = [cast for cast in casts if cast.channel is channel]
        if not ours:
            continue
        stand = [cast for cast in ours if standing.get(cast.roll_entry_id) is cast]
        aside = sum(cast.set_aside for cast in ours)
        channels.append(
            {
                "channel": channel.value,
                "cast": len(ours),
                "counted": sum(cast.choices is not None for cast in stand),
                "invalid": sum(cast.choices is None for cast in stand),
                "set_aside": aside,
                "replaced": len(ours) - aside - len(stand),
            }
        )
    return {"eligible": poll.eligible_heads, "voters": len(standing), "channels": channels}
