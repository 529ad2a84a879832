"""The backend on a real port beside the fake WeChat, each knowing the other."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from pydantic import SecretStr
from sqlmodel import select

from api.dependencies import Services
from api.fake_wechat.state import H5_APP_ID, H5_SECRET, PUSH_KEY, PUSH_TOKEN
from consultation.community.tables import Person
from consultation.database import Database
from notifications.wechat.tables import AccountKind, WechatAccount
from notifications.wechat.templates import TemplateKind, TemplateSpec
from tests.fake_wechat import FakeWechat
from tests.live import Start
from tests.world import World

POLL = TemplateSpec(
    name="poll_opened",
    template_id="T-poll",
    values={"thing1": "title", "time2": "closes_at", "number3": "voters"},
)
TASK = TemplateSpec(
    name="task_done", template_id="T-task", values={"thing1": "title", "date2": "done_on"}
)
REPLY = TemplateSpec(name="topic_answered", template_id="T-reply", values={"thing1": "title"})
EXTRA = TemplateSpec(name="meeting_called", template_id="T-extra", values={"thing1": "title"})
LASTING = TemplateSpec(
    name="notice_posted",
    template_id="T-lasting",
    kind=TemplateKind.LONG_TERM,
    values={"thing1": "title"},
)
TEMPLATES = [POLL, TASK, REPLY, EXTRA, LASTING]

SETTINGS: dict[str, Any] = {
    "wechat_templates": TEMPLATES,
    "run_relay": False,
    "wechat_push_token": SecretStr(PUSH_TOKEN),
    "wechat_push_key": SecretStr(PUSH_KEY),
    "wechat_h5_app_id": H5_APP_ID,
    "wechat_h5_secret": SecretStr(H5_SECRET),
    "wechat_h5_page": "https://h5.minyi.test/login",
}


@dataclass
class House:
    url: str
    services: Services
    world: World
    fake: FakeWechat
    http: httpx.AsyncClient

    @property
    def db(self) -> Database:
        return self.services.db

    async def errands(self) -> int:
        return await self.services.errands.run_due()

    async def account(self, name: str, openid: str = "o1", **more: Any) -> WechatAccount:
        """Somebody of the world has an account in the mini-program, and is in it now."""
        await self.fake.user(openid)
        await self.fake.visit(openid)
        async with self.db.begin() as tx:
            account = WechatAccount(
                id=tx.new_id(),
                app_id=self.services.wechat.app_id,
                openid=openid,
                kind=more.get("kind", AccountKind.MINI_PROGRAM),
                person_id=self.world.id(name),
                created_at=tx.now,
                last_login_at=tx.now,
            )
            tx.session.add(account)
        return account

    async def rows(self, table: type[Any]) -> list[Any]:
        async with self.db.read() as tx:
            return list(await tx.session.exec(select(table)))

    async def person(self, person_id: UUID) -> Person:
        async with self.db.read() as tx:
            found = await tx.session.get(Person, person_id)
        assert found is not None
        return found

    async def listen(self, **more: Any) -> None:
        await self.fake.listener(f"{self.url}/v1/wechat/push", **more)

    async def push(self, event: str, openid: str, **more: Any) -> list[int]:
        """An event comes, and is acted upon."""
        statuses = await self.fake.push(event, openid, **more)
        await self.errands()
        return statuses

    async def deliver(self, **more: Any) -> None:
        """What waits at WeChat comes, and is acted upon."""
        await self.fake.deliver(**more)
        await self.errands()


@asynccontextmanager
async def house(start: Start, fake: FakeWechat, **changes: Any) -> AsyncGenerator[House]:
    for spec in TEMPLATES:
        content = "\n".join(f"项目:{{{{{key}.DATA}}}}" for key in spec.values)
        await fake.template(
            spec.template_id, content, long_term=spec.kind is TemplateKind.LONG_TERM
        )
    async with start(**(SETTINGS | changes)) as town:
        town.world.tokens = town.services.tokens
        async with httpx.AsyncClient(base_url=town.url, trust_env=False) as http:
            made = House(town.url, town.services, town.world, fake, http)
            await made.listen()
            yield made
