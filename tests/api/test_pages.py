"""The public pages, as a visitor's phone gets them."""

from datetime import date

import httpx
import pytest

from api.pages.saying import day
from consultation.calendar import end_of, until
from consultation.database import Database
from consultation.outcomes.tables import Outcome, OutcomeItem
from consultation.polls.paper import FormFate
from consultation.polls.rules import PollState
from consultation.topics.states import State
from tests.conftest import ManualClock
from tests.consultation.polls.stage import Stage
from tests.consultation.polls.test_countersigning import help_to_vote
from tests.consultation.polls.test_hands import count as count_hands
from tests.consultation.polls.test_hands import meeting_poll, totals
from tests.consultation.polls.test_paper import (
    CLERK,
    ONE,
    TWO,
    enter,
    fate,
    issue,
    print_forms,
    settle,
)
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


@pytest.mark.parametrize("path", ["/t/{}", "/c/{}", "/t/x{}", "/nothing/{}"])
async def test_a_dead_link_is_a_page_in_the_language_of_the_browser(
    client: httpx.AsyncClient, world: World, path: str
) -> None:
    dead = path.format(world.id("clerk"))
    headers = {"accept": "text/html,*/*", "accept-language": "en"}

    chinese = await client.get(dead, headers={"accept": "text/html"})
    english = await client.get(dead, headers=headers)

    assert {chinese.status_code, english.status_code} == {404}
    assert english.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in english.headers["content-security-policy"]
    assert "<h1>没有找到</h1>" in chinese.text
    assert "<h1>Not found</h1>" in english.text
    program = await client.get(f"/v1/topics/{world.id('clerk')}", headers=headers)
    assert program.headers["content-type"] == "application/problem+json"


async def test_a_running_poll_stands_first_with_its_close_and_what_it_still_needs(
    client: httpx.AsyncClient, db: Database, world: World, clock: ManualClock
) -> None:
    stage = Stage(db=db, world=world, clock=clock)
    poll, _ = await stage.lift_poll()

    page = await client.get(f"/t/{poll.topic_id}")
    board = await client.get(f"/c/{world.community.id}")
    topic = (await client.get(f"/v1/topics/{poll.topic_id}")).json()
    cards = (await client.get(f"/v1/communities/{world.community.id}/topics")).json()["items"]

    assert poll.state is PollState.OPEN
    closes = f"投票截止 {until(poll.closes_at)}"
    assert page.text.index(closes) < page.text.index("参与还差") < page.text.index("<h2>议题</h2>")
    assert page.text.count(closes) == 1
    assert closes in board.text
    assert topic["poll"]["id"] == str(poll.id)
    assert topic["poll"]["state"] == "open"
    assert topic["poll"]["closes_at"] == poll.closes_at.isoformat().replace("+00:00", "Z")
    assert [card["poll"] for card in cards if card["id"] == str(poll.topic_id)] == [topic["poll"]]
    assert f"自 {day(stage.clock.now)} 起" in page.text


async def test_an_entrance_is_named_with_its_building_and_an_office_by_its_name(
    client: httpx.AsyncClient, db: Database, world: World
) -> None:
    entrance = world.nodes["entrance"]
    topic = await a_topic(
        db,
        world,
        author="official",
        node_id=entrance.id,
        node_path=entrance.path,
        state=State.DELIBERATING,
        commissioning_org_id=world.orgs["subdistrict_office"].id,
    )
    place = f"{world.nodes['building'].name}{entrance.name}"
    office = world.orgs["subdistrict_office"].name

    page = await client.get(f"/t/{topic.id}")
    board = await client.get(f"/c/{world.community.id}")

    assert f"<td>{place}</td>" in page.text
    assert f" · {place} · " in board.text
    assert f'<p class="soft">{office} · ' in page.text


async def test_a_published_poll_shows_its_channels_and_who_confirmed_the_second_entries(
    client: httpx.AsyncClient, db: Database, world: World, clock: ManualClock
) -> None:
    stage = Stage(db=db, world=world, clock=clock)
    poll, owners = await stage.lift_poll()
    await help_to_vote(stage, poll, 3)
    await print_forms(stage, poll.id, 1, 3)
    await issue(stage, poll.id, 1, 1, second_staff_id=world.id("grid_worker"))
    for teller in (ONE, TWO):
        await enter(stage, poll.id, 1, teller, "for")
    await settle(stage, poll.id, CLERK, fate(FormFate.UNUSED, 2, 3))
    await stage.vote(poll.id, [owners[1], *owners[3:]], "f" * 10)
    await stage.closed(poll.id)
    await stage.countersign_all(poll.id)
    heading = "<h3>各渠道收票与核对</h3>"
    assert heading not in (await client.get(f"/t/{poll.topic_id}")).text

    await stage.signed(poll.id)

    page = (await client.get(f"/t/{poll.topic_id}")).text
    assert page.count(heading) == 1
    for channel, count in (("线上", 10), ("代录", 1), ("上门票箱", 1)):
        row = f'<td>{channel}</td><td class="n">{count}</td><td class="n">{count}</td>'
        assert row in page
    assert "纸质票印制 3 张,发出 1 张(其中上门 1 张),收回 1 张。" in page
    assert "的登记 2 项:本人会签 2 项,监督人核实 0 项。" in page
    assert "发出、收回和计票的数字核对一致。" in page
    english = (await client.get(f"/t/{poll.topic_id}", headers={"accept-language": "en"})).text
    assert "confirmed by that person 2, settled by the supervisor 0." in english


async def test_hands_are_a_channel_of_their_own_on_the_page(
    client: httpx.AsyncClient, db: Database, world: World, clock: ManualClock
) -> None:
    stage = Stage(db=db, world=world, clock=clock)
    poll, members = await meeting_poll(stage)
    await count_hands(stage, poll, 57, totals((40, 10, 7), (20, 30, 7)), members[:2])
    await stage.published(poll.id)

    page = (await client.get(f"/t/{poll.topic_id}")).text

    assert '<td>举手计数</td><td class="n">57</td><td class="n">57</td>' in page
    assert "的登记 1 项:本人会签 1 项,监督人核实 0 项。" in page
    assert "纸质票印制" not in page
