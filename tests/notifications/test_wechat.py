"""The real client against the fake over real HTTP; both keep the facts in ``tests/contract``."""

import asyncio
import io
import json
import logging
import random
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from api import logs
from api.fake_wechat.state import APP_ID, SECRET
from notifications.wechat import client as wechat
from notifications.wechat.client import STABLE_TOKEN, TRIES, Wechat
from notifications.wechat.errors import (
    CodeInvalid,
    CodeUsed,
    Faulty,
    TooOften,
    Unavailable,
    UserRestricted,
    WechatError,
    failed,
)
from notifications.wechat.login import LOGIN, code_to_session
from notifications.wechat.phone import PHONE, phone_number
from tests.conftest import ManualClock
from tests.fake_wechat import FakeWechat

FACTS = json.loads((Path(__file__).parents[1] / "contract" / "wechat_facts.json").read_text())
ERRCODES = FACTS["errcodes"]


@dataclass
class Pauses:
    """Takes the place of sleep between tries."""

    taken: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


def latest(least: float, most: float) -> float:
    """A draw that spreads tokens as far as it may, and pauses as they come."""
    return most if (least, most) == (0, 1) else random.uniform(least, most)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
async def client(
    fake_wechat: FakeWechat, clock: ManualClock, pauses: Pauses
) -> AsyncGenerator[Wechat]:
    await fake_wechat.user("o1", unionid="u1", phone="19900000001")
    made = Wechat(
        fake_wechat.url,
        app_id=APP_ID,
        secret=SECRET,
        clock=clock,
        timeout=0.5,
        pause=pauses,
        draw=latest,
    )
    yield made
    await made.close()


def test_the_client_asks_where_the_facts_say() -> None:
    assert tuple(FACTS[name]["path"] for name in ("login", "stable_token", "phone")) == (
        LOGIN,
        STABLE_TOKEN,
        PHONE,
    )
    assert timedelta(seconds=FACTS["stable_token"]["overlap_seconds"]) == wechat.EARLY


# ---- logging in ---------------------------------------------------------------------------


async def test_a_code_becomes_an_identity(client: Wechat, fake_wechat: FakeWechat) -> None:
    identity = await code_to_session(client, await fake_wechat.login_code("o1"))

    assert (identity.openid, identity.unionid) == ("o1", "u1")
    assert identity.session_key
    assert identity.session_key not in repr(identity)


async def test_a_second_exchange_says_used(client: Wechat, fake_wechat: FakeWechat) -> None:
    code = await fake_wechat.login_code("o1")
    await code_to_session(client, code)

    with pytest.raises(CodeUsed):
        await code_to_session(client, code)


async def test_a_foreign_an_old_and_an_invented_code_are_invalid(
    client: Wechat, fake_wechat: FakeWechat
) -> None:
    foreign = await fake_wechat.login_code("o1", app_id="wxsomebodyelse")
    old = await fake_wechat.login_code("o1")
    await fake_wechat.advance(300)

    for code in (foreign, old, "invented"):
        with pytest.raises(CodeInvalid):
            await code_to_session(client, code)


async def test_a_high_risk_user_is_never_tried_again(
    client: Wechat, fake_wechat: FakeWechat, pauses: Pauses
) -> None:
    await fake_wechat.user("risky", risk=True)

    with pytest.raises(UserRestricted):
        await code_to_session(client, await fake_wechat.login_code("risky"))
    assert await fake_wechat.calls(LOGIN) == 1
    assert pauses.taken == []


async def test_a_wrong_secret_is_our_trouble_and_not_the_users(
    fake_wechat: FakeWechat, clock: ManualClock
) -> None:
    await fake_wechat.user("o1")
    misled = Wechat(fake_wechat.url, app_id=APP_ID, secret="wrong", clock=clock)
    with pytest.raises(Unavailable) as caught:
        await code_to_session(misled, await fake_wechat.login_code("o1"))
    await misled.close()
    assert caught.value.errcode == 40125
    assert caught.value.rid


@pytest.mark.parametrize("fact", ERRCODES, ids=[str(fact["errcode"]) for fact in ERRCODES])
async def test_every_errcode_means_what_the_facts_say(
    client: Wechat, fake_wechat: FakeWechat, pauses: Pauses, fact: dict[str, object]
) -> None:
    await fake_wechat.fault(LOGIN, "errcode", errcode=fact["errcode"], n=TRIES)

    with pytest.raises(WechatError) as caught:
        await code_to_session(client, "any")

    assert type(caught.value).__name__ == fact["client"]
    assert caught.value.errcode == fact["errcode"]
    assert caught.value.rid is not None
    tries = TRIES if fact["retry"] else 1
    assert await fake_wechat.calls(LOGIN) == tries
    assert len(pauses.taken) == tries - 1


async def test_a_busy_server_is_asked_again_after_a_random_wait(
    client: Wechat, fake_wechat: FakeWechat, pauses: Pauses
) -> None:
    await fake_wechat.fault(LOGIN, "errcode", n=TRIES - 1)

    identity = await code_to_session(client, await fake_wechat.login_code("o1"))

    assert identity.openid == "o1"
    assert len(set(pauses.taken)) == TRIES - 1  # not in step with everybody else
    assert all(0.1 <= wait <= 0.5 for wait in pauses.taken)


@pytest.mark.parametrize(
    "fault", [{"kind": "html"}, {"kind": "truncated"}, {"kind": "slow", "seconds": 1.5}]
)
async def test_nonsense_and_silence_are_unavailable_and_not_tried_again(
    client: Wechat, fake_wechat: FakeWechat, fault: dict[str, object]
) -> None:
    await fake_wechat.fault(LOGIN, **fault)  # type: ignore[arg-type]

    with pytest.raises(Unavailable):
        await code_to_session(client, await fake_wechat.login_code("o1"))
    assert await fake_wechat.calls(LOGIN) == 1


async def test_a_lost_answer_has_used_up_the_code(client: Wechat, fake_wechat: FakeWechat) -> None:
    code = await fake_wechat.login_code("o1")
    await fake_wechat.fault(LOGIN, "lost")

    with pytest.raises(Unavailable):
        await code_to_session(client, code)
    assert await fake_wechat.calls(LOGIN) == 1  # a blind retry would only hear "used"
    with pytest.raises(CodeUsed):
        await code_to_session(client, code)


async def test_a_server_that_is_not_there_is_tried_again_for_nothing_happened_there(
    clock: ManualClock, pauses: Pauses
) -> None:
    nowhere = Wechat("http://127.0.0.1:9", app_id=APP_ID, secret=SECRET, clock=clock, pause=pauses)
    with pytest.raises(Unavailable):
        await code_to_session(nowhere, "any")
    await nowhere.close()
    assert len(pauses.taken) == TRIES - 1


# ---- the access token ---------------------------------------------------------------------


async def number(client: Wechat, fake: FakeWechat) -> str:
    return (await phone_number(client, await fake.phone_code("o1"), openid="o1")).number


async def test_the_token_is_fetched_once_however_many_ask(
    client: Wechat, fake_wechat: FakeWechat
) -> None:
    assert set(await asyncio.gather(*(number(client, fake_wechat) for _ in range(8)))) == {
        "19900000001"
    }
    assert await fake_wechat.calls(STABLE_TOKEN) == 1


async def test_the_token_is_kept_until_five_minutes_before_its_end(
    client: Wechat, fake_wechat: FakeWechat, clock: ManualClock
) -> None:
    await number(client, fake_wechat)
    clock.advance(seconds=7200 - 300 - 60 - 5)  # the draw of these tests is the earliest
    await number(client, fake_wechat)
    before = await fake_wechat.calls(STABLE_TOKEN)
    clock.advance(seconds=5)
    await number(client, fake_wechat)

    assert before == 1
    assert await fake_wechat.calls(STABLE_TOKEN) == 2


async def test_a_token_that_dies_on_the_way_is_replaced_once(
    client: Wechat, fake_wechat: FakeWechat
) -> None:
    await number(client, fake_wechat)
    await fake_wechat.fault(PHONE, "token_dies")

    assert await number(client, fake_wechat) == "19900000001"
    assert await fake_wechat.calls(STABLE_TOKEN) == 2


async def test_an_expired_token_is_replaced(client: Wechat, fake_wechat: FakeWechat) -> None:
    await number(client, fake_wechat)
    await fake_wechat.advance(7201)  # our own clock stands still

    assert await number(client, fake_wechat) == "19900000001"


async def test_a_token_refused_by_one_word_and_upheld_by_the_other_ends_the_matter(
    client: Wechat, fake_wechat: FakeWechat
) -> None:
    await fake_wechat.fault(PHONE, "errcode", errcode=40001, n=9)

    with pytest.raises(Unavailable) as caught:
        await number(client, fake_wechat)

    assert caught.value.errcode == 40001
    assert await fake_wechat.calls(PHONE) == 1
    assert await fake_wechat.calls(STABLE_TOKEN) == 2


async def test_who_waits_for_a_token_that_does_not_come_hears_so_together(
    client: Wechat, fake_wechat: FakeWechat, clock: ManualClock
) -> None:
    await fake_wechat.fault(STABLE_TOKEN, "slow", seconds=2, n=9)

    async def refused() -> float:
        with pytest.raises(Unavailable):
            await client.access_token()
        return asyncio.get_running_loop().time()

    begun = asyncio.get_running_loop().time()
    heard = await asyncio.gather(*(refused() for _ in range(30)))
    assert max(heard) - begun < 3  # one after the other it would be fifteen
    clock.advance(seconds=1.9)
    await refused()  # and who comes a moment later need not wait at all
    assert await fake_wechat.calls(STABLE_TOKEN) == 1
    await fake_wechat.heal()
    clock.advance(seconds=0.1)
    assert await client.access_token()
    assert await fake_wechat.calls(STABLE_TOKEN) == 2


async def test_who_stops_waiting_for_a_token_takes_it_from_nobody(
    client: Wechat, fake_wechat: FakeWechat
) -> None:
    await fake_wechat.fault(STABLE_TOKEN, "slow", seconds=0.2)
    impatient, patient = (asyncio.create_task(client.access_token()) for _ in range(2))
    await asyncio.sleep(0.05)
    impatient.cancel()

    assert await patient
    assert await fake_wechat.calls(STABLE_TOKEN) == 1


async def test_a_request_with_token_and_tries_ends_in_bounded_time(
    client: Wechat, fake_wechat: FakeWechat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_pause", asyncio.sleep)
    await fake_wechat.fault(STABLE_TOKEN, "slow", seconds=0.4)
    await fake_wechat.fault(PHONE, "slow", seconds=0.45)  # answers, and then is busy
    for _ in range(TRIES):
        await fake_wechat.fault(PHONE, "errcode", n=1)
    client._longest = 0.6
    begun = asyncio.get_running_loop().time()
    with pytest.raises(Unavailable):
        await number(client, fake_wechat)
    assert asyncio.get_running_loop().time() - begun < 2


async def test_a_token_without_life_is_none(
    client: Wechat, fake_wechat: FakeWechat, clock: ManualClock
) -> None:
    await fake_wechat.fault(STABLE_TOKEN, "truncated")

    with pytest.raises(Unavailable):
        await number(client, fake_wechat)
    clock.advance(seconds=2)
    assert await number(client, fake_wechat) == "19900000001"


# ---- phone numbers ------------------------------------------------------------------------


async def test_a_number_abroad_keeps_its_country(client: Wechat, fake_wechat: FakeWechat) -> None:
    await fake_wechat.user("hk", phone="91234567", country_code="852")

    phone = await phone_number(client, await fake_wechat.phone_code("hk"), openid="hk")

    assert (phone.country_code, phone.number) == ("852", "91234567")
    assert "91234567" not in repr(phone)


async def test_a_phone_code_of_another_user_a_login_code_and_a_used_one_are_invalid(
    client: Wechat, fake_wechat: FakeWechat
) -> None:
    await fake_wechat.user("o2", phone="19900000002")
    used = await fake_wechat.phone_code("o1")
    await phone_number(client, used, openid="o1")

    for code in (await fake_wechat.phone_code("o2"), await fake_wechat.login_code("o1"), used):
        with pytest.raises(CodeInvalid):
            await phone_number(client, code, openid="o1")
    assert (await fake_wechat.outbox())["phone_charges"] == ["o1"]


async def test_a_number_meant_for_another_app_is_not_taken(
    fake_wechat: FakeWechat, client: Wechat
) -> None:
    code = await fake_wechat.phone_code("o1")
    await client.access_token()
    client.app_id = "wxsomebodyelse"

    with pytest.raises(CodeInvalid):
        await phone_number(client, code, openid="o1")


async def test_too_many_phone_numbers_are_too_often(
    client: Wechat, fake_wechat: FakeWechat
) -> None:
    await fake_wechat.fault(PHONE, "errcode", errcode=45011)

    with pytest.raises(TooOften):
        await number(client, fake_wechat)


# ---- alerts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("errmsg", "key"),
    [
        ("argument invalid! data.thing1.value invalid rid: 6500-ab12-cd34", "thing1"),
        ("argument invalid! data.character_string12.value is empty", "character_string12"),
        ("argument invalid! 张三 13900000000 data.张三.value", None),
        ("argument invalid!", None),
    ],
)
def test_a_value_that_wechat_does_not_take_is_an_alert_that_names_its_key_and_nothing_else(
    errmsg: str, key: str | None
) -> None:
    before = structlog.get_config()
    stream = io.StringIO()
    logs.configure(stream)
    try:
        error = failed("/send", {"errcode": 47003, "errmsg": errmsg})
    finally:
        structlog.configure(**before)

    assert isinstance(error, Faulty)
    [alert] = [json.loads(line) for line in stream.getvalue().splitlines() if '"error"' in line]
    assert (alert["event"], alert.get("key")) == ("wechat value refused", key)
    assert [one for one in ("张三", "139") if one in stream.getvalue()] == []


# ---- silence ------------------------------------------------------------------------------


async def test_no_secret_token_code_or_number_reaches_a_log_or_a_message(
    client: Wechat,
    fake_wechat: FakeWechat,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    code = await fake_wechat.login_code("o1")
    phone_code = await fake_wechat.phone_code("o1")
    await code_to_session(client, code)
    with pytest.raises(CodeUsed) as used:
        await code_to_session(client, code)
    await phone_number(client, phone_code, openid="o1")
    token = await client.access_token()
    await fake_wechat.fault(LOGIN, "slow", seconds=1)
    with pytest.raises(Unavailable) as late:
        await code_to_session(client, code)

    printed = capsys.readouterr()
    everything = caplog.text + printed.out + printed.err + repr(used.value) + repr(late.value)
    for secret in (SECRET, token, code, phone_code, "19900000001"):
        assert secret not in everything
