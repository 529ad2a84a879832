"""The second people whom entries name are asked, and answer; the supervisor settles what stays."""

from collections.abc import Collection
from uuid import UUID

from consultation.database import Transaction
from consultation.events.people import CountersignAnswered, CountersignAsked
from consultation.permissions import Deed
from consultation.polls import countersigning as rules_of
from consultation.polls.countersign_queries import (
    answers_at,
    asked_at,
    own_requests,
    voter_of_entry,
)
from consultation.polls.countersign_tables import Countersignature, CountersignRequest
from consultation.polls.countersigning import (
    CountersignAnswer,
    CountersignState,
    CountersignSubject,
    EntryKey,
)
from consultation.polls.hand_tables import HandCount
from consultation.polls.hands import HandsDiffer
from consultation.polls.people_queries import check_disinterested
from consultation.polls.queries import Hold, access_poll, check_impartial
from consultation.polls.results import HandTotals
from consultation.polls.rules import NotImpartial, PollState
from consultation.polls.tables import Poll
from consultation.topics.tables import Topic

OVER = (PollState.PUBLISHED, PollState.VOIDED)


async def ask(
    tx: Transaction, poll: Poll, topic: Topic, key: EntryKey, people: Collection[UUID | None]
) -> None:
    """Ask everybody whom a new entry of the actor names, but for the actor. None of them may have
    an interest. Refuses with NotImpartial."""
    for person in sorted({one for one in people if one is not None} - {tx.person_id}):
        await check_disinterested(tx, poll, topic, person)
        tx.session.add(
            CountersignRequest(
                poll_id=poll.id,
                subject=key.subject,
                number=key.number,
                turn=key.turn,
                person_id=person,
                community_id=poll.community_id,
                asked_by_id=tx.person_id,
                at=tx.now,
            )
        )
        tx.emit(
            CountersignAsked(
                community_id=poll.community_id,
                person_id=person,
                poll_id=poll.id,
                subject=key.subject.value,
                number=key.number,
                turn=key.turn,
            )
        )


async def countersign(
    tx: Transaction,
    poll_id: UUID,
    key: EntryKey,
    *,
    confirmed: bool,
    reason: str | None = None,
    hands: HandTotals | None = None,
) -> CountersignState:
    """The actor, whom the entry names, confirms it or refuses with a ``reason``. Who confirms a
    show of hands gives the totals that they counted themselves. The same again changes nothing.

    Refuses with NothingToCountersign, NotAskedToCountersign, CountersignTooLate, NotImpartial,
    CountersignReasonMissing, HandsDiffer or CountersignAnswered.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.READ_PUBLIC, hold=Hold.POLL_SHARED)
    asked = await _asked(tx, poll, key)
    if tx.person_id not in {one.person_id for one in asked}:
        raise rules_of.NotAskedToCountersign()
    answer = CountersignAnswer.CONFIRMED if confirmed else CountersignAnswer.REFUSED
    if not confirmed and not (reason or "").strip():
        raise rules_of.CountersignReasonMissing()
    if confirmed:
        await check_disinterested(tx, poll, topic, tx.person_id)
    if confirmed and key.subject is CountersignSubject.HANDS:
        counted = await tx.session.get_one(HandCount, (poll.id, key.number))
        if hands is None or (hands.heads, hands.items) != (counted.heads, counted.items):
            raise HandsDiffer()
    return await _answer(tx, poll, key, asked, answer, None if confirmed else reason)


async def settle(tx: Transaction, poll_id: UUID, key: EntryKey, *, note: str) -> CountersignState:
    """The supervisor, whom the entry does not name, who did not make it and whose vote it is not,
    has looked into it and lets it stand. The same again changes nothing.

    Refuses with NothingToCountersign, NotImpartial, CountersignTooLate or
    CountersignReasonMissing.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.WITNESS_COUNT, hold=Hold.POLL_SHARED)
    asked = await _asked(tx, poll, key)
    await check_impartial(tx, poll, topic)
    theirs = {id for one in asked for id in (one.person_id, one.asked_by_id)}
    if tx.person_id in theirs | {await voter_of_entry(tx, poll, key)}:
        raise NotImpartial()
    if not note.strip():
        raise rules_of.CountersignReasonMissing()
    return await _answer(tx, poll, key, asked, CountersignAnswer.SETTLED, note)


async def read_own(
    tx: Transaction, poll_id: UUID, *, after: EntryKey | None, limit: int
) -> list[rules_of.Asked]:
    """What the actor is asked to countersign in a poll."""
    poll, _ = await access_poll(tx, poll_id, Deed.READ_PUBLIC)
    rows = await own_requests(tx, poll, after=after, limit=limit)
    return [rules_of.Asked(*row) for row in rows]


async def _asked(tx: Transaction, poll: Poll, key: EntryKey) -> list[CountersignRequest]:
    asked = await asked_at(tx, poll, key)
    if not asked:
        raise rules_of.NothingToCountersign()
    return asked


async def _answer(
    tx: Transaction,
    poll: Poll,
    key: EntryKey,
    asked: Collection[CountersignRequest],
    answer: CountersignAnswer,
    reason: str | None,
) -> CountersignState:
    said = {one.person_id: one.answer for one in await answers_at(tx, poll, key)}
    people = [one.person_id for one in asked]
    mine = said.get(tx.person_id)
    if mine is not None:
        if mine is not answer:
            raise rules_of.CountersignAnswered()
        return rules_of.state_of(people, said)
    if poll.state in OVER:
        raise rules_of.CountersignTooLate(state=poll.state.value)
    tx.session.add(
        Countersignature(
            poll_id=poll.id,
            subject=key.subject,
            number=key.number,
            turn=key.turn,
            person_id=tx.person_id,
            community_id=poll.community_id,
            answer=answer,
            reason=reason,
            at=tx.now,
        )
    )
    for person in sorted({one.asked_by_id for one in asked}):
        tx.emit(
            CountersignAnswered(
                community_id=poll.community_id,
                person_id=person,
                poll_id=poll.id,
                subject=key.subject.value,
                number=key.number,
                turn=key.turn,
                answer=answer.value,
            )
        )
    return rules_of.state_of(people, said | {tx.person_id: answer})
