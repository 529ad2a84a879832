"""An uncached page is at most two SQL statements, whoever asks, with the place of its stream in it;
the beginning of a transaction is none of them."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import event as sa_event

from consultation.database import Database
from consultation.permissions import Role
from consultation.topics.states import RejectionReason, State, TransferState
from consultation.topics.tables import Rejection, Transfer
from tests.conftest import ManualClock, surface
from tests.consultation.topics import story
from tests.world import World, a_topic

READERS = ((None, None), ("resident1", None), ("neighbour", None), ("clerk", Role.CLERK))


@contextmanager
def heard(db: Database) -> Generator[list[str]]:
    """Every statement that reaches the drivers, beginnings included."""
    said: list[str] = []

    def hear(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        said.append(statement)

    engines = (
        [db.writer.sync_engine, db.reader.sync_engine] if db.is_sqlite else [db.writer.sync_engine]
    )
    for engine in engines:
        sa_event.listen(engine, "before_cursor_execute", hear)
    try:
        yield said
    finally:
        for engine in engines:
            sa_event.remove(engine, "before_cursor_execute", hear)


async def costs(http: httpx.AsyncClient, world: World, path: str) -> dict[str | None, int]:
    db: Database = surface().state.services.db
    found: dict[str | None, int] = {}
    for name, role in READERS:
        counted: list[int] = []

        async def ask(scope: Any, receive: Any, send: Any, counted: list[int] = counted) -> None:
            await surface()(scope, receive, send)
            counted.append(scope["statements"][0])

        headers = {} if name is None else world.headers(name, role)
        transport = httpx.ASGITransport(ask)
        async with httpx.AsyncClient(transport=transport, base_url="http://minyi.test") as one:
            with heard(db) as said:
                answer = await one.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.json()["as_of"] is not None
        own = [statement for statement in said if not statement.startswith("BEGIN")]
        assert counted == [len(own)]
        found[name] = len(own)
    return found


@pytest.mark.parametrize("state", [State.DELIBERATING, State.TRANSFERRED, State.REJECTED])
async def test_a_topic_page_is_two_statements_and_one_for_a_visitor(
    client: httpx.AsyncClient, world: World, db: Database, state: State
) -> None:
    await surface().state.services.relay.drain()
    topic = await a_topic(db, world, state=state, was_public=True)
    found = await costs(client, world, f"/v1/topics/{topic.id}")
    assert found == {None: 1, "resident1": 2, "neighbour": 2, "clerk": 2}


async def test_a_list_of_fifty_is_two_statements(
    client: httpx.AsyncClient, world: World, db: Database
) -> None:
    await surface().state.services.relay.drain()
    for _ in range(3):
        await a_topic(db, world, state=State.DELIBERATING)
    found = await costs(client, world, f"/v1/communities/{world.community.id}/topics?limit=50")
    assert set(found.values()) == {2}


async def test_a_community_is_two_statements(
    client: httpx.AsyncClient, world: World, db: Database
) -> None:
    await surface().state.services.relay.drain()
    found = await costs(client, world, f"/v1/communities/{world.community.id}")
    assert set(found.values()) == {2}


async def test_the_last_transfer_and_rejection_are_read_with_the_topic_and_only_in_their_states(
    client: httpx.AsyncClient, world: World, db: Database, clock: ManualClock
) -> None:
    topic = await a_topic(db, world, state=State.TRANSFERRED, was_public=True)
    async with db.begin() as tx:
        for days, org in ((0, "enforcement"), (1, "subdistrict_office")):
            at = tx.now + timedelta(days=days)
            on: dict[str, Any] = {"community_id": topic.community_id, "topic_id": topic.id}
            tx.session.add(
                Transfer(
                    id=uuid4(),
                    receiver_org_id=world.orgs[org].id,
                    state=TransferState.SENT,
                    reason="转办",
                    sent_by_id=world.id("clerk"),
                    sent_at=at,
                    **on,
                )
            )
            tx.session.add(
                Rejection(
                    id=uuid4(),
                    reason_code=RejectionReason.UNLAWFUL_AIM,
                    reason=f"第{days}次",
                    proposed_by_id=world.id("clerk"),
                    proposed_at=at,
                    **on,
                )
            )
    clerk = world.headers("clerk", Role.CLERK)
    transferred = (await client.get(f"/v1/topics/{topic.id}", headers=clerk)).json()
    await story.force(db, topic.id, State.REJECTED)
    rejected = (await client.get(f"/v1/topics/{topic.id}", headers=clerk)).json()
    visitor = (await client.get(f"/v1/topics/{topic.id}")).json()

    assert transferred["transfer"]["receiver"] == world.orgs["subdistrict_office"].name
    assert transferred["rejection"] is None
    assert rejected["transfer"] is None
    assert rejected["rejection"]["reason"] == "第1次"
    assert visitor["rejection"] is None
