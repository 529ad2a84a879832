"""Subscription messages as a channel. How they are sent is behind ``SendSubscription``."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from consultation.database import Database, Transaction
from notifications.accounts import with_account
from notifications.channels import Letter, Outcome, Sent
from notifications.wechat import ledger


class SendSubscription(Protocol):
    """Sends one message if the person has an account and a credit for the template; the answer has
    the value of an ``Outcome``. ``delivery_key`` is the same with every attempt."""

    async def __call__(
        self,
        db: Database,
        wechat: Any,
        *,
        person_id: UUID,
        template: str,
        facts: Mapping[str, str | int | datetime],
        page: str,
        delivery_key: str | None = None,
    ) -> Any: ...


class WechatMessages:
    def __init__(self, db: Database, wechat: Any, send: SendSubscription) -> None:
        self._db = db
        self._wechat = wechat
        self._send = send

    async def reachable(self, tx: Transaction, people: Collection[UUID]) -> set[UUID]:
        return await with_account(tx, people)

    async def taken_back(self, tx: Transaction, keys: Collection[str]) -> set[str]:
        return await ledger.undelivered(tx, keys)

    async def send(self, letter: Letter) -> Sent:
        outcome = await self._send(
            self._db,
            self._wechat,
            person_id=letter.person_id,
            template=letter.template,
            facts={"heading": letter.title, "text": letter.text, **letter.facts},
            page=letter.page,
            delivery_key=letter.dedupe_key,
        )
        return Sent(Outcome(str(outcome)))

    async def close(self) -> None:
        """The client belongs to whoever gave it."""
