"""Proofs of notice come in: from what was sent and read, and from grid workers at the door."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import col

from consultation.database import Transaction
from consultation.events.polls import PollAddressesRead, PollUnservedRead, PollVotersServed
from consultation.permissions import Deed, Grant, check, grant_of
from consultation.polls import notice_queries as queries
from consultation.polls import serving
from consultation.polls.address_queries import Address, addresses
from consultation.polls.notice_queries import Unserved
from consultation.polls.notice_tables import VoterNotice
from consultation.polls.queries import Hold, access_poll, hold_polls
from consultation.polls.rules import NotOnRoll
from consultation.polls.serving import NoticeChannel, NoticeEvidence, Proof
from consultation.polls.tables import TURNOUT_SHARDS, Poll, PollTurnout, RollEntry


async def record_voter_notice(
    tx: Transaction,
    poll_id: UUID,
    number: int,
    *,
    channel: NoticeChannel,
    evidence: NoticeEvidence,
    reference: str,
) -> tuple[RollEntry, VoterNotice]:
    """Staff told the voter in place ``number``: a grid worker in the own grid, a clerk anywhere.
    Entering the same channel again changes nothing and gives the place with its first entry.

    Refuses with PollNotBeingServed, EvidenceUnfit, NotOnRoll or VoterOutsideGrid.
    """
    poll, _ = await access_poll(tx, poll_id, Deed.SERVE_NOTICE, hold=Hold.POLL_SHARED)
    serving.check_serving(poll.state, poll.closes_at, tx.now)
    serving.check_entered(channel, evidence)
    place = await queries.lock_place(tx, poll, number)
    if place is None:
        raise NotOnRoll(numbers=[str(number)])
    grant = check(Deed.SERVE_NOTICE, tx.standing.role)
    serving.check_grid(grant, tx.standing.node_id, place.grid_id)

    row = _row(
        tx,
        place,
        Proof(
            poll_id=poll.id,
            person_id=place.person_id,
            channel=channel,
            at=tx.now,
            evidence=evidence,
            reference=reference,
            recorded_by_id=tx.person_id,
        ),
    )
    await _put_in(tx, {poll.id: poll}, [(place, row)])
    kept = await queries.proofs_of(tx, poll.id, place.id)
    return place, next(one for one in kept if one.channel is channel)


async def record_proofs(tx: Transaction, proofs: Sequence[Proof]) -> int:
    """What the system sent or saw fetched, by whoever does that, in their transaction; how many
    entries were new. A proof about somebody who is not on the roll is no proof of anything, and a
    poll that has closed takes none."""
    if not proofs:
        return 0
    polls = await hold_polls(tx, {proof.poll_id for proof in proofs})
    being_served = {
        poll.id: poll
        for poll in polls
        if poll.state in serving.BEING_SERVED and tx.now < poll.closes_at
    }
    wanted = {
        (proof.poll_id, proof.person_id)
        for proof in proofs
        if proof.poll_id in being_served and proof.person_id is not None
    }
    places = await queries.lock_places(tx, wanted) if wanted else {}
    entered = [
        (place, _row(tx, place, proof))
        for proof in proofs
        if proof.person_id is not None
        and (place := places.get((proof.poll_id, proof.person_id))) is not None
    ]
    return await _put_in(tx, being_served, entered)


async def read_unserved(
    tx: Transaction, poll_id: UUID, *, grid_id: UUID | None, after: int, limit: int
) -> list[Unserved]:
    """Who has not been told yet, for a grid worker of the own grid, a clerk, the supervisor. That
    they look is on record; the supervisor sees no address.

    Refuses with VoterOutsideGrid.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.READ_UNSERVED)
    grant = check(Deed.READ_UNSERVED, tx.standing.role)
    if grant is Grant.OWN:
        grid_id = grid_id or tx.standing.node_id
        serving.check_grid(grant, tx.standing.node_id, grid_id)
    found = await queries.unserved(tx, poll, grid_id=grid_id, after=after, limit=limit)
    tx.emit(
        PollUnservedRead(
            community_id=poll.community_id,
            topic_id=topic.id,
            poll_id=poll.id,
            role=tx.standing.role.value,
        )
    )
    return found


async def read_addresses(
    tx: Transaction, poll_id: UUID, *, unit: str, after: int, limit: int
) -> list[Address]:
    """Where on the roll a home stands whose code begins with ``unit``, for whoever serves notice or
    enters paper; a grid worker looks in the own grid. That they look is on record."""
    poll, topic = await access_poll(tx, poll_id, Deed.READ_PUBLIC)
    grant = grant_of(Deed.SERVE_NOTICE, tx.standing.role)
    if grant is None:
        check(Deed.ENTER_PAPER, tx.standing.role)
    found = await addresses(
        tx,
        poll,
        unit=unit,
        grid_id=tx.standing.node_id if grant is Grant.OWN else None,
        after=after,
        limit=limit,
    )
    tx.emit(
        PollAddressesRead(
            community_id=poll.community_id,
            topic_id=topic.id,
            poll_id=poll.id,
            role=tx.standing.role.value,
        )
    )
    return found


def _row(tx: Transaction, place: RollEntry, proof: Proof) -> VoterNotice:
    return VoterNotice(
        id=tx.new_id(),
        community_id=place.community_id,
        poll_id=place.poll_id,
        roll_entry_id=place.id,
        channel=proof.channel,
        at=proof.at,
        evidence=proof.evidence,
        reference=proof.reference,
        recorded_by_id=proof.recorded_by_id,
    )


async def _put_in(
    tx: Transaction, polls: Mapping[UUID, Poll], entered: Sequence[tuple[RollEntry, VoterNotice]]
) -> int:
    """Insert what is new, count the places that had no proof before, and say how many there are.
    The places are locked, so that two recorders never both take themselves for the first."""
    if not entered:
        return 0
    before = await queries.proved(tx, {place.id for place, _ in entered})
    takes = await queries.takes(tx, {place.id for place, _ in entered})
    for _, row in entered:
        row.take = takes.get((row.roll_entry_id, row.channel), 0)
    insert: Any = sqlite_insert if tx.session.get_bind().dialect.name == "sqlite" else pg_insert
    statement = (
        insert(VoterNotice)
        .values([row.model_dump() for _, row in entered])
        .on_conflict_do_nothing(index_elements=["poll_id", "roll_entry_id", "channel", "take"])
        .returning(VoterNotice.id)
    )
    new = set((await tx.session.exec(statement)).scalars())
    first: dict[UUID, list[RollEntry]] = {}
    for place in {p.id: p for p, row in entered if row.id in new and p.id not in before}.values():
        first.setdefault(place.poll_id, []).append(place)
    if first:
        await _count(tx, first)
        served = await queries.served_counts(tx, first)
        for poll_id in sorted(first):
            tx.emit(
                PollVotersServed(
                    community_id=polls[poll_id].community_id,
                    topic_id=polls[poll_id].topic_id,
                    poll_id=poll_id,
                    served=served[poll_id],
                )
            )
    return len(new)


async def _count(tx: Transaction, first: Mapping[UUID, Sequence[RollEntry]]) -> None:
    """One of the sixteen counters of each poll takes them all."""
    connection = await tx.session.connection()
    await connection.execute(
        update(PollTurnout)
        .where(
            col(PollTurnout.poll_id) == bindparam("of_poll"),
            col(PollTurnout.shard) == bindparam("of_shard"),
        )
        .values(served=PollTurnout.served + bindparam("more")),
        [
            {"of_poll": poll_id, "of_shard": places[0].number % TURNOUT_SHARDS, "more": len(places)}
            for poll_id, places in sorted(first.items())
        ],
    )
