"""The relay on both databases: strictly +1 per stream, no loss, no gap, a chain that holds."""

import asyncio
from collections.abc import Iterable
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select

from consultation.append_only import unprotect
from consultation.database import Database, statements
from consultation.events.community import RegisterImported
from consultation.events.event import Event
from consultation.events.people import UserNotified
from consultation.journal import (
    LOG,
    SHARDS,
    JournalEntry,
    JournalHead,
    audit,
    heads,
    shards_waiting,
)
from notifications.hub import Hub
from notifications.log_reader import LogReader
from notifications.messages import Envelope
from notifications.relay import Relay, renew
from notifications.replay import Bounds
from tests.notifications.listening import Listener

COMMUNITY = UUID(int=1)
STREAM = f"community:{COMMUNITY}"


def imported(rows: int, community_id: UUID = COMMUNITY) -> Event:
    return RegisterImported(community_id=community_id, kind="households", rows=rows)


async def write(db: Database, *events: Event) -> None:
    async with db.begin() as tx:
        for event in events:
            tx.emit(event)


async def numbered(db: Database, stream: str = STREAM) -> list[tuple[int | None, int]]:
    async with db.read() as tx:
        rows = await tx.session.exec(
            select(JournalEntry)
            .where(JournalEntry.stream == stream)
            .order_by(col(JournalEntry.seq))
        )
        return [(entry.seq, entry.data["rows"]) for entry in rows]


async def epoch_of(db: Database) -> str:
    async with db.read() as tx:
        found = await heads(tx.session, [STREAM])
    assert found is not None
    return found[STREAM].epoch


class Told(Hub):
    def __init__(self) -> None:
        super().__init__()
        self.events: list[Envelope] = []
        self._told = asyncio.Event()

    def publish(self, events: Iterable[Envelope], epoch: str | None = None) -> None:
        events = list(events)
        self.events += events
        super().publish(events, epoch)
        if events:
            self._told.set()

    async def is_told(self) -> None:
        async with asyncio.timeout(5):
            await self._told.wait()


@pytest.fixture
def hub() -> Told:
    return Told()


@pytest.fixture
def relay(db: Database, hub: Told) -> Relay:
    return Relay(db, hub, poll_seconds=0.05, gather_seconds=0)


async def test_entries_are_numbered_in_order_and_once(
    db: Database, relay: Relay, hub: Told
) -> None:
    await write(db, imported(1), imported(2))
    await write(db, imported(3))

    assert await relay.drain() == 3
    assert await relay.drain() == 0

    assert await numbered(db) == [(1, 1), (2, 2), (3, 3)]
    assert [(e.stream, e.seq, e.data["rows"]) for e in hub.events] == [
        (STREAM, 1, 1),
        (STREAM, 2, 2),
        (STREAM, 3, 3),
    ]


async def test_every_stream_counts_for_itself_and_shares_the_epoch(
    db: Database, relay: Relay
) -> None:
    other = uuid4()
    await write(db, imported(1), imported(1, other), imported(2))

    await relay.drain()
    await write(db, imported(3, other))
    await relay.drain()

    assert await numbered(db) == [(1, 1), (2, 2)]
    assert await numbered(db, f"community:{other}") == [(1, 1), (2, 3)]
    async with db.read() as tx:
        heads = (await tx.session.exec(select(JournalHead))).all()
    streams = {(h.stream, h.seq) for h in heads if not h.stream.startswith(f"{LOG}/")}
    assert streams == {(STREAM, 2), (f"community:{other}", 2), (LOG, 0)}
    assert sum(h.seq for h in heads if h.stream.startswith(f"{LOG}/")) == 4
    assert len({h.epoch for h in heads}) == 1


async def test_more_entries_than_a_batch_are_all_numbered(db: Database, relay: Relay) -> None:
    await write(db, *(imported(n) for n in range(1, 1102)))

    assert await relay.drain() == 1101
    assert await numbered(db) == [(n, n) for n in range(1, 1102)]


async def test_a_batch_costs_the_same_statements_however_big_it_is(
    db: Database, relay: Relay
) -> None:
    async def cost(count: int) -> int:
        other = uuid4()
        await write(db, *(imported(n, other) for n in range(count)))
        counter = [0]
        token = statements.set(counter)
        await relay.drain()
        statements.reset(token)
        return counter[0]

    await cost(1)  # opens the log
    small, large = await cost(2), await cost(400)

    assert abs(small - large) <= 1  # the first entry of a shard makes its counter
    assert max(small, large) <= 10


async def test_many_streams_cost_no_more_than_their_shards(db: Database, relay: Relay) -> None:
    await write(db, *(imported(n, uuid4()) for n in range(400)))
    counter = [0]
    token = statements.set(counter)
    assert await relay.drain() == 400
    statements.reset(token)

    assert counter[0] <= 4 + 8 * (1 if db.is_sqlite else SHARDS)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_two_processes_number_different_shards_at_the_same_time(
    db: Database, relay: Relay, hub: Told
) -> None:
    """While one holds a shard, the other numbers all the rest."""
    await relay.drain()
    streams = [uuid4() for _ in range(40)]
    await write(db, *(imported(n, id) for n, id in enumerate(streams)))
    async with db.read() as tx:
        waiting = await shards_waiting(tx.session)
    assert waiting == list(range(SHARDS))

    async with db.begin() as other:
        assert await relay._is_ours(other, 2)
        numbered = await relay.drain()
        async with db.read() as tx:
            assert await shards_waiting(tx.session) == [2]
    assert 0 < numbered < 40
    assert await relay.drain() == 40 - numbered
    assert {event.seq for event in hub.events} == {1}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_an_entry_whose_commit_came_late_is_numbered_late(db: Database, relay: Relay) -> None:
    """Two transactions interleave: the lower id commits after the higher one was numbered.
    SQLite has one writer, so that this cannot happen there."""
    async with db.begin() as late:
        late.emit(imported(1))
        await late.journal()
        await late.session.flush()
        late._events.clear()  # journalled already; only the commit is outstanding
        await write(db, imported(2))
        assert await relay.drain() == 1
    assert await relay.drain() == 1

    assert await numbered(db) == [(1, 2), (2, 1)]
    async with db.read() as tx:
        assert (await audit(tx.session)).breaks == {}


async def test_two_relays_number_nothing_twice(db: Database, hub: Told) -> None:
    relays = [Relay(db, hub), Relay(db, hub)]
    await asyncio.gather(*(relay.drain() for relay in relays))
    for start in range(0, 60, 3):
        await write(db, *(imported(n) for n in range(start, start + 3)))
        await asyncio.gather(*(relay.drain() for relay in relays))
    for relay in relays:
        await relay.drain()

    assert await numbered(db) == [(n + 1, n) for n in range(60)]
    assert sorted(e.seq for e in hub.events) == list(range(1, 61))


async def test_a_commit_rings_the_relay(db: Database, relay: Relay, hub: Told) -> None:
    relay._poll = 30  # so that only the bell can be the reason
    await relay.start()
    await write(db, imported(1))
    await hub.is_told()
    await relay.stop()

    assert db.on_commit == []


async def test_what_another_process_wrote_is_found_by_the_poll(
    db: Database, relay: Relay, hub: Told
) -> None:
    await relay.start()
    db.on_commit.clear()
    await write(db, imported(1))
    await hub.is_told()
    db.on_commit.append(relay.ring)
    await relay.stop()


async def test_a_follower_learns_of_numbers_nobody_published(
    db: Database, relay: Relay, hub: Told
) -> None:
    """As after a crash between commit and publication, or when another process numbered."""
    await relay.drain()
    channel = hub.open(STREAM, await epoch_of(db), 0)
    reader = LogReader(db, hub, Bounds())
    await write(db, imported(1), imported(2))
    await Relay(db, Hub()).drain()

    await relay.compare()
    await reader.settle()

    assert (channel.head, len(channel.after(0) or [])) == (2, 2)


async def test_a_poll_in_which_nothing_happened_is_one_statement(
    db: Database, relay: Relay, hub: Told
) -> None:
    await write(db, imported(1))
    await relay.drain()
    for n in range(30):
        hub.open(f"community:{UUID(int=n)}", await epoch_of(db), 0)
    await relay.compare()
    counter = [0]
    token = statements.set(counter)
    await relay.compare()
    statements.reset(token)

    assert counter[0] == 1


async def test_a_log_that_was_set_back_under_a_running_process_is_renewed(
    db: Database, relay: Relay, hub: Told
) -> None:
    await write(db, imported(1), imported(2))
    await relay.drain()
    await relay.compare()
    before = await epoch_of(db)
    follower = Listener()
    hub.join(follower, hub.open(STREAM, before, 2))
    async with db.begin() as tx:
        for head in await tx.session.exec(select(JournalHead)):
            head.seq = min(head.seq, 1)

    await relay.compare()
    renewed = await epoch_of(db)
    await relay.compare()

    assert follower.lost
    assert hub.channel(STREAM) is None
    assert renewed != before
    assert await epoch_of(db) == renewed  # once


async def test_another_epoch_is_noticed_although_it_counts_as_many(
    db: Database, relay: Relay, hub: Told
) -> None:
    """Renewed, and numbered by ourselves before we compared."""
    await write(db, imported(1), imported(2))
    await relay.drain()
    await relay.compare()
    other = f"community:{uuid4()}"
    listeners = {stream: Listener() for stream in (STREAM, other)}
    for stream, listener in listeners.items():
        hub.join(listener, hub.open(stream, await epoch_of(db), 2))
    await renew(db)
    await write(db, imported(3))
    await relay.drain()
    assert listeners[STREAM].lost  # told by what was published
    assert not listeners[other].lost

    await relay.compare()

    assert listeners[other].lost


async def test_a_renewed_log_has_one_epoch_and_an_unbroken_chain(
    db: Database, relay: Relay
) -> None:
    assert await renew(db) is None  # nobody has opened it
    await write(db, imported(1), imported(1, uuid4()))
    await relay.drain()
    before = await epoch_of(db)

    epoch = await renew(db)
    await write(db, imported(2), imported(1, uuid4()))
    await relay.drain()

    assert epoch not in (None, before)
    async with db.read() as tx:
        assert {head.epoch for head in await tx.session.exec(select(JournalHead))} == {epoch}
        assert (await audit(tx.session)).breaks == {}


async def test_what_is_read_from_a_renewed_log_sends_its_followers_away(
    db: Database, relay: Relay, hub: Told
) -> None:
    """A channel that is behind when the log is renewed takes nothing of the new epoch."""
    await write(db, imported(1))
    await relay.drain()
    follower = Listener()
    hub.join(follower, hub.open(STREAM, await epoch_of(db), 1))
    reader = LogReader(db, hub, Bounds())
    await write(db, imported(2), imported(3))
    await Relay(db, Hub()).drain()
    before = await epoch_of(db)
    await renew(db)
    hub.notice(STREAM, before, 3)  # read before
    await reader.settle()

    assert follower.lost
    assert follower.frames == []


async def test_the_relay_outlives_a_database_that_fails(
    db: Database, relay: Relay, hub: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbering = relay._number

    async def fail() -> list[Envelope]:
        raise OSError

    monkeypatch.setattr(relay, "_number", fail)
    await relay.start()
    await write(db, imported(1))
    await asyncio.sleep(0.02)
    assert hub.events == []

    monkeypatch.setattr(relay, "_number", numbering)
    await hub.is_told()
    await relay.stop()


async def test_an_honest_journal_has_no_break(db: Database, relay: Relay) -> None:
    await write(db, imported(1), imported(2), imported(1, uuid4()))
    await relay.drain()
    await write(
        db,
        UserNotified(
            community_id=None, person_id=uuid4(), about="测试", topic_id=None, subject_id=None
        ),
    )

    async with db.read() as tx:
        report = await audit(tx.session)

    assert (report.streams, report.entries, report.waiting, report.breaks) == (2, 3, 1, {})


@pytest.mark.parametrize(
    ("tampering", "broken_at"),
    [
        ("UPDATE journal_entry SET data = '{\"rows\": 9}' WHERE seq = 2", 2),
        ("UPDATE journal_entry SET actor_role = 'clerk' WHERE seq = 3", 3),
        ("UPDATE journal_entry SET community_id = NULL WHERE seq = 1", 1),
        ("DELETE FROM journal_entry WHERE seq = 2", 2),
        ("DELETE FROM journal_entry WHERE seq = 4", 4),
        ("DELETE FROM journal_entry", 1),
        ("UPDATE journal_head SET seq = 3 WHERE seq = 4", 4),
        ("DELETE FROM journal_head WHERE seq = 4", 1),
    ],
)
async def test_tampering_shows(db: Database, relay: Relay, tampering: str, broken_at: int) -> None:
    await write(db, *(imported(n) for n in range(4)))
    await relay.drain()

    async with db.begin() as tx:  # with the rights of somebody who owns the database
        connection = await tx.session.connection()
        for statement in unprotect("sqlite" if db.is_sqlite else "postgresql"):
            await connection.exec_driver_sql(statement)
        await connection.exec_driver_sql(tampering)

    async with db.read() as tx:
        assert (await audit(tx.session)).breaks == {STREAM: broken_at}
