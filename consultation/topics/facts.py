"""What the gates of a topic look at: plain values, loaded by ``evidence.loading``.

A group is ``None`` when the transition at hand has no gate that needs it.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from consultation.community.tables import OrgKind
from consultation.permissions import Standing
from consultation.topics.plan import Plan, Procedure
from consultation.topics.states import Category, Layer, MatterList, RejectionReason, State, Track


class Need(StrEnum):
    """A group of facts; a gate names those it reads."""

    REJECTION = "rejection"
    TRANSFER = "transfer"
    PLAN = "plan"
    MEETINGS = "meetings"
    POLL = "poll"
    OUTCOME = "outcome"
    ADOPTION = "adoption"
    TASKS = "tasks"
    PARTS = "parts"
    FEEDBACK = "feedback"
    SURVEY = "survey"


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectionFacts:
    reason_code: RejectionReason
    proposed_by: UUID
    proposed_at: datetime
    confirmed_by: UUID | None
    confirmed_at: datetime | None
    confirmed_org_id: UUID | None
    appealed_at: datetime | None
    appeal_decided_at: datetime | None
    appeals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferFacts:
    settled: bool  # answered or returned by the receiver


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFacts:
    plan: Plan
    prepared_by: UUID | None
    legality_ok: bool | None
    undeclared: int  # hosts and tellers named by the plan without an interest declaration
    interested: int  # hosts and tellers named by the plan who have an interest
    open_requests: int  # requests to be added to the participants, not yet answered
    materials: int  # material documents on the topic in this round
    expert_opinions: int
    frozen_at: datetime | None
    notice_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingFacts:
    held_forms: frozenset[str]  # forms of meetings with published minutes in this round
    unconfirmed: int  # meetings of this round that began and whose minutes are not published
    heard_groups: frozenset[str]  # groups present, or with documented absence


@dataclass(frozen=True, slots=True, kw_only=True)
class PollFacts:
    state: str
    preset_id: str
    opens_at: datetime
    text_unchanged: bool
    items_have_against: bool
    counted_elsewhere: bool  # the law takes another system's count for the vote
    verdict: str | None  # of the count that is the vote; None while it is awaited
    teller_signatures: int
    supervisor_signatures: int
    roll_objections_open: int
    objection_days: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeFacts:
    items: int
    has_minority_view: bool
    consensus_called_at: datetime | None
    consensus_objections: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptionFacts:
    decisions: tuple[str | None, ...]  # one per outcome item: None, adopted, partially_adopted, …
    party_signed: bool
    committee_signed: bool
    commissioner_signed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFacts:
    tasks: int
    incomplete: int  # without responsible organisation, due date or budget source
    adopted_items_without_task: int
    open: int  # neither accepted nor ended with a reason
    unaccounted: int  # ended tasks with a budget and no accounts
    not_accepted: int  # done, but not accepted by convener and residents


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFacts:
    declared: bool  # which exclusive parts are used, or that none is
    missing: int  # consents of their owners that work still waits for


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackFacts:
    notice_published: bool
    notice_on_board: bool
    dissent_unsettled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyFacts:
    published: bool
    response_published: bool
    low_score: bool
    rectification_opened: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicFacts:
    state: State
    state_since: datetime
    round: int
    now: datetime
    actor_id: UUID | None
    standing: Standing
    author_id: UUID
    entered_by_id: UUID | None
    actor_org_kind: OrgKind | None  # of the organisation that the actor speaks for
    procedure: Procedure
    category: Category | None
    layer: Layer | None
    track: Track | None
    matter_list: MatterList | None
    title: str
    problem: str
    wish: str
    place: str
    affected: tuple[str, ...]
    crosses_communities: bool
    convener_kind: OrgKind | None
    convener_reason: str | None
    commissioning_org_id: UUID | None
    has_commission_letter: bool
    withdrawal_asked_at: datetime | None
    reason: str | None
    reason_code: str | None
    change_list: tuple[str, ...] = field(default=())
    rejection: RejectionFacts | None = None
    transfer: TransferFacts | None = None
    plan: PlanFacts | None = None
    meetings: MeetingFacts | None = None
    poll: PollFacts | None = None
    outcome: OutcomeFacts | None = None
    adoption: AdoptionFacts | None = None
    tasks: TaskFacts | None = None
    parts: PartFacts | None = None
    feedback: FeedbackFacts | None = None
    survey: SurveyFacts | None = None
