"""Where a snapshot and a gap meet the stream."""

import httpx
import pytest

from consultation.events.streams import poll_stream, topic_stream
from consultation.events.topics import TopicCosigned
from consultation.polls.rules import PollState
from consultation.topics.states import State
from tests.live import Town, phone
from tests.notifications.test_streams import a_poll
from tests.world import a_topic

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_a_snapshot_says_where_its_stream_stood(town: Town) -> None:
    db, world = town.services.db, town.world
    topic = await a_topic(db, world, state=State.VOTING)
    poll = await a_poll(db, world, topic, PollState.ANNOUNCED)
    async with db.begin() as tx:
        tx.emit(TopicCosigned(community_id=None, topic_id=topic.id, co_signers=3))
    await town.services.relay.drain()
    async with httpx.AsyncClient(trust_env=False, base_url=town.url) as http:
        for path, stream in (
            (f"topics/{topic.id}", topic_stream(topic.id)),
            (f"polls/{poll.id}", poll_stream(poll.id)),
            (f"communities/{world.community.id}", town.stream),
        ):
            as_of = (await http.get(f"/v1/{path}")).json()["as_of"]
            head = await town.head(stream)
            assert as_of == {"epoch": head["epoch"], "seq": head["head_seq"]}
            async with phone(town.url) as one:
                cursor = {"id": stream, "epoch": as_of["epoch"], "after_seq": as_of["seq"]}
                assert (await one.hello(town.token(), cursor))["streams"][0]["recovered"]


async def test_a_gap_is_filled_by_resuming_that_stream(town: Town) -> None:
    async with phone(town.url) as one:
        welcome = await one.hello(town.token(), {"id": town.stream})
        await town.happen(3)
        await one.until(3)
        one.events.clear()
        epoch = welcome["streams"][0]["epoch"]
        cursor = {"id": town.stream, "epoch": epoch, "after_seq": 1}
        await one.say(type="resume", streams=[cursor])
        assert (await one.control("subscribed"))["streams"][0]["recovered"]
        await one.control("live")
    assert [event["seq"] for event in one.events] == [2, 3]
