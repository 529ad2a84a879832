"""Access tokens: EdDSA (Ed25519) JWTs, made and read here only (RFC 8725).

Claims: ``iss``, ``aud``, ``sub`` (person id), ``sid`` (refresh family), ``jti``, ``iat``, ``exp``;
header ``alg: EdDSA``, ``typ: at+jwt``, ``kid``. The key signs nothing else, and refresh tokens are
no JWTs, so that neither can be taken for the other. Time is the server's injected clock.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.problems import NotLoggedIn
from api.settings import Settings

ALGORITHM = "EdDSA"
TYPE = "at+jwt"
AUDIENCE = "minyi-api"
LONGEST = 2000
"""Characters; ours have about 500."""
REMEMBERED = 65_536
"""Tokens whose claims are kept, some 30 MB."""
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
        self._read: OrderedDict[bytes, Claims] = OrderedDict()

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
        return jwt.encode(
            claims, self._private, algorithm=ALGORITHM, headers={"typ": TYPE, "kid": self._kid}
        )

    def read(self, token: str) -> Claims:
        """The claims of a token that holds; NotLoggedIn for any other.

        Only what ``issue`` makes is accepted: that header and those claims, no more and no fewer,
        of those types. A token that is fine but differs was not made here. One that was read
        before is known by its hash until it expires, which saves the dearest part of a request.
        """
        if len(token) > LONGEST:
            raise NotLoggedIn()
        key = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._read.get(key)
        if known is not None:
            if self._clock() >= known.expires_at:
                del self._read[key]
                raise NotLoggedIn()
            return known
        claims = self._verified(token)
        self._read[key] = claims
        if len(self._read) > REMEMBERED:
            self._read.popitem(last=False)
        return claims

    def _verified(self, token: str) -> Claims:
        try:
            header = jwt.get_unverified_header(token)
            if header != {"alg": ALGORITHM, "typ": TYPE, "kid": self._kid}:
                raise NotLoggedIn()
            claims = jwt.decode(
                token,
                self._public,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=self._issuer,
                # Times are checked below, with our own clock.
                options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
            if {name: type(value) for name, value in claims.items()} != _SHAPE:
                raise NotLoggedIn()
            now = self._clock()
            issued = datetime.fromtimestamp(claims["iat"], now.tzinfo)
            expires = datetime.fromtimestamp(claims["exp"], now.tzinfo)
            read = Claims(_id(claims["sub"]), _id(claims["sid"]), expires)
        except (jwt.PyJWTError, ValueError, OverflowError, OSError, RecursionError):
            raise NotLoggedIn() from None
        if now >= expires or issued > now + SKEW or expires - issued > self._life:
            raise NotLoggedIn()
        return read


def _id(text: str) -> UUID:
    found = UUID(text)
    if str(found) != text:  # UUID() takes braces, urn: and capitals as well
        raise ValueError(text)
    return found
