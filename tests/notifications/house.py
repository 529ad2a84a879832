"""A house that owes: relay and sender on one database, and channels that do as they are told."""

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from sqlmodel import col, select

from api.notice_words import write
from api.worker import Worker
from consultation.database import Database, Transaction
from consultation.polls.commands.serving import record_proofs
from consultation.polls.notice_tables import VoterNotice
from notifications.channels import Letter, Outcome, Sent
from notifications.hub import Hub
from notifications.policy import Channel
from notifications.relay import Relay
from notifications.sender import Sender
from notifications.tables import Delivery, Notice
from notifications.wechat.tables import AccountKind, WechatAccount
from tests.conftest import ManualClock
from tests.world import World

PAGES = {kind: f"pages/{kind}/{kind}" for kind in ("topic", "poll", "meeting", "notices")}
Answer = Callable[[Letter], Outcome]


def always(outcome: Outcome) -> Answer:
    return lambda _: outcome


@dataclass
class Scripted:
    """A channel that answers as the test says, and keeps what it was given, with the time."""

    clock: ManualClock
    answer: Answer = field(default_factory=lambda: always(Outcome.SENT))
    tried: list[tuple[datetime, Letter]] = field(default_factory=list)
    sent: list[tuple[datetime, Letter]] = field(default_factory=list)

    async def reachable(self, tx: Transaction, people: Collection[UUID]) -> set[UUID]:
        return set(people)

    async def taken_back(self, tx: Transaction, keys: Collection[str]) -> set[str]:
        return set()

    async def send(self, letter: Letter) -> Sent:
        self.tried.append((self.clock.now, letter))
        outcome = self.answer(letter)
        if outcome is Outcome.SENT:
            self.sent.append((self.clock.now, letter))
        return Sent(outcome)

    async def close(self) -> None:
        pass

    def to(self, person_id: UUID) -> list[str]:
        """The words of the messages that a person got, in the order of the alphabet."""
        return sorted(letter.template for _, letter in self.sent if letter.person_id == person_id)


class House:
    def __init__(self, db: Database, clock: ManualClock, world: World) -> None:
        self.db = db
        self.world = world
        self.clock = clock
        self.wechat = Scripted(clock)
        self.sms = Scripted(clock)
        self.relay = Relay(db, Hub())
        self.worker = Worker(db, poll_seconds=1)
        self.sender = self.another()

    def another(self) -> Sender:
        """One more sender on the same database and channels."""
        return Sender(
            self.db,
            {Channel.WECHAT: self.wechat, Channel.SMS: self.sms},
            write=write,
            prove=record_proofs,
            pages=PAGES,
            source=random.Random(7),
        )

    async def give_accounts(self, people: Collection[UUID]) -> None:
        """They have opened the mini-program."""
        async with self.db.begin() as tx:
            for person_id in people:
                tx.session.add(
                    WechatAccount(
                        id=uuid4(),
                        app_id="app",
                        openid=person_id.hex,
                        kind=AccountKind.MINI_PROGRAM,
                        person_id=person_id,
                        created_at=tx.now,
                        last_login_at=tx.now,
                    )
                )

    async def told(self) -> None:
        """What happened is numbered, and owed."""
        await self.relay.drain()

    async def later(self, **by: float) -> int:
        """Time passes; what falls due then is done and sent."""
        self.clock.advance(**by)
        await self.worker.run_due()
        await self.relay.drain()
        return await self.sender.run_due()

    async def notices(self, person_id: UUID | None = None) -> Sequence[Notice]:
        async with self.db.read() as tx:
            query = select(Notice).order_by(col(Notice.created_at), col(Notice.id))
            if person_id is not None:
                query = query.where(Notice.person_id == person_id)
            return list(await tx.session.exec(query))

    async def deliveries(self, person_id: UUID | None = None) -> list[tuple[str, str]]:
        """(channel, state), in the order of the chain."""
        async with self.db.read() as tx:
            query = select(Delivery).order_by(
                col(Delivery.created_at), col(Delivery.step), col(Delivery.id)
            )
            if person_id is not None:
                query = query.where(Delivery.person_id == person_id)
            return [(str(row.channel), str(row.state)) for row in await tx.session.exec(query)]

    async def ledger(self, poll_id: UUID) -> list[VoterNotice]:
        async with self.db.read() as tx:
            rows = await tx.session.exec(
                select(VoterNotice)
                .where(VoterNotice.poll_id == poll_id)
                .order_by(col(VoterNotice.at), col(VoterNotice.channel))
            )
            return list(rows)
