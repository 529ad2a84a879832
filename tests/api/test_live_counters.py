"""What the socket shows that is not of the log: who is here, and turnout."""

import asyncio
import time
from typing import Any

import pytest

from consultation.events.streams import poll_stream
from consultation.polls.rules import PollState
from consultation.polls.tables import PollTurnout
from consultation.topics.states import State
from tests.live import Phone, Town, phone
from tests.notifications.test_streams import a_poll
from tests.world import a_topic

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def shows(one: Phone, stream: str, key: str, value: dict[str, int]) -> None:
    """Wait until the last value is this one."""
    async with asyncio.timeout(15):
        while one.volatile.get((stream, key)) != value:
            await one.say(type="ping", t=0)
            await one.control("pong")
            await asyncio.sleep(0.1)


async def test_people_are_counted_once_and_for_seventy_seconds(town: Town) -> None:
    live = town.services.live
    async with phone(town.url) as one, phone(town.url) as same, phone(town.url) as other:
        await one.hello(town.token("resident1"), {"id": town.stream})
        await same.hello(town.token("resident1"), {"id": town.stream})
        await other.hello(town.token("resident2"), {"id": town.stream})
        await shows(one, town.stream, "online", {"count": 2})
        await other.socket.close()
        await asyncio.sleep(1.5)
        await shows(one, town.stream, "online", {"count": 2})  # nobody left: the lease runs on

        leases = live.presence._leases[town.stream]
        leases[town.world.id("resident2")] -= 71
        live.presence._swept -= 71
        await shows(one, town.stream, "online", {"count": 1})
        async with phone(town.url) as newcomer:  # is told what is known, at once
            await newcomer.hello(town.token("resident1"), {"id": town.stream})
            await shows(newcomer, town.stream, "online", {"count": 1})
    assert "user:" not in str(live.presence._leases)


async def test_values_are_conflated_to_one_a_second(town: Town) -> None:
    counters = town.services.live.counters
    async with phone(town.url) as one:
        await one.hello(town.token(), {"id": town.stream})
        came: list[dict[str, Any]] = []
        began = time.monotonic()
        while time.monotonic() - began < 2.5:
            for count in range(100, 200):
                counters.offer(town.stream, "online", {"count": count})
            counters.send_due()
            await asyncio.sleep(0.05)
            await one.say(type="ping", t=0)
            await one.control("pong")
            if (value := one.volatile.get((town.stream, "online"))) and (
                not came or came[-1] is not value
            ):
                came.append(value)
    assert {"count": 199} in came
    assert len(came) <= 4
    assert one.events == []


async def test_turnout_of_an_open_poll_is_shown_as_its_preset_says(town: Town) -> None:
    db, world = town.services.db, town.world
    topic = await a_topic(db, world, state=State.VOTING)
    shown = await a_poll(db, world, topic, PollState.OPEN)
    other = await a_topic(db, world, state=State.VOTING)
    hidden = await a_poll(db, world, other, PollState.ANNOUNCED)
    async with db.begin() as tx:
        hidden.preset = hidden.preset.model_copy(update={"live_turnout": False})
        hidden.state = PollState.OPEN
        tx.session.add(hidden)
        for poll in (shown, hidden):
            tx.session.add(
                PollTurnout(
                    poll_id=poll.id,
                    shard=3,
                    community_id=poll.community_id,
                    heads=7,
                    area_dm2=65000,
                )
            )
    async with phone(town.url) as one:
        streams = [poll_stream(shown.id), poll_stream(hidden.id)]
        await one.hello(town.token(), *({"id": id} for id in streams))
        await shows(one, streams[0], "turnout", {"heads": 7, "area_dm2": 65000})
    assert (streams[1], "turnout") not in one.volatile
