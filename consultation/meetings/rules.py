"""THE RULES OF A MEETING: forms, states, notice, quorum. No I/O."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from consultation.calendar import local_day
from consultation.refusals import Invalid, NotNow, NotPermitted
from consultation.topics.plan import Procedure
from consultation.topics.states import State


class Form(StrEnum):
    """The forms of consultation (S4, domain 1.1). The subset that is a sitting of people."""

    COUNCIL_MEETING = "council_meeting"  # 居(村)民议事会
    BOARD_MEETING = "board_meeting"  # 居(村)民理事会
    HEART_TO_HEART_MEETING = "heart_to_heart_meeting"  # 民情恳谈会
    DEMOCRATIC_APPRAISAL = "democratic_appraisal"  # 民主评议
    HEARING = "hearing"  # 听证会
    COORDINATION_MEETING = "coordination_meeting"  # 协调会
    FOUR_PARTY_MEETING = "four_party_meeting"  # 四方议事协调会
    ONLINE_DELIBERATION = "online_deliberation"  # 线上协商: the thread itself, no sitting
    RESIDENTS_ASSEMBLY = "residents_assembly"  # 居民会议
    REPRESENTATIVES_ASSEMBLY = "representatives_assembly"  # 居民(村民)代表会议
    VILLAGERS_ASSEMBLY = "villagers_assembly"  # 村民会议
    OWNERS_ASSEMBLY = "owners_assembly"  # 业主大会
    PARTY_BRANCH_MEETING = "party_branch_meeting"  # 村党支部提议
    TWO_COMMITTEES_MEETING = "two_committees_meeting"  # 两委商议
    PARTY_MEMBERS_MEETING = "party_members_meeting"  # 党员大会审议


class MeetingState(StrEnum):
    NOTIFIED = "notified"
    OPEN = "open"
    CLOSED = "closed"
    MINUTES_DRAFT = "minutes_draft"
    MINUTES_CONFIRMED = "minutes_confirmed"
    PUBLISHED = "published"
    CANCELLED = "cancelled"


class Act(StrEnum):
    OPEN = "open"
    CHECK_IN = "check_in"
    NOTE_ABSENCE = "note_absence"
    SHOW_HANDS = "show_hands"
    CLOSE = "close"
    DRAFT_MINUTES = "draft_minutes"
    ANSWER_MINUTES = "answer_minutes"
    PUBLISH_MINUTES = "publish_minutes"
    CANCEL = "cancel"


class AttendanceMode(StrEnum):
    ON_SITE = "on_site"
    ONLINE = "online"
    WRITTEN = "written"  # 书面意见


_S, _A = MeetingState, Act
NEXT = {
    (_S.NOTIFIED, _A.OPEN): _S.OPEN,
    (_S.NOTIFIED, _A.CHECK_IN): _S.NOTIFIED,
    (_S.OPEN, _A.CHECK_IN): _S.OPEN,
    (_S.NOTIFIED, _A.NOTE_ABSENCE): _S.NOTIFIED,
    (_S.OPEN, _A.NOTE_ABSENCE): _S.OPEN,
    (_S.CLOSED, _A.NOTE_ABSENCE): _S.CLOSED,
    (_S.OPEN, _A.SHOW_HANDS): _S.OPEN,
    (_S.OPEN, _A.CLOSE): _S.CLOSED,
    (_S.CLOSED, _A.DRAFT_MINUTES): _S.MINUTES_DRAFT,
    (_S.MINUTES_DRAFT, _A.DRAFT_MINUTES): _S.MINUTES_DRAFT,
    (_S.MINUTES_DRAFT, _A.ANSWER_MINUTES): _S.MINUTES_DRAFT,
    (_S.MINUTES_CONFIRMED, _A.PUBLISH_MINUTES): _S.PUBLISHED,
    (_S.NOTIFIED, _A.CANCEL): _S.CANCELLED,
}
CHECK_IN_FROM = timedelta(hours=1)
"""People sign in themselves from an hour before the start on [P]."""
TO_CONVENE = frozenset({State.ANNOUNCED, State.DELIBERATING, State.OUTCOME_DRAFTING})
TO_SIT = frozenset({State.DELIBERATING, State.OUTCOME_DRAFTING, State.VOTING})
"""An assembly that votes on the outcome sits after deliberation, when the outcome is written."""


class MeetingActNotAllowed(NotNow):
    """The state the meeting is in knows no such step."""

    code = "meeting-act-not-allowed"


class TopicNotReadyForMeeting(NotNow):
    """Meetings are convened once the topic is announced, and sit while it is deliberated or
    voted."""

    code = "topic-not-ready-for-meeting"


class NotASitting(Invalid):
    """Online deliberation is the thread itself: nobody convenes it."""

    code = "not-a-sitting"


class NoticeTooShort(Invalid):
    """The notice must run ``days`` before the meeting begins; ``earliest`` is the first day it
    may be held."""

    code = "notice-too-short"


class SelectionMissing(Invalid):
    """The notice of a hearing says how its participants were chosen."""

    code = "selection-missing"


class MaterialsMissing(NotNow):
    """Participants need the materials before they are called."""

    code = "materials-missing"


class MembersMissing(Invalid):
    """A form with a quorum says how many belong to the meeting."""

    code = "members-missing"


class TwoPeopleRunIt(Invalid):
    """Who hosts does not also keep the record."""

    code = "host-is-recorder"


class NotARunner(Invalid):
    """Host and recorder hold a role here that runs meetings; a host named by the plan is kept."""

    code = "cannot-run-meeting"


class HasInterest(Invalid):
    """Host and recorder have no declared interest in the topic."""

    code = "has-interest"


class NotYetTime(NotNow):
    """The notified time has not come; at that instant it has."""

    code = "not-yet-time"


class PartyAbsent(NotNow):
    """A form of named parties is not held without one of them."""

    code = "party-absent"


class QuorumMissed(NotNow):
    code = "quorum-missed"


class NoShowOfHands(NotPermitted):
    """This form hears people; it decides nothing by hands."""

    code = "no-show-of-hands"


class HandsDoNotAdd(Invalid):
    """More hands than members present."""

    code = "hands-do-not-add"


class GroupNotInvited(Invalid):
    code = "group-not-invited"


class RecorderEnters(NotPermitted):
    """Members, parties and written opinions are entered by the recorder, from the lists."""

    code = "recorder-enters"


class NotFromParty(Invalid):
    """The person holds no role in an organisation of that kind here."""

    code = "not-from-party"


class NotFromHere(Invalid):
    """The person is neither verified here nor holds a role here."""

    code = "not-from-here"


class PresenceCounts(NotNow):
    """Who voted at this meeting was there: they do not become a written opinion afterwards."""

    code = "presence-counts"


class GroupWasPresent(Invalid):
    code = "group-was-present"


class GroupsNotHeard(NotNow):
    """Every affected group is heard, or its absence is documented, before a hearing closes."""

    code = "groups-not-heard"


class NobodyCame(NotNow):
    """A meeting without anybody present is cancelled, not closed."""

    code = "nobody-came"


class NoteMissing(Invalid):
    code = "note-missing"


class Quorum(BaseModel):
    """At least (``strict``: more than) ``share`` of the members, a fraction of two integers, sit
    under the name ``group``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: str = Field(min_length=1, max_length=40)
    share: tuple[int, int]
    strict: bool
    basis: str

    def reached(self, *, present: int, members: int) -> bool:
        part, whole = self.share
        left, right = present * whole, members * part
        return left > right if self.strict else left >= right

    def least(self, members: int) -> int:
        """The smallest number present that reaches it."""
        part, whole = self.share
        return members * part // whole + 1 if self.strict else -(-members * part // whole)


def after(state: MeetingState, act: Act) -> MeetingState:
    follows = NEXT.get((state, act))
    if follows is None:
        raise MeetingActNotAllowed(state=state.value, act=act.value)
    return follows


def check_topic(state: State, allowed: Collection[State]) -> None:
    if state not in allowed:
        raise TopicNotReadyForMeeting(state=state.value)


def check_notice(procedure: Procedure, form: Form, *, now: datetime, starts_at: datetime) -> None:
    """Whole days between the notice and the meeting, by form: a hearing 7 (重大行政决策程序暂行
    条例), a villagers' assembly 10, an owners' assembly 15; forms with 0 days, the inner steps of
    四议两公开, only lie ahead. The first instant after the notice is in time."""
    period = procedure.notice_for([form.value])
    earliest = now if period.days == 0 else period.after(now)
    if starts_at < earliest:
        raise NoticeTooShort(
            days=period.days, unit=period.unit.value, earliest=local_day(earliest).isoformat()
        )


def check_called(
    quorum: Quorum | None, *, members: int | None, selection: str | None, materials: bool
) -> None:
    """What a form asks for before it is called; ``selection`` is None where it asks for none."""
    if quorum is not None and not members:
        raise MembersMissing(group=quorum.group)
    if selection is not None and not selection.strip():
        raise SelectionMissing()
    if not materials:
        raise MaterialsMissing()


def check_runners(
    host_id: UUID,
    recorder_id: UUID,
    *,
    planned_hosts: Collection[UUID],
    able: Collection[UUID],
    interested: Collection[UUID],
) -> None:
    """Host and recorder: two people with a role for it, without a declared interest."""
    if host_id == recorder_id:
        raise TwoPeopleRunIt()
    if planned_hosts and host_id not in planned_hosts:
        raise NotARunner(who="host")
    for who, person in (("host", host_id), ("recorder", recorder_id)):
        if person not in able:
            raise NotARunner(who=who)
        if person in interested:
            raise HasInterest(who=who)


def check_parties(missing: Iterable[str]) -> None:
    absent = sorted(missing)
    if absent:
        raise PartyAbsent(missing=absent)


def check_quorum(quorum: Quorum | None, *, present: int, members: int | None) -> None:
    if quorum is not None and not quorum.reached(present=present, members=members or 0):
        raise QuorumMissed(present=present, least=quorum.least(members or 0))


def check_heard(groups: Iterable[tuple[str, bool, int, str | None]]) -> None:
    """Name, affected, present and absence note of each group."""
    unheard = sorted(
        name for name, affected, present, note in groups if affected and not present and not note
    )
    if unheard:
        raise GroupsNotHeard(missing=unheard)


def check_hands(*, ayes: int, noes: int, abstained: int, present: int) -> None:
    if min(ayes, noes, abstained) < 0 or ayes + noes + abstained > present:
        raise HandsDoNotAdd(present=present)


def check_note(note: str) -> None:
    if not note.strip():
        raise NoteMissing()
