"""Tells people what happened to a topic of theirs."""

from collections.abc import Collection
from uuid import UUID

from consultation.database import Transaction
from consultation.events.people import UserNotified
from consultation.topics.tables import Topic


def tell(
    tx: Transaction,
    topic: Topic,
    people: Collection[UUID],
    about: str,
    *,
    subject_id: UUID | None = None,
    reason_code: str | None = None,
) -> None:
    """``about`` is one of the words under ``words.told`` in the catalogues."""
    for person in sorted(people):
        tx.emit(
            UserNotified(
                community_id=topic.community_id,
                person_id=person,
                about=about,
                topic_id=topic.id,
                subject_id=subject_id,
                reason_code=reason_code,
            )
        )
