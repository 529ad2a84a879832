"""Turnout in steps: what is shown of an open poll moves once an hour, by ten people or more, and
not in the last hour (``polls/disclosure``)."""

from uuid import UUID

from consultation.database import Transaction
from consultation.jobs import JobKind, schedule
from consultation.permissions import Deed
from consultation.polls import disclosure
from consultation.polls.counting import Count
from consultation.polls.queries import access_poll, participation
from consultation.polls.rules import PollState
from consultation.polls.tables import Poll, ShownTurnout


async def schedule_look(tx: Transaction, poll: Poll) -> None:
    """Ask for the next look at the turnout, if this poll shows it in steps."""
    if not poll.preset.live_turnout or not disclosure.in_steps(poll.preset, poll.mode):
        return
    at = disclosure.next_look(poll.opens_at, poll.closes_at, tx.now)
    if at is not None:
        await schedule(
            tx,
            JobKind.POLL_SHOW_TURNOUT,
            poll.id,
            at,
            community_id=poll.community_id,
            occasion=at.isoformat(),
        )


async def show_turnout(tx: Transaction, poll_id: UUID) -> None:
    """By the system, each hour: show the present turnout, if that is a step."""
    poll, _ = await access_poll(tx, poll_id, Deed.RUN_SYSTEM)
    if poll.state is not PollState.OPEN:
        return
    await schedule_look(tx, poll)
    if tx.now > poll.closes_at - disclosure.FROZEN:
        return
    row = await tx.session.get(ShownTurnout, poll.id, with_for_update=True)
    shown = Count() if row is None else Count(heads=row.heads, area_dm2=row.area_dm2)
    after = disclosure.step(shown, await participation(tx, poll))
    if row is None:
        row = ShownTurnout(poll_id=poll.id, community_id=poll.community_id)
    row.heads, row.area_dm2 = after.heads, after.area_dm2
    tx.session.add(row)
