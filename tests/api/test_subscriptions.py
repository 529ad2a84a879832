"""Subscription messages from the tap to the receipt: one accept, one credit, one message."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from notifications.wechat.ledger import to_ask
from notifications.wechat.subscribe import SEND, SendOutcome, send_subscription, wrong_templates
from notifications.wechat.tables import (
    AccountKind,
    SendState,
    SubscriptionAccept,
    SubscriptionReceipt,
    SubscriptionSend,
)
from tests.api.wechat_house import EXTRA, LASTING, POLL, REPLY, TASK, TEMPLATES, House
from tests.conftest import ManualClock
from tests.fake_wechat import bearer, log_in

FACTS: dict[str, Any] = {
    "title": "3幢2单元是否加装电梯的表决,请各位业主抓紧时间投票",
    "closes_at": datetime(2026, 3, 20, 10, 0, tzinfo=UTC),
    "voters": 12,
}


async def send(house: House, name: str = "resident1", **more: Any) -> SendOutcome:
    asked: dict[str, Any] = {"template": "poll_opened", "facts": FACTS, "page": "pages/poll/poll"}
    return await send_subscription(
        house.db, house.services.wechat, person_id=house.world.id(name), **(asked | more)
    )


async def credits(house: House, session: dict[str, Any], name: str = "poll_opened") -> int | None:
    """As the prompt tells it; None when it is not asked for."""
    answer = await house.http.get("/v1/me/subscription-prompt", headers=bearer(session))
    return next((t["credits"] for t in answer.json()["templates"] if t["name"] == name), None)


async def report(
    house: House, session: dict[str, Any], key: str, answers: dict[str, str]
) -> httpx.Response:
    return await house.http.put(
        f"/v1/me/subscription-accepts/{key}", headers=bearer(session), json={"answers": answers}
    )


async def accepted(house: House, openid: str = "o1", template: str = "T-poll") -> None:
    """The user taps "allow", and WeChat tells us."""
    await house.fake.tap(openid, **{template: "accept"})
    await house.deliver()


# ---- asking -------------------------------------------------------------------------------


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

    assert await credits(house, session) == 1
    assert await credits(house, session, "task_done") == 0
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
    assert await credits(house, session) is None  # two are enough: not asked for


async def test_a_client_that_only_tells_and_one_that_never_tells_both_count(house: House) -> None:
    session = await log_in(house.http, house.fake, "o1", phone="13800000001")
    await report(house, session, "popup-0001", {"T-poll": "accept"})
    assert await credits(house, session) == 1

    other = await log_in(house.http, house.fake, "o2", phone="13800000002")
    await accepted(house, "o2")
    assert await credits(house, other) == 1


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

    assert await credits(house, session) == 1
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


# ---- sending ------------------------------------------------------------------------------


async def test_one_credit_is_one_message_and_its_receipt_is_kept(house: House) -> None:
    account = await house.account("resident1")
    await accepted(house)

    assert await send(house) is SendOutcome.SENT
    assert await send(house) is SendOutcome.NO_CREDIT

    [message] = (await house.fake.outbox())["messages"]
    assert message["touser"] == "o1"
    assert message["data"] == {
        "thing1": {"value": "3幢2单元是否加装电梯的表决,请各位业…"},
        "time2": {"value": "2026年3月20日 18:00"},
        "number3": {"value": "12"},
    }
    assert (message["miniprogram_state"], message["lang"]) == ("formal", "zh_CN")
    await house.deliver(times=3)
    [receipt] = await house.rows(SubscriptionReceipt)
    [sent] = await house.rows(SubscriptionSend)
    assert (receipt.msg_id, receipt.errcode, receipt.account_id) == (sent.msg_id, 0, account.id)


async def test_what_wechat_no_longer_has_is_found_by_43101_and_empties_our_ledger(
    house: House,
) -> None:
    await house.account("resident1")
    for _ in range(2):
        await house.fake.tap("o1", **{"T-poll": "accept"})
    await house.deliver()
    await house.fake.refuse("o1", "T-poll")  # WeChat knows, we do not yet

    assert await send(house) is SendOutcome.REFUSED
    assert await send(house) is SendOutcome.NO_CREDIT
    assert await house.fake.calls(SEND) == 1


async def test_who_has_no_account_in_the_mini_program_or_an_unknown_openid_is_not_reachable(
    house: House,
) -> None:
    assert await send(house) is SendOutcome.NOT_REACHABLE
    await house.account("resident2", "h5-openid", kind=AccountKind.H5)
    assert await send(house, "resident2") is SendOutcome.NOT_REACHABLE
    assert await send(house, template="never_set_up") is SendOutcome.NOT_REACHABLE

    await house.account("resident1")
    await accepted(house)
    await house.fake.fault(SEND, "errcode", errcode=40003)
    assert await send(house) is SendOutcome.NOT_REACHABLE


@pytest.mark.parametrize("errcode", [47003, 40037, 41030])
async def test_our_own_faults_cost_the_person_nothing(house: House, errcode: int) -> None:
    await house.account("resident1")
    await accepted(house)
    await house.fake.fault(SEND, "errcode", errcode=errcode)

    assert await send(house) is SendOutcome.FAULTY
    assert await send(house) is SendOutcome.SENT


async def test_a_missing_fact_or_a_time_that_is_none_is_faulty_before_anything_is_asked(
    house: House,
) -> None:
    await house.account("resident1")
    await accepted(house)

    assert await send(house, facts={"title": "表决"}) is SendOutcome.FAULTY
    assert await send(house, facts=FACTS | {"closes_at": "soon"}) is SendOutcome.FAULTY
    assert await house.fake.calls(SEND) == 0
    assert await send(house, page="pages/nowhere") is SendOutcome.FAULTY  # 41030 by the fake


@pytest.mark.parametrize(
    "fault", [{"kind": "errcode", "errcode": -1}, {"kind": "errcode", "errcode": 45009}]
)
async def test_busy_and_out_of_quota_come_later_and_cost_one_credit_in_all(
    house: House, fault: dict[str, Any]
) -> None:
    await house.account("resident1")
    await accepted(house)
    await house.fake.fault(SEND, **fault, n=9)

    assert await send(house, delivery_key="d1") is SendOutcome.RETRY_LATER
    await house.fake.heal()
    assert await send(house, delivery_key="d1") is SendOutcome.SENT
    assert await send(house, delivery_key="d1") is SendOutcome.SENT  # told again, not sent again

    assert len((await house.fake.outbox())["messages"]) == 1
    assert len(await house.rows(SubscriptionSend)) == 1


async def test_an_answer_that_was_lost_is_found_by_its_receipt_and_nothing_is_sent_twice(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1")
    await accepted(house)
    clock.advance(seconds=5)
    await accepted(house)
    await house.fake.fault(SEND, "lost")

    assert await send(house, delivery_key="d1") is SendOutcome.RETRY_LATER
    [row] = await house.rows(SubscriptionSend)
    assert (row.state, row.spent) == (SendState.UNSURE, True)
    await house.deliver()  # the receipt
    clock.advance(minutes=5)
    assert await send(house, delivery_key="d1") is SendOutcome.SENT

    assert len((await house.fake.outbox())["messages"]) == 1
    assert await send(house, delivery_key="d2") is SendOutcome.SENT
    assert await send(house, delivery_key="d3") is SendOutcome.NO_CREDIT


async def test_a_request_that_never_arrived_is_sent_again_on_the_same_credit(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1")
    await accepted(house)
    await house.fake.fault(SEND, "reset")

    assert await send(house, delivery_key="d1") is SendOutcome.RETRY_LATER
    clock.advance(minutes=5)
    assert await send(house, delivery_key="d1") is SendOutcome.SENT
    assert len((await house.fake.outbox())["messages"]) == 1


async def test_a_process_that_died_while_sending_leaves_the_delivery_to_a_later_one(
    house: House, clock: ManualClock
) -> None:
    account = await house.account("resident1")
    await accepted(house)
    async with house.db.begin() as tx:
        tx.session.add(
            SubscriptionSend(
                id=tx.new_id(),
                account_id=account.id,
                template_id="T-poll",
                delivery_key="d1",
                state=SendState.SENDING,
                at=tx.now,
            )
        )

    assert await send(house, delivery_key="d1") is SendOutcome.RETRY_LATER  # somebody is at it
    clock.advance(minutes=2)
    assert await send(house, delivery_key="d1") is SendOutcome.SENT


async def test_a_token_that_dies_on_the_way_is_replaced_and_the_message_goes_out(
    house: House,
) -> None:
    await house.account("resident1")
    await accepted(house)
    await house.fake.fault(SEND, "token_dies")

    assert await send(house) is SendOutcome.SENT


async def test_templates_that_the_app_has_not_or_has_otherwise_are_named_at_start_up(
    house: House, clock: ManualClock
) -> None:
    assert await wrong_templates(house.services.wechat) == []
    await house.fake.template("T-poll", "{{thing1.DATA}}{{time2.DATA}}")
    await house.fake.template("T-lasting", "{{thing1.DATA}}")
    assert await wrong_templates(house.services.wechat) == ["poll_opened", "notice_posted"]


async def test_an_erased_account_takes_its_ledger_with_it(house: House) -> None:
    await house.account("resident1")
    await accepted(house)
    await send(house)
    await house.deliver()

    await house.push("user_authorization_cancellation", "o1", data={"OpenID": "o1"})

    for table in (SubscriptionAccept, SubscriptionSend, SubscriptionReceipt):
        assert await house.rows(table) == []
    assert await send(house) is SendOutcome.NOT_REACHABLE


# ---- whose receipt ------------------------------------------------------------------------


async def messages(house: House) -> int:
    return len((await house.fake.outbox())["messages"])


async def test_the_receipt_of_a_first_try_is_heeded_after_a_second_try_of_which_nobody_knows(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1")
    for _ in range(2):
        await accepted(house)
        clock.advance(seconds=5)
    await house.fake.fault(SEND, "lost")
    assert await send(house, delivery_key="d1") is SendOutcome.RETRY_LATER  # WeChat took it
    clock.advance(seconds=30)
    await house.fake.fault(SEND, "html")
    assert await send(house, delivery_key="d1") is SendOutcome.RETRY_LATER
    await house.deliver()  # the receipt of the first try
    clock.advance(seconds=60)

    assert await send(house, delivery_key="d1") is SendOutcome.SENT
    assert await messages(house) == 1


@pytest.mark.parametrize("errcode", [-1, 45009])
async def test_a_try_that_surely_failed_does_not_forget_the_one_before_it(
    house: House, clock: ManualClock, errcode: int
) -> None:
    await house.account("resident1")
    for _ in range(2):
        await accepted(house)
        clock.advance(seconds=5)
    await house.fake.fault(SEND, "lost")
    assert await send(house, delivery_key="d1") is SendOutcome.RETRY_LATER
    clock.advance(seconds=30)
    await house.fake.fault(SEND, "errcode", errcode=errcode, n=9)
    assert await send(house, delivery_key="d1") is SendOutcome.RETRY_LATER
    await house.fake.heal()
    await house.deliver()
    clock.advance(seconds=60)

    assert await send(house, delivery_key="d1") is SendOutcome.SENT
    assert await messages(house) == 1


async def test_a_receipt_that_may_be_of_another_message_proves_neither(
    house: House, clock: ManualClock
) -> None:
    """A was never taken, B was, and its answer lost. Rather B twice than A never."""
    await house.account("resident1")
    for _ in range(3):
        await accepted(house)
        clock.advance(seconds=5)
    await house.fake.fault(SEND, "html")
    assert await send(house, delivery_key="A", page="pages/poll/poll?id=a") is (
        SendOutcome.RETRY_LATER
    )
    clock.advance(seconds=10)
    await house.fake.fault(SEND, "lost")
    assert await send(house, delivery_key="B", page="pages/poll/poll?id=b") is (
        SendOutcome.RETRY_LATER
    )
    await house.deliver()  # the receipt of B
    [receipt] = await house.rows(SubscriptionReceipt)
    clock.advance(seconds=60)

    for key in ("A", "B"):
        page = f"pages/poll/poll?id={key.lower()}"
        assert await send(house, delivery_key=key, page=page) is SendOutcome.SENT
        await house.deliver()
        clock.advance(seconds=60)

    pages = [one["page"][-1] for one in (await house.fake.outbox())["messages"]]
    assert pages == ["b", "a", "b"]
    assert receipt.msg_id not in {row.msg_id for row in await house.rows(SubscriptionSend)}


async def test_a_message_of_long_ago_of_which_nobody_knows_makes_no_new_receipt_doubtful(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1")
    for _ in range(3):
        await accepted(house)
        clock.advance(seconds=5)
    await house.fake.fault(SEND, "html")
    assert await send(house, delivery_key="A") is SendOutcome.RETRY_LATER
    clock.advance(days=2)
    await house.fake.fault(SEND, "lost")
    assert await send(house, delivery_key="B") is SendOutcome.RETRY_LATER
    await house.deliver()
    clock.advance(seconds=60)

    assert await send(house, delivery_key="B") is SendOutcome.SENT
    assert await messages(house) == 1


async def test_nothing_left_after_a_try_that_may_have_taken_it_waits_for_the_receipt(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1")
    await accepted(house)
    clock.advance(seconds=5)
    await house.fake.fault(SEND, "lost")
    assert await send(house, delivery_key="d1") is SendOutcome.RETRY_LATER
    clock.advance(seconds=30)

    assert await send(house, delivery_key="d1") is SendOutcome.RETRY_LATER  # 43101
    [row] = await house.rows(SubscriptionSend)
    assert (row.state, row.spent, row.errcode) == (SendState.UNSURE, True, 43101)
    await house.deliver()
    clock.advance(seconds=30)
    assert await send(house, delivery_key="d1") is SendOutcome.SENT
    assert await messages(house) == 1
    assert await send(house, delivery_key="d2") is SendOutcome.NO_CREDIT


async def test_nothing_left_is_a_refusal_when_no_receipt_comes_in_time(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1")
    await accepted(house)
    clock.advance(seconds=5)
    await house.fake.refuse("o1", "T-poll")  # WeChat knows, we do not yet
    await house.fake.fault(SEND, "html")
    assert await send(house, delivery_key="d1") is SendOutcome.RETRY_LATER
    outcomes = []
    for minutes in (1, 2, 3):
        clock.advance(minutes=minutes)
        outcomes.append(await send(house, delivery_key="d1"))

    assert outcomes == [SendOutcome.RETRY_LATER, SendOutcome.RETRY_LATER, SendOutcome.REFUSED]
    assert await messages(house) == 0
