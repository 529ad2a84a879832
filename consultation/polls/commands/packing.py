"""Result packs handed out: the public one to everybody, the full one to those who may see it."""

from uuid import UUID

from consultation.database import Transaction
from consultation.events import PollBallotsRead
from consultation.permissions import Deed, Grant, grant_of
from consultation.polls.pack import Edition, PackNotReady, render
from consultation.polls.pack_queries import pack_source
from consultation.polls.presets import BallotMode
from consultation.polls.queries import access_poll, place_of
from consultation.polls.rules import NotOnRoll, PollState


async def make_pack(tx: Transaction, poll_id: UUID, edition: Edition) -> dict[str, bytes]:
    """The files of a published poll's result pack, by name.

    The full pack of a named poll is for tellers, the supervisor and the people on its roll; that
    it was handed out is journalled. Refuses with PackNotReady or NotOnRoll.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.READ_PUBLIC)
    opened = edition is Edition.FULL and poll.mode is BallotMode.NAMED
    counts = tx.actor.system or grant_of(Deed.SEE_NAMED_CHOICES, tx.standing.role) is Grant.YES
    if opened and not counts and await place_of(tx, poll, tx.person_id) is None:
        raise NotOnRoll()
    if poll.state is not PollState.PUBLISHED:
        raise PackNotReady(state=poll.state.value)
    source = await pack_source(tx, poll)
    if opened:
        tx.emit(
            PollBallotsRead(
                community_id=poll.community_id,
                topic_id=topic.id,
                poll_id=poll.id,
                role=tx.standing.role.value,
            )
        )
    return render(source, edition)
