"""ENVELOPES: how a confidential ballot is sealed, opened and found again by its voter. No I/O.

Sealing is HPKE (RFC 9180) in base mode with X25519, HKDF-SHA256 and ChaCha20-Poly1305, to the box
key of the poll. The poll's id is part of the key schedule (``info``), so that an envelope opens in
its own poll only. All envelopes of a poll have one length, whatever was chosen.

The voter's client draws ``once``, a secret of at least 128 random bits, for each ballot. From it,
by HMAC-SHA256 under labels of their own, come the *tracker*, which stands beside the choice on the
board, and the *fingerprint*, which stands beside the voter and recognises a retry. Who does not
know ``once`` cannot tell that the two belong together; the server never stores it.
"""

import base64
import hashlib
import hmac
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from secrets import token_bytes
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from consultation.polls import leaves
from consultation.polls.leaves import canonical
from consultation.polls.rules import BallotInvalid, Choices, PollItem, check_ballot
from consultation.refusals import Invalid

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
TRACKER_BYTES = 16
_BLOCK = 64
_ONCE = re.compile(r"[A-Za-z0-9_-]{22,80}")
_FEWEST_DIFFERENT = 8
_TRACKER = re.compile(r"[A-Z2-7]{26}")


class BallotSecretNeeded(Invalid):
    """A confidential ballot comes with a secret of its own: 22 to 80 characters (letters, digits,
    ``-`` and ``_``) that hold at least 128 random bits."""

    code = "ballot-secret-needed"


@dataclass(frozen=True, slots=True)
class Opened:
    """What lay in an envelope."""

    tracker: str
    choices: Choices


def check_once(once: str | None) -> bytes:
    """The secret as bytes. Its randomness cannot be seen, but a constant can."""
    if once is None or not _ONCE.fullmatch(once) or len(set(once)) < _FEWEST_DIFFERENT:
        raise BallotSecretNeeded()
    return once.encode()


def tracker(once: bytes, poll_id: UUID, place: int) -> str:
    """128 bits in 26 characters (Base32, RFC 4648). With the place in it two voters of one broken
    client never share a tracker; a client can work it out without the server's answer."""
    message = b"minyi tracker v1\0" + poll_id.bytes + place.to_bytes(4, "big")
    short = hmac.digest(once, message, hashlib.sha256)[:TRACKER_BYTES]
    return _base32(short)


def fingerprint(once: bytes, poll_id: UUID, place: int, choices: Choices) -> bytes:
    """32 bytes that are equal exactly for the same ballot sent again with the same secret."""
    message = b"minyi fingerprint v1\0" + poll_id.bytes + place.to_bytes(4, "big")
    return hmac.digest(once, message + canonical(choices), hashlib.sha256)


def fingerprint_of_form(poll_id: UUID, form: int) -> bytes:
    """32 bytes for the envelope of a form. They hide nothing: which form is whose is on record."""
    message = b"minyi form v1\0" + poll_id.bytes + form.to_bytes(4, "big")
    return hashlib.sha256(message).digest()


@dataclass(frozen=True, slots=True)
class SealedBallot:
    """What is stored of a ballot, and the tracker, which only the voter gets."""

    sealed: bytes
    fingerprint: bytes
    salt: bytes
    leaf_hash: bytes
    tracker: str


def seal_ballot(
    public_key: str,
    *,
    poll_id: UUID,
    items: Sequence[PollItem],
    place: int,
    choices: Choices,
    once: bytes,
) -> SealedBallot:
    """``public_key`` in hex, ``place`` the voter's number on the roll."""
    own = tracker(once, poll_id, place)
    key = bytes.fromhex(public_key)
    sealed = seal(key, poll_id=poll_id, items=items, choices=choices, tracker=own)
    salt = token_bytes(leaves.SALT_BYTES)
    leaf = leaves.envelope_leaf(poll_id=poll_id, sealed=sealed, salt=salt)
    return SealedBallot(
        sealed=sealed,
        fingerprint=fingerprint(once, poll_id, place, choices),
        salt=salt,
        leaf_hash=leaves.leaf_hash(leaf),
        tracker=own,
    )


def seal_sheet(
    public_key: str, *, poll_id: UUID, items: Sequence[PollItem], choices: Choices | None
) -> bytes:
    """What a sheet of paper says, under a random tracker that nobody keeps. One that cannot be read
    (None) opens as an invalid ballot, and looks like any other until then."""
    return seal(
        bytes.fromhex(public_key),
        poll_id=poll_id,
        items=items,
        choices=choices,
        tracker=_base32(token_bytes(TRACKER_BYTES)),
    )


def seal(
    public_key: bytes,
    *,
    poll_id: UUID,
    items: Sequence[PollItem],
    choices: Choices | None,
    tracker: str,
) -> bytes:
    content = _content(choices, tracker)
    padded = content.ljust(padded_length(items), b" ")
    key = X25519PublicKey.from_public_bytes(public_key)
    return SUITE.encrypt(padded, key, info=_info(poll_id))


def unseal(
    private_key: bytes, *, poll_id: UUID, items: Sequence[PollItem], sealed: bytes
) -> Opened | None:
    """What is inside. None, which makes an invalid ballot, if it was not sealed to this key for
    this poll, or does not hold one answer to every item."""
    try:
        key = X25519PrivateKey.from_private_bytes(private_key)
        content = json.loads(SUITE.decrypt(sealed, key, info=_info(poll_id)))
        given = [(int(number), list(codes)) for number, codes in content["choices"].items()]
        choices, found = check_ballot(items, given), content["tracker"]
    except (InvalidTag, ValueError, TypeError, KeyError, AttributeError, BallotInvalid):
        return None
    if not isinstance(found, str) or not _TRACKER.fullmatch(found) or choices != content["choices"]:
        return None
    return Opened(tracker=found, choices=choices)


def padded_length(items: Sequence[PollItem]) -> int:
    """The length of the longest ballot that these items allow, rounded up."""
    longest = {
        str(item.number): sorted(item.choices, key=len, reverse=True)[: item.most] for item in items
    }
    length = len(_content(longest, _base32(bytes(TRACKER_BYTES))))
    return -(-length // _BLOCK) * _BLOCK


def _content(choices: Choices | None, tracker: str) -> bytes:
    return canonical({"choices": choices, "tracker": tracker})


def _info(poll_id: UUID) -> bytes:
    return b"minyi envelope v1\0" + poll_id.bytes


def order_of_the_board(ballots: Sequence[Opened | None]) -> list[tuple[str, Choices | None]]:
    """(tracker, choices) of what came out of the box, by tracker.

    The rule on invalid ballots: what did not open, and any ballot that shows a tracker which
    another one has, is invalid; it is listed without choices under a tracker drawn now.
    """
    trackers = Counter(one.tracker for one in ballots if one is not None)
    listed: list[tuple[str, Choices | None]] = []
    for one in ballots:
        if one is None or trackers[one.tracker] > 1:
            listed.append((_base32(token_bytes(TRACKER_BYTES)), None))
        else:
            listed.append((one.tracker, one.choices))
    return sorted(listed, key=lambda ballot: ballot[0])


def _base32(content: bytes) -> str:
    return base64.b32encode(content).decode().rstrip("=")
