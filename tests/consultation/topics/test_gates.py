"""Every gate: where it lets a topic through, and where it refuses, saying what is missing."""

from datetime import timedelta
from typing import Any

import pytest

from consultation.calendar import add_days
from consultation.community.tables import OrgKind
from consultation.topics.facts import PartFacts
from consultation.topics.gates import adopting, deciding, preparing, raising
from consultation.topics.gates.gate import Gate, GateNotMet
from consultation.topics.states import Layer, MatterList, Track
from consultation.topics.subjects import FORBIDDEN_WORDS, ForbiddenSubject
from consultation.topics.transitions import TRANSITIONS
from tests.conftest import START
from tests.consultation.topics.building import (
    AUTHOR,
    BALLOT_PLAN,
    CLERK,
    CONVENER_ORG,
    OFFICE,
    OFFICIAL,
    PLAN,
    PRESET,
    SECRETARY,
    facts,
)


def plan(**changes: Any) -> dict[str, Any]:
    return {"plan": PLAN.model_copy(update=changes)}


def ballot(**changes: Any) -> dict[str, Any]:
    return {"plan": BALLOT_PLAN.model_copy(update=changes)}


UNSIGNED = {"teller_signatures": 0, "supervisor_signatures": 0}

PASSES: list[tuple[Gate, dict[str, Any]]] = [
    (raising.proposal_complete, {}),
    (raising.by_author, {"actor_id": AUTHOR, "entered_by_id": None}),
    (raising.by_author, {"actor_id": OFFICIAL, "entered_by_id": OFFICIAL}),
    (raising.subject_allowed, {}),
    (raising.reason_given, {}),
    (raising.in_correction_period, {"state_since": START - timedelta(days=15)}),
    (raising.classified, {}),
    (raising.within_the_lists, {}),
    (
        raising.within_the_lists,
        {"track": Track.COMMISSIONED, "matter_list": MatterList.OUTSIDE_LISTS},
    ),
    (raising.commission_complete, {}),
    (
        raising.commission_complete,
        {
            "track": Track.COMMISSIONED,
            "commissioning_org_id": OFFICE,
            "has_commission_letter": True,
        },
    ),
    (raising.convener_named, {}),
    (
        raising.convener_named,
        {"convener_kind": OrgKind.RESIDENTS_COMMITTEE, "convener_reason": "党组织换届"},
    ),
    (
        raising.convener_named,
        {
            "crosses_communities": True,
            "convener_kind": OrgKind.SUBDISTRICT_OFFICE,
            "convener_reason": "涉及两个社区",
        },
    ),
    (raising.two_persons_reject, {}),
    (raising.appeal_in_time, {}),
    (raising.independent_appeal_body, {"entered_by_id": None}),
    (
        raising.independent_appeal_body,
        {"entered_by_id": None, "actor_org_kind": OrgKind.SUPERVISION_COMMITTEE},
    ),
    (raising.transfer_settled, {}),
    (raising.withdrawal_open, {}),
    (preparing.groups_covered, {}),
    (preparing.plan_complete, {}),
    (preparing.plan_complete, {"layer": Layer.OWNERS, "plan": ballot()}),
    (preparing.plan_complete, {"plan": {**plan(needs_expert=True), "expert_opinions": 1}}),
    (preparing.legality_checked, {}),
    (preparing.interests_declared, {}),
    (preparing.two_persons_announce, {"actor_id": SECRETARY}),
    (preparing.notice_over, {}),
    (preparing.roll_settled, {}),
    (preparing.roll_settled, {"poll": None}),
    (deciding.meetings_held, {}),
    (deciding.meetings_held, {"meetings": {"held_forms": frozenset()}, "plan": plan(forms=[])}),
    (deciding.groups_heard, {}),
    (deciding.groups_heard, {"meetings": {"heard_groups": frozenset()}, "plan": plan(forms=[])}),
    (deciding.outcome_written, {}),
    (deciding.poll_ready, {"plan": ballot()}),
    (preparing.votable, {"plan": ballot()}),
    (preparing.votable, {"plan": plan(touches_unvotable_right=True)}),
    (deciding.consensus_stands, {}),
    (deciding.count_signed, {}),
    (deciding.count_signed, {"poll": {"counted_elsewhere": True, **UNSIGNED}}),
    (deciding.quorum_missed, {"poll": {"verdict": "no_quorum"}}),
    (
        deciding.quorum_missed,
        {"poll": {"counted_elsewhere": True, "verdict": "no_quorum", **UNSIGNED}},
    ),
    (deciding.vote_annulled, {"poll": None}),
    (deciding.rounds_left, {"round": 2}),
    (adopting.objection_period_over, {}),
    (adopting.every_item_answered, {}),
    (adopting.adoption_signed, {"adoption": {"commissioner_signed": False}}),
    (
        adopting.adoption_signed,
        {
            "track": Track.COMMISSIONED,
            "adoption": {"party_signed": False, "committee_signed": False},
        },
    ),
    (adopting.all_adopted, {}),
    (adopting.partly_adopted, {"adoption": {"decisions": ("adopted", "not_adopted")}}),
    (adopting.partly_adopted, {"adoption": {"decisions": ("partially_adopted",)}}),
    (adopting.none_adopted, {"adoption": {"decisions": ("not_adopted", "not_adopted")}}),
    (adopting.tasks_planned, {}),
    (adopting.parts_agreed, {}),
    (adopting.parts_agreed, {"parts": PartFacts(declared=True, missing=0)}),
    (adopting.tasks_finished, {}),
    (adopting.feedback_given, {}),
    (adopting.dissent_settled, {}),
    (adopting.survey_answered, {}),
    (adopting.survey_answered, {"survey": {"low_score": True, "rectification_opened": True}}),
]

REFUSES: list[tuple[Gate, dict[str, Any], list[str]]] = [
    (raising.proposal_complete, {"problem": " "}, ["problem"]),
    (
        raising.proposal_complete,
        {"wish": "", "place": "", "affected": ()},
        ["affected", "place", "wish"],
    ),
    (raising.by_author, {"actor_id": CLERK}, ["author"]),
    (raising.by_author, {"actor_id": None, "entered_by_id": None}, ["author"]),
    (raising.reason_given, {"reason": None}, ["reason"]),
    (raising.reason_given, {"reason": "  "}, ["reason"]),
    (raising.in_correction_period, {"state_since": START - timedelta(days=16)}, ["in_time"]),
    (raising.classified, {"category": None}, ["category"]),
    (
        raising.classified,
        {"layer": None, "track": None, "matter_list": None},
        ["layer", "matter_list", "track"],
    ),
    (raising.within_the_lists, {"matter_list": MatterList.OUTSIDE_LISTS}, ["matter_list"]),
    (
        raising.commission_complete,
        {"track": Track.COMMISSIONED},
        ["commission_letter", "commissioning_org"],
    ),
    (
        raising.commission_complete,
        {"track": Track.COMMISSIONED, "commissioning_org_id": OFFICE},
        ["commission_letter"],
    ),
    (raising.convener_named, {"convener_kind": None}, ["convener", "convener_reason"]),
    (
        raising.convener_named,
        {"convener_kind": OrgKind.PROPERTY_COMPANY, "convener_reason": "方便"},
        ["convener"],
    ),
    (raising.convener_named, {"convener_kind": OrgKind.RESIDENTS_COMMITTEE}, ["convener_reason"]),
    (raising.convener_named, {"crosses_communities": True}, ["convener_of_scope"]),
    (raising.two_persons_reject, {"rejection": None}, ["proposal"]),
    (raising.two_persons_reject, {"rejection": {"confirmed_by": SECRETARY}}, ["proposal"]),
    (raising.two_persons_reject, {"state_since": START - timedelta(days=1)}, ["proposal"]),
    (raising.two_persons_reject, {"actor_id": CLERK}, ["second_person"]),
    (raising.appeal_in_time, {"rejection": None}, ["appeal"]),
    (raising.appeal_in_time, {"rejection": {"appealed_at": None}}, ["appeal"]),
    (raising.appeal_in_time, {"rejection": {"appeal_decided_at": START}}, ["appeal"]),
    (
        raising.appeal_in_time,
        {"rejection": {"confirmed_at": START - timedelta(days=16)}},
        ["in_time"],
    ),
    (raising.appeal_in_time, {"rejection": {"appeals": 2}}, ["once"]),
    (
        raising.independent_appeal_body,
        {"entered_by_id": None, "actor_org_kind": OrgKind.DEPARTMENT},
        ["appeal_body"],
    ),
    (
        raising.independent_appeal_body,
        {"entered_by_id": None, "rejection": {"confirmed_org_id": OFFICE}},
        ["other_body"],
    ),
    (
        raising.independent_appeal_body,
        {"entered_by_id": None, "rejection": {"proposed_by": OFFICIAL}},
        ["other_person"],
    ),
    (raising.independent_appeal_body, {"entered_by_id": OFFICIAL}, ["other_person"]),
    (raising.transfer_settled, {"transfer": None}, ["answer"]),
    (raising.transfer_settled, {"transfer": {"settled": False}}, ["answer"]),
    (raising.withdrawal_open, {"withdrawal_asked_at": None}, ["asked"]),
    (raising.withdrawal_open, {"withdrawal_asked_at": START - timedelta(days=5)}, ["waited"]),
    (preparing.groups_covered, {"affected": ("一层业主", "租户")}, ["租户"]),
    (
        preparing.groups_covered,
        {"plan": plan(groups=[PLAN.groups[0].model_copy(update={"invited": False})])},
        ["一层业主"],
    ),
    (preparing.plan_complete, {"plan": plan(text=" ")}, ["text"]),
    (preparing.plan_complete, {"plan": {"materials": 0}}, ["materials"]),
    (preparing.plan_complete, {"plan": plan(needs_expert=True)}, ["expert_opinion"]),
    (preparing.plan_complete, {"layer": Layer.OWNERS}, ["poll_preset"]),
    (preparing.plan_complete, {"layer": Layer.ASSEMBLY}, ["poll_preset"]),
    (
        preparing.plan_complete,
        {"plan": ballot(teller_ids=[BALLOT_PLAN.teller_ids[0]] * 2)},
        ["tellers"],
    ),
    (
        preparing.plan_complete,
        {"plan": plan(deliberation_ends=START.date() + timedelta(days=5))},
        ["deliberation_ends"],
    ),
    (preparing.plan_complete, {"plan": {"open_requests": 1}}, ["participant_requests"]),
    (preparing.legality_checked, {"plan": {"legality_ok": None}}, ["legality"]),
    (preparing.legality_checked, {"plan": {"legality_ok": False}}, ["legality"]),
    (preparing.interests_declared, {"plan": {"undeclared": 1}}, ["declarations"]),
    (preparing.interests_declared, {"plan": {"interested": 1}}, ["disinterested"]),
    (preparing.two_persons_announce, {"actor_id": CLERK}, ["second_person"]),
    (
        preparing.notice_over,
        {"plan": {"notice_until": START + timedelta(microseconds=1)}},
        ["notice"],
    ),
    (preparing.notice_over, {"plan": {"notice_until": None}}, ["notice"]),
    (preparing.roll_settled, {"poll": {"roll_objections_open": 1}}, ["roll_objections"]),
    (deciding.meetings_held, {"meetings": {"held_forms": frozenset()}}, ["heart_to_heart_meeting"]),
    (deciding.meetings_held, {"meetings": {"unconfirmed": 1}}, ["minutes"]),
    (deciding.groups_heard, {"meetings": {"heard_groups": frozenset({"一层业主"})}}, ["其他业主"]),
    (deciding.outcome_written, {"outcome": {"items": 0}}, ["items"]),
    (deciding.outcome_written, {"outcome": {"has_minority_view": False}}, ["minority_view"]),
    (deciding.outcome_written, {"outcome": None}, ["items", "minority_view"]),
    (deciding.poll_ready, {"plan": ballot(), "poll": None}, ["poll"]),
    (deciding.poll_ready, {"plan": ballot(), "poll": {"state": "draft"}}, ["announced"]),
    (
        deciding.poll_ready,
        {"plan": ballot(), "poll": {"opens_at": START + timedelta(seconds=1)}},
        ["notice"],
    ),
    (
        deciding.poll_ready,
        {"plan": ballot(), "poll": {"text_unchanged": False}},
        ["text_unchanged"],
    ),
    (
        deciding.poll_ready,
        {"plan": ballot(), "poll": {"items_have_against": False}},
        ["against_option"],
    ),
    (deciding.poll_ready, {"plan": ballot(), "poll": {"preset_id": "another"}}, ["preset"]),
    (preparing.votable, {"plan": ballot(touches_unvotable_right=True)}, ["votable_right"]),
    (deciding.consensus_stands, {"plan": ballot()}, ["no_ballot_planned"]),
    (deciding.consensus_stands, {"outcome": {"consensus_called_at": None}}, ["called"]),
    (deciding.consensus_stands, {"outcome": {"consensus_objections": 1}}, ["unopposed"]),
    (
        deciding.consensus_stands,
        {"outcome": {"consensus_called_at": START - timedelta(days=3)}},
        ["waited"],
    ),
    (deciding.count_signed, {"poll": {"teller_signatures": 1}}, ["tellers"]),
    (deciding.count_signed, {"poll": {"supervisor_signatures": 0}}, ["supervisor"]),
    (deciding.count_signed, {"poll": {"verdict": "no_quorum"}}, ["quorum"]),
    (deciding.count_signed, {"poll": {"verdict": None}}, ["quorum"]),
    (
        deciding.count_signed,
        {"poll": {"counted_elsewhere": True, "verdict": None}},
        ["certified_result"],
    ),
    (
        deciding.count_signed,
        {"poll": {"counted_elsewhere": True, "verdict": "no_quorum"}},
        ["quorum"],
    ),
    (deciding.quorum_missed, {}, ["verdict"]),
    (deciding.vote_annulled, {}, ["annulment"]),
    (
        deciding.quorum_missed,
        {"poll": {"counted_elsewhere": True, "verdict": None}},
        ["certified_result"],
    ),
    (deciding.rounds_left, {"round": 3}, ["rounds"]),
    (deciding.rounds_left, {"change_list": ()}, ["change_list"]),
    (deciding.rounds_left, {"reason_code": "boredom"}, ["ground"]),
    (adopting.objection_period_over, {"state_since": START - timedelta(days=7)}, ["period"]),
    (adopting.every_item_answered, {"adoption": {"decisions": ("adopted", None)}}, ["replies"]),
    (adopting.every_item_answered, {"adoption": {"decisions": ()}}, ["replies"]),
    (adopting.adoption_signed, {"adoption": {"party_signed": False}}, ["party_org"]),
    (adopting.adoption_signed, {"adoption": {"committee_signed": False}}, ["committee"]),
    (
        adopting.adoption_signed,
        {"track": Track.COMMISSIONED, "adoption": {"commissioner_signed": False}},
        ["commissioner"],
    ),
    (adopting.all_adopted, {"adoption": {"decisions": ("adopted", "not_adopted")}}, ["decisions"]),
    (adopting.partly_adopted, {}, ["decisions"]),
    (adopting.partly_adopted, {"adoption": {"decisions": ("not_adopted",)}}, ["decisions"]),
    (adopting.none_adopted, {"adoption": {"decisions": ("partially_adopted",)}}, ["decisions"]),
    (adopting.tasks_planned, {"tasks": {"tasks": 0}}, ["tasks"]),
    (adopting.tasks_planned, {"tasks": {"adopted_items_without_task": 1}}, ["tasks"]),
    (adopting.tasks_planned, {"tasks": {"incomplete": 1}}, ["complete"]),
    (adopting.parts_agreed, {"parts": PartFacts(declared=False, missing=0)}, ["declared"]),
    (adopting.parts_agreed, {"parts": PartFacts(declared=True, missing=1)}, ["consents"]),
    (adopting.tasks_finished, {"tasks": {"open": 1}}, ["tasks"]),
    (adopting.tasks_finished, {"tasks": {"unaccounted": 1}}, ["accounts"]),
    (adopting.tasks_finished, {"tasks": {"not_accepted": 1}}, ["acceptance"]),
    (adopting.feedback_given, {"feedback": {"notice_published": False}}, ["notice_online"]),
    (adopting.feedback_given, {"feedback": {"notice_on_board": False}}, ["notice_on_board"]),
    (adopting.dissent_settled, {"feedback": {"dissent_unsettled": 1}}, ["dissent_records"]),
    (adopting.survey_answered, {"survey": None}, ["survey"]),
    (adopting.survey_answered, {"survey": {"published": False}}, ["survey"]),
    (adopting.survey_answered, {"survey": {"response_published": False}}, ["response"]),
    (adopting.survey_answered, {"survey": {"low_score": True}}, ["rectification"]),
]


def named(case: Any) -> str:
    return getattr(case, "__name__", "")


@pytest.mark.parametrize(("gate", "changes"), PASSES, ids=named)
def test_a_gate_lets_through(gate: Gate, changes: dict[str, Any]) -> None:
    gate(facts(**changes))


@pytest.mark.parametrize(("gate", "changes", "missing"), REFUSES, ids=named)
def test_a_gate_refuses_and_says_what_is_missing(
    gate: Gate, changes: dict[str, Any], missing: list[str]
) -> None:
    with pytest.raises(GateNotMet) as refusal:
        gate(facts(**changes))

    assert refusal.value.facts == {"gate": gate.__name__, "missing": missing}


@pytest.mark.parametrize("word", FORBIDDEN_WORDS)
def test_special_groups_of_people_are_no_subject(word: str) -> None:
    with pytest.raises(ForbiddenSubject):
        raising.subject_allowed(facts(wish=f"请管一管{word}"))


def test_every_gate_of_the_table_is_tried_both_ways() -> None:
    used = {gate for row in TRANSITIONS for gate in row.gates} - {raising.subject_allowed}

    assert used - {gate for gate, _ in PASSES} == set()
    assert used - {gate for gate, _, _ in REFUSES} == set()


def test_a_notice_of_five_days_ends_at_midnight_after_the_fifth() -> None:
    assert facts().procedure.notice["default"].after(START) == add_days(START, 5)


def test_every_missing_item_has_words() -> None:
    from api.words import catalogue

    texts = catalogue("zh-CN")
    free = {
        preparing.groups_covered,
        deciding.groups_heard,
        deciding.meetings_held,
    }  # name groups and forms themselves
    wanted = {
        f"words.missing.{gate.__name__}.{item}"
        for gate, _, missing in REFUSES
        if gate not in free
        for item in missing
    }
    assert wanted - texts.keys() == set()


def test_a_preset_of_the_builder_is_one_of_the_catalogue() -> None:
    from consultation.polls.preset_files import presets

    assert PRESET in presets()
    assert presets()[PRESET].layer is Layer.CONSULTATION
    assert CONVENER_ORG != OFFICE
