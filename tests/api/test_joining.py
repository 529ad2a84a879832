"""An account that turns out to be a registered person's: what it chose stays, and one of the two is
told."""

import httpx
import pytest
from sqlmodel import select

from consultation.database import Database
from consultation.journal import JournalEntry
from notifications.hub import Hub
from notifications.relay import Relay
from notifications.tables import Delivery, Notice, NoticeSettings
from tests.api.test_me import bind, phone_of
from tests.fake_wechat import FakeWechat, bearer, log_in
from tests.world import World

SETTINGS = "/v1/me/notice-settings"
CHOSEN = {"wechat": True, "sms": False, "digest": False, "digest_hour": 12}
OTHERS = {"wechat": False, "sms": True, "digest": True, "digest_hour": None}


@pytest.mark.parametrize("knows_better", [True, False])
async def test_what_an_account_chose_stays_chosen_unless_the_person_had_chosen(
    client: httpx.AsyncClient,
    fake_wechat: FakeWechat,
    world: World,
    db: Database,
    knows_better: bool,
) -> None:
    if knows_better:
        own = await client.put(SETTINGS, json=OTHERS, headers=world.headers("resident1"))
        assert own.status_code == 200
    session = await log_in(client, fake_wechat, "o1", phone=phone_of(db, world, "resident1"))
    chosen = await client.put(SETTINGS, json=CHOSEN, headers=bearer(session))
    assert chosen.status_code == 200

    bound = (await bind(client, fake_wechat, session, "o1")).json()

    holds = (await client.get(SETTINGS, headers=bearer(bound["session"]))).json()
    assert {name: holds[name] for name in CHOSEN} == (OTHERS if knows_better else CHOSEN)
    async with db.read() as tx:
        people = set(await tx.session.exec(select(NoticeSettings.person_id)))
    assert people == {world.id("resident1")}


async def test_the_person_is_told_of_the_joining_and_the_account_that_is_none_any_more_is_not(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, world: World, db: Database
) -> None:
    session = await log_in(client, fake_wechat, "o1", phone=phone_of(db, world, "resident1"))
    await bind(client, fake_wechat, session, "o1")
    await Relay(db, Hub()).drain()

    async with db.read() as tx:
        joined = {
            entry.stream
            for entry in await tx.session.exec(select(JournalEntry))
            if entry.data.get("about") == "account_joined"
        }
        told = {
            notice.person_id
            for notice in await tx.session.exec(select(Notice))
            if notice.facts.get("about") == "account_joined"
        }
        owed = set(await tx.session.exec(select(Delivery.person_id)))
    assert joined == {f"user:{session['person_id']}", f"user:{world.id('resident1')}"}
    assert told == owed == {world.id("resident1")}
