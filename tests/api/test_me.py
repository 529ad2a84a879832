"""Whose account it is: the phone that the register knows, and what a person is here."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlmodel import select

from api.fake_wechat.state import APP_ID
from consultation.community.tables import Person, Residence, ResidenceKind
from consultation.database import Database
from consultation.journal import JournalEntry
from consultation.permissions import Role
from notifications.wechat.phone import PHONE
from notifications.wechat.tables import WechatAccount
from tests.conftest import ManualClock
from tests.fake_wechat import FakeWechat, bearer, log_in
from tests.world import World


def phone_of(db: Database, world: World, name: str) -> str:
    person = world.people[name]
    assert person.phone_sealed is not None
    return db.vault.open(person.id, person.phone_sealed)


async def bind(
    client: httpx.AsyncClient, fake: FakeWechat, session: dict[str, Any], openid: str
) -> httpx.Response:
    body = {"code": await fake.phone_code(openid)}
    return await client.post("/v1/me/phone", json=body, headers=bearer(session))


async def me(client: httpx.AsyncClient, session: dict[str, Any]) -> dict[str, Any]:
    answer = await client.get("/v1/me", headers=bearer(session))
    return answer.raise_for_status().json()


async def test_a_phone_that_no_register_knows_stays_with_the_own_person_sealed(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, db: Database
) -> None:
    session = await log_in(client, fake_wechat, "o1", phone="13800001234")

    bound = (await bind(client, fake_wechat, session, "o1")).json()
    again = (await bind(client, fake_wechat, session, "o1")).json()

    assert bound == again
    assert bound == {"phone": "138****1234", "person_id": session["person_id"], "session": None}
    assert (await me(client, session))["phone"] == "138****1234"
    async with db.read() as tx:
        lookup = db.vault.lookup("phone", "13800001234")
        kept = (await tx.session.exec(select(Person).where(Person.phone_lookup == lookup))).one()
    assert str(kept.id) == session["person_id"]
    assert b"13800001234" not in (kept.phone_sealed or b"")


async def test_the_phone_of_the_register_makes_the_account_that_person(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, world: World, db: Database
) -> None:
    phone = phone_of(db, world, "resident1")
    session = await log_in(client, fake_wechat, "o1", phone=phone)

    bound = (await bind(client, fake_wechat, session, "o1")).json()

    assert bound["person_id"] == str(world.id("resident1"))
    mine = await me(client, bound["session"])
    assert mine["id"] == str(world.id("resident1"))
    assert mine["masked_name"] == world.people["resident1"].masked_name
    assert [(r["community_name"], r["level"]) for r in mine["residences"]] == [("梧桐里社区", 2)]
    assert bound["session"]["session_id"] == session["session_id"]
    async with db.read() as tx:
        before = await tx.session.get(Person, UUID(session["person_id"]))
        account = (await tx.session.exec(select(WechatAccount))).one()
    assert before is not None
    assert before.same_as_id == account.person_id == world.id("resident1")


async def test_after_the_match_the_old_tokens_say_so_and_the_next_login_is_the_registered_person(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, world: World, db: Database
) -> None:
    session = await log_in(client, fake_wechat, "o1", phone=phone_of(db, world, "resident1"))
    await bind(client, fake_wechat, session, "o1")

    old = await client.get("/v1/me", headers=bearer(session))
    bound_again = await bind(client, fake_wechat, session, "o1")
    next_login = await log_in(client, fake_wechat, "o1")
    charges = (await fake_wechat.outbox())["phone_charges"]

    assert old.json()["code"] == "account-joined"
    assert bound_again.json()["code"] == "account-joined"
    assert charges == ["o1"]  # refused before it was paid for
    assert next_login["person_id"] == str(world.id("resident1"))


async def test_staff_are_known_by_their_phone_and_see_what_they_may_act_as(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, world: World, db: Database
) -> None:
    session = await log_in(client, fake_wechat, "o1", phone=phone_of(db, world, "deputy"))
    bound = (await bind(client, fake_wechat, session, "o1")).json()

    roles = (await me(client, bound["session"]))["roles"]

    assert {(r["role"], r["org_name"], r["node_name"]) for r in roles} == {
        ("committee_head", "梧桐里社区居民委员会", "梧桐里社区"),
        ("host", "梧桐里社区居民委员会", "梧桐里社区"),
    }
    head = world.assignments["deputy", Role.COMMITTEE_HEAD]
    assert str(head.id) in {r["assignment_id"] for r in roles}


async def test_roles_that_ended_or_have_not_begun_are_not_offered(
    client: httpx.AsyncClient, world: World, db: Database, clock: ManualClock
) -> None:
    async with db.begin() as tx:
        for (name, role), held in world.assignments.items():
            row = await tx.session.get(type(held), held.id)
            assert row is not None
            if name == "deputy" and role is Role.HOST:
                row.valid_to = clock()
            elif name == "deputy":
                row.valid_from = clock().replace(year=2027)

    answer = await client.get("/v1/me", headers=world.headers("deputy"))

    assert answer.json()["roles"] == []


async def test_one_person_may_have_two_devices_and_two_openids(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, world: World, db: Database
) -> None:
    phone = phone_of(db, world, "resident1")
    sessions = []
    for openid, device in (("o1", "手机"), ("o2", "平板")):
        first = await log_in(client, fake_wechat, openid, phone=phone, device=device)
        sessions.append((await bind(client, fake_wechat, first, openid)).json()["session"])
    third = await log_in(client, fake_wechat, "o2", device="新手机")

    assert {s["person_id"] for s in [*sessions, third]} == {str(world.id("resident1"))}
    listed = await client.get("/v1/me/sessions", headers=bearer(sessions[0]))
    assert {one["device"] for one in listed.json()["items"]} == {"手机", "平板", "新手机"}
    async with db.read() as tx:
        found = await tx.session.exec(select(WechatAccount.openid, WechatAccount.app_id))
        assert set(found) == {("o1", APP_ID), ("o2", APP_ID)}


async def test_every_device_of_the_account_moves_with_it(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, world: World, db: Database
) -> None:
    phone = await log_in(client, fake_wechat, "o1", phone=phone_of(db, world, "resident1"))
    tablet = await log_in(client, fake_wechat, "o1")
    await bind(client, fake_wechat, phone, "o1")

    renewed = await client.post(
        "/v1/session/refresh", json={"refresh_token": tablet["refresh_token"]}
    )

    assert renewed.json()["person_id"] == str(world.id("resident1"))


async def test_residences_of_the_register_rise_by_the_match_and_own_claims_do_not(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, world: World, db: Database
) -> None:
    async with db.begin() as tx:
        for name in ("resident1", "tenant"):
            rows = await tx.session.exec(
                select(Residence).where(Residence.person_id == world.id(name))
            )
            rows.one().level = 1
        claim = Residence(
            id=tx.new_id(),
            person_id=world.id("resident1"),
            community_id=world.nodes["other"].id,
            kind=ResidenceKind.TENANT,
            level=1,
            created_at=tx.now,
        )
        claim.claim_sealed = tx.vault.seal(claim.id, "5幢101")
        tx.session.add(claim)
    session = await log_in(client, fake_wechat, "o1", phone=phone_of(db, world, "resident1"))

    bound = (await bind(client, fake_wechat, session, "o1")).json()

    residences = (await me(client, bound["session"]))["residences"]
    assert {(r["community_name"], r["level"], r["method"], r["claim"]) for r in residences} == {
        ("梧桐里社区", 2, "phone_match", None),
        ("别处社区", 1, None, "5幢101"),
    }
    async with db.read() as tx:
        entries = await tx.session.exec(
            select(JournalEntry).where(JournalEntry.stream == f"user:{world.id('resident1')}")
        )
        told = {(e.type, e.data.get("about"), e.data.get("method")) for e in entries}
        tenant = await tx.session.exec(
            select(Residence.level).where(Residence.person_id == world.id("tenant"))
        )
        assert tenant.one() == 1
    assert told == {
        ("user.notified", "account_joined", None),
        ("user.verified", None, "phone_match"),
    }


async def test_a_claim_moves_with_the_account_unless_the_person_is_known_there(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, world: World, db: Database
) -> None:
    session = await log_in(client, fake_wechat, "o1", phone="13800001234")
    await bind(client, fake_wechat, session, "o1")
    for place in ("community", "other"):
        claimed = await client.put(
            f"/v1/communities/{world.nodes[place].id}/my-residence",
            json={"kind": "owner", "address": "3幢2单元101", "name": "何建军"},
            headers=bearer(session),
        )
        assert claimed.status_code == 200
    await fake_wechat.user("o1", phone=phone_of(db, world, "resident1"))

    bound = (await bind(client, fake_wechat, session, "o1")).json()

    residences = (await me(client, bound["session"]))["residences"]
    assert {(r["community_name"], r["level"], r["claim"]) for r in residences} == {
        ("梧桐里社区", 2, None),
        ("别处社区", 1, "3幢2单元101"),
    }
    async with db.read() as tx:
        lookup = db.vault.lookup("phone", "13800001234")
        kept = await tx.session.exec(select(Person).where(Person.phone_lookup == lookup))
        assert kept.first() is None


async def test_the_phone_of_another_mere_account_is_in_use(
    client: httpx.AsyncClient, fake_wechat: FakeWechat
) -> None:
    first = await log_in(client, fake_wechat, "o1", phone="13800001234")
    second = await log_in(client, fake_wechat, "o2", phone="13800001234")
    await bind(client, fake_wechat, first, "o1")

    refused = await bind(client, fake_wechat, second, "o2")

    assert (refused.status_code, refused.json()["code"]) == (409, "phone-in-use")
    assert (await me(client, second))["phone"] is None
    assert (await me(client, first))["phone"] == "138****1234"


async def test_of_two_accounts_binding_one_phone_at_once_one_gets_it(
    client: httpx.AsyncClient, fake_wechat: FakeWechat
) -> None:
    sessions = [await log_in(client, fake_wechat, o, phone="13800001234") for o in ("o1", "o2")]

    answers = await asyncio.gather(
        bind(client, fake_wechat, sessions[0], "o1"), bind(client, fake_wechat, sessions[1], "o2")
    )

    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_somebody_who_may_have_voted_does_not_become_another_person(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, world: World, db: Database
) -> None:
    session = await log_in(client, fake_wechat, "o1", phone=phone_of(db, world, "resident1"))
    async with db.begin() as tx:
        tx.session.add(
            Residence(
                id=tx.new_id(),
                person_id=UUID(session["person_id"]),
                community_id=world.nodes["other"].id,
                kind=ResidenceKind.TENANT,
                level=2,
                method="grid_worker",
                created_at=tx.now,
            )
        )

    refused = await bind(client, fake_wechat, session, "o1")

    assert (refused.status_code, refused.json()["code"]) == (409, "account-not-provisional")
    assert (await me(client, session))["id"] == session["person_id"]


async def test_a_phone_code_that_is_not_ours_is_refused_and_costs_nothing(
    client: httpx.AsyncClient, fake_wechat: FakeWechat
) -> None:
    session = await log_in(client, fake_wechat, "o1", phone="13800001234")
    await fake_wechat.user("o2", phone="13800005678")
    codes = [await fake_wechat.phone_code("o2"), await fake_wechat.login_code("o1"), "invented"]
    for code in codes:
        answer = await client.post("/v1/me/phone", json={"code": code}, headers=bearer(session))
        assert (answer.status_code, answer.json()["code"]) == (422, "phone-code-invalid")

    await fake_wechat.fault(PHONE, "html")
    down = await bind(client, fake_wechat, session, "o1")
    await fake_wechat.fault(PHONE, "errcode", errcode=45011)
    often = await bind(client, fake_wechat, session, "o1")

    assert (down.status_code, down.json()["code"]) == (503, "wechat-unavailable")
    assert (often.status_code, often.json()["code"]) == (429, "too-many-logins")
    assert (await fake_wechat.outbox())["phone_charges"] == []


async def test_a_phone_is_bound_within_a_running_session_only(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, world: World
) -> None:
    session = await log_in(client, fake_wechat, "o1", phone="13800001234")
    await client.delete("/v1/session", headers=bearer(session))

    ended = await bind(client, fake_wechat, session, "o1")
    of_nobody = await client.post(
        "/v1/me/phone", json={"code": "any"}, headers=world.headers("resident1")
    )

    assert ended.json()["code"] == of_nobody.json()["code"] == "session-ended"
    assert await fake_wechat.calls(PHONE) == 0


async def test_an_own_phone_can_change(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, world: World, db: Database
) -> None:
    session = await log_in(client, fake_wechat, "o1", phone=phone_of(db, world, "resident1"))
    session = (await bind(client, fake_wechat, session, "o1")).json()["session"]
    await fake_wechat.user("o1", phone="91234567", country_code="852")

    bound = (await bind(client, fake_wechat, session, "o1")).json()

    assert bound == {
        "phone": "+85****4567",
        "person_id": str(world.id("resident1")),
        "session": None,
    }


@pytest.mark.parametrize("path", ["/v1/me", "/v1/me/sessions"])
async def test_a_visitor_is_nobody(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).json()["code"] == "not-logged-in"
