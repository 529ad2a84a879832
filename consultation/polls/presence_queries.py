"""SQL on who is present at a vote that is held in a meeting."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, insert, literal
from sqlalchemy import select as sa_select
from sqlmodel import col, exists, func, or_, select

from consultation.database import Transaction
from consultation.meetings.rules import AttendanceMode, MeetingState
from consultation.meetings.tables import Attendance, Meeting
from consultation.polls.envelope_tables import Envelope
from consultation.polls.presence_tables import PollPresence
from consultation.polls.queries import on_roll
from consultation.polls.tables import Ballot, Poll, RollEntry


def _attending(poll: Poll) -> Any:
    """People signed in at the poll's meeting, in the room or online; a written opinion is heard
    and is not presence. Before a meeting is opened people come to it, and nobody is present."""
    sits = exists().where(
        col(Meeting.id) == poll.meeting_id,
        col(Meeting.state).not_in((MeetingState.NOTIFIED, MeetingState.CANCELLED)),
    )
    return (
        col(Attendance.meeting_id) == poll.meeting_id,
        col(Attendance.mode) != AttendanceMode.WRITTEN,
        sits,
    )


def _came(poll: Poll) -> Any:
    """Places on the roll whose voters attend now, or whose ballot is in: they were there then."""
    cast = [
        exists().where(col(table.poll_id) == poll.id, col(table.roll_entry_id) == col(RollEntry.id))
        for table in (Ballot, Envelope)
    ]
    attends = exists().where(
        *_attending(poll), col(Attendance.person_id) == col(RollEntry.person_id)
    )
    return (*on_roll(poll), or_(attends, *cast))


async def members_present(tx: Transaction, poll: Poll) -> int:
    """How many of the roll are present at the vote: those with whom presence was fixed, else who
    attends the poll's meeting now; guests without a vote do not count."""
    counted = select(func.count())
    if poll.presence_fixed_at is None:
        statement = counted.select_from(RollEntry).where(*_came(poll))
    else:
        statement = counted.select_from(PollPresence).where(PollPresence.poll_id == poll.id)
    return (await tx.session.exec(statement)).one()


async def insert_presence(tx: Transaction, poll: Poll) -> None:
    """Keep who is there, in one statement: whoever signs in meanwhile is in it or is not."""
    there = sa_select(
        literal(poll.id, Uuid), col(RollEntry.id), literal(poll.community_id, Uuid)
    ).where(*_came(poll))
    await tx.session.exec(
        insert(PollPresence).from_select(["poll_id", "roll_entry_id", "community_id"], there)
    )


async def not_present(tx: Transaction, poll: Poll, places: Sequence[RollEntry]) -> set[UUID]:
    """Which of these places are not in the vote's presence, by their ids."""
    ids = [place.id for place in places]
    if poll.presence_fixed_at is not None:
        statement = select(PollPresence.roll_entry_id).where(
            PollPresence.poll_id == poll.id, col(PollPresence.roll_entry_id).in_(ids)
        )
        return set(ids) - set(await tx.session.exec(statement))
    people = [place.person_id for place in places if place.person_id is not None]
    absent = await absent_from_meeting(tx, poll, people)
    return {place.id for place in places if place.person_id in absent}


async def absent_from_meeting(
    tx: Transaction, poll: Poll, person_ids: list[UUID]
) -> frozenset[UUID]:
    """Who of these people is not signed in at the poll's meeting."""
    rows = await tx.session.exec(
        select(Attendance.person_id).where(
            *_attending(poll), col(Attendance.person_id).in_(person_ids)
        )
    )
    return frozenset(person_ids) - frozenset(rows)
