"""Refusals become RFC 9457 problems here and nowhere else."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException

from api.words import catalogue, pick_locale, say
from consultation.batching import Busy
from consultation.calendar import ENDS, minute, until
from consultation.community.queries import held_for
from consultation.permissions import Actor, Deed, RoleNotChosen
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
    if isinstance(said.get("roles"), list):
        said["roles"] = [_role(locale, one["role"], one["org"]) for one in said["roles"]]
    if "fields" in said and isinstance(said["fields"], list):
        said["fields"] = list(dict.fromkeys(_field(locale, one["field"]) for one in said["fields"]))
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


def _role(locale: str, role: str, org: str) -> str:
    return say(locale, "roles.of", {"role": say(locale, f"words.role.{role}"), "org": org})


def _field(locale: str, path: str) -> str:
    """What a person calls a field; its path where the catalogue has no word, without the numbers
    and the part of the request."""
    parts = [part for part in path.split(".")[1:] if not part.isdigit()]
    named = catalogue(locale).get(f"fields.{parts[-1]}") if parts else None
    return named or ".".join(parts) or path


class ProblemPage(Protocol):
    def __call__(
        self, problem: Problem, path: str, accept: str, locale: str
    ) -> Response | None: ...


def answer(request: Request, refusal: Refusal, page: ProblemPage | None = None) -> Response:
    locale = pick_locale(request.headers.get("accept-language"))
    problem = problem_of(refusal, locale)
    request.scope["problem_code"] = problem.code
    headers = {"content-language": locale}
    if problem.status == 401:
        headers["www-authenticate"] = "Bearer"
    if isinstance(refusal, Busy):
        headers["retry-after"] = "1"
    accept = request.headers.get("accept", "")
    shown = None if page is None else page(problem, request.url.path, accept, locale)
    if shown is not None:
        shown.headers.update(headers)
        return shown
    return JSONResponse(
        problem.model_dump(mode="json"), problem.status, headers=headers, media_type=MEDIA_TYPE
    )


async def _with_roles(request: Request, refusal: NotPermitted) -> NotPermitted:
    """A plain refusal of a deed, asked for under no role by somebody who holds one that may."""
    person_id, deed = request.scope.get("person_id"), refusal.facts.get("deed")
    if type(refusal) is not NotPermitted or person_id is None or deed not in set(Deed):
        return refusal
    if "minyi-role" in request.headers:
        return refusal
    async with request.app.state.services.db.read(Actor(person_id=person_id)) as tx:
        held = await held_for(tx, Deed(deed))
    roles = [{"id": str(one.id), "role": one.role.value, "org": org} for one, org in held]
    return RoleNotChosen(**refusal.facts, roles=roles) if roles else refusal


def install(app: FastAPI, page: ProblemPage | None = None) -> None:
    """``page``: makes a page of a problem, where people asked for one."""

    @app.exception_handler(Refusal)
    async def refused(request: Request, exc: Refusal) -> Response:
        return answer(request, exc, page)

    @app.exception_handler(NotPermitted)
    async def not_under_this_role(request: Request, exc: NotPermitted) -> Response:
        return answer(request, await _with_roles(request, exc), page)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, exc: RequestValidationError) -> Response:
        errors = exc.errors()
        if any(error["type"] == "json_invalid" for error in errors):
            return answer(request, MalformedJson(), page)
        if not request.url.path.startswith("/v1/") and errors[0]["loc"][0] == "path":
            return answer(request, NotFound(), page)  # a dead link
        fields = [
            {"field": ".".join(str(part) for part in error["loc"]), "problem": error["type"]}
            for error in errors
        ]
        return answer(request, MalformedRequest(fields=fields), page)

    @app.exception_handler(StarletteHTTPException)
    async def by_framework(request: Request, exc: StarletteHTTPException) -> Response:
        kinds: dict[int, type[Refusal]] = {
            400: BadRequest,
            404: NotFound,
            405: MethodNotAllowed,
            413: TooLarge,
        }
        return answer(request, kinds.get(exc.status_code, BadRequest)(), page)

    @app.exception_handler(Exception)
    async def broken(request: Request, exc: Exception) -> Response:
        return answer(request, InternalError(), page)
