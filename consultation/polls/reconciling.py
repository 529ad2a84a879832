"""How the casts of a poll add up, channel by channel, for its certificate. Numbers only."""

from typing import Any
from uuid import UUID

from sqlmodel import col, func, select

from consultation.database import Transaction
from consultation.polls.envelope_tables import Participation
from consultation.polls.presets import BallotChannel, BallotMode
from consultation.polls.tables import Ballot, Poll


async def reconciliation_of(tx: Transaction, poll: Poll) -> dict[str, Any]:
    """The report of a counted poll. A box does not tell by which channel an invalid ballot came,
    so that a line of a confidential poll has only what was cast."""
    if poll.mode is BallotMode.CONFIDENTIAL:
        lines = await _envelopes(tx, poll.id)
        voters = sum(line["cast"] for line in lines)
    else:
        lines = await _casts(tx, poll.id)
        voters = sum(line["counted"] + line["invalid"] for line in lines)
    return {"eligible": poll.eligible_heads, "voters": voters, "channels": lines, "differences": []}


async def _envelopes(tx: Transaction, poll_id: UUID) -> list[dict[str, Any]]:
    rows = await tx.session.exec(
        select(Participation.channel, func.count())
        .where(Participation.poll_id == poll_id)
        .group_by(col(Participation.channel))
    )
    cast = dict(rows.all())
    return [
        {"channel": channel.value, "cast": cast[channel]}
        for channel in BallotChannel
        if channel in cast
    ]


async def _casts(tx: Transaction, poll_id: UUID) -> list[dict[str, Any]]:
    rows = await tx.session.exec(
        select(
            Ballot.roll_entry_id, Ballot.channel, col(Ballot.choices).is_not(None), Ballot.set_aside
        )
        .where(Ballot.poll_id == poll_id)
        .order_by(col(Ballot.cast_no))
    )
    casts: list[tuple[UUID, BallotChannel, bool, bool]] = [tuple(row) for row in rows]  # type: ignore[misc]
    standing = {place: index for index, (place, *_, aside) in enumerate(casts) if not aside}
    lines: dict[BallotChannel, dict[str, int]] = {}
    for index, (place, channel, valid, aside) in enumerate(casts):
        line = lines.setdefault(
            channel, dict.fromkeys(("cast", "counted", "invalid", "set_aside", "replaced"), 0)
        )
        line["cast"] += 1
        if aside:
            line["set_aside"] += 1
        elif standing[place] != index:
            line["replaced"] += 1
        else:
            line["counted" if valid else "invalid"] += 1
    return [
        {"channel": channel.value, **lines[channel]}
        for channel in BallotChannel
        if channel in lines
    ]
