"""Phones in the world as it is: they sleep, lose the network, read slowly, are sent to another
process, meet restarts and a log that was rebuilt; between the processes messages get lost, and the
database answers late, or not at all.

After every run each phone has what a fresh fetch gives. On the way, within a connection, nothing
may be missing and nothing come twice. ``MINYI_LIVE_RUNS=500`` runs it so many times and prints how
many events were delivered, lost and doubled.
"""

import asyncio
import os
import random
import sys
from pathlib import Path
from secrets import token_hex
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete
from sqlmodel import col, select

from consultation.append_only import unprotect
from consultation.community.tables import Node, NodeKind
from consultation.database import Transaction
from consultation.events.community import RegisterImported
from consultation.events.people import UserNotified
from consultation.events.streams import community_stream, user_stream
from consultation.journal import GENESIS, JournalEntry, JournalHead, shard_counter
from consultation.permissions import SYSTEM
from notifications import log_reader
from notifications.relay import renew
from tests.properties.live_house import PROCESSES, REPLAY, House, LossyBus, Server, SlowLog
from tests.properties.live_phone import Phone, truth

RUNS = int(os.environ.get("MINYI_LIVE_RUNS", "6"))
STEPS = 30
SETTLE_SECONDS = 60


async def set_back(tx: Transaction, entries: int) -> None:
    """The journal without its last entries, as it was before them."""
    connection = await tx.session.connection()
    for statement in unprotect("sqlite"):
        await connection.exec_driver_sql(statement)
    lost = list(
        await tx.session.exec(
            select(JournalEntry).order_by(col(JournalEntry.id).desc()).limit(entries)
        )
    )
    ids = [entry.id for entry in lost]
    await tx.session.exec(delete(JournalEntry).where(col(JournalEntry.id).in_(ids)))
    numbered = [entry for entry in lost if entry.seq is not None]
    for stream in {entry.stream for entry in numbered}:
        last = await tx.session.exec(
            select(JournalEntry.seq, JournalEntry.digest)
            .where(JournalEntry.stream == stream, col(JournalEntry.seq).is_not(None))
            .order_by(col(JournalEntry.seq).desc())
            .limit(1)
        )
        head = await tx.session.get_one(JournalHead, stream)
        head.seq, head.digest = last.first() or (0, GENESIS)  # type: ignore[assignment]  # numbered rows have both
    if numbered:
        counter = await tx.session.get_one(JournalHead, shard_counter(0))
        counter.seq -= len(numbered)


class LiveMachine(RuleBasedStateMachine):
    house: House

    @initialize(phones=st.integers(1, 3), seed=st.integers(0, 2**32))
    def begin(self, phones: int, seed: int) -> None:
        LossyBus.loses, LossyBus.rng = 0.0, random.Random(seed)
        SlowLog.seconds = SlowLog.fails = 0.0
        self.community = uuid4()
        self.people = [uuid4() for _ in range(phones)]
        self.count = 0
        self.stalled: set[int] = set()

        async def found() -> None:
            async with self.house.servers[0].services.db.begin(SYSTEM) as tx:
                tx.session.add(
                    Node(
                        id=self.community,
                        kind=NodeKind.COMMUNITY,
                        path=f"/{self.community}/",
                        code=token_hex(8),
                        name="试验社区",
                        facts={},
                    )
                )

        self.house.run(found())
        self.phones = [
            Phone(self.house, person, [community_stream(self.community), user_stream(person)])
            for person in self.people
        ]

    def _server(self, number: int) -> Server:
        return self.house.servers[number % PROCESSES]

    def _phone(self, number: int) -> Phone:
        return self.phones[number % len(self.phones)]

    async def _happen(self, server: Server, events: int, person: UUID | None) -> None:
        async with server.services.db.begin(SYSTEM) as tx:
            for _ in range(events):
                self.count += 1
                if person is None:
                    tx.emit(
                        RegisterImported(community_id=self.community, kind="test", rows=self.count)
                    )
                else:
                    tx.emit(
                        UserNotified(
                            community_id=None,
                            person_id=person,
                            about="test",
                            topic_id=None,
                            subject_id=None,
                        )
                    )

    @rule(server=st.integers(0, 9), events=st.integers(1, REPLAY + 6), to=st.integers(0, 9))
    def something_happens(self, server: int, events: int, to: int) -> None:
        person = None if to < 6 else self.people[to % len(self.people)]
        self.house.run(self._happen(self._server(server), events, person))

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.05, 0.15]))
    def time_passes(self, seconds: float) -> None:
        self.house.run(asyncio.sleep(seconds))

    @rule(phone=st.integers(0, 9), server=st.integers(0, 9))
    def a_phone_comes(self, phone: int, server: int) -> None:
        """Or goes over to another process."""
        self.house.run(self._phone(phone).connect(self._server(server)))

    @rule(phone=st.integers(0, 9), rudely=st.booleans())
    def a_phone_goes(self, phone: int, rudely: bool) -> None:
        self.house.run(self._phone(phone).leave(rudely=rudely))

    @rule(server=st.integers(0, 9))
    def a_server_restarts(self, server: int) -> None:
        async def again() -> None:
            await self._server(server).stop()
            await self._server(server).start()

        self.house.run(again())

    @rule(loses=st.sampled_from([0.0, 0.5, 1.0]))
    def the_bus_gets_worse_or_better(self, loses: float) -> None:
        LossyBus.loses = loses

    @rule(seconds=st.sampled_from([0.0, 0.05, 0.2]), fails=st.sampled_from([0.0, 0.0, 0.5]))
    def the_log_answers_late_or_not(self, seconds: float, fails: float) -> None:
        SlowLog.seconds, SlowLog.fails = seconds, fails

    @rule(server=st.integers(0, 9), flood=st.booleans())
    def readers_fall_behind(self, server: int, flood: bool) -> None:
        """Their transports say that they take no more; then they do again, or too much waits."""
        house = self._server(server)

        async def stall() -> None:
            sockets = list(house.live.sockets)
            for socket in sockets:
                socket.pause_writing()
            await self._happen(house, 300 if flood else 5, None)
            await asyncio.sleep(0.1)
            for socket in sockets:
                socket.resume_writing()

        self.house.run(stall())

    @rule(
        entries=st.sampled_from([0, 1, 3, 10, 40]),
        more=st.sampled_from([0, 1, 3, 10, 45]),
        server=st.integers(0, 9),
    )
    def the_log_is_rebuilt(self, entries: int, more: int, server: int) -> None:
        """The last entries are lost, as when a backup is put back; others take their numbers,
        before the log is renewed too."""

        async def rebuild() -> None:
            db = self.house.servers[0].services.db
            async with db.begin(SYSTEM) as tx:
                await set_back(tx, entries)
            if more:
                await self._happen(self._server(server), more, None)
                await self._server(server).services.relay.drain()
            await renew(db)

        self.house.run(rebuild())

    @invariant()
    def nothing_is_lost_or_doubled_within_a_connection(self) -> None:
        assert (self.house.tally.lost, self.house.tally.doubled) == (0, 0)

    def teardown(self) -> None:
        if not hasattr(self, "phones"):
            return
        LossyBus.loses = SlowLog.seconds = SlowLog.fails = 0.0
        self.house.run(self._settle())
        for phone in self.phones:
            self.house.run(phone.leave())
        self.house.tally.runs += 1

    async def _settle(self) -> None:
        """Everybody comes back and shows what a fresh fetch gives; then one more thing happens,
        and everybody shows that too."""
        await self._everybody_is_up_to_date()
        await self._happen(LossyBus.rng.choice(self.house.servers), 1, None)
        await self._everybody_is_up_to_date()

    async def _everybody_is_up_to_date(self) -> None:
        services = self.house.servers[0].services
        await services.relay.drain()
        for phone in self.phones:
            async with asyncio.timeout(SETTLE_SECONDS):
                while not await self._is_up_to_date(phone):
                    if not phone.connected:
                        await phone.connect(LossyBus.rng.choice(self.house.servers))
                    await asyncio.sleep(0.02)
            for stream, shows in phone.shows.items():
                assert shows == (await truth(services, stream))[1], stream

    async def _is_up_to_date(self, phone: Phone) -> bool:
        if not phone.connected or not phone.live.is_set():
            return False
        for stream, place in phone.places.items():
            head, _ = await truth(self.house.servers[0].services, stream)
            if place is None or place[1] != head:
                return False
        return True


def test_phones_show_what_a_fresh_fetch_gives_whatever_happens(
    tmp_path: Path,
    sqlite_template: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("heads", "entries_after"):
        monkeypatch.setattr(log_reader, name, SlowLog.of(getattr(log_reader, name)))
    monkeypatch.setattr(log_reader, "AGAIN_SECONDS", 0.05)
    house = House(tmp_path, sqlite_template)
    LiveMachine.house = house
    try:
        run_state_machine_as_test(
            LiveMachine,
            settings=settings(
                max_examples=RUNS,
                stateful_step_count=STEPS,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                print_blob=True,
            ),
        )
    finally:
        house.close()
        tally = house.tally
        if "MINYI_LIVE_RUNS" in os.environ:
            with capsys.disabled():
                sys.stdout.write(
                    f"\n{tally.runs} runs, {tally.delivered} events delivered, "
                    f"{tally.resyncs} resyncs, {tally.lost} lost, {tally.doubled} doubled\n"
                )
    assert (tally.lost, tally.doubled) == (0, 0)
    assert tally.delivered > 0
