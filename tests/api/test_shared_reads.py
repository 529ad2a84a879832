"""Public answers are shared, never stale to whoever changed something, and told short by ETag."""

import asyncio
from collections.abc import AsyncGenerator

import httpx
import pytest
from sqlmodel import select

from api import contract
from api.app import build_services
from api.openapi import operations
from api.settings import Settings
from consultation.topics.states import State
from consultation.topics.tables import Topic
from tests.conftest import ManualClock, surface
from tests.measuring import Measured
from tests.world import World, a_topic


@pytest.fixture
async def shared(
    settings: Settings, clock: ManualClock, world: World
) -> AsyncGenerator[httpx.AsyncClient]:
    """The application with its shelf, kept for an hour unless something changes."""
    app = surface()
    keeping = settings.model_copy(update={"shared_read_seconds": 3600.0})
    app.state.services = build_services(keeping, clock=clock)
    async with app.router.lifespan_context(app):
        world.tokens = app.state.services.tokens
        async with httpx.AsyncClient(transport=Measured(app), base_url="http://minyi.test") as http:
            yield http


def sql() -> int:
    """Statements so far, to see that a kept answer asks nothing."""
    return surface().state.services.shelf.handed_out


async def test_a_second_visitor_gets_the_same_bytes_from_the_shelf(
    shared: httpx.AsyncClient, world: World
) -> None:
    db = surface().state.services.db
    topic = await a_topic(db, world, state=State.DELIBERATING)
    first = await shared.get(f"/v1/topics/{topic.id}")
    async with db.begin() as tx:  # behind the application's back: nothing tells of it
        row = await tx.session.get(Topic, topic.id)
        assert row is not None
        row.title = "另一个题目"

    second = await shared.get(f"/v1/topics/{topic.id}")

    assert first.status_code == 200
    assert (second.content, second.headers["etag"]) == (first.content, first.headers["etag"])
    assert sql() == 1
    english = await shared.get(f"/v1/topics/{topic.id}", headers={"accept-language": "en"})
    assert english.headers["etag"] != first.headers["etag"]
    assert english.json()["title"] == "另一个题目"


async def test_a_change_is_visible_at_once_after_its_own_write(
    shared: httpx.AsyncClient, world: World
) -> None:
    db = surface().state.services.db
    topic = await a_topic(db, world, state=State.DELIBERATING)
    other = await a_topic(db, world, state=State.DELIBERATING)
    pages = (
        f"/v1/topics/{topic.id}",
        f"/v1/communities/{world.community.id}/topics",
        f"/v1/topics/{other.id}",
    )
    before = [(await shared.get(page)).headers["etag"] for page in pages]
    assert [(await shared.get(page)).headers["etag"] for page in pages] == before
    handed_out = sql()

    answer = await shared.put(
        f"/v1/topics/{topic.id}/cosignature", headers=world.headers("resident2")
    )
    assert answer.status_code == 200, answer.text
    after = [(await shared.get(page)).headers["etag"] for page in pages]

    assert after[0] != before[0]
    assert after[1] != before[1]
    assert after[2] == before[2]
    assert sql() == handed_out + 1  # the topic that nothing happened to


async def rename(topic: Topic, title: str) -> None:
    """As another process would, of which this one has heard nothing."""
    async with surface().state.services.db.begin() as tx:
        row = await tx.session.get(Topic, topic.id)
        assert row is not None
        row.title = title


async def test_whoever_names_a_write_is_not_given_an_answer_from_before_it(
    shared: httpx.AsyncClient, world: World
) -> None:
    topic = await a_topic(surface().state.services.db, world, state=State.DELIBERATING)
    page = f"/v1/topics/{topic.id}"

    async def title(after: str | None = None) -> str:
        headers = {} if after is None else {"minyi-after": after}
        return (await shared.get(page, headers=headers)).json()["title"]

    first = await title()
    await rename(topic, "改一")
    assert await title() == first
    assert await title("not the name of a write") == first
    assert await title("a" * 32) == "改一"

    handed_out = sql()
    assert await title() == await title("a" * 32) == "改一"
    assert sql() == handed_out + 2  # everybody has the newer answer, and a name costs once
    await rename(topic, "改二")
    assert await title("a" * 32) == "改一"
    assert await title("b" * 32) == "改二"


async def test_an_answer_under_way_is_not_shared_with_whoever_names_a_later_write(
    shared: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from api.routes import topics

    topic = await a_topic(surface().state.services.db, world, state=State.DELIBERATING)
    read, go_on = asyncio.Event(), asyncio.Event()
    ask = topics.topic_detail

    async def slow(*args: object, **more: object) -> object:
        detail = await ask(*args, **more)  # type: ignore[arg-type]
        read.set()
        await go_on.wait()
        return detail

    monkeypatch.setattr(topics, "topic_detail", slow)
    page = f"/v1/topics/{topic.id}"
    early = asyncio.create_task(shared.get(page))
    await read.wait()
    await rename(topic, "改了")
    late = asyncio.create_task(shared.get(page, headers={"minyi-after": "a" * 32}))
    await asyncio.sleep(0.05)
    go_on.set()

    assert (await early).json()["title"] == topic.title
    assert (await late).json()["title"] == "改了"
    assert (await shared.get(page, headers={"minyi-after": "a" * 32})).json()["title"] == "改了"


async def test_after_news_was_lost_nothing_that_was_kept_is_good_enough(
    shared: httpx.AsyncClient, world: World
) -> None:
    topic = await a_topic(surface().state.services.db, world, state=State.DELIBERATING)
    page = f"/v1/topics/{topic.id}"
    await shared.get(page)
    await rename(topic, "改了")
    surface().state.services.shelf.forget_all()
    assert (await shared.get(page)).json()["title"] == "改了"


async def test_names_of_writes_are_forgotten_before_they_fill_the_memory(
    shared: httpx.AsyncClient,
) -> None:
    shelf = surface().state.services.shelf
    for number in range(20_000):
        shelf.needed("a topic", b"%032x" % number)
    assert len(shelf.marks) <= 16_384


async def test_whoever_shows_a_token_is_answered_afresh_and_leaves_nothing_behind(
    shared: httpx.AsyncClient, world: World
) -> None:
    db = surface().state.services.db
    topic = await a_topic(db, world, state=State.DELIBERATING)
    mine = await shared.get(f"/v1/topics/{topic.id}", headers=world.headers("resident1"))
    visitor = await shared.get(f"/v1/topics/{topic.id}")

    assert mine.json()["mine"] is True
    assert visitor.json()["mine"] is False
    assert sql() == 0
    bad = await shared.get(f"/v1/topics/{topic.id}", headers={"authorization": "Bearer x"})
    assert bad.status_code == 401


async def test_a_phone_that_has_the_answer_is_told_so(
    shared: httpx.AsyncClient, world: World
) -> None:
    db = surface().state.services.db
    topic = await a_topic(db, world, state=State.DELIBERATING)
    for headers in ({}, world.headers("resident1")):
        first = await shared.get(f"/v1/topics/{topic.id}", headers=headers)
        tag = first.headers["etag"]
        again = await shared.get(
            f"/v1/topics/{topic.id}", headers=headers | {"if-none-match": f'"x", W/{tag}'}
        )
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
        other = await shared.get(
            f"/v1/topics/{topic.id}", headers=headers | {"if-none-match": '"other"'}
        )
        assert other.status_code == 200


async def test_what_is_not_there_is_not_kept(shared: httpx.AsyncClient, world: World) -> None:
    db = surface().state.services.db
    topic = await a_topic(db, world, state=State.SUBMITTED)
    assert (await shared.get(f"/v1/topics/{topic.id}")).status_code == 404
    assert not surface().state.services.shelf.kept
    async with db.begin() as tx:
        row = (await tx.session.exec(select(Topic).where(Topic.id == topic.id))).one()
        row.was_public = True
    assert (await shared.get(f"/v1/topics/{topic.id}")).status_code == 200


async def test_many_visitors_at_once_cost_one_reading(
    shared: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from api.routes import topics

    db = surface().state.services.db
    topic = await a_topic(db, world, state=State.DELIBERATING)
    readings = 0
    ask = topics.topic_detail

    async def counted(*args: object, **more: object) -> object:
        nonlocal readings
        readings += 1
        await asyncio.sleep(0.05)
        return await ask(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(topics, "topic_detail", counted)
    answers = await asyncio.gather(*(shared.get(f"/v1/topics/{topic.id}") for _ in range(20)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert readings == 1


async def test_the_shelf_stays_small(shared: httpx.AsyncClient, world: World) -> None:
    shelf = surface().state.services.shelf
    for number in range(30):
        await shared.get(f"/v1/communities/{world.community.id}/topics?limit={number + 1}")
    assert len(shelf.kept) == 30
    assert shelf.size == sum(len(kept.body) for kept in shelf.kept.values())
    shelf.changed([])
    assert shelf.size <= 64 * 1024 * 1024


def test_the_contract_offers_to_name_a_write_wherever_an_answer_may_be_kept() -> None:
    offered = {
        operation["operationId"]
        for _, _, operation in operations(contract.openapi())
        if {"$ref": "#/components/parameters/MinyiAfter"} in operation.get("parameters", ())
    }
    assert offered == {"get_topic", "get_topic_timeline", "read_community", "list_topics"}
