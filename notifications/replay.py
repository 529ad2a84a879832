"""What a client missed, for the socket and its HTTP twin alike."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from consultation.database import Transaction
from consultation.journal import Head, JournalEntry, entries_after, heads
from notifications.messages import Cursor, Envelope, Reason, StreamState
from notifications.streams import in_sight


class LogNotOpen(Exception):
    """No relay has run on this database yet; in a moment one will have."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """A client further behind than this fetches a snapshot instead. Per stream, but ``in_all``,
    which keeps one hello from reading the whole log."""

    events: int = 200
    characters: int = 64 * 1024
    age: timedelta = timedelta(hours=72)
    in_all: int = 1000


@dataclass(slots=True)
class Replay:
    """How a stream goes on: its state, and the events to send first."""

    state: StreamState
    events: list[Envelope] = field(default_factory=list)

    @property
    def followed(self) -> bool:
        return self.state.head_seq is not None


async def replay(tx: Transaction, cursors: Sequence[Cursor], bounds: Bounds) -> list[Replay]:
    """One per cursor, in their order; at most eight statements, however many they are."""
    seen = await in_sight(tx, [cursor.id for cursor in cursors])
    known = await heads(tx.session, seen)
    if known is None:
        raise LogNotOpen()

    found: list[Replay] = []
    wanted: dict[str, int] = {}
    left = bounds.in_all
    for cursor in cursors:
        head = known.get(cursor.id)
        if head is None:
            found.append(Replay(StreamState(id=cursor.id, reason=Reason.NOT_FOUND)))
            continue
        reason = _cannot_go_on(cursor, head, most=min(bounds.events, left))
        state = StreamState(id=cursor.id, epoch=head.epoch, head_seq=head.seq, reason=reason)
        state.recovered = reason is None
        found.append(Replay(state))
        if reason is None and cursor.after_seq is not None and cursor.after_seq < head.seq:
            wanted[cursor.id] = cursor.after_seq
            left -= head.seq - cursor.after_seq

    missed: dict[str, list[JournalEntry]] = {}
    for entry in await entries_after(tx.session, wanted, limit=bounds.in_all):
        missed.setdefault(entry.stream, []).append(entry)
    for one in found:
        if one.state.recovered:
            _fill(one, missed.get(one.state.id, []), tx, bounds)
    return found


def _cannot_go_on(cursor: Cursor, head: Head, *, most: int) -> Reason | None:
    if cursor.after_seq is None:
        return Reason.NO_CURSOR
    if cursor.epoch not in (None, head.epoch) or cursor.after_seq > head.seq:
        return Reason.EPOCH
    if head.seq - cursor.after_seq > most:
        return Reason.TOO_MANY
    return None


def _fill(one: Replay, missed: list[JournalEntry], tx: Transaction, bounds: Bounds) -> None:
    if missed and missed[0].at < tx.now - bounds.age:
        one.state.recovered, one.state.reason = False, Reason.TOO_OLD
        return
    events = [Envelope.of(entry) for entry in missed]
    if sum(len(event.frame()) for event in events) > bounds.characters:
        one.state.recovered, one.state.reason = False, Reason.TOO_MANY
        return
    one.events = events
