"""The opening of a poll, T11: by the system at its hour, or by the convener once the gates hold."""

from uuid import UUID

from consultation.database import Transaction
from consultation.events.polls import PollOpened
from consultation.permissions import Deed
from consultation.polls import terms
from consultation.polls.commands.showing import schedule_look
from consultation.polls.notice_queries import served_count
from consultation.polls.queries import Hold, access_poll
from consultation.polls.rules import PollState
from consultation.polls.tables import Poll
from consultation.topics.lifecycle import advance, try_advance
from consultation.topics.states import Act
from consultation.topics.tables import Topic


async def open_due_poll(tx: Transaction, poll_id: UUID) -> None:
    """At ``opens_at`` the topic goes to the vote, if the gates of T11 hold and enough of the roll
    have been served; if not, the poll waits for ``open_poll``. Where the system was down for so
    long that the window became too short it stays shut, and is void at its end."""
    poll, topic = await access_poll(tx, poll_id, Deed.RUN_SYSTEM, hold=Hold.TOPIC_AND_POLL)
    if poll.state is not PollState.ANNOUNCED or not poll.opens_at <= tx.now < poll.closes_at:
        return
    late = terms.is_too_late_to_open(
        poll.preset, opens_at=poll.opens_at, closes_at=poll.closes_at, now=tx.now
    )
    if late or not await _enough_served(tx, poll):
        return
    if await try_advance(tx, topic, Act.OPEN_VOTING):
        await _open(tx, poll, topic)


async def open_poll(tx: Transaction, poll_id: UUID) -> Poll:
    """The convener opens a poll whose hour has come after its gates held too late.

    What is left of the window must still be as long as the preset asks. Opening again changes
    nothing. Refuses with PollTooEarly, PollWindowInvalid, PollNotServed, GateNotMet or
    TransitionNotAllowed.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.CONVENE, hold=Hold.TOPIC_AND_POLL)
    if poll.state is PollState.OPEN:
        return poll
    if poll.state is not PollState.ANNOUNCED:
        raise terms.PollTooEarly(state=poll.state.value)
    terms.check_late_opening(poll.preset, poll.closes_at, tx.now)
    await _check_served(tx, poll)
    await advance(tx, topic, Act.OPEN_VOTING, consequence=True)

    await _open(tx, poll, topic)
    return poll


async def _check_served(tx: Transaction, poll: Poll) -> None:
    if poll.preset.served_min is not None:
        served = await served_count(tx, poll.id)
        terms.check_served(poll.preset, served=served, eligible=poll.eligible_heads)


async def _enough_served(tx: Transaction, poll: Poll) -> bool:
    try:
        await _check_served(tx, poll)
    except terms.PollNotServed:
        return False
    return True


async def _open(tx: Transaction, poll: Poll, topic: Topic) -> None:
    poll.state = PollState.OPEN
    await schedule_look(tx, poll)
    tx.emit(
        PollOpened(
            community_id=poll.community_id,
            topic_id=topic.id,
            poll_id=poll.id,
            closes_at=poll.closes_at,
        )
    )
