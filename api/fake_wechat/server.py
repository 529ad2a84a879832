"""The fake, wired; ``minyi fake-wechat`` serves it."""

import random

from fastapi import FastAPI
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.fake_wechat import account, codes, content, control, login, oauth, phone, subscribe, tokens
from api.fake_wechat.faults import Faults, Resettable
from api.fake_wechat.pushes import Pusher
from api.fake_wechat.state import (
    APP_ID,
    H5_APP_ID,
    H5_SECRET,
    PUSH_KEY,
    PUSH_TOKEN,
    SECRET,
    FakeWechat,
)
from api.fake_wechat.tokens import AccessTokens
from api.server import Server, configure
from api.settings import DEFAULT_ENV_FILE
from consultation.database import Clock, system_clock


class Surroundings(BaseSettings):
    """``MINYI_PRODUCTION``: true where real people log in."""

    model_config = SettingsConfigDict(
        env_prefix="MINYI_", env_file=DEFAULT_ENV_FILE, extra="ignore"
    )

    production: bool = False


class NotInProduction(Exception):
    """Whoever reaches the fake can log in as anybody."""


def build_fake(*, clock: Clock = system_clock, source: random.Random | None = None) -> FastAPI:
    """A fresh fake, whose codes and keys come from ``source``. NotInProduction if MINYI_PRODUCTION
    is set."""
    if Surroundings().production:
        raise NotInProduction("the fake WeChat does not run in production")
    fake = FakeWechat(clock, source or random.SystemRandom())
    access, pusher = AccessTokens(fake), Pusher(fake)
    app = FastAPI(title="Fake WeChat", docs_url=None, redoc_url=None, openapi_url=None)
    for router in (
        login.router(fake),
        tokens.router(access),
        phone.router(fake, access),
        subscribe.router(fake, access, pusher),
        content.router(fake, access, pusher),
        codes.router(fake, access),
        account.router(fake, access),
        oauth.router(fake),
        control.router(fake, access, pusher),
    ):
        app.include_router(router)
    app.state.http = Resettable
    app.add_middleware(Faults, fake=fake, tokens=access)
    return app


def settings_for(port: int) -> list[str]:
    """The settings by which a server uses the fake."""
    return [
        f"MINYI_WECHAT_BASE_URL=http://127.0.0.1:{port}",
        f"MINYI_WECHAT_APP_ID={APP_ID}",
        f"MINYI_WECHAT_SECRET={SECRET}",
        f"MINYI_WECHAT_PUSH_TOKEN={PUSH_TOKEN}",
        f"MINYI_WECHAT_PUSH_KEY={PUSH_KEY}",
        f"MINYI_WECHAT_OPEN_URL=http://127.0.0.1:{port}",
        f"MINYI_WECHAT_H5_APP_ID={H5_APP_ID}",
        f"MINYI_WECHAT_H5_SECRET={H5_SECRET}",
        "MINYI_WECHAT_H5_PAGE=http://127.0.0.1:8000/",
    ]


def serve(app: FastAPI, port: int) -> None:
    """Until a signal says stop, on loopback."""
    Server(configure(app, host="127.0.0.1", port=port)).run()
