"""Quotas, latency and broken answers, as the backend's users meet them."""

import time

import pytest

from notifications.wechat.content import TEXT_CHECK
from notifications.wechat.login import LOGIN
from notifications.wechat.tables import CheckState, ContentCheck
from tests.api.content import a_thread, queue, say
from tests.api.wechat_house import House, house
from tests.conftest import ManualClock
from tests.fake_wechat import FakeWechat
from tests.live import Start


async def logs_in(house: House) -> tuple[int, str | None]:
    code = await house.fake.login_code("o1")
    answer = await house.http.post("/v1/session/wechat", json={"code": code})
    return answer.status_code, answer.json().get("code")


@pytest.mark.parametrize(
    ("quota", "expected"),
    [({"per_minute": 0}, (429, "too-many-logins")), ({"per_day": 0}, (503, "wechat-unavailable"))],
)
async def test_quotas_reach_the_user_as_what_they_are(
    house: House, quota: dict[str, int], expected: tuple[int, str]
) -> None:
    await house.fake.user("o1")
    await house.fake.quota(LOGIN, **quota)
    assert await logs_in(house) == expected
    await house.fake.quota(LOGIN)
    assert (await logs_in(house))[0] == 200


@pytest.mark.parametrize("kind", ["html", "truncated", "lost", "reset"])
async def test_a_broken_answer_is_unavailable_and_a_new_code_logs_in(
    house: House, kind: str
) -> None:
    await house.fake.user("o1")
    await house.fake.fault(LOGIN, kind)
    assert await logs_in(house) == (503, "wechat-unavailable")
    assert (await logs_in(house))[0] == 200


async def test_an_answer_that_drips_in_is_not_waited_for_to_the_end(
    start: Start, fake_wechat: FakeWechat
) -> None:
    async with house(start, fake_wechat, wechat_timeout_seconds=0.4) as impatient:
        await impatient.fake.user("o1")
        await impatient.fake.fault(LOGIN, "drip", seconds=20)
        started = time.monotonic()
        assert await logs_in(impatient) == (503, "wechat-unavailable")
        assert time.monotonic() - started < 10
        await impatient.fake.fault(LOGIN, "slow", seconds=0.05)
        assert (await logs_in(impatient))[0] == 200


async def test_a_quota_of_checks_puts_texts_before_people_and_later_ones_catch_up(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1")
    await house.fake.quota(TEXT_CHECK, per_minute=2)
    thread = await a_thread(house)
    for number in range(4):
        await say(house, f"第{number}条", thread=thread)
    await house.errands()
    assert len(await queue(house)) == 2

    for _ in range(3):
        clock.advance(minutes=5)
        await house.errands()

    assert await queue(house) == []
    assert {check.state for check in await house.rows(ContentCheck)} == {CheckState.PASS}


async def test_a_long_topic_is_checked_in_parts_that_wechat_takes(house: House) -> None:
    await house.account("resident1")
    proposal = {
        "title": "加装电梯",
        "problem": "老人上下楼难。" * 500,
        "wish": "加装电梯" * 900,
        "place": "3幢2单元",
        "affected": ["一层业主"],
    }
    mine = house.world.headers("resident1")
    drafted = await house.http.post(
        f"/v1/communities/{house.world.community.id}/topics",
        headers=mine,
        json={"node_id": str(house.world.nodes["entrance"].id), "proposal": proposal},
    )
    submitted = await house.http.post(
        f"/v1/topics/{drafted.json()['id']}/submission",
        headers=house.world.headers("resident1"),
        json={},
    )
    assert submitted.is_success, submitted.text
    await house.errands()

    [check] = await house.rows(ContentCheck)
    parts = (await house.fake.outbox())["checks"]
    assert check.state is CheckState.PASS
    assert len(check.traces) == len(parts) >= 3
    assert max(len(part["content"]) for part in parts) <= 2500


async def test_errands_never_stop_a_deadline_from_being_kept(
    house: House, clock: ManualClock
) -> None:
    """A slow WeChat holds up errands only: the worker claims none of them."""
    await house.account("resident1")
    await house.fake.fault(TEXT_CHECK, "html", n=99)
    await say(house, "同意")

    assert await house.services.worker.run_due() == 0
    assert await house.fake.calls(TEXT_CHECK) == 0
    await house.errands()
    assert await house.fake.calls(TEXT_CHECK) == 1
