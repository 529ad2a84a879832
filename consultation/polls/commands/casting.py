"""Ballots come in: from the voter's phone, from staff at the door, from a meeting. One ledger, in
which the primary key refuses the second ballot of a voter."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import col

from consultation.database import Transaction
from consultation.permissions import Deed
from consultation.polls import rules
from consultation.polls.queries import (
    Hold,
    absent_from_meeting,
    access_poll,
    ballot_of,
    ballots_of,
    check_impartial,
    place_of,
    places_numbered,
)
from consultation.polls.rules import BallotChannel
from consultation.polls.tables import TURNOUT_SHARDS, Ballot, Poll, PollTurnout, RollEntry

Answers = Iterable[tuple[int, str]]
"""(item number, choice), as given."""

STAFF_CHANNELS = frozenset({BallotChannel.PAPER, BallotChannel.ASSISTED})
MEETING_CHANNELS = frozenset({BallotChannel.PAPER, BallotChannel.SHOW_OF_HANDS})


async def cast_ballot(tx: Transaction, poll_id: UUID, answers: Answers) -> Ballot:
    """The actor's own ballot. An equal one again gets the first one's receipt, also after the
    close; a different one is refused.

    Refuses with NotOnRoll, PollNotOpen, PollClosed, BallotInvalid, NotAtMeeting or AlreadyVoted.
    """
    poll, _ = await access_poll(tx, poll_id, Deed.CAST_BALLOT, hold=Hold.POLL_SHARED)
    place = await place_of(tx, poll.id, tx.person_id)
    if place is None:
        raise rules.NotOnRoll()
    choices = rules.check_ballot(poll.items, answers)
    try:
        rules.check_open(poll.state, poll.closes_at, tx.now)
    except rules.PollClosed:
        earlier = await ballot_of(tx, poll.id, place.id)
        if earlier is not None and earlier.choices == choices:
            return earlier
        raise
    await _check_present(tx, poll, [place])

    return (await _put_in(tx, poll, [(place, choices)], channel=BallotChannel.ELECTRONIC))[0]


async def record_ballot(
    tx: Transaction,
    poll_id: UUID,
    number: int,
    answers: Answers,
    *,
    channel: BallotChannel,
    consent_note: str,
) -> Ballot:
    """Staff enter the ballot of the voter in place ``number``: on paper, or 代录 for one who asked
    for it; ``consent_note`` says how. It is bound by the same rules as the voter's own.

    Refuses with NotImpartial, WrongChannel, NotOnRoll, PollNotOpen, PollClosed, BallotInvalid or
    AlreadyVoted.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.ENTER_PAPER, hold=Hold.POLL_SHARED)
    if poll.preset.held_in_meeting or channel not in STAFF_CHANNELS:
        raise rules.WrongChannel(channel=channel.value)
    rules.check_open(poll.state, poll.closes_at, tx.now)
    await check_impartial(tx, topic)
    choices = rules.check_ballot(poll.items, answers)
    places = await _voters(tx, poll, [number])

    entered = [(places[0], choices)]
    return (await _put_in(tx, poll, entered, channel=channel, consent_note=consent_note))[0]


async def record_meeting_votes(
    tx: Transaction,
    poll_id: UUID,
    votes: Mapping[int, Sequence[tuple[int, str]]],
    *,
    channel: BallotChannel,
) -> list[Ballot]:
    """A teller enters how members present voted, by number on the roll: all or none. Entering the
    same again changes nothing.

    Refuses with NotImpartial, WrongChannel, NotOnRoll, NotAtMeeting, PollNotOpen, PollClosed,
    BallotInvalid or AlreadyVoted.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.ENTER_PAPER, hold=Hold.POLL_SHARED)
    if not poll.preset.held_in_meeting or channel not in MEETING_CHANNELS:
        raise rules.WrongChannel(channel=channel.value)
    rules.check_open(poll.state, poll.closes_at, tx.now)
    await check_impartial(tx, topic)
    choices = {n: rules.check_ballot(poll.items, answers) for n, answers in votes.items()}
    places = await _voters(tx, poll, sorted(choices))
    await _check_present(tx, poll, places)

    entered = [(place, choices[place.number]) for place in places]
    return await _put_in(tx, poll, entered, channel=channel)


async def _voters(tx: Transaction, poll: Poll, numbers: list[int]) -> list[RollEntry]:
    """The places with these numbers; each must have a voter, who is not the actor."""
    places = await places_numbered(tx, poll.id, numbers)
    able = {place.number for place in places if place.person_id is not None}
    unable = [str(number) for number in numbers if number not in able]
    if unable:
        raise rules.NotOnRoll(numbers=unable)
    if any(place.person_id == tx.person_id for place in places):
        raise rules.NotImpartial()
    return places


async def _check_present(tx: Transaction, poll: Poll, places: Sequence[RollEntry]) -> None:
    if not poll.preset.held_in_meeting:
        return
    voters = [place.person_id for place in places if place.person_id is not None]
    absent = await absent_from_meeting(tx, poll, voters)
    if absent:
        raise rules.NotAtMeeting(
            numbers=[str(place.number) for place in places if place.person_id in absent]
        )


async def _put_in(
    tx: Transaction,
    poll: Poll,
    entered: Sequence[tuple[RollEntry, dict[str, str]]],
    *,
    channel: BallotChannel,
    consent_note: str | None = None,
) -> list[Ballot]:
    """Insert, and let the primary key judge. Equal ballots that are in already keep their receipts;
    one that differs refuses the whole."""
    ballots = {
        place.id: Ballot(
            poll_id=poll.id,
            roll_entry_id=place.id,
            community_id=poll.community_id,
            choices=choices,
            channel=channel,
            entered_by_id=None if channel is BallotChannel.ELECTRONIC else tx.person_id,
            consent_note=consent_note,
            receipt=tx.new_id().hex,
            cast_at=tx.now,
        )
        for place, choices in entered
    }
    insert: Any = sqlite_insert if tx.session.get_bind().dialect.name == "sqlite" else pg_insert
    statement = (
        insert(Ballot)
        .values([ballot.model_dump() for ballot in ballots.values()])
        .on_conflict_do_nothing(index_elements=["poll_id", "roll_entry_id"])
        .returning(Ballot.roll_entry_id)
    )
    new = set((await tx.session.exec(statement)).scalars())
    if new:
        await _count_turnout(tx, poll, [place for place, _ in entered if place.id in new])
    earlier = [entry for entry in ballots if entry not in new]
    if earlier:
        found = {b.roll_entry_id: b for b in await ballots_of(tx, poll.id, earlier)}
        other = [
            str(place.number)
            for place, choices in entered
            if place.id in found and found[place.id].choices != choices
        ]
        if other:
            raise rules.AlreadyVoted(numbers=other)
        ballots |= found
    return list(ballots.values())


async def _count_turnout(tx: Transaction, poll: Poll, places: Sequence[RollEntry]) -> None:
    """One of the sixteen counters takes them all, so that a transaction locks one row."""
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
