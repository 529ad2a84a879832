"""Access tokens: EdDSA (Ed25519) JWTs, made and read here only (RFC 8725).

Claims: ``iss``, ``aud``, ``sub`` (person id), ``sid`` (refresh family), ``jti``, ``iat``, ``exp``;
header ``typ: at+jwt``. Time is the server's injected clock.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.problems import NotLoggedIn
from api.settings import Settings

AUDIENCE = "minyi-api"


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
            claims, self._private, algorithm="EdDSA", headers={"typ": "at+jwt", "kid": self._kid}
        )

    def read(self, token: str) -> Claims:
        """The claims of a token that holds; NotLoggedIn for any other."""
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") != "at+jwt" or header.get("kid") != self._kid:
                raise NotLoggedIn()
            claims = jwt.decode(
                token,
                self._public,
                algorithms=["EdDSA"],
                audience=AUDIENCE,
                issuer=self._issuer,
                options={
                    "require": ["exp", "iat", "sub", "jti", "iss", "aud"],
                    "verify_exp": False,  # below, with our own clock
                    "verify_iat": False,
                },
            )
            now = self._clock()
            expires = datetime.fromtimestamp(int(claims["exp"]), now.tzinfo)
            issued = datetime.fromtimestamp(int(claims["iat"]), now.tzinfo)
            read = Claims(UUID(claims["sub"]), UUID(claims["sid"]), expires)
        except (jwt.PyJWTError, ValueError, KeyError, TypeError, OverflowError):
            raise NotLoggedIn() from None
        if now >= expires or issued > now + timedelta(seconds=60):
            raise NotLoggedIn()
        return read
