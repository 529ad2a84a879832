"""From the relay to the connections of this process.

The log is the truth and the hub only a shortcut: it may lose, repeat or delay. Per stream a
``Channel`` knows how far it has come and keeps the last events as ready frames; an event that does
not follow on its head sends it to the log (``log_reader.py``), once for all its followers. So
nothing is lost when a publication is, and nothing comes twice.

A follower gets what comes after the place at which it joined. A large audience is served in
portions, between which the loop does other work.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from notifications.frames import text_frame
from notifications.messages import Envelope

PORTION = 500
"""Deliveries between two looks at everything else: some five milliseconds."""
KEPT_IN_ALL = 64 * 1024 * 1024
"""Bytes of frames in all rings of a process."""
IDLE_CHANNELS = 20_000
"""Channels without followers that are kept for those who come back."""


class Follower(Protocol):
    """One connection. ``channels`` are those it has joined."""

    channels: "list[Channel]"

    def push(self, frame: bytes, count: int = 1) -> None:
        """Send it with whatever else this turn of the loop brings."""

    def push_now(self, frame: bytes, count: int = 1) -> None:
        """As ``push``, when the turn brings nothing else that we know of."""

    def push_volatile(self, frame: bytes) -> bool: ...

    def on_log_lost(self) -> None:
        """The log is another one than it was; the follower has left everything."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An event as a frame, and when it happened."""

    at: datetime
    frame: bytes


class Channel:
    """One stream as this process knows it. ``ring`` ends at ``head`` without a gap; ``told`` is the
    highest number heard of. What was thrown out of the ring for its size is below ``floor``."""

    __slots__ = ("epoch", "floor", "followers", "head", "public_at", "ring", "size", "stream",
                 "told", "turnover", "volatile")  # fmt: skip

    def __init__(self, stream: str, epoch: str, head: int) -> None:
        self.stream = stream
        self.epoch = epoch
        self.head = head
        self.told = head
        self.floor = 0
        self.size = 0
        self.ring: deque[Kept] | None = None
        self.followers: dict[Follower, int] = {}
        """By follower, the head when it joined: it gets what comes after."""
        self.turnover = 0
        """Rises whenever somebody joins or leaves."""
        self.volatile: dict[str, bytes] | None = None
        self.public_at = -1e9
        """When it was last seen that everybody may follow (loop time); read by ``sights.py``."""

    @property
    def first(self) -> int:
        """The lowest number in the ring; one more than the head when it is empty."""
        return self.head + 1 - (len(self.ring) if self.ring else 0)

    def after(self, seq: int) -> list[Kept] | None:
        """What came after a number; None when the ring does not reach back so far."""
        missed = self.head - seq
        if missed <= 0:
            return []
        if self.ring is None or missed > len(self.ring):
            return None
        ring = self.ring
        return [ring[n] for n in range(len(ring) - missed, len(ring))]


class Lot:
    """One run of events on its way to the followers a channel had at that moment."""

    __slots__ = ("at", "channel", "followers", "frames", "last", "turnover", "whole")

    def __init__(self, channel: Channel, frames: Sequence[bytes]) -> None:
        self.channel = channel
        self.frames = frames
        self.whole = frames[0] if len(frames) == 1 else b"".join(frames)
        self.last = channel.head
        self.followers = list(channel.followers)
        self.turnover = channel.turnover
        self.at = 0


class Hub:
    """``on_gap`` is called when a channel has to be brought up from the log."""

    def __init__(self, *, keep_events: int = 200, keep_bytes: int = 64 * 1024) -> None:
        self.on_gap: Callable[[], None] = lambda: None
        self.behind: set[Channel] = set()
        self._channels: dict[str, Channel] = {}
        self._idle: OrderedDict[str, Channel] = OrderedDict()
        self._keep_events = keep_events
        self._keep_bytes = keep_bytes
        self._kept = 0
        self._lots: deque[Lot] = deque()
        self._serving = False

    # ---- channels ---------------------------------------------------------------------

    @property
    def followed(self) -> list[Channel]:
        return [channel for channel in self._channels.values() if channel.followers]

    def heads(self) -> dict[str, int]:
        """How far every open channel has come."""
        return {stream: channel.head for stream, channel in self._channels.items()}

    def channel(self, stream: str) -> Channel | None:
        return self._channels.get(stream)

    def open(self, stream: str, epoch: str, head: int) -> Channel:
        """The channel of a stream whose head was just read from the log."""
        channel = self._channels.get(stream)
        if channel is None:
            channel = self._channels[stream] = Channel(stream, epoch, head)
            self._rest(channel)
        else:
            self.notice(stream, epoch, head)
        return channel

    def join(self, follower: Follower, channel: Channel) -> None:
        """From now on the follower gets what comes after the channel's head."""
        if channel not in follower.channels:
            follower.channels.append(channel)
        channel.followers[follower] = channel.head
        channel.turnover += 1
        self._idle.pop(channel.stream, None)

    def leave(self, follower: Follower, stream: str) -> None:
        channel = self._channels.get(stream)
        if channel is not None and channel in follower.channels:
            follower.channels.remove(channel)
            self._part(follower, channel)

    def leave_all(self, follower: Follower) -> None:
        channels, follower.channels = follower.channels, []
        for channel in channels:
            self._part(follower, channel)

    def _part(self, follower: Follower, channel: Channel) -> None:
        channel.followers.pop(follower, None)
        channel.turnover += 1
        if not channel.followers and self._channels.get(channel.stream) is channel:
            self._rest(channel)

    def _rest(self, channel: Channel) -> None:
        self._idle[channel.stream] = channel
        self._idle.move_to_end(channel.stream)
        while len(self._idle) > IDLE_CHANNELS:
            self._drop(next(iter(self._idle)))

    def _drop(self, stream: str) -> None:
        self._idle.pop(stream, None)
        channel = self._channels.pop(stream)
        self.behind.discard(channel)
        self._kept -= channel.size

    # ---- what happens -----------------------------------------------------------------

    def publish(self, events: Iterable[Envelope], epoch: str | None = None) -> None:
        """Tell the followers. Each event is encoded once, however many there are, and those of
        one stream go out together. Whose channel is of another epoch must fetch afresh."""
        self.publish_frames(
            ((event.stream, event.seq, event.ts, event.frame) for event in events), epoch
        )

    def publish_frames(
        self,
        events: Iterable[tuple[str, int, datetime, Callable[[], str]]],
        epoch: str | None = None,
    ) -> None:
        fresh: dict[Channel, list[bytes]] = {}
        for stream, seq, at, text in events:
            channel = self._channels.get(stream)
            if channel is None:
                continue
            if epoch is not None and epoch != channel.epoch:
                self._lose(channel)
                continue
            if seq <= channel.head:
                continue
            channel.told = max(channel.told, seq)
            if seq == channel.head + 1:
                frame = text_frame(text())
                self._keep(channel, Kept(at, frame))
                fresh.setdefault(channel, []).append(frame)
            elif channel not in self.behind:
                self.behind.add(channel)
                self.on_gap()
        for channel, frames in fresh.items():
            if channel.head >= channel.told:
                self.behind.discard(channel)
            if channel.followers:
                self._lots.append(Lot(channel, frames))
        if self._lots and not self._serving:
            self._serve()

    def notice(self, stream: str, epoch: str, head: int) -> None:
        """The log has come to ``head``, whoever numbered it; a channel that lacks it reads it."""
        channel = self._channels.get(stream)
        if channel is None:
            return
        if epoch != channel.epoch:
            self._lose(channel)
        elif head > channel.head:
            channel.told = max(channel.told, head)
            if channel not in self.behind:
                self.behind.add(channel)
                self.on_gap()

    def lost(self, stream: str) -> None:
        """The log lacks what was published: it was set back under a running server."""
        channel = self._channels.get(stream)
        if channel is not None:
            self._lose(channel)

    def _lose(self, channel: Channel) -> None:
        followers = list(channel.followers)
        for follower in followers:
            self.leave_all(follower)
        if self._channels.get(channel.stream) is channel:
            self._drop(channel.stream)
        for follower in followers:
            follower.on_log_lost()

    def _serve(self) -> None:
        left = PORTION
        while self._lots and left > 0:
            lot = self._lots[0]
            served = lot.followers[lot.at : lot.at + left]
            lot.at += len(served)
            left -= len(served)
            self._deliver(lot, served)
            if lot.at >= len(lot.followers):
                self._lots.popleft()
        self._serving = bool(self._lots)
        if self._serving:
            asyncio.get_running_loop().call_soon(self._serve)

    def _deliver(self, lot: Lot, followers: Sequence[Follower]) -> None:
        whole, count = lot.whole, len(lot.frames)
        alone = len(self._lots) == 1
        if alone and lot.turnover == lot.channel.turnover:  # everybody is still where they were
            for follower in followers:
                follower.push_now(whole, count)
            return
        places, last, frames = lot.channel.followers, lot.last, lot.frames
        for follower in followers:
            at = places.get(follower, last)  # who has left wants nothing more
            if at <= last - count:
                follower.push(whole, count)
            elif at < last:  # left and came back while this was on its way
                missing = frames[at - last :]
                follower.push(b"".join(missing), len(missing))

    # ---- the rings --------------------------------------------------------------------

    def _keep(self, channel: Channel, kept: Kept) -> None:
        ring = channel.ring
        if ring is None:
            ring = channel.ring = deque()
        channel.head += 1
        ring.append(kept)
        self._weigh(channel, len(kept.frame))
        while len(ring) > self._keep_events or channel.size > self._keep_bytes:
            channel.floor = channel.first + 1
            self._weigh(channel, -len(ring.popleft().frame))
        if self._kept > KEPT_IN_ALL:
            self._thin_out(channel)

    def extend_back(self, channel: Channel, older: Sequence[Kept]) -> None:
        """Put what came before the ring in front of it, as far as there is room."""
        ring = channel.ring
        if ring is None:
            ring = channel.ring = deque()
        for kept in reversed(older):
            if len(ring) >= self._keep_events or channel.size + len(kept.frame) > self._keep_bytes:
                channel.floor = channel.first
                return
            ring.appendleft(kept)
            self._weigh(channel, len(kept.frame))

    def _weigh(self, channel: Channel, size: int) -> None:
        channel.size += size
        self._kept += size

    def _thin_out(self, but: Channel) -> None:
        """Empty the rings that nobody follows, then the others; they can be read again."""
        for channel in [*self._idle.values(), *self._channels.values()]:
            if self._kept <= KEPT_IN_ALL // 2:
                return
            if channel is not but and channel.ring:
                channel.ring = None
                self._weigh(channel, -channel.size)

    # ---- what is not of the log -------------------------------------------------------

    def publish_volatile(self, channel: Channel, key: str, frame: bytes) -> None:
        """The latest value of something that changes often. Newcomers get it too; whoever is
        behind goes without until it has caught up."""
        if channel.volatile is None:
            channel.volatile = {}
        channel.volatile[key] = frame
        self._volatile(list(channel.followers), channel, key, 0)

    def _volatile(self, followers: list[Follower], channel: Channel, key: str, start: int) -> None:
        frame = (channel.volatile or {}).get(key)
        if frame is None:
            return
        for follower in followers[start : start + PORTION]:
            if follower in channel.followers:
                follower.push_volatile(frame)
        if start + PORTION < len(followers):
            loop = asyncio.get_running_loop()
            loop.call_soon(self._volatile, followers, channel, key, start + PORTION)
