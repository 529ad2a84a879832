"""Who may follow which stream. What is unknown and what is forbidden give the same answer."""

from collections.abc import Collection
from uuid import UUID

from consultation.community.queries import communities_among
from consultation.database import Transaction
from consultation.events.streams import community_stream, poll_stream, topic_stream, user_stream
from consultation.polls.queries import polls_in_sight
from consultation.topics.queries import topics_in_sight


async def in_sight(tx: Transaction, streams: Collection[str]) -> set[str]:
    """Those of these streams that the actor may follow, in at most six statements:

    ``community:{id}`` everybody, ``topic:{id}`` and ``poll:{id}`` who may see them,
    ``user:{id}`` that person.
    """
    asked: dict[str, set[UUID]] = {"community": set(), "topic": set(), "poll": set(), "user": set()}
    for stream in streams:
        kind, _, name = stream.partition(":")
        id = _uuid(name)
        if kind in asked and id is not None:
            asked[kind].add(id)
    return {
        *map(community_stream, await communities_among(tx, asked["community"])),
        *map(topic_stream, await topics_in_sight(tx, asked["topic"])),
        *map(poll_stream, await polls_in_sight(tx, asked["poll"])),
        *(user_stream(id) for id in asked["user"] if id == tx.actor.person_id),
    }


def _uuid(name: str) -> UUID | None:
    """Only as we write it ourselves: other spellings would be other streams."""
    try:
        id = UUID(name)
    except ValueError:
        return None
    return id if str(id) == name else None
