"""The fake's newer interfaces keep the facts of the contract file: shapes, limits, refusals."""

import asyncio
import hashlib
import hmac
import json
import random
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.fake_wechat.pushes import Pusher
from api.fake_wechat.server import build_fake
from api.fake_wechat.state import APP_ID, H5_APP_ID, H5_SECRET, PAGES, SECRET, FakeWechat
from api.server import serving
from notifications.wechat import client, codes, content, links, oauth, subscribe
from notifications.wechat.tables import SceneKind
from tests.conftest import ManualClock
from tests.fake_wechat import FakeWechat as Fake

FACTS = json.loads((Path(__file__).parents[1] / "contract" / "wechat_facts.json").read_text())
SEND, TEXT, MEDIA, CODE, URL_LINK, SCHEME = (
    FACTS[name]["path"]
    for name in ("send", "text_check", "media_check", "code", "url_link", "scheme")
)
MESSAGE: dict[str, Any] = {
    "touser": "o1",
    "template_id": "T1",
    "page": PAGES[0],
    "data": {"thing1": {"value": "公告"}},
    "miniprogram_state": "formal",
    "lang": "zh_CN",
}
A_TEXT: dict[str, Any] = {"version": 2, "openid": "o1", "scene": 3, "content": "同意"}
A_LINK = {"path": PAGES[0], "query": "scene=x", "expire_type": 1, "expire_interval": 30}


@pytest.fixture
async def token(fake_wechat: Fake) -> str:
    await fake_wechat.user("o1")
    await fake_wechat.visit("o1")
    await fake_wechat.template("T1", "{{thing1.DATA}}")
    body = {"grant_type": "client_credential", "appid": APP_ID}
    body["secret"] = "fake-secret-that-opens-nothing"
    return (await fake_wechat.http.post(client.STABLE_TOKEN, json=body)).json()["access_token"]


async def ask(fake: Fake, path: str, token: str, body: dict[str, Any]) -> dict[str, Any]:
    return (await fake.http.post(path, params={"access_token": token}, json=body)).json()


def test_the_client_asks_where_the_facts_say() -> None:
    assert {
        name: FACTS[name]["path"]
        for name in (
            "send",
            "templates",
            "text_check",
            "media_check",
            "code",
            "url_link",
            "scheme",
            "oauth",
        )
    } == {
        "send": subscribe.SEND,
        "templates": subscribe.TEMPLATES,
        "text_check": content.TEXT_CHECK,
        "media_check": content.MEDIA_CHECK,
        "code": codes.CODE,
        "url_link": links.URL_LINK,
        "scheme": links.SCHEME,
        "oauth": oauth.OAUTH,
    }
    limits = client.Limits()
    assert limits.text_characters == FACTS["text_check"]["most_characters"]
    assert limits.link_days == FACTS["url_link"]["most_days"]
    assert codes.SCENE.pattern == FACTS["code"]["scene_pattern"]
    assert [one.value for one in content.Suggestion] == FACTS["text_check"]["suggestions"]
    assert {kind.value: n for kind, n in subscribe.KINDS.items()} == FACTS["templates"]["types"]
    assert len(PAGES) == len(SceneKind) + 1  # and the inbox


# ---- messages -----------------------------------------------------------------------------


async def test_a_message_costs_one_accept_and_its_answer_and_event_have_the_known_shapes(
    fake_wechat: Fake, token: str
) -> None:
    assert (await ask(fake_wechat, SEND, token, MESSAGE))["errcode"] == 43101
    await fake_wechat.tap("o1", T1="accept")

    sent = await ask(fake_wechat, SEND, token, MESSAGE)

    assert set(sent) == set(FACTS["send"]["fields"])
    assert (await ask(fake_wechat, SEND, token, MESSAGE))["errcode"] == 43101
    popup, told = (await fake_wechat.outbox())["waiting"]
    assert popup["Event"] == "subscribe_msg_popup_event"
    assert told["Event"] == "subscribe_msg_sent_event"
    assert told["List"][0]["MsgID"] == str(sent["msgid"])
    assert set(told["List"][0]) == {"TemplateId", "MsgID", "ErrorCode", "ErrorStatus"}


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"touser": "nobody"}, 40003),
        ({"template_id": "T9"}, 40037),
        ({"page": "pages/nowhere"}, 41030),
        ({"data": {}}, 47003),
        ({"data": {"thing1": {"value": "加" * 21}}}, 47003),
        ({"data": {"thing1": {"value": ""}}}, 47003),
        ({"data": {"thing1": {"value": "a\nb"}}}, 47003),
        ({"miniprogram_state": None}, 47001),
    ],
)
async def test_a_message_that_breaks_a_rule_is_refused_and_costs_nothing(
    fake_wechat: Fake, token: str, changes: dict[str, Any], errcode: int
) -> None:
    await fake_wechat.tap("o1", T1="accept")

    refused = await ask(fake_wechat, SEND, token, MESSAGE | changes)

    assert refused["errcode"] == errcode
    assert re.search(FACTS["errmsg_ends_with"], refused["errmsg"])
    if errcode == 47003:
        assert "data.thing1.value" in refused["errmsg"]
    assert (await fake_wechat.outbox())["credits"]["o1"]["T1"] == 1


async def test_templates_are_listed_in_the_known_shape(fake_wechat: Fake, token: str) -> None:
    path = FACTS["templates"]["path"]
    answer = await fake_wechat.http.get(path, params={"access_token": token})
    [listed] = answer.json()["data"]
    assert set(listed) == set(FACTS["templates"]["fields"])
    assert (await fake_wechat.http.get(path)).json()["errcode"] == 41001


# ---- content ------------------------------------------------------------------------------


async def test_a_text_check_has_the_known_shape_with_details_that_say_little(
    fake_wechat: Fake, token: str
) -> None:
    answer = await ask(fake_wechat, TEXT, token, A_TEXT)

    assert set(answer) == set(FACTS["text_check"]["fields"])
    assert answer["result"] == {"suggest": "pass", "label": 100}
    assert {"strategy", "errcode"} in [set(one) for one in answer["detail"]]


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"openid": "nobody"}, 40003),
        ({"scene": 9}, 40129),
        ({"version": 1}, 47001),
        ({"content": ""}, 44002),
        ({"content": "字" * 2501}, 47001),
    ],
)
async def test_a_text_check_that_breaks_a_rule_is_refused(
    fake_wechat: Fake, token: str, changes: dict[str, Any], errcode: int
) -> None:
    assert (await ask(fake_wechat, TEXT, token, A_TEXT | changes))["errcode"] == errcode
    most = FACTS["text_check"]["most_characters"]
    longest = await ask(fake_wechat, TEXT, token, A_TEXT | {"content": "字" * most})
    assert longest["errcode"] == 0


async def test_a_visit_is_fresh_for_two_hours(
    fake_wechat: Fake, token: str, clock: ManualClock
) -> None:
    clock.advance(seconds=FACTS["text_check"]["fresh_seconds"] - 301)
    assert (await ask(fake_wechat, TEXT, token, A_TEXT))["errcode"] == 0
    await fake_wechat.visit("o1")
    await fake_wechat.user("o2")
    body = A_TEXT | {"openid": "o2"}
    assert (await ask(fake_wechat, TEXT, token, body))["errcode"] == 61010  # never was there


async def test_a_media_check_answers_at_once_and_tells_the_verdict_as_an_event(
    fake_wechat: Fake, token: str
) -> None:
    body = {"version": 2, "openid": "o1", "scene": 3, "media_url": "https://x/1", "media_type": 2}
    answer = await ask(fake_wechat, MEDIA, token, body)
    await fake_wechat.media_verdict("download_error")
    await ask(fake_wechat, MEDIA, token, body)

    first, second = (await fake_wechat.outbox())["waiting"]
    assert set(answer) == set(FACTS["media_check"]["fields"])
    assert set(first) == set(FACTS["media_check"]["event_fields"])
    assert (first["trace_id"], first["Event"]) == (answer["trace_id"], "wxa_media_check")
    assert second["errcode"] == FACTS["media_check"]["download_error"]
    assert (second["detail"], second["result"]) == ([], {})
    assert (await ask(fake_wechat, MEDIA, token, body | {"media_type": 3}))["errcode"] == 44002


# ---- codes and links ----------------------------------------------------------------------


async def test_a_code_is_an_image_and_a_refusal_is_json(fake_wechat: Fake, token: str) -> None:
    def made(**changes: Any) -> Any:
        body = {"scene": "abc", "page": PAGES[0]} | changes
        return fake_wechat.http.post(CODE, params={"access_token": token}, json=body)

    image = await made()
    assert image.headers["content-type"] == FACTS["code"]["media_type"]
    assert image.content.startswith(b"\x89PNG")
    for changes, errcode in (
        ({"scene": "x" * 33}, 40129),
        ({"scene": "a%b"}, 40129),
        ({"page": "/" + PAGES[0]}, 41030),
        ({"page": "pages/nowhere"}, 41030),
        ({"width": 100}, 47001),
    ):
        refused = await made(**changes)
        assert refused.status_code == 200
        assert refused.json()["errcode"] == errcode
    assert (await made(page="pages/nowhere", check_path=False)).status_code == 200


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"path": "pages/nowhere"}, 40165),
        ({"query": "x" * 1025}, 40212),
        ({"expire_interval": 31}, 85401),
        ({"expire_type": 0}, 85401),
    ],
)
async def test_links_have_their_limits(
    fake_wechat: Fake, token: str, changes: dict[str, Any], errcode: int
) -> None:
    good = await ask(fake_wechat, URL_LINK, token, A_LINK)
    assert set(good) == set(FACTS["url_link"]["fields"])
    assert (await ask(fake_wechat, URL_LINK, token, A_LINK | changes))["errcode"] == errcode
    scheme = await ask(fake_wechat, SCHEME, token, {"jump_wxa": A_LINK, **A_LINK})
    assert set(scheme) == set(FACTS["scheme"]["fields"])


# ---- the account itself -------------------------------------------------------------------


async def test_a_session_signature_is_keyed_by_the_session_key_and_the_key_can_be_changed(
    fake_wechat: Fake, token: str
) -> None:
    query = {"appid": APP_ID, "secret": "fake-secret-that-opens-nothing"}
    query |= {"js_code": await fake_wechat.login_code("o1"), "grant_type": "authorization_code"}
    key = (await fake_wechat.http.get(FACTS["login"]["path"], params=query)).json()["session_key"]

    async def signed(path: str, key: str) -> dict[str, Any]:
        signature = hmac.new(key.encode(), b"", hashlib.sha256).hexdigest()
        asked = {"access_token": token, "openid": "o1", "signature": signature}
        asked["sig_method"] = "hmac_sha256"
        return (await fake_wechat.http.get(path, params=asked)).json()

    assert (await signed("/wxa/checksession", key))["errcode"] == 0
    assert (await signed("/wxa/checksession", "wrong"))["errcode"] == 87009
    renewed = (await signed("/wxa/resetusersessionkey", key))["session_key"]
    assert (await signed("/wxa/checksession", key))["errcode"] == 87009
    assert (await signed("/wxa/checksession", renewed))["errcode"] == 0


def test_the_session_signature_of_the_official_example() -> None:
    key = b"o0q0otL8aEzpcZL/FT9WsQ=="
    made = hmac.new(key, b'{"foo":"bar"}', hashlib.sha256).hexdigest()
    assert made.startswith("654571f7")
    assert made.endswith("aa0b")


async def test_quotas_by_minute_and_day_are_set_per_path_and_cleared(
    fake_wechat: Fake, token: str, clock: ManualClock
) -> None:
    await fake_wechat.quota(TEXT, per_minute=2, per_day=3)

    async def once() -> int:
        return (await ask(fake_wechat, TEXT, token, A_TEXT))["errcode"]

    assert [await once() for _ in range(3)] == [0, 0, 45011]
    clock.advance(seconds=60)
    assert [await once() for _ in range(2)] == [0, 45009]
    await ask(fake_wechat, "/cgi-bin/clear_quota", token, {"appid": APP_ID})
    assert await once() == 0
    addresses = await fake_wechat.http.get("/cgi-bin/getcallbackip", params={"access_token": token})
    assert addresses.json() == {"ip_list": ["127.0.0.1"]}


async def test_a_browser_login_has_the_known_shape_and_its_codes_their_life(
    fake_wechat: Fake,
) -> None:
    await fake_wechat.user("h1", unionid="u1")
    await fake_wechat.user("h2", snapshot=True)
    app = {"appid": H5_APP_ID, "secret": H5_SECRET, "grant_type": "authorization_code"}

    async def exchange(code: str, **changes: str) -> Any:
        return await fake_wechat.http.get(oauth.OAUTH, params=app | {"code": code} | changes)

    code = await fake_wechat.oauth_code("h1")
    answer = await exchange(code)
    given = answer.json()
    assert answer.headers["content-type"].startswith(FACTS["oauth"]["media_type"])
    assert set(given) == {*FACTS["oauth"]["fields"], "unionid"}
    assert (await exchange(code)).json()["errcode"] == 40163
    assert (await exchange(await fake_wechat.oauth_code("h2"))).json()["is_snapshotuser"] == 1
    assert (await exchange("invented")).json()["errcode"] == 40029
    assert (await exchange("any", secret="wrong")).json()["errcode"] == 40125
    renewed = await fake_wechat.http.get(
        "/sns/oauth2/refresh_token",
        params={
            "appid": H5_APP_ID,
            "grant_type": "refresh_token",
            "refresh_token": given["refresh_token"],
        },
    )
    assert renewed.json()["openid"] == "h1"
    old = await fake_wechat.oauth_code("h1")
    await fake_wechat.advance(FACTS["oauth"]["code_seconds"])
    assert (await exchange(old)).json()["errcode"] == 40029


async def test_a_profile_is_told_for_the_users_own_token_and_no_other(
    fake_wechat: Fake, token: str
) -> None:
    for openid in ("h1", "h2"):
        await fake_wechat.user(openid)
    app = {"appid": H5_APP_ID, "secret": H5_SECRET, "grant_type": "authorization_code"}
    code = await fake_wechat.oauth_code("h1")
    exchanged = await fake_wechat.http.get(oauth.OAUTH, params=app | {"code": code})
    own = exchanged.json()["access_token"]

    async def told(openid: str = "h1", **query: str) -> dict[str, Any]:
        found = await fake_wechat.http.get("/sns/userinfo", params={"openid": openid} | query)
        return found.json()

    assert (await told(access_token=own))["openid"] == "h1"
    assert (await told())["errcode"] == 41001
    assert (await told(access_token="invented"))["errcode"] == 40014
    assert (await told(access_token=token))["errcode"] == 40014  # the app's own opens nothing here
    assert (await told("h2", access_token=own))["errcode"] == 40003
    await fake_wechat.advance(7200)
    assert (await told(access_token=own))["errcode"] == 42001


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/cgi-bin/stable_token"),
        ("get", "/cgi-bin/token"),
        ("get", "/wxa/checksession"),
        ("get", "/wxa/resetusersessionkey"),
        ("get", "/cgi-bin/getcallbackip"),
        ("get", "/sns/userinfo"),
        ("get", "/wxaapi/newtmpl/gettemplate"),
    ],
)
async def test_every_path_counts_its_quota(fake_wechat: Fake, method: str, path: str) -> None:
    await fake_wechat.quota(path, per_minute=1, per_day=2)
    query = {"openid": "o1", "signature": "x", "sig_method": "hmac_sha256"}

    async def errcode() -> int:
        body = {"json": {}} if method == "post" else {}
        answer = await fake_wechat.http.request(method, path, params=query, **body)
        return answer.json()["errcode"]

    assert await errcode() not in (45009, 45011)
    assert await errcode() == 45011
    await fake_wechat.advance(60)
    assert await errcode() not in (45009, 45011)
    await fake_wechat.advance(60)
    assert await errcode() == 45009


async def test_a_reset_is_one_of_the_connection_and_a_lost_answer_an_end_too_soon(
    fake_wechat: Fake,
) -> None:
    await fake_wechat.fault("/cgi-bin/stable_token", "reset")
    host, port = fake_wechat.http.base_url.host, fake_wechat.http.base_url.port or 80
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"POST /cgi-bin/stable_token HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    await fake_wechat.fault("/cgi-bin/stable_token", "reset")
    with pytest.raises(httpx.ReadError):
        await fake_wechat.http.post("/cgi-bin/stable_token", json={})
    await fake_wechat.fault("/cgi-bin/stable_token", "lost")
    with pytest.raises(httpx.RemoteProtocolError):
        await fake_wechat.http.post("/cgi-bin/stable_token", json={})


async def test_a_seed_makes_two_runs_alike(clock: ManualClock) -> None:
    async def run(seed: int) -> list[str]:
        app = build_fake(clock=clock, source=random.Random(seed))
        async with serving(app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as http:
            fake = Fake(url, http)
            await fake.user("o1", phone="19900000001")
            codes = [await fake.login_code("o1"), await fake.phone_code("o1")]
            body = {"appid": APP_ID, "secret": SECRET, "grant_type": "client_credential"}
            given = (await http.post("/cgi-bin/stable_token", json=body)).json()
            login = {"appid": APP_ID, "secret": SECRET, "grant_type": "authorization_code"}
            session = await http.get("/sns/jscode2session", params=login | {"js_code": codes[0]})
            return [*codes, given["access_token"], session.json()["session_key"]]

    assert await run(1) == await run(1) != await run(2)


async def test_the_leaked_token_is_the_stable_one(fake_wechat: Fake, token: str) -> None:
    assert (await fake_wechat._tell("leak-token"))["access_token"] == token


def test_a_push_is_tried_as_often_and_waited_for_as_long_as_the_facts_say(
    clock: ManualClock,
) -> None:
    pusher = Pusher(FakeWechat(clock))
    assert (pusher.tries, pusher.timeout) == (FACTS["push"]["tries"], FACTS["push"]["try_seconds"])
    one = pusher.event("e", "o1", {"List": [{"TemplateId": "t"}]})
    written = json.loads(pusher._written(one, None))
    assert isinstance(written["List"], dict) is FACTS["push"]["list_of_one_is_an_object"]
    assert type(written["CreateTime"]).__name__ == FACTS["push"]["create_time"]
