"""A show of hands comes in as totals, with witnesses."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from consultation.database import Transaction
from consultation.events.polls import PollHandsCounted
from consultation.permissions import Deed
from consultation.polls import hands, rules
from consultation.polls.commands import countersigning
from consultation.polls.commands.presence import presence_of
from consultation.polls.countersigning import CountersignSubject, EntryKey
from consultation.polls.hand_queries import last_hand_count
from consultation.polls.hand_tables import HandCount
from consultation.polls.presence_queries import absent_from_meeting
from consultation.polls.presets import BallotMode
from consultation.polls.queries import Hold, access_poll, check_impartial, turnout


async def count_hands(
    tx: Transaction,
    poll_id: UUID,
    *,
    heads: int,
    items: Mapping[str, Mapping[str, int]],
    witness_ids: Sequence[UUID],
) -> HandCount:
    """Enter the hands that were counted at the poll's meeting; the last count stands. The
    witnesses are asked to countersign it. The same again changes nothing. The first count fixes
    who is present, if that was not done before.

    Refuses with HandsNotConfidential, HandsNotCounted, PollNotOpen, PollClosed, NotImpartial,
    WitnessesNeeded, HandsWithoutQuorum, MoreHandsThanPeople, BallotInvalid or HandsOrBallots.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.ENTER_PAPER, hold=Hold.TOPIC_AND_POLL)
    if poll.mode is not BallotMode.NAMED:
        raise hands.HandsNotConfidential()
    hands.check_by_hand(poll.preset, poll.items)
    rules.check_open(poll.state, poll.closes_at, tx.now)
    await check_impartial(tx, poll, topic)
    absent = await absent_from_meeting(tx, poll, list(witness_ids))
    hands.check_witnesses(witness_ids, counter=tx.person_id, absent=absent)
    if (await turnout(tx, poll.id)).heads:
        raise hands.HandsOrBallots()
    hands.check_totals(poll.items, heads, items, present=await presence_of(tx, poll))
    last = await last_hand_count(tx, poll)
    given = {number: dict(sorted(codes.items())) for number, codes in sorted(items.items())}
    named = sorted(str(witness) for witness in witness_ids)
    if last is not None and (last.heads, last.items, last.witness_ids) == (heads, given, named):
        return last

    counted = HandCount(
        poll_id=poll.id,
        count_no=1 if last is None else last.count_no + 1,
        community_id=poll.community_id,
        heads=heads,
        items=given,
        counted_by_id=tx.person_id,
        witness_ids=named,
        at=tx.now,
    )
    tx.session.add(counted)
    await countersigning.ask(
        tx, poll, topic, EntryKey(CountersignSubject.HANDS, counted.count_no, 1), witness_ids
    )
    tx.emit(
        PollHandsCounted(
            community_id=poll.community_id,
            topic_id=topic.id,
            poll_id=poll.id,
            count_no=counted.count_no,
        )
    )
    return counted
