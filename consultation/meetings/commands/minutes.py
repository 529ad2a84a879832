"""Minutes 纪要: drafted, confirmed by those present within three days, published."""

import hashlib
import json
from uuid import UUID

from consultation.database import Transaction
from consultation.events.meetings import MeetingChanged
from consultation.jobs import JobKind, schedule
from consultation.meetings import minutes_rules, queries, rules, texts
from consultation.meetings.minutes_rules import MinutesContent
from consultation.meetings.queries import access_meeting
from consultation.meetings.rules import Act, MeetingState
from consultation.meetings.tables import Attendance, Meeting, Minutes, MinutesConfirmation
from consultation.permissions import Deed
from consultation.topics.documents import publish_document
from consultation.topics.plan import procedure
from consultation.topics.states import DocumentKind
from consultation.topics.subjects import check_subject


async def draft_minutes(tx: Transaction, meeting_id: UUID, *, content: MinutesContent) -> Minutes:
    """Write the minutes, or a new version that answers an objection; those present then have
    three days for it.

    Refuses with MeetingActNotAllowed, MinutesNotOpenToChange or ForbiddenSubject.
    """
    meeting, _ = await access_meeting(tx, meeting_id, Deed.RUN_MEETING, lock=True)
    state = rules.after(meeting.state, Act.DRAFT_MINUTES)
    last = await queries.latest_minutes(tx, meeting.id)
    version = 0 if last is None else last.version
    answers = await queries.answers_to(tx, meeting, version)
    minutes_rules.check_new_version(version=version, objections=answers.objections)
    check_subject(*content.texts())

    minutes = Minutes(
        meeting_id=meeting.id,
        version=version + 1,
        community_id=meeting.community_id,
        content=content,
        content_hash=content_hash(content),
        drafted_by_id=tx.person_id,
        confirm_until=procedure().periods["minutes"].after(tx.now),
        at=tx.now,
    )
    tx.session.add(minutes)
    meeting.state = state
    await schedule(
        tx,
        JobKind.SETTLE_MINUTES,
        meeting.id,
        minutes.confirm_until,
        community_id=meeting.community_id,
        occasion=str(minutes.version),
    )

    _tell(tx, meeting)
    return minutes


async def confirm_minutes(
    tx: Transaction, meeting_id: UUID, *, version: int, confirmed: bool, objection: str | None
) -> MinutesConfirmation:
    """Somebody who was present confirms the minutes, or says what is wrong.

    Refuses with MeetingActNotAllowed, NotPresent, MinutesNotCurrent, MinutesPeriodOver,
    MinutesAnswered, ObjectionMissing or ForbiddenSubject.
    """
    meeting, _ = await access_meeting(tx, meeting_id, Deed.CONFIRM_MINUTES, lock=True)
    rules.after(meeting.state, Act.ANSWER_MINUTES)
    if await tx.session.get(Attendance, (meeting.id, tx.person_id)) is None:
        raise minutes_rules.NotPresent()
    minutes = await queries.latest_minutes(tx, meeting.id)
    assert minutes is not None
    if minutes.version != version:
        raise minutes_rules.MinutesNotCurrent(version=minutes.version)
    if tx.now >= minutes.confirm_until:
        raise minutes_rules.MinutesPeriodOver()
    minutes_rules.check_answer(confirmed=confirmed, objection=objection)
    check_subject(objection or "")
    key = (meeting.id, version, tx.person_id)
    if await tx.session.get(MinutesConfirmation, key) is not None:
        raise minutes_rules.MinutesAnswered()

    answer = MinutesConfirmation(
        meeting_id=meeting.id,
        version=version,
        person_id=tx.person_id,
        community_id=meeting.community_id,
        confirmed=confirmed,
        objection=None if confirmed else objection,
        at=tx.now,
    )
    tx.session.add(answer)
    await tx.session.flush()
    await _settle(tx, meeting, minutes)
    return answer


async def settle_minutes(tx: Transaction, meeting_id: UUID) -> None:
    """By the worker when the period for a version is over."""
    meeting, _ = await access_meeting(tx, meeting_id, Deed.RUN_SYSTEM, lock=True)
    minutes = await queries.latest_minutes(tx, meeting.id)
    if meeting.state is MeetingState.MINUTES_DRAFT and minutes is not None:
        await _settle(tx, meeting, minutes)


async def publish_minutes(tx: Transaction, meeting_id: UUID) -> Meeting:
    """Publish confirmed minutes as a document of the topic, for everybody."""
    meeting, topic = await access_meeting(tx, meeting_id, Deed.RUN_MEETING, lock=True)
    state = rules.after(meeting.state, Act.PUBLISH_MINUTES)
    minutes = await queries.latest_minutes(tx, meeting.id)
    assert minutes is not None
    assert meeting.opened_at is not None
    assert meeting.closed_at is not None

    document = await publish_document(
        tx,
        topic,
        DocumentKind.MINUTES,
        title=f"{meeting.title}纪要",
        body=texts.minutes(
            topic=topic.title,
            opened_at=meeting.opened_at,
            closed_at=meeting.closed_at,
            place=meeting.place,
            online=meeting.online,
            host=await queries.name_of(tx, meeting.host_id),
            recorder=await queries.name_of(tx, meeting.recorder_id),
            present=meeting.present,
            written=meeting.written,
            groups=[
                texts.GroupLine(group.name, group.present, group.absence_note)
                for group in await queries.groups_of(tx, meeting.id)
            ],
            hands=[
                f"{h.question}:到会{h.present}人,同意{h.ayes},反对{h.noes},弃权{h.abstained}"
                for h in await queries.hands_of(tx, meeting.id)
            ],
            content=minutes.content,
            objections=await queries.objections_to(tx, meeting.id, minutes.version),
        ),
    )
    minutes.document_id = document.id
    meeting.state = state

    _tell(tx, meeting)
    return meeting


def content_hash(content: MinutesContent) -> str:
    """SHA-256 of the canonical JSON (sorted keys, no spaces, UTF-8)."""
    canonical = json.dumps(
        content.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


async def _settle(tx: Transaction, meeting: Meeting, minutes: Minutes) -> None:
    answers = await queries.answers_to(tx, meeting, minutes.version)
    if not minutes_rules.is_confirmed(
        version=minutes.version,
        asked=answers.asked,
        confirmed=answers.confirmed,
        objections=answers.objections,
        over=tx.now >= minutes.confirm_until,
    ):
        return
    meeting.state = MeetingState.MINUTES_CONFIRMED
    _tell(tx, meeting)


def _tell(tx: Transaction, meeting: Meeting) -> None:
    tx.emit(
        MeetingChanged(
            community_id=meeting.community_id,
            topic_id=meeting.topic_id,
            meeting_id=meeting.id,
            state=meeting.state.value,
        )
    )
