"""SQL on the election that a run-off follows."""

from uuid import UUID

from sqlmodel import col, select

from consultation.database import Transaction
from consultation.polls.presets import RulePreset
from consultation.polls.rules import PollState
from consultation.polls.tables import Poll
from consultation.topics.tables import Topic


async def election_before(
    tx: Transaction, topic: Topic, preset: RulePreset, scope_id: UUID
) -> Poll | None:
    """The last published election, or run-off of it, that the topic had at this place in an earlier
    round under the rule that ``preset`` is the run-off of."""
    rows = await tx.session.exec(
        select(Poll)
        .where(
            Poll.topic_id == topic.id,
            Poll.round < topic.round,
            Poll.scope_node_id == scope_id,
            Poll.state == PollState.PUBLISHED,
        )
        .order_by(col(Poll.round).desc(), col(Poll.published_at).desc())
    )
    of = preset.runoff_of
    return next((poll for poll in rows if of in (poll.preset.id, poll.preset.runoff_of)), None)
