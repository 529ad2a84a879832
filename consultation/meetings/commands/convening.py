"""Convening, opening, closing and cancelling a meeting 协商会."""

from datetime import datetime
from uuid import UUID

from consultation.community.tables import OrgKind
from consultation.database import Transaction
from consultation.events.meetings import MeetingChanged, MeetingConvened
from consultation.meetings import queries, rules, texts
from consultation.meetings.forms import FormTerms, forms
from consultation.meetings.queries import access_meeting
from consultation.meetings.rules import Act, Form, MeetingState
from consultation.meetings.tables import Meeting, MeetingGroup, ShowOfHands
from consultation.permissions import Deed
from consultation.topics.documents import publish_document
from consultation.topics.lookups import current_plan, interested
from consultation.topics.plan import Plan, procedure
from consultation.topics.queries import access_topic
from consultation.topics.states import DocumentKind
from consultation.topics.subjects import check_subject


async def convene_meeting(
    tx: Transaction,
    topic_id: UUID,
    *,
    form: Form,
    title: str,
    place: str,
    online: bool,
    starts_at: datetime,
    host_id: UUID,
    recorder_id: UUID,
    agenda: str = "",
    quorum_members: int | None = None,
    selection: str = "",
) -> Meeting:
    """Call a meeting on an announced topic: the groups of its plan are invited, the notice is
    published, and runs for as long as the form asks.

    Refuses with TopicNotReadyForMeeting, NotASitting, NoticeTooShort, MembersMissing,
    MaterialsMissing, SelectionMissing, TwoPeopleRunIt, NotARunner, HasInterest, ForbiddenSubject.
    """
    topic = await access_topic(tx, topic_id, Deed.RUN_MEETING)
    rules.check_topic(topic.state, rules.TO_CONVENE)
    terms = forms().get(form)
    if terms is None:
        raise rules.NotASitting()
    rules.check_notice(procedure(), form, now=tx.now, starts_at=starts_at)
    rules.check_called(
        terms.quorum,
        members=quorum_members,
        selection=selection if terms.selection else None,
        materials=not terms.materials or await queries.has_materials(tx, topic),
    )
    check_subject(title, place, agenda, selection)
    row = await current_plan(tx, topic)
    plan = None if row is None else row.plan
    runners = [host_id, recorder_id]
    rules.check_runners(
        host_id,
        recorder_id,
        planned_hosts=() if plan is None else plan.host_ids,
        able=await queries.runners(tx, topic, runners),
        interested=await interested(tx, topic),
    )

    meeting = Meeting(
        id=tx.new_id(),
        community_id=topic.community_id,
        topic_id=topic.id,
        round=topic.round,
        form=form,
        title=title,
        place=place,
        online=online,
        starts_at=starts_at,
        state=MeetingState.NOTIFIED,
        convened_by_id=tx.person_id,
        host_id=host_id,
        recorder_id=recorder_id,
        quorum_members=quorum_members,
        created_at=tx.now,
    )
    groups = _groups(meeting, plan, terms)
    notice = await publish_document(
        tx,
        topic,
        DocumentKind.NOTICE,
        title=f"{title}公告",
        body=texts.notice(
            title=title,
            topic=topic.title,
            starts_at=starts_at,
            place=place,
            online=online,
            host=await queries.name_of(tx, host_id),
            groups=[group.name for group in groups],
            agenda=agenda,
            selection=selection,
        ),
    )
    meeting.notice_id = notice.id
    tx.session.add(meeting)
    await tx.session.flush()
    tx.session.add_all(groups)

    tx.emit(
        MeetingConvened(
            community_id=topic.community_id,
            topic_id=topic.id,
            meeting_id=meeting.id,
            form=form.value,
            starts_at=starts_at,
        )
    )
    return meeting


async def open_meeting(tx: Transaction, meeting_id: UUID) -> Meeting:
    """Open at the notified time or later, when the parties and the quorum of the form are there.

    Refuses with MeetingActNotAllowed, NotYetTime, PartyAbsent or QuorumMissed.
    """
    meeting, topic = await access_meeting(tx, meeting_id, Deed.RUN_MEETING, lock=True)
    state = rules.after(meeting.state, Act.OPEN)
    rules.check_topic(topic.state, rules.TO_SIT)
    if tx.now < meeting.starts_at:
        raise rules.NotYetTime(starts_at=meeting.starts_at.isoformat())
    await _check_complete(tx, meeting)

    meeting.state = state
    meeting.opened_at = tx.now

    _tell(tx, meeting)
    return meeting


async def show_hands(
    tx: Transaction, meeting_id: UUID, *, question: str, ayes: int, noes: int, abstained: int
) -> ShowOfHands:
    """Record a show of hands on one question. It binds nobody: a vote that does is a poll.

    Refuses with MeetingActNotAllowed, NoShowOfHands, QuorumMissed, PartyAbsent or HandsDoNotAdd.
    """
    meeting, _ = await access_meeting(tx, meeting_id, Deed.RUN_MEETING, lock=True)
    rules.after(meeting.state, Act.SHOW_HANDS)
    terms = forms()[meeting.form]
    if not terms.show_hands:
        raise rules.NoShowOfHands(form=meeting.form.value)
    check_subject(question)
    present = await _check_complete(tx, meeting)
    rules.check_hands(ayes=ayes, noes=noes, abstained=abstained, present=present)

    hands = ShowOfHands(
        id=tx.new_id(),
        community_id=meeting.community_id,
        meeting_id=meeting.id,
        number=len(await queries.hands_of(tx, meeting.id)) + 1,
        question=question,
        present=present,
        ayes=ayes,
        noes=noes,
        abstained=abstained,
        by_id=tx.person_id,
        at=tx.now,
    )
    tx.session.add(hands)

    _tell(tx, meeting)
    return hands


async def close_meeting(tx: Transaction, meeting_id: UUID) -> Meeting:
    """Close the sitting; the minutes follow.

    Refuses with MeetingActNotAllowed, NobodyCame, or at a hearing with GroupsNotHeard.
    """
    meeting, _ = await access_meeting(tx, meeting_id, Deed.RUN_MEETING, lock=True)
    state = rules.after(meeting.state, Act.CLOSE)
    if meeting.present + meeting.written == 0:
        raise rules.NobodyCame()
    if forms()[meeting.form].all_heard:
        rules.check_heard(
            (group.name, group.affected, group.present, group.absence_note)
            for group in await queries.groups_of(tx, meeting.id)
        )

    meeting.state = state
    meeting.closed_at = tx.now

    _tell(tx, meeting)
    return meeting


async def cancel_meeting(tx: Transaction, meeting_id: UUID, *, reason: str) -> Meeting:
    """Call a notified meeting off, and say why in public."""
    meeting, topic = await access_meeting(tx, meeting_id, Deed.RUN_MEETING, lock=True)
    state = rules.after(meeting.state, Act.CANCEL)
    rules.check_note(reason)
    check_subject(reason)

    meeting.state = state
    await publish_document(
        tx,
        topic,
        DocumentKind.NOTICE,
        title=f"{meeting.title}取消公告",
        body=texts.cancellation(
            title=meeting.title, topic=topic.title, starts_at=meeting.starts_at, reason=reason
        ),
    )

    _tell(tx, meeting)
    return meeting


def _groups(meeting: Meeting, plan: Plan | None, terms: FormTerms) -> list[MeetingGroup]:
    """The plan's invited groups, the parties of the form, and the members its quorum is of."""

    def group(
        name: str, *, affected: bool = False, kind: OrgKind | None = None, members: bool = False
    ) -> MeetingGroup:
        return MeetingGroup(
            meeting_id=meeting.id,
            community_id=meeting.community_id,
            name=name,
            affected=affected,
            org_kind=kind,
            members=members,
        )

    planned = () if plan is None else plan.groups
    invited = {g.name: group(g.name, affected=g.affected) for g in planned if g.invited}
    for party in terms.parties:
        invited[party.name] = group(party.name, kind=party.kind)
    if terms.quorum is not None:
        invited[terms.quorum.group] = group(terms.quorum.group, members=True)
    return list(invited.values())


async def _check_complete(tx: Transaction, meeting: Meeting) -> int:
    """Parties and quorum of the form are there; how many may show hands."""
    terms = forms()[meeting.form]
    groups = await queries.groups_of(tx, meeting.id)
    rules.check_parties(
        group.name for group in groups if group.org_kind is not None and group.present == 0
    )
    if terms.quorum is None:
        return meeting.present
    present = await queries.present_in(tx, meeting.id, terms.quorum.group)
    rules.check_quorum(terms.quorum, present=present, members=meeting.quorum_members)
    return present


def _tell(tx: Transaction, meeting: Meeting) -> None:
    tx.emit(
        MeetingChanged(
            community_id=meeting.community_id,
            topic_id=meeting.topic_id,
            meeting_id=meeting.id,
            state=meeting.state.value,
        )
    )
