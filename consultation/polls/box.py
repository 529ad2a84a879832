"""The ballot box: the one road by which casts of every channel enter the ledger of a poll.

The primary key refuses the second ballot of a voter; ``precedence`` says when a later cast
stands instead, or is recorded and set aside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from secrets import token_bytes
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import col

from consultation.database import Transaction
from consultation.polls import leaves, rules
from consultation.polls.precedence import Precedence, another_cast, over_what_stands
from consultation.polls.presets import BallotChannel, BallotMode
from consultation.polls.queries import casts_of
from consultation.polls.rules import Choices
from consultation.polls.tables import TURNOUT_SHARDS, Ballot, Poll, PollTurnout, RollEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """A checked ballot on its way in. ``choices`` is None of an invalid one; ``key`` is what its
    client sent along, to be known again by."""

    place: RollEntry
    choices: Choices | None
    channel: BallotChannel
    consent_note: str | None = None
    key: str | None = None


def sent_before(poll: Poll, cast: Cast, known: Sequence[Ballot]) -> Ballot | None:
    """The ballot of this voter that came with the same key."""
    secret = None if poll.roll_secret is None else leaves.salt_secret(poll.roll_secret)
    return leaves.sent_before(known, secret, cast.place.number, cast.key)


async def put_in(tx: Transaction, poll: Poll, casts: Sequence[Cast]) -> list[Ballot]:
    """Put in casts of different voters, all or none; the poll is held and open. An equal cast that
    is in already keeps its receipt, for whoever entered it.

    Refuses with AlreadyVoted, naming the places of voters whose other ballot stands, or
    BallotKeyReused.
    """
    if poll.mode is not BallotMode.NAMED:
        raise rules.WrongChannel(mode=poll.mode.value)  # ``envelope_box`` takes those
    ballots = {cast.place.id: _row(tx, poll, cast, cast_no=1) for cast in casts}
    new = await _insert(tx, list(ballots.values()))
    await count_turnout(tx, poll, [cast.place for cast in casts if cast.place.id in new])
    again = [cast for cast in casts if cast.place.id not in new]
    if again:
        earlier = await casts_of(tx, poll.id, [cast.place.id for cast in again])
        later: list[Ballot] = []
        refused: list[str] = []
        for cast in again:
            known = earlier[cast.place.id]
            same = sent_before(poll, cast, known)
            outcome = another_cast(poll.preset, known, cast.choices, cast.channel, same)
            if isinstance(outcome, Ballot) and outcome.entered_by_id != _entered_by(tx, cast):
                # the receipt of an equal one would tell somebody who did not enter it what it says
                outcome = over_what_stands(poll.preset, known, cast.choices, cast.channel)
            if isinstance(outcome, Ballot):
                ballots[cast.place.id] = outcome
                continue
            if outcome is Precedence.REFUSED:
                refused.append(str(cast.place.number))
                continue
            row = _row(
                tx,
                poll,
                cast,
                cast_no=known[-1].cast_no + 1,
                set_aside=outcome is Precedence.SET_ASIDE,
            )
            later.append(row)
            ballots[cast.place.id] = row
        if refused:
            raise rules.AlreadyVoted(numbers=refused)
        if len(await _insert(tx, later)) < len(later):
            raise rules.AlreadyVoted(numbers=[])  # another cast of the same voter came just now
    return [ballots[cast.place.id] for cast in casts]


def _row(
    tx: Transaction, poll: Poll, cast: Cast, *, cast_no: int, set_aside: bool = False
) -> Ballot:
    salt = token_bytes(leaves.SALT_BYTES)
    if cast.key and poll.roll_secret is not None:
        secret = leaves.salt_secret(poll.roll_secret)
        salt = leaves.keyed_salt(secret, cast.place.number, cast.key, salt)
    leaf = leaves.ballot_leaf(
        poll_id=poll.id,
        place=cast.place.number,
        cast_no=cast_no,
        channel=cast.channel,
        choices=cast.choices,
        salt=salt,
    )
    return Ballot(
        poll_id=poll.id,
        roll_entry_id=cast.place.id,
        cast_no=cast_no,
        community_id=poll.community_id,
        choices=cast.choices,
        channel=cast.channel,
        set_aside=set_aside,
        entered_by_id=_entered_by(tx, cast),
        consent_note=cast.consent_note,
        salt=salt,
        leaf_hash=leaves.leaf_hash(leaf),
        cast_at=tx.now,
    )


def _entered_by(tx: Transaction, cast: Cast) -> UUID | None:
    return None if cast.channel is BallotChannel.ELECTRONIC else tx.person_id


async def _insert(tx: Transaction, rows: Sequence[Ballot]) -> set[Any]:
    """The entries whose row went in; the primary key judges."""
    if not rows:
        return set()
    insert: Any = sqlite_insert if tx.session.get_bind().dialect.name == "sqlite" else pg_insert
    statement = (
        insert(Ballot)
        .values([row.model_dump() for row in rows])
        .on_conflict_do_nothing(index_elements=["poll_id", "roll_entry_id", "cast_no"])
        .returning(Ballot.roll_entry_id)
    )
    return set((await tx.session.exec(statement)).scalars())


async def count_turnout(tx: Transaction, poll: Poll, places: Sequence[RollEntry]) -> None:
    """One of the sixteen counters takes them all, so that a transaction locks one row."""
    if not places:
        return
    await tx.session.exec(
        update(PollTurnout)
        .where(
            col(PollTurnout.poll_id) == poll.id,
            col(PollTurnout.shard) == places[0].number % TURNOUT_SHARDS,
        )
        .values(
            heads=PollTurnout.heads + len(places),
            area_dm2=PollTurnout.area_dm2 + sum(place.area_dm2 for place in places),
        )
    )
