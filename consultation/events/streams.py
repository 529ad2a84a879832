"""The names of the streams: ``community:{id}`` (public), ``topic:{id}`` and ``poll:{id}`` (as the
topic is visible), ``user:{id}`` (that person only)."""

from uuid import UUID


def community_stream(community_id: UUID) -> str:
    return f"community:{community_id}"


def topic_stream(topic_id: UUID) -> str:
    return f"topic:{topic_id}"


def poll_stream(poll_id: UUID) -> str:
    return f"poll:{poll_id}"


def user_stream(person_id: UUID) -> str:
    return f"user:{person_id}"
