"""Threads: opened and closed by who runs the deliberation."""

from uuid import UUID

from consultation.database import Transaction
from consultation.deliberation import rules
from consultation.deliberation.queries import access_thread
from consultation.deliberation.tables import Thread
from consultation.events.deliberation import ThreadClosed, ThreadOpened
from consultation.permissions import Deed
from consultation.topics.queries import access_topic
from consultation.topics.subjects import check_subject


async def open_thread(tx: Transaction, topic_id: UUID, *, title: str) -> Thread:
    """Open a thread on a topic that is being deliberated.

    Refuses with NotDeliberating, TextMissing, TextTooLong or ForbiddenSubject.
    """
    topic = await access_topic(tx, topic_id, Deed.RUN_MEETING)
    rules.check_open(topic.state)
    rules.check_text(title, longest=rules.TITLE_LENGTH)
    check_subject(title)

    thread = Thread(
        id=tx.new_id(),
        community_id=topic.community_id,
        topic_id=topic.id,
        round=topic.round,
        title=title,
        opened_by_id=tx.person_id,
        created_at=tx.now,
    )
    tx.session.add(thread)

    tx.emit(ThreadOpened(community_id=topic.community_id, topic_id=topic.id, thread_id=thread.id))
    return thread


async def close_thread(tx: Transaction, thread_id: UUID) -> Thread:
    """No more posts; what was said stays. Closing a closed thread changes nothing."""
    thread, topic = await access_thread(tx, thread_id, Deed.RUN_MEETING, lock=True)
    if thread.closed_at is not None:
        return thread

    thread.closed_at = tx.now

    tx.emit(ThreadClosed(community_id=topic.community_id, topic_id=topic.id, thread_id=thread.id))
    return thread
