"""Refusals become RFC 9457 problems here and nowhere else."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException

from api.words import catalogue, pick_locale, say
from consultation.batching import Busy
from consultation.calendar import ENDS, minute, until
from consultation.refusals import AlreadyDone, Invalid, NotFound, NotNow, NotPermitted, Refusal

MEDIA_TYPE = "application/problem+json"


class NotLoggedIn(Refusal):
    """No access token, or one that does not hold."""

    code = "not-logged-in"


class BadRequest(Refusal):
    """The request cannot be read."""

    code = "bad-request"


class MalformedJson(BadRequest):
    code = "malformed-json"


class MethodNotAllowed(Refusal):
    code = "method-not-allowed"


class TooLarge(Refusal):
    code = "request-too-large"


class TooManyRequests(Refusal):
    """A limit per minute is reached; waiting is right."""

    code = "too-many-requests"


class Unavailable(Refusal):
    """Something we depend on does not answer; trying again later is right."""

    code = "temporarily-unavailable"


class InternalError(Refusal):
    code = "internal-error"


class MalformedRequest(Invalid):
    """The body or a parameter has not the promised shape; ``fields`` says where and how."""

    code = "malformed-request"


STATUS: Mapping[type[Refusal], int] = {
    BadRequest: 400,
    NotLoggedIn: 401,
    NotPermitted: 403,
    NotFound: 404,
    MethodNotAllowed: 405,
    NotNow: 409,
    AlreadyDone: 409,
    TooLarge: 413,
    Invalid: 422,
    TooManyRequests: 429,
    InternalError: 500,
    Unavailable: 503,
    Busy: 503,
}


class Problem(BaseModel):
    """RFC 9457 problem details. ``code`` is stable; ``title`` and ``detail`` are in the language
    of Accept-Language (zh-CN or en); ``facts`` are the values behind the detail."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    facts: dict[str, Any]


STATUS_TEXTS: Mapping[int, str] = {
    400: "The request cannot be read",
    401: "Not logged in",
    403: "Not permitted",
    404: "Not found, or not visible",
    409: "Not now, or already done",
    413: "Too large",
    422: "Breaks a rule",
    429: "Too many requests",
    503: "Temporarily unavailable",
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": text} for status, text in STATUS_TEXTS.items()
}


def status_of(kind: type[Refusal]) -> int:
    for parent in kind.__mro__:
        if parent in STATUS:
            return STATUS[parent]
    raise LookupError(kind)


def problem_of(refusal: Refusal, locale: str) -> Problem:
    return Problem(
        type=f"/problems/{refusal.code}",
        title=say(locale, f"problems.{refusal.code}.title", refusal.facts),
        status=status_of(type(refusal)),
        detail=say(locale, f"problems.{refusal.code}.detail", _in_words(locale, refusal)),
        code=refusal.code,
        facts=dict(refusal.facts),
    )


def _in_words(locale: str, refusal: Refusal) -> Mapping[str, Any]:
    """The same facts as a person reads them: times in Shanghai, what a gate misses, and what the
    state that refuses means for the next step (``states.<code>.<state>``)."""
    texts = catalogue(locale)
    said: dict[str, Any] = dict(refusal.facts)
    for name, value in refusal.facts.items():
        if name.endswith(("_at", "_until")) and isinstance(value, str):
            at = datetime.fromisoformat(value)
            said[name] = until(at) if name in ENDS else minute(at)
    if "state" in said:
        said["state"] = texts.get(f"states.{refusal.code}.{said['state']}", said["state"])
    if "gate" in said and isinstance(said.get("missing"), list):
        said["missing"] = [_missing(locale, said["gate"], item) for item in said["missing"]]
    return said


def _missing(locale: str, gate: str, item: str) -> str:
    """A condition in words; or, where a gate names groups or forms, what about them."""
    texts = catalogue(locale)
    if (own := texts.get(f"words.missing.{gate}.{item}")) is not None:
        return own
    named = texts.get(f"words.meeting_form.{item}", item)
    return say(locale, key, {"item": named}) if (key := f"gates.{gate}") in texts else named


def answer(request: Request, refusal: Refusal) -> JSONResponse:
    locale = pick_locale(request.headers.get("accept-language"))
    problem = problem_of(refusal, locale)
    request.scope["problem_code"] = problem.code
    headers = {"content-language": locale}
    if problem.status == 401:
        headers["www-authenticate"] = "Bearer"
    if isinstance(refusal, Busy):
        headers["retry-after"] = "1"
    return JSONResponse(
        problem.model_dump(mode="json"), problem.status, headers=headers, media_type=MEDIA_TYPE
    )


def install(app: FastAPI) -> None:
    @app.exception_handler(Refusal)
    async def refused(request: Request, exc: Refusal) -> JSONResponse:
        return answer(request, exc)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, exc: RequestValidationError) -> JSONResponse:
        errors = exc.errors()
        if any(error["type"] == "json_invalid" for error in errors):
            return answer(request, MalformedJson())
        fields = [
            {"field": ".".join(str(part) for part in error["loc"]), "problem": error["type"]}
            for error in errors
        ]
        return answer(request, MalformedRequest(fields=fields))

    @app.exception_handler(StarletteHTTPException)
    async def by_framework(request: Request, exc: StarletteHTTPException) -> JSONResponse:
        kinds: dict[int, type[Refusal]] = {
            400: BadRequest,
            404: NotFound,
            405: MethodNotAllowed,
            413: TooLarge,
        }
        return answer(request, kinds.get(exc.status_code, BadRequest)())

    @app.exception_handler(Exception)
    async def broken(request: Request, exc: Exception) -> JSONResponse:
        return answer(request, InternalError())
