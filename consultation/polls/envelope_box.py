"""The box of a confidential poll: where sealed ballots go in.

The primary key refuses the second envelope of a voter; where the preset allows a re-vote, the row
takes the new one. The choice is in memory while it is sealed, and nowhere else.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_bytes
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import col

from consultation.database import Transaction
from consultation.polls import envelopes, leaves, rules
from consultation.polls.box import count_turnout
from consultation.polls.envelope_queries import envelopes_of
from consultation.polls.envelope_tables import Envelope
from consultation.polls.precedence import Precedence, precedence
from consultation.polls.presets import BallotChannel
from consultation.polls.rules import Choices
from consultation.polls.tables import Poll, RollEntry

CHANNELS = frozenset({BallotChannel.ELECTRONIC, BallotChannel.ASSISTED, BallotChannel.PROXY})
"""What is typed in here. Paper comes shut (``hand_in``), and hands show who chose what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedCast:
    """A checked ballot on its way in, with the secret of its voter."""

    place: RollEntry
    choices: Choices
    once: bytes
    channel: BallotChannel = BallotChannel.ELECTRONIC
    consent_note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedReceipt:
    """What the voter alone gets. It holds no time."""

    poll_id: UUID
    receipt: str
    tracker: str
    cast_at: datetime | None = None


async def put_in(
    tx: Transaction, poll: Poll, casts: Sequence[SealedCast]
) -> list[SealedReceipt | rules.AlreadyVoted]:
    """Put in ballots of different voters; the poll is held and open. Each gets its receipt, or the
    refusal that another ballot of the voter stands; neither touches the others. The same ballot
    with the same secret keeps its receipt."""
    rows = {cast.place.id: _row(tx, poll, cast) for cast in casts}
    new = await _insert(tx, list(rows.values()))
    await count_turnout(tx, poll, [cast.place for cast in casts if cast.place.id in new])
    again = [cast for cast in casts if cast.place.id not in new]
    earlier = await envelopes_of(tx, poll.id, [cast.place.id for cast in again]) if again else {}
    refused: dict[UUID, rules.AlreadyVoted] = {}
    for cast in again:
        stands, comes = earlier[cast.place.id], rows[cast.place.id]
        if hmac.compare_digest(stands.fingerprint, comes.fingerprint):
            rows[cast.place.id] = stands
        elif (
            comes.fingerprint
            in [one for one, _ in stands.earlier]  # a late retry of a ballot that was replaced
            or precedence(poll.preset, stands.channel, comes.channel) is not Precedence.REPLACES
        ):
            refused[cast.place.id] = rules.AlreadyVoted(numbers=[str(cast.place.number)])
        else:
            await _replace(tx, stands, comes)
    return [
        refused.get(cast.place.id) or receipt(poll, cast, rows[cast.place.id]) for cast in casts
    ]


async def hand_in(
    tx: Transaction, poll: Poll, place: RollEntry, *, channel: BallotChannel, form: int
) -> bool:
    """A voter handed in the shut envelope of a form; the poll is held and open. Whether it stands:
    not, if the preset lets the ballot prevail that is there.

    Refuses with AlreadyVoted.
    """
    salt = token_bytes(leaves.SALT_BYTES)
    leaf = leaves.envelope_leaf(poll_id=poll.id, sealed=b"", salt=salt)
    row = Envelope(
        poll_id=poll.id,
        roll_entry_id=place.id,
        community_id=poll.community_id,
        channel=channel,
        entered_by_id=tx.person_id,
        sealed=b"",
        fingerprint=envelopes.fingerprint_of_form(poll.id, form),
        replaced=b"",
        salt=salt,
        leaf_hash=leaves.leaf_hash(leaf),
    )
    if await _insert(tx, [row]):
        await count_turnout(tx, poll, [place])
        return True
    stands = (await envelopes_of(tx, poll.id, [place.id]))[place.id]
    outcome = precedence(poll.preset, stands.channel, channel)
    if outcome is Precedence.REFUSED:
        raise rules.AlreadyVoted(numbers=[str(place.number)])
    if outcome is Precedence.REPLACES:
        await _replace(tx, stands, row)
    return outcome is Precedence.REPLACES


def receipt(poll: Poll, cast: SealedCast, envelope: Envelope) -> SealedReceipt:
    return SealedReceipt(
        poll_id=poll.id,
        receipt=envelope.receipt,
        tracker=envelopes.tracker(cast.once, poll.id, cast.place.number),
    )


def is_same(poll: Poll, cast: SealedCast, envelope: Envelope) -> bool:
    """Whether the envelope holds this very ballot, sent with this very secret."""
    return hmac.compare_digest(envelope.fingerprint, _fingerprint(poll, cast))


def _fingerprint(poll: Poll, cast: SealedCast) -> bytes:
    return envelopes.fingerprint(cast.once, poll.id, cast.place.number, cast.choices)


def _row(tx: Transaction, poll: Poll, cast: SealedCast) -> Envelope:
    if cast.channel not in CHANNELS:
        raise rules.WrongChannel(channel=cast.channel.value)
    assert poll.box_public_key is not None
    content = envelopes.seal_ballot(
        poll.box_public_key,
        poll_id=poll.id,
        items=poll.items,
        place=cast.place.number,
        choices=cast.choices,
        once=cast.once,
    )
    return Envelope(
        poll_id=poll.id,
        roll_entry_id=cast.place.id,
        community_id=poll.community_id,
        channel=cast.channel,
        entered_by_id=None if cast.channel is BallotChannel.ELECTRONIC else tx.person_id,
        consent_note=cast.consent_note,
        sealed=content.sealed,
        fingerprint=content.fingerprint,
        replaced=b"",
        salt=content.salt,
        leaf_hash=content.leaf_hash,
    )


async def _insert(tx: Transaction, rows: Sequence[Envelope]) -> set[UUID]:
    """The entries whose row went in; the primary key judges."""
    insert: Any = sqlite_insert if tx.session.get_bind().dialect.name == "sqlite" else pg_insert
    statement = (
        insert(Envelope)
        .values([row.model_dump() for row in rows])
        .on_conflict_do_nothing(index_elements=["poll_id", "roll_entry_id"])
        .returning(Envelope.roll_entry_id)
    )
    return set((await tx.session.exec(statement)).scalars())


async def _replace(tx: Transaction, stands: Envelope, comes: Envelope) -> None:
    changed = comes.model_dump(exclude={"poll_id", "roll_entry_id", "community_id"})
    changed["replaced"] = stands.replaced + stands.fingerprint + stands.leaf_hash
    await tx.session.exec(
        update(Envelope)
        .where(
            col(Envelope.poll_id) == comes.poll_id,
            col(Envelope.roll_entry_id) == comes.roll_entry_id,
        )
        .values(**changed)
    )
