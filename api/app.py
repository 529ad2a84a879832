"""The application, wired. Nothing is built at import time."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api import content_checks, idempotency, media_checks, openapi, problems, scenes, wechat_pushes
from api.body_limit import BodyLimit
from api.casting_lane import WithLane
from api.deliveries import build_sender, sms
from api.dependencies import Services
from api.ended_sessions import EndedSessions
from api.errands import Errand, Errands, Means
from api.head import HeadAsGet
from api.live.house import LiveSockets
from api.logs import RequestLog
from api.pages import routes as pages
from api.photos import PhotoFiles
from api.problems import PROBLEMS
from api.routes import ROUTERS
from api.settings import Settings
from api.shared_reads import SharedReads, Shelf
from api.tokens import Tokens
from api.worker import Worker
from consultation.database import Clock, Database, system_clock
from consultation.deliberation.commands.marking import marks_of
from consultation.ids import NewId, random_id
from consultation.jobs import JobKind
from consultation.polls.commands.express import Express
from consultation.polls.keys import LocalBoardKey
from consultation.polls.preset_files import use_local
from consultation.vault import Vault
from notifications.bus import NoBus, RedisBus
from notifications.hub import Hub
from notifications.relay import Relay
from notifications.wechat.client import Limits, Wechat
from notifications.wechat.subscribe import report_templates

ERRANDS: Mapping[JobKind, Errand] = {
    JobKind.WECHAT_PUSH: wechat_pushes.act_on_push,
    JobKind.CHECK_CONTENT: content_checks.check_content,
    JobKind.CHECK_MEDIA: media_checks.check_media,
    JobKind.MEDIA_OVERDUE: media_checks.media_overdue,
    JobKind.RENEW_LINK: scenes.renew_link,
}
"""What needs somebody outside, by kind of job; ``api/worker.py`` has the others."""
DESCRIPTION = "社区协商平台的公开接口。A community decides together from its phones."


def build_database(
    settings: Settings, *, clock: Clock = system_clock, new_id: NewId = random_id
) -> Database:
    vault = Vault(settings.field_secret.get_secret_value().encode())
    board_key = LocalBoardKey(bytes.fromhex(settings.board_key.get_secret_value()))
    return Database(
        settings.database_url,
        vault=vault,
        board_key=board_key,
        clock=clock,
        new_id=new_id,
        box_keys=settings.box_keys(),
    )


def limits_of(settings: Settings) -> Limits:
    return Limits(
        text_characters=settings.wechat_text_characters,
        prompt_templates=settings.wechat_prompt_templates,
        credits_wanted=settings.wechat_credits_wanted,
        accept_window_hours=settings.wechat_accept_window_hours,
        link_days=settings.wechat_link_days,
        miniprogram_state=settings.wechat_miniprogram_state,
        env_version=settings.wechat_env_version,
        code_width=settings.wechat_code_width,
    )


def build_services(
    settings: Settings, *, clock: Clock = system_clock, new_id: NewId = random_id
) -> Services:
    use_local(settings.presets_dir)
    db = build_database(settings, clock=clock, new_id=new_id)
    wechat = Wechat(
        settings.wechat_base_url,
        app_id=settings.wechat_app_id,
        secret=settings.wechat_secret.get_secret_value(),
        timeout=settings.wechat_timeout_seconds,
        clock=clock,
        limits=limits_of(settings),
        templates={spec.name: spec for spec in settings.wechat_templates},
    )
    h5 = None
    if settings.wechat_h5_app_id:
        h5 = Wechat(
            settings.wechat_base_url,
            app_id=settings.wechat_h5_app_id,
            secret=settings.wechat_h5_secret.get_secret_value(),
            timeout=settings.wechat_timeout_seconds,
            clock=clock,
        )
    tokens = Tokens(settings, clock)
    hub = Hub(keep_events=settings.replay_events, keep_bytes=settings.replay_bytes)
    bus_url = settings.bus_url.get_secret_value()
    bus = RedisBus(bus_url) if bus_url else NoBus()
    texting = sms(settings, clock)
    shelf = Shelf(settings.shared_read_seconds)
    shelf.join(bus)
    db.on_events.append(shelf.changed)
    ended = EndedSessions(db, token_seconds=settings.access_token_seconds)
    return Services(
        settings=settings,
        db=db,
        tokens=tokens,
        wechat=wechat,
        h5=h5,
        live=LiveSockets(settings, db, tokens, hub, bus, ended),
        bus=bus,
        relay=Relay(db, hub, bus=bus, poll_seconds=settings.relay_poll_seconds),
        worker=Worker(db, poll_seconds=settings.worker_poll_seconds),
        errands=Errands(
            Means(settings, db, wechat), ERRANDS, poll_seconds=settings.worker_poll_seconds
        ),
        marks=marks_of(db),
        shelf=shelf,
        casts=Express(db),
        ended=ended,
        sender=build_sender(settings, db, wechat, texting),
        sms=texting,
        photos=PhotoFiles(settings.photos_dir),
    )


def build_app(
    settings: Settings, *, clock: Clock = system_clock, new_id: NewId = random_id
) -> FastAPI:
    app = build_surface()
    app.state.services = build_services(settings, clock=clock, new_id=new_id)
    return app


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    services: Services = app.state.services
    await services.bus.start()
    if services.settings.run_relay:
        await services.relay.start()
    if services.settings.run_worker:
        services.worker.start()
        services.errands.start()
    if services.settings.run_sender:
        services.sender.start()
    reports = [report_templates(services.wechat)] if services.wechat.templates else []
    reporting = [asyncio.create_task(report) for report in reports]
    await services.live.start()
    yield
    for task in reporting:
        task.cancel()
    await asyncio.gather(*reporting, return_exceptions=True)
    await services.live.close()
    await services.sender.stop()
    await services.worker.stop()
    await services.errands.stop()
    await services.relay.stop()
    await services.sender.close()
    await services.bus.stop()
    await services.wechat.close()
    if services.h5 is not None:
        await services.h5.close()
    await services.ended.close()
    await services.db.dispose()


def build_surface() -> FastAPI:
    """Routes and handlers, still without the services that they ask for."""
    app = WithLane(
        title="Minyi 民议",
        version="0.1.0",
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        generate_unique_id_function=lambda route: route.name,
        servers=[{"url": "/"}],
        responses=PROBLEMS,
        telemetry={"operation_spans": False},
    )
    problems.install(app, pages.problem_page)
    idempotency.install(app)
    for router in ROUTERS:
        app.include_router(router)
    app.include_router(pages.router)
    openapi.describe(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(RequestLog)
    app.add_middleware(SharedReads, shelf_of=lambda: app.state.services.shelf)
    app.add_middleware(HeadAsGet)
    return app
