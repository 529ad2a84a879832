"""Phones in the world as it is: they sleep, lose the network, read slowly, are sent to another
process, meet restarts and a log that was rebuilt; between the processes messages get lost, and the
database answers late, or not at all.

After every run each phone has what a fresh fetch gives. On the way, within a connection, nothing
may be missing and nothing come twice. ``MINYI_LIVE_RUNS=500`` runs it so many times and prints how
many events were delivered, lost and doubled.
"""

import asyncio
import json
import os
import random
import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from pydantic import SecretStr
from sqlalchemy import delete
from sqlmodel import col, select
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from api.app import build_services, build_surface
from api.dependencies import Services
from api.live.house import LiveSockets
from api.server import serving
from api.settings import Settings
from consultation.append_only import unprotect
from consultation.community.tables import Node, NodeKind
from consultation.database import Transaction
from consultation.events.community import RegisterImported
from consultation.events.people import UserNotified
from consultation.events.streams import community_stream, user_stream
from consultation.journal import GENESIS, JournalEntry, JournalHead, heads, shard_counter
from consultation.permissions import SYSTEM
from notifications import log_reader
from notifications.bus import Hear
from notifications.relay import Relay, renew
from tests.conftest import SECRET

RUNS = int(os.environ.get("MINYI_LIVE_RUNS", "6"))
STEPS = 30
REPLAY = 12
"""Few, so that being too far behind happens."""
PROCESSES = 2
SETTLE_SECONDS = 60


class LossyBus:
    """Between the processes of this test; loses what the machine says."""

    shared = True
    all: "list[LossyBus]" = []  # noqa: RUF012  that is the point
    loses = 0.0
    rng = random.Random(0)

    def __init__(self) -> None:
        self._hears: dict[str, Hear] = {}

    def on(self, kind: str, hear: Hear) -> None:
        self._hears[kind] = hear

    def on_return(self, call: Callable[[], None]) -> None: ...

    def tell(self, kind: str, **content: Any) -> None:
        for other in LossyBus.all:
            if other is not self and self.rng.random() >= LossyBus.loses:
                other._hears[kind](content)

    async def start(self) -> None:
        LossyBus.all.append(self)

    async def stop(self) -> None:
        LossyBus.all.remove(self)


class SlowLog:
    """How the log answers whoever reads it for the hub: after so many seconds, and so often not at
    all. What it answers is what it was when it was asked."""

    seconds = 0.0
    fails = 0.0

    @staticmethod
    def of(read: Any) -> Any:
        async def answer(*args: Any, **options: Any) -> Any:
            if LossyBus.rng.random() < SlowLog.fails:
                raise OSError("no answer")
            found = await read(*args, **options)
            if SlowLog.seconds:
                await asyncio.sleep(SlowLog.seconds)
            return found

        return answer


@dataclass
class Server:
    """One process of the installation, in this loop."""

    app: FastAPI
    settings: Settings
    services: Services = field(init=False)
    url: str = ""
    _running: AbstractAsyncContextManager[str] | None = None

    async def start(self) -> None:
        services = self.services = build_services(self.settings)
        services.bus = LossyBus()
        services.relay = Relay(
            services.db, services.live.hub, bus=services.bus, poll_seconds=0.1, gather_seconds=0.005
        )
        self.app.state.services = services
        self._running = serving(self.app)
        self.url = (await self._running.__aenter__()).replace("http", "ws") + "/v1/live"

    async def stop(self) -> None:
        assert self._running is not None
        await self._running.__aexit__(None, None, None)

    @property
    def live(self) -> LiveSockets:
        return self.services.live


@dataclass
class Tally:
    runs: int = 0
    delivered: int = 0
    lost: int = 0
    doubled: int = 0
    resyncs: int = 0


class House:
    """The loop, the database and the processes, shared by all runs."""

    def __init__(self, folder: Path, template: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.tally = Tally()
        path = folder / "machine.sqlite3"
        shutil.copy(template, path)
        settings = Settings(
            database_url=f"sqlite+aiosqlite:///{path}",
            field_secret=SECRET,  # type: ignore[arg-type]
            token_key="11" * 32,  # type: ignore[arg-type]
            board_key=SecretStr("22" * 32),
            run_worker=False,
            replay_events=REPLAY,
            live_per_person=1000,
        )
        self.servers = [Server(build_surface(), settings) for _ in range(PROCESSES)]
        for server in self.servers:
            self.run(server.start())

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def close(self) -> None:
        for server in self.servers:
            self.run(server.stop())
        self.loop.close()


class Phone:
    """The client that every client should be: it keeps a place per stream, and what it shows by
    event id. ``shows`` is what it has fetched or applied."""

    def __init__(self, house: House, person: UUID, streams: list[str]) -> None:
        self.house = house
        self.person = person
        self.places: dict[str, tuple[str, int] | None] = dict.fromkeys(streams)
        self.shows: dict[str, dict[str, int]] = {stream: {} for stream in streams}
        self.server: Server | None = None
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self.live = asyncio.Event()
        self._expected: dict[str, int] = {}

    @property
    def connected(self) -> bool:
        return self._reading is not None and not self._reading.done()

    async def connect(self, server: Server) -> None:
        await self.leave()
        self.server = server
        self.live.clear()
        self._expected = {}
        self._socket = await connect(server.url, proxy=None, close_timeout=0.2)
        token = server.services.tokens.issue(self.person, uuid4(), uuid4())
        cursors = [
            {"id": stream, **({"epoch": place[0], "after_seq": place[1]} if place else {})}
            for stream, place in self.places.items()
        ]
        await self._say(type="hello", token=token, streams=cursors)
        self._reading = asyncio.create_task(self._read(self._socket))

    async def leave(self, *, rudely: bool = False) -> None:
        socket, self._socket = self._socket, None
        if socket is None:
            return
        if rudely:
            socket.transport.abort()
        else:
            await socket.close()
        if self._reading is not None:
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _say(self, **frame: Any) -> None:
        assert self._socket is not None
        await self._socket.send(json.dumps(frame))

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for text in socket:
                await self._take(json.loads(text))
        except ConnectionClosed:
            pass
        if socket.close_code == 4410:
            self.house.tally.resyncs += 1

    async def _take(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "welcome":
                for state in frame["streams"]:
                    await self._begin(state)
            case "live":
                self.live.set()
            case "ping":
                await self._say(type="pong", t=frame["t"])
            case type if "." in type:
                self._apply(frame)

    async def _begin(self, state: dict[str, Any]) -> None:
        stream = state["id"]
        assert state["epoch"] is not None, state
        place = self.places[stream]
        if state["recovered"]:
            assert place is not None
            self._expected[stream] = place[1] + 1
            return
        await self._fetch(stream)
        self._expected[stream] = state["head_seq"] + 1
        # what the snapshot has beyond the head comes again as events, and changes nothing
        self.places[stream] = (state["epoch"], state["head_seq"])

    def _apply(self, event: dict[str, Any]) -> None:
        tally, stream, seq = self.house.tally, event["stream"], event["seq"]
        tally.delivered += 1
        expected = self._expected[stream]
        if seq < expected:
            tally.doubled += 1
        tally.lost += max(0, seq - expected)
        self._expected[stream] = seq + 1
        place = self.places[stream]
        assert place is not None
        self.places[stream] = (place[0], seq)
        self.shows[stream][event["id"]] = event["data"].get("rows", 0)

    async def _fetch(self, stream: str) -> None:
        """As over HTTP: what is, and where the stream stood, in one snapshot."""
        self.shows[stream] = (await truth(self.house.servers[0].services, stream))[1]


async def truth(services: Services, stream: str) -> tuple[int, dict[str, int]]:
    async with services.db.read(SYSTEM) as tx:
        found = await heads(tx.session, [stream])
        rows = await tx.session.exec(select(JournalEntry).where(JournalEntry.stream == stream))
        facts = {str(row.event_id): row.data.get("rows", 0) for row in rows}
    assert found is not None
    return found[stream].seq, facts


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
