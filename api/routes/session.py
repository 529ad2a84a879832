"""Log in with WeChat, stay logged in, log out."""

import hashlib
import hmac
import secrets
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Cookie, Depends, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import Field

from api import phone_codes, phones, sessions
from api.accounts import LoginStateInvalid
from api.dependencies import App, CurrentActor, Db, SessionId
from api.sessions import SessionEnded
from api.wire import WireIn, WireOut
from notifications.wechat.oauth import authorize_url

NONCE = "minyi_h5"


def never_stored(response: Response) -> None:
    """Answers with tokens stay out of every cache (RFC 6749 section 5.1)."""
    response.headers["cache-control"] = "no-store"


router = APIRouter(prefix="/v1/session", tags=["session"], dependencies=[Depends(never_stored)])

Code = Annotated[str, Field(min_length=1, max_length=128)]


class LoginIn(WireIn):
    """``code`` is what wx.login gave; ``device`` is how the person knows this device again."""

    code: Code
    device: str = Field(default="", max_length=80)


class H5LoginIn(LoginIn):
    """``code`` and ``state`` are what WeChat put into the address of our page."""

    state: str = Field(pattern=r"^[0-9a-f]{64}$")


MobilePhone = Annotated[str, Field(pattern=r"^1[3-9][0-9]{9}$")]
"""Of mainland China, as registers spell it."""
SmsCode = Annotated[str, Field(pattern=r"^[0-9]{6}$")]


class PhoneCodeIn(WireIn):
    phone: MobilePhone


class PhoneCodeOut(WireOut):
    """Seconds for which the code is good, and after which another one may be asked for."""

    expires_in: int
    again_in: int


class PhoneLoginIn(WireIn):
    """``code`` is what came by SMS; ``device`` is how the person knows this device again."""

    phone: MobilePhone
    code: SmsCode
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
    door = sessions.mini_program(app)
    return SessionOut.model_validate(
        await sessions.log_in(app, door, body.code, device=body.device)
    )


@router.get("/h5", status_code=303, response_class=RedirectResponse)
async def begin_h5_login(app: App) -> RedirectResponse:
    """Send a browser inside WeChat to WeChat's page, which sends it back to ours with ``code`` and
    ``state`` (without ``code`` if the user refuses). A cookie remembers that it began here."""
    door, nonce = sessions.browser(app), secrets.token_urlsafe(32)
    where = authorize_url(
        app.settings.wechat_open_url,
        door.wechat.app_id,
        redirect_uri=app.settings.wechat_h5_page,
        state=_state(nonce),
    )
    answer = RedirectResponse(where, 303, headers={"cache-control": "no-store"})
    answer.set_cookie(
        NONCE,
        nonce,
        max_age=600,
        path="/v1/session/h5",
        secure=app.settings.production,
        httponly=True,
        samesite="lax",
    )
    return answer


@router.post("/h5")
async def log_in_with_h5(
    body: H5LoginIn, app: App, minyi_h5: Annotated[str, Cookie()] = ""
) -> SessionOut:
    """Exchange the code with which WeChat sent the browser back. ``state`` must belong to the
    cookie of this browser. The same code within a minute answers again, as WeChat sometimes sends
    a browser back twice. Who has no unionid is a new account, which can do nothing until it is
    known by a phone or a grid worker."""
    door = sessions.browser(app)
    if not minyi_h5 or not hmac.compare_digest(_state(minyi_h5), body.state):
        raise LoginStateInvalid()
    return SessionOut.model_validate(
        await sessions.log_in(app, door, body.code, device=body.device)
    )


def _state(nonce: str) -> str:
    return hashlib.sha256(nonce.encode()).hexdigest()


@router.put("/phone/code")
async def send_phone_code(body: PhoneCodeIn, request: Request, app: App) -> PhoneCodeOut:
    """Send a code by SMS, with which to log in or to bind the phone. The answer is the same
    whether or not anybody is known by the phone, and when a code went there a moment ago."""
    address = None if request.client is None else request.client.host
    return PhoneCodeOut.model_validate(await phone_codes.send(app, body.phone, address))


@router.put("/phone")
async def log_in_with_phone(body: PhoneLoginIn, app: App) -> SessionOut:
    """Exchange a code for a session, in a browser without WeChat. The same code within a minute
    answers again."""
    return SessionOut.model_validate(
        await phones.log_in_with_phone(app, body.phone, body.code, device=body.device)
    )


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
