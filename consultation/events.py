"""Every event that can happen, as a fact in the past tense.

An event is small and safe to read: its fields go to everybody who may follow its streams, so it
holds ids, states and counts, never a name, a reason about a person, or a choice.
Streams: ``community:{id}`` (public), ``topic:{id}`` and ``poll:{id}`` (as the topic is visible),
``user:{id}`` (that person only).
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID


def community_stream(community_id: UUID) -> str:
    return f"community:{community_id}"


def topic_stream(topic_id: UUID) -> str:
    return f"topic:{topic_id}"


def poll_stream(poll_id: UUID) -> str:
    return f"poll:{poll_id}"


def user_stream(person_id: UUID) -> str:
    return f"user:{person_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    type: ClassVar[str] = ""
    addressing: ClassVar[frozenset[str]] = frozenset({"community_id", "person_id", "public"})

    community_id: UUID | None

    def streams(self) -> list[str]:
        raise NotImplementedError

    def data(self) -> dict[str, Any]:
        """The public payload: all fields but those that only address it."""
        return {
            f.name: _plain(getattr(self, f.name))
            for f in fields(self)
            if f.name not in self.addressing
        }


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value


def every_event() -> Iterator[type[Event]]:
    """All event classes that go to the journal, each with its own type."""
    waiting = list(Event.__subclasses__())
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        # A dataclass with slots is a second class; the first one lingers until it is collected.
        if kind.type and "__slots__" in vars(kind):
            yield kind


# ---- on a topic ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicEvent(Event):
    """Something on a topic. ``public`` events also reach the community's own stream."""

    topic_id: UUID
    public: bool = True

    def streams(self) -> list[str]:
        home = [topic_stream(self.topic_id)]
        if self.public and self.community_id is not None:
            home.append(community_stream(self.community_id))
        return home


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicDetail(TopicEvent):
    """Something inside a topic that the community's list need not know."""

    def streams(self) -> list[str]:
        return [topic_stream(self.topic_id)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicStateChanged(TopicEvent):
    type = "topic.state_changed"
    act: str
    from_state: str
    to_state: str
    round: int
    due_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicCosigned(TopicDetail):
    type = "topic.cosigned"
    co_signers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalAsked(TopicDetail):
    """The author wants to withdraw; until then a co-signer may take the topic over."""

    type = "topic.withdrawal_asked"
    take_over_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicTakenOver(TopicDetail):
    type = "topic.taken_over"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppealMade(TopicDetail):
    type = "topic.appeal_made"
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliberationExtended(TopicEvent):
    type = "topic.deliberation_extended"
    ends_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicOverdue(TopicEvent):
    type = "topic.overdue"
    state: str
    due_at: datetime
    escalated_to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentPublished(TopicEvent):
    type = "document.published"
    document_id: UUID
    kind: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferChanged(TopicDetail):
    type = "transfer.changed"
    transfer_id: UUID
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChanged(TopicDetail):
    type = "plan.changed"
    round: int


# ---- deliberation -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadOpened(TopicDetail):
    type = "thread.opened"
    thread_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadClosed(TopicDetail):
    type = "thread.closed"
    thread_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class PostAdded(TopicDetail):
    type = "post.added"
    thread_id: UUID
    post_id: UUID
    parent_id: UUID | None
    stance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PostEdited(TopicDetail):
    type = "post.edited"
    thread_id: UUID
    post_id: UUID
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoChanged(TopicDetail):
    """``state``: waiting, shown, hidden, or removed by its author."""

    type = "photo.changed"
    photo_id: UUID
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PostHidden(TopicDetail):
    type = "post.hidden"
    thread_id: UUID
    post_id: UUID
    reason_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PostRestored(TopicDetail):
    type = "post.restored"
    thread_id: UUID
    post_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementAdded(TopicDetail):
    type = "statement.added"
    statement_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementMarked(TopicDetail):
    """Counts after the mark; who marked is not said."""

    type = "statement.marked"
    statement_id: UUID
    agrees: int
    disagrees: int
    passes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementModerated(TopicDetail):
    type = "statement.moderated"
    statement_id: UUID
    state: str


# ---- meetings -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingConvened(TopicEvent):
    type = "meeting.convened"
    meeting_id: UUID
    form: str
    starts_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingChanged(TopicDetail):
    type = "meeting.changed"
    meeting_id: UUID
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttendanceChanged(TopicDetail):
    type = "meeting.attendance_changed"
    meeting_id: UUID
    present: int


# ---- polls --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PollEvent(Event):
    topic_id: UUID
    poll_id: UUID

    def streams(self) -> list[str]:
        return [poll_stream(self.poll_id), topic_stream(self.topic_id)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PollAnnounced(PollEvent):
    """``served_min``: the share (x/y) of the roll that must be served before it opens, or null."""

    type = "poll.announced"
    opens_at: datetime
    closes_at: datetime
    text_hash: str
    served_min: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PollOpened(PollEvent):
    type = "poll.opened"
    closes_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PollExtended(PollEvent):
    type = "poll.extended"
    closes_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PollClosed(PollEvent):
    type = "poll.closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PollOpenerCame(PollEvent):
    """One of the three who open the box of a confidential poll has confirmed."""

    type = "poll.opener_came"
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PollBoxOpened(PollEvent):
    """The third confirmation opened the box; its ballots are counted, and not yet published."""

    type = "poll.box_opened"


@dataclass(frozen=True, slots=True, kw_only=True)
class PollBoxDestroyed(PollEvent):
    """Box key and envelopes are destroyed and the pages rewritten."""

    type = "poll.box_destroyed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PollSigned(PollEvent):
    """One more signature under the certificate of the count."""

    type = "poll.signed"
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PollRecountDue(PollEvent):
    """Other tellers count again before the result is published: it is close, or the supervisor
    asked for it."""

    type = "poll.recount_due"
    ordered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PollBallotsRead(PollEvent):
    """A teller or supervisor looked at named ballots after the close."""

    type = "poll.ballots_read"
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PollVotersServed(PollEvent):
    """How many of the roll have been told of the poll by now, as the ledger proves; never who."""

    type = "poll.voters_served"
    served: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PollUnservedRead(PollEvent):
    """Somebody on duty looked at who has not been told of the poll yet."""

    type = "poll.unserved_read"
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PollResultPublished(PollEvent):
    type = "poll.result_published"
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PollVoided(PollEvent):
    type = "poll.voided"


@dataclass(frozen=True, slots=True, kw_only=True)
class PollCorrectionOrdered(PollEvent):
    """The ledger does not give the stored count; two other tellers are to sign the one it gives."""

    type = "poll.correction_ordered"


@dataclass(frozen=True, slots=True, kw_only=True)
class PollCountCorrected(PollEvent):
    """The count anew took the place of the stored one; the certificate says why."""

    type = "poll.count_corrected"
    verdict: str


# ---- the ledger of a poll: paper, rolls, mandates -----------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperFormsPrinted(PollEvent):
    """One more block of numbered forms."""

    type = "poll.paper_forms_printed"
    forms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RollObjectionMade(PollEvent):
    """Somebody objects to the roll; it is to be ruled by ``due_at``."""

    type = "poll.roll_objection_made"
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RollRulingOverdue(PollEvent):
    """An objection to the roll was to be ruled by ``due_at`` and is not."""

    type = "poll.roll_ruling_overdue"
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RollCorrected(PollEvent):
    """An objection was upheld: the roll has a new version."""

    type = "poll.roll_corrected"
    roll_version: int
    roll_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PollOutsideResultConfirmed(PollEvent):
    """The certified count of the legal system of record stands beside the indicative result."""

    type = "poll.outside_result_confirmed"
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PollHandsCounted(PollEvent):
    """A show of hands was counted at the meeting; what it showed stays in the box."""

    type = "poll.hands_counted"
    count_no: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PollPresenceFixed(PollEvent):
    """Who is present at a vote in a meeting was fixed; it is the base of the vote."""

    type = "poll.presence_fixed"
    present: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperFormsSettled(PollEvent):
    """What became of forms that did not become ballots is on record."""

    type = "poll.paper_forms_settled"
    forms: int


# ---- after the vote -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeChanged(TopicDetail):
    type = "outcome.changed"
    round: int
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsensusCalled(TopicEvent):
    type = "outcome.consensus_called"
    round: int
    version: int
    objections_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptionSigned(TopicDetail):
    type = "adoption.signed"
    side: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptionReplied(TopicDetail):
    """An item was answered, not yet signed: what the answer is, is public once it is signed."""

    type = "adoption.replied"
    item_id: UUID
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyExtended(TopicEvent):
    type = "adoption.reply_extended"
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskChanged(TopicDetail):
    type = "task.changed"
    task_id: UUID
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOverdue(TopicEvent):
    type = "task.overdue"
    task_id: UUID
    due_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingRecorded(TopicDetail):
    """``total_fen``: what the entries of this kind of the task now come to."""

    type = "task.spending_recorded"
    task_id: UUID
    kind: str
    total_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentPosted(TopicDetail):
    """A published document hangs on the notice board."""

    type = "document.posted"
    document_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class DissentCounted(TopicDetail):
    """How many dissent records are open and settled; never whose."""

    type = "dissent.counted"
    open: int
    settled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyOpened(TopicEvent):
    type = "survey.opened"
    survey_id: UUID
    closes_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyPublished(TopicEvent):
    type = "survey.published"
    survey_id: UUID
    answers: int


# ---- to one person ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class UserEvent(Event):
    person_id: UUID

    def streams(self) -> list[str]:
        return [user_stream(self.person_id)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonVerified(UserEvent):
    type = "user.verified"
    level: int
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BallotRecordedForVoter(UserEvent):
    """Somebody else put in a ballot of this voter: on paper, by a helper or by a proxy. Who did
    not ask for that learns of it here."""

    type = "user.ballot_recorded"
    poll_id: UUID
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CountersignAsked(UserEvent):
    """An entry names this person as helper, as second at the door, or as witness of a count: they
    are asked to countersign it. ``number`` is what the subject says."""

    type = "user.countersign_asked"
    poll_id: UUID
    subject: str
    number: int
    turn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CountersignAnswered(UserEvent):
    """Somebody whom an entry of this person names has answered, or the supervisor settled it."""

    type = "user.countersign_answered"
    poll_id: UUID
    subject: str
    number: int
    turn: int
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VoterNamed(UserEvent):
    """Who votes for a home of this person was named; the register shows whom."""

    type = "user.voter_named"


@dataclass(frozen=True, slots=True, kw_only=True)
class RollObjectionAnswered(UserEvent):
    """This person's objection to a roll was ruled."""

    type = "user.roll_objection_answered"
    poll_id: UUID
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateChanged(UserEvent):
    """A mandate of this voter was registered or taken back."""

    type = "user.mandate_changed"
    poll_id: UUID
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleGranted(UserEvent):
    type = "user.role_granted"
    assignment_id: UUID
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleEnded(UserEvent):
    type = "user.role_ended"
    assignment_id: UUID
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBarred(UserEvent):
    """Nobody may log in as this person until it is lifted."""

    type = "user.barred"
    bar_id: UUID
    bar_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBarLifted(UserEvent):
    type = "user.bar_lifted"
    bar_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class UserNotified(UserEvent):
    """Something a person is owed to know about their own contribution."""

    type = "user.notified"
    about: str
    topic_id: UUID | None
    subject_id: UUID | None
    reason_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeAdded(UserEvent):
    """A notice lies in the person's inbox; ``template`` names its words (``notices.*``)."""

    type = "notice.added"
    notice_id: UUID
    template: str
    topic_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterImported(Event):
    type = "community.register_imported"
    kind: str
    rows: int

    def streams(self) -> list[str]:
        return [] if self.community_id is None else [community_stream(self.community_id)]
