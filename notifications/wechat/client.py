"""Carries requests to WeChat's server, with the access token that most of them need.

Secrets and tokens travel in query strings here: no address is ever logged, and httpx's own log of
addresses is silenced. ``notifications/wechat/errors.py`` says what the answers mean.
"""

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx

from notifications.wechat.errors import (
    BUSY,
    STALE_TOKEN,
    NotReached,
    Unavailable,
    WechatError,
    failed,
    log,
    text_of,
)
from notifications.wechat.templates import TemplateSpec

logging.getLogger("httpx").disabled = True  # it writes whole addresses, with secret and token

STABLE_TOKEN = "/cgi-bin/stable_token"  # noqa: S105  a path

TRIES = 3
EARLY = timedelta(seconds=300)
"""In its last five minutes a token may be followed by a new one; both work meanwhile."""
SPREAD = timedelta(seconds=60)
"""Processes fetch the next token up to a minute apart, and keep any token for a minute."""
LULL = timedelta(seconds=2)
"""After a token could not be fetched nobody tries again for so long: who asks hears the same."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What WeChat's pages say today; the settings have the numbers."""

    text_characters: int = 2500
    prompt_templates: int = 3
    """Template ids in one call of wx.requestSubscribeMessage."""
    credits_wanted: int = 2
    """Below so many credits the client asks again."""
    accept_window_hours: int = 24
    """A report of the client and an event of WeChat this far apart may be the same accept."""
    link_days: int = 30
    miniprogram_state: str = "formal"
    env_version: str = "release"
    code_width: int = 430


@dataclass(frozen=True, slots=True)
class _Token:
    text: str = field(repr=False)
    good_until: datetime


class Wechat:
    """One app's client. Close it when done.

    ``clock`` measures the life of the token, ``pause`` waits between tries, ``draw`` picks a
    number between two. ``templates`` are the subscription templates of the app by name.
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
        draw: Callable[[float, float], float] = random.uniform,
        limits: Limits | None = None,
        templates: Mapping[str, TemplateSpec] | None = None,
    ) -> None:
        self.app_id = app_id
        self.limits = limits or Limits()
        self.templates = templates or {}
        self._secret = secret
        self._clock = clock
        self._pause = pause
        self._draw = draw
        self._token: _Token | None = None
        self._fetching: asyncio.Task[str] | None = None
        self._failed: tuple[WechatError, datetime] | None = None
        self._whole = 2 * timeout  # an answer that drips in never times out by itself
        self._longest = 4 * timeout  # token and tries and all
        secure = base_url.startswith("https://")
        self._http = httpx.AsyncClient(
            base_url=base_url,
            timeout=httpx.Timeout(timeout, connect=min(timeout, 2.0)),
            # The fake speaks plainly on loopback: no proxy, and no certificates to be read.
            trust_env=secure,
            verify=secure,
        )

    async def close(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
        await self._http.aclose()

    def app_and_secret(self) -> dict[str, str]:
        """What the endpoints ask for that need no access token."""
        return {"appid": self.app_id, "secret": self._secret}

    async def ask(
        self,
        endpoint: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The answer's JSON object when its errcode is 0 or missing; GET without a body. Tries
        again, after a random wait, when WeChat is busy or was not reached at all: then nothing has
        happened there."""
        answer = await self._persist(endpoint, query, body)
        if isinstance(answer, bytes):
            log.warning("wechat unintelligible", endpoint=endpoint)
            raise Unavailable(endpoint)
        return answer

    async def ask_with_token(
        self,
        endpoint: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """As ``ask``, with the access token. A token that is refused is replaced once."""
        answer = await self._with_token(endpoint, query, body)
        if isinstance(answer, bytes):
            log.warning("wechat unintelligible", endpoint=endpoint)
            raise Unavailable(endpoint)
        return answer

    async def fetch_with_token(self, endpoint: str, *, body: Mapping[str, Any]) -> bytes:
        """As ``ask_with_token``, where success is an image and only a failure is JSON."""
        answer = await self._with_token(endpoint, None, body)
        if not isinstance(answer, bytes):
            raise failed(endpoint, answer)
        return answer

    async def access_token(self) -> str:
        """The stable token in normal mode, fetched once however many ask, and kept until five
        minutes before its end; who waits for one that cannot be had hears so together. Never
        forced: that would kill the token of other processes."""
        now = self._clock()
        if self._token is not None and now < self._token.good_until:
            return self._token.text
        if self._failed is not None and now < self._failed[1]:
            raise _same(self._failed[0])
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch_token())
            self._fetching.add_done_callback(self._fetched)
        try:
            return await asyncio.shield(self._fetching)
        except WechatError as error:
            raise _same(error) from None

    def _fetched(self, fetching: asyncio.Task[str]) -> None:
        self._fetching = self._failed = None
        if fetching.cancelled():
            return
        error = fetching.exception()
        if isinstance(error, WechatError):
            self._failed = error, self._clock() + LULL

    async def _fetch_token(self) -> str:
        now = self._clock()
        answer = await self.ask(
            STABLE_TOKEN, body={"grant_type": "client_credential"} | self.app_and_secret()
        )
        text = text_of(STABLE_TOKEN, answer, "access_token")
        try:
            life = timedelta(seconds=int(answer["expires_in"]))
        except (KeyError, TypeError, ValueError):
            raise failed(STABLE_TOKEN, answer) from None
        spread = self._draw(0, 1) * SPREAD
        self._token = _Token(text, now + max(life - EARLY - spread, min(life, SPREAD)))
        return text

    def _drop(self, refused: str) -> None:
        if self._token is not None and self._token.text == refused:
            self._token = None

    async def _with_token(
        self, endpoint: str, query: Mapping[str, str] | None, body: Mapping[str, Any] | None
    ) -> dict[str, Any] | bytes:
        """In bounded time, so that a lease on what is being sent outlives it."""
        try:
            async with asyncio.timeout(self._longest):
                return await self._renewing(endpoint, query, body)
        except TimeoutError:
            log.warning("wechat failed", endpoint=endpoint, error_type="TimeoutError")
            raise Unavailable(endpoint) from None

    async def _renewing(
        self, endpoint: str, query: Mapping[str, str] | None, body: Mapping[str, Any] | None
    ) -> dict[str, Any] | bytes:
        token = await self.access_token()
        try:
            return await self._persist(endpoint, {"access_token": token, **(query or {})}, body)
        except Unavailable as error:
            if error.errcode not in STALE_TOKEN:
                raise
            self._drop(token)
            renewed = await self.access_token()
            if renewed == token:  # WeChat stands by the token it refuses: do not loop
                raise
        return await self._persist(endpoint, {"access_token": renewed, **(query or {})}, body)

    async def _persist(
        self, endpoint: str, query: Mapping[str, str] | None, body: Mapping[str, Any] | None
    ) -> dict[str, Any] | bytes:
        for tries_left in reversed(range(TRIES)):
            try:
                return await self._ask_once(endpoint, query, body)
            except Unavailable as error:
                if not tries_left or not (error.errcode == BUSY or isinstance(error, NotReached)):
                    raise
            await self._pause(self._draw(0.1, 0.5))
        raise AssertionError("the last try answers or raises")

    async def _ask_once(
        self, endpoint: str, query: Mapping[str, str] | None, body: Mapping[str, Any] | None
    ) -> dict[str, Any] | bytes:
        """The JSON object, or the bytes of an image."""
        try:
            async with asyncio.timeout(self._whole):
                response = await self._request(endpoint, query, body)
        except TimeoutError:
            log.warning("wechat failed", endpoint=endpoint, error_type="TimeoutError")
            raise Unavailable(endpoint) from None
        except (httpx.ConnectError, httpx.ConnectTimeout):
            log.warning("wechat not reached", endpoint=endpoint)
            raise NotReached(endpoint) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            log.warning("wechat failed", endpoint=endpoint, error_type=type(error).__name__)
            raise Unavailable(endpoint) from None
        if response.is_success and response.headers.get("content-type", "").startswith("image/"):
            return response.content
        try:
            answer = json.loads(response.content)  # served as text/plain, too
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not response.is_success:
            log.warning("wechat unintelligible", endpoint=endpoint, status=response.status_code)
            raise Unavailable(endpoint)
        if answer.get("errcode") not in (None, 0, "0"):
            raise failed(endpoint, answer)
        return answer

    async def _request(
        self, endpoint: str, query: Mapping[str, str] | None, body: Mapping[str, Any] | None
    ) -> httpx.Response:
        if body is None:
            return await self._http.get(endpoint, params=query)
        # WeChat compares raw text: no \u escapes.
        content = json.dumps(body, ensure_ascii=False).encode()
        headers = {"content-type": "application/json"}
        return await self._http.post(endpoint, params=query, content=content, headers=headers)


def _same(error: WechatError) -> WechatError:
    """For one more who waited for the same answer."""
    return type(error)(error.endpoint, error.errcode, error.rid)
