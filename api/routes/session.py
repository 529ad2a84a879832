"""Log in with WeChat, stay logged in, log out."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from api import sessions
from api.dependencies import App, CurrentActor, Db, SessionId
from api.sessions import SessionEnded
from api.wire import WireIn, WireOut


def never_stored(response: Response) -> None:
    """Answers with tokens stay out of every cache (RFC 6749 section 5.1)."""
    response.headers["cache-control"] = "no-store"


router = APIRouter(prefix="/v1/session", tags=["session"], dependencies=[Depends(never_stored)])

Code = Annotated[str, Field(min_length=1, max_length=128)]


class LoginIn(WireIn):
    """``code`` is what wx.login gave; ``device`` is how the person knows this device again."""

    code: Code
    device: str = Field(default="", max_length=80)


class RefreshIn(WireIn):
    refresh_token: str = Field(min_length=1, max_length=128)


class SessionOut(WireOut):
    """Send ``access_token`` as Bearer; before ``expires_in`` seconds are over, exchange
    ``refresh_token``, which works once."""

    person_id: UUID
    session_id: UUID
    access_token: str
    expires_in: int
    refresh_token: str
    refresh_expires_in: int


@router.post("/wechat")
async def log_in_with_wechat(body: LoginIn, app: App) -> SessionOut:
    """Exchange a wx.login code for a session. The first login makes an account without a name.
    The same code sent again within a minute answers again, so that a lost answer does no harm."""
    return SessionOut.model_validate(await sessions.log_in(app, body.code, device=body.device))


@router.post("/refresh")
async def refresh_session(body: RefreshIn, app: App) -> SessionOut:
    """Exchange a refresh token, once. A second use ends the session: then log in again."""
    async with app.db.begin() as tx:
        renewed = await sessions.renew(tx, app, body.refresh_token)
    if renewed is None:
        raise SessionEnded()
    return SessionOut.model_validate(renewed)


@router.delete("", status_code=204)
async def log_out(db: Db, actor: CurrentActor, session_id: SessionId) -> None:
    """End this session: its refresh token is void at once, its access token when it expires."""
    async with db.begin(actor) as tx:
        await sessions.end_session(tx, session_id)
