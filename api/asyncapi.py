"""AsyncAPI 3.0 of the live socket, made from the same models that the socket speaks.

In AsyncAPI 3 an action is the server's: what clients say it receives, what they hear it sends.
"""

from collections.abc import Mapping
from dataclasses import fields
from datetime import date, datetime
from types import NoneType, UnionType
from typing import Any, get_args
from uuid import UUID

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.live.changes import CHANGES
from api.live.closing import CLOSES, RANGES, THEN, Close, after
from api.live.house import PATH, SUBPROTOCOL
from api.words import LOCALES, say
from consultation.events.event import Event, PollEvent, PollStep, TopicDetail, TopicEvent, UserEvent
from consultation.events.every import every_event
from notifications.messages import (
    Away,
    Envelope,
    Error,
    Hello,
    Live,
    Ping,
    Pong,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
    Volatile,
    Welcome,
)

FROM_CLIENT: tuple[type[BaseModel], ...] = (Hello, Subscribe, Unsubscribe, Ping, Pong, Away)
FROM_SERVER: tuple[type[BaseModel], ...] = (
    Welcome,
    Subscribed,
    Unsubscribed,
    Live,
    Volatile,
    Ping,
    Pong,
    Error,
)
SCHEMA = "#/components/schemas/{model}"
ID = "5f0f6c1e-7f0a-4c39-9d2b-6f2f3a1f0001"
EXAMPLES: Mapping[str, Any] = {
    "home": "桐荫苑-3-2-601",
    "channel": "electronic",
    "roll_digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "served_min": "2/3",
    "about": "post_hidden",
    "bar_reason": "stolen",
    "act": "accept",
    "answer": "confirmed",
    "escalated_to": "subdistrict_office",
    "form": "council",
    "from_state": "submitted",
    "kind": "acceptance_note",
    "method": "register",
    "reason_code": "off_topic",
    "role": "clerk",
    "roll_change": "left",
    "side": "village_committee",
    "stance": "for",
    "state": "open",
    "subject": "assisted",
    "template": "poll_opened",
    "text_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "to_state": "accepted",
    "verdict": "passed",
}
"""Of the fields of events that are text, by name."""
JSON_TYPES: Mapping[Any, Mapping[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    UUID: {"type": "string", "format": "uuid"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    NoneType: {"type": "null"},
}


def asyncapi() -> dict[str, Any]:
    messages = {_name(kind): _message(kind) for kind in (*FROM_CLIENT, *FROM_SERVER)}
    events = {kind.type: _event_message(kind) for kind in _events()}
    heard = [*map(_name, FROM_SERVER), *events]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Minyi 民议 · live",
            "version": "0.1.0",
            "description": "What happens in the streams that a client follows, as it happens. "
            "Commands go over HTTP only (openapi.json).",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "here": {
                "host": "localhost:8000",
                "protocol": "wss",
                "description": "The host of the HTTP interface.",
            }
        },
        "channels": {
            "live": {
                "address": PATH,
                "description": f"Subprotocol `{SUBPROTOCOL}`; text frames, one message each.",
                "messages": {
                    name: {"$ref": f"#/components/messages/{name}"} for name in (*messages, *events)
                },
                "bindings": {"ws": {"method": "GET"}},
                "x-close-codes": {
                    str(int(close)): {"name": close.name.lower(), "then": after(close).value}
                    for close in Close
                },
                "x-close-ranges": [
                    {"first": one.first, "last": one.last, "then": one.then.value, "why": one.why}
                    for one in RANGES
                ],
                "x-error-codes": {code.value: int(close) for code, close in CLOSES.items()},
                "x-close-answers": {then.value: text for then, text in THEN.items()},
            }
        },
        "operations": {
            "say": _operation("receive", "What a client says.", map(_name, FROM_CLIENT)),
            "hear": _operation("send", "What a client hears.", heard),
        },
        "components": {"messages": {**messages, **events}, "schemas": _schemas()},
    }


def _operation(action: str, summary: str, names: Any) -> dict[str, Any]:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": "#/channels/live"},
        "messages": [{"$ref": f"#/channels/live/messages/{name}"} for name in names],
    }


def _message(kind: type[BaseModel]) -> dict[str, Any]:
    return {
        "name": _name(kind),
        "summary": " ".join((kind.__doc__ or "").split()),
        "payload": {"$ref": SCHEMA.format(model=kind.__name__)},
    }


def _schemas() -> dict[str, Any]:
    kinds = dict.fromkeys((*FROM_CLIENT, *FROM_SERVER, Envelope))
    _, document = models_json_schema([(kind, "validation") for kind in kinds], ref_template=SCHEMA)
    schemas: dict[str, Any] = document["$defs"]
    for kind in kinds:
        # What has a fixed value is always there, in what the server sends.
        schema = schemas[kind.__name__]
        fixed = {name for name, value in schema.get("properties", {}).items() if "const" in value}
        schema["required"] = sorted({*schema.get("required", ()), *fixed})
    return schemas


# ---- events ----------------------------------------------------------------------------------


def _events() -> list[type[Event]]:
    return sorted(every_event(), key=lambda kind: kind.type)


def _event_message(kind: type[Event]) -> dict[str, Any]:
    texts = {locale: say(locale, f"live.events.{kind.type}") for locale in LOCALES}
    data = _data(kind)
    return {
        "name": kind.type,
        "title": texts["zh-CN"],
        "summary": texts["en"],
        "payload": {
            "allOf": [
                {"$ref": SCHEMA.format(model="Envelope")},
                {
                    "type": "object",
                    "properties": {
                        "type": {"const": kind.type},
                        "data": {"type": "object", "properties": data, "required": list(data)},
                    },
                },
            ]
        },
        "examples": [{"name": kind.type, "payload": example(kind)}],
        "x-streams": _streams(kind),
        "x-changes": sorted(CHANGES[kind.type]),
    }


def example(kind: type[Event]) -> dict[str, Any]:
    """A whole envelope of this event, as it may come."""
    streams = _streams(kind)
    return {
        "v": 1,
        "stream": f"{streams[0]}:{ID}",
        "seq": 42,
        "id": ID,
        "type": kind.type,
        "ts": "2026-03-11T01:00:00Z",
        "data": {field.name: _example(field.name, field.type) for field in _shown(kind)},
    }


def _streams(kind: type[Event]) -> list[str]:
    """The kinds of streams that an event of this type may come on."""
    if issubclass(kind, UserEvent):
        return ["user"]
    if issubclass(kind, PollStep):
        return ["poll", "topic", "community"]
    if issubclass(kind, PollEvent):
        return ["poll", "topic"]
    if issubclass(kind, TopicDetail):
        return ["topic"]
    return ["topic", "community"] if issubclass(kind, TopicEvent) else ["community"]


def _shown(kind: type[Event]) -> list[Any]:
    return [field for field in fields(kind) if field.name not in kind.addressing]


def _data(kind: type[Event]) -> dict[str, Any]:
    return {field.name: _schema_of(field.type) for field in _shown(kind)}


def _schema_of(kind: Any) -> dict[str, Any]:
    if isinstance(kind, UnionType):
        return {"anyOf": [dict(JSON_TYPES[one]) for one in get_args(kind)]}
    return dict(JSON_TYPES[kind])


def _example(name: str, kind: Any) -> Any:
    first = get_args(kind)[0] if isinstance(kind, UnionType) else kind
    values: Mapping[Any, Any] = {
        int: 3,
        bool: True,
        UUID: ID,
        datetime: "2026-03-20T16:00:00+00:00",
        date: "2026-03-20",
    }
    return EXAMPLES[name] if first is str else values[first]


def _name(kind: type[BaseModel]) -> str:
    return kind.__name__.lower()
