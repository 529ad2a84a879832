"""From the relay to the connections of this process.

The log is the truth and the hub only a shortcut: it may lose, repeat or delay. A follower knows the
last number it has of each stream; what follows on is queued as it is, anything else sends it to
the log. So nothing is lost when a publication is, and nothing comes twice.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from notifications.messages import Envelope

MAX_FRAMES = 256
MAX_CHARACTERS = 512 * 1024

Send = Callable[[str], Awaitable[None]]
ReadLog = Callable[[str, int], Awaitable[Sequence[Envelope]]]
"""The next entries of a stream after a number, in order; empty only at its head."""


@dataclass(slots=True)
class Place:
    """Where a follower is in a stream: ``at`` is the last number queued or sent to it, ``heard``
    the highest it was told of. While ``reading`` the log brings the events, not the hub."""

    at: int = 0
    heard: int = 0
    reading: bool = True


@dataclass(frozen=True, slots=True)
class Told:
    """An event on its way. It is dropped if the place it was meant for is no longer held."""

    stream: str
    place: Place
    frame: str


@dataclass(frozen=True, slots=True)
class Behind:
    """The log must be read for this stream before anything more of it is sent."""

    stream: str


class LogLost(Exception):
    """The log lacks what was published: it has been set back under a running server."""


class Follower:
    """One connection's places, and the bounded queue of what waits to be sent to it.

    ``overflow`` is called once, when the connection cannot keep up; it is then of no more use.
    """

    def __init__(
        self,
        overflow: Callable[[], None],
        *,
        max_frames: int = MAX_FRAMES,
        max_characters: int = MAX_CHARACTERS,
    ) -> None:
        self.places: dict[str, Place] = {}
        self._overflow = overflow
        self._max_frames = max_frames
        self._room = max_characters
        self._waiting: deque[object] = deque()
        self._bell = asyncio.Event()
        self._lost = False

    def put(self, item: object) -> None:
        """Queue a frame (``str``), or work for whoever empties the queue."""
        if self._lost:
            return
        self._room -= _weight(item)
        self._waiting.append(item)
        self._bell.set()
        if len(self._waiting) > self._max_frames or self._room < 0:
            self._lost = True
            self._waiting.clear()
            self._overflow()

    async def next(self) -> object:
        """The next frame to send, or the next work to do."""
        while True:
            while not self._waiting:
                self._bell.clear()
                await self._bell.wait()
            item = self._waiting.popleft()
            self._room += _weight(item)
            if not isinstance(item, Told):
                return item
            if self.places.get(item.stream) is item.place:
                return item.frame

    def hear(self, stream: str, seq: int, frame: str | None) -> None:
        """The stream has come to ``seq``; without a frame, that is all we know."""
        place = self.places.get(stream)
        if place is None:
            return
        place.heard = max(place.heard, seq)
        if place.reading or seq <= place.at:
            return
        if seq == place.at + 1 and frame is not None:
            place.at = seq
            self.put(Told(stream, place, frame))
        else:
            place.reading = True
            self.put(Behind(stream))

    async def catch_up(self, stream: str, read_log: ReadLog, send: Send) -> None:
        """Send from the log until it has no more than we have; then the hub goes on."""
        place = self.places.get(stream)
        if place is None:
            return
        while place.at < place.heard:
            missed = await read_log(stream, place.at)
            if not missed:
                raise LogLost(stream)
            for envelope in missed:
                await send(envelope.frame())
                place.at = envelope.seq
        place.reading = False


def _weight(item: object) -> int:
    match item:
        case Told(frame=frame) | str(frame):
            return len(frame)
    return 0


class Hub:
    def __init__(self) -> None:
        self._channels: dict[str, set[Follower]] = {}

    @property
    def streams(self) -> list[str]:
        """Streams that somebody here follows."""
        return list(self._channels)

    def join(self, follower: Follower, stream: str) -> Place:
        """From now on the follower hears of the stream. Read the log *after* this."""
        place = follower.places[stream] = Place()
        self._channels.setdefault(stream, set()).add(follower)
        return place

    def leave(self, follower: Follower, stream: str) -> None:
        follower.places.pop(stream, None)
        followers = self._channels.get(stream)
        if followers is not None:
            followers.discard(follower)
            if not followers:
                del self._channels[stream]

    def leave_all(self, follower: Follower) -> None:
        for stream in list(follower.places):
            self.leave(follower, stream)

    def publish(self, events: Sequence[Envelope]) -> None:
        """Tell the followers; each event is encoded once, however many there are."""
        for event in events:
            followers = self._channels.get(event.stream)
            if followers:
                frame = event.frame()
                for follower in followers:
                    follower.hear(event.stream, event.seq, frame)

    def notice(self, stream: str, head_seq: int) -> None:
        """The log has come to ``head_seq``, whoever numbered it; whoever lacks it reads it."""
        for follower in self._channels.get(stream, ()):
            follower.hear(stream, head_seq, None)
