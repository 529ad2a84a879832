from datetime import UTC, date, datetime
from itertools import product
from uuid import UUID

import pytest

from consultation.community.tables import OrgKind
from consultation.outcomes import rules, task_rules
from consultation.outcomes.rules import Answer, Decision, NonAdoption
from consultation.outcomes.task_rules import TaskAct, TaskCategory, TaskState
from consultation.topics.plan import procedure
from consultation.topics.states import State, Track

REFUSED = (
    OrgKind.RESIDENTS_COMMITTEE,
    OrgKind.VILLAGERS_COMMITTEE,
    OrgKind.COMMUNITY_PARTY_ORG,
    OrgKind.JOINT_PARTY_COMMITTEE,
    OrgKind.GRID_PARTY_GROUP,
)
DUTIES = (
    TaskCategory.LAW_ENFORCEMENT,
    TaskCategory.DEMOLITION,
    TaskCategory.ENVIRONMENTAL_CAMPAIGN,
    TaskCategory.CITY_MANAGEMENT,
    TaskCategory.INVESTMENT_PROMOTION,
)


@pytest.mark.parametrize(("category", "kind"), list(product(DUTIES, REFUSED)))
def test_government_duties_are_not_put_on_committee_or_party(
    category: TaskCategory, kind: OrgKind
) -> None:
    with pytest.raises(task_rules.ResponsibleOrgNotAllowed):
        task_rules.check_responsible(category, kind, funding_source="街道拨款")


@pytest.mark.parametrize("kind", list(OrgKind))
def test_government_duties_go_to_agencies_and_nobody_else(kind: OrgKind) -> None:
    agencies = {
        "city_government",
        "district_government",
        "department",
        "subdistrict_office",
        "town_government",
        "police",
    }
    for category in DUTIES:
        if kind.value in agencies:
            task_rules.check_responsible(category, kind, funding_source="")
        else:
            with pytest.raises(task_rules.ResponsibleOrgNotAllowed):
                task_rules.check_responsible(category, kind, funding_source="")


@pytest.mark.parametrize("category", sorted(set(TaskCategory) - set(DUTIES)))
def test_what_is_the_communitys_own_may_be_done_by_the_committee(category: TaskCategory) -> None:
    task_rules.check_responsible(
        category, OrgKind.RESIDENTS_COMMITTEE, funding_source="为民服务专项资金"
    )


def test_assisting_government_needs_its_money() -> None:
    with pytest.raises(task_rules.FundingSourceRequired):
        task_rules.check_responsible(
            TaskCategory.ASSIST_GOVERNMENT, OrgKind.RESIDENTS_COMMITTEE, funding_source="  "
        )


A, B = Track.COMMUNITY, Track.COMMISSIONED
FULL, PART, NONE = Decision.ADOPTED, Decision.PARTIALLY_ADOPTED, Decision.NOT_ADOPTED


@pytest.mark.parametrize(
    ("track", "decision", "code", "reason", "refusal"),
    [
        (A, FULL, None, "同意", None),
        (A, FULL, None, " ", rules.ReasonRequired),
        (A, FULL, NonAdoption.UNLAWFUL, "同意", rules.ReasonCodeRequired),
        (A, PART, None, "只做一半", rules.ReasonCodeRequired),
        (A, NONE, None, "不想做", rules.ReasonCodeRequired),
        *((A, NONE, code, "理由", None) for code in NonAdoption),
        *((A, PART, code, "理由", None) for code in NonAdoption),
        (A, NONE, NonAdoption.UNLAWFUL, "", rules.ReasonRequired),
        (B, FULL, None, "", rules.ReasonRequired),
        (B, FULL, None, "采纳", None),
        (B, PART, None, "部分采纳,政策依据附后", None),
        (B, NONE, None, "首年需求不足20份", None),
        (B, NONE, None, "", rules.ReasonRequired),
    ],
)
def test_every_reply_has_its_reason_and_track_a_its_ground(
    track: Track,
    decision: Decision,
    code: NonAdoption | None,
    reason: str,
    refusal: type[Exception] | None,
) -> None:
    if refusal is None:
        rules.check_reply(track, decision, reason_code=code, reason=reason)
    else:
        with pytest.raises(refusal):
            rules.check_reply(track, decision, reason_code=code, reason=reason)


@pytest.mark.parametrize("decision", [FULL, PART, NONE])
def test_what_a_binding_vote_declined_is_not_adopted(decision: Decision) -> None:
    for track in (A, B):
        code = None if decision is FULL else NonAdoption.CONTRARY_BINDING_DECISION
        given = {"reason_code": code, "reason": "表决未通过"}
        if decision is NONE:
            rules.check_reply(track, decision, **given, voted_down=True)
        else:
            with pytest.raises(rules.VoteWasAgainst):
                rules.check_reply(track, decision, **given, voted_down=True)


def answer(number: int, **more: object) -> Answer:
    given: dict[str, object] = {"version": 1, "decision": FULL, "reason": "同意"} | more
    return Answer(item_id=UUID(int=number), number=number, item="条目", **given)  # type: ignore[arg-type]


def test_the_digest_changes_with_every_part_of_a_reply_and_not_with_the_order() -> None:
    first = rules.replies_digest([answer(1), answer(2)])

    assert rules.replies_digest([answer(2), answer(1)]) == first
    others = [
        [answer(1), answer(2, version=2)],
        [answer(1), answer(2, decision=PART)],
        [answer(1), answer(2, reason_code=NonAdoption.UNLAWFUL)],
        [answer(1), answer(2, reason="改了")],
        [answer(1)],
    ]
    assert first not in [rules.replies_digest(each) for each in others]


def shanghai(day: int, month: int = 3) -> datetime:
    """The end of a day in Shanghai, in 2026."""
    return datetime(2026, month, day, 16, tzinfo=UTC)


def test_an_extension_counts_ten_working_days_from_the_last_day() -> None:
    period = procedure().periods["reply_extension"]
    due = shanghai(13)  # Friday 2026-03-13

    extended = rules.extended_deadline(
        B, due_at=due, now=datetime(2026, 3, 13, tzinfo=UTC), period=period
    )

    assert extended == shanghai(27)  # Friday two weeks later


@pytest.mark.parametrize(
    ("track", "now"), [(A, shanghai(12)), (B, shanghai(13)), (B, shanghai(14))]
)
def test_no_extension_on_track_a_nor_at_or_after_the_deadline(track: Track, now: datetime) -> None:
    with pytest.raises(rules.ExtensionNotAllowed):
        rules.extended_deadline(
            track, due_at=shanghai(13), now=now, period=procedure().periods["reply_extension"]
        )


T, X = TaskState, TaskAct
STEPS = {
    (T.PLANNED, X.REPORT): T.IN_PROGRESS,
    (T.PLANNED, X.BLOCK): T.BLOCKED,
    (T.PLANNED, X.FINISH): T.DONE,
    (T.PLANNED, X.END): T.ENDED,
    (T.IN_PROGRESS, X.REPORT): T.IN_PROGRESS,
    (T.IN_PROGRESS, X.BLOCK): T.BLOCKED,
    (T.IN_PROGRESS, X.FINISH): T.DONE,
    (T.IN_PROGRESS, X.END): T.ENDED,
    (T.BLOCKED, X.UNBLOCK): T.IN_PROGRESS,
    (T.BLOCKED, X.END): T.ENDED,
    (T.DONE, X.ACCEPT): T.ACCEPTED,
    (T.DONE, X.SEND_BACK): T.REDO,
    (T.REDO, X.REPORT): T.IN_PROGRESS,
    (T.REDO, X.BLOCK): T.BLOCKED,
    (T.REDO, X.FINISH): T.DONE,
    (T.REDO, X.END): T.ENDED,
}


@pytest.mark.parametrize(("state", "act"), list(product(TaskState, TaskAct)))
def test_a_task_takes_these_steps_and_no_others(state: TaskState, act: TaskAct) -> None:
    if (state, act) in STEPS:
        assert task_rules.task_after(state, act) is STEPS[state, act]
    else:
        with pytest.raises(task_rules.TaskStepNotAllowed):
            task_rules.task_after(state, act)


def test_the_due_date_itself_is_in_time() -> None:
    due = date(2026, 3, 13)
    last = datetime(2026, 3, 13, 15, 59, 59, tzinfo=UTC)
    after = shanghai(13)

    assert not task_rules.is_overdue(T.IN_PROGRESS, due_on=due, now=last)
    assert task_rules.is_overdue(T.BLOCKED, due_on=due, now=after)
    assert not task_rules.is_overdue(T.DONE, due_on=due, now=after)


@pytest.mark.parametrize(
    ("recorded", "amount", "fits"),
    [(0, 1, True), (0, 0, False), (0, -1, False), (500, -500, True), (500, -501, False)],
)
def test_a_correction_takes_back_at_most_what_was_recorded(
    recorded: int, amount: int, *, fits: bool
) -> None:
    if fits:
        task_rules.check_spending(recorded, amount)
    else:
        with pytest.raises(task_rules.SpendingNotPossible):
            task_rules.check_spending(recorded, amount)


@pytest.mark.parametrize("state", list(State))
def test_the_paper_is_drafted_once_deliberation_is_over(state: State) -> None:
    if state is State.OUTCOME_DRAFTING:
        rules.check_may_draft(state)
    else:
        with pytest.raises(rules.OutcomeNotNow):
            rules.check_may_draft(state)


def test_the_adoption_text_has_every_answer_and_the_minority_view() -> None:
    text = rules.adoption_text(
        [answer(1), answer(2, decision=NONE, reason="缺少资金")], minority_view="三户不同意"
    )

    assert text == (
        "1. 条目\n采纳。同意\n\n2. 条目\n不予采纳。缺少资金\n\n少数意见及处理情况\n三户不同意"
    )
