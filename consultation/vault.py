"""Personal data at rest: sealed with AES-256-GCM, found again by a keyed hash.

The id of the row a value belongs to is the associated data, so that a value copied into another
row does not open. Keys come from settings and never touch the database.
"""

import hashlib
import hmac
import secrets
from uuid import UUID

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand


class Vault:
    def __init__(self, secret: bytes) -> None:
        if len(secret) < 32:
            raise ValueError("the field secret must have at least 32 bytes")
        self._cipher = AESGCM(_derive(secret, b"minyi field seal"))
        self._lookup = _derive(secret, b"minyi field lookup")

    def seal(self, owner: UUID, text: str) -> bytes:
        nonce = secrets.token_bytes(12)
        return nonce + self._cipher.encrypt(nonce, text.encode(), owner.bytes)

    def open(self, owner: UUID, sealed: bytes) -> str:
        return self._cipher.decrypt(sealed[:12], sealed[12:], owner.bytes).decode()

    def lookup(self, kind: str, text: str) -> str:
        """A keyed hash (64 hex digits) by which an equal value of the same kind is found."""
        message = f"{kind}\0{text}".encode()
        return hmac.new(self._lookup, message, hashlib.sha256).hexdigest()


def _derive(secret: bytes, purpose: bytes) -> bytes:
    return HKDFExpand(algorithm=hashes.SHA256(), length=32, info=purpose).derive(secret)
