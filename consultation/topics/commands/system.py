"""What the system does to a topic when its time has come. Each handler re-reads the topic and does
nothing if it has moved on."""

from uuid import UUID

from consultation.database import Transaction
from consultation.events.topics import TopicOverdue
from consultation.permissions import Deed
from consultation.topics import rules
from consultation.topics.commands.telling import tell
from consultation.topics.lifecycle import try_advance, watch_deadline
from consultation.topics.plan import procedure
from consultation.topics.queries import access_topic
from consultation.topics.states import Act, State


async def open_deliberation(tx: Transaction, topic_id: UUID) -> None:
    """T9: the notice is over."""
    topic = await access_topic(tx, topic_id, Deed.RUN_SYSTEM, lock=True)
    await try_advance(tx, topic, Act.OPEN_DELIBERATION)


async def note_overdue(tx: Transaction, topic_id: UUID) -> None:
    """T20c, for every step with a deadline: the topic is overdue in public, the supervision
    committee hears of it, 5 working days later the subdistrict, 10 later the inspection.

    A returned topic waits for its author, who is told that the time is over; nobody else is late.
    """
    topic = await access_topic(tx, topic_id, Deed.RUN_SYSTEM, lock=True)
    if topic.due_at is None or tx.now < topic.due_at:
        return
    if topic.state is State.RETURNED:
        if not topic.escalations:
            topic.escalations = 1
            tell(tx, topic, {topic.author_id}, "correction_period_over")
        return
    times = rules.escalation_times(topic.due_at, procedure())
    while topic.escalations < len(times) and tx.now >= times[topic.escalations]:
        topic.overdue_since = topic.overdue_since or topic.due_at
        tx.emit(
            TopicOverdue(
                community_id=topic.community_id,
                topic_id=topic.id,
                public=topic.was_public,
                state=topic.state.value,
                due_at=topic.due_at,
                escalated_to=rules.ESCALATION[topic.escalations],
            )
        )
        topic.escalations += 1
    if topic.escalations < len(times):
        await watch_deadline(tx, topic, times[topic.escalations])
