"""From a poll to phones, over the real application: the fake WeChat, the SMS file, the logs."""

import io
import json
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import structlog

from api import deliveries, logs
from api.app import build_services
from api.fake_wechat.state import APP_ID
from api.settings import Settings
from consultation.community.tables import Person
from consultation.database import Database
from notifications.policy import Channel
from notifications.sender import Sender
from notifications.wechat import ledger
from notifications.wechat.ledger import Accept
from notifications.wechat.templates import TemplateSpec
from tests.conftest import ManualClock
from tests.consultation.polls.stage import Stage
from tests.fake_wechat import FakeWechat, log_in
from tests.world import World

POLL = TemplateSpec(name="poll_opened", template_id="poll_opened", values={"thing1": "title"})
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SEND = "/cgi-bin/message/subscribe/send"


class Town:
    """The world's six owners vote; resident1 and 2 have WeChat, resident3 has no phone."""

    def __init__(self, sender: Sender, stage: Stage, fake: FakeWechat, sms: Path) -> None:
        self.sender = sender
        self.stage = stage
        self.fake = fake
        self.sms_file = sms

    async def accept(self, openid: str) -> None:
        """The user taps "allow" and the client tells of it: one credit."""
        await self.fake.tap(openid, poll_opened="accept")
        db = self.stage.db
        async with db.begin() as tx:
            account = await ledger.account_of_openid(tx, APP_ID, openid)
            assert account is not None
            accept = Accept(tx.now, client_key=f"popup of {openid}")
            await ledger.add_accept(tx, account.id, POLL, accept, window=timedelta(hours=1))

    async def later(self, **by: float) -> int:
        self.stage.clock.advance(**by)
        return await self.sender.run_due()

    async def messages(self) -> list[tuple[str, str]]:
        outbox = await self.fake.outbox()
        return sorted((one["touser"], one["template_id"]) for one in outbox["messages"])

    def texts(self) -> list[dict[str, str]]:
        if not self.sms_file.exists():
            return []
        return [json.loads(line) for line in self.sms_file.read_text("utf-8").splitlines()]


@pytest.fixture
async def town(
    client: httpx.AsyncClient,
    fake_wechat: FakeWechat,
    settings: Settings,
    db: Database,
    world: World,
    clock: ManualClock,
    tmp_path: Path,
) -> AsyncGenerator[Town]:
    for number in (1, 2):
        phone = f"1990000{list(world.people).index(f'resident{number}'):04d}"
        session = await log_in(client, fake_wechat, f"o-{number}", phone=phone)
        code = await fake_wechat.phone_code(f"o-{number}")
        headers = {"authorization": f"Bearer {session['access_token']}"}
        headers["idempotency-key"] = f"binding {number}"
        bound = await client.post("/v1/me/phone", headers=headers, json={"code": code})
        assert bound.json()["person_id"] == str(world.id(f"resident{number}"))
    async with db.begin() as tx:
        nobody = await tx.session.get(Person, world.id("resident3"))
        assert nobody is not None
        nobody.phone_sealed = nobody.phone_lookup = None
    file = tmp_path / "sms.jsonl"
    await fake_wechat.template(POLL.template_id, "议题:{{thing1.DATA}}")
    changed = settings.model_copy(
        update={"sms_provider": "file", "sms_file": file, "wechat_templates": [POLL]}
    )
    services = build_services(changed, clock=clock)
    stage = Stage(db=db, world=world, clock=clock)
    topic = await stage.topic("lift_scope_owners", world.nodes["entrance"])
    await stage.opened("lift_scope_owners", topic, world.nodes["entrance"])
    await services.relay.drain()
    yield Town(services.sender, stage, fake_wechat, file)
    await services.sender.close()
    await services.wechat.close()
    await services.db.dispose()


async def test_each_is_reached_by_the_channel_that_they_have(town: Town, world: World) -> None:
    await town.accept("o-1")
    await town.later(hours=12)

    assert await town.messages() == [("o-1", "poll_opened")]
    told = sorted(text["to"][-2:] for text in town.texts() if text["template"] == "poll_opened")
    index = list(world.people).index
    assert told == sorted(f"{index(f'resident{n}'):02d}" for n in (2, 4, 5, 6))
    assert (await town.fake.outbox())["messages"][0]["page"].startswith("pages/poll/poll?id=")


@pytest.mark.parametrize(("kind", "calls"), [("errcode", 3), ("html", 1), ("truncated", 1)])
async def test_wechat_down_is_waited_for(town: Town, kind: str, calls: int) -> None:
    """A busy WeChat is asked three times. Whoever has no credit is not waited for."""
    await town.accept("o-1")
    await town.fake.fault(SEND, kind, n=calls)
    await town.later(hours=12)
    assert await town.messages() == []
    assert len([text for text in town.texts() if text["template"] == "poll_opened"]) == 4
    assert await town.fake.calls(SEND) == calls
    await town.later(minutes=10)

    assert await town.messages() == [("o-1", "poll_opened")]
    assert len([text for text in town.texts() if text["template"] == "poll_opened"]) == 4


async def test_an_access_token_that_dies_is_renewed_or_waited_for(town: Town) -> None:
    await town.accept("o-1")
    await town.fake.fault(SEND, "token_dies", n=1)
    await town.later(hours=12)
    for _ in range(8):
        await town.later(minutes=20)

    assert await town.messages() == [("o-1", "poll_opened")]


async def test_nothing_personal_is_in_a_log_line(town: Town, world: World) -> None:
    before = structlog.get_config()
    stream = io.StringIO()
    logs.configure(stream)
    try:
        await town.accept("o-1")
        await town.fake.fault(SEND, "html", n=2)
        await town.later(hours=12)
        for _ in range(6):
            await town.later(hours=1)
    finally:
        structlog.configure(**before)
    told = stream.getvalue()

    assert told
    assert [one for one in ("1990000", "o-1", "居", "电梯") if one in told] == []
    people = [str(person.id) for person in world.people.values()]
    assert [one for one in people if one in told] == []
    for line in told.splitlines():
        assert json.loads(line).keys() <= logs.ALLOWED_FIELDS


async def test_the_settings_choose_the_provider(settings: Settings, clock: ManualClock) -> None:
    def chosen(**change: object) -> str:
        return type(deliveries.sms(settings.model_copy(update=change), clock)).__name__

    assert chosen() == "SmsOff"
    assert chosen(sms_provider="file") == "FileSms"
    http = {"sms_url": "http://127.0.0.1:9", "sms_templates": {"*": "1"}}
    assert chosen(sms_provider="http", **http) == "HttpSms"
    assert set(Channel) == {Channel.WECHAT, Channel.SMS, Channel.PRINTED}
