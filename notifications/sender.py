"""Brings what is owed out of the house: claims what is due, sends it, records what became of it.

Three steps, each with a transaction of its own or none: *claim* leases a batch to this sender and
charges it to the weeks of its people; *send* speaks to the providers; *record* writes down what
they said, proves it in the ledger, and takes the next step of a chain where a person was not
reached. A sender that dies between send and record leaves its lease behind: when that runs out
another one sends again, with the same ``dedupe_key``, by which a provider drops the second one.
Several senders may share a database.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from consultation.database import Database, Transaction
from consultation.permissions import SYSTEM
from consultation.polls.serving import NoticeChannel, NoticeEvidence, Proof
from consultation.rounds import Rounds
from notifications import delivery_queries as queries
from notifications.channels import Letter, Outcome, Port, Sent
from notifications.debts import delivery
from notifications.delivery_queries import Due
from notifications.policy import Channel, policy, week_of
from notifications.tables import Delivery, DeliveryState, Notice

log = structlog.get_logger("minyi")

BATCH = 100
AT_ONCE = 10
"""Messages of a batch under way at the same time."""

Write = Callable[[str, Mapping[str, Any]], tuple[str, str]]
"""Title and text, in Chinese, for words and facts; the catalogue lies outside."""
Prove = Callable[[Transaction, Sequence[Proof]], Awaitable[Any]]
"""Enters proofs into the ledger of notices, in the transaction that records the sending."""


@dataclass(frozen=True, slots=True)
class InHand:
    """A delivery leased to this sender, and the letter that it makes."""

    id: UUID
    lease_until: datetime
    channel: Channel
    letter: Letter


class Sender(Rounds):
    name = "sender"

    def __init__(
        self,
        db: Database,
        channels: Mapping[Channel, Port],
        *,
        write: Write,
        prove: Prove,
        poll_seconds: float = 1.0,
        source: random.Random | None = None,
    ) -> None:
        super().__init__(poll_seconds=poll_seconds)
        self._db = db
        self._channels = channels
        self._write = write
        self._prove = prove
        self._source = source or random.Random()  # noqa: S311  jitter is no secret

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close()

    async def run_due(self) -> int:
        """Send all that is due now; how many messages went out."""
        sent = 0
        while not self.stopping:
            async with self._db.begin(SYSTEM) as tx:
                found, in_hand = await self.claim(tx)
            if not found:
                break
            results = await self._send(in_hand)
            if results:
                async with self._db.begin(SYSTEM) as tx:
                    await self.record(tx, results)
            sent += sum(result.outcome is Outcome.SENT for _, result in results)
        return sent

    # ---- claim ----------------------------------------------------------------------------

    async def claim(self, tx: Transaction, *, limit: int = BATCH) -> tuple[int, list[InHand]]:
        """How many were found due, and those of them that are to be sent. At most one for each
        person: the others come in the next batch. Nothing is found in the quiet hours."""
        if policy().is_quiet(tx.now):
            return 0, []
        found = await queries.due(tx, limit=limit)
        if not found:
            return 0, []
        went_out = await queries.reached(tx, {one.notice.id for one in found})
        unreached: list[Due] = []
        ready: dict[UUID, Due] = {}
        for one in found:
            if one.notice.read_at or one.notice.fetched_at or one.notice.id in went_out:
                _finish(one.delivery, DeliveryState.SEEN, tx.now)
            elif one.poll_over:
                _finish(one.delivery, DeliveryState.OBSOLETE, tx.now)
            elif not one.wanted:
                _finish(one.delivery, DeliveryState.IMPOSSIBLE, tx.now, error="unwanted")
                unreached.append(one)
            else:
                ready.setdefault(one.delivery.person_id, one)
        for one in await self._unreachable(tx, ready.values()):
            _finish(one.delivery, DeliveryState.IMPOSSIBLE, tx.now, error="not_reachable")
            unreached.append(ready.pop(one.delivery.person_id))
        await self._go_on(tx, [(one.delivery, one.notice) for one in unreached])
        paid = await _charge(tx, list(ready.values()))
        in_hand = []
        for person_id, one in ready.items():
            if person_id not in paid:
                _finish(one.delivery, DeliveryState.NO_BUDGET, tx.now)
                continue
            one.delivery.attempts += 1
            one.delivery.lease_until = tx.now + timedelta(seconds=policy().attempts.lease_seconds)
            in_hand.append(self._taken(tx, one))
        await queries.refund(tx, _unspent(one.delivery for one in found))
        return len(found), in_hand

    async def _unreachable(self, tx: Transaction, ready: Iterable[Due]) -> list[Due]:
        """Those who need no message to find out: most people of a register have no account."""
        by_channel: dict[Channel, list[Due]] = {}
        for one in ready:
            by_channel.setdefault(one.delivery.channel, []).append(one)
        found = []
        for channel, those in by_channel.items():
            people = {one.delivery.person_id for one in those}
            known = await self._channels[channel].reachable(tx, people)
            found += [one for one in those if one.delivery.person_id not in known]
        return found

    def _taken(self, tx: Transaction, one: Due) -> InHand:
        row, notice = one.delivery, one.notice
        assert row.lease_until is not None
        title, text = self._write(notice.words, notice.facts)
        phone = None
        if row.channel is Channel.SMS and one.phone_sealed is not None:
            phone = tx.vault.open(row.person_id, one.phone_sealed)
        letter = Letter(
            dedupe_key=row.dedupe_key,
            person_id=row.person_id,
            template=notice.words,
            facts=letter_facts(notice.facts),
            title=title,
            text=text,
            page=page_of(notice),
            phone=phone,
            link=one.link,
        )
        return InHand(row.id, row.lease_until, row.channel, letter)

    # ---- send -----------------------------------------------------------------------------

    async def _send(self, in_hand: Sequence[InHand]) -> list[tuple[InHand, Sent]]:
        room = asyncio.Semaphore(AT_ONCE)

        async def one(item: InHand) -> tuple[InHand, Sent]:
            async with room:
                try:
                    return item, await self._channels[item.channel].send(item.letter)
                except Exception as error:  # a fault in an adapter must not hold up the others
                    log.error("channel", channel=item.channel, error_type=type(error).__name__)
                    return item, Sent(Outcome.RETRY_LATER, error=type(error).__name__)

        return list(await asyncio.gather(*(one(item) for item in in_hand)))

    # ---- record ---------------------------------------------------------------------------

    async def record(self, tx: Transaction, results: Sequence[tuple[InHand, Sent]]) -> None:
        """What another sender took over meanwhile, because our lease had run out, is its own."""
        held = await queries.held(tx, {item.id: item.lease_until for item, _ in results})
        unreached: list[Delivery] = []
        sent: list[Delivery] = []
        back: list[tuple[UUID, date]] = []
        for item, result in results:
            row = held.get(item.id)
            if row is None:
                continue
            if result.outcome is Outcome.SENT:
                _finish(row, DeliveryState.SENT, tx.now)
                row.reference = result.reference
                sent.append(row)
                continue
            self._not_sent(tx, row, result)
            if row.state is not DeliveryState.WAITING:
                unreached.append(row)
                if row.charged is not None:
                    back.append((row.person_id, row.charged))
                    row.charged = None
        await queries.refund(tx, back)
        notices = await _notices(tx, [*unreached, *sent])
        if sent:
            await tx.session.flush()
            reached = {row.notice_id for row in sent}
            await queries.drop_waiting(tx, reached, but={row.id for row in sent})
            await self._prove(tx, _proofs(sent, notices))
        await self._go_on(tx, [(row, notices[row.notice_id]) for row in unreached])

    def _not_sent(self, tx: Transaction, row: Delivery, result: Sent) -> None:
        row.lease_until = None
        error = result.error or result.outcome.value
        attempts = policy().attempts
        if result.outcome is Outcome.RETRY_LATER and row.attempts < attempts.most:
            row.next_try = policy().loud_from(tx.now + attempts.wait(row.attempts, self._source))
            row.last_error = error
        elif result.outcome in (Outcome.RETRY_LATER, Outcome.FAULTY):
            log.error("delivery given up", channel=row.channel, attempts=row.attempts, code=error)
            _finish(row, DeliveryState.DEAD, tx.now, error=error)
        else:
            _finish(row, DeliveryState.IMPOSSIBLE, tx.now, error=error)

    async def _go_on(self, tx: Transaction, unreached: Sequence[tuple[Delivery, Notice]]) -> None:
        """The next step of each chain, at once; none where the chain ends."""
        following = [
            (row, notice)
            for row, notice in unreached
            if row.step + 1 < len(policy().chains[row.chain].steps)
        ]
        if not following:
            return
        grids = await queries.grids_of(tx, [notice for _, notice in following])
        await queries.insert_steps(
            tx,
            [
                delivery(
                    tx,
                    notice_id=row.notice_id,
                    person_id=row.person_id,
                    community_id=row.community_id,
                    chain=row.chain,
                    step=row.step + 1,
                    urgency=row.urgency,
                    next_try=policy().loud_from(tx.now),
                    grid_id=grids.get(row.notice_id),
                )
                for row, _ in following
            ],
        )


def _finish(
    row: Delivery, state: DeliveryState, now: datetime, *, error: str | None = None
) -> None:
    row.state, row.done_at, row.lease_until, row.last_error = state, now, None, error


def _unspent(rows: Iterable[Delivery]) -> list[tuple[UUID, date]]:
    """What was charged at an earlier attempt for deliveries that ended without going out."""
    back = []
    for row in rows:
        if row.charged is not None and row.state is not DeliveryState.WAITING:
            back.append((row.person_id, row.charged))
            row.charged = None
    return back


async def _charge(tx: Transaction, ready: Sequence[Due]) -> set[UUID]:
    """The people who may be sent their message. One that was charged to this week at an earlier
    attempt is not charged again, one that was charged to an earlier week is charged to this one in
    its place; what may exceed the budget is counted and never refused."""
    monday = week_of(tx.now)
    paid = {one.delivery.person_id for one in ready if one.delivery.charged == monday}
    free, bound = set[UUID](), set[UUID]()
    past: list[tuple[UUID, date]] = []
    for one in ready:
        row = one.delivery
        if row.person_id in paid:
            continue
        (free if policy().chains[row.chain].exceeds_budget else bound).add(row.person_id)
        if row.charged is not None:
            past.append((row.person_id, row.charged))
            row.charged = None
    await queries.refund(tx, past)
    new = await queries.charge(tx, free, monday, most=None)
    new |= await queries.charge(tx, bound, monday, most=policy().budget.per_week)
    for one in ready:
        if one.delivery.person_id in new:
            one.delivery.charged = monday
    return paid | new


async def _notices(tx: Transaction, rows: Sequence[Delivery]) -> dict[UUID, Notice]:
    return await queries.notices_of(tx, {row.notice_id for row in rows}) if rows else {}


LEDGER: Mapping[Channel, NoticeChannel] = {
    Channel.WECHAT: NoticeChannel.WECHAT,
    Channel.SMS: NoticeChannel.SMS,
}


def _proofs(sent: Sequence[Delivery], notices: Mapping[UUID, Notice]) -> list[Proof]:
    return [
        Proof(
            poll_id=poll_id,
            person_id=row.person_id,
            channel=LEDGER[row.channel],
            at=row.done_at,
            evidence=NoticeEvidence.ACCEPTED,
            reference=f"delivery {row.id}",
        )
        for row in sent
        if (poll_id := notices[row.notice_id].poll_id) is not None and row.done_at is not None
    ]


def letter_facts(facts: Mapping[str, Any]) -> dict[str, str | int | datetime]:
    """What a provider's template may be filled with: text, numbers, and times as times."""
    found: dict[str, str | int | datetime] = {}
    for name, value in facts.items():
        if isinstance(value, str) and name.endswith(("_at", "_until")):
            found[name] = datetime.fromisoformat(value)
        elif isinstance(value, str | int) and not name.endswith("_id"):
            found[name] = value
    return found


def page_of(notice: Notice) -> str:
    """Where in the client the notice leads; codes and ids only."""
    if notice.poll_id is not None:
        return f"pages/poll/poll?id={notice.poll_id}"
    if notice.topic_id is not None:
        return f"pages/topic/topic?id={notice.topic_id}"
    return "pages/notices/notices"
