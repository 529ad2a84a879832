"""A follower that only writes down what it gets."""

import json

from notifications.hub import Channel, Hub


def said(frame: bytes) -> list[dict[str, object]]:
    """What stands in one or several text frames from the server."""
    found: list[dict[str, object]] = []
    while frame:
        size, start = frame[1], 2
        if size == 126:
            size, start = int.from_bytes(frame[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(frame[2:10], "big"), 10
        found.append(json.loads(frame[start : start + size]))
        frame = frame[start + size :]
    return found


class Listener:
    """``frames`` as they came, ``counts`` how many events each was said to hold."""

    def __init__(self) -> None:
        self.channels: list[Channel] = []
        self.frames: list[bytes] = []
        self.counts: list[int] = []
        self.volatile: list[bytes] = []
        self.lost = False

    def push(self, frame: bytes, count: int = 1) -> None:
        self.frames.append(frame)
        self.counts.append(count)

    def push_now(self, frame: bytes, count: int = 1) -> None:
        self.push(frame, count)

    def push_volatile(self, frame: bytes) -> bool:
        self.volatile.append(frame)
        return True

    def on_log_lost(self) -> None:
        self.lost = True

    @property
    def got(self) -> list[int]:
        return [int(str(one["seq"])) for frame in self.frames for one in said(frame)]


def joined(hub: Hub, stream: str, *, epoch: str = "e", head: int = 0) -> Listener:
    listener = Listener()
    hub.join(listener, hub.open(stream, epoch, head))
    return listener
