"""The application, wired. Nothing is built at import time."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api import idempotency, live, openapi, problems
from api.body_limit import BodyLimit
from api.casting_lane import WithLane
from api.dependencies import Services
from api.ended_sessions import EndedSessions
from api.live import LiveSockets
from api.logs import RequestLog
from api.pages import routes as pages
from api.problems import PROBLEMS
from api.routes import ROUTERS
from api.settings import Settings
from api.tokens import Tokens
from api.worker import Worker
from consultation.database import Clock, Database, system_clock
from consultation.deliberation.commands.marking import marks_of
from consultation.ids import NewId, random_id
from consultation.polls.commands.express import Express
from consultation.polls.keys import LocalBoardKey
from consultation.vault import Vault
from notifications.hub import Hub
from notifications.relay import Relay
from notifications.wechat import Wechat

DESCRIPTION = "社区协商平台的公开接口。A community decides together from its phones."


def build_database(
    settings: Settings, *, clock: Clock = system_clock, new_id: NewId = random_id
) -> Database:
    vault = Vault(settings.field_secret.get_secret_value().encode())
    return Database(
        settings.database_url,
        vault=vault,
        board_key=LocalBoardKey(bytes.fromhex(settings.board_key.get_secret_value())),
        clock=clock,
        new_id=new_id,
        box_keys=settings.box_keys(),
    )


def build_services(
    settings: Settings, *, clock: Clock = system_clock, new_id: NewId = random_id
) -> Services:
    db = build_database(settings, clock=clock, new_id=new_id)
    wechat = Wechat(
        settings.wechat_base_url,
        app_id=settings.wechat_app_id,
        secret=settings.wechat_secret.get_secret_value(),
        timeout=settings.wechat_timeout_seconds,
        clock=clock,
    )
    tokens, hub = Tokens(settings, clock), Hub()
    return Services(
        settings=settings,
        db=db,
        tokens=tokens,
        wechat=wechat,
        live=LiveSockets(settings, db, tokens, hub),
        relay=Relay(db, hub, poll_seconds=settings.relay_poll_seconds),
        worker=Worker(db, poll_seconds=settings.worker_poll_seconds),
        marks=marks_of(db),
        casts=Express(db),
        ended=EndedSessions(db, token_seconds=settings.access_token_seconds),
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
    if services.settings.run_relay:
        await services.relay.start()
    if services.settings.run_worker:
        services.worker.start()
    yield
    await services.live.close()
    await services.worker.stop()
    await services.relay.stop()
    await services.wechat.close()
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
    problems.install(app)
    idempotency.install(app)
    for router in ROUTERS:
        app.include_router(router)
    app.include_router(live.router)
    app.include_router(pages.router)
    openapi.describe(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(RequestLog)
    return app
