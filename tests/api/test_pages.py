"""The public pages, as a visitor's phone gets them."""

from datetime import date

import httpx

from consultation.calendar import end_of
from consultation.database import Database
from consultation.outcomes.tables import Outcome, OutcomeItem
from consultation.topics.states import State
from tests.world import World, a_topic


async def test_the_board_lists_public_topics_and_links_to_them(
    client: httpx.AsyncClient, db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    hidden = await a_topic(db, world, state=State.SUBMITTED, title="还没有受理的事")

    page = await client.get(f"/c/{world.community.id}")

    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert f'href="/t/{topic.id}"' in page.text
    assert "协商中" in page.text
    assert hidden.title not in page.text


async def test_a_topic_is_shown_in_chinese_and_in_english_without_a_script(
    client: httpx.AsyncClient, db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)

    chinese = await client.get(f"/t/{topic.id}")
    english = await client.get(f"/t/{topic.id}", headers={"accept-language": "en"})

    assert "办理进展" in chinese.text
    assert topic.problem in chinese.text
    assert 'lang="en"' in english.text
    assert "Progress" in english.text
    for page in (chinese, english):
        assert "<script" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_what_people_write_is_text_and_never_markup(
    client: httpx.AsyncClient, db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING, problem="<b>漏水</b>")

    page = await client.get(f"/t/{topic.id}")

    assert "&lt;b&gt;漏水&lt;/b&gt;" in page.text


async def test_a_topic_that_is_not_public_is_not_found(
    client: httpx.AsyncClient, db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.SUBMITTED)

    assert (await client.get(f"/t/{topic.id}")).status_code == 404
    assert (await client.get("/")).text.count('class="topic card"') == 2


async def test_no_page_names_a_neighbour_in_full(
    client: httpx.AsyncClient, db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)

    page = await client.get(f"/t/{topic.id}")

    assert "居*" in page.text  # resident1 is 居民1
    assert "居民1" not in page.text


async def test_an_outcome_is_shown_with_its_minority_view(
    client: httpx.AsyncClient, db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.OUTCOME_DRAFTING)
    async with db.begin() as tx:
        tx.session.add(
            Outcome(
                topic_id=topic.id,
                round=1,
                version=1,
                community_id=topic.community_id,
                minority_view="一层两户担心采光",
                adverse_impacts=[],
                drafted_by_id=world.id("clerk"),
                at=tx.now,
            )
        )
        tx.session.add(
            OutcomeItem(
                id=tx.new_id(),
                community_id=topic.community_id,
                topic_id=topic.id,
                round=1,
                number=1,
                text="加装电梯一台",
                created_at=tx.now,
            )
        )

    page = await client.get(f"/t/{topic.id}")

    assert page.status_code == 200
    assert "一层两户担心采光" in page.text
    assert "加装电梯一台" in page.text


async def test_a_deadline_is_the_last_day_that_it_leaves(
    client: httpx.AsyncClient, db: Database, world: World
) -> None:
    due = end_of(date(2026, 12, 5))
    topic = await a_topic(db, world, state=State.DELIBERATING, due_at=due)

    for path in (f"/t/{topic.id}", f"/c/{world.community.id}"):
        page = await client.get(path)
        assert "办理期限 2026-12-05" in page.text
        assert "2026-12-06" not in page.text
