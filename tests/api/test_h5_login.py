"""Logging in from a browser inside WeChat: begun here, ended here, and nobody twice."""

from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest

from notifications.wechat.oauth import OAUTH
from notifications.wechat.tables import AccountKind, WechatAccount
from tests.api.wechat_house import House
from tests.conftest import ManualClock
from tests.fake_wechat import bearer, log_in
from tests.live import Start

BEGIN = "/v1/session/h5"


async def begin(house: House) -> str:
    """A browser begins; the cookie stays in ``house.http``. The state that WeChat was given."""
    house.http.cookies.clear()
    answer = await house.http.get(BEGIN)
    assert answer.status_code == 303
    return parse_qs(urlsplit(answer.headers["location"]).query)["state"][0]


async def finish(house: House, code: str, state: str) -> httpx.Response:
    return await house.http.post(BEGIN, json={"code": code, "state": state, "device": "微信网页"})


async def test_the_browser_is_sent_to_wechat_with_the_parameters_in_their_order(
    house: House,
) -> None:
    answer = await house.http.get(BEGIN)

    where = urlsplit(answer.headers["location"])
    assert (where.path, where.fragment) == ("/connect/oauth2/authorize", "wechat_redirect")
    names = [name for name, _ in parse_qsl(where.query)]
    assert names == ["appid", "redirect_uri", "response_type", "scope", "state"]
    query = dict(parse_qsl(where.query))
    assert query["redirect_uri"] == "https://h5.minyi.test/login"
    assert query["state"].isalnum()
    assert len(query["state"]) <= 128
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert query["state"] not in cookie


async def test_a_browser_that_began_here_is_logged_in_as_a_new_account_of_its_own_kind(
    house: House,
) -> None:
    await house.fake.user("h5-o1")
    state = await begin(house)

    answer = await finish(house, await house.fake.oauth_code("h5-o1"), state)

    assert answer.headers["cache-control"] == "no-store"
    session = answer.json()
    me = (await house.http.get("/v1/me", headers=bearer(session))).json()
    assert (me["phone"], me["residences"], me["roles"]) == (None, [], [])
    [account] = await house.rows(WechatAccount)
    assert (account.kind, account.openid) == (AccountKind.H5, "h5-o1")
    assert account.session_key_sealed is None
    prompt = await house.http.get("/v1/me/subscription-prompt", headers=bearer(session))
    assert prompt.json() == {"kind": None, "templates": []}


async def test_a_new_account_can_do_nothing_before_it_is_known_by_a_phone(house: House) -> None:
    await house.fake.user("h5-o1")
    session = (await finish(house, await house.fake.oauth_code("h5-o1"), await begin(house))).json()

    claim = await house.http.put(
        f"/v1/communities/{house.world.community.id}/my-residence",
        headers=bearer(session),
        json={"kind": "tenant", "address": "3幢", "name": "王五"},
    )
    assert claim.json()["code"] == "phone-not-bound"


async def test_the_same_unionid_joins_browser_and_mini_program_to_one_person(house: House) -> None:
    phone = await log_in(house.http, house.fake, "o1", unionid="u1", phone="13800000001")
    await house.fake.user("h5-o1", unionid="u1")

    code, state = await house.fake.oauth_code("h5-o1"), await begin(house)
    browser = (await finish(house, code, state)).json()

    assert browser["person_id"] == phone["person_id"]
    assert {account.kind for account in await house.rows(WechatAccount)} == {
        AccountKind.MINI_PROGRAM,
        AccountKind.H5,
    }


async def test_a_browser_that_is_sent_back_twice_is_logged_in_both_times_and_one_account(
    house: House, clock: ManualClock
) -> None:
    await house.fake.user("h5-o1")
    code, state = await house.fake.oauth_code("h5-o1"), await begin(house)

    first, second = await finish(house, code, state), await finish(house, code, state)
    clock.advance(seconds=61)
    late = await finish(house, code, state)

    assert first.json()["person_id"] == second.json()["person_id"]
    assert late.json()["code"] == "login-code-used"
    assert len(await house.rows(WechatAccount)) == 1


async def test_a_login_that_was_begun_elsewhere_is_refused_before_wechat_is_asked(
    house: House,
) -> None:
    await house.fake.user("attacker")
    code = await house.fake.oauth_code("attacker")
    theirs = await begin(house)
    await begin(house)  # the victim's own cookie

    assert (await finish(house, code, theirs)).json()["code"] == "login-state-invalid"
    house.http.cookies.clear()
    assert (await finish(house, code, theirs)).status_code == 422
    assert (await finish(house, code, "x" * 64)).status_code == 422
    assert await house.fake.calls(OAUTH) == 0
    assert await house.rows(WechatAccount) == []


async def test_the_virtual_user_of_a_snapshot_is_nobody(house: House) -> None:
    await house.fake.user("h5-snapshot", snapshot=True)
    code, state = await house.fake.oauth_code("h5-snapshot"), await begin(house)

    answer = await finish(house, code, state)

    assert (answer.status_code, answer.json()["code"]) == (403, "snapshot-page")
    assert await house.rows(WechatAccount) == []


@pytest.mark.parametrize(
    ("seconds", "code"), [(301, "login-code-invalid"), (0, "login-code-invalid")]
)
async def test_an_old_code_and_an_invented_one_are_invalid(
    house: House, seconds: int, code: str
) -> None:
    await house.fake.user("h5-o1")
    old, state = await house.fake.oauth_code("h5-o1"), await begin(house)
    await house.fake.advance(seconds)

    answer = await finish(house, old if seconds else "invented", state)
    assert answer.json()["code"] == code


async def test_the_consent_page_sends_a_real_browser_back_with_or_without_a_code(
    house: House,
) -> None:
    await house.fake.user("h5-o1")
    begun = await house.http.get(BEGIN)
    where = urlsplit(begun.headers["location"])
    page = await house.fake.http.get(f"{where.path}?{where.query}")
    assert page.headers["content-type"].startswith("text/html")
    links = [part.split('"')[0] for part in page.text.split('href="')[1:]]
    refused, agreed = [
        parse_qs(
            urlsplit(
                (await house.fake.http.get(link.replace("&amp;", "&"))).headers["location"]
            ).query
        )
        for link in links
    ]

    assert "code" not in refused
    assert refused["state"] == agreed["state"]
    answer = await finish(house, agreed["code"][0], agreed["state"][0])
    assert answer.status_code == 200


async def test_without_a_service_account_there_is_no_such_way_in(start: Start) -> None:
    async with start() as town, httpx.AsyncClient(base_url=town.url, trust_env=False) as http:
        assert (await http.get(BEGIN)).status_code == 404
        body = {"code": "x", "state": "0" * 64}
        assert (await http.post(BEGIN, json=body)).status_code == 404
