import asyncio
import hashlib
import io
import logging
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import structlog
from sqlmodel import func, select

from api import logs
from api.accounts import admit
from api.fake_wechat.state import SECRET
from api.tables import LoginCode, LoginSession, RefreshToken
from consultation.community.tables import Person
from consultation.database import Database
from notifications.wechat.client import TRIES
from notifications.wechat.login import LOGIN, Identity
from notifications.wechat.phone import PHONE
from notifications.wechat.tables import WechatAccount
from tests.conftest import ManualClock
from tests.fake_wechat import FakeWechat, bearer, log_in


async def refresh(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post("/v1/session/refresh", json={"refresh_token": token})


async def exchange(client: httpx.AsyncClient, code: str) -> httpx.Response:
    return await client.post("/v1/session/wechat", json={"code": code})


async def me(client: httpx.AsyncClient, session: dict[str, Any]) -> httpx.Response:
    return await client.get("/v1/me", headers=bearer(session))


# ---- logging in ---------------------------------------------------------------------------


async def test_the_first_login_makes_a_person_without_a_name_and_the_next_ones_find_it(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, db: Database
) -> None:
    await fake_wechat.user("o1")
    answer = await exchange(client, await fake_wechat.login_code("o1"))
    first = answer.json()
    second = await log_in(client, fake_wechat, "o1")

    assert answer.headers["cache-control"] == "no-store"
    assert first["person_id"] == second["person_id"]
    assert first["session_id"] != second["session_id"]
    assert (await me(client, first)).json() == {
        "id": first["person_id"],
        "masked_name": "",
        "phone": None,
        "residences": [],
        "roles": [],
    }


async def test_what_the_database_keeps_of_a_login_opens_nothing(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, db: Database
) -> None:
    session = await log_in(client, fake_wechat, "o1", unionid="u1")

    async with db.read() as tx:
        account = (await tx.session.exec(select(WechatAccount))).one()
        token = (await tx.session.exec(select(RefreshToken))).one()
        code = (await tx.session.exec(select(LoginCode))).one()
    assert account.session_key_sealed is not None
    key = db.vault.open(account.id, account.session_key_sealed)
    assert key.encode() not in account.session_key_sealed
    assert token.token_hash == hashlib.sha256(session["refresh_token"].encode()).hexdigest()
    assert len(code.code_hash) == 64
    assert key not in str(session)


async def test_the_same_unionid_is_the_same_person(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, db: Database
) -> None:
    first = await log_in(client, fake_wechat, "o1", unionid="u1")
    async with db.begin() as tx:
        identity = Identity(openid="elsewhere", unionid="u1", session_key="k")
        other = await admit(tx, "wxanotherapp", identity)

    assert str(other.person_id) == first["person_id"]


async def test_two_first_logins_of_one_openid_at_once_make_one_person(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, db: Database
) -> None:
    before = await people(db)
    await fake_wechat.user("o1")
    sessions = await asyncio.gather(*(log_in(client, fake_wechat, "o1") for _ in range(4)))

    assert len({session["person_id"] for session in sessions}) == 1
    assert await people(db) == before + 1


async def people(db: Database) -> int:
    async with db.read() as tx:
        return (await tx.session.exec(select(func.count()).select_from(Person))).one()


async def test_a_code_sent_again_within_a_minute_answers_again_and_is_refused_later(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, clock: ManualClock
) -> None:
    await fake_wechat.user("o1")
    code = await fake_wechat.login_code("o1")
    first = await exchange(client, code)
    clock.advance(seconds=59)
    again = await exchange(client, code)
    asked = await fake_wechat.calls(LOGIN)
    clock.advance(seconds=1)
    late = await exchange(client, code)

    assert again.status_code == 200
    assert again.json()["person_id"] == first.json()["person_id"]
    assert again.json()["refresh_token"] != first.json()["refresh_token"]
    assert asked == 1
    assert (late.status_code, late.json()["code"]) == (409, "login-code-used")


async def test_a_code_sent_twice_at_once_logs_in_twice(
    client: httpx.AsyncClient, fake_wechat: FakeWechat
) -> None:
    await fake_wechat.user("o1")
    code = await fake_wechat.login_code("o1")

    answers = await asyncio.gather(exchange(client, code), exchange(client, code))

    assert [answer.status_code for answer in answers] == [200, 200]
    assert len({answer.json()["person_id"] for answer in answers}) == 1


async def test_remembered_codes_do_not_pile_up(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, clock: ManualClock, db: Database
) -> None:
    for _ in range(3):
        await log_in(client, fake_wechat, "o1", unionid="u1")
        clock.advance(minutes=1)

    async with db.read() as tx:
        assert (await tx.session.exec(select(func.count()).select_from(LoginCode))).one() == 1


SAID = [
    (40029, 422, "login-code-invalid"),
    (40163, 409, "login-code-used"),
    (40226, 403, "wechat-account-restricted"),
    (45011, 429, "too-many-logins"),
    (-1, 503, "wechat-unavailable"),
    (40125, 503, "wechat-unavailable"),
    (99999, 503, "wechat-unavailable"),
]


async def test_what_wechat_says_becomes_a_problem_in_both_languages(
    client: httpx.AsyncClient, fake_wechat: FakeWechat
) -> None:
    for errcode, status, code in SAID:
        titles = set()
        for language in ("zh-CN", "en"):
            tries = TRIES if errcode == -1 else 1
            await fake_wechat.fault(LOGIN, "errcode", errcode=errcode, n=tries)
            answer = await client.post(
                "/v1/session/wechat", json={"code": "any"}, headers={"accept-language": language}
            )
            assert (answer.status_code, answer.json()["code"]) == (status, code)
            assert answer.headers["content-type"] == "application/problem+json"
            titles.add(answer.json()["title"])
        assert len(titles) == 2


async def test_a_wechat_out_of_order_leaves_nothing_behind(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, db: Database
) -> None:
    await fake_wechat.user("o1")
    for kind in ("html", "truncated", "lost"):
        await fake_wechat.fault(LOGIN, kind)
        answer = await exchange(client, await fake_wechat.login_code("o1"))
        assert (answer.status_code, answer.json()["code"]) == (503, "wechat-unavailable")
    async with db.read() as tx:
        assert (await tx.session.exec(select(func.count()).select_from(WechatAccount))).one() == 0


async def test_nobody_waits_for_wechat_but_the_one_who_logs_in(
    client: httpx.AsyncClient, fake_wechat: FakeWechat
) -> None:
    session = await log_in(client, fake_wechat, "o1", unionid="u1")
    code = await fake_wechat.login_code("o1")
    for path, slow in (
        (LOGIN, exchange(client, code)),
        (PHONE, client.post("/v1/me/phone", json={"code": "x"}, headers=bearer(session))),
    ):
        await fake_wechat.fault(path, "slow", seconds=2)
        waiting = asyncio.create_task(slow)
        for _ in range(500):
            if await fake_wechat.calls(path) == (2 if path == LOGIN else 1):
                break
            await asyncio.sleep(0.01)
        session = (await refresh(client, session["refresh_token"])).json()
        assert "access_token" in session  # written while the other waits: no lock is held
        assert not waiting.done()
        await waiting


async def test_a_login_of_another_shape_never_reaches_wechat(
    client: httpx.AsyncClient, fake_wechat: FakeWechat
) -> None:
    bodies = [{}, {"code": ""}, {"code": "x" * 129}, {"code": "a", "openid": "o1"}, {"code": 1}]
    for body in bodies:
        answer = await client.post("/v1/session/wechat", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "malformed-request")
    assert await fake_wechat.calls(LOGIN) == 0


# ---- staying logged in --------------------------------------------------------------------


async def test_a_refresh_token_gives_the_next_ones_of_the_same_session(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, clock: ManualClock
) -> None:
    first = await log_in(client, fake_wechat, "o1", unionid="u1")
    clock.advance(minutes=15)
    assert (await me(client, first)).status_code == 401

    second = (await refresh(client, first["refresh_token"])).json()

    assert (second["person_id"], second["session_id"]) == (first["person_id"], first["session_id"])
    assert second["refresh_token"] != first["refresh_token"]
    assert (await me(client, second)).status_code == 200
    assert (await refresh(client, second["refresh_token"])).status_code == 200


async def test_a_second_use_of_a_refresh_token_kills_its_family_and_no_other(
    client: httpx.AsyncClient, fake_wechat: FakeWechat
) -> None:
    first = await log_in(client, fake_wechat, "o1", unionid="u1")
    other = await log_in(client, fake_wechat, "o1")
    second = (await refresh(client, first["refresh_token"])).json()
    third = (await refresh(client, second["refresh_token"])).json()

    reused = await refresh(client, first["refresh_token"])

    assert (reused.status_code, reused.json()["code"]) == (401, "session-ended")
    assert (await refresh(client, third["refresh_token"])).json()["code"] == "session-ended"
    assert (await refresh(client, other["refresh_token"])).status_code == 200


async def test_of_many_refreshes_at_once_one_wins_and_the_session_ends(
    client: httpx.AsyncClient, fake_wechat: FakeWechat
) -> None:
    session = await log_in(client, fake_wechat, "o1", unionid="u1")

    answers = await asyncio.gather(*(refresh(client, session["refresh_token"]) for _ in range(5)))

    won = [answer.json() for answer in answers if answer.status_code == 200]
    assert len(won) == 1
    assert (await refresh(client, won[0]["refresh_token"])).status_code == 401


async def test_refresh_tokens_expire_and_unknown_ones_are_answered_alike(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, clock: ManualClock
) -> None:
    session = await log_in(client, fake_wechat, "o1", unionid="u1")
    clock.advance(days=30)

    old = await refresh(client, session["refresh_token"])
    unknown = await refresh(client, "unknown")
    access = await refresh(client, session["access_token"][:128])

    assert old.status_code == 401
    assert old.text == unknown.text == access.text


async def test_a_refresh_token_is_no_access_token(
    client: httpx.AsyncClient, fake_wechat: FakeWechat
) -> None:
    session = await log_in(client, fake_wechat, "o1", unionid="u1")
    headers = {"authorization": f"Bearer {session['refresh_token']}"}

    assert (await client.get("/v1/me", headers=headers)).status_code == 401


async def test_sessions_and_tokens_that_ran_out_are_swept(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, clock: ManualClock, db: Database
) -> None:
    session = await log_in(client, fake_wechat, "o1", unionid="u1")
    for _ in range(3):
        clock.advance(days=14)
        session = (await refresh(client, session["refresh_token"])).json()
    async with db.read() as tx:
        kept = (await tx.session.exec(select(func.count()).select_from(RefreshToken))).one()
    clock.advance(days=31)
    await log_in(client, fake_wechat, "o1")

    async with db.read() as tx:
        sessions = (await tx.session.exec(select(LoginSession))).all()
        tokens = (await tx.session.exec(select(RefreshToken))).all()
    assert kept == 3  # issued on days 14, 28 and 42; the first expired on day 30
    assert len(sessions) == len(tokens) == 1


# ---- logging out --------------------------------------------------------------------------


async def test_logging_out_ends_the_session_and_the_access_token_lives_to_its_end(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, clock: ManualClock
) -> None:
    session = await log_in(client, fake_wechat, "o1", unionid="u1")
    other = await log_in(client, fake_wechat, "o1")

    out = await client.delete("/v1/session", headers=bearer(session))

    assert out.status_code == 204
    assert (await refresh(client, session["refresh_token"])).json()["code"] == "session-ended"
    assert (await me(client, session)).status_code == 200
    clock.advance(seconds=session["expires_in"])
    assert (await me(client, session)).status_code == 401
    assert (await refresh(client, other["refresh_token"])).status_code == 200


async def test_logging_out_needs_a_login(client: httpx.AsyncClient) -> None:
    assert (await client.delete("/v1/session")).json()["code"] == "not-logged-in"


async def test_one_sees_and_ends_ones_own_sessions_only(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, clock: ManualClock
) -> None:
    phone = await log_in(client, fake_wechat, "o1", unionid="u1", device="手机")
    clock.advance(seconds=1)
    tablet = await log_in(client, fake_wechat, "o1", device="平板")
    stranger = await log_in(client, fake_wechat, "o2", unionid="u2")

    page = await client.get("/v1/me/sessions?limit=1", headers=bearer(phone))
    rest = await client.get(
        "/v1/me/sessions", params={"cursor": page.json()["next_cursor"]}, headers=bearer(phone)
    )
    foreign = await client.delete(
        f"/v1/me/sessions/{stranger['session_id']}", headers=bearer(phone)
    )
    ended = await client.delete(f"/v1/me/sessions/{tablet['session_id']}", headers=bearer(phone))
    left = await client.get("/v1/me/sessions", headers=bearer(phone))

    shown = page.json()["items"] + rest.json()["items"]
    assert [(s["id"], s["device"], s["current"]) for s in shown] == [
        (tablet["session_id"], "平板", False),
        (phone["session_id"], "手机", True),
    ]
    assert rest.json()["next_cursor"] is None
    assert foreign.json()["code"] == "not-found"
    assert ended.status_code == 204
    assert [s["id"] for s in left.json()["items"]] == [phone["session_id"]]
    assert (await refresh(client, tablet["refresh_token"])).status_code == 401
    assert (await refresh(client, stranger["refresh_token"])).status_code == 200


# ---- silence ------------------------------------------------------------------------------


@pytest.fixture
def stream() -> Generator[io.StringIO]:
    """What the application logs, down to its smallest words."""
    written = io.StringIO()
    logs.configure(written, level=logging.DEBUG)
    yield written
    structlog.reset_defaults()


async def test_no_code_token_key_or_phone_reaches_a_log_a_problem_or_the_journal(
    client: httpx.AsyncClient,
    fake_wechat: FakeWechat,
    clock: ManualClock,
    db: Database,
    caplog: pytest.LogCaptureFixture,
    stream: io.StringIO,
) -> None:
    caplog.set_level(logging.INFO)  # below it the database drivers write what they are given
    await fake_wechat.user("canary-openid", phone="19900123456")
    code = await fake_wechat.login_code("canary-openid")
    session = (await exchange(client, code)).json()
    phone_code = await fake_wechat.phone_code("canary-openid")
    problems = []
    await client.post("/v1/me/phone", json={"code": phone_code}, headers=bearer(session))
    problems.append(
        await client.post("/v1/me/phone", json={"code": phone_code}, headers=bearer(session))
    )
    renewed = (await refresh(client, session["refresh_token"])).json()
    problems.append(await refresh(client, session["refresh_token"]))
    clock.advance(minutes=2)
    problems.append(await exchange(client, code))
    problems.append(await client.post("/v1/session/wechat", content=f'{{"code": "{code}", }}'))
    clock.advance(minutes=20)
    problems.append(await client.get("/v1/me", headers=bearer(renewed)))

    assert all(problem.status_code >= 400 for problem in problems)
    everything = stream.getvalue() + caplog.text + "".join(p.text for p in problems)
    assert '"code": "session-ended"' in stream.getvalue()  # the log was really written
    async with db.read() as tx:
        account = (await tx.session.exec(select(WechatAccount))).one()
    assert account.session_key_sealed is not None
    canaries = [code, phone_code, "19900123456", "canary-openid", SECRET]
    canaries += [session["access_token"], session["refresh_token"], renewed["refresh_token"]]
    canaries += [db.vault.open(account.id, account.session_key_sealed)]
    for canary in canaries:
        assert canary not in everything


async def test_last_use_is_kept(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, clock: ManualClock, db: Database
) -> None:
    session = await log_in(client, fake_wechat, "o1", unionid="u1")
    clock.advance(hours=5)
    await refresh(client, session["refresh_token"])

    async with db.read() as tx:
        kept = (await tx.session.exec(select(LoginSession))).one()
    assert kept.last_used_at - kept.created_at == timedelta(hours=5)
