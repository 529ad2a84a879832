"""Presence 到会人数 is fixed before a vote in a meeting: who is there is what its bounds are of,
and nobody adds to it or takes from it once votes are seen (domain 3.3)."""

from uuid import UUID

from consultation.database import Transaction
from consultation.events.polls import PollPresenceFixed
from consultation.permissions import Deed
from consultation.polls import hands, rules, terms
from consultation.polls.counting import Count
from consultation.polls.presence_queries import insert_presence, members_present
from consultation.polls.queries import Hold, access_poll, check_impartial
from consultation.polls.tables import Poll


async def fix_presence(tx: Transaction, poll_id: UUID) -> tuple[Poll, int]:
    """Fix who is present, once and for the whole vote; again changes nothing. Without it the first
    show of hands does it, and ballots alone, which nobody sees, are counted by who attends at the
    close.

    Refuses with PollMeetingInvalid, PollNotOpen, PollClosed, NotImpartial or HandsWithoutQuorum.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.ENTER_PAPER, hold=Hold.TOPIC_AND_POLL)
    if not poll.preset.held_in_meeting:
        raise terms.PollMeetingInvalid()
    rules.check_open(poll.state, poll.closes_at, tx.now)
    await check_impartial(tx, poll, topic)
    return poll, await presence_of(tx, poll)


async def presence_of(tx: Transaction, poll: Poll) -> int:
    """How many are present; fixed now unless it was before, with the poll held alone. Refuses with
    HandsWithoutQuorum."""
    present = await members_present(tx, poll)
    if poll.presence_fixed_at is not None:
        return present
    eligible = Count(heads=poll.eligible_heads, area_dm2=poll.eligible_area_dm2)
    hands.check_quorum(poll.preset, eligible, present=present)

    await insert_presence(tx, poll)
    poll.presence_fixed_at = tx.now
    await tx.session.flush()
    present = await members_present(tx, poll)
    tx.emit(
        PollPresenceFixed(
            community_id=poll.community_id, topic_id=poll.topic_id, poll_id=poll.id, present=present
        )
    )
    return present
