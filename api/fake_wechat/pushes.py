"""Pushes to the backend: signed, encrypted, tried three times, and wrong in every way on demand."""

import asyncio
import base64
import hashlib
import json
import struct
from dataclasses import dataclass, field
from typing import Any, Literal
from xml.sax.saxutils import escape

import httpx
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from api.fake_wechat.state import APP_ID, PUSH_KEY, PUSH_TOKEN, FakeWechat

Mode = Literal["plain", "compatible", "secure"]
Mutation = Literal[
    "bad_signature",
    "bad_msg_signature",
    "good_signature_bad_msg_signature",
    "wrong_app",
    "wrong_padding",
    "stale",
    "plaintext",
    "truncated",
    "other_body",
    "list_as_array",
    "time_as_text",
    "spaced_keys",
]
WRAPPERS = {
    "subscribe_msg_popup_event": "SubscribeMsgPopupEvent",
    "subscribe_msg_change_event": "SubscribeMsgChangeEvent",
    "subscribe_msg_sent_event": "SubscribeMsgSentEvent",
}


@dataclass
class Pusher:
    """``url`` is where the backend listens; while it is empty, events wait in ``waiting``."""

    fake: FakeWechat
    url: str = ""
    token: str = PUSH_TOKEN
    key: str = PUSH_KEY
    mode: Mode = "secure"
    format: Literal["json", "xml"] = "json"
    tries: int = 3
    timeout: float = 5.0
    at_once: bool = False
    """Whether events go out by themselves, soon after they happen, or wait for ``deliver``."""
    waiting: list[dict[str, Any]] = field(default_factory=list)
    last: tuple[dict[str, str], bytes] | None = None
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    def reset(self) -> None:
        self.__init__(self.fake)

    def emit(self, event: str, openid: str, data: dict[str, object]) -> None:
        """Something happened that the backend is told of."""
        told = self.event(event, openid, data)
        if self.at_once and self.url:
            task = asyncio.get_running_loop().create_task(self._push(told, self.mode, None))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self.waiting.append(told)

    def event(self, event: str, openid: str, data: dict[str, object]) -> dict[str, Any]:
        return {
            "ToUserName": "gh_fake",
            "FromUserName": openid,
            "CreateTime": int(self.fake.now().timestamp()),
            "MsgType": "event",
            "Event": event,
            **data,
        }

    async def send(
        self,
        event: str,
        openid: str,
        data: dict[str, object],
        *,
        mode: Mode | None = None,
        mutate: Mutation | None = None,
    ) -> list[int]:
        """Push now; the HTTP status of each try, 0 for none."""
        return await self._push(self.event(event, openid, data), mode or self.mode, mutate)

    async def deliver(self, *, times: int = 1, reverse: bool = False) -> list[list[int]]:
        """Push everything that waits, each ``times`` times, perhaps the last first."""
        told = [one for one in self.waiting for _ in range(times)]
        self.waiting.clear()
        order = reversed(told) if reverse else told
        return [await self._push(one, self.mode, None) for one in order]

    async def replay(self, body: bytes | None = None) -> int:
        """The last request again, with its body or with another one."""
        assert self.last is not None
        query, before = self.last
        return await self._post(query, before if body is None else body)

    async def check(self, *, good: bool = True) -> tuple[int, str]:
        """The console's check of the address."""
        query = self._query("" if good else "x") | {"echostr": self.fake.hex(8)}
        async with self._http() as http:
            answer = await http.get(self.url, params=query)
        return answer.status_code, "echo" if answer.text == query["echostr"] else answer.text

    async def _push(self, told: dict[str, Any], mode: Mode, mutate: Mutation | None) -> list[int]:
        if told["Event"] == "wxa_media_check":
            running = self.fake.media_running.get(told["FromUserName"], {})
            running.pop(str(told.get("trace_id")), None)
        query, body = self._request(told, mode, mutate)
        self.last = (query, body)
        statuses: list[int] = []
        for _ in range(self.tries):
            statuses.append(await self._post(query, body))
            if statuses[-1] == 200:
                break
        return statuses

    async def _post(self, query: dict[str, str], body: bytes) -> int:
        kind = "text/xml" if body.startswith(b"<") else "application/json"
        async with self._http() as http:
            try:
                answer = await http.post(
                    self.url, params=query, content=body, headers={"content-type": kind}
                )
            except httpx.HTTPError:
                return 0
        taken = answer.text in ("success", "")
        return answer.status_code if taken or answer.status_code != 200 else 0

    def _http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(timeout=self.timeout, trust_env=False, verify=False)  # noqa: S501

    def _query(self, spoil: str = "", *, back: int = 0) -> dict[str, str]:
        stamp, nonce = (
            str(int(self.fake.now().timestamp()) - back),
            str(self.fake.source.randrange(10**10)),
        )
        return {
            "signature": sign(self.token + spoil, stamp, nonce),
            "timestamp": stamp,
            "nonce": nonce,
        }

    def _request(
        self, told: dict[str, Any], mode: Mode, mutate: Mutation | None
    ) -> tuple[dict[str, str], bytes]:
        plain = self._written(told, mutate)
        query = self._query(
            "x" if mutate == "bad_signature" else "", back=3600 if mutate == "stale" else 0
        )
        query["openid"] = str(told["FromUserName"])
        if mode == "plain" or mutate == "plaintext":
            return query, plain
        app_id = "wxsomebodyelse" if mutate == "wrong_app" else APP_ID
        salt, spoilt = self.fake.source.randbytes(16), mutate == "wrong_padding"
        sealed = encrypt(self.key, app_id, plain, salt=salt, bad_padding=spoilt)
        if mutate == "truncated":
            sealed = sealed[:-24]
        signed = sign(self.token, query["timestamp"], query["nonce"], sealed)
        if mutate in ("bad_msg_signature", "good_signature_bad_msg_signature", "bad_signature"):
            signed = "0" * 40
        query |= {"encrypt_type": "aes", "msg_signature": signed}
        if mutate == "other_body":  # signed for one text, sent with another
            other = plain.replace(b"gh_fake", b"gh_evil")
            sealed = encrypt(self.key, app_id, other, salt=salt)
        envelope: dict[str, Any] = {"ToUserName": "gh_fake", "Encrypt": sealed}
        if mode == "compatible":
            envelope = told | envelope
        return query, self._written(envelope, None)

    def _written(self, told: dict[str, Any], mutate: Mutation | None) -> bytes:
        told = dict(told)
        items = told.get("List")
        if self.format == "xml":
            if items is not None:
                told[WRAPPERS[str(told["Event"])]] = {"List": told.pop("List")}
            return f"<xml>{xml(told)}</xml>".encode()
        if isinstance(items, list) and len(items) == 1 and mutate != "list_as_array":
            told["List"] = items[0]
        if mutate == "time_as_text":
            told["CreateTime"] = str(told["CreateTime"])
        if mutate == "spaced_keys":
            told = {f" {key}": value for key, value in told.items()}
        return json.dumps(told, ensure_ascii=False).encode()


def sign(*parts: str) -> str:
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def encrypt(key: str, app_id: str, text: bytes, *, salt: bytes, bad_padding: bool = False) -> str:
    """``salt`` is sixteen random bytes."""
    aes = base64.b64decode(key + "=")
    padded = salt + struct.pack(">I", len(text)) + text + app_id.encode()
    pad = 32 - len(padded) % 32
    padded += bytes([pad]) * (pad - 1) + bytes([33 if bad_padding else pad])
    encryptor = Cipher(algorithms.AES(aes), modes.CBC(aes[:16])).encryptor()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def xml(data: dict[str, Any]) -> str:
    parts: list[str] = []
    for key, value in data.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                inner = xml(one)
            elif isinstance(one, int):
                inner = str(one)
            else:
                inner = f"<![CDATA[{one}]]>" if "]]>" not in str(one) else escape(str(one))
            parts.append(f"<{key}>{inner}</{key}>")
    return "".join(parts)
