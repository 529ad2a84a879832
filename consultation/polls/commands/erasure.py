"""What is destroyed once a box was opened, or its poll became void: the key, the envelopes, and
their traces on the pages of the database.

It comes after the commit of the count, so that a crash loses no ballot, and each step may be done
again: the job that ordered it is finished by the last one.
"""

from uuid import UUID

from consultation.database import Database, Transaction
from consultation.events.polls import PollBoxDestroyed
from consultation.jobs import JobKind, schedule
from consultation.pages import rewrite
from consultation.permissions import SYSTEM, Deed
from consultation.polls.commands.recording import finish_board
from consultation.polls.envelope_queries import delete_envelopes
from consultation.polls.presets import BallotMode
from consultation.polls.queries import Hold, access_poll
from consultation.polls.rules import PollState
from consultation.polls.sheet_queries import delete_sheets
from consultation.polls.tables import Poll

TABLES = ("envelope", "sealed_sheet", "participation", "opened_ballot")


async def order(tx: Transaction, poll: Poll) -> None:
    """Have the box of a poll destroyed as soon as this is committed."""
    if poll.mode is BallotMode.CONFIDENTIAL:
        await schedule(
            tx, JobKind.POLL_DESTROY_BOX, poll.id, tx.now, community_id=poll.community_id
        )


async def destroy(db: Database, poll_id: UUID) -> None:
    """Destroy the key, then rewrite the pages. Outside of any transaction; what stands in between
    is committed or not needed any more."""
    async with db.begin(SYSTEM) as tx:
        poll = await tx.session.get(Poll, poll_id)
        if poll is None or not is_over(poll) or poll.box_destroyed_at is not None:
            return
        if poll.state is PollState.VOIDED:
            await delete_envelopes(tx, poll_id)
            await delete_sheets(tx, poll_id)
    await db.box_keys.destroy(poll_id)
    await rewrite(db, TABLES)


def is_over(poll: Poll) -> bool:
    """Whether nobody needs the key any more."""
    return poll.box_opened_at is not None or poll.state is PollState.VOIDED


async def note_destruction(tx: Transaction, poll_id: UUID) -> None:
    """The last step, after ``destroy``: the opened ballots go on the board, and it is on record
    that the box is gone."""
    poll, topic = await access_poll(tx, poll_id, Deed.RUN_SYSTEM, hold=Hold.TOPIC_AND_POLL)
    if not is_over(poll) or poll.box_destroyed_at is not None:
        return
    if poll.box_opened_at is not None:
        await finish_board(tx, poll)
    poll.box_destroyed_at = tx.now

    tx.emit(PollBoxDestroyed(community_id=poll.community_id, topic_id=topic.id, poll_id=poll.id))
