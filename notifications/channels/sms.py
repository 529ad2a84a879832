"""SMS through a provider: one over HTTP, and one that writes a file, for trials.

The HTTP provider takes one JSON object per message, signed with HMAC-SHA256 over time, nonce and
body, which is what a gateway of a city or a small relay before a commercial one can check. A
message that is sent again after a lost answer has the same ``id``: the provider drops it.
"""

import asyncio
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from pathlib import Path
from uuid import UUID

import httpx
import structlog

from consultation.database import Clock, Transaction, system_clock
from notifications.channels import Letter, Outcome, Sent

log = structlog.get_logger("minyi")

ANY = "*"
"""The template id for words that have none of their own."""


class SmsOff:
    """No provider: nobody is reached by SMS, and the next step of the chain takes over."""

    async def reachable(self, tx: Transaction, people: Collection[UUID]) -> set[UUID]:
        return set()

    async def taken_back(self, tx: Transaction, keys: Collection[str]) -> set[str]:
        return set()

    async def send(self, letter: Letter) -> Sent:
        return Sent(Outcome.NOT_REACHABLE, error="no_provider")

    async def close(self) -> None:
        pass


class HttpSms:
    """``templates`` maps our words to the provider's template ids. A 2xx answer with ``accepted``
    true is a message taken over; ``accepted`` false with ``code`` a refusal, for good; 429 and 5xx,
    no answer, and one that says neither, mean later; other 4xx are our own mistake."""

    def __init__(
        self,
        url: str,
        *,
        key: str,
        secret: str,
        signature: str,
        templates: Mapping[str, str],
        timeout: float = 5.0,
        clock: Clock = system_clock,
        nonce: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._url = url
        self._key = key
        self._secret = secret.encode()
        self._signature = signature
        self._templates = templates
        self._clock = clock
        self._nonce = nonce
        self._whole = 2 * timeout  # an answer that drips in never times out by itself
        secure = url.startswith("https://")
        self._http = httpx.AsyncClient(timeout=timeout, trust_env=secure, verify=secure)

    async def close(self) -> None:
        await self._http.aclose()

    async def reachable(self, tx: Transaction, people: Collection[UUID]) -> set[UUID]:
        return set(people)

    async def taken_back(self, tx: Transaction, keys: Collection[str]) -> set[str]:
        return set()

    async def send(self, letter: Letter) -> Sent:
        if letter.phone is None:
            return Sent(Outcome.NOT_REACHABLE, error="no_phone")
        template = self._templates.get(letter.template) or self._templates.get(ANY)
        if template is None:
            return Sent(Outcome.FAULTY, error="no_template")
        body = json.dumps(
            {
                "id": letter.dedupe_key,
                "to": letter.phone,
                "signature": self._signature,
                "template": template,
                "params": _plain(letter),
            },
            ensure_ascii=False,
        ).encode()
        try:
            async with asyncio.timeout(self._whole):
                answer = await self._http.post(self._url, content=body, headers=self._headers(body))
        except (httpx.HTTPError, TimeoutError) as error:
            return self._later(type(error).__name__)
        if answer.status_code == 429 or answer.status_code >= 500:
            return self._later(f"http_{answer.status_code}")
        if not answer.is_success:
            log.error("sms", status=answer.status_code)
            return Sent(Outcome.FAULTY, error=f"http_{answer.status_code}")
        try:
            said = answer.json()
            accepted = said["accepted"]
        except (ValueError, KeyError, TypeError):
            return self._later("unintelligible")
        if accepted is True:
            return Sent(Outcome.SENT, reference=_text(said.get("message_id")))
        if accepted is False:
            code = _text(said.get("code"))
            log.warning("sms refused", code=code)
            return Sent(Outcome.REFUSED, error=code)
        return self._later("unintelligible")

    def _headers(self, body: bytes) -> dict[str, str]:
        at, nonce = str(int(self._clock().timestamp())), self._nonce()
        return {
            "content-type": "application/json",
            "x-minyi-key": self._key,
            "x-minyi-timestamp": at,
            "x-minyi-nonce": nonce,
            "x-minyi-signature": sign(self._secret, at, nonce, body),
        }

    def _later(self, error: str) -> Sent:
        log.warning("sms", code=error)
        return Sent(Outcome.RETRY_LATER, error=error)


def sign(secret: bytes, timestamp: str, nonce: str, body: bytes) -> str:
    """Hex HMAC-SHA256 over timestamp, nonce and body, each ended by a line feed but the last."""
    return hmac.new(secret, f"{timestamp}\n{nonce}\n".encode() + body, hashlib.sha256).hexdigest()


class FileSms:
    """A JSON line per message in place of a message: for a trial without a provider. The file holds
    phone numbers."""

    def __init__(self, path: Path, *, clock: Clock = system_clock) -> None:
        self._path = path
        self._clock = clock

    async def reachable(self, tx: Transaction, people: Collection[UUID]) -> set[UUID]:
        return set(people)

    async def taken_back(self, tx: Transaction, keys: Collection[str]) -> set[str]:
        return set()

    async def send(self, letter: Letter) -> Sent:
        if letter.phone is None:
            return Sent(Outcome.NOT_REACHABLE, error="no_phone")
        line = {
            "id": letter.dedupe_key,
            "at": self._clock().isoformat(),
            "to": letter.phone,
            "template": letter.template,
            "text": f"{letter.title} {letter.text}",
            "link": letter.link,
        }
        try:
            await asyncio.to_thread(self._write, json.dumps(line, ensure_ascii=False))
        except OSError as error:
            return Sent(Outcome.RETRY_LATER, error=type(error).__name__)
        return Sent(Outcome.SENT)

    async def close(self) -> None:
        pass

    def _write(self, line: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def _plain(letter: Letter) -> dict[str, str | int]:
    """What a template is filled with: title and text of the message, and its facts, of which the
    topic's title is ``topic`` here. ``link`` is always there, since providers refuse a message
    that lacks a parameter of its template; it is empty where there is no link."""
    facts = {
        "topic" if name == "title" else name: _plain_fact(value)
        for name, value in letter.facts.items()
    }
    return {"title": letter.title, "text": letter.text, "link": letter.link or "", **facts}


def _plain_fact(value: str | int | datetime) -> str | int:
    return value.isoformat() if isinstance(value, datetime) else value


def _text(value: object) -> str | None:
    return None if value is None else str(value)[:60]
