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
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from consultation.database import Database, Transaction
from consultation.permissions import SYSTEM
from consultation.polls.serving import NoticeEvidence, Proof
from consultation.rounds import Rounds
from notifications import delivery_queries as queries
from notifications.chains import LEDGER, finish, go_on, reference
from notifications.channels import Letter, Outcome, Port, Sent
from notifications.delivery_queries import Due
from notifications.policy import Channel, policy, week_of
from notifications.tables import Delivery, DeliveryState, Notice

log = structlog.get_logger("minyi")

BATCH = 100
AT_ONCE = 10
"""Messages of a batch under way at the same time."""
LEAVES = frozenset(
    {
        "title",
        "opens_at",
        "closes_at",
        "starts_at",
        "due_at",
        "due_on",
        "ends_on",
        "objections_until",
    }
)
"""Facts of an event that a provider is given."""

Write = Callable[[str, Mapping[str, Any]], tuple[str, str]]
"""Title and text, in Chinese, for words and facts; the catalogue lies outside."""
Prove = Callable[[Transaction, Sequence[Proof]], Awaitable[Any]]
"""Enters proofs into the ledger of notices, in the transaction that records the sending."""


@dataclass(frozen=True, slots=True)
class InHand:
    """A delivery leased to this sender, and the letter that it makes. Sending it is not begun from
    ``until`` on."""

    id: UUID
    lease_until: datetime
    until: datetime
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
        pages: Mapping[str, str],
        poll_seconds: float = 1.0,
        source: random.Random | None = None,
    ) -> None:
        super().__init__(poll_seconds=poll_seconds)
        self._db = db
        self._channels = channels
        self._write = write
        self._prove = prove
        self._pages = pages
        self._source = source or random.Random()  # noqa: S311  jitter is no secret

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close()

    async def _run(self) -> None:
        await asyncio.gather(*(self._rounds(partial(self._deliver, c)) for c in self._channels))

    async def run_due(self) -> int:
        """Send all that is due now; how many messages went out."""
        sent = 0
        while not self.stopping:
            rounds = await asyncio.gather(*(self._deliver(channel) for channel in self._channels))
            if not any(found for found, _ in rounds):  # one channel leaves work to another
                break
            sent += sum(out for _, out in rounds)
        return sent

    async def _deliver(self, channel: Channel) -> tuple[int, int]:
        """All that is due on one channel: how many deliveries were found, how many went out."""
        found_in_all = sent = 0
        while not self.stopping:
            async with self._db.begin(SYSTEM) as tx:
                found, in_hand = await self.claim(tx, channel)
            if not found:
                break
            found_in_all += found
            results = await self._send(channel, in_hand)
            if results:
                async with self._db.begin(SYSTEM) as tx:
                    await self.record(tx, channel, results)
            sent += sum(r is not None and r.outcome is Outcome.SENT for _, r in results)
        return found_in_all, sent

    # ---- claim ----------------------------------------------------------------------------

    async def claim(
        self, tx: Transaction, channel: Channel, *, limit: int = BATCH
    ) -> tuple[int, list[InHand]]:
        """How many were found due, and those of them that are to be sent. At most one for each
        person: the others come in the next batch. Nothing is found in the quiet hours."""
        if policy().is_quiet(tx.now):
            return 0, []
        found = await queries.due(tx, channel, limit=limit)
        if not found:
            return 0, []
        went_out, in_hand_elsewhere = await queries.elsewhere(tx, {one.notice.id for one in found})
        found = [one for one in found if one.notice.id not in in_hand_elsewhere]
        unreached: list[Due] = []
        ready: dict[UUID, tuple[Due, Letter]] = {}
        for one in found:
            if one.notice.read_at or one.notice.fetched_at or one.notice.id in went_out:
                finish(one.delivery, DeliveryState.SEEN, tx.now)
            elif one.poll_over:
                finish(one.delivery, DeliveryState.OBSOLETE, tx.now)
            elif not one.wanted:
                finish(one.delivery, DeliveryState.IMPOSSIBLE, tx.now, error="unwanted")
                unreached.append(one)
            elif one.delivery.person_id not in ready:
                try:
                    ready[one.delivery.person_id] = one, self._letter(tx, one)
                except Exception as error:  # a row that nobody can read must not stop the others
                    code = type(error).__name__
                    log.error("delivery unreadable", channel=channel, error_type=code)
                    finish(one.delivery, DeliveryState.DEAD, tx.now, error=code)
                    unreached.append(one)
        known = await self._channels[channel].reachable(tx, ready.keys()) if ready else set()
        for person_id in [person_id for person_id in ready if person_id not in known]:
            one, _ = ready.pop(person_id)
            finish(one.delivery, DeliveryState.IMPOSSIBLE, tx.now, error="not_reachable")
            unreached.append(one)
        await go_on(tx, [(one.delivery, one.notice) for one in unreached])
        paid = await _charge(tx, [one for one, _ in ready.values()])
        in_hand = []
        for person_id, (one, letter) in ready.items():
            if person_id not in paid:
                finish(one.delivery, DeliveryState.NO_BUDGET, tx.now)
                continue
            in_hand.append(_taken(tx, one, letter))
        await queries.refund(tx, _unspent(one.delivery for one in found))
        return len(found), in_hand

    def _letter(self, tx: Transaction, one: Due) -> Letter:
        row, notice = one.delivery, one.notice
        title, text = self._write(notice.words, notice.facts)
        phone = None
        if row.channel is Channel.SMS and one.phone_sealed is not None:
            phone = tx.vault.open(row.person_id, one.phone_sealed)
        return Letter(
            dedupe_key=row.dedupe_key,
            person_id=row.person_id,
            template=notice.words,
            facts=letter_facts(notice.facts),
            title=title,
            text=text,
            page=page_of(notice, self._pages),
            phone=phone,
            link=one.link,
        )

    # ---- send -----------------------------------------------------------------------------

    async def _send(
        self, channel: Channel, in_hand: Sequence[InHand]
    ) -> list[tuple[InHand, Sent | None]]:
        """What became of each; None where it was not begun in time."""
        room = asyncio.Semaphore(AT_ONCE)

        async def one(item: InHand) -> tuple[InHand, Sent | None]:
            async with room:
                if self.stopping or self._db.clock() >= item.until:
                    return item, None
                try:
                    return item, await self._channels[channel].send(item.letter)
                except Exception as error:  # a fault in an adapter must not hold up the others
                    log.error("channel", channel=channel, error_type=type(error).__name__)
                    return item, Sent(Outcome.RETRY_LATER, error=type(error).__name__)

        return list(await asyncio.gather(*(one(item) for item in in_hand)))

    # ---- record ---------------------------------------------------------------------------

    async def record(
        self, tx: Transaction, channel: Channel, results: Sequence[tuple[InHand, Sent | None]]
    ) -> None:
        """What another sender took over meanwhile, because our lease had run out, is its own."""
        held = await queries.held(tx, {item.id: item.lease_until for item, _ in results})
        taken = {
            item.letter.dedupe_key
            for item, result in results
            if result is not None and result.outcome is Outcome.SENT
        }
        back_again = await self._channels[channel].taken_back(tx, taken) if taken else set()
        unreached: list[Delivery] = []
        sent: list[Delivery] = []
        back: list[tuple[UUID, date]] = []
        for item, result in results:
            row = held.get(item.id)
            if row is None:
                continue
            if result is None:
                _put_back(tx, row, back)
                continue
            if result.outcome is Outcome.SENT and row.dedupe_key not in back_again:
                finish(row, DeliveryState.SENT, tx.now)
                row.reference = result.reference
                sent.append(row)
                continue
            gone = Sent(Outcome.REFUSED, error="taken_back")
            self._not_sent(tx, row, gone if row.dedupe_key in back_again else result)
            if row.state is not DeliveryState.WAITING:
                unreached.append(row)
                _uncharge(row, back)
        await queries.refund(tx, back)
        notices = await _notices(tx, [*unreached, *sent])
        if sent:
            await tx.session.flush()
            reached = {row.notice_id for row in sent}
            await queries.drop_waiting(tx, reached, but={row.id for row in sent})
            await self._prove(tx, _proofs(sent, notices))
        await go_on(tx, [(row, notices[row.notice_id]) for row in unreached])

    def _not_sent(self, tx: Transaction, row: Delivery, result: Sent) -> None:
        row.lease_until = None
        error = result.error or result.outcome.value
        attempts = policy().attempts
        if result.outcome is Outcome.RETRY_LATER and row.attempts < attempts.most:
            row.next_try = policy().loud_from(tx.now + attempts.wait(row.attempts, self._source))
            row.last_error = error
        elif result.outcome in (Outcome.RETRY_LATER, Outcome.FAULTY):
            log.error("delivery given up", channel=row.channel, attempts=row.attempts, code=error)
            finish(row, DeliveryState.DEAD, tx.now, error=error)
        else:
            finish(row, DeliveryState.IMPOSSIBLE, tx.now, error=error)


def _taken(tx: Transaction, one: Due, letter: Letter) -> InHand:
    row, attempts = one.delivery, policy().attempts
    row.attempts += 1
    row.lease_until = tx.now + timedelta(seconds=attempts.lease_seconds)
    ends = [
        row.lease_until - timedelta(seconds=attempts.margin_seconds),
        policy().quiet_from(tx.now),
    ]
    if one.poll_closes_at is not None:
        ends.append(one.poll_closes_at)
    return InHand(row.id, row.lease_until, min(ends), letter)


def _put_back(tx: Transaction, row: Delivery, back: list[tuple[UUID, date]]) -> None:
    """As if it had not been taken up."""
    row.attempts -= 1
    row.lease_until, row.next_try = None, policy().loud_from(max(row.next_try, tx.now))
    _uncharge(row, back)


def _uncharge(row: Delivery, back: list[tuple[UUID, date]]) -> None:
    if row.charged is not None:
        back.append((row.person_id, row.charged))
        row.charged = None


def _unspent(rows: Iterable[Delivery]) -> list[tuple[UUID, date]]:
    """What was charged at an earlier attempt for deliveries that ended without going out."""
    back: list[tuple[UUID, date]] = []
    for row in rows:
        if row.state is not DeliveryState.WAITING:
            _uncharge(row, back)
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


def _proofs(sent: Sequence[Delivery], notices: Mapping[UUID, Notice]) -> list[Proof]:
    return [
        Proof(
            poll_id=poll_id,
            person_id=row.person_id,
            channel=LEDGER[row.channel],
            at=row.done_at,
            evidence=NoticeEvidence.ACCEPTED,
            reference=reference(row),
        )
        for row in sent
        if (poll_id := notices[row.notice_id].poll_id) is not None and row.done_at is not None
    ]


def letter_facts(facts: Mapping[str, Any]) -> dict[str, str | int | datetime]:
    """What a provider's template may be filled with, beside what is written: the topic's title,
    days, and times as times. Nothing else leaves the house: what is to be said stands in the words,
    which hide what is its person's own."""
    found: dict[str, str | int | datetime] = {}
    for name in sorted(LEAVES & facts.keys()):
        value = facts[name]
        if isinstance(value, str):
            is_time = name.endswith(("_at", "_until"))
            found[name] = datetime.fromisoformat(value) if is_time else value
    return found


def page_of(notice: Notice, pages: Mapping[str, str]) -> str:
    """Where in the client the notice leads; codes and ids only. ``pages`` names the page for each
    kind of thing."""
    if notice.poll_id is not None:
        return f"{pages['poll']}?id={notice.poll_id}"
    if notice.topic_id is not None:
        return f"{pages['topic']}?id={notice.topic_id}"
    return pages["notices"]
