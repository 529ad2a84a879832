"""The one place for SQL on polls. ``access_poll`` is the only road to a poll's row."""

from collections.abc import Collection, Mapping
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Uuid, literal
from sqlalchemy import select as sa_select
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import aliased
from sqlmodel import and_, col, exists, func, select

from consultation.columns import UtcDateTime
from consultation.community.queries import At
from consultation.database import Transaction
from consultation.permissions import Actor, Deed, check, grant_of
from consultation.polls.counting import Count, Vote
from consultation.polls.disclosure import in_steps
from consultation.polls.presets import InvalidBallots
from consultation.polls.rolls import Place
from consultation.polls.rules import NotImpartial, PollState
from consultation.polls.tables import (
    Ballot,
    CountSignature,
    Poll,
    PollTurnout,
    RollEntry,
    ShownTurnout,
)
from consultation.refusals import NotFound
from consultation.topics.queries import access_topic, topics_in_sight
from consultation.topics.tables import Follow, InterestDeclaration, Topic


class Hold(Enum):
    """What the transaction keeps from others until it ends. A ballot holds the poll shared, so
    that the close, which holds it alone, waits for ballots under way and shuts out later ones."""

    NOTHING = "nothing"
    POLL_SHARED = "poll_shared"
    TOPIC_AND_POLL = "topic_and_poll"  # in this order, everywhere


async def access_poll(
    tx: Transaction, poll_id: UUID, deed: Deed, *, hold: Hold = Hold.NOTHING
) -> tuple[Poll, Topic]:
    """The poll and its topic, if the actor may see both and do ``deed`` there. Drafts are seen by
    those who may draft. With a hold, ``tx.now`` is the time at which it was got."""
    statement = select(Poll).where(Poll.id == poll_id)
    if hold is Hold.TOPIC_AND_POLL:
        topic_id = (await tx.session.exec(select(Poll.topic_id).where(Poll.id == poll_id))).first()
        if topic_id is None:
            raise NotFound(what="poll")
        topic = await access_topic(tx, topic_id, Deed.READ_PUBLIC, lock=True)
        poll = (await tx.session.exec(statement.with_for_update())).one()
        await tx.look_at_clock()
    else:
        if hold is Hold.POLL_SHARED:
            statement = statement.with_for_update(read=True)
        found = (await tx.session.exec(statement)).first()
        if found is None:
            raise NotFound(what="poll")
        poll = found
        if hold is Hold.POLL_SHARED:
            await tx.look_at_clock()
        topic = await access_topic(tx, poll.topic_id, Deed.READ_PUBLIC)
    if poll.state is PollState.DRAFT and grant_of(Deed.CHOOSE_PRESET, tx.standing.role) is None:
        raise NotFound(what="poll")
    check(deed, tx.standing.role)
    return poll, topic


async def polls_of_topic(
    tx: Transaction, topic_id: UUID, *, after: tuple[datetime, UUID] | None, limit: int
) -> list[Poll]:
    """The announced polls of a topic, latest round first; drafts too for those who may draft."""
    statement = select(Poll).where(Poll.topic_id == topic_id)
    if grant_of(Deed.CHOOSE_PRESET, tx.standing.role) is None:
        statement = statement.where(Poll.state != PollState.DRAFT)
    if after is not None:
        at, poll_id = after
        statement = statement.where(
            (col(Poll.drafted_at) < at) | ((col(Poll.drafted_at) == at) & (col(Poll.id) < poll_id))
        )
    rows = await tx.session.exec(
        statement.order_by(col(Poll.drafted_at).desc(), col(Poll.id).desc()).limit(limit)
    )
    return list(rows)


async def live_poll(tx: Transaction, topic: Topic) -> Poll | None:
    """The poll of the topic's present round that is not voided. Call with the topic locked."""
    rows = await tx.session.exec(
        select(Poll)
        .where(Poll.topic_id == topic.id, Poll.round == topic.round, Poll.state != PollState.VOIDED)
        .with_for_update()
    )
    return rows.first()


async def turnout(tx: Transaction, poll_id: UUID) -> Count:
    """How many cast a ballot so far, valid or not: a sum of sixteen counters, never a scan of
    ballots."""
    row = (
        await tx.session.exec(
            select(func.sum(PollTurnout.heads), func.sum(PollTurnout.area_dm2)).where(
                PollTurnout.poll_id == poll_id
            )
        )
    ).one()
    return Count(heads=int(row[0] or 0), area_dm2=int(row[1] or 0))


async def participation(tx: Transaction, poll: Poll) -> Count:
    """How many take part so far, as the preset means it: with invalid ballots or without them."""
    return (await participation_and_served(tx, poll))[0]


async def participation_and_served(tx: Transaction, poll: Poll) -> tuple[Count, int]:
    """How many take part so far, and how many of the roll were told of the poll. Of a confidential
    poll nobody knows before the opening which ballots are invalid: all of them count here."""
    left_out = _left_out([poll]).subquery()
    row = (
        await tx.session.exec(
            select(
                func.sum(PollTurnout.heads),
                func.sum(PollTurnout.area_dm2),
                func.sum(PollTurnout.served),
                select(func.sum(left_out.c.heads)).scalar_subquery(),
                select(func.sum(left_out.c.area_dm2)).scalar_subquery(),
            ).where(PollTurnout.poll_id == poll.id)  # type: ignore[call-overload]
        )
    ).one()
    heads, area, served, less_heads, less_area = (int(one or 0) for one in row)
    return Count(heads=heads - less_heads, area_dm2=area - less_area), served


def _left_out(polls: Collection[Poll]) -> Any:
    """(poll_id, heads, area_dm2) of the invalid ballots that stand in those of these polls whose
    preset does not count them as taking part. The index on invalid ballots holds few rows."""
    without = [poll.id for poll in polls if poll.preset.invalid is InvalidBallots.NOT_PARTICIPATING]
    return (
        sa_select(
            col(Ballot.poll_id).label("poll_id"),
            func.count().label("heads"),
            func.sum(RollEntry.area_dm2).label("area_dm2"),
        )
        .join(RollEntry, col(RollEntry.id) == col(Ballot.roll_entry_id))
        .where(
            col(Ballot.poll_id).in_(without),
            col(Ballot.choices).is_(None),
            col(Ballot.set_aside).is_(False),
            ~_later_cast_stands(),
        )
        .group_by(col(Ballot.poll_id))
    )


async def turnouts_shown(tx: Transaction, poll_ids: Collection[UUID]) -> dict[UUID, Count]:
    """How many take part so far in those of these polls that are open and whose preset shows it
    before the close, exactly or in steps; in at most four statements."""
    rows = await tx.session.exec(
        select(Poll).where(col(Poll.id).in_(poll_ids), Poll.state == PollState.OPEN)
    )
    polls = [poll for poll in rows if poll.preset.live_turnout]
    stepped = [poll.id for poll in polls if in_steps(poll.preset, poll.mode)]
    shown = [poll.id for poll in polls if poll.id not in stepped]
    steps = await steps_shown(tx, stepped)
    if not shown:
        return steps
    sums = await tx.session.exec(
        select(PollTurnout.poll_id, func.sum(PollTurnout.heads), func.sum(PollTurnout.area_dm2))
        .where(col(PollTurnout.poll_id).in_(shown))
        .group_by(col(PollTurnout.poll_id))
    )
    found = {id: Count(heads=int(heads), area_dm2=int(area)) for id, heads, area in sums}
    invalid: Any = await tx.session.exec(_left_out([poll for poll in polls if poll.id in shown]))
    for id, heads, area in invalid:
        found[id] = Count(heads=found[id].heads - heads, area_dm2=found[id].area_dm2 - int(area))
    return steps | {id: found.get(id, Count(heads=0, area_dm2=0)) for id in shown}


async def steps_shown(tx: Transaction, poll_ids: Collection[UUID]) -> dict[UUID, Count]:
    """The turnout that is shown of open polls where it moves in steps."""
    if not poll_ids:
        return {}
    rows = await tx.session.exec(
        select(ShownTurnout).where(col(ShownTurnout.poll_id).in_(poll_ids))
    )
    found = {row.poll_id: Count(heads=row.heads, area_dm2=row.area_dm2) for row in rows}
    return {id: found.get(id, Count()) for id in poll_ids}


async def hold_polls(tx: Transaction, poll_ids: Collection[UUID]) -> list[Poll]:
    """Polls held shared, in a fixed order, so that neither roll nor state changes until the end.
    For the system: whether somebody may see them is not asked."""
    statement = select(Poll).where(col(Poll.id).in_(poll_ids)).order_by(col(Poll.id))
    return list(await tx.session.exec(statement.with_for_update(read=True)))


async def voters_follow(tx: Transaction, poll: Poll) -> None:
    """Everybody on the roll follows the topic from now on, so that following tells nothing of who
    votes; whoever asked to hear no more is left in peace."""
    insert = sqlite_insert if tx.session.get_bind().dialect.name == "sqlite" else pg_insert
    voters = sa_select(
        literal(poll.topic_id, Uuid),
        col(RollEntry.person_id),
        literal(poll.community_id, Uuid),
        literal(True, Boolean),
        literal(False, Boolean),
        literal(tx.now, UtcDateTime),
    ).where(*on_roll(poll), col(RollEntry.person_id).is_not(None))
    await tx.session.exec(
        insert(Follow)
        .from_select(["topic_id", "person_id", "community_id", "by_roll", "ended", "at"], voters)
        .on_conflict_do_nothing()
    )


def on_roll(poll: Poll) -> tuple[Any, Any]:
    """Entries of the poll's present roll."""
    return (col(RollEntry.poll_id) == poll.id, col(RollEntry.roll_version) == poll.roll_version)


def on_present_roll() -> Any:
    """The same for a join with the polls: older versions of a roll are evidence, and nobody's."""
    return and_(
        col(RollEntry.poll_id) == col(Poll.id),
        col(RollEntry.roll_version) == col(Poll.roll_version),
    )


async def place_of(tx: Transaction, poll: Poll, person_id: UUID) -> RollEntry | None:
    rows = await tx.session.exec(
        select(RollEntry).where(*on_roll(poll), RollEntry.person_id == person_id)
    )
    return rows.first()


async def place_and_ballot(
    tx: Transaction, poll: Poll, person_id: UUID
) -> tuple[RollEntry, Ballot | None] | None:
    """A person's place on the roll and their cast that stands, or None without a place."""
    rows = await tx.session.exec(
        select(RollEntry, Ballot)
        .outerjoin(
            Ballot,
            and_(
                col(Ballot.poll_id) == poll.id,
                col(Ballot.roll_entry_id) == col(RollEntry.id),
                col(Ballot.set_aside).is_(False),
            ),
        )
        .where(*on_roll(poll), RollEntry.person_id == person_id)
        .order_by(col(Ballot.cast_no).desc())
        .limit(1)
    )
    return rows.first()


async def places_numbered(
    tx: Transaction, poll: Poll, numbers: list[int], *, lock: bool = False
) -> list[RollEntry]:
    """Places by number, in the order of their numbers."""
    statement = (
        select(RollEntry)
        .where(*on_roll(poll), col(RollEntry.number).in_(numbers))
        .order_by(col(RollEntry.number))
    )
    return list(await tx.session.exec(statement.with_for_update() if lock else statement))


async def roll_page(tx: Transaction, poll: Poll, *, after: int, limit: int) -> list[Any]:
    """(number, label) of the places after a number."""
    rows = await tx.session.exec(
        select(RollEntry.number, RollEntry.label)
        .where(*on_roll(poll), col(RollEntry.number) > after)
        .order_by(col(RollEntry.number))
        .limit(limit)
    )
    return list(rows)


async def frozen_roll(tx: Transaction, poll: Poll) -> dict[UUID, Place]:
    """The whole roll, by the id of its entries."""
    rows = await tx.session.exec(
        select(
            RollEntry.id,
            RollEntry.number,
            RollEntry.label,
            RollEntry.person_id,
            RollEntry.household_id,
            RollEntry.area_dm2,
            RollEntry.units,
        ).where(*on_roll(poll))  # type: ignore[call-overload]
    )
    return {
        id: Place(
            number=number,
            label=label,
            person_id=person_id,
            household_id=household_id,
            area_dm2=area_dm2,
            units=tuple(units),
        )
        for id, number, label, person_id, household_id, area_dm2, units in rows
    }


async def casts_of(
    tx: Transaction, poll_id: UUID, entry_ids: list[UUID]
) -> dict[UUID, list[Ballot]]:
    """All casts of these voters, by entry, in the order in which they came."""
    rows = await tx.session.exec(
        select(Ballot)
        .where(Ballot.poll_id == poll_id, col(Ballot.roll_entry_id).in_(entry_ids))
        .order_by(col(Ballot.cast_no))
    )
    casts: dict[UUID, list[Ballot]] = {}
    for ballot in rows:
        casts.setdefault(ballot.roll_entry_id, []).append(ballot)
    return casts


def _later_cast_stands() -> Any:
    later = aliased(Ballot)
    return exists().where(
        col(later.poll_id) == col(Ballot.poll_id),
        col(later.roll_entry_id) == col(Ballot.roll_entry_id),
        col(later.cast_no) > col(Ballot.cast_no),
        col(later.set_aside).is_(False),
    )


async def votes_cast(tx: Transaction, poll_id: UUID) -> list[Vote]:
    """The ballots that stand, as they are counted. Only the close may ask, with the poll held
    alone."""
    rows = await tx.session.exec(
        select(Ballot.roll_entry_id, Ballot.choices).where(
            Ballot.poll_id == poll_id, col(Ballot.set_aside).is_(False), ~_later_cast_stands()
        )
    )
    return [Vote(voter=voter, choices=choices) for voter, choices in rows]


async def ballots_page(
    tx: Transaction, poll: Poll, *, after: int, limit: int
) -> list[tuple[int, str, Ballot]]:
    """(number, masked label, ballot that stands) after a place on the roll."""
    rows = await tx.session.exec(
        select(RollEntry.number, RollEntry.label, Ballot)
        .join(Ballot, col(Ballot.roll_entry_id) == col(RollEntry.id))
        .where(
            Ballot.poll_id == poll.id,
            col(Ballot.set_aside).is_(False),
            ~_later_cast_stands(),
            col(RollEntry.number) > after,
        )
        .order_by(col(RollEntry.number))
        .limit(limit)
    )
    return list(rows)


async def signatures(tx: Transaction, poll: Poll) -> list[CountSignature]:
    """Signatures under the count as it stands."""
    rows = await tx.session.exec(
        select(CountSignature)
        .where(
            CountSignature.poll_id == poll.id, CountSignature.result_digest == poll.result_digest
        )
        .order_by(col(CountSignature.at), col(CountSignature.person_id))
    )
    return list(rows)


async def check_impartial(tx: Transaction, poll: Poll, topic: Topic) -> None:
    """Refuses the author of the topic, whoever declared an interest in it, and the candidates of
    the poll (domain 5)."""
    check_no_candidate(poll, tx.person_id)
    declared = await tx.session.get(InterestDeclaration, (topic.id, tx.person_id))
    if tx.person_id == topic.author_id or (declared is not None and declared.has_interest):
        raise NotImpartial()


def check_no_candidate(poll: Poll, *people: UUID | None) -> None:
    """Refuses if one of these stands for election in the poll."""
    if not {one.person_id for one in poll.candidates}.isdisjoint(people):
        raise NotImpartial()


async def polls_in_sight(
    tx: Transaction, asked: Mapping[Actor, Collection[UUID]], at: Mapping[Actor, At]
) -> dict[Actor, set[UUID]]:
    """Of the polls that each asks for, those that ``access_poll`` lets them see; at most three
    statements, however many ask."""
    ids = {id for theirs in asked.values() for id in theirs}
    if not ids:
        return {actor: set() for actor in asked}
    found = await tx.session.exec(select(Poll).where(col(Poll.id).in_(ids)))
    polls = {poll.id: poll for poll in found}
    theirs = {actor: [polls[id] for id in ids if id in polls] for actor, ids in asked.items()}
    topics = {actor: {poll.topic_id for poll in some} for actor, some in theirs.items()}
    seen = await topics_in_sight(tx, topics, at)
    return {
        actor: {
            poll.id
            for poll in some
            if poll.topic_id in seen[actor]
            and (
                poll.state is not PollState.DRAFT
                or grant_of(Deed.CHOOSE_PRESET, seen[actor][poll.topic_id].role) is not None
            )
        }
        for actor, some in theirs.items()
    }
