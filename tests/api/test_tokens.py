"""Access tokens after RFC 8725: only what was issued here, unchanged and in time, is accepted."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import Depends, FastAPI

from api import problems
from api.dependencies import CurrentActor, actor
from api.problems import NotLoggedIn
from api.settings import Settings
from api.tokens import AUDIENCE, Tokens
from tests.conftest import SECRET, ManualClock
from tests.world import World

KEY = Ed25519PrivateKey.from_private_bytes(bytes.fromhex("11" * 32))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes.fromhex("22" * 32))
KID = hashlib.sha256(KEY.public_key().public_bytes_raw()).hexdigest()[:16]


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@dataclass
class Case:
    """A token that would be good but for the changes that a test makes."""

    now: datetime
    header: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    sign: Callable[[bytes], bytes] = KEY.sign

    def __post_init__(self) -> None:
        at = int(self.now.timestamp())
        self.header = {"alg": "EdDSA", "typ": "at+jwt", "kid": KID}
        self.claims = {
            "iss": "minyi",
            "aud": AUDIENCE,
            "sub": str(uuid4()),
            "sid": str(uuid4()),
            "jti": str(uuid4()),
            "iat": at,
            "exp": at + 900,
        }

    def __str__(self) -> str:
        signed = f"{part(self.header)}.{part(self.claims)}"
        return f"{signed}.{part(self.sign(signed.encode()))}"


def hs256(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda content: hmac.new(secret, content, hashlib.sha256).digest()


def unsigned(content: bytes) -> bytes:
    return b""


RAW = KEY.public_key().public_bytes_raw()
PEM = KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)

Change = Callable[[Case], str | None]
BAD: dict[str, Change] = {}


def bad(name: str) -> Callable[[Change], Change]:
    def keep(change: Change) -> Change:
        assert name not in BAD
        BAD[name] = change
        return change

    return keep


def claim(name: str, **values: Any) -> None:
    """A bad token that differs in claims only; None takes a claim away."""

    def change(case: Case) -> None:
        for key, value in values.items():
            if value is None:
                case.claims.pop(key, None)
            else:
                case.claims[key] = value(case) if callable(value) else value

    bad(name)(change)


def head(name: str, sign: Callable[[bytes], bytes] | None = None, **values: Any) -> None:
    """A bad token that differs in its header, and perhaps in who signed."""

    def change(case: Case) -> None:
        for key, value in values.items():
            if value is None:
                case.header.pop(key, None)
            else:
                case.header[key] = value
        case.sign = sign or case.sign

    bad(name)(change)


def at(case: Case, seconds: int) -> int:
    return int(case.now.timestamp()) + seconds


head("algorithm none without signature", unsigned, alg="none")
head("algorithm none with a signature", alg="none")
head("algorithm None in capitals", unsigned, alg="NONE")
head("HS256 with the raw public key as secret", hs256(RAW), alg="HS256")
head("HS256 with the PEM public key as secret", hs256(PEM), alg="HS256")
head("HS256 with the key id as secret", hs256(KID.encode()), alg="HS256")
head("HS256 with an empty secret", hs256(b""), alg="HS256")
head("RS256 in name", alg="RS256")
head("ES256 in name", alg="ES256")
head("Ed25519 in name", alg="Ed25519")
head("eddsa in small letters", alg="eddsa")
head("no algorithm", alg=None)
head("another key", OTHER_KEY.sign)
head("another key and its key id", OTHER_KEY.sign, kid="0123456789abcdef")
head("a key id that is a path", kid="../../../dev/null")
head("a key id that is SQL", kid="x' OR '1'='1")
head("a key id that is a number", kid=1)
head("no key id", kid=None)
head("a key of its own in the header", OTHER_KEY.sign, jwk={"kty": "OKP", "x": "AA"})
head("the address of a key", OTHER_KEY.sign, jku="https://attacker.example/keys")
head("a critical extension", crit=["b64"], b64=False)
head("the type of an identity token", typ="JWT")
head("the type of a refresh token", typ="rt+jwt")
head("no type", typ=None)
claim("another issuer", iss="somebody")
claim("no issuer", iss=None)
claim("another audience", aud="minyi-live")
claim("several audiences", aud=[AUDIENCE, "other"])
claim("no audience", aud=None)
claim("no expiry", exp=None)
claim("no time of issue", iat=None)
claim("no subject", sub=None)
claim("no session", sid=None)
claim("no id", jti=None)
claim("a subject that is no id", sub="root")
claim("a subject in another spelling", sub=f"{{{uuid4()}}}")
claim("a subject that is a number", sub=7)
claim("one claim more", admin=True)
claim("a time to begin", nbf=0)
claim("expired this second", iat=lambda c: at(c, -900), exp=lambda c: at(c, 0))
claim("expired long ago", iat=0, exp=900)
claim("issued in the future", iat=lambda c: at(c, 3600), exp=lambda c: at(c, 4500))
claim("a life longer than ours", exp=lambda c: at(c, 30 * 86400))
claim("an expiry beyond all calendars", exp=10**30)
claim("an expiry in text", exp=lambda c: str(at(c, 900)))
claim("an expiry with a fraction", exp=lambda c: at(c, 900) + 0.5)
claim("an expiry that is true", exp=True)


@bad("a changed claim under the old signature")
def _changed(case: Case) -> str:
    header, _, signature = str(case).split(".")
    return f"{header}.{part(case.claims | {'sub': str(uuid4())})}.{signature}"


@bad("a signature cut short")
def _cut(case: Case) -> str:
    return str(case)[:-8]


@bad("a signature of nothing")
def _empty(case: Case) -> str:
    return str(case).rsplit(".", 1)[0] + "."


@bad("an elliptic signature")
def _elliptic(case: Case) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    headers = {"typ": "at+jwt", "kid": KID}
    return jwt.encode(case.claims, key, algorithm="ES256", headers=headers)


@bad("claims that are a list")
def _list(case: Case) -> str:
    signed = f"{part(case.header)}.{part([1, 2])}"
    return f"{signed}.{part(KEY.sign(signed.encode()))}"


@bad("claims that are no JSON")
def _no_json(case: Case) -> str:
    signed = f"{part(case.header)}.{part(b'{')}"
    return f"{signed}.{part(KEY.sign(signed.encode()))}"


@bad("nested beyond measure")
def _nested(case: Case) -> str:
    signed = f"{part(case.header)}.{part(b'[' * 1000)}"
    return f"{signed}.{part(KEY.sign(signed.encode()))}"


@bad("longer than any of ours")
def _long(case: Case) -> str:
    case.claims["jti"] = "j" * 3000
    return str(case)


@bad("encrypted in form")
def _five_parts(case: Case) -> str:
    return f"{case}.e30.e30"


@bad("no token at all")
def _garbage(case: Case) -> str:
    return "abc"


@bad("an opaque refresh token")
def _refresh(case: Case) -> str:
    return "Zk9w3pT1cQ7uXrY5vB8nM2kL6hJ4gF0dSaWqEeRtYui"


@pytest.fixture
def tokens(clock: ManualClock) -> Tokens:
    settings = Settings(
        field_secret=SECRET,  # type: ignore[arg-type]
        token_key="11" * 32,  # type: ignore[arg-type]
        board_key="22" * 32,  # type: ignore[arg-type]
    )
    return Tokens(settings, clock)


def test_the_case_behind_the_bad_ones_is_good(tokens: Tokens, clock: ManualClock) -> None:
    case = Case(clock())
    assert str(tokens.read(str(case)).person_id) == case.claims["sub"]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_is_refused(tokens: Tokens, clock: ManualClock, name: str) -> None:
    case = Case(clock())
    token = BAD[name](case) or str(case)

    with pytest.raises(NotLoggedIn):
        tokens.read(token)


def test_an_issued_token_holds_until_the_instant_it_expires(
    tokens: Tokens, clock: ManualClock
) -> None:
    person, session = uuid4(), uuid4()
    token = tokens.issue(person, session, uuid4())

    claims = tokens.read(token)
    assert (claims.person_id, claims.session_id) == (person, session)
    clock.advance(seconds=899)
    tokens.read(token)
    clock.advance(seconds=1)
    with pytest.raises(NotLoggedIn):
        tokens.read(token)


def test_a_token_from_a_clock_a_little_ahead_is_taken(tokens: Tokens, clock: ManualClock) -> None:
    clock.advance(seconds=50)
    token = tokens.issue(uuid4(), uuid4(), uuid4())
    clock.advance(seconds=-50)
    assert tokens.read(token)


async def test_every_bad_token_is_answered_alike_with_401(
    tokens: Tokens, clock: ManualClock
) -> None:
    class Services:
        def __init__(self) -> None:
            self.tokens = tokens
            self.ended = self

        async def check(self, session_id: UUID) -> None:
            """Nobody's session has ended."""

    app = FastAPI()
    app.state.services = Services()
    problems.install(app)

    @app.get("/me", dependencies=[Depends(actor)])
    async def me(who: CurrentActor) -> str:
        return str(who.person_id)

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://minyi.test") as http:
        good = await http.get("/me", headers={"authorization": f"Bearer {Case(clock())}"})
        assert good.status_code == 200
        answers = set()
        for change in BAD.values():
            case = Case(clock())
            token = change(case) or str(case)
            answer = await http.get("/me", headers={"authorization": f"Bearer {token}"})
            answers.add((answer.status_code, answer.headers["www-authenticate"], answer.text))
            assert token not in answer.text
        for header in ("Bearer", "Bearer ", "Basic abc", "bearer\t", str(Case(clock()))):
            answer = await http.get("/me", headers={"authorization": header})
            answers.add((answer.status_code, answer.headers["www-authenticate"], answer.text))
    assert len(answers) == 1
    assert next(iter(answers))[:2] == (401, "Bearer")


async def test_a_bad_token_is_not_taken_for_a_visitor(
    client: httpx.AsyncClient, world: World
) -> None:
    headers = world.headers("resident1")
    assert (await client.get("/v1/me", headers=headers)).status_code == 200

    headers["authorization"] += "x"
    answer = await client.get("/v1/me", headers=headers)

    assert answer.status_code == 401
    assert answer.json()["code"] == "not-logged-in"


def test_jwt_is_spoken_in_one_module_only() -> None:
    root = Path(__file__).parents[2]
    found = [
        path.relative_to(root).as_posix()
        for package in ("api", "notifications", "consultation")
        for path in (root / package).rglob("*.py")
        if "import jwt" in path.read_text()
    ]
    assert found == ["api/tokens.py"]
