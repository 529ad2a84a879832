"""Ballots come in: from the voter's phone, from a helper, from a meeting. One ledger, in
which the primary key refuses the second ballot of a voter."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from consultation.database import Transaction
from consultation.events.people import BallotRecordedForVoter
from consultation.permissions import Deed
from consultation.polls import envelope_box, rules
from consultation.polls.assistance_tables import BallotAssistance
from consultation.polls.box import Cast, put_in, sent_before
from consultation.polls.commands import countersigning
from consultation.polls.commands.presence import presence_of
from consultation.polls.countersigning import CountersignSubject, EntryKey
from consultation.polls.envelope_box import SealedCast, SealedReceipt
from consultation.polls.envelope_queries import envelopes_of
from consultation.polls.envelopes import check_once
from consultation.polls.hand_queries import last_hand_count
from consultation.polls.hands import HandsNotConfidential, HandsOrBallots
from consultation.polls.paper import SecondStaffNeeded
from consultation.polls.people_queries import (
    STAFF,
    assistances,
    check_disinterested,
    find_person,
    holds_a_role,
)
from consultation.polls.precedence import equal_after_close
from consultation.polls.presence_queries import not_present
from consultation.polls.presets import BallotChannel, BallotMode
from consultation.polls.queries import (
    Hold,
    access_poll,
    casts_of,
    check_impartial,
    place_of,
    places_numbered,
)
from consultation.polls.tables import Ballot, Poll, RollEntry
from consultation.topics.tables import Topic

Answers = Iterable[tuple[int, Sequence[str]]]
"""(item number, codes), as given."""

STAFF_CHANNELS = frozenset({BallotChannel.ASSISTED})
MEETING_CHANNELS = frozenset({BallotChannel.SHOW_OF_HANDS})
"""Paper goes by its forms (``commands/paper.py``), a mandate by its holder."""


async def cast_ballot(
    tx: Transaction, poll_id: UUID, answers: Answers, *, once: str | None = None
) -> Ballot | SealedReceipt:
    """The actor's own ballot. An equal one again gets the first one's receipt, also after the
    close; a different one is refused. ``once`` is the secret of a confidential ballot; there a
    retry is known by it as long as the box is closed. With a named ballot it may come too: then an
    earlier one that is delivered once more undoes no later one.

    Refuses with NotPermitted, NotOnRoll, WrongChannel, PollNotOpen, PollClosed, BallotInvalid,
    BallotSecretNeeded, NotAtMeeting, AlreadyVoted or BallotKeyReused.
    """
    poll, _ = await access_poll(tx, poll_id, Deed.READ_PUBLIC, hold=Hold.POLL_SHARED)
    place = await place_of(tx, poll, tx.person_id)
    rules.check_voter(poll.preset, tx.standing.role, on_roll=place is not None)
    assert place is not None
    rules.check_channel(poll.preset, BallotChannel.ELECTRONIC)
    choices = rules.check_ballot(poll.items, answers)
    if poll.mode is BallotMode.CONFIDENTIAL:
        sealed = SealedCast(place=place, choices=choices, once=check_once(once))
        return await _cast_sealed(tx, poll, sealed)
    cast = Cast(place=place, choices=choices, channel=BallotChannel.ELECTRONIC, key=once)
    try:
        rules.check_open(poll.state, poll.closes_at, tx.now)
    except rules.PollClosed:
        earlier = (await casts_of(tx, poll.id, [place.id])).get(place.id, [])
        equal = equal_after_close(earlier, choices, sent_before(poll, cast, earlier))
        if equal is not None:
            return equal
        raise
    await check_present(tx, poll, [place])

    return (await put_in(tx, poll, [cast]))[0]


async def record_ballot(
    tx: Transaction,
    poll_id: UUID,
    number: int,
    answers: Answers,
    *,
    channel: BallotChannel,
    consent_note: str,
    helper_id: UUID,
    witness_id: UUID | None = None,
    once: str | None = None,
) -> Ballot | SealedReceipt:
    """Staff enter 代录 what the voter in place ``number`` had written by ``helper_id``, whom the
    voter chose; ``consent_note`` says how. There are two people: who helps and who enters, or a
    second member of staff as witness where they are the same. The voter is told, and whom the
    entry names is asked to countersign it. It is bound by the same rules as the voter's own, and
    its receipt is the voter's.

    Refuses with NotImpartial, SecondStaffNeeded, WrongChannel, NotOnRoll, PollNotOpen, PollClosed,
    BallotInvalid, AlreadyVoted or BallotKeyReused.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.ENTER_PAPER, hold=Hold.POLL_SHARED)
    allowed = STAFF_CHANNELS & set(poll.preset.channels)
    if poll.preset.held_in_meeting or channel not in allowed:
        raise rules.WrongChannel(channel=channel.value)
    rules.check_channel(poll.preset, channel)
    rules.check_open(poll.state, poll.closes_at, tx.now)
    await check_impartial(tx, poll, topic)
    choices = rules.check_ballot(poll.items, answers)
    place = (await _voters(tx, poll, [number]))[0]
    helper_id = await _check_help(tx, poll, topic, place, helper_id, witness_id)

    if poll.mode is BallotMode.CONFIDENTIAL:
        sealed = SealedCast(
            place=place,
            choices=choices,
            once=check_once(once),
            channel=channel,
            consent_note=consent_note,
        )
        turn = await _turn_of(tx, poll, sealed)
        answer: Ballot | SealedReceipt = await _put_in_sealed(tx, poll, sealed)
    else:
        cast = Cast(
            place=place, choices=choices, channel=channel, consent_note=consent_note, key=once
        )
        answer = ballot = (await put_in(tx, poll, [cast]))[0]
        turn = ballot.cast_no
    if await tx.session.get(BallotAssistance, (poll.id, place.id, turn)) is None:
        tx.session.add(
            BallotAssistance(
                poll_id=poll.id,
                roll_entry_id=place.id,
                cast_no=turn,
                community_id=poll.community_id,
                helper_id=helper_id,
                witness_id=witness_id,
                at=tx.now,
            )
        )
        key = EntryKey(CountersignSubject.ASSISTED, place.number, turn)
        await countersigning.ask(tx, poll, topic, key, [helper_id, witness_id])
        assert place.person_id is not None
        tx.emit(
            BallotRecordedForVoter(
                community_id=poll.community_id,
                person_id=place.person_id,
                poll_id=poll.id,
                channel=channel.value,
            )
        )
    return answer


async def record_meeting_votes(
    tx: Transaction,
    poll_id: UUID,
    votes: Mapping[int, Sequence[tuple[int, Sequence[str]]]],
    *,
    channel: BallotChannel,
) -> list[Ballot]:
    """A teller enters how members present voted, by number on the roll: all or none. Entering the
    same again changes nothing. The first show of hands fixes who is present.

    Refuses with NotImpartial, WrongChannel, HandsNotConfidential, HandsWithoutQuorum, NotOnRoll,
    NotAtMeeting, PollNotOpen, PollClosed, BallotInvalid or AlreadyVoted.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.ENTER_PAPER, hold=Hold.TOPIC_AND_POLL)
    if not poll.preset.held_in_meeting or channel not in MEETING_CHANNELS:
        raise rules.WrongChannel(channel=channel.value)
    rules.check_channel(poll.preset, channel)
    if poll.mode is not BallotMode.NAMED:
        raise HandsNotConfidential()
    rules.check_open(poll.state, poll.closes_at, tx.now)
    await check_impartial(tx, poll, topic)
    choices = {n: rules.check_ballot(poll.items, answers) for n, answers in votes.items()}
    places = await _voters(tx, poll, sorted(choices))
    await presence_of(tx, poll)
    await check_present(tx, poll, places)

    casts = [Cast(place=place, choices=choices[place.number], channel=channel) for place in places]
    return await put_in(tx, poll, casts)


async def _cast_sealed(tx: Transaction, poll: Poll, cast: SealedCast) -> SealedReceipt:
    try:
        rules.check_open(poll.state, poll.closes_at, tx.now)
    except rules.PollClosed:
        earlier = (await envelopes_of(tx, poll.id, [cast.place.id])).get(cast.place.id)
        if earlier is not None and envelope_box.is_same(poll, cast, earlier):
            return envelope_box.receipt(poll, cast, earlier)
        raise
    await check_present(tx, poll, [cast.place])
    return await _put_in_sealed(tx, poll, cast)


async def _put_in_sealed(tx: Transaction, poll: Poll, cast: SealedCast) -> SealedReceipt:
    (answer,) = await envelope_box.put_in(tx, poll, [cast])
    if isinstance(answer, rules.AlreadyVoted):
        raise answer
    return answer


async def _turn_of(tx: Transaction, poll: Poll, cast: SealedCast) -> int:
    """Which of the voter's assisted ballots this is; a retry is the one it was. The envelope that
    a later one replaces is gone, its helpers stay on record."""
    earlier = (await envelopes_of(tx, poll.id, [cast.place.id])).get(cast.place.id)
    same = earlier is not None and envelope_box.is_same(poll, cast, earlier)
    known = await assistances(tx, poll, cast.place.id)
    return max(1, known if same else known + 1)


async def _check_help(
    tx: Transaction,
    poll: Poll,
    topic: Topic,
    place: RollEntry,
    helper_id: UUID,
    witness_id: UUID | None,
) -> UUID:
    """The helper is not the voter, and who enters has no interest where they help themselves, and
    does not help alone. A witness is staff, and none of these. The interests of all others are
    looked at where they are asked to countersign. Returns the helper as the registers know them."""
    helper_id = (await find_person(tx, person_id=helper_id)).id
    if helper_id == place.person_id:
        raise rules.NotImpartial()
    if helper_id == tx.person_id:
        await check_disinterested(tx, poll, topic, helper_id)
    elif witness_id is None:
        return helper_id
    if witness_id is None or witness_id in (tx.person_id, place.person_id, helper_id):
        raise SecondStaffNeeded()
    if not await holds_a_role(tx, poll.community_id, witness_id, STAFF):
        raise SecondStaffNeeded()
    return helper_id


async def _voters(tx: Transaction, poll: Poll, numbers: list[int]) -> list[RollEntry]:
    """The places with these numbers; each must have a voter, who is not the actor."""
    places = await places_numbered(tx, poll, numbers)
    able = {place.number for place in places if place.person_id is not None}
    unable = [str(number) for number in numbers if number not in able]
    if unable:
        raise rules.NotOnRoll(numbers=unable)
    if any(place.person_id == tx.person_id for place in places):
        raise rules.NotImpartial()
    return places


async def check_present(tx: Transaction, poll: Poll, places: Sequence[RollEntry]) -> None:
    if not poll.preset.held_in_meeting:
        return
    if await last_hand_count(tx, poll) is not None:
        raise HandsOrBallots()
    absent = await not_present(tx, poll, places)
    if absent:
        raise rules.NotAtMeeting(
            numbers=[str(place.number) for place in places if place.id in absent]
        )
