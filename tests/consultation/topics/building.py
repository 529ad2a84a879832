"""Facts under which every gate passes; a test changes what it is about.

``facts(plan={"materials": 0}, reason=None)``: a dictionary changes single values of a group.
"""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from consultation.community.tables import OrgKind
from consultation.permissions import Role, Standing
from consultation.topics.facts import (
    AdoptionFacts,
    FeedbackFacts,
    MeetingFacts,
    OutcomeFacts,
    PlanFacts,
    PollFacts,
    RejectionFacts,
    SurveyFacts,
    TaskFacts,
    TopicFacts,
    TransferFacts,
)
from consultation.topics.plan import FormPlan, GroupPlan, Plan, procedure
from consultation.topics.states import (
    Category,
    Layer,
    MatterList,
    ReconsultationGround,
    RejectionReason,
    State,
    Track,
)
from tests.conftest import START

AUTHOR, CLERK, SECRETARY, OFFICIAL = (UUID(int=n) for n in (1, 2, 3, 4))
CONVENER_ORG, OFFICE = UUID(int=10), UUID(int=11)
PRESET = "household_poll@2026-01-01"

PLAN = Plan(
    groups=[GroupPlan(name="一层业主", affected=True), GroupPlan(name="其他业主")],
    forms=[FormPlan(form="heart_to_heart_meeting")],
    deliberation_ends=date(2026, 5, 30),
    text="先开恳谈会,再形成协商意见。",
)
BALLOT_PLAN = PLAN.model_copy(
    update={"poll_preset": PRESET, "teller_ids": [UUID(int=20), UUID(int=21)]}
)

_ALL = TopicFacts(
    state=State.SUBMITTED,
    state_since=START - timedelta(days=8),
    round=1,
    now=START,
    actor_id=OFFICIAL,
    standing=Standing(Role.GOVERNMENT, OFFICE, level=2),
    author_id=AUTHOR,
    entered_by_id=OFFICIAL,
    actor_org_kind=OrgKind.SUBDISTRICT_OFFICE,
    procedure=procedure(),
    category=Category.VITAL_INTEREST_PROBLEM,
    layer=Layer.CONSULTATION,
    track=Track.COMMUNITY,
    matter_list=MatterList.SELF_GOVERNANCE,
    title="3幢2单元加装电梯",
    problem="老人上下楼难",
    wish="商量加装电梯",
    place="3幢2单元",
    affected=("一层业主",),
    crosses_communities=False,
    convener_kind=OrgKind.COMMUNITY_PARTY_ORG,
    convener_reason=None,
    commissioning_org_id=None,
    has_commission_letter=False,
    withdrawal_asked_at=START - timedelta(days=6),
    reason="写明的理由",
    reason_code=ReconsultationGround.CHANGED_PLAN.value,
    change_list=("换了位置",),
    rejection=RejectionFacts(
        reason_code=RejectionReason.NOT_PUBLIC,
        proposed_by=CLERK,
        proposed_at=START - timedelta(days=2),
        confirmed_by=None,
        confirmed_at=START - timedelta(days=1),
        confirmed_org_id=CONVENER_ORG,
        appealed_at=START,
        appeal_decided_at=None,
        appeals=1,
    ),
    transfer=TransferFacts(settled=True),
    plan=PlanFacts(
        plan=PLAN,
        prepared_by=CLERK,
        legality_ok=True,
        undeclared=0,
        interested=0,
        open_requests=0,
        materials=1,
        expert_opinions=0,
        frozen_at=START - timedelta(days=6),
        notice_until=START,
    ),
    meetings=MeetingFacts(
        held_forms=frozenset({"heart_to_heart_meeting"}),
        unconfirmed=0,
        heard_groups=frozenset({"一层业主", "其他业主"}),
    ),
    poll=PollFacts(
        state="announced",
        preset_id=PRESET,
        opens_at=START,
        text_unchanged=True,
        items_have_against=True,
        verdict="passed",
        counted_elsewhere=False,
        teller_signatures=2,
        supervisor_signatures=1,
        roll_objections_open=0,
    ),
    outcome=OutcomeFacts(
        items=1,
        has_minority_view=True,
        consensus_called_at=START - timedelta(days=4),
        consensus_objections=0,
    ),
    adoption=AdoptionFacts(
        decisions=("adopted", "adopted"),
        party_signed=True,
        committee_signed=True,
        commissioner_signed=True,
    ),
    tasks=TaskFacts(
        tasks=1, incomplete=0, adopted_items_without_task=0, open=0, unaccounted=0, not_accepted=0
    ),
    feedback=FeedbackFacts(notice_published=True, notice_on_board=True, dissent_unsettled=0),
    survey=SurveyFacts(
        published=True, response_published=True, low_score=False, rectification_opened=False
    ),
)


def facts(**changes: Any) -> TopicFacts:
    whole = {
        name: replace(getattr(_ALL, name), **value) if isinstance(value, dict) else value
        for name, value in changes.items()
    }
    return replace(_ALL, **whole)
