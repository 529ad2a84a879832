"""Whose receipt it is, when answers were lost: nothing sent twice that may have come."""

import pytest

from notifications.wechat.subscribe import SEND, SendOutcome
from notifications.wechat.tables import SendState, SubscriptionReceipt, SubscriptionSend
from tests.api.subscriptions import messages, send, with_credits
from tests.api.wechat_house import House
from tests.conftest import ManualClock


async def test_the_receipt_of_a_first_try_is_heeded_after_a_second_try_of_which_nobody_knows(
    house: House, clock: ManualClock
) -> None:
    await with_credits(house, clock, 2)
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
    await with_credits(house, clock, 2)
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
    await with_credits(house, clock, 3)
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
    await with_credits(house, clock, 3)
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
    await with_credits(house, clock, 1)
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
    await with_credits(house, clock, 1)
    await house.fake.refuse("o1", "T-poll")  # WeChat knows, we do not yet
    await house.fake.fault(SEND, "html")
    assert await send(house, delivery_key="d1") is SendOutcome.RETRY_LATER
    outcomes = []
    for minutes in (1, 2, 3):
        clock.advance(minutes=minutes)
        outcomes.append(await send(house, delivery_key="d1"))

    assert outcomes == [SendOutcome.RETRY_LATER, SendOutcome.RETRY_LATER, SendOutcome.REFUSED]
    assert await messages(house) == 0
