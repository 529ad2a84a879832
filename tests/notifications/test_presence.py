"""How many are here, whichever process their phones talk to."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from notifications import presence
from notifications.bus import Hear
from notifications.hub import Hub
from notifications.presence import Presence
from notifications.volatile import Counters
from tests.notifications.listening import Listener, joined, said

STREAM = "topic:1"
ME, YOU = uuid4(), uuid4()


class Wire:
    """Between two processes."""

    shared = True

    def __init__(self) -> None:
        self.hears: dict[str, Hear] = {}
        self.other: Wire | None = None

    def on(self, kind: str, hear: Hear) -> None:
        self.hears[kind] = hear

    def on_return(self, call: Callable[[], None]) -> None: ...

    def tell(self, kind: str, **content: Any) -> None:
        assert self.other is not None
        self.other.hears[kind](content)

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class Process:
    def __init__(self) -> None:
        self.hub, self.wire = Hub(), Wire()
        self.presence = Presence(self.hub, self.wire)
        self.counters = Counters(self.hub, every_seconds=0)

    def tell(self) -> None:
        """As the counters do every second."""
        self.presence.share()
        self.presence.sweep()
        changed, self.presence.changed = self.presence.changed, set()
        for stream in changed:
            self.counters.offer(stream, "online", {"count": self.presence.count(stream)})
        self.counters.send_due()


def processes() -> tuple[Process, Process]:
    one, other = Process(), Process()
    one.wire.other, other.wire.other = other.wire, one.wire
    return one, other


def counts(listener: Listener) -> list[Any]:
    return [one["data"] for frame in listener.volatile for one in said(frame)]


async def test_who_comes_first_to_a_process_finds_those_who_are_at_another() -> None:
    """Nobody follows the stream here when the other process tells of them."""
    one, other = processes()
    joined(one.hub, STREAM)
    one.presence.renew(ME, [STREAM])
    one.tell()

    here = joined(other.hub, STREAM)
    other.presence.renew(YOU, [STREAM])
    other.tell()

    assert counts(here) == [{"count": 2}]


async def test_a_person_with_phones_at_two_processes_is_told_the_count_at_both() -> None:
    one, other = processes()
    joined(one.hub, STREAM)
    one.presence.renew(ME, [STREAM])
    one.tell()

    here = joined(other.hub, STREAM)
    other.presence.renew(ME, [STREAM])
    other.tell()

    assert counts(here) == [{"count": 1}]


async def test_a_channel_that_opens_anew_is_told_the_same_count_again() -> None:
    """As after the log was renewed."""
    [one, _] = processes()
    before = joined(one.hub, STREAM)
    one.presence.renew(ME, [STREAM])
    one.tell()
    one.hub.lost(STREAM)
    await asyncio.sleep(0.01)  # values are sent at most so often
    after = joined(one.hub, STREAM)
    one.presence.renew(ME, [STREAM])
    one.tell()

    assert counts(before) == counts(after) == [{"count": 1}]


async def test_what_nobody_follows_here_is_kept_up_to_a_bound_and_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(presence, "HELD", 3)
    one, other = processes()
    people = [uuid4() for _ in range(5)]
    joined(one.hub, STREAM)
    for person in people:
        one.presence.renew(person, [STREAM])
    one.presence.share()
    assert (one.presence.count(STREAM), other.presence.count(STREAM)) == (5, 3)

    joined(other.hub, "topic:2")  # of what is followed here, everybody is kept
    for person in people:
        other.presence.renew(person, ["topic:2", f"user:{person}"])
    assert other.presence.count("topic:2") == 5

    later = asyncio.get_running_loop().time() + presence.LEASE_SECONDS
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: later)
    other.presence.sweep()
    assert other.presence._leases == {}
    assert other.presence._held == 0
