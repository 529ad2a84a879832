"""The shelf: answers that are the same for every visitor are made once and handed to all.

What is asked without a token is the public face of a topic, a community, a board. It is kept for
at most ``shared_read_seconds``, and no longer than until this process commits an event about it: a
reader sees a change at once after its own write. Requests with a token pass by and are always
answered afresh. Every answer, shared or not, has a strong ETag (RFC 9110, 8.8.3), and a phone that
has it already is told so in 304.

Costs of a kept answer do not depend on what is in the database; an old one is asked for again by
one request at a time, while the others wait for its answer.
"""

import asyncio
import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.logs import log
from api.words import pick_locale
from consultation.events import Event

_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_SHARED = re.compile(
    rf"/|/(?:c|t)/({_ID})|/v1/topics/({_ID})(?:/timeline)?|/v1/communities/({_ID})(?:/topics)?"
)
"""Paths whose answer to a visitor is public and the same for all."""
_MOST = 4096
"""Answers kept; the one that was asked for longest ago goes first."""
_LARGEST = 256 * 1024
_ROOM = 64 * 1024 * 1024
"""Bytes of bodies kept in all."""
_TOLD_EVERY = 60.0
_PERSONAL = frozenset({b"authorization", b"cookie", b"minyi-role"})

Key = tuple[str, bytes, str]
Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Kept:
    """An answer, what it is about, and until when it may be handed out."""

    status: int
    headers: Headers
    body: bytes
    tag: bytes
    stamp: int
    until: float
    about: UUID | None = None


@dataclass(slots=True)
class Shelf:
    """Kept answers. ``seconds`` of 0 keeps nothing."""

    seconds: float
    kept: OrderedDict[Key, Kept] = field(default_factory=OrderedDict)
    making: dict[Key, tuple[int, asyncio.Future[Kept | None]]] = field(default_factory=dict)
    stamps: dict[UUID, int] = field(default_factory=dict)
    clock: int = 0
    handed_out: int = 0
    size: int = 0

    def changed(self, events: Sequence[Event]) -> None:
        """Called after a commit of this process: what the events are about is no longer fresh."""
        self.clock += 1
        for event in events:
            for id in (event.community_id, getattr(event, "topic_id", None)):
                if id is not None:
                    self.stamps[id] = self.clock
        if len(self.stamps) > 16 * _MOST:
            self.stamps.clear()
            self.kept.clear()
            self.size = 0

    def stamp_of(self, about: UUID | None) -> int:
        """The home page is about everything."""
        return self.clock if about is None else self.stamps.get(about, 0)

    def fresh(self, key: Key) -> Kept | None:
        found = self.kept.get(key)
        if found is None or found.until <= time.monotonic():
            return None
        if found.stamp != self.stamp_of(found.about):
            return None
        self.handed_out += 1
        return found

    def keep(self, key: Key, answer: Kept) -> None:
        self.drop(key)
        self.kept[key] = answer
        self.size += len(answer.body)
        while len(self.kept) > _MOST or self.size > _ROOM:
            self.drop(next(iter(self.kept)))

    def drop(self, key: Key) -> None:
        old = self.kept.pop(key, None)
        if old is not None:
            self.size -= len(old.body)


class SharedReads:
    """Pure ASGI middleware, before everything else."""

    def __init__(self, app: ASGIApp, shelf_of: Callable[[], Shelf]) -> None:
        self.app = app
        self._shelf_of = shelf_of
        self._told = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        language: str | None = None
        asked: bytes | None = None
        personal = False
        for name, value in scope["headers"]:
            if name in _PERSONAL:
                personal = True
            elif name == b"if-none-match":
                asked = value
            elif name == b"accept-language":
                language = value.decode("latin-1")
        shelf = self._shelf_of()
        path = scope["path"]
        if personal or shelf.seconds <= 0 or (match := _SHARED.fullmatch(path)) is None:
            answer = await _ask(self.app, scope, receive, send)
            if answer is not None:
                await _hand_out(send, answer, asked)
            return
        key = (path, scope["query_string"], pick_locale(language))
        found = shelf.fresh(key)
        if found is None:
            id = next((part for part in match.groups() if part), None)
            found = await self._make(shelf, key, None if id is None else UUID(id), scope, receive)
            if found is None:
                return
        await _hand_out(send, found, asked)
        self._tell(shelf)

    async def _make(
        self, shelf: Shelf, key: Key, about: UUID | None, scope: Scope, receive: Receive
    ) -> Kept | None:
        """Ask the application, or wait for a request that has asked since the last change."""
        while True:
            stamp = shelf.stamp_of(about)
            under_way = shelf.making.get(key)
            if under_way is None or under_way[0] != stamp:
                break
            answer = await asyncio.shield(under_way[1])
            if answer is not None:
                return answer
        future: asyncio.Future[Kept | None] = asyncio.get_running_loop().create_future()
        shelf.making[key] = (stamp, future)
        answer = None
        try:
            answer = await _ask(self.app, scope, receive, None)
            assert answer is not None
            answer.about, answer.stamp = about, stamp
            answer.headers = [(n, v) for n, v in answer.headers if n != b"x-request-id"]
            if answer.status == 200 and len(answer.body) <= _LARGEST:
                answer.until = time.monotonic() + shelf.seconds
                shelf.keep(key, answer)
            return answer
        finally:
            if shelf.making.get(key, (0, None))[1] is future:
                del shelf.making[key]
            future.set_result(answer)

    def _tell(self, shelf: Shelf) -> None:
        """One line a minute in place of one a request."""
        now = time.monotonic()
        if now - self._told >= _TOLD_EVERY:
            self._told = now
            log.info("shared_reads", entries=shelf.handed_out)
            shelf.handed_out = 0


async def _ask(app: ASGIApp, scope: Scope, receive: Receive, through: Send | None) -> Kept | None:
    """The application's answer as a whole. With ``through``, an answer that comes in parts is
    passed on as it comes, and None says that it has been."""
    start: Message | None = None
    parts: list[bytes] = []
    passed_on = False

    async def hear(message: Message) -> None:
        nonlocal start, passed_on
        if passed_on:
            assert through is not None
            await through(message)
        elif message["type"] == "http.response.start":
            start = message
        else:
            parts.append(message.get("body", b""))
            if message.get("more_body") and through is not None and start is not None:
                passed_on = True
                await through(start)
                await through(message)

    await app(scope, receive, hear)
    if passed_on:
        return None
    assert start is not None
    body = b"".join(parts)
    headers = [(n, v) for n, v in start["headers"] if n != b"content-length"]
    tag = b'"' + hashlib.sha256(body).hexdigest()[:24].encode() + b'"'
    if start["status"] == 200:
        names = {name for name, _ in headers}
        headers.append((b"etag", tag))
        headers.append((b"vary", b"accept-language, authorization, minyi-role"))
        if b"cache-control" not in names:
            headers.append((b"cache-control", b"no-cache"))
    return Kept(start["status"], headers, body, tag, 0, 0.0)


async def _hand_out(send: Send, answer: Kept, asked: bytes | None) -> None:
    if answer.status == 200 and asked is not None and _names(asked, answer.tag):
        headers = [(n, v) for n, v in answer.headers if n != b"content-type"]
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return
    length = (b"content-length", str(len(answer.body)).encode())
    headers = [*answer.headers, length]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def _names(asked: bytes, tag: bytes) -> bool:
    """If-None-Match compares weakly (RFC 9110, 13.1.2)."""
    if asked == tag:
        return True
    names = (one.strip().removeprefix(b"W/") for one in asked.split(b","))
    return any(one in (tag, b"*") for one in names)
