"""The link in a text message: WeChat makes it when a poll is announced, and nobody waits for it."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from api.server import serving
from consultation.permissions import Role
from consultation.polls.tables import Poll
from notifications.wechat.codes import CODE
from notifications.wechat.links import URL_LINK
from notifications.wechat.tables import Scene
from tests.api.wechat_house import House
from tests.api.wechat_house import house as open_house
from tests.conftest import ManualClock
from tests.consultation.polls.stage import Stage
from tests.fake_wechat import FakeWechat
from tests.live import Start
from tests.notifications.test_sms import SECRET, Provider


@dataclass
class Post:
    """A house whose voters have phones and no WeChat, and the provider of its messages."""

    house: House
    provider: Provider
    stage: Stage
    draft: Poll

    async def announce(self) -> httpx.Response:
        headers = self.house.world.headers("secretary", Role.PARTY_SECRETARY)
        return await self.house.http.put(f"/v1/polls/{self.draft.id}/announcement", headers=headers)

    async def open_and_tell(self) -> list[dict[str, Any]]:
        """What the provider took after the poll has opened."""
        services = self.house.services
        self.stage.clock.now = self.draft.opens_at
        await services.worker.run_due()
        await services.relay.drain()
        self.stage.clock.now += timedelta(hours=12)
        await services.sender.run_due()
        return list(self.provider.taken.values())


@pytest.fixture
async def post(start: Start, fake_wechat: FakeWechat, clock: ManualClock) -> AsyncGenerator[Post]:
    provider = Provider()
    async with (
        serving(provider.app) as base,
        open_house(
            start,
            fake_wechat,
            sms_provider="http",
            sms_url=f"{base}/messages",
            sms_key="app-1",
            sms_secret=SecretStr(SECRET),
            sms_templates={"*": "SMS_001"},
        ) as house,
    ):
        stage = Stage(db=house.db, world=house.world, clock=clock)
        entrance = house.world.nodes["entrance"]
        topic = await stage.topic("lift_scope_owners", entrance)
        yield Post(
            house, provider, stage, await stage.drafted("lift_scope_owners", topic, entrance)
        )


async def test_a_message_about_a_poll_leads_to_it(post: Post) -> None:
    for _ in range(2):  # announced again it is the same one
        answer = await post.announce()
        assert answer.status_code == 200, answer.text
    fake = post.house.fake
    assert (await fake.calls(URL_LINK), await fake.calls(CODE)) == (0, 0)
    await post.house.errands()
    messages = await post.open_and_tell()

    [scene] = await post.house.rows(Scene)
    assert scene.target_id == post.draft.id
    assert scene.url_link.startswith("https://wxaurl.cn/")
    assert len(messages) == 6
    assert {message["params"]["link"] for message in messages} == {scene.url_link}
    assert await fake.calls(URL_LINK) == 1


async def test_what_cannot_be_linked_to_is_told_all_the_same(post: Post) -> None:
    await post.house.fake.fault(URL_LINK, "html", n=99)
    assert (await post.announce()).status_code == 200
    await post.house.errands()
    assert [message["params"]["link"] for message in await post.open_and_tell()] == [""] * 6


async def test_a_link_that_has_run_out_is_not_sent(post: Post) -> None:
    assert (await post.announce()).status_code == 200
    await post.house.errands()
    async with post.house.db.begin() as tx:
        [scene] = await post.house.rows(Scene)
        (await tx.session.get_one(Scene, scene.scene)).link_expires_at = post.draft.opens_at
    assert [message["params"]["link"] for message in await post.open_and_tell()] == [""] * 6


async def test_the_link_of_a_poll_that_is_over_is_made_again_only_for_its_code(post: Post) -> None:
    house, clock = post.house, post.stage.clock
    await post.announce()
    await house.errands()
    clock.now = post.draft.opens_at
    await house.services.worker.run_due()
    clock.now = post.draft.closes_at
    await house.services.worker.run_due()
    clock.advance(days=40)
    await house.errands()
    assert await house.fake.calls(URL_LINK) == 1

    clerk = house.world.headers("clerk", Role.CLERK)
    made = await house.http.put(f"/v1/polls/{post.draft.id}/wxacode", headers=clerk)
    assert made.status_code == 200, made.text
    await house.errands()
    [scene] = await house.rows(Scene)
    assert scene.link_expires_at > clock.now
