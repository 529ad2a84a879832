"""The server side of WeChat, as far as it is used: login codes, access token, phone numbers.

WeChat answers HTTP 200 to almost everything; success and failure stand in ``errcode``, which may
be missing on success, so that an answer counts as success only when the expected field is there.
Every failure becomes a ``WechatError``. Secrets and tokens travel in query strings here: no
address is ever logged, and httpx's own log of addresses is silenced.
"""

import asyncio
import json
import logging
import random
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
import structlog

logging.getLogger("httpx").disabled = True  # it writes whole addresses, with secret and token

log = structlog.get_logger("minyi")

LOGIN = "/sns/jscode2session"
STABLE_TOKEN = "/cgi-bin/stable_token"  # noqa: S105  a path
PHONE = "/wxa/business/getuserphonenumber"

BUSY = -1
TRIES = 3
EARLY = timedelta(seconds=300)
"""In its last five minutes a token may be followed by a new one; both work meanwhile."""
STALE_TOKEN = frozenset({40001, 40014, 42001})
_RID = re.compile(r"rid:\s*([0-9a-f-]{8,})")


class WechatError(Exception):
    """WeChat refused. ``rid`` is what its support asks for."""

    def __init__(self, endpoint: str, errcode: int | None = None, rid: str | None = None) -> None:
        super().__init__(f"{endpoint}: {errcode}")
        self.endpoint = endpoint
        self.errcode = errcode
        self.rid = rid


class Unavailable(WechatError):
    """No answer, no intelligible answer, busy for long, or our account there is out of order."""


class CodeInvalid(WechatError):
    """The code is unknown, too old, from another app, or not this user's."""


class CodeUsed(WechatError):
    """The login code has been exchanged before."""


class UserRestricted(WechatError):
    """WeChat takes the user for a high risk; a retry never helps."""


class TooOften(WechatError):
    """A limit per minute is reached."""


ERRORS: Mapping[int, type[WechatError]] = {
    40029: CodeInvalid,
    40003: CodeInvalid,  # an openid that does not fit the phone code
    40163: CodeUsed,
    40226: UserRestricted,
    45011: TooOften,
}
"""What a user can meet. All other codes (bad app id or secret, address not on the white list,
quota of the day, not granted) are ours to mend: ``Unavailable``, and the log has the code."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who logged in. ``session_key`` must never leave the server."""

    openid: str
    unionid: str | None
    session_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Phone:
    """A number that WeChat has checked, in two parts: ``86`` and ``199…``."""

    country_code: str
    number: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Token:
    text: str = field(repr=False)
    good_until: datetime


class Wechat:
    """One app's client. Close it when done.

    ``clock`` measures the life of the token, ``pause`` waits between tries.
    """

    def __init__(
        self,
        base_url: str,
        *,
        app_id: str,
        secret: str,
        clock: Callable[[], datetime],
        timeout: float = 5.0,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.app_id = app_id
        self._secret = secret
        self._clock = clock
        self._pause = pause
        self._token: _Token | None = None
        self._fetching = asyncio.Lock()
        secure = base_url.startswith("https://")
        self._http = httpx.AsyncClient(
            base_url=base_url,
            timeout=httpx.Timeout(timeout, connect=min(timeout, 2.0)),
            # The fake speaks plainly on loopback: no proxy, and no certificates to be read.
            trust_env=secure,
            verify=secure,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def code_to_session(self, code: str) -> Identity:
        """Exchange a login code: good for five minutes, once. Not repeatable: when the answer is
        lost, only a new code helps."""
        answer = await self._ask(
            LOGIN,
            query={
                "appid": self.app_id,
                "secret": self._secret,
                "js_code": code,
                "grant_type": "authorization_code",
            },
        )
        return Identity(
            openid=_text(LOGIN, answer, "openid"),
            unionid=answer.get("unionid") or None,
            session_key=_text(LOGIN, answer, "session_key"),
        )

    async def phone_number(self, code: str, *, openid: str) -> Phone:
        """Exchange a phone code, which must be this user's. Each success is charged."""
        body = {"code": code, "openid": openid}
        token = await self._access_token()
        try:
            answer = await self._ask(PHONE, query={"access_token": token}, body=body)
        except Unavailable as error:
            if error.errcode not in STALE_TOKEN:
                raise
            self._drop(token)
            renewed = await self._access_token()
            if renewed == token:  # WeChat stands by the token it refuses: do not loop
                raise
            answer = await self._ask(PHONE, query={"access_token": renewed}, body=body)
        info = answer.get("phone_info")
        if not isinstance(info, dict):
            raise _failed(PHONE, answer)
        watermark = info.get("watermark")
        if not isinstance(watermark, dict) or watermark.get("appid") != self.app_id:
            raise CodeInvalid(PHONE)
        return Phone(
            country_code=str(info.get("countryCode") or "86").lstrip("+"),
            number=_text(PHONE, info, "purePhoneNumber"),
        )

    async def _access_token(self) -> str:
        """The stable token in normal mode, fetched once however many ask, and kept until five
        minutes before its end. Never forced: that would kill the token of other processes."""
        async with self._fetching:
            now = self._clock()
            if self._token is not None and now < self._token.good_until:
                return self._token.text
            answer = await self._ask(
                STABLE_TOKEN,
                body={
                    "grant_type": "client_credential",
                    "appid": self.app_id,
                    "secret": self._secret,
                },
            )
            text = _text(STABLE_TOKEN, answer, "access_token")
            try:
                life = timedelta(seconds=int(answer["expires_in"]))
            except (KeyError, TypeError, ValueError):
                raise _failed(STABLE_TOKEN, answer) from None
            self._token = _Token(text, now + life - EARLY)
            return text

    def _drop(self, refused: str) -> None:
        if self._token is not None and self._token.text == refused:
            self._token = None

    async def _ask(
        self,
        endpoint: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """The answer's JSON object when its errcode is 0 or missing. Tries again, after a random
        wait, when WeChat is busy or was not reached at all: then nothing has happened there."""
        for tries_left in reversed(range(TRIES)):
            try:
                return await self._ask_once(endpoint, query, body)
            except Unavailable as error:
                if not tries_left or not (error.errcode == BUSY or isinstance(error, _NotReached)):
                    raise
            await self._pause(random.uniform(0.1, 0.5))  # noqa: S311  a wait is no secret
        raise AssertionError("the last try answers or raises")

    async def _ask_once(
        self, endpoint: str, query: Mapping[str, str] | None, body: Mapping[str, str] | None
    ) -> dict[str, Any]:
        try:
            if body is None:
                response = await self._http.get(endpoint, params=query)
            else:
                # WeChat compares raw text: no \u escapes.
                content = json.dumps(body, ensure_ascii=False).encode()
                headers = {"content-type": "application/json"}
                response = await self._http.post(
                    endpoint, params=query, content=content, headers=headers
                )
        except (httpx.ConnectError, httpx.ConnectTimeout):
            log.warning("wechat not reached", endpoint=endpoint)
            raise _NotReached(endpoint) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            log.warning("wechat failed", endpoint=endpoint, error_type=type(error).__name__)
            raise Unavailable(endpoint) from None
        try:
            answer = json.loads(response.content)  # served as text/plain, too
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not response.is_success:
            log.warning("wechat unintelligible", endpoint=endpoint, status=response.status_code)
            raise Unavailable(endpoint)
        if answer.get("errcode") not in (None, 0, "0"):
            raise _failed(endpoint, answer)
        return answer


class _NotReached(Unavailable):
    """The connection was never made."""


def _failed(endpoint: str, answer: Mapping[str, Any]) -> WechatError:
    """The error that an answer means; one without errcode lacks what it should hold."""
    found = _RID.search(str(answer.get("errmsg", "")))
    rid = found[1] if found else None
    try:
        errcode = int(answer["errcode"])
    except (KeyError, TypeError, ValueError):
        errcode = None
    log.warning("wechat refused", endpoint=endpoint, errcode=errcode, rid=rid)
    kind = Unavailable if errcode is None else ERRORS.get(errcode, Unavailable)
    return kind(endpoint, errcode, rid)


def _text(endpoint: str, answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise _failed(endpoint, answer)
    return value
