"""What clients may rely on, written to ``client-spec/`` and compared with it.

``openapi.json``: the operations. ``problems.json``: every refusal, in both languages, and what a
client should do about it. ``events.json``: every event of the live stream and of the journal.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from string import Formatter
from types import NoneType
from typing import Any, get_args
from uuid import UUID

from api.app import build_app
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
from consultation.events import every_event
from consultation.refusals import (
    AlreadyDone,
    Invalid,
    NotFound,
    NotNow,
    NotPermitted,
    Refusal,
    every_refusal,
)


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
}
EXCEPTIONS: Mapping[str, Action] = {
    "bad-cursor": Action.REFRESH,
    "idempotency-key-reused": Action.GIVE_UP,
    "role-not-held": Action.REFRESH,
}
"""Codes whose action is not that of their kind."""


def openapi() -> dict[str, Any]:
    # Nothing is opened or signed here; these never leave this function.
    settings = Settings(field_secret="-" * 32, token_key="00" * 32)  # type: ignore[arg-type]
    return build_app(settings).openapi()


def problems() -> dict[str, Any]:
    """By code: status, kind, action, facts that may come with it, and the texts."""
    openapi()  # imports all that can refuse
    return {kind.code: _problem(kind) for kind in every_refusal()}


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


DOCUMENTS = {"openapi.json": openapi, "problems.json": problems, "events.json": events}


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
