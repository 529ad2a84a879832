"""What one person is told, and nobody else."""

from dataclasses import dataclass
from uuid import UUID

from consultation.events.event import UserEvent


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
    """Who votes for a home of this person was named; the register shows whom. ``home``: its code in
    the register, of the dwelling or of the household."""

    type = "user.voter_named"
    home: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RollObjectionAnswered(UserEvent):
    """This person's objection to a roll was ruled."""

    type = "user.roll_objection_answered"
    poll_id: UUID
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RollPlaceChanged(UserEvent):
    """A corrected roll gave this person a vote, took one away, or changed its area. ``homes``: how
    many of their homes it is about; ``home``: the codes of the first of them in the register, empty
    on a roll of people."""

    type = "user.roll_place_changed"
    topic_id: UUID
    poll_id: UUID
    roll_change: str
    home: str
    homes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateChanged(UserEvent):
    """A mandate of this voter was registered or taken back, or ended with the voter's place."""

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
class PartConsentAsked(UserEvent):
    """The work uses a part that this person owns: they are asked to agree."""

    type = "user.part_consent_asked"
    topic_id: UUID
    unit_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class PartConsentAnswered(UserEvent):
    """An owner has answered: told to who asked; an answer on paper, to the owner as well."""

    type = "user.part_consent_answered"
    topic_id: UUID
    unit_id: UUID
