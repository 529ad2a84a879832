"""How a connection ends, and what its end tells the client to do.

A client needs no list of codes: ``RANGES`` gives one answer for every code there can be, also for
those that we do not send yet. Of ours, 44xx say that coming again as one is will not help, but for
the exceptions that stand there; 45xx and above are our own fault.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from notifications.messages import ErrorCode


class Close(IntEnum):
    """Those that the server sends, 1002 and 1009 by the ``websockets`` library."""

    NORMAL = 1000
    BAD_PROTOCOL = 1002
    BAD_TEXT = 1007
    TOO_LARGE = 1009
    FAILED = 1011
    RESTART = 1012
    BAD_FRAME = 4400
    TOKEN = 4401
    FORBIDDEN = 4403
    TIMEOUT = 4408
    REPLACED = 4409
    RESYNC = 4410
    UPGRADE = 4426
    SLOW_DOWN = 4429


class Then(StrEnum):
    """What the client does next."""

    STAY = "stay"
    RETURN = "return"
    RETURN_AT_ONCE = "return_at_once"
    RETURN_WITHIN = "return_within"
    RETURN_AFTER = "return_after"
    REFRESH = "refresh"


THEN: dict[Then, str] = {
    Then.STAY: "Do not come again by yourself: the person has to do something first, or the "
    "program is wrong or too old.",
    Then.RETURN: "Come again after a random 0.5 to 20 seconds, growing.",
    Then.RETURN_AT_ONCE: "Come again at once; fetch afresh what is not recovered.",
    Then.RETURN_WITHIN: "Come again after a random time within the retry_within seconds of the "
    "reason; without it as for return.",
    Then.RETURN_AFTER: "Come again after the retry_after seconds of the reason; without it as for "
    "return.",
    Then.REFRESH: "Refresh the token, then come again at once; stay away if there is no new one.",
}


@dataclass(frozen=True, slots=True)
class Range:
    """Codes from ``first`` to ``last``, both included."""

    first: int
    last: int
    then: Then
    why: str


RANGES: Sequence[Range] = (
    Range(1000, 1000, Then.STAY, "it is over; come when there is a reason to"),
    Range(1001, 1001, Then.RETURN, "the server goes away"),
    Range(1002, 1003, Then.STAY, "the program breaks the protocol"),
    Range(1004, 1006, Then.RETURN, "the connection was lost"),
    Range(1007, 1010, Then.STAY, "the program sends what cannot be taken, or too much of it"),
    Range(1011, 1011, Then.RETURN, "the server has failed"),
    Range(1012, 1012, Then.RETURN_WITHIN, "the server restarts"),
    Range(1013, 2999, Then.RETURN, "of the protocol and its extensions"),
    Range(3000, 4399, Then.RETURN, "of something in between"),
    Range(4400, 4400, Then.STAY, "the program sends frames that are wrong"),
    Range(4401, 4401, Then.REFRESH, "the token, or the session, has ended"),
    Range(4402, 4407, Then.STAY, "not permitted; or choose another role"),
    Range(4408, 4408, Then.RETURN, "nothing was heard for too long"),
    Range(4409, 4409, Then.STAY, "newer connections of the same person took its place"),
    Range(4410, 4410, Then.RETURN_AT_ONCE, "it fell behind, or the log is another one"),
    Range(4411, 4428, Then.STAY, "not as it is; 4426: the program has to be updated"),
    Range(4429, 4429, Then.RETURN_AFTER, "too much, or too many"),
    Range(4430, 4499, Then.STAY, "not as it is"),
    Range(4500, 4999, Then.RETURN, "a fault of the server"),
)
"""From 1000 to 4999 without a gap, each code once."""


def after(code: int) -> Then:
    """The answer to a code that RFC 6455 allows."""
    return next(one.then for one in RANGES if one.first <= code <= one.last)


CLOSES: Mapping[ErrorCode, Close] = {
    ErrorCode.BAD_FRAME: Close.BAD_FRAME,
    ErrorCode.HELLO_FIRST: Close.BAD_FRAME,
    ErrorCode.HELLO_TWICE: Close.BAD_FRAME,
    ErrorCode.NOT_LOGGED_IN: Close.TOKEN,
    ErrorCode.TOKEN_EXPIRED: Close.TOKEN,
    ErrorCode.SESSION_ENDED: Close.TOKEN,
    ErrorCode.ROLE_NOT_HELD: Close.FORBIDDEN,
    ErrorCode.FOREIGN_ORIGIN: Close.FORBIDDEN,
    ErrorCode.HELLO_TIMEOUT: Close.TIMEOUT,
    ErrorCode.SILENT: Close.TIMEOUT,
    ErrorCode.REPLACED: Close.REPLACED,
    ErrorCode.RESYNC: Close.RESYNC,
    ErrorCode.UPGRADE_CLIENT: Close.UPGRADE,
    ErrorCode.SLOW_DOWN: Close.SLOW_DOWN,
}
"""The close that follows an error."""

RESTART = "retry_within=10"
"""Clients spread their return over so many seconds."""
