"""What gets no verdict waits for a person, and nothing is lost."""

from typing import Any

import pytest

from api.fake_wechat.content import LONGEST
from consultation.deliberation.tables import ContentReview, Post
from notifications.wechat.content import TEXT_CHECK, split
from notifications.wechat.tables import AccountKind, CheckState, ContentCheck
from tests.api.content import a_thread, decide, queue, say
from tests.api.wechat_house import House, house
from tests.conftest import ManualClock
from tests.fake_wechat import FakeWechat
from tests.live import Start


async def test_who_was_not_in_the_app_of_late_is_read_by_a_person(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1")
    clock.advance(hours=2, minutes=1)
    await say(house, "同意")
    await house.errands()

    [review] = await queue(house)
    assert review["cause"] == "no_recent_visit"
    assert [check.state for check in await house.rows(ContentCheck)] == [CheckState.ERROR]


async def test_who_writes_in_a_browser_only_is_read_by_a_person(house: House) -> None:
    await house.account("resident1", "h5", kind=AccountKind.H5)
    await say(house, "同意")
    await house.errands()

    assert [review["cause"] for review in await queue(house)] == ["no_account"]
    assert await house.fake.calls(TEXT_CHECK) == 0


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "errcode", "errcode": -1},
        {"kind": "errcode", "errcode": 45009},
        {"kind": "errcode", "errcode": 45011},
        {"kind": "html"},
        {"kind": "truncated"},
        {"kind": "lost"},
        {"kind": "reset"},
    ],
    ids=lambda fault: str(fault.get("errcode", fault["kind"])),
)
async def test_a_check_that_fails_waits_for_a_person_at_once_and_a_later_pass_settles_it(
    house: House, clock: ManualClock, fault: dict[str, Any]
) -> None:
    await house.account("resident1")
    await house.fake.fault(TEXT_CHECK, **fault, n=9)
    await say(house, "同意")
    await house.errands()
    assert [review["cause"] for review in await queue(house)] == ["check_failed"]

    await house.fake.heal()
    clock.advance(minutes=3)
    await house.errands()

    assert await queue(house) == []
    [review] = await house.rows(ContentReview)
    assert (review.state.value, review.decided_by_id) == ("passed", None)
    assert len(review.traces) == 1


async def test_a_later_doubt_takes_the_place_of_the_failure_and_a_decision_is_never_undone(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1")
    await house.fake.fault(TEXT_CHECK, "errcode", n=9)
    thread = await a_thread(house)
    await say(house, "你这个【辱骂】", thread=thread)
    await say(house, "另一个【辱骂】", thread=thread)
    await house.errands()
    first, second = await queue(house)
    assert (await decide(house, second["id"], decision="keep")).is_success

    await house.fake.heal()
    clock.advance(minutes=3)
    await house.errands()

    [review] = await queue(house)
    assert (review["id"], review["cause"]) == (first["id"], "risky")
    assert [one["id"] for one in await queue(house, state="kept")] == [second["id"]]


async def test_wechat_down_for_ten_minutes_loses_nothing_and_all_is_caught_up(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1")
    thread = await a_thread(house)
    await house.fake.fault("*", "html", n=10_000)
    for minute in range(10):
        text = f"第{minute}条" + ("【辱骂】" if minute == 7 else "")
        answer = await house.http.post(
            f"/v1/threads/{thread}/posts",
            headers=house.world.headers(f"resident{1 + minute % 6}"),
            json={"body": text, "stance": "for"},
        )
        assert answer.status_code == 201  # nobody who writes waits for WeChat
        await house.errands()
        clock.advance(minutes=1)
    open_before = {review["text"][:3] for review in await queue(house)}
    assert open_before == {f"第{minute}条" for minute in range(10)}  # every one is seen by people
    for number in range(2, 7):
        await house.account(f"resident{number}", f"o{number}")
    for check in await house.rows(ContentCheck):
        if check.state is CheckState.ERROR:  # they had no account then
            assert check.person_id != house.world.id("resident1")

    await house.fake.heal()
    await house.fake.visit("o1")
    for _ in range(6):
        clock.advance(minutes=10)
        await house.errands()

    of_first = [
        check
        for check in await house.rows(ContentCheck)
        if check.person_id == house.world.id("resident1")
    ]
    assert {check.state for check in of_first} == {CheckState.PASS}
    left = {review["cause"] for review in await queue(house)}
    assert left == {"no_account"}
    assert len(await house.rows(Post)) == len(await house.rows(ContentCheck)) == 10


async def test_after_two_days_without_a_verdict_only_the_person_counts(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1")
    await house.fake.fault("*", "html", n=10_000)
    await say(house, "同意")
    for _ in range(12):
        await house.errands()
        clock.advance(hours=6)
    asked = await house.fake.calls(TEXT_CHECK)
    await house.fake.heal()
    clock.advance(hours=12)
    await house.errands()

    assert await house.fake.calls(TEXT_CHECK) == asked
    assert [review["cause"] for review in await queue(house)] == ["check_failed"]


async def test_where_people_moderate_without_a_machine_nothing_is_asked(
    start: Start, fake_wechat: FakeWechat
) -> None:
    async with house(start, fake_wechat, content_check="none") as quiet:
        await quiet.account("resident1")
        await say(quiet, "你这个【辱骂】")
        assert await quiet.errands() == 0
        assert await quiet.rows(ContentCheck) == []


async def test_a_long_text_is_checked_in_parts_and_the_worst_verdict_counts(
    start: Start, fake_wechat: FakeWechat
) -> None:
    async with house(start, fake_wechat, wechat_text_characters=10) as short:
        await short.account("resident1")
        await say(short, "第一句话。第二句【辱骂】。第三句话很长很长很长很长。")
        await short.errands()

        parts = [check["content"] for check in (await short.fake.outbox())["checks"]]
        assert "".join(parts) == "第一句话。第二句【辱骂】。第三句话很长很长很长很长。"
        assert all(len(part) <= 10 for part in parts)
        [review] = await queue(short)
        assert review["cause"] == "risky"
        assert [len(one.traces) for one in await short.rows(ContentReview)] == [len(parts)]


@pytest.mark.parametrize("text", ["", "短", "句。" * 2000, "无标点" * 2000, "a" * LONGEST])
def test_splitting_loses_nothing_and_keeps_within_the_limit(text: str) -> None:
    parts = split(text, longest=LONGEST)
    assert "".join(parts) == text
    assert all(len(part) <= LONGEST for part in parts)
    assert len(parts) == 1 or all(parts)
