"""Result packs handed out: the public one to everybody, the full one to those who may see it."""

from uuid import UUID

from consultation.database import Transaction
from consultation.events.polls import PollBallotsRead
from consultation.permissions import Deed, Grant, grant_of
from consultation.polls.commands.closing import may_inspect
from consultation.polls.pack import Edition, PackNotReady, render
from consultation.polls.pack_queries import pack_source
from consultation.polls.presets import BallotMode
from consultation.polls.queries import access_poll
from consultation.polls.rules import PollState
from consultation.refusals import NotPermitted


async def make_pack(tx: Transaction, poll_id: UUID, edition: Edition) -> dict[str, bytes]:
    """The files of a published poll's result pack, by name.

    The full pack of a named poll is for those who may see its ballots: tellers, the supervisor,
    and the owners on the roll of an owners' decision; that it was handed out is journalled.
    Refuses with PackNotReady or NotPermitted.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.READ_PUBLIC)
    opened = edition is Edition.FULL and poll.mode is BallotMode.NAMED
    counts = tx.actor.system or grant_of(Deed.SEE_NAMED_CHOICES, tx.standing.role) is Grant.YES
    if opened and not counts and not await may_inspect(tx, poll):
        raise NotPermitted(deed=Deed.SEE_NAMED_CHOICES.value, role=tx.standing.role.value)
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
