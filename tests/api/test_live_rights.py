"""Who may stay on an open socket, and for how long: rights that end, limits, close codes."""

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
from websockets.exceptions import InvalidStatus

from api.live import rights
from api.live.addresses import Proxies
from api.tables import LoginSession
from consultation.community.tables import RoleAssignment
from consultation.database import Database, statements
from consultation.events.streams import poll_stream, topic_stream, user_stream
from consultation.events.topics import TopicCosigned
from consultation.permissions import Role
from consultation.polls.rules import PollState
from consultation.polls.tables import PollTurnout
from consultation.topics.states import State
from consultation.topics.tables import CoSignature
from notifications.wechat.tables import AccountKind, WechatAccount
from tests.conftest import ManualClock
from tests.live import Phone, Start, Town, phone
from tests.notifications.test_sights import neighbours
from tests.notifications.test_streams import a_poll
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


# ---- rights that end ----------------------------------------------------------------------


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


# ---- limits ------------------------------------------------------------------------------


async def test_one_connection_too_many_replaces_the_oldest_of_that_person(start: Start) -> None:
    async with (
        start(live_per_person=2) as town,
        phone(town.url) as first,
        phone(town.url) as second,
        phone(town.url) as third,
        phone(town.url) as somebody_else,
    ):
        await somebody_else.hello(town.token("resident2"))
        for one in (first, second, third):
            await one.hello(town.token("resident1"), {"id": town.stream})
        assert await first.closed() == (4409, "replaced")
        await town.happen()
        await second.until(1)
        await third.until(1)
        await somebody_else.say(type="ping", t=1)
        await somebody_else.control("pong")


async def test_connections_from_one_address_are_limited_behind_a_trusted_proxy(
    start: Start,
) -> None:
    def from_(*addresses: str) -> dict[str, Any]:
        return {"additional_headers": {"X-Forwarded-For": ", ".join(addresses)}}

    async with (
        start(live_per_address=1) as town,
        phone(town.url, **from_("203.0.113.7")) as one,
        phone(town.url, **from_("198.51.100.9")) as elsewhere,
    ):
        await one.hello(town.token())
        await elsewhere.hello(town.token())
        for chain in (("203.0.113.7",), ("198.51.100.250", "203.0.113.7")):  # the client's own word
            async with phone(town.url, **from_(*chain)) as too_many:
                assert await too_many.closed() == (4429, "retry_after=60")
        async with phone(town.url) as local, phone(town.url) as local_too:
            await local.hello(town.token("resident2"))
            await local_too.hello(town.token("resident2"))
        await one.socket.close()
        async with asyncio.timeout(5):
            while "203.0.113.7" in town.services.live._by_address:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        async with phone(town.url, **from_("203.0.113.7")) as again:
            await again.hello(town.token())


async def nobody_is_left(town: Town) -> None:
    live = town.services.live
    async with asyncio.timeout(5):
        while live.sockets:  # noqa: ASYNC110  the server notices in its own time
            await asyncio.sleep(0.01)
    assert not live._by_address


@pytest.mark.parametrize(
    ("trusted", "counted"), [(["127.0.0.1"], "203.0.113.7"), ([], "127.0.0.1")]
)
async def test_an_address_in_several_lines_is_one_and_leaves_nothing_behind(
    start: Start, trusted: list[str], counted: str
) -> None:
    """Proxies may add a line of their own in place of a word to the last."""
    lines = [("X-Forwarded-For", "198.51.100.250"), ("X-Forwarded-For", "203.0.113.7")]
    async with start(live_per_address=2) as town:
        town.services.live.proxies = Proxies(trusted)
        for _ in range(3):
            async with (
                phone(town.url, additional_headers=lines) as one,
                phone(town.url, additional_headers={"X-Forwarded-For": "203.0.113.7"}) as two,
            ):
                await one.hello(town.token())
                await two.hello(town.token())
                assert dict(town.services.live._by_address) == {counted: 2}
                async with phone(town.url, additional_headers=lines) as too_many:
                    assert await too_many.closed() == (4429, "retry_after=60")
            await nobody_is_left(town)


async def test_two_origins_are_no_handshake(start: Start) -> None:
    async with start(live_origins=["https://minyi.example"]) as town:
        lines = [("Origin", "https://minyi.example"), ("Origin", "https://evil.example")]
        with pytest.raises(InvalidStatus) as refused:
            async with phone(town.url, additional_headers=lines):
                pass
        assert refused.value.response.status_code == 400
        await nobody_is_left(town)


async def test_a_fault_while_a_socket_comes_in_ends_it_and_leaves_nothing_behind(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = town.services.live
    enter = live.enter

    def break_after(*args: Any) -> None:
        enter(*args)
        raise ZeroDivisionError

    monkeypatch.setattr(live, "enter", break_after)
    async with phone(town.url) as one:
        await one.until_lost()
    await nobody_is_left(town)
    monkeypatch.undo()
    async with phone(town.url) as again:
        await again.hello(town.token())


async def test_a_client_that_never_stops_talking_is_told_to_slow_down(town: Town) -> None:
    async with phone(town.url) as one:
        await one.hello(town.token())
        for n in range(300):
            await one.say(type="pong", t=n)
        assert await one.control("error") == {"type": "error", "code": "slow-down"}
        assert await one.closed() == (4429, "retry_after=30")


async def test_a_client_that_is_too_old_is_told_to_update(start: Start) -> None:
    async with start(live_min_clients={"miniprogram": "1.10"}) as town:
        for client, welcome in (
            ("miniprogram/1.9.3", False),
            ("miniprogram/nonsense", False),
            ("miniprogram/1.10", True),
            ("miniprogram/2.0", True),
            ("h5/0.1", True),
        ):
            async with phone(town.url) as one:
                await one.say(type="hello", token=town.token(), client=client, streams=[])
                if welcome:
                    await one.control("welcome")
                else:
                    assert await one.closed() == (4426, "upgrade-client")
        async with phone(town.url, subprotocols=["dc.live.v0"]) as one:
            assert one.socket.subprotocol is None
            assert await one.closed() == (4426, "upgrade-client")


async def test_a_client_that_goes_away_is_bidden_farewell(town: Town) -> None:
    async with phone(town.url) as one:
        await one.hello(town.token())
        await one.say(type="away")
        assert await one.closed() == (1000, "away")


async def test_only_the_address_of_the_socket_is_a_socket(town: Town) -> None:
    async with httpx.AsyncClient(trust_env=False, base_url=town.url) as http:
        upgrade = {
            "connection": "upgrade",
            "upgrade": "websocket",
            "sec-websocket-version": "13",
            "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        assert (await http.get("/v1/elsewhere", headers=upgrade)).status_code == 404
        no_key = {name: v for name, v in upgrade.items() if name != "sec-websocket-key"}
        assert (await http.get("/v1/live", headers=no_key)).status_code == 400
        assert (await http.get("/v1/live")).status_code == 404
        assert (await http.get("/healthz")).status_code == 200


# ---- what is not of the log ----------------------------------------------------------------


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


# ---- snapshots ----------------------------------------------------------------------------


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
