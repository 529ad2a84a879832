"""Who may follow what, remembered for a moment.

What everybody may see is asked for once for all; what is not public, per person and role. Nothing
is believed for longer than its time: ``live`` looks again at what open sockets follow, so that a
right that ended ends there too.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from consultation.batching import Batch
from consultation.community.rules import RoleNotHeld
from consultation.database import Database
from consultation.permissions import NOBODY, Actor
from notifications.hub import Hub
from notifications.log_reader import GATHER_SECONDS, LogReader
from notifications.messages import Cursor
from notifications.streams import in_sight, in_sight_of

PUBLIC_SECONDS = 30.0
"""What was public stays so, by the rules of the domain; this only bounds an exception to them."""
PRIVATE_SECONDS = 3.0
REMEMBERED = 10_000
STREAMS = 500
"""Streams asked for in one statement."""
PEOPLE = 500
"""People looked for in one statement."""
ORDERS = 1000
"""Clients served together."""

Key = tuple[UUID | None, UUID | None]


@dataclass(frozen=True, slots=True, eq=False)
class _Streams:
    """What one client asks for."""

    ids: set[str]


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """What one client asks for that not everybody may follow."""

    actor: Actor
    streams: Collection[str]


class Sights:
    def __init__(self, db: Database, hub: Hub, reader: LogReader) -> None:
        self._db = db
        self._hub = hub
        self._reader = reader
        self._private: dict[Key, tuple[float, frozenset[str]]] = {}
        self._asked: Batch[_Streams, frozenset[str]] = Batch(
            self._look_together, key=id, most=ORDERS, gather_seconds=GATHER_SECONDS
        )
        self._looks: Batch[_Look, frozenset[str]] = Batch(
            self._look_for_each, key=id, most=ORDERS, gather_seconds=GATHER_SECONDS
        )

    def at_hand(self, actor: Actor, cursors: Sequence[Cursor]) -> set[str] | None:
        """Those that the actor may follow, if that is known and their channels are at hand, so
        that no statement is needed; else None."""
        now = asyncio.get_running_loop().time()
        checked, private = self._private.get(_key(actor), (-1e9, frozenset()))
        fresh = now - checked < PRIVATE_SECONDS
        if actor.assignment_id is not None and not fresh:
            return None
        allowed: set[str] = set()
        for cursor in cursors:
            if self._is_public(cursor.id, now) or _is_own(actor, cursor.id):
                pass
            elif not fresh or cursor.id not in private:
                return None
            if not self._reader.at_hand(cursor):
                return None
            allowed.add(cursor.id)
        return allowed

    async def admit(self, actor: Actor, cursors: Sequence[Cursor]) -> set[str]:
        """Those of these streams that the actor may follow, their channels open and reaching back
        as far as a replay may. RoleNotHeld; LogNotOpen."""
        known = self.at_hand(actor, cursors)
        if known is not None:
            return known
        ids = {cursor.id for cursor in cursors}
        now = asyncio.get_running_loop().time()
        own = {id for id in ids if _is_own(actor, id)}
        unknown = {id for id in ids - own if not self._is_public(id, now)}
        fresh = await self._asked.do(_Streams(unknown)) if unknown else frozenset[str]()
        allowed = (ids - unknown) | fresh
        hidden = {id for id in ids - allowed if not id.startswith("user:")}
        if hidden or actor.assignment_id is not None:
            allowed |= await self._looks.do(_Look(actor, hidden))
        await self._reader.reach([cursor for cursor in cursors if cursor.id in allowed])
        for id in fresh:
            channel = self._hub.channel(id)
            if channel is not None:
                channel.public_at = now
        return allowed

    def is_public(self, stream: str) -> bool:
        return self._is_public(stream, asyncio.get_running_loop().time())

    async def look(self, asked: Mapping[Actor, Collection[str]]) -> dict[Actor, set[str]]:
        """What of these each may see now, asked anew and remembered: a few statements for some
        hundred people. Without those whose role is not theirs or does not run now."""
        found: dict[Actor, set[str]] = {}
        for portion in _portions(asked):
            now = asyncio.get_running_loop().time()
            for actor in portion:
                self._private.pop(_key(actor), None)
            async with self._db.read(NOBODY) as tx:
                seen = await in_sight_of(tx, portion)
            self._private |= {_key(actor): (now, frozenset(seen[actor])) for actor in seen}
            found |= seen
        while len(self._private) > REMEMBERED:
            del self._private[next(iter(self._private))]
        return found

    async def look_public(self, streams: Sequence[str]) -> set[str]:
        """Those of these streams that everybody may see; the others are no longer taken for it."""
        now = asyncio.get_running_loop().time()
        seen: set[str] = set()
        for start in range(0, len(streams), STREAMS):
            async with self._db.read(NOBODY) as tx:
                seen |= await in_sight(tx, streams[start : start + STREAMS])
        for stream in streams:
            channel = self._hub.channel(stream)
            if channel is not None:
                channel.public_at = now if stream in seen else -1e9
        return seen

    def _is_public(self, stream: str, now: float) -> bool:
        channel = self._hub.channel(stream)
        # Twice the time: sockets are looked at every PUBLIC_SECONDS, and not all at once.
        return channel is not None and now - channel.public_at < 2 * PUBLIC_SECONDS

    async def _look_together(self, asked: Sequence["_Streams"]) -> list[frozenset[str]]:
        seen = await self.look_public(list({id for one in asked for id in one.ids}))
        return [frozenset(one.ids & seen) for one in asked]

    async def _look_for_each(self, asked: Sequence["_Look"]) -> list[frozenset[str] | RoleNotHeld]:
        together: dict[Actor, set[str]] = {}
        for one in asked:
            together.setdefault(one.actor, set()).update(one.streams)
        seen = await self.look(together)
        return [
            frozenset(seen[one.actor].intersection(one.streams))
            if one.actor in seen
            else RoleNotHeld()
            for one in asked
        ]


def _portions(asked: Mapping[Actor, Collection[str]]) -> Iterator[dict[Actor, Collection[str]]]:
    """Not more people, and hardly more streams, than one statement may name."""
    portion: dict[Actor, Collection[str]] = {}
    named: set[str] = set()
    for actor, streams in asked.items():
        portion[actor] = streams
        named.update(streams)
        if len(portion) >= PEOPLE or len(named) >= STREAMS:
            yield portion
            portion, named = {}, set()
    if portion:
        yield portion


def _key(actor: Actor) -> Key:
    return actor.person_id, actor.assignment_id


def _is_own(actor: Actor, stream: str) -> bool:
    return stream.startswith("user:") and stream[5:] == str(actor.person_id)
