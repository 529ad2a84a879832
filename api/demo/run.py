"""``minyi demo``: builds the demo community from nothing and serves it; ``--check`` plays the
walked topics against the running server and stops at the first difference."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import uvloop
from fastapi import FastAPI
from pydantic import SecretStr

from api import logs
from api.app import build_app
from api.demo.crowd import Crowd
from api.demo.fixtures import check_numbers
from api.demo.matter import LIUQIAO, WUTONGLI
from api.demo.people import People, Person
from api.demo.places import Places
from api.demo.playbill import THE_END, WALKED, WHOLE, Story
from api.demo.registers import phones, write_registers
from api.demo.stage import Stage, StoryClock, at
from api.demo.watcher import Watcher
from api.demo.welcome import welcome
from api.dependencies import Services
from api.fake_wechat.server import build_fake
from api.fake_wechat.state import APP_ID, SECRET
from api.migrations import runner
from api.registers import take_register
from api.server import Server, collect_less, configure, serving
from api.settings import Settings
from consultation.ids import seeded_ids
from notifications.wechat.templates import TemplateSpec

SEED = 20260311
POLL_OPENED = TemplateSpec(
    name="poll_opened", template_id="poll_opened", values={"thing1": "title"}
)
FIELD_SECRET = "the demo holds invented people only, and no secret"  # noqa: S105
TOKEN_KEY = "20260311" * 8
BOARD_KEY = "20260312" * 8


class RunningClock:
    """From the end of the stories, time runs on as everywhere."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._since = time.monotonic()

    def __call__(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._since)


def demo_settings(folder: Path, wechat: str, *, host: str = "127.0.0.1", port: int = 0) -> Settings:
    return Settings(
        database_url=f"sqlite+aiosqlite:///{folder}/demo.sqlite3",
        field_secret=SecretStr(FIELD_SECRET),
        token_key=SecretStr(TOKEN_KEY),
        board_key=SecretStr(BOARD_KEY),
        wechat_base_url=wechat,
        wechat_app_id=APP_ID,
        wechat_secret=SecretStr(SECRET),
        host=host,
        port=port,
        replay_hours=24 * 400,  # a watcher that slept for months of story time still catches up
        owners_system_of_record=True,  # in the invented city owners vote here
        run_worker=False,  # the stage moves the clock and does what falls due, at its own time
        run_sender=False,
        wechat_templates=[POLL_OPENED],
        sms_provider="file",
        sms_file=folder / "sms.jsonl",
    )


async def load_registers(services: Services, folder: Path, tell: Callable[[str], None]) -> None:
    """The files that a city would hand over, through the same import."""
    for community, kind, path in write_registers(folder / "registers"):
        report = await take_register(services.db, kind, path.read_bytes(), community_code=community)
        tell(f"     登记册  {path.parent.name}/{path.name}: {report.rows} 行")


@asynccontextmanager
async def stage_for(
    settings: Settings, *, tell: Callable[[str], None], served: bool
) -> AsyncGenerator[Stage]:
    """A fresh database with the registers in it, and people at their phones. ``served``: over
    real HTTP, everybody logs in through WeChat; else in process, the crowd takes a short way."""
    await runner.upgrade(settings.database_url)
    clock, new_id = StoryClock(), seeded_ids(SEED)
    app = build_app(settings, clock=clock, new_id=new_id)
    services: Services = app.state.services
    async with (
        _reach(app, served=served) as http,
        httpx.AsyncClient(base_url=settings.wechat_base_url) as wechat,
    ):
        await _allow_template(wechat)
        await load_registers(services, Path(settings.database_url.split("///")[1]).parent, tell)
        crowd = None if served else await Crowd.of(services)
        people = People(http, wechat, new_id, phones(), crowd)
        yield Stage(services, clock, people, Places(http), tell)


async def _allow_template(wechat: httpx.AsyncClient) -> None:
    """As in WeChat's console, before anybody can be asked for it."""
    template = {"template_id": POLL_OPENED.template_id, "content": "议题:{{thing1.DATA}}"}
    (await wechat.post("/__fake__/templates", json=template)).raise_for_status()


@asynccontextmanager
async def _reach(app: FastAPI, *, served: bool) -> AsyncGenerator[httpx.AsyncClient]:
    if served:
        async with serving(app) as url, httpx.AsyncClient(base_url=url, timeout=30) as http:
            yield http
    else:
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://demo") as http,
        ):
            yield http


async def play(stage: Stage, bill: tuple[Story, ...], *, until: datetime) -> None:
    await stage.play([story(stage) for story in bill])
    await stage.move_to(until)


@asynccontextmanager
async def watching(stage: Stage) -> AsyncGenerator[None]:
    """The clerks of both communities follow every topic on the live socket."""
    url = str(stage.people.http.base_url).replace("http", "ws", 1).rstrip("/") + "/v1/live"
    for office in (WUTONGLI, LIUQIAO):
        clerk = Person(office.clerk, stage.people.phones[office.clerk], stage.people, "clerk")
        stage.watchers[office.code] = Watcher(url, clerk)
        stage.watchers[office.code].start()
    try:
        yield
    finally:
        for watcher in stage.watchers.values():
            await watcher.stop()


async def check(tell: Callable[[str], None]) -> int:
    """Play the walked topics through the running server; the number of steps."""
    with tempfile.TemporaryDirectory(prefix="minyi-check-") as name:
        async with serving(build_fake()) as wechat:
            settings = demo_settings(Path(name), wechat)
            async with stage_for(settings, tell=tell, served=True) as stage, watching(stage):
                await play(stage, WALKED, until=at("2026-11-20"))
                await stage.check_watchers()
                check_numbers(stage)
                return stage.steps


async def demo(folder: Path, *, host: str, port: int, tell: Callable[[str], None]) -> None:
    """Build the community anew in ``folder`` and serve it until a signal says stop."""
    collect_less()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)  # noqa: ASYNC240  nothing else runs yet
    with (folder / "server.log").open("w", encoding="utf-8", buffering=1) as stream:
        logs.configure(stream)
        async with serving(build_fake(), port + 1) as wechat:
            settings = demo_settings(folder, wechat, host=host, port=port)
            # the crowd of the past has no accounts in WeChat, under which it could be checked; and
            # nobody logs in anew each time that a story goes on a day later
            past = settings.model_copy(
                update={"content_check": "none", "access_token_seconds": 400 * 24 * 3600}
            )
            started = time.monotonic()
            async with stage_for(past, tell=tell, served=False) as stage:
                await play(stage, WHOLE, until=THE_END)
                base, spent = f"http://{host}:{port}", time.monotonic() - started
                text = await welcome(stage, base, wechat, spent)
            running = settings.model_copy(update={"run_worker": True, "run_sender": True})
            app = build_app(running, clock=RunningClock(stage.clock()))
            tell("\n" + text)
            await Server(configure(app, host=host, port=port)).serve()


def run_check(tell: Callable[[str], None]) -> int:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        return loop.run(check(tell))


def run_demo(folder: Path, *, host: str, port: int, tell: Callable[[str], None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(demo(folder, host=host, port=port, tell=tell))
