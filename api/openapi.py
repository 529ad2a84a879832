"""The OpenAPI document, with what FastAPI cannot know: one problem for every refusal, who must be
logged in, and headers written once."""

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from api.dependencies import actor, actor_or_nobody
from api.problems import MEDIA_TYPE, STATUS_TEXTS, Problem
from api.routes import ROUTERS
from api.shared_reads import is_shared

METHODS = ("get", "put", "post", "delete", "patch")
HEADERS = {
    "idempotency-key": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": "New for each command, the same on a retry, which then gets the first "
        "answer (with the header Idempotent-Replay) and does nothing twice.",
        "schema": {"type": "string", "minLength": 8, "maxLength": 80},
    },
    "accept-language": {
        "name": "Accept-Language",
        "in": "header",
        "required": False,
        "description": "zh-CN (the default) or en: the language of words in the answer.",
        "schema": {"type": "string"},
    },
    "minyi-role": {
        "name": "Minyi-Role",
        "in": "header",
        "required": False,
        "description": "Id of the role assignment under which the person acts; "
        "without it they act as a resident.",
        "schema": {"type": "string", "format": "uuid"},
    },
    "minyi-after": {
        "name": "Minyi-After",
        "in": "header",
        "required": False,
        "description": "The X-Request-Id of the client's last command: the answer is not older.",
        "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    },
}
COMPONENT = {
    "accept-language": "AcceptLanguage",
    "idempotency-key": "IdempotencyKey",
    "minyi-role": "MinyiRole",
    "minyi-after": "MinyiAfter",
}

ANY_ID = re.compile(r"\{\w+\}")
PAGE = re.compile(r'\bPage_(\w+?)(?:Out)?_"')
"""How a generic model is named: ``Page_TopicOut_`` becomes ``TopicPage``."""

FORM = re.compile(r'\bBody_(\w+)"')
"""How the form of an operation is named: ``Body_add_photo`` becomes ``AddPhotoForm``."""


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def describe(app: FastAPI) -> None:
    """Make ``app.openapi()`` and ``/openapi.json`` answer with the edited document."""
    raw = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _edited(raw())
        return app.openapi_schema

    app.openapi = document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and operation object of each operation."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield method, path, item[method]


def _edited(document: dict[str, Any]) -> dict[str, Any]:
    named = PAGE.sub(r'\1Page"', json.dumps(document))
    document = json.loads(FORM.sub(lambda form: _camel(form[1]) + 'Form"', named))
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
    components["parameters"] = {COMPONENT[name]: HEADERS[name] for name in HEADERS}
    components["securitySchemes"] = {
        "accessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    components["responses"] = {
        f"Problem{status}": {
            "description": text,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, text in STATUS_TEXTS.items()
    }
    security = dict(_security())
    for method, path, operation in operations(document):
        for status in STATUS_TEXTS:
            operation["responses"][str(status)] = {
                "$ref": f"#/components/responses/Problem{status}"
            }
        if operation["operationId"] in security:
            operation["security"] = security[operation["operationId"]]
        parameters = [
            {"$ref": f"#/components/parameters/{COMPONENT[parameter['name']]}"}
            if parameter["in"] == "header" and parameter["name"] in COMPONENT
            else parameter
            for parameter in operation.get("parameters", ())
            if parameter["name"] != "authorization"
        ]
        if method == "get" and is_shared(ANY_ID.sub(str(UUID(int=0)), path)):
            parameters.append({"$ref": f"#/components/parameters/{COMPONENT['minyi-after']}"})
        if parameters:
            operation["parameters"] = parameters
    return document


def _security() -> Iterator[tuple[str, list[dict[str, list[str]]]]]:
    for router in ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute):
                calls = set(_calls(route.dependant))
                if actor in calls:
                    yield route.name, [{"accessToken": []}]
                elif actor_or_nobody in calls:
                    yield route.name, [{}, {"accessToken": []}]


def _calls(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for below in dependant.dependencies:
        yield from _calls(below)
