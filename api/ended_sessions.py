"""Which sessions were ended while their access tokens still live.

The one place that knows, for requests, for the casting lane and for open sockets. Read by the
round of the sockets (``api/live/rights.py``) and, where that looks more rarely, by whoever asks;
never trusted longer than four seconds: a session that ends, ends for who asks here within five, in
whichever process it was ended.
"""

import asyncio
import time
from contextvars import Context
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import union_all
from sqlmodel import col, select

from api.sessions import SessionEnded
from api.tables import EndedSession, LoginSession
from consultation.community.bar_queries import bars_now
from consultation.community.tables import AccountBar
from consultation.database import Database
from notifications.wechat.tables import WechatAccount

LOOK_EVERY = 2.0
TRUST_FOR = 4.0
LATE = timedelta(seconds=60)
"""A commit may come so much later than its time says."""


def _ended_since(then: datetime) -> Any:
    """In one statement: those that were ended, those that went with their account, and all of
    accounts that are barred, also one that was opened in the moment of barring."""
    barred = (
        select(LoginSession.id)
        .join(WechatAccount, col(WechatAccount.id) == LoginSession.account_id)
        .join(AccountBar, col(AccountBar.person_id) == WechatAccount.person_id)
        .where(bars_now())
    )
    return union_all(
        select(LoginSession.id).where(col(LoginSession.revoked_at) > then),
        select(EndedSession.session_id).where(col(EndedSession.at) > then),
        barred,
    )


class EndedSessions:
    def __init__(self, db: Database, *, token_seconds: int) -> None:
        self._db = db
        self._life = timedelta(seconds=token_seconds) + LATE
        self._ended: frozenset[UUID] = frozenset()
        self._looked = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self.monotonic = time.monotonic

    async def check(self, session_id: UUID) -> None:
        """Refuses with SessionEnded."""
        age = self.monotonic() - self._looked
        if age > LOOK_EVERY:
            if self._looking is None or self._looking.done():
                # A context of its own: it belongs to no request in particular.
                self._looking = asyncio.create_task(self.look(), context=Context())
            if age > TRUST_FOR:
                await asyncio.shield(self._looking)
        if self.holds(session_id):
            raise SessionEnded()

    def holds(self, session_id: UUID) -> bool:
        """Whether the last look found this session ended."""
        return session_id in self._ended

    async def close(self) -> None:
        if self._looking is not None:
            await asyncio.gather(self._looking, return_exceptions=True)

    async def look(self) -> None:
        began = self.monotonic()
        async with self._db.read() as tx:
            found = await tx.session.exec(_ended_since(self._db.clock() - self._life))
            self._ended = frozenset(row[0] for row in found)
        self._looked = began
