"""How a connection ends, and what its end tells the client to do."""

from enum import IntEnum


class Close(IntEnum):
    """1000 nothing; 1012 come again within the seconds named; 44xx as ``AFTER`` says; any other
    code: come again after a random 0.5 to 20 seconds."""

    NORMAL = 1000
    BAD_TEXT = 1007
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


AFTER: dict[int, str] = {
    Close.NORMAL: "stay away until there is a reason to come",
    Close.RESTART: "come again after a random time within retry_within seconds",
    Close.BAD_FRAME: "stay away: the program is wrong",
    Close.TOKEN: "refresh the token, then come again at once",
    Close.FORBIDDEN: "stay away, or choose another role",
    Close.TIMEOUT: "come again after a random 0.5 to 20 seconds",
    Close.REPLACED: "stay away: newer connections of the same person took its place",
    Close.RESYNC: "come again at once; fetch afresh what is not recovered",
    Close.UPGRADE: "stay away until the program was updated",
    Close.SLOW_DOWN: "come again after retry_after seconds",
}
RESTART = "retry_within=10"
"""Clients spread their return over so many seconds."""
