"""The shelf: answers that are the same for every visitor are made once and handed to all.

What is asked without a token is the public face of a topic, a community, a board. It is kept for
at most ``shared_read_seconds``, and no longer than until this process commits an event about it,
or hears of one from another process. Requests with a token pass by and are always answered afresh.
Every answer, shared or not, has a strong ETag (RFC 9110, 8.8.3), and a phone that has it already
is told so in 304.

A reader sees a change at once after its own write, in whichever process either happened: it names
the write in ``Minyi-After`` (the ``X-Request-Id`` of the command's answer), and no answer that was
begun before this process first heard that name is good enough. No clocks are compared, and no news
between processes need arrive.

Costs of a kept answer do not depend on what is in the database; an old one is asked for again by
one request at a time, while the others wait for its answer.
"""

import asyncio
import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.logs import log
from api.words import pick_locale
from consultation.events.event import Event
from notifications.bus import Bus

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
_MARKS = 16384
"""Names of writes remembered; one that is forgotten and comes again costs a reading."""
_MARK = re.compile(rb"[0-9a-f]{32}")
_NEWS = "changed"
_TOLD_EVERY = 60.0
_PERSONAL = frozenset({b"authorization", b"cookie", b"minyi-role"})


def is_shared(path: str) -> bool:
    """Whether a visitor's answer at this path may be kept."""
    return _SHARED.fullmatch(path) is not None


Key = tuple[str, bytes, str]
Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Kept:
    """An answer, what it is about, when by the shelf's count it was begun, and until when it may
    be handed out."""

    status: int
    headers: Headers
    body: bytes
    tag: bytes
    began: int
    until: float
    about: str | None = None


@dataclass(slots=True)
class Shelf:
    """Kept answers. ``seconds`` of 0 keeps nothing. ``count`` goes up by one with everything that
    this process hears: a commit of its own, news of another process, the name of a write."""

    seconds: float
    kept: OrderedDict[Key, Kept] = field(default_factory=OrderedDict)
    making: dict[Key, tuple[int, asyncio.Future[Kept | None]]] = field(default_factory=dict)
    changes: dict[str, int] = field(default_factory=dict)
    marks: OrderedDict[bytes, int] = field(default_factory=OrderedDict)
    count: int = 0
    last_change: int = 0
    floor: int = 0
    handed_out: int = 0
    size: int = 0
    _bus: Bus | None = None

    def join(self, bus: Bus) -> None:
        """Tell the other processes of changes, and hear of theirs."""
        if not bus.shared:
            return
        self._bus = bus
        bus.on(_NEWS, self._hear)
        bus.on_return(self.forget_all)

    def changed(self, events: Sequence[Event]) -> None:
        """Called after a commit of this process: what the events are about is no longer fresh."""
        ids = {
            str(id)
            for event in events
            for id in (event.community_id, getattr(event, "topic_id", None))
            if id is not None
        }
        self._change(ids)
        if self._bus is not None:
            self._bus.tell(_NEWS, ids=sorted(ids))

    def _hear(self, message: dict[str, Any]) -> None:
        self._change(message["ids"])

    def _change(self, ids: Iterable[str]) -> None:
        self.count += 1
        self.last_change = self.count
        self.changes.update(dict.fromkeys(ids, self.count))
        if len(self.changes) > 16 * _MOST:
            self.forget_all()

    def forget_all(self) -> None:
        """Nothing that is kept or under way is good enough any more."""
        self.count += 1
        self.floor = self.last_change = self.count
        self.changes.clear()
        self.kept.clear()
        self.size = 0

    def needed(self, about: str | None, mark: bytes | None) -> int:
        """When an answer must have been begun at the earliest. The home page is about
        everything."""
        changed = self.last_change if about is None else self.changes.get(about, 0)
        return max(self.floor, changed, 0 if mark is None else self._heard(mark))

    def _heard(self, mark: bytes) -> int:
        """When this process first heard of a write."""
        if mark not in self.marks:
            self.count += 1
            self.marks[mark] = self.count
            if len(self.marks) > _MARKS:
                self.marks.popitem(last=False)
        return self.marks[mark]

    def fresh(self, key: Key, needed: int) -> Kept | None:
        found = self.kept.get(key)
        if found is None or found.until <= time.monotonic() or found.began < needed:
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
        mark: bytes | None = None
        personal = False
        for name, value in scope["headers"]:
            if name in _PERSONAL:
                personal = True
            elif name == b"if-none-match":
                asked = value
            elif name == b"accept-language":
                language = value.decode("latin-1")
            elif name == b"minyi-after" and _MARK.fullmatch(value):
                mark = value
        shelf = self._shelf_of()
        path = scope["path"]
        if personal or shelf.seconds <= 0 or (match := _SHARED.fullmatch(path)) is None:
            answer = await _ask(self.app, scope, receive, send)
            if answer is not None:
                await _hand_out(send, answer, asked)
            return
        key = (path, scope["query_string"], pick_locale(language))
        about = next((part for part in match.groups() if part), None)
        found = shelf.fresh(key, shelf.needed(about, mark))
        if found is None:
            found = await self._make(shelf, key, about, mark, scope, receive)
        await _hand_out(send, found, asked)
        self._tell(shelf)

    async def _make(
        self,
        shelf: Shelf,
        key: Key,
        about: str | None,
        mark: bytes | None,
        scope: Scope,
        receive: Receive,
    ) -> Kept:
        """Ask the application, or wait for a request that asks late enough."""
        while True:
            under_way = shelf.making.get(key)
            if under_way is None or under_way[0] < shelf.needed(about, mark):
                break
            answer = await asyncio.shield(under_way[1])
            if answer is not None:
                return answer
        future: asyncio.Future[Kept | None] = asyncio.get_running_loop().create_future()
        began = shelf.count
        shelf.making[key] = (began, future)
        answer = None
        try:
            answer = await _ask(self.app, scope, receive, None)
            assert answer is not None
            answer.about, answer.began = about, began
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
