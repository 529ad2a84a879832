"""Who was there: signed in by themselves or by the recorder, and who did not come."""

from uuid import UUID

from consultation.database import Transaction
from consultation.events.meetings import AttendanceChanged
from consultation.meetings import queries, rules
from consultation.meetings.queries import access_meeting
from consultation.meetings.rules import Act, AttendanceMode
from consultation.meetings.tables import Attendance, Meeting, MeetingGroup
from consultation.permissions import Deed
from consultation.topics.subjects import check_subject


async def check_in(
    tx: Transaction, meeting_id: UUID, *, group: str, mode: AttendanceMode
) -> Attendance:
    """Sign oneself in, from an hour before the start until the close, for a group of the plan.
    Signing in again changes group or mode.

    Refuses with MeetingActNotAllowed, NotYetTime, GroupNotInvited or RecorderEnters.
    """
    meeting, topic = await access_meeting(tx, meeting_id, Deed.SPEAK, lock=True)
    rules.after(meeting.state, Act.CHECK_IN)
    rules.check_topic(topic.state, rules.TO_SIT)
    if tx.now < meeting.starts_at - rules.CHECK_IN_FROM:
        raise rules.NotYetTime(starts_at=meeting.starts_at.isoformat())
    invited = await _group(tx, meeting, group)
    if invited.members or invited.org_kind is not None or mode is AttendanceMode.WRITTEN:
        raise rules.RecorderEnters(group=group)

    return await _attend(tx, meeting, invited, tx.person_id, mode)


async def enter_attendance(
    tx: Transaction, meeting_id: UUID, *, person_id: UUID, group: str, mode: AttendanceMode
) -> Attendance:
    """Enter somebody from the sign-in sheet, the list of members, or a written opinion.

    Refuses with MeetingActNotAllowed, NotYetTime, GroupNotInvited, NotFromParty, NotFromHere or
    PresenceCounts.
    """
    meeting, topic = await access_meeting(tx, meeting_id, Deed.RUN_MEETING, lock=True)
    rules.after(meeting.state, Act.CHECK_IN)
    rules.check_topic(topic.state, rules.TO_SIT)
    if mode is not AttendanceMode.WRITTEN and tx.now < meeting.starts_at - rules.CHECK_IN_FROM:
        raise rules.NotYetTime(starts_at=meeting.starts_at.isoformat())
    invited = await _group(tx, meeting, group)
    who = await queries.participant(tx, person_id, topic)
    if invited.org_kind is not None and invited.org_kind not in who.org_kinds:
        raise rules.NotFromParty(group=group)
    if not who.verified and not who.org_kinds:
        raise rules.NotFromHere()

    return await _attend(tx, meeting, invited, person_id, mode)


async def document_absence(
    tx: Transaction, meeting_id: UUID, *, group: str, note: str
) -> MeetingGroup:
    """Write down why an invited group is not there: how it was asked, and what it answered.

    Refuses with MeetingActNotAllowed, GroupNotInvited, GroupWasPresent or NoteMissing.
    """
    meeting, _ = await access_meeting(tx, meeting_id, Deed.RUN_MEETING, lock=True)
    rules.after(meeting.state, Act.NOTE_ABSENCE)
    invited = await _group(tx, meeting, group)
    if invited.present:
        raise rules.GroupWasPresent(group=group)
    rules.check_note(note)
    check_subject(note)

    invited.absence_note = note

    _tell(tx, meeting)
    return invited


async def _group(tx: Transaction, meeting: Meeting, name: str) -> MeetingGroup:
    invited = await tx.session.get(MeetingGroup, (meeting.id, name))
    if invited is None:
        raise rules.GroupNotInvited(group=name)
    return invited


async def _attend(
    tx: Transaction, meeting: Meeting, invited: MeetingGroup, person_id: UUID, mode: AttendanceMode
) -> Attendance:
    row = await tx.session.get(Attendance, (meeting.id, person_id))
    if row is None:
        row = Attendance(
            meeting_id=meeting.id,
            person_id=person_id,
            community_id=meeting.community_id,
            group_name=invited.name,
            mode=mode,
            at=tx.now,
        )
        tx.session.add(row)
    else:
        to_paper = mode is AttendanceMode.WRITTEN and row.mode is not AttendanceMode.WRITTEN
        if to_paper and await queries.has_voted(tx, meeting, person_id):
            raise rules.PresenceCounts()
        left = invited if row.group_name == invited.name else None
        left = left or await _group(tx, meeting, row.group_name)
        left.present -= 1
        _count(meeting, row.mode, -1)
        row.group_name, row.mode = invited.name, mode
    row.entered_by_id = None if person_id == tx.person_id else tx.person_id
    invited.present += 1
    invited.absence_note = None
    _count(meeting, mode, +1)

    _tell(tx, meeting)
    return row


def _count(meeting: Meeting, mode: AttendanceMode, by: int) -> None:
    if mode is AttendanceMode.WRITTEN:
        meeting.written += by
    else:
        meeting.present += by


def _tell(tx: Transaction, meeting: Meeting) -> None:
    tx.emit(
        AttendanceChanged(
            community_id=meeting.community_id,
            topic_id=meeting.topic_id,
            meeting_id=meeting.id,
            present=meeting.present,
        )
    )
