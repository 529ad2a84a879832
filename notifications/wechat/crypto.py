"""Whether a push comes from WeChat, and what it says. Pure; the official examples are its tests.

``signature`` covers token, timestamp and nonce only, so that a captured query string would vouch
for any body, and AES-CBC has no MAC: ``msg_signature``, which covers the ciphertext, is what is
believed. AES-256-CBC, the key's first 16 bytes as IV, PKCS#7 with blocks of 32 bytes; the text is
16 random bytes, its length in four bytes, the message, the app id.
"""

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from notifications.wechat.pushes import Unreadable, read

BLOCK = 32
HEAD = 20


class NotGenuine(Exception):
    """Not signed by WeChat, not for this app, too old, or not encrypted where it must be. The text
    says which; whoever sent it is not told."""


@dataclass(frozen=True, slots=True)
class PushKeys:
    """``token`` and ``key`` (EncodingAESKey, 43 characters) as set in WeChat's console."""

    app_id: str
    token: str = field(repr=False)
    key: str = field(repr=False)

    def aes(self) -> bytes:
        key = base64.b64decode(self.key + "=")
        if len(key) != 32:
            raise ValueError("EncodingAESKey must stand for 32 bytes")
        return key


def sign(*parts: str) -> str:
    """SHA-1 over the parts in order, as WeChat signs."""
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def check_address(
    keys: PushKeys, query: Mapping[str, str], *, now: datetime, fresh: timedelta
) -> str:
    """Answer to the console's check of our address: its ``echostr``. NotGenuine."""
    _check_plain(keys, query)
    _check_fresh(query, now, fresh)
    return query.get("echostr", "")


def open_push(
    keys: PushKeys,
    query: Mapping[str, str],
    body: bytes,
    *,
    now: datetime,
    fresh: timedelta,
    encrypted: bool,
) -> bytes:
    """The text of a push. Where pushes are ``encrypted``, one without ciphertext is refused and
    what stands in the clear beside it is not looked at. NotGenuine."""
    _check_fresh(query, now, fresh)
    if not encrypted:
        _check_plain(keys, query)
        return body
    try:
        ciphertext = read(body).get("Encrypt")
    except Unreadable:
        raise NotGenuine("unreadable") from None
    if not isinstance(ciphertext, str) or not ciphertext:
        raise NotGenuine("not encrypted")
    expected = sign(keys.token, query.get("timestamp", ""), query.get("nonce", ""), ciphertext)
    if not _same(expected, query.get("msg_signature", "")):
        raise NotGenuine("bad msg_signature")
    return decrypt(keys, ciphertext)


def decrypt(keys: PushKeys, ciphertext: str) -> bytes:
    """The message in a ciphertext, for this app. NotGenuine if padding, length or app is wrong."""
    try:
        sealed = base64.b64decode(ciphertext, validate=True)
    except (binascii.Error, ValueError):
        raise NotGenuine("no base64") from None
    if not sealed or len(sealed) % BLOCK:
        raise NotGenuine("cut short")
    key = keys.aes()
    decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
    padded = decryptor.update(sealed) + decryptor.finalize()
    pad = padded[-1]
    if not 1 <= pad <= BLOCK or padded[-pad:] != bytes([pad]) * pad:
        raise NotGenuine("bad padding")
    text = padded[:-pad]
    if len(text) < HEAD:
        raise NotGenuine("cut short")
    (length,) = struct.unpack(">I", text[16:HEAD])
    if HEAD + length > len(text):
        raise NotGenuine("bad length")
    if not _same(text[HEAD + length :], keys.app_id):
        raise NotGenuine("for another app")
    return text[HEAD : HEAD + length]


def _check_plain(keys: PushKeys, query: Mapping[str, str]) -> None:
    expected = sign(keys.token, query.get("timestamp", ""), query.get("nonce", ""))
    if not _same(expected, query.get("signature", "")):
        raise NotGenuine("bad signature")


def _check_fresh(query: Mapping[str, str], now: datetime, fresh: timedelta) -> None:
    text = query.get("timestamp", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise NotGenuine("no timestamp")
    if abs(now.timestamp() - int(text)) > fresh.total_seconds():
        raise NotGenuine("stale")


def _same(one: str | bytes, other: str) -> bool:
    """In constant time."""
    return hmac.compare_digest(one.encode() if isinstance(one, str) else one, other.encode())
