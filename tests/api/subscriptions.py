"""A person's credits and messages in the mini-program, on a running backend."""

from datetime import UTC, datetime
from typing import Any

import httpx

from notifications.wechat.subscribe import SendOutcome, send_subscription
from tests.api.wechat_house import House
from tests.conftest import ManualClock
from tests.fake_wechat import bearer

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


async def credits_of(
    house: House, session: dict[str, Any], name: str = "poll_opened"
) -> int | None:
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


async def with_credits(house: House, clock: ManualClock, number: int) -> None:
    """resident1 has an account, and allowed so many messages, five seconds apart."""
    await house.account("resident1")
    for _ in range(number):
        await accepted(house)
        clock.advance(seconds=5)


async def messages(house: House) -> int:
    return len((await house.fake.outbox())["messages"])
