"""Which facts each gate reads: what has to be loaded before it is asked."""

from collections.abc import Mapping

from consultation.topics.facts import Need
from consultation.topics.gates import adopting, deciding, preparing, raising
from consultation.topics.gates.gate import Gate

NEEDS: Mapping[Gate, frozenset[Need]] = {
    raising.two_persons_reject: frozenset({Need.REJECTION}),
    raising.appeal_in_time: frozenset({Need.REJECTION}),
    raising.independent_appeal_body: frozenset({Need.REJECTION}),
    raising.transfer_settled: frozenset({Need.TRANSFER}),
    preparing.groups_covered: frozenset({Need.PLAN}),
    preparing.plan_complete: frozenset({Need.PLAN}),
    preparing.legality_checked: frozenset({Need.PLAN}),
    preparing.interests_declared: frozenset({Need.PLAN}),
    preparing.two_persons_announce: frozenset({Need.PLAN}),
    preparing.notice_over: frozenset({Need.PLAN}),
    preparing.roll_settled: frozenset({Need.POLL}),
    deciding.meetings_held: frozenset({Need.PLAN, Need.MEETINGS}),
    deciding.groups_heard: frozenset({Need.PLAN, Need.MEETINGS}),
    deciding.outcome_written: frozenset({Need.OUTCOME}),
    deciding.poll_ready: frozenset({Need.PLAN, Need.POLL}),
    preparing.votable: frozenset({Need.PLAN}),
    deciding.consensus_stands: frozenset({Need.PLAN, Need.OUTCOME}),
    deciding.count_signed: frozenset({Need.POLL}),
    deciding.quorum_missed: frozenset({Need.POLL}),
    deciding.vote_annulled: frozenset({Need.POLL}),
    adopting.objection_period_over: frozenset({Need.POLL}),
    adopting.every_item_answered: frozenset({Need.ADOPTION}),
    adopting.adoption_signed: frozenset({Need.ADOPTION}),
    adopting.all_adopted: frozenset({Need.ADOPTION}),
    adopting.none_adopted: frozenset({Need.ADOPTION}),
    adopting.partly_adopted: frozenset({Need.ADOPTION}),
    adopting.tasks_planned: frozenset({Need.TASKS}),
    adopting.parts_agreed: frozenset({Need.PARTS}),
    adopting.tasks_finished: frozenset({Need.TASKS}),
    adopting.feedback_given: frozenset({Need.FEEDBACK}),
    adopting.dissent_settled: frozenset({Need.FEEDBACK}),
    adopting.survey_answered: frozenset({Need.SURVEY}),
}
