"""The one place for SQL on meetings. ``access_meeting`` is the only road to a meeting's row."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel import col, exists, func, or_, select

from consultation.community.queries import runs_now
from consultation.community.rules import reaches
from consultation.community.tables import Organisation, OrgKind, Person, Residence, RoleAssignment
from consultation.database import Transaction
from consultation.meetings.rules import AttendanceMode
from consultation.meetings.tables import (
    Attendance,
    Meeting,
    MeetingGroup,
    Minutes,
    MinutesConfirmation,
    ShowOfHands,
)
from consultation.paging import TimeKey, comes_after
from consultation.permissions import ALLOWED, Deed, grant_of
from consultation.polls.envelope_tables import Envelope, Participation
from consultation.polls.presence_tables import PollPresence
from consultation.polls.tables import Ballot, Poll, RollEntry
from consultation.refusals import NotFound
from consultation.topics.queries import access_topic
from consultation.topics.states import DocumentKind
from consultation.topics.tables import Document, Topic


async def access_meeting(
    tx: Transaction, meeting_id: UUID, deed: Deed, *, lock: bool = False
) -> tuple[Meeting, Topic]:
    """The meeting and its topic. ``lock`` keeps other commands off the meeting."""
    query = select(Meeting).where(Meeting.id == meeting_id)
    meeting = (await tx.session.exec(query.with_for_update() if lock else query)).first()
    if meeting is None:
        raise NotFound(what="meeting")
    return meeting, await access_topic(tx, meeting.topic_id, deed)


async def meetings_of(
    tx: Transaction, topic_id: UUID, *, after: TimeKey | None, limit: int
) -> list[Meeting]:
    """Meetings of a topic in the order they were convened."""
    query = select(Meeting).where(Meeting.topic_id == topic_id)
    if after is not None:
        query = query.where(comes_after(after, Meeting.created_at, Meeting.id))
    rows = await tx.session.exec(
        query.order_by(col(Meeting.created_at), col(Meeting.id)).limit(limit)
    )
    return list(rows)


async def runners(tx: Transaction, topic: Topic, people: list[UUID]) -> set[UUID]:
    """Those of these people who hold a role now that runs meetings at the topic."""
    rows = await tx.session.exec(
        select(RoleAssignment).where(
            col(RoleAssignment.person_id).in_(people),
            col(RoleAssignment.role).in_(list(ALLOWED[Deed.RUN_MEETING])),
            runs_now(tx),
        )
    )
    return {held.person_id for held in rows if _counts_at(held, topic)}


def _counts_at(held: RoleAssignment, topic: Topic) -> bool:
    return reaches(
        held.role,
        of_community=held.community_id,
        of_path=held.node_path,
        community_id=topic.community_id,
        path=topic.node_path,
    )


@dataclass(frozen=True, slots=True)
class Participant:
    """What a person is at a topic: verified here, and for which kinds of organisation they act."""

    verified: bool
    org_kinds: frozenset[OrgKind]


async def participant(tx: Transaction, person_id: UUID, topic: Topic) -> Participant:
    level = await tx.session.exec(
        select(Residence.level).where(
            Residence.person_id == person_id, Residence.community_id == topic.community_id
        )
    )
    roles = await tx.session.exec(
        select(RoleAssignment, Organisation.kind)
        .join(Organisation, col(Organisation.id) == col(RoleAssignment.org_id))
        .where(RoleAssignment.person_id == person_id, runs_now(tx))
    )
    return Participant(
        verified=(level.first() or 0) >= 2,
        org_kinds=frozenset(OrgKind(kind) for held, kind in roles if _counts_at(held, topic)),
    )


async def groups_of(tx: Transaction, meeting_id: UUID) -> list[MeetingGroup]:
    rows = await tx.session.exec(
        select(MeetingGroup)
        .where(MeetingGroup.meeting_id == meeting_id)
        .order_by(col(MeetingGroup.name))
    )
    return list(rows)


async def present_in(tx: Transaction, meeting_id: UUID, group: str) -> int:
    """How many of a group are there in person or online."""
    rows = await tx.session.exec(
        select(func.count())
        .select_from(Attendance)
        .where(
            Attendance.meeting_id == meeting_id,
            Attendance.group_name == group,
            Attendance.mode != AttendanceMode.WRITTEN,
        )
    )
    return rows.one()


async def has_materials(tx: Transaction, topic: Topic) -> bool:
    rows = await tx.session.exec(
        select(
            exists().where(
                col(Document.topic_id) == topic.id,
                col(Document.kind) == DocumentKind.MATERIAL,
                col(Document.round) == topic.round,
            )
        )
    )
    return bool(rows.one())


async def name_of(tx: Transaction, person_id: UUID) -> str:
    """The name of who runs a meeting: people in office are named."""
    person = (await tx.session.exec(select(Person).where(Person.id == person_id))).one()
    if person.name_sealed is None:
        return person.masked_name
    return tx.vault.open(person.id, person.name_sealed)


async def attendance_of(
    tx: Transaction, meeting_id: UUID, *, after: UUID | None, limit: int
) -> list[tuple[Attendance, str]]:
    """Who is there, with masked names."""
    query = (
        select(Attendance, Person.masked_name)
        .join(Person, col(Person.id) == col(Attendance.person_id))
        .where(Attendance.meeting_id == meeting_id)
    )
    if after is not None:
        query = query.where(col(Attendance.person_id) > after)
    rows = await tx.session.exec(query.order_by(col(Attendance.person_id)).limit(limit))
    return [(row, name) for row, name in rows]


async def latest_minutes(tx: Transaction, meeting_id: UUID) -> Minutes | None:
    rows = await tx.session.exec(
        select(Minutes)
        .where(Minutes.meeting_id == meeting_id)
        .order_by(col(Minutes.version).desc())
        .limit(1)
    )
    return rows.first()


@dataclass(frozen=True, slots=True)
class Answers:
    """How those present answered a version. ``asked`` counts all who took part, written opinions
    included, but not host and recorder, who wrote it."""

    asked: int
    confirmed: int
    objections: int


async def answers_to(tx: Transaction, meeting: Meeting, version: int) -> Answers:
    asked = (
        select(func.count())
        .select_from(Attendance)
        .where(
            Attendance.meeting_id == meeting.id,
            col(Attendance.person_id).not_in([meeting.host_id, meeting.recorder_id]),
        )
    )

    def answered(*, confirmed: bool) -> Any:
        return (
            select(func.count())
            .select_from(MinutesConfirmation)
            .where(
                MinutesConfirmation.meeting_id == meeting.id,
                MinutesConfirmation.version == version,
                col(MinutesConfirmation.confirmed).is_(confirmed),
            )
            .scalar_subquery()
        )

    rows = await tx.session.exec(
        select(asked.scalar_subquery(), answered(confirmed=True), answered(confirmed=False))
    )
    return Answers(*rows.one())


async def objections_to(tx: Transaction, meeting_id: UUID, version: int) -> list[str]:
    rows = await tx.session.exec(
        select(MinutesConfirmation.objection)
        .where(
            MinutesConfirmation.meeting_id == meeting_id,
            MinutesConfirmation.version == version,
            col(MinutesConfirmation.confirmed).is_(False),
        )
        .order_by(col(MinutesConfirmation.at), col(MinutesConfirmation.person_id))
    )
    return [text for text in rows if text]


async def hands_of(tx: Transaction, meeting_id: UUID) -> list[ShowOfHands]:
    rows = await tx.session.exec(
        select(ShowOfHands)
        .where(ShowOfHands.meeting_id == meeting_id)
        .order_by(col(ShowOfHands.number))
    )
    return list(rows)


async def may_read_draft(tx: Transaction, meeting_id: UUID) -> bool:
    """Who took part, in person or in writing, and who runs or oversees the meeting."""
    if any(grant_of(deed, tx.standing.role) for deed in (Deed.RUN_MEETING, Deed.SUPERVISE)):
        return True
    if tx.actor.person_id is None:
        return False
    return await tx.session.get(Attendance, (meeting_id, tx.actor.person_id)) is not None


async def has_voted(tx: Transaction, meeting: Meeting, person_id: UUID) -> bool:
    """Whether the person is in the presence or among the ballots of a poll at this meeting."""
    voted = [
        exists().where(col(table.roll_entry_id) == col(RollEntry.id))
        for table in (PollPresence, Ballot, Envelope, Participation)
    ]
    rows = await tx.session.exec(
        select(RollEntry.id)
        .join(Poll, col(Poll.id) == col(RollEntry.poll_id))
        .where(Poll.meeting_id == meeting.id, RollEntry.person_id == person_id, or_(*voted))
        .limit(1)
    )
    return rows.first() is not None
