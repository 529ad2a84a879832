"""Random lives of a subscription: taps, refusals, sends, lost reports, pushes that come late, twice
and shuffled. When everything has arrived, our ledger is WeChat's."""

import random
from uuid import UUID

import pytest

from notifications.wechat.ledger import balances
from notifications.wechat.subscribe import SEND, SendOutcome, send_subscription
from notifications.wechat.tables import WechatAccount
from tests.api.subscriptions import report
from tests.api.wechat_house import House
from tests.conftest import ManualClock
from tests.fake_wechat import log_in

STEPS = 30


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("seed", range(8))
async def test_our_ledger_is_wechats_when_everything_has_arrived(
    house: House, clock: ManualClock, seed: int
) -> None:
    chance = random.Random(seed)
    session = await log_in(house.http, house.fake, "o1", phone="13800000001")
    delivered: list[SendOutcome] = []
    for step in range(STEPS):
        clock.advance(seconds=chance.randint(1, 90))
        template = chance.choice(["T-task", "T-reply"])
        match chance.choice(["tap", "tap", "tap", "send", "send", "refuse", "deliver", "lost"]):
            case "tap":
                answers = await house.fake.tap(
                    "o1", **{template: chance.choice(["accept", "always", "reject"])}
                )
                for _ in range(chance.choice([0, 1, 2])):
                    await report(house, session, f"popup-{step:04}", answers)
            case "refuse":
                await house.fake.refuse("o1", template)
            case "deliver":
                await house.deliver(times=chance.choice([1, 2]), reverse=chance.random() < 0.5)
            case "send" | "lost" as what:
                if what == "lost":
                    await house.fake.fault(SEND, "lost")
                name = {"T-task": "task_done", "T-reply": "topic_answered"}[template]
                delivered.append(
                    await send_subscription(
                        house.db,
                        house.services.wechat,
                        person_id=UUID(session["person_id"]),
                        template=name,
                        facts={"title": "公告", "done_on": clock.now.date()},
                        page="pages/topic/topic",
                        delivery_key=f"d{step}",
                    )
                )
                await house.fake.heal()
    await house.deliver(times=2, reverse=True)

    outbox = await house.fake.outbox()
    real = outbox["credits"]["o1"]
    [account] = await house.rows(WechatAccount)
    async with house.db.read() as tx:
        ours = await balances(tx, account.id)
    for template in ("T-task", "T-reply"):
        assert ours.get(template, 0) == real.get(template, 0), template
    sure = [outcome for outcome in delivered if outcome is SendOutcome.SENT]
    unsure = [outcome for outcome in delivered if outcome is SendOutcome.RETRY_LATER]
    assert len(sure) <= len(outbox["messages"]) <= len(sure) + len(unsure)
