"""Signed receipts: the board's promise to a voter that their ballot will be on it, and by when."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from consultation.database import Transaction
from consultation.polls import board, disclosure, terms
from consultation.polls.envelope_tables import Envelope
from consultation.polls.presets import BallotMode
from consultation.polls.queries import place_and_ballot
from consultation.polls.rules import NotOnRoll
from consultation.polls.tables import Poll
from consultation.refusals import NotFound


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """Kept as a file, this is what ``minyi_verify.py --receipt`` reads. ``receipt`` is the leaf
    hash; the signature covers all the rest (``board.receipt_text``)."""

    poll_id: UUID
    receipt: str
    include_by: str
    manifest_hash: str
    signature: str


def sign_receipt(tx: Transaction, poll: Poll, leaf: str, cast_at: datetime) -> SignedReceipt:
    """The same leaf and time always get the same receipt. Where leaves may wait for the close, the
    promise counts from the last hour at which that can be; once it is certain, from the close."""
    if disclosure.held_back(poll.preset, poll.mode):
        last_close = terms.last_close(
            poll.preset,
            state=poll.state,
            extensions=poll.extensions,
            opens_at=poll.opens_at,
            closes_at=poll.closes_at,
        )
        cast_at = max(cast_at, last_close)
    by = board.include_by(cast_at)
    manifest = poll.manifest_hash or ""
    text = board.receipt_text(poll_id=poll.id, manifest=manifest, leaf=leaf, by=by)
    return SignedReceipt(
        poll_id=poll.id,
        receipt=leaf,
        include_by=board.instant(by),
        manifest_hash=manifest,
        signature=tx.board_key.sign(text),
    )


async def own_receipt(tx: Transaction, poll: Poll) -> SignedReceipt:
    """The signed receipt of the actor's ballot that stands. Of a confidential ballot nobody keeps
    the time, so that the promise counts from now, and there is none once the box is open."""
    found = await place_and_ballot(tx, poll, tx.person_id)
    if found is None:
        raise NotOnRoll()
    place, ballot = found
    if poll.mode is BallotMode.CONFIDENTIAL:
        envelope = await tx.session.get(Envelope, (poll.id, place.id))
        if envelope is None:
            raise NotFound(what="ballot")
        return sign_receipt(tx, poll, envelope.receipt, tx.now)
    if ballot is None:
        raise NotFound(what="ballot")
    return sign_receipt(tx, poll, ballot.receipt, ballot.cast_at)
