"""Two communities, phones that subscribe to anything at random, and many events: nobody ever gets
a frame of what is not theirs (trust T02). ``MINYI_LIVE_EVENTS=100000`` sends so many and prints
how many frames came and how many of them were foreign."""

import os
import random
import sys
from contextlib import AsyncExitStack
from uuid import UUID

import pytest

from consultation.database import Database
from consultation.events import (
    Event,
    RegisterImported,
    TopicCosigned,
    UserNotified,
    community_stream,
    topic_stream,
    user_stream,
)
from consultation.topics.states import State
from notifications.streams import in_sight
from tests.live import Start, phone
from tests.world import World, a_topic

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

EVENTS = int(os.environ.get("MINYI_LIVE_EVENTS", "3000"))
BATCH = 250
PEOPLE = ("resident1", "resident2", "resident3", "clerk", "neighbour")


async def streams_of(db: Database, world: World) -> list[tuple[str, UUID | None]]:
    """Streams of both communities, public and not, each with the topic it is about."""
    found: list[tuple[str, UUID | None]] = [
        (community_stream(world.community.id), None),
        (community_stream(world.nodes["other"].id), None),
        *((user_stream(world.id(name)), None) for name in PEOPLE),
    ]
    for state in (State.DRAFT, State.SUBMITTED, State.DELIBERATING):
        for author in ("resident1", "resident2", "neighbour"):
            topic = await a_topic(db, world, author=author, state=state)
            found.append((topic_stream(topic.id), topic.id))
    return found


def an_event(stream: str, topic_id: UUID | None, n: int) -> Event:
    kind, _, name = stream.partition(":")
    if kind == "community":
        return RegisterImported(community_id=UUID(name), kind="test", rows=n)
    if kind == "user":
        return UserNotified(
            community_id=None, person_id=UUID(name), about="x", topic_id=None, subject_id=None
        )
    assert topic_id is not None
    return TopicCosigned(community_id=None, topic_id=topic_id, co_signers=n)


async def test_nobody_gets_a_frame_of_what_is_not_theirs(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(20261125)
    async with start(access_token_seconds=36000) as town:
        db, world = town.services.db, town.world
        streams = await streams_of(db, world)
        ids = [stream for stream, _ in streams]
        allowed: dict[str, set[str]] = {}
        for name in PEOPLE:
            async with db.read(world.as_(name)) as tx:
                allowed[name] = await in_sight(tx, ids)
        assert any(set(ids) - seen for seen in allowed.values())
        came, foreign, missing = 0, 0, 0
        sent = 0
        while sent < EVENTS:
            batches = min(8, -(-(EVENTS - sent) // BATCH))
            async with AsyncExitStack() as stack:
                phones = {name: await stack.enter_async_context(phone(town.url)) for name in PEOPLE}
                asked: dict[str, set[str]] = {}
                for name, one in phones.items():
                    asked[name] = set(rng.sample(ids, rng.randrange(1, len(ids))))
                    welcome = await one.hello(town.token(name), *({"id": id} for id in asked[name]))
                    followed = {s["id"] for s in welcome["streams"] if s["head_seq"] is not None}
                    assert followed == asked[name] & allowed[name]
                happened = dict.fromkeys(ids, 0)
                for _ in range(batches):
                    async with db.begin() as tx:
                        for n in range(BATCH):
                            stream, topic_id = rng.choice(streams)
                            happened[stream] += 1
                            tx.emit(an_event(stream, topic_id, n))
                    sent += BATCH
                await town.services.relay.drain()
                for name, one in phones.items():
                    follows = asked[name] & allowed[name]
                    wanted = sum(happened[stream] for stream in follows)
                    while len(one.events) < wanted:
                        await one.frame()
                    came += len(one.events)
                    foreign += sum(event["stream"] not in follows for event in one.events)
                    foreign += sum(stream not in follows for stream, _ in one.volatile)
                    for stream in follows:
                        got = sum(event["stream"] == stream for event in one.events)
                        missing += happened[stream] - got
    if "MINYI_LIVE_EVENTS" in os.environ:
        with capsys.disabled():
            sys.stdout.write(
                f"\n{sent} events, {came} frames, {foreign} foreign, {missing} missing\n"
            )
    assert (foreign, missing) == (0, 0)
    assert came > sent // 4
