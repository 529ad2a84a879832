"""Pushes against the running backend: what is believed, what is kept, and what it changes."""

import asyncio
import io
import json
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import structlog
from sqlalchemy import text
from sqlmodel import select

from api import logs
from api.content_checks import ask_for_check
from api.fake_wechat.state import APP_ID, PUSH_KEY, PUSH_TOKEN, SECRET
from api.settings import Settings
from api.tables import IdempotencyRecord, LoginSession
from consultation.community.tables import Person, Residence
from consultation.deliberation.review_rules import ReviewSubject
from consultation.deliberation.tables import Post
from consultation.jobs import Job
from consultation.polls.tables import Ballot
from consultation.topics.states import State
from notifications.wechat.subscribe import SEND, send_subscription
from notifications.wechat.tables import (
    AccountKind,
    CheckState,
    ContentCheck,
    Push,
    PushNonce,
    SubscriptionAccept,
    SubscriptionCredit,
    WechatAccount,
)
from tests.api.test_subscriptions import POLL
from tests.api.wechat_house import House, house
from tests.conftest import ManualClock
from tests.contract.seeded import seed
from tests.fake_wechat import FakeWechat, bearer, log_in
from tests.live import Start
from tests.world import a_topic

POPUP = "subscribe_msg_popup_event"
ACCEPT = {"List": [{"TemplateId": "T-poll", "SubscribeStatusString": "accept", "PopupScene": "0"}]}


async def outcomes(house: House) -> list[tuple[str, str | None]]:
    return sorted((push.event, push.outcome) for push in await house.rows(Push))


# ---- what is believed ---------------------------------------------------------------------


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


# ---- kept before it is understood ---------------------------------------------------------


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


# ---- what people take back ----------------------------------------------------------------


async def test_a_phone_that_is_taken_back_is_deleted_and_what_it_proved_must_be_proved_again(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1")
    async with house.db.begin() as tx:
        home = (
            await tx.session.exec(
                select(Residence).where(Residence.person_id == house.world.id("resident1"))
            )
        ).one()
        home.method = "phone_match"

    await house.push("user_authorization_revoke", "o1", data={"OpenID": "o1", "RevokeInfo": "6,8"})

    person = await house.person(house.world.id("resident1"))
    assert (person.phone_sealed, person.phone_lookup) == (None, None)
    assert person.name_sealed is not None
    [home] = [h for h in await house.rows(Residence) if h.person_id == person.id]
    assert (home.level, home.method) == (1, None)
    # bound again, the home is proved again
    session = await log_in(house.http, house.fake, "o1", phone="13800000009")
    code = await house.fake.phone_code("o1")
    bound = await house.http.post("/v1/me/phone", headers=bearer(session), json={"code": code})
    assert bound.status_code == 200
    me = (await house.http.get("/v1/me", headers=bearer(session))).json()
    assert me["residences"][0]["level"] == 2


async def test_a_phone_that_was_bound_since_outlives_a_late_event(
    house: House, clock: ManualClock
) -> None:
    session = await log_in(house.http, house.fake, "o1", phone="13800000001")
    bind = {"code": await house.fake.phone_code("o1")}
    await house.http.post("/v1/me/phone", headers=bearer(session), json=bind)
    clock.advance(minutes=1)
    event = "user_authorization_revoke"
    taken_back = {"OpenID": "o1", "RevokeInfo": "8", "CreateTime": int(clock.now.timestamp())}
    clock.advance(minutes=1)
    bind = {"code": await house.fake.phone_code("o1")}
    again = await house.http.post("/v1/me/phone", headers=bearer(session), json=bind)
    assert again.status_code == 200
    await house.push(event, "o1", data=taken_back)

    assert await outcomes(house) == [(event, "before this phone")]
    assert (await house.http.get("/v1/me", headers=bearer(session))).json()["phone"] is not None
    clock.advance(minutes=1)
    await house.push(event, "o1", data={"OpenID": "o1", "RevokeInfo": "8"})
    assert (await house.http.get("/v1/me", headers=bearer(session))).json()["phone"] is None


async def test_a_revocation_does_not_wait_for_checks_of_content_that_hang(house: House) -> None:
    await house.account("resident1")
    await house.fake.fault("/wxa/msg_sec_check", "slow", seconds=3, n=99)
    topic = await a_topic(house.db, house.world, state=State.DRAFT)
    for _ in range(6):
        async with house.db.begin(house.world.as_("resident1")) as tx:
            await ask_for_check(
                tx,
                house.services.settings,
                (ReviewSubject.TOPIC, topic.id, _ + 1),
                community_id=house.world.community.id,
                topic_id=topic.id,
            )
    await house.fake.push("user_authorization_revoke", "o1", data={"RevokeInfo": "8"})
    house.services.errands.start()
    try:
        async with asyncio.timeout(2):
            while (await house.person(house.world.id("resident1"))).phone_sealed:  # noqa: ASYNC110  a row
                await asyncio.sleep(0.02)
        assert {c.state for c in await house.rows(ContentCheck)} == {CheckState.PENDING}
    finally:
        await house.services.errands.stop()


async def test_what_a_grid_worker_saw_with_own_eyes_stays_when_the_phone_goes(house: House) -> None:
    await house.account("resident1")
    await house.push("user_authorization_revoke", "o1", data={"OpenID": "o1", "RevokeInfo": "8"})

    [home] = [h for h in await house.rows(Residence) if h.person_id == house.world.id("resident1")]
    assert (home.level, home.method) == (2, "register")


@pytest.mark.parametrize(("info", "outcome"), [("6", "nothing kept"), ("7777", "odd")])
async def test_other_permissions_taken_back_delete_nothing_that_we_have(
    house: House, info: str, outcome: str
) -> None:
    await house.account("resident1")
    await house.push("user_authorization_revoke", "o1", data={"OpenID": "o1", "RevokeInfo": info})

    assert await outcomes(house) == [("user_authorization_revoke", outcome)]
    assert (await house.person(house.world.id("resident1"))).phone_sealed is not None


async def test_a_closed_account_leaves_votes_and_words_and_no_name(
    house: House, clock: ManualClock
) -> None:
    await seed(house.db, house.world)
    person_id = house.world.id("resident2")
    await house.account("resident2", "o2")
    await house.account("resident2", "h5-of-o2", kind=AccountKind.H5)
    await house.account("resident3", "o3")
    session = await log_in(house.http, house.fake, "o2", phone="13800000002")
    assert session["person_id"] == str(person_id)
    before = [len(await house.rows(table)) for table in (Post, Ballot, Person)]
    clock.advance(minutes=1)

    await house.push("user_authorization_cancellation", "o2", data={"OpenID": "o2"})

    assert [len(await house.rows(table)) for table in (Post, Ballot, Person)] == before
    assert {account.openid for account in await house.rows(WechatAccount)} == {"o3"}
    assert await house.rows(LoginSession) == []
    assert [r for r in await house.rows(IdempotencyRecord) if r.person_id == person_id] == []
    person = await house.person(person_id)
    assert (person.name_sealed, person.masked_name, person.phone_lookup) == (None, "", None)
    assert person.born_on is None
    assert all(p.display_name == "" for p in await house.rows(Post) if p.author_id == person_id)
    refreshed = await house.http.post(
        "/v1/session/refresh", json={"refresh_token": session["refresh_token"]}
    )
    assert refreshed.status_code == 401
    thread = next(p.thread_id for p in await house.rows(Post) if p.author_id == person_id)
    posts = (await house.http.get(f"/v1/threads/{thread}/posts")).json()["items"]
    assert {post["display_name"] for post in posts} == {"已注销的居民"}


async def test_who_comes_back_after_closing_is_not_erased_by_a_late_event(
    house: House, clock: ManualClock
) -> None:
    await log_in(house.http, house.fake, "o1", phone="13800000001")
    clock.advance(minutes=1)
    event = "user_authorization_cancellation"
    await house.push(event, "o1", data={"OpenID": "o1"})
    clock.advance(minutes=1)
    again = await log_in(house.http, house.fake, "o1")
    late = int((clock.now - timedelta(seconds=90)).timestamp())
    await house.push(event, "o1", data={"OpenID": "o1", "CreateTime": late})

    assert (await house.http.get("/v1/me", headers=bearer(again))).status_code == 200
    assert len(await house.rows(WechatAccount)) == 1


# ---- silence ------------------------------------------------------------------------------


@pytest.fixture
def log() -> Generator[io.StringIO]:
    before = structlog.get_config()
    stream = io.StringIO()
    logs.configure(stream)
    yield stream
    structlog.configure(**before)


async def test_no_secret_openid_or_template_value_reaches_a_log(
    log: io.StringIO, house: House, caplog: pytest.LogCaptureFixture, clock: ManualClock
) -> None:
    caplog.set_level("DEBUG")
    caplog.set_level("WARNING", "aiosqlite")  # at DEBUG it tells every value; nobody runs it so
    session = await log_in(house.http, house.fake, "o-canary-openid", phone="13787654321")
    await house.fake.tap("o-canary-openid", **{"T-task": "accept"})
    await house.deliver()
    for fault in (None, {"kind": "errcode", "errcode": 47003}, {"kind": "lost"}):
        if fault is not None:
            await house.fake.fault(SEND, **fault)
        await send_subscription(
            house.db,
            house.services.wechat,
            person_id=(await house.rows(WechatAccount))[0].person_id,
            template="task_done",
            facts={"title": "灯塔", "done_on": clock.now.date()},
            page="pages/topic/topic",
        )
    for mutate in ("bad_msg_signature", "stale", "plaintext", "wrong_app", "wrong_padding"):
        await house.push(POPUP, "o-canary-openid", data=ACCEPT, mutate=mutate)
    token = await house.services.wechat.access_token()

    told = log.getvalue() + caplog.text
    assert "push refused" in told
    for canary in (
        SECRET,
        PUSH_TOKEN,
        PUSH_KEY,
        token,
        "o-canary-openid",
        "灯塔",
        "13787654321",
        session["refresh_token"],
    ):
        assert canary not in told, canary
    assert APP_ID not in told
