"""What clients may rely on, written to ``client-spec/`` and compared with it.

``openapi.json``: the operations. ``problems.json``: every refusal, in both languages, and what a
client should do about it. ``events.json``: every event of the live stream and of the journal.
``words.json``: what to call the values of the enums. ``asyncapi.json``: the live socket.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import date, datetime
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from string import Formatter
from types import NoneType
from typing import Any, get_args
from uuid import UUID

import api
import consultation
import notifications
from api.app import build_app
from api.asyncapi import asyncapi
from api.problems import (
    STATUS,
    BadRequest,
    InternalError,
    MethodNotAllowed,
    NotLoggedIn,
    TooLarge,
    TooManyRequests,
    Unavailable,
    status_of,
)
from api.settings import Settings
from api.words import LOCALES, catalogue
from consultation.batching import Busy
from consultation.events.every import every_event
from consultation.refusals import (
    AlreadyDone,
    Invalid,
    NotFound,
    NotNow,
    NotPermitted,
    Refusal,
    every_refusal,
)

PACKAGES = (api, notifications, consultation)


class Action(StrEnum):
    """What a client should do when it meets a problem."""

    RETRY = "retry"  # the same request again, later, with the same Idempotency-Key
    LOG_IN = "log_in"  # refresh the access token, or log in
    FIX_INPUT = "fix_input"  # show it to the person, who changes what they entered
    REFRESH = "refresh"  # load again what the screen shows: it has moved on
    GIVE_UP = "give_up"  # show it; no request will help


ACTIONS: Mapping[type[Refusal], Action] = {
    BadRequest: Action.GIVE_UP,
    NotLoggedIn: Action.LOG_IN,
    NotPermitted: Action.GIVE_UP,
    NotFound: Action.REFRESH,
    MethodNotAllowed: Action.GIVE_UP,
    NotNow: Action.REFRESH,
    AlreadyDone: Action.REFRESH,
    TooLarge: Action.FIX_INPUT,
    Invalid: Action.FIX_INPUT,
    TooManyRequests: Action.RETRY,
    InternalError: Action.RETRY,
    Unavailable: Action.RETRY,
    Busy: Action.RETRY,
}
EXCEPTIONS: Mapping[str, Action] = {
    "account-joined": Action.LOG_IN,
    "bad-cursor": Action.REFRESH,
    "idempotency-key-reused": Action.GIVE_UP,
    "login-code-invalid": Action.LOG_IN,
    "login-code-used": Action.LOG_IN,
    "login-state-invalid": Action.LOG_IN,
    "role-not-held": Action.REFRESH,
}
"""Codes whose action is not that of their kind."""


def openapi() -> dict[str, Any]:
    # Nothing is opened or signed here; these never leave this function.
    settings = Settings(field_secret="-" * 32, token_key="00" * 32, board_key="00" * 32)  # type: ignore[arg-type]
    return build_app(settings).openapi()


def refusals() -> list[type[Refusal]]:
    """Every refusal of the program, whether a route or only the command line meets it."""
    for package in PACKAGES:
        for module in walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" not in module.name:
                import_module(module.name)
    ours = tuple(f"{package.__name__}." for package in PACKAGES)
    return [kind for kind in every_refusal() if kind.__module__.startswith(ours)]


def problems() -> dict[str, Any]:
    """By code: status, kind, action, facts that may come with it, and the texts."""
    return {kind.code: _problem(kind) for kind in refusals()}


def _problem(kind: type[Refusal]) -> dict[str, Any]:
    parent = next(parent for parent in kind.__mro__ if parent in STATUS)
    texts = {
        part: {locale: catalogue(locale)[f"problems.{kind.code}.{part}"] for locale in LOCALES}
        for part in ("title", "detail")
    }
    return {
        "status": status_of(kind),
        "kind": parent.code,
        "action": EXCEPTIONS.get(kind.code, ACTIONS[parent]).value,
        "facts": sorted(
            {
                fact
                for part in texts.values()
                for text in part.values()
                for fact in placeholders(text)
            }
        ),
        **texts,
    }


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def words() -> dict[str, Any]:
    """By enum, in snake_case, and value: the word in each language."""
    groups: dict[str, dict[str, dict[str, str]]] = {}
    for key in catalogue(LOCALES[0]):
        match key.split("."):
            case ["words", enum, value]:
                texts = {locale: catalogue(locale)[key] for locale in LOCALES}
                groups.setdefault(enum, {})[value] = texts
    return groups


def events() -> dict[str, Any]:
    """By type: the fields of ``data`` with their JSON types or string formats."""
    return {
        kind.type: {
            field.name: _json_type(field.type)
            for field in fields(kind)
            if field.name not in kind.addressing
        }
        for kind in every_event()
    }


JSON_TYPES: Mapping[Any, str] = {
    str: "string",
    int: "integer",
    bool: "boolean",
    UUID: "uuid",
    datetime: "date-time",
    date: "date",
    NoneType: "null",
}


def _json_type(kind: Any) -> str:
    return " | ".join(JSON_TYPES[one] for one in get_args(kind) or (kind,))


DOCUMENTS = {
    "asyncapi.json": asyncapi,
    "openapi.json": openapi,
    "problems.json": problems,
    "events.json": events,
    "words.json": words,
}


def written(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def stale(folder: Path) -> list[str]:
    """The names of the files that are not as they should be."""
    return [
        name
        for name, make in DOCUMENTS.items()
        if not (folder / name).is_file() or (folder / name).read_text("utf-8") != written(make())
    ]


def export(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in DOCUMENTS.items():
        (folder / name).write_text(written(make()), "utf-8")
