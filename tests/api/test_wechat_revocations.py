"""What people take back at WeChat: a phone, a permission, their account."""

import asyncio
from datetime import timedelta

import pytest
from sqlmodel import select

from api.content_checks import ask_for_check
from api.tables import IdempotencyRecord, LoginSession
from consultation.community.tables import Person, Residence
from consultation.deliberation.review_rules import ReviewSubject
from consultation.deliberation.tables import Post
from consultation.polls.tables import Ballot
from consultation.topics.states import State
from notifications.wechat.tables import AccountKind, CheckState, ContentCheck, WechatAccount
from tests.api.pushes import outcomes
from tests.api.wechat_house import House
from tests.conftest import ManualClock
from tests.contract.seeded import seed
from tests.fake_wechat import bearer, log_in
from tests.world import a_topic


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
