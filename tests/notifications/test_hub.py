"""The hub may lose, repeat and delay; a follower still gets every event once and in order."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.hub import PORTION, Channel, Hub
from notifications.messages import Cursor, Envelope, Reason
from notifications.replay import Bounds, resume
from tests.notifications.listening import Listener, joined, said

STREAM = "community:x"
NOW = datetime(2026, 3, 11, tzinfo=UTC)


def event(seq: int, stream: str = STREAM, data: dict[str, str] | None = None) -> Envelope:
    return Envelope(
        stream=stream, seq=seq, id=UUID(int=seq), type="test.happened", ts=NOW, data=data or {}
    )


def events(seqs: Iterable[int], stream: str = STREAM) -> list[Envelope]:
    return [event(seq, stream) for seq in seqs]


class Log:
    """The log, and what brings a channel up from it, in a list."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.entries: list[Envelope] = []
        self.asked = 0
        hub.on_gap = self._asked

    def _asked(self) -> None:
        self.asked += 1

    def read(self) -> None:
        for channel in list(self.hub.behind):
            self.hub.publish(self.entries[channel.head : channel.head + 3])


STEP = st.sampled_from(
    ["publish", "publish", "publish", "lose", "repeat", "late", "notice", "read", "pause",
     "join", "leave", "rejoin"]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(steps=st.lists(STEP, max_size=60), crowd=st.sampled_from([0, PORTION + 3]))
def test_every_event_comes_once_and_in_order_whatever_the_hub_does(
    steps: list[str], crowd: int
) -> None:
    """Each listener notes where it came in; what it got must be everything from there on."""

    async def story() -> None:
        hub = Hub()
        log = Log(hub)
        for _ in range(crowd):
            joined(hub, STREAM)
        first = joined(hub, STREAM)
        places: list[tuple[Listener, int]] = [(first, 0)]
        here: list[Listener] = [first]
        late: list[Envelope] = []
        channel = hub.channel(STREAM)
        assert channel is not None
        for step in steps:
            match step:
                case "pause":
                    await asyncio.sleep(0)
                case "notice":
                    hub.notice(STREAM, "e", len(log.entries))
                case "read":
                    log.read()
                case "join" | "rejoin":
                    if step == "rejoin" and here:
                        hub.leave(here[-1], STREAM)
                        here.pop()
                    one = Listener()
                    hub.join(one, channel)
                    places.append((one, channel.head))
                    here.append(one)
                case "leave":
                    if len(here) > 1:
                        hub.leave(here.pop(), STREAM)
                case _:
                    log.entries.append(event(len(log.entries) + 1))
                    if step == "publish":
                        hub.publish([log.entries[-1]])
                    elif step == "repeat":
                        hub.publish(log.entries[-2:])
                    elif step == "late":
                        late.append(log.entries[-1])
        hub.publish(late)
        hub.notice(STREAM, "e", len(log.entries))  # the poll behind it
        while hub.behind:
            log.read()
        while hub._lots:  # noqa: ASYNC110  the hub goes on by itself
            await asyncio.sleep(0)
        last = len(log.entries)
        for listener, place in places:
            if listener in here:
                assert listener.got == list(range(place + 1, last + 1))
            else:
                got = listener.got
                assert got == list(range(place + 1, place + 1 + len(got)))

    asyncio.run(story())


async def test_a_frame_is_encoded_once_for_all_followers() -> None:
    hub = Hub()
    followers = [joined(hub, STREAM) for _ in range(3)]
    hub.publish([event(1)])

    first, second, third = (follower.frames for follower in followers)
    assert first[0] is second[0] is third[0]


async def test_events_of_one_batch_leave_as_one_and_say_how_many_they_are() -> None:
    hub = Hub()
    follower = joined(hub, STREAM)
    hub.publish(events(range(1, 6)))

    assert [len(said(frame)) for frame in follower.frames] == follower.counts == [5]


async def test_a_large_audience_is_served_in_portions() -> None:
    hub = Hub()
    followers = [joined(hub, STREAM) for _ in range(3 * PORTION)]
    hub.publish([event(1)])
    served = []
    for _ in range(4):
        served.append(sum(bool(follower.frames) for follower in followers))
        await asyncio.sleep(0)

    assert served == [PORTION, 2 * PORTION, 3 * PORTION, 3 * PORTION]


async def test_who_leaves_in_the_middle_of_a_broadcast_gets_nothing_more() -> None:
    hub = Hub()
    followers = [joined(hub, STREAM) for _ in range(2 * PORTION)]
    hub.publish([event(1)])
    hub.leave(followers[-1], STREAM)
    came_back = followers[-2]
    hub.leave(came_back, STREAM)
    channel = hub.channel(STREAM)
    assert channel is not None
    hub.join(came_back, channel)  # at the head: the event is replayed to it, not sent
    hub.publish([event(2)])
    for _ in range(4):
        await asyncio.sleep(0)

    assert followers[-1].got == []
    assert came_back.got == [2]
    assert followers[-3].got == [1, 2]


async def test_a_gap_is_read_once_for_all_followers() -> None:
    hub = Hub()
    log = Log(hub)
    followers = [joined(hub, STREAM) for _ in range(5)]
    log.entries = events(range(1, 4))
    hub.publish([event(3)])
    hub.publish([event(3)])
    assert log.asked == 1
    log.read()

    assert hub.behind == set()
    assert [follower.got for follower in followers] == [[1, 2, 3]] * 5


async def test_another_epoch_sends_everybody_away() -> None:
    hub = Hub()
    follower, other = joined(hub, STREAM), joined(hub, "community:y")
    hub.publish([event(1)], "another")

    assert (follower.lost, follower.channels, follower.got) == (True, [], [])
    assert not other.lost
    assert hub.channel(STREAM) is None


# ---- the ring -----------------------------------------------------------------------------


def ring(hub: Hub, count: int, **more: str) -> Channel:
    channel = hub.open(STREAM, "e", 0)
    hub.publish(event(seq, data=more) for seq in range(1, count + 1))
    return channel


def asked(channel: Channel, after: int | None, **bounds: int) -> tuple[Reason | None, list[object]]:
    state, frames = resume(
        channel,
        Cursor(id=STREAM, epoch="e", after_seq=after),
        Bounds(**bounds),  # type: ignore[arg-type]
        left=1000,
        now=NOW,
    )
    assert state.recovered is (state.reason is None)
    return state.reason, [one["seq"] for frame in frames for one in said(frame)]


async def test_a_ring_gives_what_came_after_a_place_and_no_more_than_the_bounds() -> None:
    channel = ring(Hub(), 10)

    assert asked(channel, 7) == (None, [8, 9, 10])
    assert asked(channel, 10) == (None, [])
    assert asked(channel, None) == (Reason.NO_CURSOR, [])
    assert asked(channel, 11) == (Reason.EPOCH, [])
    assert asked(channel, 2, events=5) == (Reason.TOO_MANY, [])


async def test_a_ring_is_bounded_in_events_and_in_bytes() -> None:
    few = ring(Hub(keep_events=5), 12)
    assert (few.first, few.floor) == (8, 8)
    assert asked(few, 6) == (Reason.TOO_MANY, [])
    assert asked(few, 7) == (None, [8, 9, 10, 11, 12])

    big = ring(Hub(keep_bytes=1000), 12, text="x" * 200)
    assert big.size <= 1000
    assert asked(big, big.first - 1)[0] is None
    assert asked(big, big.first - 2)[0] is Reason.TOO_MANY


async def test_channels_without_followers_are_kept_for_a_while_and_then_the_oldest_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("notifications.hub.IDLE_CHANNELS", 3)
    hub = Hub()
    follower = joined(hub, STREAM)
    for n in range(5):
        hub.open(f"topic:{n}", "e", 0)
    assert [stream for stream in hub.heads() if stream != STREAM] == [
        "topic:2",
        "topic:3",
        "topic:4",
    ]
    hub.leave(follower, STREAM)
    assert list(hub.heads()) == [STREAM, "topic:3", "topic:4"]


# ---- what is not of the log ---------------------------------------------------------------


async def test_the_last_volatile_value_is_kept_for_those_who_come() -> None:
    hub = Hub()
    follower = joined(hub, STREAM)
    channel = hub.open(STREAM, "e", 0)
    hub.publish_volatile(channel, "online", b"1")
    hub.publish_volatile(channel, "online", b"2")

    assert follower.volatile == [b"1", b"2"]
    assert channel.volatile == {"online": b"2"}
