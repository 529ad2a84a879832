"""What a client missed, for the socket and its HTTP twin alike."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from consultation.database import Transaction
from consultation.journal import Head, JournalEntry, entries_after, heads
from notifications.frames import text_frame
from notifications.hub import Channel, Kept
from notifications.messages import Cursor, Envelope, Reason, StreamState
from notifications.streams import in_sight


class LogNotOpen(Exception):
    """No relay has run on this database yet; in a moment one will have."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """A client further behind than this fetches a snapshot instead. Per stream, but ``in_all``,
    which keeps one hello from reading the whole log."""

    events: int = 200
    bytes: int = 64 * 1024
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


def resume(
    channel: Channel, cursor: Cursor, bounds: Bounds, *, left: int, now: datetime
) -> tuple[StreamState, list[bytes]]:
    """As ``replay``, from the ring of an open channel and without a statement: how the stream goes
    on, and the frames to send first. ``left`` is what remains of ``in_all``."""
    reason = _cannot_go_on(cursor, Head(channel.epoch, channel.head), most=min(bounds.events, left))
    kept: list[Kept] = []
    if reason is None:
        found = channel.after(cursor.after_seq or 0)
        if found is None or sum(len(one.frame) for one in found) > bounds.bytes:
            reason = Reason.TOO_MANY  # what the ring threw out was too much
        elif found and found[0].at < now - bounds.age:
            reason = Reason.TOO_OLD
        else:
            kept = found
    state = StreamState(
        id=cursor.id,
        epoch=channel.epoch,
        head_seq=channel.head,
        recovered=reason is None,
        reason=reason,
    )
    return state, [one.frame for one in kept]


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
    if sum(len(text_frame(event.frame())) for event in events) > bounds.bytes:
        one.state.recovered, one.state.reason = False, Reason.TOO_MANY
        return
    one.events = events
