"""The fake, wired; ``minyi fake-wechat`` serves it."""

from fastapi import FastAPI
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.fake_wechat import control, login, phone, subscribe, tokens
from api.fake_wechat.faults import Faults
from api.fake_wechat.state import APP_ID, SECRET, FakeWechat
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


def build_fake(*, clock: Clock = system_clock) -> FastAPI:
    """A fresh fake. NotInProduction if MINYI_PRODUCTION is set."""
    if Surroundings().production:
        raise NotInProduction("the fake WeChat does not run in production")
    fake = FakeWechat(clock)
    access = AccessTokens(fake)
    app = FastAPI(title="Fake WeChat", docs_url=None, redoc_url=None, openapi_url=None)
    for router in (
        login.router(fake),
        tokens.router(access),
        phone.router(fake, access),
        subscribe.router(fake, access),
        control.router(fake, access),
    ):
        app.include_router(router)
    app.add_middleware(Faults, fake=fake, tokens=access)
    return app


def settings_for(port: int) -> list[str]:
    """The settings by which a server uses the fake."""
    return [
        f"MINYI_WECHAT_BASE_URL=http://127.0.0.1:{port}",
        f"MINYI_WECHAT_APP_ID={APP_ID}",
        f"MINYI_WECHAT_SECRET={SECRET}",
    ]


def serve(app: FastAPI, port: int) -> None:
    """Until a signal says stop, on loopback."""
    Server(configure(app, host="127.0.0.1", port=port)).run()
