"""Who may stay on an open socket, and for how long: rights that end."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlmodel import col, update

from api.live import rights
from api.tables import LoginSession
from consultation.community.tables import RoleAssignment
from consultation.database import Database, statements
from consultation.events.streams import topic_stream, user_stream
from consultation.events.topics import TopicCosigned
from consultation.permissions import Role
from consultation.topics.states import State
from consultation.topics.tables import CoSignature
from notifications.wechat.tables import AccountKind, WechatAccount
from tests.conftest import ManualClock
from tests.live import Town, phone
from tests.notifications.test_sights import neighbours
from tests.world import World, a_topic

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SOON = 5.0
"""Seconds within which a right that ended must have ended on open sockets."""


async def a_session(db: Database, world: World, name: str) -> UUID:
    async with db.begin() as tx:
        account = WechatAccount(
            id=uuid4(),
            app_id="app",
            openid=uuid4().hex,
            kind=AccountKind.MINI_PROGRAM,
            person_id=world.id(name),
            created_at=tx.now,
            last_login_at=tx.now,
        )
        tx.session.add(account)
        await tx.session.flush()
        session = LoginSession(
            id=uuid4(),
            account_id=account.id,
            created_at=tx.now,
            last_used_at=tx.now,
            expires_at=tx.now + timedelta(days=30),
        )
        tx.session.add(session)
    return session.id


async def test_a_session_that_is_ended_ends_its_sockets_and_lets_none_in(town: Town) -> None:
    """With the shipped settings: nothing is told to the socket, it looks by itself."""
    services, me = town.services, town.world.id("resident1")
    session = await a_session(services.db, town.world, "resident1")
    token = services.tokens.issue(me, session, uuid4())
    async with (
        phone(town.url) as one,
        phone(town.url) as other_session,
        httpx.AsyncClient(trust_env=False, base_url=town.url) as http,
    ):
        await one.hello(token, {"id": town.stream})
        await other_session.hello(town.token("resident1"), {"id": town.stream})
        answer = await http.delete(
            f"/v1/me/sessions/{session}", headers={"authorization": f"Bearer {token}"}
        )
        assert answer.status_code in (200, 204), answer.text
        began = time.monotonic()
        assert await one.closed() == (4401, "session-ended")
        assert time.monotonic() - began < SOON

        async with phone(town.url) as again:
            await again.say(type="hello", token=token, streams=[])
            assert await again.closed() == (4401, "session-ended")
        await town.happen()
        await other_session.until(1)


async def test_who_comes_while_roles_and_sights_are_looked_at_stays(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer of a look is about those it asked for, not about who came meanwhile."""
    services, world = town.services, town.world
    clerk, official = (
        str(world.assignments[name, role].id)
        for name, role in (("clerk", Role.CLERK), ("official", Role.GOVERNMENT))
    )
    hidden, another = [await a_topic(services.db, world) for _ in range(2)]
    look, running = services.live.sights.look, rights.assignments_running
    async with phone(town.url) as first, phone(town.url) as later:
        await first.hello(town.token("clerk"), {"id": topic_stream(another.id)}, role=clerk)
        came = asyncio.Event()
        let_on = asyncio.Event()

        async def slow_roles(*asked: Any) -> Any:
            found = await running(*asked)
            came.set()
            await let_on.wait()
            return found

        async def slow_sight(*asked: Any) -> Any:
            seen = await look(*asked)
            came.set()
            await let_on.wait()
            return seen

        monkeypatch.setattr(rights, "assignments_running", slow_roles)
        await asyncio.wait_for(came.wait(), 10)
        await later.hello(
            town.token("official"), {"id": user_stream(world.id("official"))}, role=official
        )
        let_on.set()
        monkeypatch.setattr(rights, "assignments_running", running)

        came.clear()
        let_on.clear()
        monkeypatch.setattr(services.live.sights, "look", slow_sight)
        await asyncio.wait_for(came.wait(), 10)
        monkeypatch.setattr(services.live.sights, "look", look)
        answer = await first.subscribe({"id": topic_stream(hidden.id)})
        assert answer["streams"][0]["head_seq"] is not None
        let_on.set()
        await asyncio.sleep(0.5)
        for one in (first, later):
            await one.say(type="ping", t=1)
            await one.control("pong")


async def test_a_role_that_ends_ends_the_sockets_under_it(town: Town, clock: ManualClock) -> None:
    clerk = town.world.assignments["clerk", Role.CLERK]
    async with phone(town.url) as in_role, phone(town.url) as as_person:
        await in_role.hello(town.token("clerk"), {"id": town.stream}, role=str(clerk.id))
        await as_person.hello(town.token("clerk"), {"id": town.stream})
        async with town.services.db.begin() as tx:
            await tx.session.exec(
                update(RoleAssignment)
                .where(col(RoleAssignment.id) == clerk.id)
                .values(valid_to=tx.now)
            )
        began = time.monotonic()
        assert await in_role.closed() == (4403, "role-not-held")
        assert time.monotonic() - began < SOON
        async with phone(town.url) as again:
            await again.say(type="hello", token=town.token("clerk"), role=str(clerk.id), streams=[])
            assert await again.closed() == (4403, "role-not-held")
        await town.happen()
        await as_person.until(1)


async def test_sight_that_is_lost_is_lost_on_open_sockets(town: Town) -> None:
    """A co-signer takes the name back: what is not public yet is no longer for them."""
    db, world = town.services.db, town.world
    topic = await a_topic(db, world, state=State.RETURNED, author="resident2")
    stream = topic_stream(topic.id)
    async with db.begin() as tx:
        tx.session.add(
            CoSignature(
                topic_id=topic.id,
                person_id=world.id("resident3"),
                community_id=world.community.id,
                at=tx.now,
            )
        )
    async with phone(town.url) as co_signer, phone(town.url) as author:
        for one, name in ((co_signer, "resident3"), (author, "resident2")):
            welcome = await one.hello(town.token(name), {"id": stream}, {"id": town.stream})
            assert welcome["streams"][0]["reason"] == "no_cursor"
        async with db.begin() as tx:
            signature = await tx.session.get(CoSignature, (topic.id, world.id("resident3")))
            assert signature is not None
            await tx.session.delete(signature)
        began = time.monotonic()
        lost = await co_signer.control("unsubscribed")
        assert lost == {"type": "unsubscribed", "streams": [stream], "reason": "not_found"}
        assert time.monotonic() - began < SOON

        async with db.begin() as tx:
            tx.emit(TopicCosigned(community_id=None, topic_id=topic.id, co_signers=0))
        await town.happen()
        await co_signer.until(1)
        while len(author.events) < 2:
            await author.frame()
    assert [event["stream"] for event in co_signer.events] == [town.stream]
    assert {event["stream"] for event in author.events} == {stream, town.stream}


async def test_those_who_follow_what_is_hidden_are_looked_at_together(town: Town) -> None:
    db, world = town.services.db, town.world
    topic = await a_topic(db, world, author="resident2", open_to_cosign=True)
    stream = topic_stream(topic.id)
    async with AsyncExitStack() as phones:

        async def cost(people: Sequence[UUID]) -> int:
            for id in people:
                one = await phones.enter_async_context(phone(town.url))
                token = town.services.tokens.issue(id, uuid4(), uuid4())
                welcome = await one.hello(token, {"id": stream})
                assert welcome["streams"][0]["reason"] == "no_cursor"
            counter = [0]
            token = statements.set(counter)
            await town.services.live.rights._look_at_hidden()
            statements.reset(token)
            return counter[0]

        few = await cost(await neighbours(db, world, 3))
        assert await cost(await neighbours(db, world, 30)) == few <= 8


async def test_a_session_ends_in_time_while_the_look_at_what_is_hidden_takes_long(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, looking = town.services, asyncio.Event()

    async def for_ever(*_: Any) -> Any:
        looking.set()
        await asyncio.Event().wait()

    session = await a_session(services.db, town.world, "resident1")
    topic = await a_topic(services.db, town.world, author="resident2")
    async with phone(town.url) as one, phone(town.url) as author:
        await author.hello(town.token("resident2"), {"id": topic_stream(topic.id)})
        monkeypatch.setattr(services.live.sights, "look", for_ever)
        token = services.tokens.issue(town.world.id("resident1"), session, uuid4())
        await one.hello(token, {"id": town.stream})
        async with asyncio.timeout(SOON):
            await looking.wait()
        async with services.db.begin() as tx:
            ended = update(LoginSession).where(col(LoginSession.id) == session)
            await tx.session.exec(ended.values(revoked_at=tx.now))
        async with asyncio.timeout(SOON):
            assert await one.closed() == (4401, "session-ended")
