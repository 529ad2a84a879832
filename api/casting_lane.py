"""The lane on which ballots come in: ``PUT /v1/polls/{poll_id}/ballot``, in front of the framework.

The framework costs several times what the ballot itself costs, so this one request does without.
It answers as the framework would, in everything: ``routes/ballots.py`` declares the operation and
``tests/api/test_casting_lane.py`` holds the two to the same answers. Nothing else goes this way.
"""

import email.message
import json
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from api import logs
from api.body_limit import BODY_LIMIT
from api.dependencies import Services, bearer
from api.problems import (
    BadRequest,
    InternalError,
    MalformedJson,
    MalformedRequest,
    NotLoggedIn,
    TooLarge,
    answer,
)
from api.routes import ballots
from api.routes.ballots import BallotIn
from consultation.permissions import Actor
from consultation.polls.express.judging import Answers, OwnCast, Receipt
from consultation.refusals import Refusal

ROUTE = next(
    route
    for route in ballots.router.routes
    if isinstance(route, APIRoute) and route.name == "cast_ballot"
)
_ID: TypeAdapter[UUID] = TypeAdapter(UUID)
_ROLE: TypeAdapter[UUID | None] = TypeAdapter(UUID | None)
_BODY: TypeAdapter[BallotIn] = TypeAdapter(BallotIn)
_RECEIPT: TypeAdapter[Receipt] = TypeAdapter(Receipt)
"""Has the fields of ``ballots.ReceiptOut``."""
USUAL_BYTES = 1024
ID_LENGTH = 36
"""Only what is short is remembered: it is read before it is known who asks."""
_BEFORE, _AFTER = "/v1/polls/", "/ballot"
_JSON = frozenset({b"application/json", b"application/json; charset=utf-8"})
_NOTHING = object()


class WithLane(FastAPI):
    """The application, with the lane in front of all that the framework puts around a route."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        poll_id = _poll_of(scope)
        if poll_id is None:
            await super().__call__(scope, receive, send)
        else:
            scope["app"] = self
            await _serve(scope, receive, send, poll_id)


async def _serve(scope: Scope, receive: Receive, send: Send, poll_id: str) -> None:
    request_id = logs.random_hex()
    scope["statements"] = [0]  # its transaction is everybody's in it
    scope["route"] = ROUTE
    started = time.perf_counter()
    status = 500
    try:
        try:
            receipt = await _cast(scope, receive, poll_id)
        except Refusal as refusal:
            status = await _refuse(scope, receive, send, request_id, refusal)
        except Exception:
            await _refuse(scope, receive, send, request_id, InternalError())
            raise
        else:
            status = 200
            await _reply(send, request_id, receipt)
    finally:
        logs.request_done(
            request_id,
            "PUT",
            ROUTE.path,
            status=status,
            seconds=time.perf_counter() - started,
            code=scope.get("problem_code"),
            actor_id=None,  # as ``logs.UNNAMED_ROUTES`` says
        )


async def _refuse(
    scope: Scope, receive: Receive, send: Send, request_id: str, refusal: Refusal
) -> int:
    response = answer(Request(scope), refusal)
    await response(scope, receive, _with_headers(send, request_id))
    return response.status_code


def _poll_of(scope: Scope) -> str | None:
    """What stands for the poll's id in the address, if this is a ballot."""
    if scope["type"] != "http" or scope["method"] != "PUT":
        return None
    path: str = scope["path"]
    if not (path.startswith(_BEFORE) and path.endswith(_AFTER)):
        return None
    poll_id = path[len(_BEFORE) : -len(_AFTER)]
    return poll_id if poll_id and "/" not in poll_id else None


async def _cast(scope: Scope, receive: Receive, poll_id: str) -> Receipt:
    """What the request asks for, checked in the framework's order: the body's syntax, who asks,
    the shape of everything."""
    token = role = kind = once = None
    for name, value in reversed(scope["headers"]):  # of several, the first
        if name == b"authorization":
            token = value
        elif name == b"content-type":
            kind = value
        elif name == b"minyi-role":
            role = value
        elif name == b"idempotency-key":
            once = value.decode("latin-1")
    content = await _read(receive)
    usual = kind in _JSON and len(content) <= USUAL_BYTES
    answers = _usual(content) if usual else None
    body = None if answers is not None else _parsed(content, kind)

    services: Services = scope["app"].state.services
    problems: list[dict[str, str]] = []
    assignment = None
    if role is not None:
        assignment = _valid(_ROLE, role.decode("latin-1"), ("header", "minyi-role"), problems)
    if not problems:
        held = None if token is None else bearer(token.decode("latin-1"))
        if held is None:
            raise NotLoggedIn()
        claims = services.tokens.read(held)
        scope["person_id"] = claims.person_id
        await services.ended.check(claims.session_id)
    known = _known_id(poll_id) if len(poll_id) == ID_LENGTH else None
    poll = known or _valid(_ID, poll_id, ("path", "poll_id"), problems)
    if body is _NOTHING:
        problems.append({"field": "body", "problem": "missing"})
    elif answers is None:
        ballot = _valid(_BODY, body, ("body",), problems)
        answers = None if ballot is None else ballots.answers_in(ballot)
    if problems or poll is None or answers is None:
        raise MalformedRequest(fields=problems)

    cast = OwnCast(poll, scope["person_id"], answers, once)
    if assignment is not None:
        actor = Actor(person_id=cast.person_id, assignment_id=assignment)
        return await services.casts.cast_alone(cast, actor)
    return await services.casts.cast(cast)


async def _read(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadRequest()
        body += message.get("body", b"")
        if len(body) > BODY_LIMIT:
            raise TooLarge()
        if not message.get("more_body", False):
            return body


@lru_cache(maxsize=4096)
def _known_id(text: str) -> UUID | None:
    """The id of a poll as we write it; any other way is found out step by step."""
    try:
        id = UUID(text)
    except ValueError:
        return None
    return id if str(id) == text else None


@lru_cache(maxsize=256)
def _usual(body: bytes) -> Answers | None:
    """The answers in one step, if it is JSON of the right shape; what is wrong with any other is
    found out step by step. Many voters send the same bytes, which are read once."""
    try:
        return ballots.answers_in(_BODY.validator.validate_json(body))
    except ValidationError:
        return None


def _parsed(body: bytes, kind: bytes | None) -> Any:
    """JSON if the header says so; other bytes as they are, which the shape then refuses."""
    if not body:
        return _NOTHING
    if kind is None or not (kind in _JSON or _is_json(kind)):
        return body
    try:
        return json.loads(body)
    except json.JSONDecodeError:
        raise MalformedJson() from None
    except (ValueError, RecursionError):
        raise BadRequest() from None


def _is_json(kind: bytes) -> bool:
    message = email.message.Message()
    message["content-type"] = kind.decode("latin-1")
    subtype = message.get_content_subtype()
    return message.get_content_maintype() == "application" and (
        subtype == "json" or subtype.endswith("+json")
    )


def _valid(
    adapter: TypeAdapter[Any], value: Any, at: tuple[str, ...], problems: list[dict[str, str]]
) -> Any:
    try:
        return adapter.validator.validate_python(value, from_attributes=True)
    except ValidationError as invalid:
        problems += [
            {
                "field": ".".join(str(part) for part in (*at, *error["loc"])),
                "problem": error["type"],
            }
            for error in invalid.errors(include_url=False, include_context=False)
        ]
        return None


async def _reply(send: Send, request_id: str, receipt: Receipt) -> None:
    body = _RECEIPT.serializer.to_json(receipt)
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-length", str(len(body)).encode()),
                (b"content-type", b"application/json"),
                *_headers(request_id),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


def _headers(request_id: str) -> Iterable[tuple[bytes, bytes]]:
    return ((b"x-request-id", request_id.encode()), *logs.SAFE_HEADERS)


def _with_headers(send: Send, request_id: str) -> Send:
    async def send_on(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *_headers(request_id)]
        await send(message)

    return send_on
