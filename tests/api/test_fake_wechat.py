"""The fake keeps the facts that ``tests/contract/wechat_facts.json`` lists."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from api.cli import cli
from api.fake_wechat.server import NotInProduction, build_fake
from api.fake_wechat.state import APP_ID, MESSAGES, SECRET
from tests.fake_wechat import FakeWechat

FACTS = json.loads((Path(__file__).parents[1] / "contract" / "wechat_facts.json").read_text())
LOGIN, STABLE, PLAIN, PHONE = (
    FACTS[name]["path"] for name in ("login", "stable_token", "plain_token", "phone")
)
APP = {"appid": APP_ID, "secret": SECRET}


async def log_in(fake: FakeWechat, code: str, **changes: str) -> httpx.Response:
    query = APP | {"js_code": code, "grant_type": "authorization_code"} | changes
    return await fake.http.get(LOGIN, params=query)


async def stable(fake: FakeWechat, **changes: Any) -> dict[str, Any]:
    body = APP | {"grant_type": "client_credential"} | changes
    return (await fake.http.post(STABLE, json=body)).json()


async def plain(fake: FakeWechat) -> str:
    query = APP | {"grant_type": "client_credential"}
    return (await fake.http.get(PLAIN, params=query)).json()["access_token"]


async def phone(fake: FakeWechat, token: str, **body: str) -> dict[str, Any]:
    return (await fake.http.post(PHONE, params={"access_token": token}, json=body)).json()


async def holds(fake: FakeWechat, token: str) -> int:
    """0 if the fake takes the access token (and complains of the code), else its errcode."""
    errcode = (await phone(fake, token, code="none"))["errcode"]
    return 0 if errcode == 40029 else errcode


# ---- login codes --------------------------------------------------------------------------


async def test_a_login_answers_text_without_errcode_and_unionid_only_if_there_is_one(
    fake_wechat: FakeWechat,
) -> None:
    await fake_wechat.user("o1")
    await fake_wechat.user("o2", unionid="u2")

    one = await log_in(fake_wechat, await fake_wechat.login_code("o1"))
    two = await log_in(fake_wechat, await fake_wechat.login_code("o2"))

    assert one.status_code == 200
    assert one.headers["content-type"].startswith(FACTS["login"]["media_type"])
    assert set(one.json()) == set(FACTS["login"]["fields"])
    assert two.json()["unionid"] == "u2"


async def test_every_login_replaces_the_session_key(fake_wechat: FakeWechat) -> None:
    await fake_wechat.user("o1")
    keys = {
        (await log_in(fake_wechat, await fake_wechat.login_code("o1"))).json()["session_key"]
        for _ in range(3)
    }
    assert len(keys) == 3


async def test_a_login_code_works_once_for_five_minutes_and_in_its_own_app(
    fake_wechat: FakeWechat,
) -> None:
    await fake_wechat.user("o1", phone="19900000001")
    used = await fake_wechat.login_code("o1")
    await log_in(fake_wechat, used)
    foreign = await fake_wechat.login_code("o1", app_id="wxsomebodyelse")
    fresh = await fake_wechat.login_code("o1")
    old = await fake_wechat.login_code("o1")
    phone_code = await fake_wechat.phone_code("o1")

    assert (await log_in(fake_wechat, used)).json()["errcode"] == 40163
    assert (await log_in(fake_wechat, foreign)).json()["errcode"] == 40029
    assert (await log_in(fake_wechat, "invented")).json()["errcode"] == 40029
    assert (await log_in(fake_wechat, phone_code)).json()["errcode"] == 40029
    await fake_wechat.advance(FACTS["login"]["code_seconds"] - 5)
    assert "openid" in (await log_in(fake_wechat, fresh)).json()
    await fake_wechat.advance(5)
    assert (await log_in(fake_wechat, old)).json()["errcode"] == 40029


async def test_a_refusal_is_http_200_and_ends_with_a_request_id(fake_wechat: FakeWechat) -> None:
    answer = await log_in(fake_wechat, "invented")

    assert answer.status_code == 200
    assert re.search(FACTS["errmsg_ends_with"], answer.json()["errmsg"])


async def test_a_high_risk_user_is_blocked(fake_wechat: FakeWechat) -> None:
    await fake_wechat.user("o1", risk=True)

    answer = await log_in(fake_wechat, await fake_wechat.login_code("o1"))

    assert answer.json()["errcode"] == 40226


async def test_the_hundred_and_first_login_of_a_user_in_a_minute_is_too_many(
    fake_wechat: FakeWechat,
) -> None:
    await fake_wechat.user("o1")
    await fake_wechat.user("o2")
    for _ in range(FACTS["login"]["logins_per_user_and_minute"]):
        answer = await log_in(fake_wechat, await fake_wechat.login_code("o1"))
        assert "openid" in answer.json()

    over = await log_in(fake_wechat, await fake_wechat.login_code("o1"))
    other = await log_in(fake_wechat, await fake_wechat.login_code("o2"))
    await fake_wechat.advance(60)
    later = await log_in(fake_wechat, await fake_wechat.login_code("o1"))

    assert over.json()["errcode"] == 45011
    assert "openid" in other.json()
    assert "openid" in later.json()


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"appid": "wxother"}, 40013),
        ({"secret": "wrong"}, 40125),
        ({"grant_type": "client_credential"}, 40002),
        ({"js_code": ""}, 41008),
    ],
)
async def test_a_login_must_name_app_secret_grant_and_code(
    fake_wechat: FakeWechat, changes: dict[str, str], errcode: int
) -> None:
    assert (await log_in(fake_wechat, "any", **changes)).json()["errcode"] == errcode


# ---- access tokens ------------------------------------------------------------------------


async def test_the_stable_token_stays_until_its_last_five_minutes_and_then_overlaps(
    fake_wechat: FakeWechat,
) -> None:
    facts = FACTS["stable_token"]
    first = await stable(fake_wechat)
    await fake_wechat.advance(facts["most_seconds"] - facts["overlap_seconds"] - 5)
    same = await stable(fake_wechat)
    await fake_wechat.advance(10)
    second = await stable(fake_wechat)

    assert facts["most_seconds"] - 2 <= first["expires_in"] <= facts["most_seconds"]
    assert same["access_token"] == first["access_token"]
    assert same["expires_in"] >= facts["overlap_seconds"]
    assert second["access_token"] != first["access_token"]
    assert await holds(fake_wechat, first["access_token"]) == 0
    assert await holds(fake_wechat, second["access_token"]) == 0
    await fake_wechat.advance(facts["overlap_seconds"])
    assert await holds(fake_wechat, first["access_token"]) == 42001
    assert await holds(fake_wechat, second["access_token"]) == 0


async def test_a_forced_stable_token_kills_the_old_one_at_once_but_not_within_thirty_seconds(
    fake_wechat: FakeWechat,
) -> None:
    facts = FACTS["stable_token"]
    first = (await stable(fake_wechat))["access_token"]
    forced = (await stable(fake_wechat, force_refresh=True))["access_token"]
    again = (await stable(fake_wechat, force_refresh=True))["access_token"]
    await fake_wechat.advance(facts["forced_apart_seconds"])
    later = (await stable(fake_wechat, force_refresh=True))["access_token"]

    assert await holds(fake_wechat, first) == 40001
    assert forced == again
    assert later not in (first, forced)
    assert await holds(fake_wechat, forced) == 40001
    for _ in range(facts["forced_per_day"] - 2):
        await fake_wechat.advance(facts["forced_apart_seconds"])
        assert "access_token" in await stable(fake_wechat, force_refresh=True)
    await fake_wechat.advance(facts["forced_apart_seconds"])
    assert (await stable(fake_wechat, force_refresh=True))["errcode"] == 45009
    assert "access_token" in await stable(fake_wechat)


async def test_the_two_families_of_tokens_do_not_touch_each_other(fake_wechat: FakeWechat) -> None:
    kept = (await stable(fake_wechat))["access_token"]
    first = await plain(fake_wechat)
    second = await plain(fake_wechat)

    assert first != second
    assert [await holds(fake_wechat, t) for t in (kept, first, second)] == [0, 0, 0]
    await fake_wechat.advance(FACTS["plain_token"]["overlap_seconds"])
    assert [await holds(fake_wechat, t) for t in (kept, first, second)] == [0, 42001, 0]
    await stable(fake_wechat, force_refresh=True)
    assert [await holds(fake_wechat, t) for t in (kept, second)] == [40001, 0]


async def test_tokens_that_are_missing_or_invented_are_told_apart(fake_wechat: FakeWechat) -> None:
    assert await holds(fake_wechat, "") == 41001
    assert await holds(fake_wechat, "98_invented") == 40014


async def test_a_token_is_given_only_for_a_good_body_app_and_secret(
    fake_wechat: FakeWechat,
) -> None:
    broken = await fake_wechat.http.post(STABLE, content=b"{")

    assert broken.json()["errcode"] == 47001
    assert (await stable(fake_wechat, appid="wxother"))["errcode"] == 40013
    assert (await stable(fake_wechat, secret="wrong"))["errcode"] == 40125
    assert (await stable(fake_wechat, grant_type="refresh"))["errcode"] == 40002


# ---- phone codes --------------------------------------------------------------------------


async def test_a_phone_code_works_once_for_its_user_and_is_charged(fake_wechat: FakeWechat) -> None:
    await fake_wechat.user("o1", phone="19900000001")
    await fake_wechat.user("o2")
    token = (await stable(fake_wechat))["access_token"]
    code = await fake_wechat.phone_code("o1")

    mismatch = await phone(fake_wechat, token, code=code, openid="o2")
    answer = await phone(fake_wechat, token, code=code, openid="o1")
    again = await phone(fake_wechat, token, code=code, openid="o1")

    assert mismatch["errcode"] == 40003
    assert answer["errcode"] == 0
    assert set(answer["phone_info"]) == set(FACTS["phone"]["fields"])
    assert answer["phone_info"]["purePhoneNumber"] == "19900000001"
    assert answer["phone_info"]["countryCode"] == 86  # a number, as in the official sample
    assert answer["phone_info"]["watermark"]["appid"] == APP_ID
    assert again["errcode"] == 40029
    assert (await fake_wechat.outbox())["phone_charges"] == ["o1"]


async def test_login_codes_and_old_and_foreign_ones_are_no_phone_codes(
    fake_wechat: FakeWechat,
) -> None:
    await fake_wechat.user("o1", phone="19900000001")
    token = (await stable(fake_wechat))["access_token"]
    login_code = await fake_wechat.login_code("o1")
    foreign = await fake_wechat.phone_code("o1", app_id="wxsomebodyelse")
    old = await fake_wechat.phone_code("o1")
    await fake_wechat.advance(FACTS["phone"]["code_seconds"])

    for code in (login_code, foreign, old):
        assert (await phone(fake_wechat, token, code=code))["errcode"] == 40029
    assert (await fake_wechat.outbox())["phone_charges"] == []


async def test_a_user_without_a_phone_or_nobody_at_all_gets_no_code(
    fake_wechat: FakeWechat,
) -> None:
    await fake_wechat.user("o1")

    with pytest.raises(httpx.HTTPStatusError, match="409"):
        await fake_wechat.phone_code("o1")
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        await fake_wechat.login_code("nobody")


# ---- the fake itself ----------------------------------------------------------------------


async def test_reset_forgets_everything(fake_wechat: FakeWechat) -> None:
    await fake_wechat.user("o1", phone="19900000001")
    token = (await stable(fake_wechat))["access_token"]
    await phone(fake_wechat, token, code=await fake_wechat.phone_code("o1"))
    await fake_wechat.fault(LOGIN, "html", n=5)

    await fake_wechat.reset()

    outbox = await fake_wechat.outbox()
    assert outbox["phone_charges"] == []
    assert PHONE not in outbox["calls"]
    assert await holds(fake_wechat, token) == 40014
    assert (await log_in(fake_wechat, "any")).status_code == 200


async def test_nobody_from_elsewhere_is_served() -> None:
    transport = httpx.ASGITransport(build_fake(), client=("192.0.2.7", 1234))
    async with httpx.AsyncClient(transport=transport, base_url="http://fake") as http:
        assert (await http.post("/__fake__/users", json={"openid": "o"})).status_code == 403
        assert (await http.get(LOGIN)).status_code == 403


def test_there_is_no_fake_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINYI_PRODUCTION", "1")

    with pytest.raises(NotInProduction):
        build_fake()
    result = CliRunner().invoke(cli, ["fake-wechat"])
    assert result.exit_code == 1
    assert "production" in result.output


def test_every_refusal_of_the_fake_stands_in_the_facts() -> None:
    assert set(MESSAGES) <= {row["errcode"] for row in FACTS["errcodes"]}
