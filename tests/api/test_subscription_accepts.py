"""What people accept at the tap: each accept one credit, however often it is told."""

import pytest

from notifications.wechat.ledger import to_ask
from notifications.wechat.subscribe import SendOutcome
from notifications.wechat.tables import SubscriptionAccept
from tests.api.subscriptions import accepted, credits_of, report, send
from tests.api.wechat_house import EXTRA, LASTING, POLL, REPLY, TASK, TEMPLATES, House
from tests.conftest import ManualClock
from tests.fake_wechat import bearer, log_in


async def test_the_client_is_told_before_the_tap_what_to_ask_for_three_at_most_of_one_kind(
    house: House,
) -> None:
    session = await log_in(house.http, house.fake, "o1", phone="13800000001")

    answer = await house.http.get("/v1/me/subscription-prompt", headers=bearer(session))

    prompt = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert prompt["kind"] == "once"
    assert [t["name"] for t in prompt["templates"]] == [
        "poll_opened",
        "task_done",
        "topic_answered",
    ]


def test_templates_with_enough_credits_are_not_asked_for_and_kinds_never_mix() -> None:
    enough = dict.fromkeys(("T-poll", "T-task", "T-reply", "T-extra"), 2)
    assert to_ask(TEMPLATES, {}, wanted=2, most=3) == [POLL, TASK, REPLY]
    assert to_ask(TEMPLATES, {"T-poll": 2, "T-task": 1}, wanted=2, most=3) == [TASK, REPLY, EXTRA]
    assert to_ask(TEMPLATES, enough, wanted=2, most=3) == [LASTING]
    assert to_ask([LASTING, POLL], {}, wanted=2, most=3) == [LASTING]
    assert to_ask(TEMPLATES, enough | {"T-lasting": 1}, wanted=2, most=3) == []


@pytest.mark.parametrize("first", ["client", "wechat"])
async def test_one_accept_told_by_the_client_and_by_wechat_is_one_credit(
    house: House, first: str
) -> None:
    session = await log_in(house.http, house.fake, "o1", phone="13800000001")
    answers = await house.fake.tap("o1", **{"T-poll": "accept", "T-task": "reject"})

    if first == "wechat":
        await house.deliver(times=2)
    assert (await report(house, session, "popup-0001", answers)).status_code == 204
    assert (await report(house, session, "popup-0001", answers)).status_code == 204  # a retry
    if first == "client":
        await house.deliver(times=2)

    assert await credits_of(house, session) == 1
    assert await credits_of(house, session, "task_done") == 0
    assert len(await house.rows(SubscriptionAccept)) == 1


async def test_accepts_add_up_and_their_tellings_pair_off_in_any_order(
    house: House, clock: ManualClock
) -> None:
    session = await log_in(house.http, house.fake, "o1", phone="13800000001")
    for number in (1, 2):
        answers = await house.fake.tap("o1", **{"T-poll": "always"})
        await report(house, session, f"popup-000{number}", answers)
        clock.advance(seconds=30)
    await house.deliver(reverse=True, times=2)

    accepts = await house.rows(SubscriptionAccept)
    assert len(accepts) == 2
    assert all(one.client_key and one.event_key for one in accepts)
    assert await credits_of(house, session) is None  # two are enough: not asked for


async def test_a_client_that_only_tells_and_one_that_never_tells_both_count(house: House) -> None:
    session = await log_in(house.http, house.fake, "o1", phone="13800000001")
    await report(house, session, "popup-0001", {"T-poll": "accept"})
    assert await credits_of(house, session) == 1

    other = await log_in(house.http, house.fake, "o2", phone="13800000002")
    await accepted(house, "o2")
    assert await credits_of(house, other) == 1


async def test_a_refusal_in_the_settings_empties_what_was_accepted_before_it_and_not_after(
    house: House, clock: ManualClock
) -> None:
    session = await log_in(house.http, house.fake, "o1", phone="13800000001")
    await house.fake.tap("o1", **{"T-poll": "accept"})
    clock.advance(seconds=10)
    await house.fake.refuse("o1", "T-poll")
    clock.advance(seconds=10)
    await house.fake.tap("o1", **{"T-poll": "accept"})

    await house.deliver(reverse=True, times=2)

    assert await credits_of(house, session) == 1
    assert (await house.fake.outbox())["credits"]["o1"]["T-poll"] == 1


async def test_a_lasting_accept_is_one_however_often_given_and_is_not_used_up(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1")
    for _ in range(2):
        await accepted(house, template="T-lasting")
        clock.advance(seconds=5)
    asked = {"template": "notice_posted", "facts": {"title": "公告"}, "page": "pages/topic/topic"}

    assert [await send(house, **asked) for _ in range(3)] == [SendOutcome.SENT] * 3
