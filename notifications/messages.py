"""What travels on the live socket and its HTTP twin: the one place for these shapes.

An event travels as its ``Envelope`` and nothing around it. Every other frame is a control frame;
its ``type`` has no dot, while an event's always has one.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from consultation.journal import Entry

MAX_STREAMS = 64
"""Streams that one connection may follow."""


class Envelope(BaseModel):
    """One event of one stream. ``seq`` rises by exactly 1 within the stream and ``epoch``; ``id``
    is the same on every stream that the event reaches."""

    model_config = ConfigDict(frozen=True)

    v: Literal[1] = 1
    stream: str
    seq: int
    id: UUID
    type: str
    ts: datetime
    data: dict[str, Any]

    @classmethod
    def of(cls, entry: Entry) -> "Envelope":
        assert entry.seq is not None, "only numbered entries travel"
        return cls(
            stream=entry.stream,
            seq=entry.seq,
            id=entry.event_id,
            type=entry.type,
            ts=entry.at,
            data=entry.data,
        )

    def frame(self) -> str:
        return self.model_dump_json()


class Reason(StrEnum):
    """Why a stream does not go on where the client left it. After any of these the client fetches
    afresh what it shows; ``not_found`` and ``too_many_streams`` are not followed at all."""

    NO_CURSOR = "no_cursor"  # the client named no place to go on from
    EPOCH = "epoch"  # the log was rebuilt, or the place is not of this log
    TOO_OLD = "too_old"
    TOO_MANY = "too_many"
    NOT_FOUND = "not_found"  # unknown, or not for this person: the answer is the same
    TOO_MANY_STREAMS = "too_many_streams"


class ErrorCode(StrEnum):
    """Why the server ends a connection with a code from 4400 on. These are stable; there may be
    more of them later."""

    BAD_FRAME = "bad-frame"  # no frame of a client, or a binary one
    HELLO_FIRST = "hello-first"
    HELLO_TWICE = "hello-twice"
    NOT_LOGGED_IN = "not-logged-in"
    TOKEN_EXPIRED = "token-expired"  # noqa: S105  a word, no token
    SESSION_ENDED = "session-ended"
    ROLE_NOT_HELD = "role-not-held"
    FOREIGN_ORIGIN = "foreign-origin"
    HELLO_TIMEOUT = "hello-timeout"
    SILENT = "silent"
    REPLACED = "replaced"  # by newer connections of the same person
    RESYNC = "resync"
    UPGRADE_CLIENT = "upgrade-client"
    SLOW_DOWN = "slow-down"  # too many frames, orders or connections


class StreamHead(BaseModel):
    """How far a stream has come. Take it *before* fetching what the stream is about: going on
    from here then misses nothing."""

    id: str
    epoch: str
    head_seq: int


class StreamState(BaseModel):
    """``recovered``: every event after the client's place follows, up to ``head_seq`` and on.
    Otherwise ``reason`` says why not, and the stream goes on live after ``head_seq``."""

    id: str
    epoch: str | None = None
    head_seq: int | None = None
    recovered: bool = False
    reason: Reason | None = None


# ---- from the client ----------------------------------------------------------------------


class _Inbound(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Cursor(_Inbound):
    """A stream, and the last event of it that the client has. Without ``epoch`` the client takes
    it on trust that its place is still of the same log."""

    id: str = Field(max_length=80)
    epoch: str | None = Field(default=None, max_length=16)
    after_seq: int | None = Field(default=None, ge=0, lt=2**31)


def _distinct(cursors: list[Cursor]) -> list[Cursor]:
    if len({cursor.id for cursor in cursors}) < len(cursors):
        raise ValueError("a stream is named twice")
    return cursors


Cursors = Annotated[list[Cursor], AfterValidator(_distinct)]


class Hello(_Inbound):
    """The first frame. ``role`` is the assignment under which the person acts, as in the
    ``Minyi-Role`` header; ``client`` names the program and its version."""

    type: Literal["hello"]
    token: str = Field(max_length=4096)
    role: UUID | None = None
    client: str = Field(default="", max_length=80)
    streams: Cursors = Field(default=[], max_length=MAX_STREAMS)


class Subscribe(_Inbound):
    """Follow more streams. A client that finds a gap in a stream sends ``resume`` for it, which
    works alike: it is answered with what comes after the place named."""

    type: Literal["subscribe", "resume"]
    streams: Cursors = Field(min_length=1, max_length=MAX_STREAMS)


class Unsubscribe(_Inbound):
    """Nothing more of these streams."""

    type: Literal["unsubscribe"]
    streams: list[Annotated[str, Field(max_length=80)]] = Field(
        min_length=1, max_length=MAX_STREAMS
    )


class Ping(_Inbound):
    """``t`` comes back in the pong; the server puts its own milliseconds there."""

    type: Literal["ping"] = "ping"
    t: int


class Pong(_Inbound):
    """Answers a ping, and renews the lease by which the person counts as present."""

    type: Literal["pong"] = "pong"
    t: int


class Away(_Inbound):
    """The program goes to the background; the server closes with 1000."""

    type: Literal["away"]


FromClient = Annotated[
    Hello | Subscribe | Unsubscribe | Ping | Pong | Away, Field(discriminator="type")
]
FROM_CLIENT: TypeAdapter[FromClient] = TypeAdapter(FromClient)


# ---- from the server ----------------------------------------------------------------------


class Welcome(BaseModel):
    """Answers hello; the missed events of the recovered streams follow, then ``live``."""

    type: Literal["welcome"] = "welcome"
    v: Literal[1] = 1
    conn_id: str
    ping_s: float
    server_time: datetime
    streams: list[StreamState]


class Subscribed(BaseModel):
    """Answers subscribe; missed events and ``live`` follow, as after welcome."""

    type: Literal["subscribed"] = "subscribed"
    streams: list[StreamState]


class Unsubscribed(BaseModel):
    """Answers unsubscribe: nothing of these streams comes after it. With ``reason`` it answers
    nothing: the person may no longer follow them."""

    type: Literal["unsubscribed"] = "unsubscribed"
    streams: list[str]
    reason: Reason | None = None


class Live(BaseModel):
    """All that was missed has been sent; what comes now has just happened."""

    type: Literal["live"] = "live"


class Volatile(BaseModel):
    """The latest value of something that changes often. It is in no log, has no number and is not
    replayed; each takes the place of the one before with the same ``stream`` and ``key``.

    ``online``: ``{count}``, people whose client was here within the last 70 seconds.
    ``turnout``: ``{heads, area_dm2}`` of an open poll, where its preset shows it before the close.
    """

    type: Literal["volatile"] = "volatile"
    stream: str
    key: Literal["online", "turnout"]
    data: dict[str, int]


class Error(BaseModel):
    """Comes before a close from 4400 on. ``code`` is also the reason of the close, but for
    ``slow-down``, where that is ``retry_after={seconds}``."""

    type: Literal["error"] = "error"
    code: ErrorCode
