"""The live streams on both databases: who may follow, no loss, no duplicate, the HTTP twin."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx

from consultation.database import statements
from consultation.events.streams import community_stream, poll_stream, topic_stream, user_stream
from consultation.events.topics import TopicCosigned
from consultation.permissions import Actor, Role
from consultation.topics.states import State
from notifications.messages import Cursor
from notifications.replay import Bounds, replay
from tests.conftest import ManualClock
from tests.live import Start, Town, notified, phone
from tests.world import a_topic

# ---- no loss, no duplicate ----------------------------------------------------------------


async def test_what_was_missed_while_away_comes_first_and_once(town: Town) -> None:
    seen: list[int] = []
    place: dict[str, Any] = {"id": town.stream}
    for away, here in ((0, 3), (2, 1), (0, 0), (5, 2), (1, 0)):
        await town.numbered(away)
        async with phone(town.url) as one:
            state = (await one.hello(town.token(), place))["streams"][0]
            assert state["recovered"] is ("after_seq" in place)
            assert len(one.events) == away
            if here:
                await town.happen(here)
                await one.until(len(seen) + away + here)
        seen += [event["seq"] for event in one.events]
        place |= {"epoch": state["epoch"], "after_seq": len(seen)}

    assert seen == list(range(1, 15))


async def test_events_that_happen_during_the_replay_are_neither_lost_nor_doubled(
    town: Town,
) -> None:
    await town.numbered()
    head = await town.head()
    going_on = True

    async def busy() -> int:
        count = 1
        while going_on:
            if count - seen[-1] > 90:  # further behind than a replay reaches, nobody catches up
                await asyncio.sleep(0.01)
                continue
            await town.happen(3)
            count += 3
        await town.services.relay.drain()
        return count

    seen = [1]
    writer = asyncio.create_task(busy())
    for _ in range(8):
        place = {"id": town.stream, "epoch": head["epoch"], "after_seq": seen[-1]}
        async with phone(town.url) as one:
            await one.hello(town.token(), place)
            await one.until(seen[-1] + 5)
        seen += [event["seq"] for event in one.events]
    going_on = False
    last = await writer
    async with phone(town.url) as one:
        place = {"id": town.stream, "epoch": head["epoch"], "after_seq": seen[-1]}
        await one.hello(town.token(), place)
        if seen[-1] < last:
            await one.until(last)
    seen += [event["seq"] for event in one.events]

    assert seen == list(range(1, last + 1))


async def test_two_sockets_get_the_same_frames(town: Town) -> None:
    async with phone(town.url) as one, phone(town.url) as two:
        for each in (one, two):
            await each.hello(town.token(), {"id": town.stream})
        await town.happen(5)
        await asyncio.gather(one.until(5), two.until(5))

    assert one.events == two.events
    assert len(one.events) == 5


async def test_who_is_too_far_behind_is_told_to_fetch_afresh_and_goes_on_live(
    start: Start, clock: ManualClock
) -> None:
    async with start(replay_events=5, access_token_seconds=10**7) as town:
        await town.numbered(7)
        epoch = (await town.head())["epoch"]

        async def state(**place: Any) -> tuple[bool, str | None, list[int]]:
            async with phone(town.url) as one:
                welcome = await one.hello(town.token(), {"id": town.stream, **place})
                found = welcome["streams"][0]
                return found["recovered"], found["reason"], [e["seq"] for e in one.events]

        assert await state(epoch=epoch, after_seq=2) == (True, None, [3, 4, 5, 6, 7])
        assert await state(epoch=epoch, after_seq=1) == (False, "too_many", [])
        assert await state(epoch="elsewhen", after_seq=7) == (False, "epoch", [])
        assert await state(epoch=epoch, after_seq=8) == (False, "epoch", [])
        assert await state() == (False, "no_cursor", [])
        clock.advance(hours=73)
        assert await state(epoch=epoch, after_seq=5) == (False, "too_old", [])
        assert await state(epoch=epoch, after_seq=7) == (True, None, [])

        async with phone(town.url) as one:
            await one.hello(town.token(), {"id": town.stream, "epoch": epoch, "after_seq": 1})
            await town.happen()
            await one.until(8)
        assert [event["seq"] for event in one.events] == [8]


async def test_more_characters_than_fit_are_not_replayed(town: Town) -> None:
    me = town.world.id("resident1")
    async with town.services.db.begin() as tx:
        for _ in range(5):
            tx.emit(notified(me, "x" * 14_000))
    await town.services.relay.drain()

    async with phone(town.url) as one:
        welcome = await one.hello(town.token(), {"id": user_stream(me), "after_seq": 0})
    assert welcome["streams"][0]["reason"] == "too_many"
    assert one.events == []
    async with phone(town.url) as one:
        await one.hello(town.token(), {"id": user_stream(me), "after_seq": 1})
    told = [event for event in one.events if event["type"] == "user.notified"]
    assert len(told) == 4  # each with the notice that it put into the inbox


# ---- who may follow what ------------------------------------------------------------------


async def test_unknown_and_forbidden_streams_get_the_same_answer_and_harm_nothing(
    town: Town,
) -> None:
    db = town.services.db
    hidden = await a_topic(db, town.world, state=State.DRAFT, author="resident2")
    refused = [
        topic_stream(hidden.id),
        topic_stream(uuid4()),
        poll_stream(uuid4()),
        user_stream(town.world.id("resident2")),
        community_stream(uuid4()),
        community_stream(town.world.nodes["estate"].id),
        "community:" + str(town.world.community.id).upper(),
        "log",
        "nonsense",
    ]

    async with phone(town.url) as one:
        welcome = await one.hello(town.token(), *({"id": id} for id in [*refused, town.stream]))
        async with db.begin() as tx:
            tx.emit(
                TopicCosigned(
                    community_id=town.world.community.id, topic_id=hidden.id, co_signers=1
                )
            )
        await town.happen()
        await one.until(1)

    for state, id in zip(welcome["streams"], refused, strict=False):
        assert state == {
            "id": id,
            "epoch": None,
            "head_seq": None,
            "recovered": False,
            "reason": "not_found",
        }
    assert [event["stream"] for event in one.events] == [town.stream]


async def test_a_topic_not_yet_public_is_followed_by_its_author_and_by_staff_in_their_role(
    town: Town,
) -> None:
    db, world = town.services.db, town.world
    topic = await a_topic(db, world, state=State.SUBMITTED, author="resident2")
    clerk = world.assignments["clerk", Role.CLERK].id
    stream = {"id": topic_stream(topic.id)}

    async def reason(name: str, **more: Any) -> str:
        async with phone(town.url) as one:
            return (await one.hello(town.token(name), stream, **more))["streams"][0]["reason"]

    assert await reason("resident2") == "no_cursor"
    assert await reason("clerk", role=str(clerk)) == "no_cursor"
    assert await reason("clerk") == "not_found"
    assert await reason("resident1") == "not_found"


async def test_a_hello_costs_the_same_statements_however_many_streams_it_names(town: Town) -> None:
    db, world = town.services.db, town.world
    topics = [await a_topic(db, world, state=State.ANNOUNCED) for _ in range(12)]
    topics += [await a_topic(db, world, author="resident2") for _ in range(12)]
    async with db.begin() as tx:
        for topic in topics:
            tx.emit(TopicCosigned(community_id=topic.community_id, topic_id=topic.id, co_signers=1))
    await town.services.relay.drain()

    async def cost(*ids: str) -> int:
        counter = [0]
        token = statements.set(counter)
        async with db.read(Actor(world.id("resident1"))) as tx:
            found = await replay(tx, [Cursor(id=id, after_seq=0) for id in ids], Bounds())
        statements.reset(token)
        assert sum(len(one.events) for one in found) >= 1
        return counter[0]

    few = await cost(topic_stream(topics[0].id), topic_stream(topics[-1].id), town.stream)
    many = await cost(*(topic_stream(topic.id) for topic in topics), town.stream)

    assert few == many <= 8


# ---- the HTTP twin ------------------------------------------------------------------------


async def test_the_twin_answers_as_the_socket_does(town: Town) -> None:
    await town.numbered(4)
    address = f"/v1/streams/{town.stream}/events"
    async with httpx.AsyncClient(trust_env=False, base_url=town.url) as http:
        epoch = (await town.head())["epoch"]
        for place in (
            {"after_seq": 1, "epoch": epoch},
            {"after_seq": 4, "epoch": epoch},
            {"after_seq": 9, "epoch": epoch},
            {"after_seq": 1, "epoch": "elsewhen"},
            {},
        ):
            async with phone(town.url) as one:
                welcome = await one.hello(town.token(), {"id": town.stream, **place})
            query = {"after" if name == "after_seq" else name: v for name, v in place.items()}
            answer = (await http.get(address, params=query)).json()
            assert answer.pop("events") == one.events
            assert answer == welcome["streams"][0]

        first = (await http.get(address, params={"after": 0, "limit": 3})).json()
        assert [event["seq"] for event in first["events"]] == [1, 2, 3]
        assert first["head_seq"] == 4
        rest = (await http.get(address, params={"after": 3, "limit": 3})).json()
        assert [event["seq"] for event in rest["events"]] == [4]


async def test_the_twin_hides_what_the_socket_hides(town: Town) -> None:
    hidden = await a_topic(town.services.db, town.world, author="resident2")
    mine = {"authorization": f"Bearer {town.token('resident2')}"}
    async with httpx.AsyncClient(trust_env=False, base_url=town.url) as http:
        for stream in (
            topic_stream(hidden.id),
            topic_stream(uuid4()),
            user_stream(town.world.id("resident2")),
            "nonsense",
        ):
            for address in (f"/v1/streams/{stream}", f"/v1/streams/{stream}/events"):
                answer = await http.get(address)
                assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
        for stream in (topic_stream(hidden.id), user_stream(town.world.id("resident2"))):
            answer = await http.get(f"/v1/streams/{stream}", headers=mine)
            assert answer.json()["head_seq"] == 0
