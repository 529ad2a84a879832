"""Access tokens: EdDSA (Ed25519) JWTs, made and read here only (RFC 8725).

Claims: ``iss``, ``aud``, ``sub`` (person id), ``sid`` (refresh family), ``jti``, ``iat``, ``exp``;
header ``alg: EdDSA``, ``typ: at+jwt``, ``kid``. The key signs nothing else, and refresh tokens are
no JWTs, so that neither can be taken for the other. Time is the server's injected clock.
"""

import hashlib
import json
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.problems import NotLoggedIn
from api.settings import Settings

ALGORITHM = "EdDSA"
TYPE = "at+jwt"
AUDIENCE = "minyi-api"
LONGEST = 2000
"""Characters; ours have about 500."""
REMEMBERED = 50_000
"""Tokens whose signature is not checked again; about ten megabytes."""
SKEW = timedelta(seconds=60)
_SHAPE = {"iss": str, "aud": str, "sub": str, "sid": str, "jti": str, "iat": int, "exp": int}


@dataclass(frozen=True, slots=True)
class Claims:
    person_id: UUID
    session_id: UUID
    expires_at: datetime


class Tokens:
    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(
            bytes.fromhex(settings.token_key.get_secret_value())
        )
        self._public = self._private.public_key()
        self._kid = hashlib.sha256(self._public.public_bytes_raw()).hexdigest()[:16]
        self._issuer = settings.issuer
        self._life = timedelta(seconds=settings.access_token_seconds)
        self._clock = clock
        self._known: dict[bytes, tuple[Claims, datetime]] = {}
        self._header = {"alg": ALGORITHM, "typ": TYPE, "kid": self._kid}
        self._usual = self._encode({}).partition(".")[0]

    def issue(self, person_id: UUID, session_id: UUID, jti: UUID) -> str:
        now = self._clock()
        claims = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": str(person_id),
            "sid": str(session_id),
            "jti": str(jti),
            "iat": int(now.timestamp()),
            "exp": int((now + self._life).timestamp()),
        }
        token = self._encode(claims)
        issued, expires = (datetime.fromtimestamp(claims[at], UTC) for at in ("iat", "exp"))
        self._remember(_digest(token), (Claims(person_id, session_id, expires), issued))
        return token

    def _remember(self, digest: bytes, known: tuple[Claims, datetime]) -> None:
        while len(self._known) >= REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[digest] = known

    def _encode(self, claims: dict[str, str | int]) -> str:
        return jwt.encode(
            claims, self._private, algorithm=ALGORITHM, headers={"typ": TYPE, "kid": self._kid}
        )

    def read(self, token: str) -> Claims:
        """The claims of a token that holds; NotLoggedIn for any other.

        Only what ``issue`` makes is accepted: that header and those claims, no more
        and no fewer, of those types. A token that is fine but differs was not made here. One that
        was made in this process, or whose signature was seen to hold, is remembered by its digest;
        its times are looked at each time.
        """
        if len(token) > LONGEST:
            raise NotLoggedIn()
        digest = _digest(token)
        known = self._known.get(digest)
        if known is None:
            known = self._open(token)
            self._remember(digest, known)
        claims, issued = known
        now = self._clock()
        expires = claims.expires_at
        if now >= expires or issued > now + SKEW or expires - issued > self._life:
            raise NotLoggedIn()
        return claims

    def _open(self, token: str) -> tuple[Claims, datetime]:
        """What a token says whose signature holds, and when it was issued."""
        try:
            content, _, signature = token.rpartition(".")
            header, _, payload = content.partition(".")
            if header != self._usual and json.loads(_bytes(header)) != self._header:
                raise NotLoggedIn()
            self._public.verify(_bytes(signature), content.encode())
            claims = json.loads(_bytes(payload))
            if _types(claims) != _SHAPE:
                raise NotLoggedIn()
            if (claims["iss"], claims["aud"]) != (self._issuer, AUDIENCE):
                raise NotLoggedIn()
            issued = datetime.fromtimestamp(claims["iat"], UTC)
            expires = datetime.fromtimestamp(claims["exp"], UTC)
            return Claims(_id(claims["sub"]), _id(claims["sid"]), expires), issued
        except (InvalidSignature, ValueError, OverflowError, OSError, RecursionError):
            raise NotLoggedIn() from None


def _types(claims: Any) -> dict[str, type]:
    return {name: type(value) for name, value in claims.items()} if type(claims) is dict else {}


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _bytes(segment: str) -> bytes:
    """Base64url without padding, strictly."""
    return b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)


def _id(text: str) -> UUID:
    found = UUID(text)
    if str(found) != text:  # UUID() takes braces, urn: and capitals as well
        raise ValueError(text)
    return found
