"""WHAT TO DO NEXT: which act settles what waits for a role, one table from duty to act. No I/O.

An act is named as the operation of the contract that carries it out, so that a client can lead
whoever owes it to the right form. The first row that fits is the one: rows of one state stand in
the order of the work, and the last of them asks for nothing but the deed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from consultation.permissions import Deed, Role, grant_of
from consultation.topics.states import State, TransferState
from consultation.topics.transfers import PENDING


class NextAct(StrEnum):
    CONFIRM_REJECTION = "confirm_rejection"
    ACCEPT_TOPIC = "accept_topic"
    RETURN_TOPIC = "return_topic"
    DECIDE_APPEAL = "decide_appeal"
    RECEIVE_TRANSFER = "receive_transfer"
    ANSWER_TRANSFER = "answer_transfer"
    RELAY_TRANSFER = "relay_transfer"
    TRANSFER_TOPIC = "transfer_topic"
    PREPARE_TOPIC = "prepare_topic"
    PREPARE_ASSEMBLY = "prepare_assembly"
    ANSWER_PARTICIPATION = "answer_participation"
    SAVE_PLAN = "save_plan"
    CHECK_LEGALITY = "check_legality"
    ANNOUNCE_TOPIC = "announce_topic"
    CONVENE_MEETING = "convene_meeting"
    CLOSE_DELIBERATION = "close_deliberation"
    REPLY_TO_ITEM = "reply_to_item"
    SIGN_ADOPTION = "sign_adoption"
    PLAN_TASK = "plan_task"
    START_IMPLEMENTATION = "start_implementation"
    ANSWER_NON_ADOPTION = "answer_non_adoption"
    PUBLISH_FEEDBACK_NOTICE = "publish_feedback_notice"
    POST_ON_BOARD = "post_on_board"
    EXPLAIN_DISSENT = "explain_dissent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How far the step has come that waits. ``rejection_proposed``: by another than who looks;
    ``transfer``: where the last one stands; ``planned_by_other`` than who looks; ``sitting_due``:
    the plan asks for a sitting and none is convened."""

    rejection_proposed: bool = False
    transfer: TransferState | None = None
    open_requests: int = 0
    planned: bool = False
    planned_by_other: bool = False
    lawful: bool | None = None
    sitting_due: bool = False
    items_unanswered: bool = False
    tasks_planned: bool = False
    notice_published: bool = False
    notice_on_board: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    states: frozenset[State]
    deeds: frozenset[Deed]
    act: NextAct
    when: Callable[[Waits], bool] | None = None


_S, _D, _A = State, Deed, NextAct


def _row(
    states: State | tuple[State, ...],
    deeds: Deed | tuple[Deed, ...],
    act: NextAct,
    when: Callable[[Waits], bool] | None = None,
) -> Row:
    return Row(
        frozenset(states if isinstance(states, tuple) else (states,)),
        frozenset(deeds if isinstance(deeds, tuple) else (deeds,)),
        act,
        when,
    )


_ADOPTERS = (_D.SIGN_ADOPTION_PARTY, _D.SIGN_ADOPTION_COMMITTEE, _D.REPLY_COMMISSION)
_ANSWERED, _RETURNED = TransferState.ANSWERED, TransferState.RETURNED
_TO_PLAN = (_S.ADOPTED, _S.PARTIALLY_ADOPTED)

NEXT_ACTS: tuple[Row, ...] = (
    _row(
        _S.SUBMITTED, _D.CONFIRM_REJECTION, _A.CONFIRM_REJECTION, lambda at: at.rejection_proposed
    ),
    _row(_S.SUBMITTED, _D.ACCEPT, _A.ACCEPT_TOPIC),
    _row(_S.SUBMITTED, _D.SCREEN, _A.RETURN_TOPIC),
    _row(_S.REJECTED, _D.DECIDE_APPEAL, _A.DECIDE_APPEAL),
    # a transfer that waits for an office with people of its own is on that office's list
    _row(_S.TRANSFERRED, _D.SCREEN, _A.RELAY_TRANSFER, lambda at: at.transfer is _ANSWERED),
    _row(_S.TRANSFERRED, _D.ACCEPT, _A.TRANSFER_TOPIC, lambda at: at.transfer is _RETURNED),
    _row(_S.TRANSFERRED, _D.ANSWER_TRANSFER, _A.ANSWER_TRANSFER, lambda at: at.transfer in PENDING),
    _row((_S.ACCEPTED, _S.RECONSULTATION), _D.PREPARE, _A.PREPARE_TOPIC),
    _row(_S.ESCALATED_TO_ASSEMBLY, _D.PREPARE, _A.PREPARE_ASSEMBLY),
    _row(_S.PREPARING, _D.PREPARE, _A.ANSWER_PARTICIPATION, lambda at: at.open_requests > 0),
    _row(_S.PREPARING, _D.PREPARE, _A.SAVE_PLAN, lambda at: not at.planned),
    _row(_S.PREPARING, _D.CHECK_LEGALITY, _A.CHECK_LEGALITY, lambda at: at.lawful is None),
    _row(
        _S.PREPARING,
        _D.CONVENE,
        _A.ANNOUNCE_TOPIC,
        lambda at: at.lawful is True and at.planned_by_other,
    ),
    _row(_S.PREPARING, _D.PREPARE, _A.SAVE_PLAN),
    _row(_S.DELIBERATING, _D.RUN_MEETING, _A.CONVENE_MEETING, lambda at: at.sitting_due),
    _row(_S.DELIBERATING, _D.RUN_MEETING, _A.CLOSE_DELIBERATION),
    _row(_S.ADOPTION_PENDING, _ADOPTERS, _A.REPLY_TO_ITEM, lambda at: at.items_unanswered),
    _row(_S.ADOPTION_PENDING, _ADOPTERS, _A.SIGN_ADOPTION),
    _row(_TO_PLAN, _D.PLAN_TASKS, _A.PLAN_TASK, lambda at: not at.tasks_planned),
    _row(_TO_PLAN, _D.PLAN_TASKS, _A.START_IMPLEMENTATION),
    _row(_S.NOT_ADOPTED, _D.CONVENE, _A.ANSWER_NON_ADOPTION),
    _row(
        _S.FEEDBACK,
        _D.PUBLISH_NOTICE,
        _A.PUBLISH_FEEDBACK_NOTICE,
        lambda at: not at.notice_published,
    ),
    _row(_S.FEEDBACK, _D.PUBLISH_NOTICE, _A.POST_ON_BOARD, lambda at: not at.notice_on_board),
    _row(_S.FEEDBACK, _D.EXPLAIN_DISSENT, _A.EXPLAIN_DISSENT),
)

OF_A_TRANSFER = {
    TransferState.SENT: _A.RECEIVE_TRANSFER,
    TransferState.RECEIVED: _A.ANSWER_TRANSFER,
    TransferState.HANDLING: _A.ANSWER_TRANSFER,
}
"""What the office does next that a matter was transferred to; nothing once it has answered."""


def next_act(state: State, role: Role, waits: Waits) -> NextAct | None:
    """What somebody with this role does next about a topic; None: it waits for others."""
    for row in NEXT_ACTS:
        if (
            state in row.states
            and any(grant_of(deed, role) is not None for deed in row.deeds)
            and (row.when is None or row.when(waits))
        ):
            return row.act
    return None
