"""What WeChat pushes, read leniently: JSON or XML, one ``List`` or several, numbers as text, keys
with a space before them. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from xml.parsers import expat

DEPTH = 8


class Unreadable(Exception):
    """Neither a JSON object nor plain XML."""


@dataclass(frozen=True, slots=True)
class Event:
    """``name`` is empty for what is no event. ``openid`` is whom it is about, ``at`` when it
    happened by WeChat's clock."""

    name: str
    openid: str
    at: datetime | None
    data: Mapping[str, Any]

    def items(self) -> Iterator[Mapping[str, Any]]:
        """The entries of its ``List``: top level in JSON, wrapped in XML; one is no array."""
        found = self.data.get("List")
        if found is None:
            wrapper = next(
                (v for v in self.data.values() if isinstance(v, dict) and "List" in v), {}
            )
            found = wrapper.get("List")
        for item in found if isinstance(found, list) else [found]:
            if isinstance(item, dict):
                yield item


def event_of(body: bytes) -> Event:
    """Unreadable if it cannot be read at all."""
    data = read(body)
    return Event(
        name=text(data, "Event") if text(data, "MsgType").lower() == "event" else "",
        openid=text(data, "OpenID") or text(data, "FromUserName"),
        at=_time(data.get("CreateTime")),
        data=data,
    )


def text(data: Mapping[str, Any], key: str) -> str:
    """A value as text, whatever it came as; empty if it is not there."""
    value = data.get(key)
    return "" if value is None or isinstance(value, dict | list) else str(value)


def number(data: Mapping[str, Any], key: str) -> int | None:
    try:
        return int(text(data, key))
    except ValueError:
        return None


def _time(value: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def read(body: bytes) -> dict[str, Any]:
    """The object that a body holds, its keys without white space around them."""
    start = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    try:
        found = json.loads(body) if start == b"{" else _xml(body)
    except (ValueError, RecursionError, expat.ExpatError):
        raise Unreadable from None
    if not isinstance(found, dict):
        raise Unreadable
    return _stripped(found)


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key).strip(): _stripped(inner) for key, inner in value.items()}
    return [_stripped(inner) for inner in value] if isinstance(value, list) else value


def _xml(body: bytes) -> Any:
    """Elements become texts or objects, repeated ones lists. A document type, and so an entity of
    its own, is refused before anything is expanded."""
    root: dict[str, Any] = {}
    stack: list[tuple[dict[str, Any], list[str]]] = [(root, [])]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(stack) > DEPTH:
            raise ValueError("too deep")
        stack.append(({}, []))

    def end(name: str) -> None:
        children, texts = stack.pop()
        value: Any = children or "".join(texts).strip()
        parent = stack[-1][0]
        if name not in parent:
            parent[name] = value
        elif isinstance(parent[name], list):
            parent[name].append(value)
        else:
            parent[name] = [parent[name], value]

    def characters(data: str) -> None:
        stack[-1][1].append(data)

    def refuse(*anything: object) -> None:
        raise ValueError("a document type")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(body, True)
    return root.get("xml")
