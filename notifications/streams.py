"""Who may follow which stream. What is unknown and what is forbidden give the same answer."""

from collections.abc import Collection, Mapping
from uuid import UUID

from consultation.community.queries import At, communities_among, standings, standings_of
from consultation.database import Transaction
from consultation.events.streams import community_stream, poll_stream, topic_stream, user_stream
from consultation.permissions import Actor
from consultation.polls.queries import polls_in_sight
from consultation.topics.queries import topics_in_sight


async def in_sight(tx: Transaction, streams: Collection[str]) -> set[str]:
    """Those of these streams that the actor may follow, in at most seven statements:

    ``community:{id}`` everybody, ``topic:{id}`` and ``poll:{id}`` who may see them,
    ``user:{id}`` that person.
    """
    ids = {tx.actor: _by_kind(streams)}
    asked = ids[tx.actor]
    at = {tx.actor: await standings(tx)} if asked["topic"] or asked["poll"] else {}
    return (await _in_sight(tx, ids, at))[tx.actor]


async def in_sight_of(
    tx: Transaction, asked: Mapping[Actor, Collection[str]]
) -> dict[Actor, set[str]]:
    """The same for many at once, each with their streams, in at most eight statements; without
    those whose role is not theirs or does not run now."""
    at = await standings_of(tx, asked)
    return await _in_sight(tx, {actor: _by_kind(asked[actor]) for actor in at}, at)


_Ids = Mapping[str, set[UUID]]


async def _in_sight(
    tx: Transaction, asked: Mapping[Actor, _Ids], at: Mapping[Actor, At]
) -> dict[Actor, set[str]]:
    def of(kind: str) -> dict[Actor, set[UUID]]:
        return {actor: ids[kind] for actor, ids in asked.items()}

    communities = set(await communities_among(tx, set[UUID]().union(*of("community").values())))
    topics = await topics_in_sight(tx, of("topic"), at)
    polls = await polls_in_sight(tx, of("poll"), at)
    return {
        actor: {
            *map(community_stream, ids["community"] & communities),
            *map(topic_stream, topics[actor]),
            *map(poll_stream, polls[actor]),
            *(user_stream(id) for id in ids["user"] if id == actor.person_id),
        }
        for actor, ids in asked.items()
    }


def _by_kind(streams: Collection[str]) -> _Ids:
    ids: dict[str, set[UUID]] = {"community": set(), "topic": set(), "poll": set(), "user": set()}
    for stream in streams:
        kind, _, name = stream.partition(":")
        id = _uuid(name)
        if kind in ids and id is not None:
            ids[kind].add(id)
    return ids


def _uuid(name: str) -> UUID | None:
    """Only as we write it ourselves: other spellings would be other streams."""
    try:
        id = UUID(name)
    except ValueError:
        return None
    return id if str(id) == name else None
