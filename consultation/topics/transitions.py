"""THE LIFE OF A TOPIC: which step leads from which state to which, who may take it, what must
hold before. One table; read it beside section 3.2 of the domain notes (T1 … T29).

``deed`` says who; ``gates`` say when; ``published_to`` says who may read its reason and document;
the deadline of the state it leads to stands in ``procedures/*.toml``. A transition whose deed is
RUN_SYSTEM is never asked for by a person: it follows from a deadline, a certified count, a last
signature. ``built=False`` keeps the place of a step that a later release carries out; asking for
it is refused.
"""

from dataclasses import dataclass

from consultation.permissions import Deed
from consultation.topics.facts import Need
from consultation.topics.gates import adopting, deciding, preparing, raising
from consultation.topics.gates.gate import Gate
from consultation.topics.gates.needs import NEEDS
from consultation.topics.states import Act, DocumentKind, Publication, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    rule: str
    act: Act
    sources: tuple[State, ...]
    target: State
    deed: Deed
    gates: tuple[Gate, ...] = ()
    document: DocumentKind | None = None
    """The document the step must bring, published with it."""
    published_to: Publication = Publication.EVERYBODY
    keeps_clock: bool = False
    """The deadline goes on running: T8 counts from acceptance to announcement."""
    new_round: bool = False
    """The community consults once more, with a plan, poll and outcome of their own; those of the
    round before stay as they are."""
    built: bool = True

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset().union(*(NEEDS.get(gate, frozenset()) for gate in self.gates))


_S, _A, _D, _K = State, Act, Deed, DocumentKind
_TO_AUTHOR = Publication.AUTHOR
BEFORE_VOTING = (_S.ACCEPTED, _S.PREPARING, _S.ANNOUNCED, _S.DELIBERATING, _S.OUTCOME_DRAFTING)
_DECIDED = (
    _S.ADOPTED,
    _S.PARTIALLY_ADOPTED,
    _S.NOT_ADOPTED,
    _S.IMPLEMENTING,
    _S.FEEDBACK,
    _S.EVALUATING,
    _S.CLOSED,
)
_ACTIVE = (
    _S.SUBMITTED,
    *BEFORE_VOTING,
    _S.VOTING,
    _S.OUTCOME_PUBLIC,
    _S.ADOPTION_PENDING,
    _S.ADOPTED,
    _S.PARTIALLY_ADOPTED,
    _S.IMPLEMENTING,
)


def _t(
    rule: str,
    act: Act,
    sources: tuple[State, ...],
    target: State,
    deed: Deed,
    *gates_: Gate,
    document: DocumentKind | None = None,
    published_to: Publication = Publication.EVERYBODY,
    keeps_clock: bool = False,
    new_round: bool = False,
    built: bool = True,
) -> Transition:
    return Transition(
        rule=rule,
        act=act,
        sources=sources,
        target=target,
        deed=deed,
        gates=gates_,
        document=document,
        published_to=published_to,
        keeps_clock=keeps_clock,
        new_round=new_round,
        built=built,
    )


TRANSITIONS: tuple[Transition, ...] = (
    # raising and screening
    _t(
        "T1",
        _A.SUBMIT,
        (_S.DRAFT,),
        _S.SUBMITTED,
        _D.RAISE_TOPIC,
        raising.by_author,
        raising.commission_complete,
        raising.proposal_complete,
        raising.subject_allowed,
        document=_K.PROPOSAL,
        published_to=_TO_AUTHOR,
    ),
    _t(
        "T2",
        _A.RETURN,
        (_S.SUBMITTED,),
        _S.RETURNED,
        _D.SCREEN,
        raising.reason_given,
        document=_K.RETURN_NOTE,
        published_to=_TO_AUTHOR,
    ),
    _t(
        "T2a",
        _A.RESUBMIT,
        (_S.RETURNED,),
        _S.SUBMITTED,
        _D.RAISE_TOPIC,
        raising.by_author,
        raising.in_correction_period,
        raising.proposal_complete,
        raising.subject_allowed,
        document=_K.PROPOSAL,
        published_to=_TO_AUTHOR,
    ),
    _t(
        "T3",
        _A.ACCEPT,
        (_S.SUBMITTED,),
        _S.ACCEPTED,
        _D.ACCEPT,
        raising.classified,
        raising.within_the_lists,
        raising.commission_complete,
        raising.convener_named,
        document=_K.ACCEPTANCE_NOTE,
    ),
    _t(
        "T4",
        _A.REJECT,
        (_S.SUBMITTED,),
        _S.REJECTED,
        _D.CONFIRM_REJECTION,
        raising.two_persons_reject,
        document=_K.REJECTION_NOTICE,
        published_to=_TO_AUTHOR,
    ),
    _t(
        "T4a",
        _A.UPHOLD_APPEAL,
        (_S.REJECTED,),
        _S.SUBMITTED,
        _D.DECIDE_APPEAL,
        raising.appeal_in_time,
        raising.independent_appeal_body,
        document=_K.APPEAL_DECISION,
        published_to=_TO_AUTHOR,
    ),
    _t(
        "T5",
        _A.MERGE,
        (_S.SUBMITTED, _S.ACCEPTED),
        _S.MERGED,
        _D.ACCEPT,
        raising.reason_given,
        document=_K.MERGE_NOTE,
        published_to=_TO_AUTHOR,
    ),
    _t(
        "T6",
        _A.TRANSFER,
        (_S.SUBMITTED, _S.ACCEPTED),
        _S.TRANSFERRED,
        _D.ACCEPT,
        raising.reason_given,
        document=_K.TRANSFER_SHEET,
        published_to=_TO_AUTHOR,
    ),
    _t(
        "T6",  # to another receiver, when the first has given it back (国办发〔2020〕53号)
        _A.TRANSFER,
        (_S.TRANSFERRED,),
        _S.TRANSFERRED,
        _D.ACCEPT,
        raising.reason_given,
        raising.transfer_settled,
        document=_K.TRANSFER_SHEET,
        published_to=_TO_AUTHOR,
    ),
    _t(
        "T6a",
        _A.TAKE_BACK,
        (_S.TRANSFERRED,),
        _S.ACCEPTED,
        _D.ACCEPT,
        raising.transfer_settled,
        raising.reason_given,
        raising.classified,
        raising.within_the_lists,
        raising.commission_complete,
        raising.convener_named,
        document=_K.ACCEPTANCE_NOTE,
    ),
    _t(
        "T7",
        _A.WITHDRAW,
        (_S.DRAFT, _S.SUBMITTED, _S.RETURNED),
        _S.WITHDRAWN,
        _D.RAISE_TOPIC,
        raising.by_author,
        published_to=_TO_AUTHOR,
    ),
    _t("T7a", _A.AGREE_WITHDRAWAL, BEFORE_VOTING, _S.WITHDRAWN, _D.ACCEPT, raising.withdrawal_open),
    # preparing, announcing, deliberating
    _t("T8", _A.PREPARE, (_S.ACCEPTED,), _S.PREPARING, _D.PREPARE, keeps_clock=True),
    _t(
        "T8",
        _A.PREPARE,
        (_S.RECONSULTATION,),
        _S.PREPARING,
        _D.PREPARE,
        keeps_clock=True,
        new_round=True,
    ),
    _t(
        "T8a",
        _A.ANNOUNCE,
        (_S.PREPARING,),
        _S.ANNOUNCED,
        _D.CONVENE,
        preparing.groups_covered,
        preparing.plan_complete,
        preparing.legality_checked,
        preparing.interests_declared,
        preparing.votable,
        preparing.two_persons_announce,
        document=_K.NOTICE,
    ),
    _t(
        "T9",
        _A.OPEN_DELIBERATION,
        (_S.ANNOUNCED,),
        _S.DELIBERATING,
        _D.RUN_SYSTEM,
        preparing.notice_over,
        preparing.roll_settled,
    ),
    _t(
        "T10",
        _A.CLOSE_DELIBERATION,
        (_S.DELIBERATING,),
        _S.OUTCOME_DRAFTING,
        _D.RUN_MEETING,
        deciding.meetings_held,
        deciding.groups_heard,
    ),
    # deciding
    _t(
        "T11",
        _A.OPEN_VOTING,
        (_S.OUTCOME_DRAFTING,),
        _S.VOTING,
        _D.RUN_SYSTEM,
        deciding.outcome_written,
        deciding.poll_ready,
        preparing.roll_settled,
        preparing.legality_checked,
        preparing.votable,
    ),
    _t(
        "T12",
        _A.CONSENSUS,
        (_S.OUTCOME_DRAFTING,),
        _S.OUTCOME_PUBLIC,
        _D.CONVENE,
        deciding.outcome_written,
        deciding.consensus_stands,
    ),
    _t(
        "T13",
        _A.PUBLISH_RESULT,
        (_S.VOTING,),
        _S.OUTCOME_PUBLIC,
        _D.RUN_SYSTEM,
        deciding.count_signed,
    ),
    _t("T14", _A.FAIL_QUORUM, (_S.VOTING,), _S.NO_QUORUM, _D.RUN_SYSTEM, deciding.quorum_missed),
    _t(  # a count that cannot be mended is annulled; it may be voted on once more
        "T14a",
        _A.ANNUL_VOTE,
        (_S.VOTING,),
        _S.OUTCOME_DRAFTING,
        _D.RUN_SYSTEM,
        deciding.vote_annulled,
    ),
    _t(
        "T15",
        _A.ESCALATE,
        (_S.DELIBERATING, _S.OUTCOME_DRAFTING, _S.NO_QUORUM),
        _S.ESCALATED_TO_ASSEMBLY,
        _D.CONVENE,
        raising.reason_given,
        document=_K.MOTION,
    ),
    _t(
        "T15a",
        _A.PREPARE_ASSEMBLY,
        (_S.ESCALATED_TO_ASSEMBLY,),
        _S.PREPARING,
        _D.PREPARE,
        new_round=True,
    ),
    _t(
        "T16",
        _A.RECONSULT,
        (_S.OUTCOME_PUBLIC, _S.ADOPTION_PENDING, _S.NO_QUORUM),
        _S.RECONSULTATION,
        _D.CONVENE,
        raising.reason_given,
        deciding.rounds_left,
        document=_K.RECONSULTATION_NOTE,
    ),
    _t("T17", _A.OBJECT, (_S.OUTCOME_PUBLIC,), _S.OBJECTION_REVIEW, _D.COSIGN, built=False),
    _t(
        "T18",
        _A.RULE_OBJECTION,
        (_S.OBJECTION_REVIEW,),
        _S.OUTCOME_PUBLIC,
        _D.SUPERVISE,
        built=False,
    ),
    # adopting, doing, answering
    _t(
        "T19",
        _A.START_ADOPTION,
        (_S.OUTCOME_PUBLIC,),
        _S.ADOPTION_PENDING,
        _D.RUN_SYSTEM,
        adopting.objection_period_over,
        deciding.outcome_written,
    ),
    _t(
        "T20",
        _A.ADOPT,
        (_S.ADOPTION_PENDING,),
        _S.ADOPTED,
        _D.RUN_SYSTEM,
        adopting.every_item_answered,
        adopting.all_adopted,
        adopting.adoption_signed,
    ),
    _t(
        "T20",
        _A.ADOPT_PARTIALLY,
        (_S.ADOPTION_PENDING,),
        _S.PARTIALLY_ADOPTED,
        _D.RUN_SYSTEM,
        adopting.every_item_answered,
        adopting.partly_adopted,
        adopting.adoption_signed,
    ),
    _t(
        "T20",
        _A.NOT_ADOPT,
        (_S.ADOPTION_PENDING,),
        _S.NOT_ADOPTED,
        _D.RUN_SYSTEM,
        adopting.every_item_answered,
        adopting.none_adopted,
        adopting.adoption_signed,
    ),
    _t(
        "T21",
        _A.IMPLEMENT,
        (_S.ADOPTED, _S.PARTIALLY_ADOPTED),
        _S.IMPLEMENTING,
        _D.PLAN_TASKS,
        adopting.tasks_planned,
        adopting.parts_agreed,
        document=_K.IMPLEMENTATION_PLAN,
    ),
    _t(
        "T22",
        _A.REPORT,
        (_S.IMPLEMENTING,),
        _S.FEEDBACK,
        _D.CONVENE,
        adopting.tasks_finished,
        document=_K.COMPLETION_RECORD,
    ),
    _t("T23", _A.ANSWER, (_S.NOT_ADOPTED,), _S.FEEDBACK, _D.CONVENE, raising.reason_given),
    _t(
        "T24",
        _A.EVALUATE,
        (_S.FEEDBACK,),
        _S.EVALUATING,
        _D.RUN_SYSTEM,
        adopting.feedback_given,
        adopting.dissent_settled,
    ),
    _t(
        "T25",
        _A.CLOSE,
        (_S.EVALUATING,),
        _S.CLOSED,
        _D.RUN_SYSTEM,
        deciding.outcome_written,
        adopting.every_item_answered,
        adopting.feedback_given,
        adopting.dissent_settled,
        adopting.survey_answered,
    ),
    # a later release
    _t("T26", _A.SUSPEND, _ACTIVE, _S.SUSPENDED, _D.CONVENE, built=False),
    _t("T26", _A.RESUME, (_S.SUSPENDED,), _S.PREPARING, _D.CONVENE, built=False),
    _t(
        "T27",
        _A.CHALLENGE,
        (_S.OUTCOME_PUBLIC, _S.ADOPTION_PENDING, _S.ADOPTED, _S.PARTIALLY_ADOPTED, _S.IMPLEMENTING),
        _S.SUSPENDED,
        _D.SUPERVISE,
        built=False,
    ),
    _t("T28", _A.CORRECT, _DECIDED, _S.CORRECTED_BY_GOVERNMENT, _D.SUPERVISE, built=False),
    _t("T29", _A.ANNUL, _DECIDED, _S.ANNULLED, _D.PREPARE, built=False),
)

NEXT = {(source, row.act): row for row in TRANSITIONS for source in row.sources}
