"""Codes by SMS: in a browser without WeChat, whoever reads one has the phone, and nobody else gets
anything out of asking."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlmodel import select

from api.app import build_services
from api.dependencies import Services
from api.settings import Settings
from api.tables import PhoneCode, PhoneCodeCount
from consultation.community.tables import Person, Residence, ResidenceKind
from consultation.database import Database
from notifications.wechat.tables import AccountKind, WechatAccount
from tests.conftest import ManualClock, surface
from tests.fake_wechat import bearer
from tests.measuring import Measured
from tests.notifications.test_sms import SECRET, Provider, provider, url
from tests.world import World

__all__ = ["provider", "url"]
PHONE, OTHER = "19900008801", "19900008802"
CODE, LOGIN = "/v1/session/phone/code", "/v1/session/phone"


class Browser:
    """Somebody's browser, at an address."""

    def __init__(self, http: httpx.AsyncClient, services: Services, file: Path) -> None:
        self.http, self.services, self.file = http, services, file

    @property
    def db(self) -> Database:
        return self.services.db

    def messages(self) -> list[dict[str, Any]]:
        if not self.file.exists():
            return []
        return [json.loads(line) for line in self.file.read_text("utf-8").splitlines()]

    async def ask(self, phone: str = PHONE) -> httpx.Response:
        return await self.http.put(CODE, json={"phone": phone})

    async def code(self, phone: str = PHONE) -> str:
        """Ask, and read the message."""
        before = len(self.messages())
        assert (await self.ask(phone)).status_code == 200
        *_, last = self.messages()
        assert len(self.messages()) == before + 1
        assert last["to"] == phone
        return "".join(filter(str.isdigit, last["text"]))[:6]

    async def log_in(self, code: str, phone: str = PHONE) -> httpx.Response:
        return await self.http.put(LOGIN, json={"phone": phone, "code": code, "device": "浏览器"})

    async def bind(self, session: dict[str, Any], code: str, phone: str = PHONE) -> httpx.Response:
        body = {"phone": phone, "code": code}
        return await self.http.put("/v1/me/phone", json=body, headers=bearer(session))

    async def rows(self, table: type[Any]) -> list[Any]:
        async with self.db.read() as tx:
            return list(await tx.session.exec(select(table)))


@asynccontextmanager
async def at(
    settings: Settings, clock: ManualClock, file: Path, *, address: str = "203.0.113.7", **more: Any
) -> AsyncGenerator[Browser]:
    changes = {"sms_provider": "file", "sms_file": file} | more
    app = surface()
    app.state.services = build_services(settings.model_copy(update=changes), clock=clock)
    async with app.router.lifespan_context(app):
        transport = Measured(app, address=address)
        async with httpx.AsyncClient(transport=transport, base_url="http://minyi.test") as http:
            yield Browser(http, app.state.services, file)


@pytest.fixture
async def browser(
    settings: Settings, clock: ManualClock, world: World, tmp_path: Path
) -> AsyncGenerator[Browser]:
    async with at(settings, clock, tmp_path / "sms.jsonl") as one:
        world.tokens = one.services.tokens
        yield one


def refused(answer: httpx.Response, status: int, code: str) -> bool:
    return (answer.status_code, answer.json()["code"]) == (status, code)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


async def registered(db: Database, world: World, phone: str = PHONE) -> Person:
    """A person of the register with this phone, whose residence is not verified yet."""
    async with db.begin() as tx:
        person = Person(id=tx.new_id(), masked_name="王*", created_at=tx.now)
        person.phone_sealed = tx.vault.seal(person.id, phone)
        person.phone_lookup = tx.vault.lookup("phone", phone)
        tx.session.add(person)
        await tx.session.flush()
        tx.session.add(
            Residence(
                id=tx.new_id(),
                person_id=person.id,
                community_id=world.community.id,
                kind=ResidenceKind.OWNER,
                level=1,
                created_at=tx.now,
            )
        )
    return person


# ---- logging in ---------------------------------------------------------------------------


async def test_a_browser_without_wechat_logs_in_with_a_code(browser: Browser) -> None:
    code = await browser.code()
    answer = await browser.log_in(code)

    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    me = (await browser.http.get("/v1/me", headers=bearer(answer.json()))).json()
    assert (me["phone"], me["residences"]) == ("199****8801", [])
    (account,) = await browser.rows(WechatAccount)
    assert (account.kind, account.openid) == (AccountKind.PHONE, me["id"])


async def test_a_second_login_is_the_same_person_and_account(
    browser: Browser, clock: ManualClock
) -> None:
    first = (await browser.log_in(await browser.code())).json()
    clock.advance(minutes=2)
    second = (await browser.log_in(await browser.code())).json()

    assert first["person_id"] == second["person_id"]
    assert first["session_id"] != second["session_id"]
    assert len(await browser.rows(WechatAccount)) == 1


async def test_whoever_the_register_knows_by_the_phone_is_that_person_and_verified(
    browser: Browser, world: World
) -> None:
    person = await registered(browser.db, world)

    session = (await browser.log_in(await browser.code())).json()

    assert session["person_id"] == str(person.id)
    me = (await browser.http.get("/v1/me", headers=bearer(session))).json()
    assert [(r["level"], r["method"]) for r in me["residences"]] == [(2, "phone_match")]


async def test_a_number_that_went_to_somebody_else_does_not_lead_to_its_earlier_holder(
    browser: Browser, clock: ManualClock
) -> None:
    first = (await browser.log_in(await browser.code())).json()
    clock.advance(minutes=2)
    bound = await browser.bind(first, await browser.code(OTHER), OTHER)
    assert bound.json()["phone"] == "199****8802"

    clock.advance(minutes=2)
    second = (await browser.log_in(await browser.code())).json()

    assert second["person_id"] != first["person_id"]
    mine = (await browser.http.get("/v1/me", headers=bearer(first))).json()
    assert mine["phone"] == "199****8802"


# ---- binding ------------------------------------------------------------------------------


async def h5_session(browser: Browser, world: World) -> dict[str, Any]:
    """Somebody logged in from the browser inside WeChat, of whom nothing is known."""
    from api import accounts, sessions
    from notifications.wechat.login import Identity

    async with browser.db.begin() as tx:
        identity = Identity(openid="h5-o1", unionid=None, session_key=None)
        account = await accounts.admit(tx, "h5-app", identity, kind=AccountKind.H5)
        opened = await sessions.open_session(tx, browser.services, account, device="")
    return {"access_token": opened.access_token, "person_id": str(opened.person_id)}


async def test_a_phone_is_bound_from_the_browser_inside_wechat(
    browser: Browser, world: World
) -> None:
    session = await h5_session(browser, world)
    code = await browser.code()

    answer = await browser.bind(session, code)
    assert answer.json() == {
        "phone": "199****8801",
        "person_id": session["person_id"],
        "session": None,
    }
    assert (await browser.bind(session, code)).json() == answer.json()  # the answer was lost


async def test_binding_a_phone_of_the_register_makes_the_account_that_person(
    browser: Browser, world: World
) -> None:
    person = await registered(browser.db, world)
    session = await h5_session(browser, world)

    answer = (await browser.bind(session, await browser.code())).json()

    assert answer["person_id"] == answer["session"]["person_id"] == str(person.id)
    me = (await browser.http.get("/v1/me", headers=bearer(answer["session"]))).json()
    assert me["id"] == str(person.id)
    assert me["residences"][0]["level"] == 2


async def test_a_wrong_code_binds_nothing(browser: Browser, world: World) -> None:
    session = await h5_session(browser, world)
    code = await browser.code()
    assert refused(await browser.bind(session, wrong(code)), 422, "sms-code-invalid")
    assert refused(await browser.bind(session, code, OTHER), 422, "sms-code-invalid")
    me = (await browser.http.get("/v1/me", headers=bearer(session))).json()
    assert me["phone"] is None


# ---- what a code is worth -----------------------------------------------------------------


async def test_a_code_ends_after_five_minutes(browser: Browser, clock: ManualClock) -> None:
    code = await browser.code()
    clock.advance(seconds=299)
    assert (await browser.log_in(code)).status_code == 200

    code = await browser.code()
    clock.advance(seconds=300)
    assert refused(await browser.log_in(code), 422, "sms-code-invalid")


async def test_a_code_works_once_and_again_for_whoever_lost_the_answer(
    browser: Browser, clock: ManualClock
) -> None:
    code = await browser.code()
    first = await browser.log_in(code)
    again = await browser.log_in(code)
    assert first.json()["person_id"] == again.json()["person_id"]

    clock.advance(seconds=61)
    assert refused(await browser.log_in(code), 422, "sms-code-invalid")


async def test_after_five_attempts_even_the_right_code_is_refused(browser: Browser) -> None:
    code = await browser.code()
    for _ in range(4):
        assert refused(await browser.log_in(wrong(code)), 422, "sms-code-invalid")
    assert (await browser.log_in(code)).status_code == 200
    assert refused(await browser.log_in(code), 422, "sms-code-invalid")


async def test_attempts_at_the_same_time_are_all_counted(browser: Browser) -> None:
    code = await browser.code()
    answers = await asyncio.gather(*(browser.log_in(wrong(code)) for _ in range(12)))
    assert {answer.status_code for answer in answers} == {422}
    (row,) = await browser.rows(PhoneCode)
    assert row.attempts == 5
    assert refused(await browser.log_in(code), 422, "sms-code-invalid")


async def test_a_newer_code_voids_the_older_one(browser: Browser, clock: ManualClock) -> None:
    older = await browser.code()
    clock.advance(seconds=60)
    newer = await browser.code()
    if older != newer:
        assert refused(await browser.log_in(older), 422, "sms-code-invalid")
    assert (await browser.log_in(newer)).status_code == 200


async def test_neither_phone_nor_code_nor_address_is_stored_in_the_open(browser: Browser) -> None:
    code = await browser.code()
    (row,) = await browser.rows(PhoneCode)
    counts = await browser.rows(PhoneCodeCount)
    stored = json.dumps([row.model_dump(mode="json"), *(c.model_dump(mode="json") for c in counts)])
    for secret in (PHONE, "203.0.113", f'"{code}"'):
        assert secret not in stored
    import hashlib

    assert hashlib.sha256(code.encode()).hexdigest() not in stored


# ---- asking -------------------------------------------------------------------------------


async def test_the_answer_is_the_same_whether_or_not_the_phone_is_known(
    browser: Browser, world: World
) -> None:
    await registered(browser.db, world)
    known, unknown = await browser.ask(), await browser.ask(OTHER)

    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json())
    assert known.json() == {"expires_in": 300, "again_in": 60}
    assert [message["to"] for message in browser.messages()] == [PHONE, OTHER]
    wrong_known = await browser.log_in("000000")
    wrong_unknown = await browser.log_in("000000", OTHER)
    assert wrong_known.json() == wrong_unknown.json()


async def test_within_a_minute_no_second_message_goes_out(
    browser: Browser, clock: ManualClock
) -> None:
    code = await browser.code()
    clock.advance(seconds=59)
    assert (await browser.ask()).json() == {"expires_in": 300, "again_in": 60}
    assert len(browser.messages()) == 1
    assert (await browser.log_in(code)).status_code == 200


async def test_requests_at_the_same_time_send_one_message(browser: Browser) -> None:
    answers = await asyncio.gather(*(browser.ask() for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(browser.messages()) == 1


async def test_a_phone_gets_five_codes_a_day(browser: Browser, clock: ManualClock) -> None:
    for _ in range(5):
        await browser.code()
        clock.advance(minutes=1)
    assert refused(await browser.ask(), 429, "too-many-sms-codes")
    assert (await browser.ask(OTHER)).status_code == 200
    clock.advance(days=1)
    await browser.code()
    days = {row.day for row in await browser.rows(PhoneCodeCount)}
    assert len(days) == 1, "the counters of yesterday are gone"


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:3:4:5:6", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
    ],
)
async def test_an_address_gets_so_many_codes_a_day(
    settings: Settings,
    clock: ManualClock,
    world: World,
    tmp_path: Path,
    first: str,
    second: str,
    same: bool,
) -> None:
    file = tmp_path / "sms.jsonl"
    async with at(settings, clock, file, address=first, sms_codes_per_address=2) as one:
        assert [(await one.ask(f"1990000770{n}")).status_code for n in range(3)] == [200, 200, 429]
    async with at(settings, clock, file, address=second, sms_codes_per_address=2) as one:
        assert (await one.ask("19900007709")).status_code == (429 if same else 200)


async def test_there_are_so_many_codes_a_day_in_all(
    settings: Settings, clock: ManualClock, world: World, tmp_path: Path
) -> None:
    async with at(settings, clock, tmp_path / "sms.jsonl", sms_codes_per_day=3) as one:
        answers = await asyncio.gather(*(one.ask(f"1990000770{n}") for n in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [429] * 3
    assert len(one.messages()) == 3


async def test_only_mobile_numbers_are_asked_for(browser: Browser) -> None:
    for phone in ("057188880000", "+8619900008801", "1990000880", "12900008801", "1990000880１"):
        assert refused(await browser.ask(phone), 422, "malformed-request")
    assert browser.messages() == []


# ---- the provider -------------------------------------------------------------------------


async def test_without_a_provider_there_are_no_codes(
    settings: Settings, clock: ManualClock, world: World, tmp_path: Path
) -> None:
    none = {"sms_provider": ""}
    untold = {
        "sms_provider": "http",
        "sms_templates": {"*": "SMS_001"},
        "sms_url": "http://[::1]:9",
    }
    for changes in (none, untold):
        async with at(settings, clock, tmp_path / "sms.jsonl", **changes) as one:
            assert refused(await one.ask(), 404, "sms-not-offered")
            assert await one.rows(PhoneCode) == []


async def test_a_code_goes_over_http_with_the_template_for_codes(
    settings: Settings,
    clock: ManualClock,
    world: World,
    tmp_path: Path,
    provider: Provider,
    url: str,
) -> None:
    from pydantic import SecretStr

    changes = {
        "sms_provider": "http",
        "sms_url": url,
        "sms_key": "app-1",
        "sms_secret": SecretStr(SECRET),
        "sms_templates": {"phone_code": "SMS_900"},
    }
    async with at(settings, clock, tmp_path / "none", **changes) as one:
        provider.answer = (503, "")
        assert refused(await one.ask(), 503, "sms-unavailable")
        provider.answer = None
        assert (await one.ask()).status_code == 200  # at once: nothing had gone out
        message = list(provider.taken.values())[-1]
        assert (message["to"], message["template"]) == (PHONE, "SMS_900")
        assert message["params"]["minutes"] == 5
        assert UUID(message["id"].removeprefix("phone_code:"))
        assert (await one.log_in(message["params"]["code"])).status_code == 200
