"""Nobody sees a choice before the close: no role, screen, log, frame or error (issue 3, trust V02).

One world with five open polls is played twice; the same people vote in the same ways and choose
differently. Whatever anybody can read, hear or provoke while the polls are open must be the same.
"""

import asyncio
import contextlib
import io
import logging
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
import structlog
from sqlmodel import select

from api import contract, logs
from api.app import build_services
from api.dependencies import Services
from api.openapi import operations
from api.server import serving
from api.settings import Settings
from consultation.database import Database, Transaction
from consultation.events.polls import PaperFormsPrinted
from consultation.ids import seeded_ids
from consultation.permissions import Role
from consultation.polls import queries
from consultation.polls.commands import casting
from consultation.polls.commands.express import Express
from consultation.polls.express.judging import OwnCast
from consultation.polls.tables import Ballot, Poll
from notifications import presence, volatile
from notifications.volatile import Counters
from tests import measuring
from tests.conftest import ManualClock, surface
from tests.consultation.polls.stage import OPENERS, Stage
from tests.contract.noticing import Noticed, differences
from tests.contract.test_access_matrix import fill, request_of
from tests.contract.two_plays import Mind, Play, Script, prepare
from tests.live import Phone, phone
from tests.measuring import Measured
from tests.world import World

PAGES = (
    "/",
    "/c/{community_id}",
    "/t/{topic_id}",
    "/grids/{grid_id}/sheet",
    "/communities/{community_id}/sheet",
)
"""The public pages, which are not in the contract, and those for printing."""
ABOUT_A_POLL = ("/polls/", "/topics/{topic_id}/polls", "/v1/topics/{topic_id}$", "/streams/", "/t/")
"""Where a poll shows; of the first poll everything is read, of the others this."""
CLOSE = {"nobody", "voted", "not voted", "the teller"} | {
    f"{person} as {role}"
    for person, role in (
        ("clerk", Role.CLERK),
        ("supervisor", Role.SUPERVISOR),
        ("grid_worker", Role.GRID_WORKER),
    )
}
"""Who is close to the ledger: of the first poll everybody reads, of the others these."""


@dataclass
class House:
    """One play's copy of everything."""

    services: Services
    client: httpx.AsyncClient
    url: str
    clock: ManualClock
    log: io.StringIO


# ---- two copies of one world --------------------------------------------------------------------


async def copies(db: Database, folder: Path, request: pytest.FixtureRequest) -> list[str]:
    """The addresses of two copies of the database."""
    await db.dispose()
    if db.is_sqlite:
        path = Path(db.url.split("///")[1])
        made = folder / "databases"
        made.mkdir()
        for name in ("one", "other"):
            shutil.copy(path, made / name)
        return [f"sqlite+aiosqlite:///{made}/{name}" for name in ("one", "other")]
    address: str = request.getfixturevalue("postgres_cluster")
    source, names = db.url.rsplit("/", 1)[1], [f"play_{uuid4().hex}" for _ in range(2)]
    admin = await asyncpg.connect(f"postgresql://{address}/postgres")
    for name in names:
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
    await admin.close()
    return [f"postgresql+asyncpg://{address}/{name}" for name in names]


@asynccontextmanager
async def house_of(
    settings: Settings, url: str, folder: Path, script: Script
) -> AsyncGenerator[House]:
    """The application over a copy, on a port for the sockets and in process for the rest."""
    keys = folder / "keys" / url.rsplit("/", 1)[1]
    assert settings.box_keys_dir is not None
    shutil.copytree(settings.box_keys_dir, keys)
    change = {
        "database_url": url,
        "box_keys_dir": keys,
        "access_token_seconds": 8 * 86400,
        "ping_seconds": 600.0,  # no socket is silent for so long, however slow the machine
    }
    own = settings.model_copy(update=change)
    clock = ManualClock(script.opens)
    app = surface()
    app.state.services = services = build_services(own, clock=clock, new_id=seeded_ids(3))
    services.live.counters = Counters(services.live.hub, every_seconds=0.25)
    script.world.tokens = services.tokens
    before, stream = structlog.get_config(), io.StringIO()
    logs.configure(stream)
    try:
        async with serving(app) as address, http(app) as client:
            yield House(services, client, address, clock, stream)
    finally:
        structlog.configure(**before)


def http(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=Measured(app), base_url="http://minyi.test")


# ---- who looks, and at what ---------------------------------------------------------------------


def readers(play: Play, name: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Everybody: who is not logged in, voters of the poll who voted and who did not, residents,
    strangers, and every office that there is, here and elsewhere."""
    world, staged = play.script.world, play.script.polls[name]
    yield "nobody", {}
    yield "voted", play.person(staged.voters[0])
    yield "not voted", play.person(staged.voters[-1])
    for person in ("resident1", "tenant", "visitor"):
        yield person, world.headers(person)
    offices = {
        role: person for person, role in reversed(world.assignments) if person != "neighbour"
    }
    for role, person in (offices | {Role.TELLER: "neighbour"}).items():
        yield f"{person} as {role}", world.headers(person, role)
    yield "the teller", world.headers("teller1", Role.TELLER)


def addresses_of(play: Play, name: str) -> dict[str, str]:
    staged = play.script.polls[name]
    return play.script.addresses | {
        "poll_id": str(staged.poll_id),
        "topic_id": str(staged.topic_id),
        "stream_id": f"poll:{staged.poll_id}",
    }


@cache
def described() -> dict[str, Any]:
    return contract.openapi()


async def leaf_to_prove(house: House, play: Play, name: str) -> str:
    """One that is on the board, or, of an empty one, the first receipt: which of the leaves that
    wait go on first is chance, where the board grows in steps (disclosure rule 6)."""
    board = await house.client.get(f"/v1/polls/{play.script.polls[name].poll_id}/board")
    leaves: list[str] = board.json()["leaves"] if board.status_code == 200 else []
    return leaves[0] if leaves else play.leaves[name]


def questions(
    play: Play, name: str, leaf: str, *, all: bool
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(operation, path, request) of every read; without ``all`` those about the poll."""
    document, addresses = described(), addresses_of(play, name)
    for method, path, operation in operations(document):
        if method != "get" or not (all or any(one in f"{path}$" for one in ABOUT_A_POLL)):
            continue
        request = request_of(document, operation)
        if operation["operationId"] == "prove_inclusion":
            request["params"]["leaf"] = leaf
        if operation["operationId"] == "prove_consistency":
            request["params"] |= {"from": 1, "to": 2}
        yield operation["operationId"], fill(path, addresses), request
        if "{stream_id}" in path:
            for stream in (f"topic:{addresses['topic_id']}", *play_streams(play)):
                more = addresses | {"stream_id": stream}
                yield operation["operationId"], fill(path, more), request
    for page in PAGES:
        if all or any(one in page for one in ABOUT_A_POLL):
            yield "page", fill(page, addresses), {}


def play_streams(play: Play) -> list[str]:
    voter = play.script.polls["lift"].voters[0]
    return [f"community:{play.script.world.community.id}", f"user:{voter}"]


async def everybody_looks(
    house: House, play: Play, noticed: Noticed, *names: str, only: str | None = None
) -> None:
    for name in names:
        leaf = await leaf_to_prove(house, play, name)
        # who may read what is decided before a database is asked: every office, on one of them
        everything = name == "lift" and only is None and house.services.db.is_sqlite
        for reader, headers in readers(play, name):
            if (not everything and reader not in CLOSE) or only not in (None, reader):
                continue
            for operation, path, request in questions(play, name, leaf, all=everything):
                answer = await house.client.get(path, headers=headers, **request)
                own = reader == "voted"
                noticed.answer((operation, reader, path), answer, own=own)


# ---- the live stream ----------------------------------------------------------------------------


@dataclass
class Listener:
    """``heads``: where each stream stood when the phone came."""

    reader: str
    headers: dict[str, str]
    person_id: UUID
    phone: Phone
    heads: dict[str, int]


async def listeners(house: House, play: Play, stack: AsyncExitStack) -> list[Listener]:
    """A phone of everybody who can log in, on their own stream and every other that there is."""
    streams = [f"community:{play.script.world.community.id}"]
    for staged in play.script.polls.values():
        streams += [f"poll:{staged.poll_id}", f"topic:{staged.topic_id}"]
    found = []
    for reader, headers in readers(play, "lift"):
        if not headers:
            continue
        one = await stack.enter_async_context(phone(house.url, ping_interval=None))
        token = headers["authorization"].removeprefix("Bearer ")
        person_id = house.services.tokens.read(token).person_id
        own = [*streams, f"user:{person_id}"]
        welcome = await one.hello(token, *({"id": stream} for stream in own))
        heads = {state["id"]: state["head_seq"] for state in welcome["streams"]}
        assert heads.keys() == set(own)
        found.append(Listener(reader, headers, person_id, one, heads))
    return found


async def hear(house: House, play: Play, noticed: Noticed, phones: list[Listener]) -> None:
    """Every event up to the present heads, and the last values of what is not in the log."""
    shown: dict[tuple[str, str], dict[str, int]] = {}
    for staged in play.script.polls.values():
        turnout = (await house.client.get(staged.home)).json()["turnout"]
        if turnout is not None:
            shown[f"poll:{staged.poll_id}", "turnout"] = turnout
    here = {"count": len({listener.person_id for listener in phones})}
    for listener in phones:
        one, missing = listener.phone, set()
        for stream, before in listener.heads.items():
            path = f"/v1/streams/{stream}"
            head = (await house.client.get(path, headers=listener.headers)).json()["head_seq"]
            missing |= {(stream, seq) for seq in range(before + 1, head + 1)}
            if not stream.startswith("user:"):
                shown[stream, "online"] = here
        async with asyncio.timeout(20):
            while missing - {(event["stream"], event["seq"]) for event in one.events} or any(
                one.volatile.get(key) != value for key, value in shown.items()
            ):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.05):  # values that are no events end no wait
                        await one.frame()
        for event in sorted(one.events, key=lambda event: (event["stream"], event["seq"])):
            noticed.frame(listener.reader, event)
        for (stream, key), data in sorted(one.volatile.items()):
            noticed.frame(listener.reader, {"type": key, "stream": stream, "data": data})


# ---- the play -----------------------------------------------------------------------------------


async def played(
    house: House, script: Script, mind: Mind, only: str | None
) -> tuple[Noticed, dict[str, Any]]:
    """What was noticed while the polls were open, and the results that the tellers see after."""
    noticed = Noticed()

    async def ask(what: str, method: str, path: str, **request: Any) -> httpx.Response:
        answer = await house.client.request(method, path, **request)
        noticed.answer((what, method, path), answer)
        return answer

    async def at(moment: Any) -> None:
        house.clock.now = moment
        await house.services.worker.run_due()
        await house.services.relay.drain()

    play = Play(script, mind, ask)
    await at(script.opens)
    async with AsyncExitStack() as stack:
        phones = await listeners(house, play, stack)
        await play.everybody_votes()
        await at(script.opens + timedelta(hours=4))  # the board has its batch, turnout its step
        await play.paper_of_who_voted_by_phone()
        await play.refused()
        await house.services.relay.drain()
        await everybody_looks(house, play, noticed, *script.polls, only=only)
        await hear(house, play, noticed, phones)
    for closes, names in ((script.a_day, script.of_a_day()), (script.a_week, script.of_a_week())):
        house.clock.now = closes
        await play.late(*names)
        for name in names:
            leaf = await leaf_to_prove(house, play, name)
            for headers in ({}, play.staff("teller1", Role.TELLER)):
                for operation, path, request in questions(play, name, leaf, all=False):
                    answer = await house.client.get(path, headers=headers, **request)
                    noticed.answer((operation, "at the close", path), answer)
        noticed.lines(house.log.getvalue())
        await at(closes)
        house.log.seek(0)
        house.log.truncate()
    return noticed, await results(house, script)


async def results(house: House, script: Script) -> dict[str, Any]:
    stage = Stage(db=house.services.db, world=script.world, clock=house.clock)
    for name in ("sealed", "election"):
        for person, role in OPENERS:
            await stage.confirm_opening(script.polls[name].poll_id, person, role)
        await house.services.worker.run_due()
    teller = script.world.headers("teller1", Role.TELLER)
    found = {}
    for name, staged in script.polls.items():
        found[name] = (await house.client.get(staged.home, headers=teller)).json()["result"]
    return found


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """As the server runs it: there are thousands of requests here."""
    return "asyncio", {"use_uvloop": True}


Both = Callable[..., Awaitable[list[tuple[Noticed, dict[str, Any]]]]]


@pytest.fixture
def both(
    db: Database,
    world: World,
    clock: ManualClock,
    settings: Settings,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Both:
    """The two plays, with all readers or ``only`` one."""
    monkeypatch.setattr(volatile, "TURNOUT_SECONDS", 0.0)
    monkeypatch.setattr(presence, "LEASE_SECONDS", 3600.0)  # nobody leaves, however slow it is

    async def both(only: str | None = None) -> list[tuple[Noticed, dict[str, Any]]]:
        script = await prepare(Stage(db=db, world=world, clock=clock))
        seen = []
        for url, other in zip(await copies(db, tmp_path, request), (False, True), strict=True):
            async with house_of(settings, url, tmp_path, script) as house:
                seen.append(await played(house, script, Mind(other), only))
        return seen

    return both


async def test_nobody_notices_a_choice_before_the_close(
    both: Both, db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    (one, results), (other, other_results) = await both()

    found = list(differences(one, other))
    assert not found, "\n".join(found[:200])
    assert [record.getMessage() for record in caplog.records] == []
    kinds = {seen.what[0] for seen in one.seen}
    frames = {seen.what[1] for seen in one.seen if seen.what[0] == "frame"}
    assert frames >= {"turnout", "online", "poll.paper_forms_printed", "user.ballot_recorded"}
    reads = {name for method, _, one in operations(described()) if method == "get"
             for name in [one["operationId"]]}  # fmt: skip
    if db.is_sqlite:
        assert reads <= kinds
    assert {"frame", "log", "page", "cast_ballot", "cast_as_proxy"} <= kinds
    for name in results:
        assert results[name] is not None, name
        assert results[name] != other_results[name], name


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_leak_into_an_answer_a_frame_or_a_log_line_would_be_noticed(
    both: Both, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three leaks, each as somebody could write it who means no harm."""
    count, record, cast = queries.participation_and_served, casting.record_ballot, Express.cast

    async def supporters_counted(tx: Transaction, poll: Poll) -> Any:
        rows = await tx.session.exec(select(Ballot.choices).where(Ballot.poll_id == poll.id))
        turnout, served = await count(tx, poll)
        return turnout, served + sum("for" in (choices or {}).get("1", ()) for choices in rows)

    async def recorded_and_told(
        tx: Transaction, poll_id: UUID, number: int, answers: Any, **more: Any
    ) -> Any:
        ballot = await record(tx, poll_id, number, answers, **more)
        about = {"community_id": world.community.id, "topic_id": poll_id, "poll_id": poll_id}
        tx.emit(PaperFormsPrinted(**about, forms=len(answers[0][1][0])))
        return ballot

    async def cast_and_logged(self: Express, given: OwnCast) -> Any:
        logs.log.info("cast", entries=len(given.answers[0][1][0]))
        return await cast(self, given)

    monkeypatch.setattr(measuring, "BUDGETS", {})  # which would refuse the first one already
    monkeypatch.setattr(queries, "participation_and_served", supporters_counted)
    monkeypatch.setattr(casting, "record_ballot", recorded_and_told)
    monkeypatch.setattr(Express, "cast", cast_and_logged)
    (one, _), (other, _) = await both(only="nobody")

    found = list(differences(one, other))
    for leak in ("('get_poll', 'nobody'", "('frame', 'poll.paper_forms_printed'", "('log',)"):
        assert any(difference.startswith(leak) for difference in found), (leak, found[:20])
    assert any("served" in difference for difference in found)
