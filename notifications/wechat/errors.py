"""What WeChat's refusals mean. It answers HTTP 200 to almost everything; success and failure stand
in ``errcode``, which may be missing on success."""

import re
from collections.abc import Mapping
from typing import Any

import structlog

log = structlog.get_logger("minyi")

BUSY = -1
UNFIT = 47003
STALE_TOKEN = frozenset({40001, 40014, 42001})
_RID = re.compile(r"rid:\s*([0-9a-f-]{8,})")
_KEY = re.compile(r"\bdata\.([a-z_]{1,20}[0-9]{1,3})\.value\b")
"""The key of a template whose value WeChat does not take; the value itself is never repeated."""


class WechatError(Exception):
    """WeChat refused. ``rid`` is what its support asks for."""

    def __init__(self, endpoint: str, errcode: int | None = None, rid: str | None = None) -> None:
        super().__init__(f"{endpoint}: {errcode}")
        self.endpoint = endpoint
        self.errcode = errcode
        self.rid = rid


class Unavailable(WechatError):
    """No answer, no intelligible answer, busy for long, or our account there is out of order."""


class NotReached(Unavailable):
    """The connection was never made: nothing has happened there."""


class Overused(Unavailable):
    """A quota of the day or of the minute is used up; later it works again."""


class CodeInvalid(WechatError):
    """The code is unknown, too old, from another app, or not this user's."""


class CodeUsed(WechatError):
    """The login code has been exchanged before."""


class UserRestricted(WechatError):
    """WeChat takes the user for a high risk; a retry never helps."""


class SnapshotUser(WechatError):
    """A virtual user of a preview page (快照页): nobody in particular, and never a voter."""


class TooOften(WechatError):
    """A limit per minute is reached."""


class NoSubscription(WechatError):
    """The user refused, never subscribed, or has used up what they accepted."""


class Faulty(WechatError):
    """What we sent breaks a rule of the interface: ours to mend, and no retry helps."""


class NoRecentVisit(WechatError):
    """The user has not been in the app within the last two hours or so."""


ERRORS: Mapping[int, type[WechatError]] = {
    40003: CodeInvalid,  # an openid that does not fit the phone code, or that nobody has
    40029: CodeInvalid,
    40163: CodeUsed,
    40226: UserRestricted,
    45011: TooOften,
    43101: NoSubscription,
    UNFIT: Faulty,
    40037: Faulty,
    41030: Faulty,
    40129: Faulty,
    40165: Faulty,
    40212: Faulty,
    85079: Faulty,
    85401: Faulty,
    61010: NoRecentVisit,
    45009: Overused,
    44990: Overused,
    44991: Overused,
}
"""Codes with a meaning of their own. All others (bad app id or secret, address not on the white
list, not granted) are ours to mend: ``Unavailable``, and the log has the code."""


def failed(endpoint: str, answer: Mapping[str, Any]) -> WechatError:
    """The error that an answer means; one without errcode lacks what it should hold."""
    found = _RID.search(str(answer.get("errmsg", "")))
    rid = found[1] if found else None
    try:
        errcode = int(answer["errcode"])
    except (KeyError, TypeError, ValueError):
        errcode = None
    if errcode == UNFIT:
        key = _KEY.search(str(answer.get("errmsg", "")))
        log.error("wechat value refused", endpoint=endpoint, rid=rid, key=key[1] if key else None)
    log.warning("wechat refused", endpoint=endpoint, errcode=errcode, rid=rid)
    kind = Unavailable if errcode is None else ERRORS.get(errcode, Unavailable)
    return kind(endpoint, errcode, rid)


def text_of(endpoint: str, answer: Mapping[str, Any], name: str) -> str:
    """A field that must hold text; the answer's error if it does not."""
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise failed(endpoint, answer)
    return value
