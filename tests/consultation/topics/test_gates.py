"""Every gate: where it lets a topic through, and where it refuses, saying what is missing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from consultation.calendar import add_days
from consultation.community.tables import OrgKind
from consultation.topics import gates
from consultation.topics.facts import TopicFacts
from consultation.topics.gates import ForbiddenSubject, GateNotMet
from consultation.topics.states import Layer, MatterList, Track
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

Gate = Callable[[TopicFacts], None]
G = gates


def plan(**changes: Any) -> dict[str, Any]:
    return {"plan": PLAN.model_copy(update=changes)}


def ballot(**changes: Any) -> dict[str, Any]:
    return {"plan": BALLOT_PLAN.model_copy(update=changes)}


UNSIGNED = {"teller_signatures": 0, "supervisor_signatures": 0}

PASSES: list[tuple[Gate, dict[str, Any]]] = [
    (G.proposal_complete, {}),
    (G.by_author, {"actor_id": AUTHOR, "entered_by_id": None}),
    (G.by_author, {"actor_id": OFFICIAL, "entered_by_id": OFFICIAL}),
    (G.subject_allowed, {}),
    (G.reason_given, {}),
    (G.in_correction_period, {"state_since": START - timedelta(days=15)}),
    (G.classified, {}),
    (G.within_the_lists, {}),
    (G.within_the_lists, {"track": Track.COMMISSIONED, "matter_list": MatterList.OUTSIDE_LISTS}),
    (G.commission_complete, {}),
    (
        G.commission_complete,
        {
            "track": Track.COMMISSIONED,
            "commissioning_org_id": OFFICE,
            "has_commission_letter": True,
        },
    ),
    (G.convener_named, {}),
    (
        G.convener_named,
        {"convener_kind": OrgKind.RESIDENTS_COMMITTEE, "convener_reason": "党组织换届"},
    ),
    (
        G.convener_named,
        {
            "crosses_communities": True,
            "convener_kind": OrgKind.SUBDISTRICT_OFFICE,
            "convener_reason": "涉及两个社区",
        },
    ),
    (G.two_persons_reject, {}),
    (G.appeal_in_time, {}),
    (G.independent_appeal_body, {"entered_by_id": None}),
    (
        G.independent_appeal_body,
        {"entered_by_id": None, "actor_org_kind": OrgKind.SUPERVISION_COMMITTEE},
    ),
    (G.transfer_settled, {}),
    (G.withdrawal_open, {}),
    (G.groups_covered, {}),
    (G.plan_complete, {}),
    (G.plan_complete, {"layer": Layer.OWNERS, "plan": ballot()}),
    (G.plan_complete, {"plan": {**plan(needs_expert=True), "expert_opinions": 1}}),
    (G.legality_checked, {}),
    (G.interests_declared, {}),
    (G.two_persons_announce, {"actor_id": SECRETARY}),
    (G.notice_over, {}),
    (G.roll_settled, {}),
    (G.roll_settled, {"poll": None}),
    (G.meetings_held, {}),
    (G.meetings_held, {"meetings": {"held_forms": frozenset()}, "plan": plan(forms=[])}),
    (G.groups_heard, {}),
    (G.groups_heard, {"meetings": {"heard_groups": frozenset()}, "plan": plan(forms=[])}),
    (G.outcome_written, {}),
    (G.poll_ready, {"plan": ballot()}),
    (G.votable, {"plan": ballot()}),
    (G.votable, {"plan": plan(touches_unvotable_right=True)}),
    (G.consensus_stands, {}),
    (G.count_signed, {}),
    (G.count_signed, {"poll": {"counted_elsewhere": True, **UNSIGNED}}),
    (G.quorum_missed, {"poll": {"verdict": "no_quorum"}}),
    (G.quorum_missed, {"poll": {"counted_elsewhere": True, "verdict": "no_quorum", **UNSIGNED}}),
    (G.vote_annulled, {"poll": None}),
    (G.rounds_left, {"round": 2}),
    (G.objection_period_over, {}),
    (G.every_item_answered, {}),
    (G.adoption_signed, {"adoption": {"commissioner_signed": False}}),
    (
        G.adoption_signed,
        {
            "track": Track.COMMISSIONED,
            "adoption": {"party_signed": False, "committee_signed": False},
        },
    ),
    (G.all_adopted, {}),
    (G.partly_adopted, {"adoption": {"decisions": ("adopted", "not_adopted")}}),
    (G.partly_adopted, {"adoption": {"decisions": ("partially_adopted",)}}),
    (G.none_adopted, {"adoption": {"decisions": ("not_adopted", "not_adopted")}}),
    (G.tasks_planned, {}),
    (G.tasks_finished, {}),
    (G.feedback_given, {}),
    (G.dissent_settled, {}),
    (G.survey_answered, {}),
    (G.survey_answered, {"survey": {"low_score": True, "rectification_opened": True}}),
]

REFUSES: list[tuple[Gate, dict[str, Any], list[str]]] = [
    (G.proposal_complete, {"problem": " "}, ["problem"]),
    (G.proposal_complete, {"wish": "", "place": "", "affected": ()}, ["affected", "place", "wish"]),
    (G.by_author, {"actor_id": CLERK}, ["author"]),
    (G.by_author, {"actor_id": None, "entered_by_id": None}, ["author"]),
    (G.reason_given, {"reason": None}, ["reason"]),
    (G.reason_given, {"reason": "  "}, ["reason"]),
    (G.in_correction_period, {"state_since": START - timedelta(days=16)}, ["in_time"]),
    (G.classified, {"category": None}, ["category"]),
    (
        G.classified,
        {"layer": None, "track": None, "matter_list": None},
        ["layer", "matter_list", "track"],
    ),
    (G.within_the_lists, {"matter_list": MatterList.OUTSIDE_LISTS}, ["matter_list"]),
    (
        G.commission_complete,
        {"track": Track.COMMISSIONED},
        ["commission_letter", "commissioning_org"],
    ),
    (
        G.commission_complete,
        {"track": Track.COMMISSIONED, "commissioning_org_id": OFFICE},
        ["commission_letter"],
    ),
    (G.convener_named, {"convener_kind": None}, ["convener", "convener_reason"]),
    (
        G.convener_named,
        {"convener_kind": OrgKind.PROPERTY_COMPANY, "convener_reason": "方便"},
        ["convener"],
    ),
    (G.convener_named, {"convener_kind": OrgKind.RESIDENTS_COMMITTEE}, ["convener_reason"]),
    (G.convener_named, {"crosses_communities": True}, ["convener_of_scope"]),
    (G.two_persons_reject, {"rejection": None}, ["proposal"]),
    (G.two_persons_reject, {"rejection": {"confirmed_by": SECRETARY}}, ["proposal"]),
    (G.two_persons_reject, {"state_since": START - timedelta(days=1)}, ["proposal"]),
    (G.two_persons_reject, {"actor_id": CLERK}, ["second_person"]),
    (G.appeal_in_time, {"rejection": None}, ["appeal"]),
    (G.appeal_in_time, {"rejection": {"appealed_at": None}}, ["appeal"]),
    (G.appeal_in_time, {"rejection": {"appeal_decided_at": START}}, ["appeal"]),
    (G.appeal_in_time, {"rejection": {"confirmed_at": START - timedelta(days=16)}}, ["in_time"]),
    (G.appeal_in_time, {"rejection": {"appeals": 2}}, ["once"]),
    (
        G.independent_appeal_body,
        {"entered_by_id": None, "actor_org_kind": OrgKind.DEPARTMENT},
        ["appeal_body"],
    ),
    (
        G.independent_appeal_body,
        {"entered_by_id": None, "rejection": {"confirmed_org_id": OFFICE}},
        ["other_body"],
    ),
    (
        G.independent_appeal_body,
        {"entered_by_id": None, "rejection": {"proposed_by": OFFICIAL}},
        ["other_person"],
    ),
    (G.independent_appeal_body, {"entered_by_id": OFFICIAL}, ["other_person"]),
    (G.transfer_settled, {"transfer": None}, ["answer"]),
    (G.transfer_settled, {"transfer": {"settled": False}}, ["answer"]),
    (G.withdrawal_open, {"withdrawal_asked_at": None}, ["asked"]),
    (G.withdrawal_open, {"withdrawal_asked_at": START - timedelta(days=5)}, ["waited"]),
    (G.groups_covered, {"affected": ("一层业主", "租户")}, ["租户"]),
    (
        G.groups_covered,
        {"plan": plan(groups=[PLAN.groups[0].model_copy(update={"invited": False})])},
        ["一层业主"],
    ),
    (G.plan_complete, {"plan": plan(text=" ")}, ["text"]),
    (G.plan_complete, {"plan": {"materials": 0}}, ["materials"]),
    (G.plan_complete, {"plan": plan(needs_expert=True)}, ["expert_opinion"]),
    (G.plan_complete, {"layer": Layer.OWNERS}, ["poll_preset"]),
    (G.plan_complete, {"layer": Layer.ASSEMBLY}, ["poll_preset"]),
    (G.plan_complete, {"plan": ballot(teller_ids=[BALLOT_PLAN.teller_ids[0]] * 2)}, ["tellers"]),
    (
        G.plan_complete,
        {"plan": plan(deliberation_ends=START.date() + timedelta(days=5))},
        ["deliberation_ends"],
    ),
    (G.plan_complete, {"plan": {"open_requests": 1}}, ["participant_requests"]),
    (G.legality_checked, {"plan": {"legality_ok": None}}, ["legality"]),
    (G.legality_checked, {"plan": {"legality_ok": False}}, ["legality"]),
    (G.interests_declared, {"plan": {"undeclared": 1}}, ["declarations"]),
    (G.interests_declared, {"plan": {"interested": 1}}, ["disinterested"]),
    (G.two_persons_announce, {"actor_id": CLERK}, ["second_person"]),
    (G.notice_over, {"plan": {"notice_until": START + timedelta(microseconds=1)}}, ["notice"]),
    (G.notice_over, {"plan": {"notice_until": None}}, ["notice"]),
    (G.roll_settled, {"poll": {"roll_objections_open": 1}}, ["roll_objections"]),
    (G.meetings_held, {"meetings": {"held_forms": frozenset()}}, ["heart_to_heart_meeting"]),
    (G.meetings_held, {"meetings": {"unconfirmed": 1}}, ["minutes"]),
    (G.groups_heard, {"meetings": {"heard_groups": frozenset({"一层业主"})}}, ["其他业主"]),
    (G.outcome_written, {"outcome": {"items": 0}}, ["items"]),
    (G.outcome_written, {"outcome": {"has_minority_view": False}}, ["minority_view"]),
    (G.outcome_written, {"outcome": None}, ["items", "minority_view"]),
    (G.poll_ready, {"plan": ballot(), "poll": None}, ["poll"]),
    (G.poll_ready, {"plan": ballot(), "poll": {"state": "draft"}}, ["announced"]),
    (
        G.poll_ready,
        {"plan": ballot(), "poll": {"opens_at": START + timedelta(seconds=1)}},
        ["notice"],
    ),
    (G.poll_ready, {"plan": ballot(), "poll": {"text_unchanged": False}}, ["text_unchanged"]),
    (G.poll_ready, {"plan": ballot(), "poll": {"items_have_against": False}}, ["against_option"]),
    (G.poll_ready, {"plan": ballot(), "poll": {"preset_id": "another"}}, ["preset"]),
    (G.votable, {"plan": ballot(touches_unvotable_right=True)}, ["votable_right"]),
    (G.consensus_stands, {"plan": ballot()}, ["no_ballot_planned"]),
    (G.consensus_stands, {"outcome": {"consensus_called_at": None}}, ["called"]),
    (G.consensus_stands, {"outcome": {"consensus_objections": 1}}, ["unopposed"]),
    (
        G.consensus_stands,
        {"outcome": {"consensus_called_at": START - timedelta(days=3)}},
        ["waited"],
    ),
    (G.count_signed, {"poll": {"teller_signatures": 1}}, ["tellers"]),
    (G.count_signed, {"poll": {"supervisor_signatures": 0}}, ["supervisor"]),
    (G.count_signed, {"poll": {"verdict": "no_quorum"}}, ["quorum"]),
    (G.count_signed, {"poll": {"verdict": None}}, ["quorum"]),
    (G.count_signed, {"poll": {"counted_elsewhere": True, "verdict": None}}, ["certified_result"]),
    (G.count_signed, {"poll": {"counted_elsewhere": True, "verdict": "no_quorum"}}, ["quorum"]),
    (G.quorum_missed, {}, ["verdict"]),
    (G.vote_annulled, {}, ["annulment"]),
    (G.quorum_missed, {"poll": {"counted_elsewhere": True, "verdict": None}}, ["certified_result"]),
    (G.rounds_left, {"round": 3}, ["rounds"]),
    (G.rounds_left, {"change_list": ()}, ["change_list"]),
    (G.rounds_left, {"reason_code": "boredom"}, ["ground"]),
    (G.objection_period_over, {"state_since": START - timedelta(days=7)}, ["period"]),
    (G.every_item_answered, {"adoption": {"decisions": ("adopted", None)}}, ["replies"]),
    (G.every_item_answered, {"adoption": {"decisions": ()}}, ["replies"]),
    (G.adoption_signed, {"adoption": {"party_signed": False}}, ["party_org"]),
    (G.adoption_signed, {"adoption": {"committee_signed": False}}, ["committee"]),
    (
        G.adoption_signed,
        {"track": Track.COMMISSIONED, "adoption": {"commissioner_signed": False}},
        ["commissioner"],
    ),
    (G.all_adopted, {"adoption": {"decisions": ("adopted", "not_adopted")}}, ["decisions"]),
    (G.partly_adopted, {}, ["decisions"]),
    (G.partly_adopted, {"adoption": {"decisions": ("not_adopted",)}}, ["decisions"]),
    (G.none_adopted, {"adoption": {"decisions": ("partially_adopted",)}}, ["decisions"]),
    (G.tasks_planned, {"tasks": {"tasks": 0}}, ["tasks"]),
    (G.tasks_planned, {"tasks": {"adopted_items_without_task": 1}}, ["tasks"]),
    (G.tasks_planned, {"tasks": {"incomplete": 1}}, ["complete"]),
    (G.tasks_finished, {"tasks": {"open": 1}}, ["tasks"]),
    (G.tasks_finished, {"tasks": {"unaccounted": 1}}, ["accounts"]),
    (G.tasks_finished, {"tasks": {"not_accepted": 1}}, ["acceptance"]),
    (G.feedback_given, {"feedback": {"notice_published": False}}, ["notice_online"]),
    (G.feedback_given, {"feedback": {"notice_on_board": False}}, ["notice_on_board"]),
    (G.dissent_settled, {"feedback": {"dissent_unsettled": 1}}, ["dissent_records"]),
    (G.survey_answered, {"survey": None}, ["survey"]),
    (G.survey_answered, {"survey": {"published": False}}, ["survey"]),
    (G.survey_answered, {"survey": {"response_published": False}}, ["response"]),
    (G.survey_answered, {"survey": {"low_score": True}}, ["rectification"]),
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


@pytest.mark.parametrize("word", gates.FORBIDDEN_WORDS)
def test_special_groups_of_people_are_no_subject(word: str) -> None:
    with pytest.raises(ForbiddenSubject):
        gates.subject_allowed(facts(wish=f"请管一管{word}"))


def test_every_gate_of_the_table_is_tried_both_ways() -> None:
    used = {gate for row in TRANSITIONS for gate in row.gates} - {gates.subject_allowed}

    assert used - {gate for gate, _ in PASSES} == set()
    assert used - {gate for gate, _, _ in REFUSES} == set()


def test_a_notice_of_five_days_ends_at_midnight_after_the_fifth() -> None:
    assert facts().procedure.notice["default"].after(START) == add_days(START, 5)


def test_every_missing_item_has_words() -> None:
    from api.words import catalogue

    texts = catalogue("zh-CN")
    free = {G.groups_covered, G.groups_heard, G.meetings_held}  # name groups and forms themselves
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
