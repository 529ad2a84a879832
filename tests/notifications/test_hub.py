"""The hub may lose, repeat and delay; a follower still gets every event once and in order."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.hub import Behind, Follower, Hub, LogLost
from notifications.messages import Envelope

STREAM = "community:x"


def event(seq: int, stream: str = STREAM) -> Envelope:
    return Envelope(
        stream=stream,
        seq=seq,
        id=UUID(int=seq),
        type="test.happened",
        ts=datetime(2026, 3, 11, tzinfo=UTC),
        data={},
    )


class Reader:
    """Empties a follower's queue as the socket does, from a log that lives in a list."""

    def __init__(self, hub: Hub, log: list[Envelope], pauses: Sequence[int]) -> None:
        self.hub = hub
        self.log = log
        self.got: list[int] = []
        self.follower = Follower(lambda: None)
        self._pauses = iter(pauses)

    async def pause(self) -> None:
        """Lets the others go first, sometimes."""
        for _ in range(next(self._pauses, 0)):
            await asyncio.sleep(0)

    async def send(self, frame: str) -> None:
        await self.pause()
        self.got.append(Envelope.model_validate_json(frame).seq)

    async def read_log(self, stream: str, after: int) -> list[Envelope]:
        await self.pause()
        snapshot = self.log[after : after + 3]
        await self.pause()
        return snapshot

    async def run(self, after: int) -> None:
        place = self.hub.join(self.follower, STREAM)
        await self.pause()
        missed = self.log[after:]
        await self.pause()
        for one in missed:
            await self.send(one.frame())
        place.at = after + len(missed)
        await self.follower.catch_up(STREAM, self.read_log, self.send)
        while True:
            match await self.follower.next():
                case str(frame):
                    await self.send(frame)
                case Behind(stream):
                    await self.follower.catch_up(stream, self.read_log, self.send)


FATES = st.lists(
    st.sampled_from(["publish", "publish", "publish", "lose", "repeat", "late", "notice", "pause"]),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(fates=FATES, pauses=st.lists(st.integers(0, 4), max_size=80), before=st.integers(0, 4))
def test_every_event_comes_once_and_in_order_whatever_the_hub_does(
    fates: list[str], pauses: list[int], before: int
) -> None:
    async def story() -> tuple[list[int], int]:
        hub = Hub()
        log = [event(seq) for seq in range(1, before + 1)]
        reader = Reader(hub, log, pauses)
        task = asyncio.create_task(reader.run(after=0))
        late: list[Envelope] = []
        for fate in fates:
            if fate == "pause":
                await asyncio.sleep(0)
                continue
            if fate == "notice":
                hub.notice(STREAM, len(log))
                continue
            log.append(event(len(log) + 1))
            match fate:
                case "publish":
                    hub.publish([log[-1]])
                case "repeat":
                    hub.publish(log[-2:])
                case "late":
                    late.append(log[-1])
                case "lose":
                    pass
            await asyncio.sleep(0)
        hub.publish(late)
        hub.notice(STREAM, len(log))  # the poll behind it
        for _ in range(1000):
            await asyncio.sleep(0)
            if len(reader.got) >= len(log):
                break
        for _ in range(20):  # for what might come twice
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return reader.got, len(log)

    got, length = asyncio.run(story())

    assert got == list(range(1, length + 1))


async def test_a_frame_is_encoded_once_for_all_followers() -> None:
    hub = Hub()
    followers = [Follower(lambda: None) for _ in range(3)]
    for follower in followers:
        hub.join(follower, STREAM).reading = False
    hub.publish([event(1)])
    frames = [await follower.next() for follower in followers]

    assert frames[0] is frames[1] is frames[2]


async def test_a_follower_that_does_not_keep_up_is_given_up_once() -> None:
    hub, calls = Hub(), []
    follower = Follower(lambda: calls.append(1), max_frames=3)
    hub.join(follower, STREAM).reading = False
    hub.publish([event(seq) for seq in range(1, 9)])

    assert calls == [1]


async def test_characters_are_bounded_too_and_given_back_when_sent() -> None:
    calls: list[int] = []
    size = len(event(1).frame())
    hub, follower = Hub(), Follower(lambda: calls.append(1), max_characters=2 * size)
    hub.join(follower, STREAM).reading = False
    for seq in range(1, 6):
        hub.publish([event(seq)])
        await follower.next()
    assert calls == []
    hub.publish([event(seq) for seq in (6, 7, 8)])
    assert calls == [1]


async def test_after_leaving_nothing_more_comes_even_from_the_queue() -> None:
    hub, follower = Hub(), Follower(lambda: None)
    hub.join(follower, STREAM).reading = False
    hub.publish([event(1)])
    hub.leave(follower, STREAM)
    hub.publish([event(2)])
    follower.put("marker")

    assert await follower.next() == "marker"
    assert hub.streams == []


async def test_joining_again_forgets_what_was_queued_for_the_old_place() -> None:
    hub, follower = Hub(), Follower(lambda: None)
    hub.join(follower, STREAM).reading = False
    hub.publish([event(1)])
    place = hub.join(follower, STREAM)
    place.reading, place.at = False, 1
    hub.publish([event(2)])

    assert Envelope.model_validate_json(str(await follower.next())).seq == 2


async def test_a_log_that_was_set_back_is_noticed() -> None:
    hub, follower = Hub(), Follower(lambda: None)
    hub.join(follower, STREAM)
    hub.notice(STREAM, 5)

    async def nothing(stream: str, after: int) -> list[Envelope]:
        return []

    async def send(frame: str) -> None:
        raise AssertionError(frame)

    with pytest.raises(LogLost):
        await follower.catch_up(STREAM, nothing, send)
