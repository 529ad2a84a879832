"""Whatever people are told over WeChat passes there and leads to a page of the settings; and a
WeChat that hangs costs one call a round, nobody's SMS, and no night."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import col, select

from api.contract import placeholders
from api.deliveries import build_sender
from api.words import catalogue
from consultation.calendar import SHANGHAI
from consultation.community.tables import Person
from consultation.events.topics import TopicStateChanged
from consultation.topics.states import State
from notifications import audience
from notifications.audience import AUDIENCE, DIGEST_WORDS, Told, Urgency
from notifications.debts import HOMES, add_notices
from notifications.policy import Channel, policy
from notifications.tables import Delivery, DeliveryState
from notifications.wechat.client import STABLE_TOKEN
from notifications.wechat.subscribe import SEND
from notifications.wechat.tables import AccountKind, SubscriptionAccept, WechatAccount
from notifications.wechat.templates import TemplateSpec
from tests.api.wechat_house import House, house
from tests.conftest import ManualClock
from tests.consultation.polls.stage import Stage
from tests.fake_wechat import FakeWechat
from tests.live import Start
from tests.world import a_topic

WORDS = sorted({told.words for told in audience.rows()})
SPECS = [
    TemplateSpec(
        name=words, template_id=f"T-{words}", values={"thing1": "heading", "thing2": "text"}
    )
    for words in WORDS
]
PAGES = {
    "topic": "packages/hall/matter",
    "poll": "packages/hall/vote",
    "meeting": "packages/hall/meeting",
    "notices": "packages/hall/inbox",
}
OVER_WECHAT = [
    (name, told)
    for name, rows in AUDIENCE.items()
    for told in rows
    if told.urgency is not Urgency.DIGEST
    and Channel.WECHAT in {step.channel for step in policy().chains[told.chain].steps}
]


@pytest.fixture
async def town(start: Start, fake_wechat: FakeWechat, tmp_path: Path) -> AsyncGenerator[House]:
    """resident1 has WeChat and has accepted more of everything than will be sent."""
    changes = {
        "wechat_templates": SPECS,
        "wechat_pages": PAGES,
        "sms_provider": "file",
        "sms_file": tmp_path / "sms.jsonl",
        "wechat_timeout_seconds": 0.5,
    }
    async with house(start, fake_wechat, **changes) as made:
        await fake_wechat.pages(*PAGES.values())
        for spec in SPECS:
            await fake_wechat.template(spec.template_id, "{{thing1.DATA}}{{thing2.DATA}}")
        account = await made.account("resident1", "o1")
        await accept_all(made, account)
        yield made


async def accept_all(made: House, account: WechatAccount, *, times: int = 5) -> None:
    for _ in range(times):
        await made.fake.tap(account.openid, **{spec.template_id: "accept" for spec in SPECS})
    async with made.db.begin() as tx:
        for spec in SPECS:
            for _ in range(times):
                tx.session.add(
                    SubscriptionAccept(
                        id=tx.new_id(),
                        account_id=account.id,
                        template_id=spec.template_id,
                        at=tx.now,
                        client_key=uuid4().hex,
                    )
                )


def facts_for(words: str) -> dict[str, Any]:
    """What the words ask for."""
    asked = set[str]()
    for part in ("title", "text"):
        asked |= placeholders(catalogue("zh-CN")[f"notices.{words}.{part}"])
    return {
        name: "2026-06-10T00:00:00+00:00" if name.endswith(("_at", "_until")) else "旧楼加装电梯"
        for name in asked | {"title"}
    }


def test_there_are_rows_of_every_home_and_some_without_a_page_of_their_own() -> None:
    assert len(OVER_WECHAT) > 30
    assert {HOMES[name] for name, _ in OVER_WECHAT} == {"topic", "poll", "user"}


async def test_every_row_that_goes_over_wechat_passes_there_and_leads_to_a_page_of_the_settings(
    town: House, clock: ManualClock
) -> None:
    stage = Stage(db=town.db, world=town.world, clock=clock)
    entrance = town.world.nodes["entrance"]
    topic = await stage.topic("lift_scope_owners", entrance)
    poll = await stage.opened("lift_scope_owners", topic, entrance)
    person_id = town.world.id("resident1")

    def notice(name: str, told: Told) -> dict[str, Any]:
        id = uuid4()
        return {
            "id": id,
            "dedupe_key": id.hex,
            "event_id": None,
            "person_id": person_id,
            "community_id": topic.community_id,
            "words": told.words,
            "urgency": told.urgency,
            "facts": facts_for(told.words),
            "topic_id": topic.id if HOMES[name] != "user" else None,
            "poll_id": poll.id if told.serves else None,
            "created_at": clock.now,
        }

    expected: dict[str, set[str]] = {}
    for name, told in OVER_WECHAT:
        made = notice(name, told)
        kind = "poll" if made["poll_id"] else "topic" if made["topic_id"] else "notices"
        expected.setdefault(f"T-{told.words}", set()).add(PAGES[kind])
        async with town.db.begin() as tx:
            await add_notices(tx, [made], {made["id"]: told.chain})
    async with town.db.begin() as tx:  # the budget of a week is not what this is about
        for row in await tx.session.exec(select(Delivery)):
            row.chain = "vote"
    for _ in range(3):
        clock.advance(hours=12)
        await town.services.sender.run_due()

    rows = [row for row in await town.rows(Delivery) if row.channel is Channel.WECHAT]
    states = {(row.state, row.last_error) for row in rows}
    assert states == {(DeliveryState.SENT, None)}
    assert len(rows) == len(OVER_WECHAT)
    seen: dict[str, set[str]] = {}
    for message in (await town.fake.outbox())["messages"]:
        page = message["page"].partition("?")[0]
        seen.setdefault(message["template_id"], set()).add(page)
    assert seen == expected
    assert set.union(*seen.values()) == {PAGES["topic"], PAGES["poll"], PAGES["notices"]}


@pytest.mark.parametrize(("topics", "page"), [(1, "topic"), (2, "notices")])
async def test_a_digest_passes_over_wechat_too(
    town: House, clock: ManualClock, topics: int, page: str
) -> None:
    for _ in range(topics):
        topic = await a_topic(town.db, town.world, state=State.ANNOUNCED)
        async with town.db.begin() as tx:
            tx.emit(
                TopicStateChanged(
                    community_id=topic.community_id,
                    topic_id=topic.id,
                    act="announce",
                    from_state="preparing",
                    to_state="deliberating",
                    round=1,
                    due_at=None,
                )
            )
    await town.services.relay.drain()
    clock.advance(hours=11)
    await town.services.worker.run_due()
    await town.services.sender.run_due()

    messages = (await town.fake.outbox())["messages"]
    [digest] = [one for one in messages if one["template_id"] == f"T-{DIGEST_WORDS}"]
    assert digest["page"].partition("?")[0] == PAGES[page]
    states = {row.state for row in await town.rows(Delivery)}
    assert DeliveryState.DEAD not in states


def lines(file: Path) -> int:
    return file.read_text("utf-8").count("\n") if file.exists() else 0


async def test_a_wechat_that_hangs_costs_one_call_a_round_no_sms_and_no_night(
    town: House, clock: ManualClock
) -> None:
    """Thirty people are owed a message by WeChat and three an SMS; WeChat's token does not come."""
    stage = Stage(db=town.db, world=town.world, clock=clock)
    people = await stage.people(33, town.world.community.id)
    async with town.db.begin() as tx:
        found = await tx.session.exec(select(Person).where(col(Person.id).in_(people)))
        for number, person in enumerate(found):
            person.phone_sealed = tx.vault.seal(person.id, f"1991111{number:04d}")
        for person_id in people[:30]:
            account = WechatAccount(
                id=uuid4(),
                app_id=town.services.wechat.app_id,
                openid=person_id.hex,
                kind=AccountKind.MINI_PROGRAM,
                person_id=person_id,
                created_at=tx.now,
                last_login_at=tx.now,
            )
            tx.session.add(account)
        await tx.session.flush()
        notices = [
            {
                "id": uuid4(),
                "dedupe_key": person_id.hex,
                "event_id": None,
                "person_id": person_id,
                "community_id": town.world.community.id,
                "words": "reply",
                "urgency": Urgency.NORMAL,
                "facts": facts_for("reply"),
                "topic_id": None,
                "poll_id": None,
                "created_at": tx.now,
            }
            for person_id in people
        ]
        await add_notices(tx, notices, {one["id"]: "owed" for one in notices})
    async with town.db.begin() as tx:
        accounts = list(await tx.session.exec(select(WechatAccount)))
    for account in accounts:
        await town.fake.user(account.openid)
    async with town.db.begin() as tx:
        for account in accounts:
            tx.session.add(
                SubscriptionAccept(
                    id=tx.new_id(),
                    account_id=account.id,
                    template_id="T-reply",
                    at=tx.now,
                    client_key=uuid4().hex,
                )
            )
    for account in accounts:
        await town.fake.tap(account.openid, **{"T-reply": "accept"})
    await town.fake.fault(STABLE_TOKEN, "slow", seconds=2, n=999)
    evening = clock.now.astimezone(SHANGHAI).replace(hour=21, minute=58, second=0)
    clock.now = evening

    before = await town.fake.calls(STABLE_TOKEN)
    begun = time.monotonic()
    town.services.sender.start()  # as in life: each channel in rounds of its own
    sms_file = town.services.settings.sms_file
    try:
        async with asyncio.timeout(5):
            while lines(sms_file) < 3:  # noqa: ASYNC110  a file says nothing
                await asyncio.sleep(0.02)
        assert time.monotonic() - begun < 5
    finally:
        await town.services.sender.stop()
    assert await town.fake.calls(STABLE_TOKEN) == before + 1
    assert await town.fake.calls(SEND) == 0
    waiting = [row for row in await town.rows(Delivery) if row.channel is Channel.WECHAT]
    assert {(row.state, row.lease_until) for row in waiting} == {(DeliveryState.WAITING, None)}

    await town.fake.heal()
    services = town.services
    sender = build_sender(services.settings, town.db, services.wechat, services.sms)
    clock.now = evening + timedelta(minutes=3)
    assert await sender.run_due() == 0
    assert await town.fake.calls(SEND) == 0  # one past ten: not now
    clock.now = evening.replace(hour=8, minute=1) + timedelta(days=1)
    assert await sender.run_due() == 30
    numbers = [json.loads(line)["to"] for line in sms_file.read_text("utf-8").splitlines()]
    assert len(numbers) == len(set(numbers)) == 3
