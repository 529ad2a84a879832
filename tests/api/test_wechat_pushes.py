"""Pushes against the running backend: what is believed, and what is kept."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from api.settings import Settings
from consultation.jobs import Job
from notifications.wechat.tables import (
    Push,
    PushNonce,
    SubscriptionAccept,
    SubscriptionCredit,
    WechatAccount,
)
from tests.api.pushes import ACCEPT, POPUP, outcomes
from tests.api.wechat_house import POLL, House, house
from tests.conftest import ManualClock
from tests.fake_wechat import FakeWechat, log_in
from tests.live import Start

# ---- what is believed --------------------------------------------------------------------


async def test_the_console_finds_the_address_and_nobody_else_does(house: House) -> None:
    answer = await house.fake._tell("check-address")
    assert (answer["status"], answer["text"]) == (200, "echo")
    plain = await house.http.get(
        "/v1/wechat/push",
        params={"signature": "0" * 40, "timestamp": "1", "nonce": "1", "echostr": "x"},
    )
    assert plain.status_code == 403
    assert plain.json()["code"] == "push-not-genuine"
    assert "x" not in plain.json()["detail"]


@pytest.mark.parametrize("format", ["json", "xml"])
@pytest.mark.parametrize("mode", ["secure", "compatible"])
async def test_an_encrypted_push_is_taken_and_acted_upon_in_both_formats(
    house: House, mode: str, format: str
) -> None:
    await house.account("resident1")
    await house.listen(mode=mode, format=format)

    assert await house.push(POPUP, "o1", data=ACCEPT) == [200]

    assert await outcomes(house) == [(POPUP, "done")]
    [accept] = await house.rows(SubscriptionAccept)
    assert accept.template_id == POLL.template_id


@pytest.mark.parametrize("mutate", ["list_as_array", "time_as_text", "spaced_keys"])
async def test_the_shapes_that_occur_are_all_read(house: House, mutate: str) -> None:
    await house.account("resident1")

    assert await house.push(POPUP, "o1", data=ACCEPT, mutate=mutate) == [200]

    assert len(await house.rows(SubscriptionAccept)) == 1


@pytest.mark.parametrize(
    "mutate",
    [
        "bad_signature",
        "bad_msg_signature",
        "good_signature_bad_msg_signature",
        "wrong_app",
        "wrong_padding",
        "stale",
        "plaintext",
        "truncated",
        "other_body",
    ],
)
async def test_what_is_not_genuine_is_refused_and_leaves_nothing(house: House, mutate: str) -> None:
    await house.account("resident1")

    assert await house.push(POPUP, "o1", data=ACCEPT, mutate=mutate) == [403, 403, 403]

    for table in (Push, PushNonce, SubscriptionAccept, Job):
        assert await house.rows(table) == []


async def test_a_replay_changes_nothing_and_another_body_under_it_is_refused(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1")
    await house.push(POPUP, "o1", data=ACCEPT)

    assert await house.fake.replay() == 200  # WeChat may not have heard us: say it again
    assert await house.fake.replay(json.dumps({"Event": POPUP})) == 403
    clock.advance(minutes=11)
    assert await house.fake.replay() == 403
    await house.errands()

    assert len(await house.rows(Push)) == 1
    assert len(await house.rows(SubscriptionAccept)) == 1


async def test_nonces_are_forgotten_when_no_replay_could_be_fresh(
    house: House, clock: ManualClock
) -> None:
    await house.push("debug_demo", "o1")
    clock.advance(minutes=31)
    await house.push("debug_demo", "o2")

    assert len(await house.rows(PushNonce)) == 1


async def test_in_plain_mode_a_used_nonce_vouches_for_no_other_body(
    start: Start, fake_wechat: FakeWechat
) -> None:
    async with house(start, fake_wechat, wechat_push_mode="plain") as plain:
        await plain.account("resident1")
        await plain.listen(mode="plain")
        assert await plain.push(POPUP, "o1", data=ACCEPT) == [200]

        other = {"MsgType": "event", "Event": "user_authorization_cancellation", "OpenID": "o1"}
        assert await plain.fake.replay(json.dumps(other)) == 403
        assert len(await plain.rows(WechatAccount)) == 1


async def test_without_a_token_there_is_no_such_place(start: Start) -> None:
    async with start() as town, httpx.AsyncClient(base_url=town.url, trust_env=False) as http:
        assert (await http.post("/v1/wechat/push", content=b"{}")).status_code == 404
        assert (await http.get("/v1/wechat/push")).status_code == 404


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"wechat_push_key": "short"}, "43"),
        ({"wechat_push_key": "A" * 43, "wechat_push_mode": "plain", "production": True}, "encrypt"),
        ({"wechat_h5_app_id": "wx1"}, "wechat_h5_page"),
    ],
)
def test_settings_that_would_not_be_safe_are_refused(
    changes: dict[str, Any], complaint: str
) -> None:
    good: dict[str, Any] = {
        "field_secret": "-" * 32,
        "token_key": "00" * 32,
        "board_key": "00" * 32,
        "wechat_push_token": "t",
        "wechat_push_key": "A" * 43,
        "wechat_app_id": "wx1",
        "live_origins": ["*"],
        "wechat_secret": "s",
    }
    Settings(**good)
    with pytest.raises(ValueError, match=complaint):
        Settings(**(good | changes))


# ---- kept before it is understood --------------------------------------------------------


async def test_a_push_is_kept_sealed_and_its_text_goes_once_it_was_acted_upon(house: House) -> None:
    await house.account("resident1", "o-canary-openid")
    await house.fake.push(POPUP, "o-canary-openid", data=ACCEPT)

    [push] = await house.rows(Push)
    assert push.processed_at is None
    assert push.body_sealed is not None
    assert b"canary" not in push.body_sealed
    await house.errands()
    [push] = await house.rows(Push)
    assert push.processed_at is not None
    assert push.body_sealed is None


async def test_to_look_for_errands_waits_for_nobody_who_writes(house: House) -> None:
    async with house.services.db.begin(), asyncio.timeout(5):
        assert await house.services.errands.run_due() == 0


async def test_a_resent_push_is_acted_upon_once_however_many_come_at_once(house: House) -> None:
    await house.account("resident1")
    await house.fake.tap("o1", **{"T-poll": "accept"})
    await house.fake.deliver(times=4)

    await asyncio.gather(*(house.services.errands.run_due() for _ in range(3)))

    assert await outcomes(house) == [(POPUP, "done")]
    assert len(await house.rows(SubscriptionAccept)) == 1


async def test_wechat_tries_again_when_we_do_not_answer_and_nothing_is_lost(house: House) -> None:
    await house.account("resident1")
    await house.listen(timeout=0.3)
    async with house.db.begin() as tx:  # the database is busy for longer than WeChat waits
        if not house.db.is_sqlite:  # where writers do not wait for each other anyway
            await tx.session.exec(text("LOCK TABLE push IN ACCESS EXCLUSIVE MODE"))
        statuses = await house.fake.push(POPUP, "o1", data=ACCEPT)
    assert statuses == [0, 0, 0]
    await asyncio.sleep(0.2)  # the requests that WeChat gave up on are still answered here
    assert await house.fake.replay() == 200
    await house.errands()

    assert len(await house.rows(Push)) == 1
    assert len(await house.rows(SubscriptionAccept)) == 1


async def test_unknown_events_and_strangers_are_kept_and_change_nothing(house: House) -> None:
    for event, openid, data in (
        ("invented_event", "o1", {}),
        (POPUP, "nobody", ACCEPT),
        ("user_info_modified", "o1", {"OpenID": "o1"}),
        ("debug_demo", "o1", {"debug_str": "hello"}),
        ("wxa_media_check", "o1", {"trace_id": ""}),
        ("user_authorization_cancellation", "nobody", {"OpenID": "nobody"}),
    ):
        assert await house.push(event, openid, data=data) == [200]

    assert await outcomes(house) == [
        ("debug_demo", "nothing kept"),
        ("invented_event", "unknown"),
        (POPUP, "nobody"),
        ("user_authorization_cancellation", "nobody"),
        ("user_info_modified", "nothing kept"),
        ("wxa_media_check", "odd"),
    ]


async def test_an_event_in_any_order_and_number_leaves_the_same(
    house: House, clock: ManualClock
) -> None:
    for openid, reverse in (("o1", False), ("o2", True)):
        await log_in(house.http, house.fake, openid, phone="13800000001")
        await house.fake.tap(openid, **{"T-poll": "accept", "T-task": "accept"})
        clock.advance(seconds=3)
        await house.fake.refuse(openid, "T-task")
        clock.advance(seconds=3)
        await house.fake.tap(openid, **{"T-poll": "always"})
        await house.deliver(reverse=reverse, times=2)

    accounts = {one.id: one.openid for one in await house.rows(WechatAccount)}
    found: dict[str, dict[str, int]] = {"o1": {}, "o2": {}}
    for credit in await house.rows(SubscriptionCredit):
        found[accounts[credit.account_id]][credit.template_id] = credit.credits
    assert found["o1"] == found["o2"] == {"T-poll": 2, "T-task": 0}
