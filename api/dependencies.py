"""The few things a route asks for."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from fastapi import Depends, Header, Request

from api.errands import Errands
from api.live.house import LiveSockets
from api.photos import PhotoFiles
from api.problems import NotLoggedIn
from api.settings import Settings
from api.shared_reads import Shelf
from api.tokens import Tokens
from api.words import pick_locale
from api.worker import Worker
from consultation.batching import Batch
from consultation.database import Database
from consultation.deliberation.commands.marking import Marked, MarkRequest
from consultation.permissions import NOBODY, Actor
from consultation.polls.commands.express import Express
from notifications.bus import Bus
from notifications.channels import Port
from notifications.relay import Relay
from notifications.sender import Sender
from notifications.wechat.client import Wechat

if TYPE_CHECKING:
    from api.ended_sessions import EndedSessions


@dataclass(slots=True)
class Services:
    """What the application is wired of; built once in ``api/app.py``."""

    settings: Settings
    db: Database
    tokens: Tokens
    wechat: Wechat
    h5: Wechat | None
    live: LiveSockets
    bus: Bus
    relay: Relay
    worker: Worker
    errands: Errands
    marks: Batch[MarkRequest, Marked]
    shelf: Shelf
    casts: Express
    ended: "EndedSessions"
    sender: Sender
    sms: Port
    photos: PhotoFiles


# These wait for nothing; they are async because a plain function would cost a hop to a thread.


async def services(request: Request) -> Services:
    return request.app.state.services


async def database(request: Request) -> Database:
    return request.app.state.services.db


def bearer(authorization: str | None) -> str | None:
    if authorization is None:
        return None
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


async def actor_or_nobody(
    request: Request,
    authorization: Annotated[str | None, Header()] = None,
    minyi_role: Annotated[
        UUID | None, Header(description="Id of the role assignment under which the person acts")
    ] = None,
) -> Actor:
    """Who asks: nobody without a token; a bad token is refused, never taken for nobody."""
    if authorization is None:
        return NOBODY
    token = bearer(authorization)
    if token is None:
        raise NotLoggedIn()
    app: Services = request.app.state.services
    claims = app.tokens.read(token)
    await app.ended.check(claims.session_id)
    request.scope["person_id"] = claims.person_id
    request.scope["session_id"] = claims.session_id
    return Actor(person_id=claims.person_id, assignment_id=minyi_role)


async def actor(who: Annotated[Actor, Depends(actor_or_nobody)]) -> Actor:
    if who.person_id is None:
        raise NotLoggedIn()
    return who


async def session_id(request: Request, who: Annotated[Actor, Depends(actor)]) -> UUID:
    return request.scope["session_id"]


async def locale(accept_language: Annotated[str | None, Header()] = None) -> str:
    return pick_locale(accept_language)


CurrentActor = Annotated[Actor, Depends(actor)]
"""A logged-in person, under the role named by the ``Minyi-Role`` header if there is one."""
SessionId = Annotated[UUID, Depends(session_id)]
"""The session that the access token was issued in."""
AnyActor = Annotated[Actor, Depends(actor_or_nobody)]
"""A logged-in person or a visitor."""
Db = Annotated[Database, Depends(database)]
Locale = Annotated[str, Depends(locale)]
App = Annotated[Services, Depends(services)]
