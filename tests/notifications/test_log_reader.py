"""A channel that opens, or is behind, has what the log has, whatever happens at that moment."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any
from uuid import UUID, uuid4

import pytest

from consultation.database import Database
from consultation.events.community import RegisterImported
from consultation.events.streams import community_stream
from consultation.journal import Head, entries_after, heads
from notifications import log_reader, relay
from notifications.hub import Hub
from notifications.log_reader import STREAMS, LogReader
from notifications.messages import Cursor
from notifications.relay import Relay
from notifications.replay import Bounds
from tests.notifications.listening import Listener


async def happen(db: Database, stream: str) -> None:
    async with db.begin() as tx:
        community = UUID(stream.removeprefix("community:"))
        tx.emit(RegisterImported(community_id=community, kind="test", rows=1))


async def head_of(db: Database, stream: str) -> int:
    async with db.read() as tx:
        found = await heads(tx.session, [stream])
    assert found is not None
    return found[stream].seq


def streams(count: int) -> list[str]:
    return [community_stream(uuid4()) for _ in range(count)]


def after_first_heads(monkeypatch: pytest.MonkeyPatch, do: Callable[[], Awaitable[Any]]) -> None:
    """This happens while the first answer of the database about heads is on its way."""

    async def late(session: Any, asked: Collection[str]) -> dict[str, Head] | None:
        monkeypatch.setattr(log_reader, "heads", heads)
        found = await heads(session, asked)
        await do()
        return found

    monkeypatch.setattr(log_reader, "heads", late)


@pytest.mark.parametrize("count", [1, STREAMS + 1])
async def test_what_is_published_while_a_channel_opens_is_not_missed(
    db: Database, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Nobody hears of it: there is no channel yet. With more streams than one statement asks for,
    the last of them are read in the snapshot of the first."""
    hub, many = Hub(), streams(count)
    numbering = Relay(db, hub)
    await numbering.drain()
    await numbering.compare()
    reader = LogReader(db, hub, Bounds())

    async def meanwhile() -> None:
        await happen(db, many[-1])
        assert await numbering.drain() == 1

    after_first_heads(monkeypatch, meanwhile)
    await reader.reach([Cursor(id=stream, after_seq=0) for stream in many])
    channel = hub.channel(many[-1])
    assert channel is not None
    follower = Listener()
    hub.join(follower, channel)
    told = channel.head
    await numbering.compare()
    await reader.settle()

    assert channel.head == await head_of(db, many[-1]) == 1
    assert follower.got == list(range(told + 1, 2))


async def test_a_look_at_the_log_does_not_miss_a_channel_that_opens_meanwhile(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process numbers, its message is lost, and what we compare with is already counted."""
    hub, [stream] = Hub(), streams(1)
    looking = Relay(db, hub)
    await looking.drain()
    await looking.compare()
    reader = LogReader(db, hub, Bounds())
    counts = relay.shard_counts

    async def late(session: Any) -> Any:
        await reader.reach([Cursor(id=stream, after_seq=0)])
        await happen(db, stream)
        assert await Relay(db, Hub()).drain() == 1
        return await counts(session)

    monkeypatch.setattr(relay, "shard_counts", late)
    await looking.compare()
    monkeypatch.setattr(relay, "shard_counts", counts)
    await looking.compare()
    await reader.settle()

    channel = hub.channel(stream)
    assert channel is not None
    assert channel.head == await head_of(db, stream) == 1


async def test_a_read_that_fails_is_done_again(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else happens that would bring anybody back to it: no later event of the stream, and
    for the relay the counts are known."""
    monkeypatch.setattr(log_reader, "AGAIN_SECONDS", 0.01)
    hub, [stream] = Hub(), streams(1)
    looking = Relay(db, hub)
    await looking.drain()
    await looking.compare()
    reader = LogReader(db, hub, Bounds())
    await reader.reach([Cursor(id=stream)])
    channel = hub.channel(stream)
    assert channel is not None
    follower = Listener()
    hub.join(follower, channel)
    failed = 0

    async def broken(*_: Any, **__: Any) -> Any:
        nonlocal failed
        failed += 1
        raise OSError("the connection is gone")

    monkeypatch.setattr(log_reader, "entries_after", broken)
    await happen(db, stream)
    await Relay(db, Hub()).drain()  # another process, whose message is lost
    await looking.compare()
    async with asyncio.timeout(10):
        while failed < 3:  # noqa: ASYNC110  it tries in its own time
            await asyncio.sleep(0.01)
    assert channel.head == 0
    monkeypatch.setattr(log_reader, "entries_after", entries_after)
    async with asyncio.timeout(10):
        while channel.head < 1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    assert follower.got == [1]
    assert not hub.behind


async def test_who_stops_does_not_try_again(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_reader, "AGAIN_SECONDS", 0.01)
    hub, [stream] = Hub(), streams(1)
    reader = LogReader(db, hub, Bounds())
    failed = 0

    async def broken(*_: Any, **__: Any) -> Any:
        nonlocal failed
        failed += 1
        raise OSError("the database is gone")

    monkeypatch.setattr(log_reader, "heads", broken)
    hub.open(stream, "e", 0)
    hub.notice(stream, "e", 1)
    await reader.stop()
    await asyncio.sleep(0.05)

    assert failed == 1
    assert hub.behind
