"""WHO IS TOLD WHAT: one table, event → who, how urgent, by which chain of channels, in what words.

Every event of ``consultation/events/`` has its row here, also one that nobody is told of on
purpose: those are seen live by whoever looks, and move nobody's phone. The first row of an event
that fits a person is theirs; they are told of an event once. No I/O.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from consultation.community.tables import OrgKind
from consultation.permissions import ALLOWED, Deed, Role
from consultation.topics.bodies import APPEAL_BODIES, SUBDISTRICT
from consultation.topics.rules import ESCALATION
from consultation.topics.states import State, TransferState


class Who(StrEnum):
    PERSON = "person"  # whose stream the event is on
    AUTHOR = "author"  # of the topic
    FOLLOWERS = "followers"  # author, co-signers, who spoke, who is on a roll, who asked to
    ROLL = "roll"  # everybody on the roll of the poll
    KEPT = "kept"  # who stands on a corrected roll as on the version before it
    AFFECTED = "affected"  # who owns or lives in the place where the matter lies
    STAFF = "staff"  # who holds one of ``roles`` there
    COMMISSIONER = "commissioner"  # who holds one of ``roles`` for the office that commissioned it
    RECEIVER = "receiver"  # … for the office that it was transferred to and that has not answered
    OFFICE = "office"  # … for an office of one of ``kinds``
    RESPONSIBLE = "responsible"  # … for the organisation that answers for the task, and its contact
    COMMUNITY = "community"  # every verified member


class Urgency(StrEnum):
    """The most urgent first: in this order what is due goes out."""

    URGENT = "urgent"
    NORMAL = "normal"
    DIGEST = "digest"  # gathered into one message a day, for those who took a part themselves


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One row. ``chain`` names the way beyond the inbox (``policy.toml``); ``words`` the texts
    (``notices.{words}.*`` of the catalogues). ``when``: only if the event's fields have one of
    these values. ``has_a_day``: only if the poll that it is about is open for a day at least.
    ``serves``: it is the notice of a poll that the ledger must prove."""

    who: Who
    urgency: Urgency
    chain: str
    words: str
    roles: frozenset[Role] = frozenset()
    kinds: frozenset[OrgKind] = frozenset()
    when: Mapping[str, frozenset[Any]] = field(default_factory=dict)
    serves: bool = False
    has_a_day: bool = False

    def fits(self, data: Mapping[str, Any]) -> bool:
        if self.has_a_day and _open_for(data) < A_DAY:
            return False
        return all(data.get(name) in values for name, values in self.when.items())


A_DAY = timedelta(days=1)
"""A vote that is open for less, as in a meeting of an evening, is over before its opening has gone
through a whole chain and somebody has been at the door: its announcement must."""


def _open_for(data: Mapping[str, Any]) -> timedelta:
    opens, closes = (datetime.fromisoformat(data[name]) for name in ("opens_at", "closes_at"))
    return closes - opens


NOBODY: Sequence[Told] = ()
DIGEST_WORDS = "digest"
"""The one notice that gathers a day's digest rows, with the titles of the topics."""


def _digest(who: Who, **when: frozenset[Any]) -> Told:
    return Told(who=who, urgency=Urgency.DIGEST, chain="digest", words=DIGEST_WORDS, when=when)


def _told(who: Who, words: str, **when: frozenset[Any]) -> Told:
    return Told(who=who, urgency=Urgency.NORMAL, chain="told", words=words, when=when)


def _owed(who: Who, words: str, **when: frozenset[Any]) -> Told:
    return Told(who=who, urgency=Urgency.NORMAL, chain="owed", words=words, when=when)


def _vote(words: str) -> Told:
    return Told(who=Who.ROLL, urgency=Urgency.URGENT, chain="vote", words=words, serves=True)


def _voters(
    words: str,
    *,
    who: Who = Who.ROLL,
    serves: bool = False,
    has_a_day: bool = False,
    **when: frozenset[Any],
) -> Told:
    return Told(
        who=who,
        urgency=Urgency.NORMAL,
        chain="ballot",
        words=words,
        when=when,
        serves=serves,
        has_a_day=has_a_day,
    )


def _staff(words: str, *roles: Role, **when: frozenset[Any]) -> Told:
    return Told(
        who=Who.STAFF,
        urgency=Urgency.NORMAL,
        chain="told",
        words=words,
        roles=frozenset(roles),
        when=when,
    )


def _office(
    who: Who, words: str, *, kinds: frozenset[OrgKind] = frozenset(), **when: frozenset[Any]
) -> Told:
    """Those who act for an office of the government."""
    return Told(
        who=who,
        urgency=Urgency.NORMAL,
        chain="told",
        words=words,
        roles=frozenset({Role.GOVERNMENT}),
        kinds=kinds,
        when=when,
    )


def _responsible(words: str) -> Told:
    return Told(
        who=Who.RESPONSIBLE,
        urgency=Urgency.NORMAL,
        chain="told",
        words=words,
        roles=frozenset(ALLOWED[Deed.REPORT_PROGRESS]),
    )


_CONVENING = (Role.CLERK, Role.PARTY_SECRETARY)
_SUBMITTED = frozenset({State.SUBMITTED.value})
_ANNOUNCED = frozenset({State.ANNOUNCED.value})
_REPLY_OWED = frozenset({State.ADOPTION_PENDING.value})
_AFTER_THE_REPLY = frozenset(
    state.value for state in (State.ADOPTED, State.PARTIALLY_ADOPTED, State.FEEDBACK)
)
"""Steps that the office which commissioned a matter takes with the community."""
_TRANSFERRED = frozenset({State.TRANSFERRED.value})
_APPEALED = frozenset({State.REJECTED.value})
_DELIBERATING = frozenset({State.DELIBERATING.value})
_LATE, _LATER, _LAST = (frozenset({body}) for body in ESCALATION)
"""Whoever owes a step hears once that it is late; the bodies above, in their turn (T20c)."""
_SENT = frozenset({TransferState.SENT.value})
_COME_BACK = frozenset({TransferState.ANSWERED.value, TransferState.RETURNED.value})
_ANSWERS = frozenset(
    state.value
    for state in (
        State.ADOPTED,
        State.PARTIALLY_ADOPTED,
        State.NOT_ADOPTED,
        State.CLOSED,
        State.ANNULLED,
        State.CORRECTED_BY_GOVERNMENT,
        State.NO_QUORUM,
        State.RECONSULTATION,
    )
)
"""States that answer those who took part: they are owed to know."""
_STEPS = frozenset(
    state.value
    for state in (
        State.ACCEPTED,
        State.DELIBERATING,
        State.OUTCOME_DRAFTING,
        State.OUTCOME_PUBLIC,
        State.OBJECTION_REVIEW,
        State.ADOPTION_PENDING,
        State.IMPLEMENTING,
        State.FEEDBACK,
        State.EVALUATING,
        State.SUSPENDED,
        State.ESCALATED_TO_ASSEMBLY,
    )
)
"""Steps on the way. A return, a refusal, a transfer, a merge and a withdrawal are told to those
concerned by events of their own (``user.notified``); a vote by those of its poll."""
_NOTICES = frozenset({"notice", "outcome", "feedback_notice", "survey_response"})

AUDIENCE: Mapping[str, Sequence[Told]] = {
    # ---- the life of a topic
    "topic.state_changed": (
        _staff("topic_submitted", *_CONVENING, to_state=_SUBMITTED),
        _owed(Who.AUTHOR, "topic_answered", to_state=_ANSWERS),
        _told(Who.FOLLOWERS, "topic_answered", to_state=_ANSWERS),
        _told(Who.AFFECTED, "topic_announced", to_state=_ANNOUNCED),
        _told(Who.FOLLOWERS, "topic_announced", to_state=_ANNOUNCED),
        _office(Who.COMMISSIONER, "reply_owed", to_state=_REPLY_OWED),
        _digest(Who.COMMUNITY, to_state=_ANNOUNCED),
        _digest(Who.FOLLOWERS, to_state=_STEPS),
    ),
    "topic.cosigned": NOBODY,  # a count
    "topic.withdrawal_asked": NOBODY,  # those concerned get user.notified
    "topic.taken_over": (_digest(Who.FOLLOWERS),),
    "topic.appeal_made": (
        _staff("appeal_made", Role.SUPERVISOR),
        _office(Who.OFFICE, "appeal_made", kinds=APPEAL_BODIES),
    ),
    "topic.deliberation_extended": (_told(Who.FOLLOWERS, "deliberation_extended"),),
    "topic.overdue": (
        _staff("topic_overdue", *_CONVENING, Role.SUPERVISOR),
        _office(Who.COMMISSIONER, "topic_overdue", state=_REPLY_OWED),
        _office(Who.COMMISSIONER, "duty_overdue", state=_AFTER_THE_REPLY, escalated_to=_LATE),
        _office(Who.RECEIVER, "duty_overdue", state=_TRANSFERRED, escalated_to=_LATE),
        _office(
            Who.OFFICE, "duty_overdue", kinds=APPEAL_BODIES, state=_APPEALED, escalated_to=_LATE
        ),
        _staff("duty_overdue", Role.COMMITTEE_HEAD, state=_REPLY_OWED, escalated_to=_LATE),
        _staff("duty_overdue", Role.HOST, state=_DELIBERATING, escalated_to=_LATE),
        _office(Who.OFFICE, "topic_overdue", kinds=SUBDISTRICT, escalated_to=_LATER),
        _staff("topic_overdue", Role.INSPECTOR, escalated_to=_LAST),
        _digest(Who.FOLLOWERS),
    ),
    "document.published": (_digest(Who.FOLLOWERS, kind=_NOTICES),),
    "document.posted": NOBODY,  # it hangs where it hangs
    "transfer.changed": (
        _office(Who.RECEIVER, "transfer_received", state=_SENT),
        _staff("transfer_came_back", *_CONVENING, state=_COME_BACK),
    ),
    "plan.changed": NOBODY,
    # ---- deliberation
    "thread.opened": (_digest(Who.FOLLOWERS),),
    "thread.closed": NOBODY,
    "post.added": (_digest(Who.FOLLOWERS),),
    "post.edited": NOBODY,
    "post.hidden": NOBODY,  # its author gets user.notified
    "post.restored": NOBODY,
    "statement.added": NOBODY,
    "photo.changed": NOBODY,  # its author gets user.notified when it is hidden
    "statement.marked": NOBODY,  # counts
    "statement.moderated": NOBODY,
    # ---- meetings
    "meeting.convened": (
        _told(Who.AFFECTED, "meeting_convened"),
        _told(Who.FOLLOWERS, "meeting_convened"),
    ),
    "meeting.changed": (_told(Who.FOLLOWERS, "meeting_cancelled", state=frozenset({"cancelled"})),),
    "meeting.attendance_changed": NOBODY,  # a count
    # ---- polls
    "poll.announced": (
        _voters("poll_announced", serves=True, has_a_day=True, served_min=frozenset({None})),
        _vote("poll_announced"),  # it is short, or does not open before enough are served
    ),
    "poll.opened": (_vote("poll_opened"),),
    "poll.extended": (_vote("poll_extended"),),
    "poll.closed": NOBODY,  # nobody knows a result yet
    "poll.signed": NOBODY,
    "poll.recount_due": (_staff("recount_due", Role.TELLER, Role.SUPERVISOR),),
    "poll.correction_ordered": (_staff("recount_due", Role.TELLER, Role.SUPERVISOR),),
    "poll.count_corrected": NOBODY,  # told with the result
    "poll.opener_came": NOBODY,
    "poll.box_opened": NOBODY,  # nobody knows a result yet
    "poll.box_destroyed": NOBODY,
    "poll.hands_counted": NOBODY,
    "poll.presence_fixed": NOBODY,  # a count
    "poll.paper_forms_printed": NOBODY,
    "poll.paper_forms_settled": NOBODY,
    "poll.roll_objection_made": (_staff("roll_objection_made", Role.CLERK, Role.SUPERVISOR),),
    "poll.roll_ruling_overdue": (_staff("roll_ruling_overdue", *_CONVENING, Role.SUPERVISOR),),
    "poll.roll_corrected": (_voters("roll_corrected", who=Who.KEPT),),
    "poll.outside_result_confirmed": (_told(Who.FOLLOWERS, "outside_result"),),
    "poll.ballots_read": NOBODY,  # on record for whoever looks
    "poll.voters_served": NOBODY,  # a count
    "poll.unserved_read": NOBODY,  # on record for whoever looks
    "poll.addresses_read": NOBODY,  # on record for whoever looks
    "poll.result_published": (_voters("poll_result"), _told(Who.FOLLOWERS, "poll_result")),
    "poll.voided": (_voters("poll_voided"),),
    # ---- after the vote
    "outcome.changed": NOBODY,
    "outcome.consensus_called": (_told(Who.FOLLOWERS, "consensus_called"),),
    "adoption.signed": NOBODY,
    "adoption.replied": NOBODY,  # not signed yet
    "adoption.reply_extended": (_told(Who.FOLLOWERS, "reply_extended"),),
    "outcome.used_parts_declared": NOBODY,  # whose part it is, is asked
    "task.changed": NOBODY,
    "task.overdue": (
        _responsible("own_task_overdue"),
        _staff("task_overdue", *_CONVENING, Role.SUPERVISOR),
        _digest(Who.FOLLOWERS),
    ),
    "task.spending_recorded": NOBODY,
    "dissent.counted": NOBODY,  # counts
    "survey.opened": (_told(Who.FOLLOWERS, "survey_opened"),),
    "survey.published": (_digest(Who.FOLLOWERS),),
    # ---- to one person
    "user.verified": (_told(Who.PERSON, "verified"),),
    "user.role_granted": (_told(Who.PERSON, "role_granted"),),
    "user.role_ended": (_told(Who.PERSON, "role_ended"),),
    "user.barred": (_owed(Who.PERSON, "barred"),),
    "user.bar_lifted": (_owed(Who.PERSON, "bar_lifted"),),
    "user.notified": (_owed(Who.PERSON, "reply"),),
    "user.ballot_recorded": (_owed(Who.PERSON, "ballot_recorded"),),
    "user.mandate_changed": (_owed(Who.PERSON, "mandate_changed"),),
    "user.countersign_asked": (_owed(Who.PERSON, "countersign_asked"),),
    "user.part_consent_asked": (_owed(Who.PERSON, "part_consent_asked"),),
    "user.part_consent_answered": (_told(Who.PERSON, "part_consent_answered"),),
    "user.countersign_answered": NOBODY,  # the registers show it
    "user.roll_objection_answered": (_owed(Who.PERSON, "roll_objection_answered"),),
    "user.roll_place_changed": (
        _owed(Who.PERSON, "roll_place_corrected", homes=frozenset({0})),
        _owed(Who.PERSON, "roll_home_corrected"),
    ),
    "user.voter_named": (_told(Who.PERSON, "voter_named"),),
    "notice.added": NOBODY,  # is itself the telling
    "community.register_imported": NOBODY,
}


def rows() -> Iterator[Told]:
    for told in AUDIENCE.values():
        yield from told
