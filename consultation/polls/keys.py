"""KEYS of a poll's evidence: ports, and their adapters over keys that lie outside the database.

The board key signs tree heads, receipts and certificates. Its adapter holds 32 bytes that come
from the settings; a signing service or a smart card would be another adapter of the same port.
"""

from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class BoardKey(Protocol):
    """Ed25519 (RFC 8032): the same message always gets the same signature, so that receipts and
    packs can be made again byte by byte."""

    @property
    def public(self) -> str:
        """32 bytes in hex."""
        ...

    def sign(self, message: bytes) -> str:
        """64 bytes in hex."""
        ...


class LocalBoardKey:
    """A board key held by this process. ValueError unless it is 32 bytes."""

    def __init__(self, secret: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(secret)
        self.public = self._private.public_key().public_bytes_raw().hex()

    def sign(self, message: bytes) -> str:
        return self._private.sign(message).hex()
