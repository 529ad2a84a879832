"""A proof of notice proves nothing after all: the message, says its provider, did not arrive."""

from uuid import UUID

from sqlalchemy import update
from sqlmodel import col

from consultation.database import Transaction
from consultation.events.polls import PollVotersServed
from consultation.polls import notice_queries as queries
from consultation.polls import serving
from consultation.polls.notice_tables import VoterNoticeRetraction
from consultation.polls.queries import hold_polls
from consultation.polls.serving import NoticeChannel
from consultation.polls.tables import TURNOUT_SHARDS, PollTurnout


async def retract_proof(
    tx: Transaction,
    *,
    poll_id: UUID,
    person_id: UUID,
    channel: NoticeChannel,
    reference: str,
    reason: str,
) -> bool:
    """Append that the proof of this channel and reference does not stand; a voter without another
    one is unserved again. False, and nothing is changed, where there is none that stands, or the
    poll has closed and its ledger with it. ``reason`` is a code."""
    [poll] = await hold_polls(tx, {poll_id})
    if poll.state not in serving.BEING_SERVED or tx.now >= poll.closes_at:
        return False
    place = (await queries.lock_places(tx, {(poll_id, person_id)})).get((poll_id, person_id))
    if place is None:
        return False
    standing = await queries.proofs_of(tx, poll_id, place.id)
    wrong = next(
        (one for one in standing if one.channel is channel and one.reference == reference), None
    )
    if wrong is None:
        return False
    tx.session.add(
        VoterNoticeRetraction(
            notice_id=wrong.id, community_id=wrong.community_id, at=tx.now, reason=reason
        )
    )
    await tx.session.flush()
    if len(standing) == 1:
        await tx.session.exec(
            update(PollTurnout)
            .where(
                col(PollTurnout.poll_id) == poll_id,
                col(PollTurnout.shard) == place.number % TURNOUT_SHARDS,
            )
            .values(served=col(PollTurnout.served) - 1)
        )
        tx.emit(
            PollVotersServed(
                community_id=poll.community_id,
                topic_id=poll.topic_id,
                poll_id=poll_id,
                served=await queries.served_count(tx, poll_id),
            )
        )
    return True
