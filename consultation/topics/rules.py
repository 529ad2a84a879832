"""THE RULES OF A TOPIC beside the table of its life (``transitions.py``): who sees it when, what is
open to whom, what may be merged, how it is numbered, who hears that it is late. No I/O."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from consultation.permissions import Deed, Role, grant_of
from consultation.refusals import AlreadyDone, Invalid, NotNow, NotPermitted
from consultation.topics.plan import Period, Procedure
from consultation.topics.states import Act, Layer, State, StateGroup, Track
from consultation.topics.steps import TransitionNotAllowed
from consultation.topics.transitions import BEFORE_VOTING

_S = State


class TopicChanged(NotNow):
    """The topic moved on since the client read it (``expected_version``)."""

    code = "topic-changed"


class NotTheAuthor(NotPermitted):
    """Only who raised the topic, or wrote it down for them, may do this."""

    code = "not-the-author"


class DraftFrozen(NotNow):
    """A proposal is edited while it is a draft or has been returned, not after."""

    code = "draft-frozen"


class CosignClosed(NotNow):
    code = "cosign-closed"


class OwnTopic(Invalid):
    """The author does not co-sign or take over the own topic."""

    code = "own-topic"


class ScopeTooFar(NotPermitted):
    """A stakeholder co-signs what lies where their stake lies (domain 5)."""

    code = "scope-too-far"


class TakeOverNotPossible(NotNow):
    """Only a co-signer, only after the author asked to withdraw, within the 5 days (T7)."""

    code = "take-over-not-possible"


class WithdrawalAlreadyAsked(AlreadyDone):
    code = "withdrawal-already-asked"


class AppealNotPossible(NotNow):
    """The appeal's 15 days are over (T4a)."""

    code = "appeal-not-possible"


class AppealAlreadyMade(AlreadyDone):
    """One appeal per topic (T4a)."""

    code = "appeal-already-made"


class MergeTargetUnsuitable(Invalid):
    """A topic is merged into another one of the same community that is still being consulted on
    and at least as public (T5)."""

    code = "merge-target-unsuitable"


class TrackUnsuitable(Invalid):
    """What a government body commissioned is answered by that body (Track B, S8)."""

    code = "track-unsuitable"


AUTHOR_ONLY = frozenset({State.DRAFT, State.RETURNED, State.WITHDRAWN})
"""States in which only the author (and who entered it) and the process staff see the topic."""
NOT_YET_PUBLIC = AUTHOR_ONLY | {State.SUBMITTED, State.REJECTED, State.MERGED}
EDITABLE = frozenset({State.DRAFT, State.RETURNED})
OPEN_TO_WITHDRAWAL_REQUEST = frozenset(BEFORE_VOTING)
OPEN_TO_MERGE_INTO = frozenset({State.SUBMITTED, *BEFORE_VOTING})
OPEN_TO_COSIGN = frozenset({State.SUBMITTED, *BEFORE_VOTING})
OPEN_TO_SPEAK = frozenset({State.DELIBERATING})
TERMINAL = frozenset(
    {State.CLOSED, State.WITHDRAWN, State.MERGED, State.CORRECTED_BY_GOVERNMENT, State.ANNULLED}
)


GROUPS: Mapping[StateGroup, tuple[State, ...]] = {
    StateGroup.SCREENING: (_S.SUBMITTED, _S.RETURNED),
    StateGroup.CONSULTING: (*BEFORE_VOTING, _S.RECONSULTATION, _S.ESCALATED_TO_ASSEMBLY),
    StateGroup.DECIDING: (_S.VOTING, _S.OUTCOME_PUBLIC, _S.OBJECTION_REVIEW, _S.NO_QUORUM),
    StateGroup.ADOPTING: (_S.ADOPTION_PENDING, _S.ADOPTED, _S.PARTIALLY_ADOPTED, _S.NOT_ADOPTED),
    StateGroup.CARRYING_OUT: (_S.IMPLEMENTING,),
    StateGroup.ANSWERING: (_S.FEEDBACK, _S.EVALUATING),
    StateGroup.CLOSED: (_S.CLOSED,),
    StateGroup.ENDED_OTHERWISE: (
        _S.REJECTED,
        _S.WITHDRAWN,
        _S.MERGED,
        _S.TRANSFERRED,
        _S.SUSPENDED,
        _S.CORRECTED_BY_GOVERNMENT,
        _S.ANNULLED,
    ),
}


def check_editable(state: State) -> None:
    if state not in EDITABLE:
        raise DraftFrozen(state=state.value)


def check_cosign_open(state: State) -> None:
    if state not in OPEN_TO_COSIGN:
        raise CosignClosed(state=state.value)


def check_withdrawal_request(state: State, *, asked_at: datetime | None) -> None:
    """After acceptance the author asks; before it, the author just withdraws."""
    if state not in OPEN_TO_WITHDRAWAL_REQUEST:
        raise TransitionNotAllowed(state=state.value, act="ask_withdrawal")
    if asked_at is not None:
        raise WithdrawalAlreadyAsked()


def check_take_over(
    state: State, *, asked_at: datetime | None, co_signer: bool, now: datetime, period: Period
) -> None:
    """Before the end of the 5 days; the convener may agree to the withdrawal from then on."""
    in_time = asked_at is not None and now < period.after(asked_at)
    if state not in OPEN_TO_WITHDRAWAL_REQUEST or not co_signer or not in_time:
        raise TakeOverNotPossible()


def check_track(track: Track, *, commissioned: bool) -> None:
    if commissioned and track is not Track.COMMISSIONED:
        raise TrackUnsuitable()


def check_appeal(
    state: State, *, confirmed_at: datetime | None, now: datetime, period: Period
) -> None:
    if state is not State.REJECTED or confirmed_at is None:
        raise TransitionNotAllowed(state=state.value, act="appeal")
    if now >= period.after(confirmed_at):
        raise AppealNotPossible(days=period.days)


def rejection_text(reason: str, procedure: Procedure) -> str:
    """The body of the notice: why, and how to appeal (T4)."""
    days = procedure.periods["appeal"].days
    return (
        f"{reason}\n如有异议,可在收到本通知之日起{days}日内申请复核一次,"
        "由街道(镇)或居(村)务监督委员会复核,原经办人员不参加复核。"
    )


class MergeParty(Protocol):
    """What ``check_merge`` looks at; a row of ``Topic`` is one."""

    id: UUID
    community_id: UUID
    state: State
    was_public: bool


def check_merge(source: MergeParty, target: MergeParty) -> None:
    unsuitable = {
        "itself": source.id == target.id,
        "other_community": source.community_id != target.community_id,
        "state": target.state not in OPEN_TO_MERGE_INTO,
        "less_public": source.was_public and not target.was_public,
    }
    reasons = [name for name, holds in unsuitable.items() if holds]
    if reasons:
        raise MergeTargetUnsuitable(reasons=reasons)


def number_in_year(year: int, count: int) -> str:
    """The public name of the ``count``-th topic that a community received in a year: 2026-007."""
    return f"{year}-{count:03d}"


DUTIES: Mapping[State, frozenset[Deed]] = {
    _S.SUBMITTED: frozenset({Deed.SCREEN}),
    _S.REJECTED: frozenset({Deed.DECIDE_APPEAL}),  # while an appeal waits: only then a clock runs
    _S.TRANSFERRED: frozenset({Deed.SCREEN}),
    _S.ACCEPTED: frozenset({Deed.PREPARE}),
    _S.PREPARING: frozenset({Deed.PREPARE}),
    _S.RECONSULTATION: frozenset({Deed.PREPARE}),
    _S.ESCALATED_TO_ASSEMBLY: frozenset({Deed.PREPARE}),
    _S.DELIBERATING: frozenset({Deed.RUN_MEETING}),
    _S.ADOPTION_PENDING: frozenset(
        {Deed.SIGN_ADOPTION_PARTY, Deed.SIGN_ADOPTION_COMMITTEE, Deed.REPLY_COMMISSION}
    ),
    _S.ADOPTED: frozenset({Deed.PLAN_TASKS}),
    _S.PARTIALLY_ADOPTED: frozenset({Deed.PLAN_TASKS}),
    _S.NOT_ADOPTED: frozenset({Deed.CONVENE}),  # who passes the reasons on
    _S.FEEDBACK: frozenset({Deed.PUBLISH_NOTICE}),
}
"""Whose turn it is in a state with a deadline: the worklist of a role shows what waits for it and
nothing that waits for others."""


def duty_states(role: Role) -> list[State]:
    return [
        state
        for state, deeds in DUTIES.items()
        if any(grant_of(deed, role) is not None for deed in deeds)
    ]


ESCALATION = ("supervisor", "subdistrict", "inspection")
"""Who hears that a step is overdue: the supervision committee when the deadline passes, the
subdistrict 5 working days later, the district inspection 10 working days later (T20c)."""


def escalation_times(due_at: datetime, procedure: Procedure) -> tuple[datetime, ...]:
    """When each of ``ESCALATION`` hears of it."""
    last_day = due_at - timedelta(microseconds=1)  # deadlines are exclusive
    periods = (procedure.periods["escalation_first"], procedure.periods["escalation_second"])
    return (due_at, *(period.after(last_day) for period in periods))


def deadline_key(state: State, track: Track | None) -> str:
    """Which deadline of the procedure runs in a state; Track B has its own for the reply."""
    if state is State.ADOPTION_PENDING and track is Track.COMMISSIONED:
        return "adoption_pending_commissioned"
    return state.value


def layer_of_assembly(layer: Layer | None) -> Layer:
    """What goes before an assembly is decided by it: the owners' by them, all else by the
    residents' or villagers' assembly (T15)."""
    return Layer.OWNERS if layer is Layer.OWNERS else Layer.ASSEMBLY


def is_public(state: State, *, was_public: bool = False) -> bool:
    """From acceptance on everybody may read a topic, and what was public stays so."""
    return was_public or state not in NOT_YET_PUBLIC


def adoption_act(decisions: tuple[str, ...]) -> Act:
    """All adopted: adopt; none: not adopted; anything between: partially."""
    if all(decision == "adopted" for decision in decisions):
        return Act.ADOPT
    if all(decision == "not_adopted" for decision in decisions):
        return Act.NOT_ADOPT
    return Act.ADOPT_PARTIALLY
