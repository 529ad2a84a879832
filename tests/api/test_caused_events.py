"""A command's answer names the events that it caused: a client knows its own when they come."""

import httpx
from sqlmodel import col, select

from consultation.database import Database
from consultation.journal import JournalEntry
from consultation.permissions import Role
from consultation.topics.states import State
from tests.world import World, a_topic


async def journal(db: Database) -> list[JournalEntry]:
    async with db.read() as tx:
        return list(await tx.session.exec(select(JournalEntry).order_by(col(JournalEntry.id))))


async def test_an_answer_names_what_it_caused_as_the_stream_will(
    client: httpx.AsyncClient, world: World, db: Database
) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    answer = await client.post(
        f"/v1/topics/{topic.id}/threads",
        json={"title": "放在哪里好"},
        headers=world.headers("deputy", Role.HOST),
    )

    assert answer.status_code == 201, answer.text
    caused = {str(entry.event_id) for entry in await journal(db) if entry.type == "thread.opened"}
    assert answer.headers["minyi-events"].split(",") == list(caused)
    assert len(caused) == 1


async def test_what_went_to_other_people_is_not_named(
    client: httpx.AsyncClient, world: World, db: Database
) -> None:
    topic = await a_topic(db, world, state=State.SUBMITTED)
    answer = await client.post(
        f"/v1/topics/{topic.id}/return",
        json={"reason": "请写明受影响的人"},
        headers=world.headers("clerk", Role.CLERK),
    )

    assert answer.status_code == 200, answer.text
    entries = await journal(db)
    others = {str(entry.event_id) for entry in entries if entry.stream.startswith("user:")}
    named = set(answer.headers["minyi-events"].split(","))
    assert others
    assert named == {str(entry.event_id) for entry in entries} - others


async def test_readings_and_refusals_name_nothing(
    client: httpx.AsyncClient, world: World, db: Database
) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    read = await client.get(f"/v1/topics/{topic.id}", headers=world.headers("resident1"))
    refused = await client.post(
        f"/v1/topics/{topic.id}/threads", json={"title": "我来"}, headers=world.headers("resident2")
    )

    assert (read.status_code, refused.status_code) == (200, 403)
    assert "minyi-events" not in read.headers
    assert "minyi-events" not in refused.headers
