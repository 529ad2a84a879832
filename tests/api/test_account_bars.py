"""An account that is barred, or closed, is out within five seconds: over HTTP and on the socket."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlmodel import col, select

from api.tables import EndedSession, LoginSession
from consultation.community.tables import Residence, ResidenceKind, RoleAssignment
from consultation.events.streams import community_stream
from consultation.journal import JournalEntry
from consultation.permissions import Role
from notifications.wechat.tables import WechatAccount
from tests.api.wechat_house import House
from tests.conftest import ManualClock
from tests.fake_wechat import bearer, log_in
from tests.live import Phone, phone
from tests.world import LONG_AGO

ADMIN = ("admin", Role.SYSTEM_ADMIN)
OFFICER = ("inspector", Role.DATA_OFFICER)
SOON = 5.0
Session = dict[str, Any]


@dataclass
class Office:
    """Bars over HTTP, at the community unless told otherwise."""

    house: House

    async def propose(self, who: str, by: tuple[str, Role] = ADMIN, **more: Any) -> httpx.Response:
        world = self.house.world
        node = world.nodes[more.pop("at", "community")]
        body = {"person_id": str(world.id(who)), "reason": "stolen", "basis": "第3号工单"}
        return await self.house.http.post(
            f"/v1/nodes/{node.id}/account-bars", json=body | more, headers=world.headers(*by)
        )

    async def confirm(self, bar_id: str, by: tuple[str, Role] = OFFICER) -> httpx.Response:
        return await self.house.http.post(
            f"/v1/account-bars/{bar_id}/confirm", headers=self.house.world.headers(*by)
        )

    async def lift(self, bar_id: str, by: tuple[str, Role] = ADMIN) -> httpx.Response:
        return await self.house.http.post(
            f"/v1/account-bars/{bar_id}/lift",
            json={"basis": "已改密"},
            headers=self.house.world.headers(*by),
        )

    async def bar(self, who: str) -> str:
        bar_id: str = (await self.propose(who)).raise_for_status().json()["id"]
        (await self.confirm(bar_id)).raise_for_status()
        return bar_id

    async def give(self, name: str, role: Role, at: str) -> None:
        world, place = self.house.world, self.house.world.nodes[at]
        async with self.house.db.begin() as tx:
            row = world.assignments[name, role] = RoleAssignment(
                id=uuid4(),
                community_id=place.community_id,
                person_id=world.id(name),
                role=role,
                org_id=world.orgs["district_office"].id,
                node_id=place.id,
                node_path=place.path,
                valid_from=LONG_AGO,
                basis="test",
            )
            tx.session.add(row)


@pytest.fixture
async def office(house: House) -> Office:
    office = Office(house)
    await office.give(*OFFICER, at="city")
    return office


async def logged_in(house: House, name: str, openid: str) -> Session:
    await house.account(name, openid)
    return await log_in(house.http, house.fake, openid)


async def follows(house: House, one: Phone, session: Session) -> None:
    await house.services.relay.drain()  # opens the log
    await one.hello(session["access_token"], {"id": community_stream(house.world.community.id)})


async def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


async def me(house: House, session: Session) -> tuple[int, str]:
    return await code(await house.http.get("/v1/me", headers=bearer(session)))


async def out_soon(house: House, one: Phone, session: Session, began: float) -> None:
    """The socket is hung up on, and requests are refused, within five seconds."""
    assert await one.closed() == (4401, "session-ended")
    while (answer := await me(house, session)) == (200, ""):
        assert time.monotonic() - began < SOON
        await asyncio.sleep(0.05)
    assert answer == (401, "session-ended")
    assert time.monotonic() - began < SOON


async def test_a_barred_account_is_out_everywhere_until_the_bar_is_lifted(
    house: House, office: Office
) -> None:
    mine = await logged_in(house, "resident2", "o2")
    other = await logged_in(house, "resident3", "o3")
    async with phone(house.url) as one, phone(house.url) as beside:
        await follows(house, one, mine)
        await follows(house, beside, other)
        proposed = await office.propose("resident2")
        assert proposed.status_code == 201, proposed.text
        bar_id = proposed.json()["id"]
        assert await code(await office.propose("resident2")) == (409, "account-already-barred")
        assert await code(await office.confirm(bar_id, ADMIN)) == (403, "second-person-needed")
        assert await me(house, mine) == (200, "")  # nothing yet

        began = time.monotonic()
        assert (await office.confirm(bar_id)).json()["confirmed_at"] is not None
        await out_soon(house, one, mine, began)
        assert await me(house, other) == (200, "")
        await beside.say(type="ping", t=1)
        await beside.control("pong")

    assert await code(await office.confirm(bar_id)) == (409, "bar-already-decided")
    refresh = {"refresh_token": mine["refresh_token"]}
    answer = await house.http.post("/v1/session/refresh", json=refresh)
    assert await code(answer) == (401, "session-ended")
    login = {"code": await house.fake.login_code("o2"), "device": "x"}
    answer = await house.http.post("/v1/session/wechat", json=login)
    assert await code(answer) == (403, "account-barred")

    assert (await office.lift(bar_id)).status_code == 200
    assert await code(await office.lift(bar_id)) == (409, "bar-already-lifted")
    again = await log_in(house.http, house.fake, "o2")
    assert await me(house, again) == (200, "")
    assert await me(house, mine) == (401, "session-ended")  # what was ended stays so
    async with house.db.read() as tx:
        rows = await tx.session.exec(select(JournalEntry).order_by(col(JournalEntry.id)))
        told = [(row.type, row.actor_role, row.stream) for row in rows if "bar" in row.type]
    stream = f"user:{house.world.id('resident2')}"
    assert told == [
        ("user.barred", "data_officer", stream),
        ("user.bar_lifted", "system_admin", stream),
    ]


async def test_a_session_that_was_opened_in_the_moment_of_barring_is_out_too(
    house: House, office: Office
) -> None:
    """A log-in that looked before the bar was confirmed, and committed after."""
    mine = await logged_in(house, "resident2", "o2")
    await office.bar("resident2")
    late = uuid4()
    async with house.db.begin() as tx:
        session = await tx.session.get_one(LoginSession, UUID(mine["session_id"]))
        tx.session.add(LoginSession(**session.model_dump() | {"id": late, "revoked_at": None}))
    token = house.services.tokens.issue(house.world.id("resident2"), late, uuid4())
    await house.services.ended.look()

    assert await me(house, {"access_token": token}) == (401, "session-ended")
    async with phone(house.url) as one:
        await one.say(type="hello", token=token, streams=[])
        assert await one.closed() == (4401, "session-ended")


async def test_an_account_does_not_become_a_barred_person(house: House, office: Office) -> None:
    """By showing the phone of somebody who is barred."""
    await office.bar("resident2")
    person = house.world.people["resident2"]
    assert person.phone_sealed is not None
    number = house.db.vault.open(person.id, person.phone_sealed)
    session = await log_in(house.http, house.fake, "new", phone=number)
    answer = await house.http.post(
        "/v1/me/phone", json={"code": await house.fake.phone_code("new")}, headers=bearer(session)
    )
    assert await code(answer) == (403, "account-barred")
    [account] = [one for one in await house.rows(WechatAccount) if one.openid == "new"]
    assert account.person_id != house.world.id("resident2")


async def test_only_who_is_set_over_all_places_of_a_person_bars_the_account(
    house: House, office: Office
) -> None:
    await office.give("teller1", Role.SYSTEM_ADMIN, at="community")
    here, world = ("teller1", Role.SYSTEM_ADMIN), house.world
    assert await code(await office.propose("neighbour", here)) == (403, "account-elsewhere")
    assert await code(await office.propose("visitor", here)) == (404, "person-unknown")
    assert await code(await office.propose("resident4", here, at="other")) == (403, "not-permitted")
    assert await code(await office.propose("resident4", ("clerk", Role.CLERK))) == (
        403,
        "not-permitted",
    )
    async with house.db.begin() as tx:
        for level, who in ((1, "resident5"), (2, "resident6")):
            tx.session.add(
                Residence(
                    id=uuid4(),
                    person_id=world.id(who),
                    community_id=world.nodes["other"].id,
                    kind=ResidenceKind.TENANT,
                    level=level,
                    created_at=tx.now,
                )
            )
    assert (await office.propose("resident5", here)).status_code == 201  # a claim is no home
    assert await code(await office.propose("resident6", here)) == (403, "account-elsewhere")
    assert (await office.propose("resident6", at="city")).status_code == 201
    number = world.people["resident4"]
    assert number.phone_sealed is not None
    by_phone = {"person_id": None, "phone": house.db.vault.open(number.id, number.phone_sealed)}
    proposed = await office.propose("resident4", here, **by_phone)
    assert proposed.json()["person_id"] == str(world.id("resident4"))


async def test_nobody_decides_about_their_own_account(house: House, office: Office) -> None:
    bar_id = (await office.propose("inspector", at="city")).raise_for_status().json()["id"]
    assert await code(await office.lift(bar_id, OFFICER)) == (403, "second-person-needed")
    assert await code(await office.confirm(bar_id, OFFICER)) == (403, "second-person-needed")
    listed = f"/v1/nodes/{house.world.nodes['city'].id}/account-bars"
    answer = await house.http.get(listed, headers=house.world.headers(*ADMIN))
    assert [one["id"] for one in answer.json()["items"]] == [bar_id]
    assert (await office.lift(bar_id)).status_code == 200  # withdrawn
    answer = await house.http.get(listed, headers=house.world.headers(*ADMIN))
    assert answer.json()["items"] == []
    async with house.db.read() as tx:
        assert "user.bar_lifted" not in {
            row.type for row in await tx.session.exec(select(JournalEntry))
        }


async def test_a_closed_account_is_out_of_open_sockets_and_requests(
    house: House, clock: ManualClock
) -> None:
    """Its sessions are deleted with it, and still end."""
    mine = await logged_in(house, "resident2", "o2")
    other = await logged_in(house, "resident3", "o3")
    clock.advance(minutes=1)
    async with phone(house.url) as one, phone(house.url) as beside:
        await follows(house, one, mine)
        await follows(house, beside, other)
        began = time.monotonic()
        await house.push("user_authorization_cancellation", "o2", data={"OpenID": "o2"})
        await out_soon(house, one, mine, began)
        await beside.say(type="ping", t=1)
        await beside.control("pong")
        async with phone(house.url) as again:
            await again.say(type="hello", token=mine["access_token"], streams=[])
            assert await again.closed() == (4401, "session-ended")
    assert [str(row.session_id) for row in await house.rows(EndedSession)] == [mine["session_id"]]

    clock.advance(days=2)  # they are kept no longer than they are needed
    await house.push("user_authorization_cancellation", "o3", data={"OpenID": "o3"})
    assert [str(row.session_id) for row in await house.rows(EndedSession)] == [other["session_id"]]
