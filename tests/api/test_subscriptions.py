"""Subscription messages: one credit, one message, one receipt."""

from typing import Any

import pytest

from notifications.wechat.subscribe import SEND, SendOutcome, wrong_templates
from notifications.wechat.tables import (
    AccountKind,
    SendState,
    SubscriptionAccept,
    SubscriptionReceipt,
    SubscriptionSend,
)
from tests.api.subscriptions import FACTS, accepted, messages, send
from tests.api.wechat_house import House
from tests.conftest import ManualClock


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

    assert await messages(house) == 1
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

    assert await messages(house) == 1
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
    assert await messages(house) == 1


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
