from datetime import date, datetime
from itertools import product
from uuid import UUID

import pytest

from consultation.calendar import SHANGHAI
from consultation.oversight import rules
from consultation.oversight.rules import DissentState, Reply, SurveyResult, SurveyState
from consultation.permissions import Role
from consultation.topics.plan import procedure
from consultation.topics.states import State

D, R = DissentState, Reply
NUMBERS = procedure().survey


def shanghai(month: int, day: int, hour: int = 0) -> datetime:
    """An hour of a day in Shanghai, in 2026."""
    return datetime(2026, month, day, hour, tzinfo=SHANGHAI)


@pytest.mark.parametrize(("state", "reached"), list(product(DissentState, (True, False))))
def test_what_an_explanation_or_an_attempt_leads_to(state: DissentState, *, reached: bool) -> None:
    if state in (D.UNDERSTOOD, D.MAINTAINED):
        with pytest.raises(rules.DissentStepNotAllowed):
            rules.after_explanation(state, reached=reached)
        return
    after = rules.after_explanation(state, reached=reached)
    assert after is (D.EXPLAINED if reached or state is D.EXPLAINED else D.UNREACHABLE)


@pytest.mark.parametrize(("state", "reply"), list(product(DissentState, Reply)))
def test_what_a_reply_leads_to(state: DissentState, reply: Reply) -> None:
    if state not in (D.EXPLAINED, D.UNREACHABLE):
        with pytest.raises(rules.DissentStepNotAllowed):
            rules.after_reply(state, reply, closed=False)
        return
    assert (
        rules.after_reply(state, reply, closed=False)
        is {R.UNDERSTOOD: D.UNDERSTOOD, R.MAINTAINED: D.MAINTAINED, R.TALK_AGAIN: D.ASSIGNED}[reply]
    )


def test_after_the_close_one_may_still_answer_but_not_talk_again() -> None:
    assert rules.after_reply(D.EXPLAINED, R.MAINTAINED, closed=True) is D.MAINTAINED
    with pytest.raises(rules.DissentStepNotAllowed):
        rules.after_reply(D.EXPLAINED, R.TALK_AGAIN, closed=True)


STEPS = [State.DELIBERATING, State.OUTCOME_DRAFTING, State.VOTING, State.OUTCOME_PUBLIC]


@pytest.mark.parametrize("state", list(State))
def test_dissent_is_recorded_from_deliberation_to_publication(state: State) -> None:
    if state in STEPS:
        assert rules.dissent_step(state, None) is state
        assert rules.dissent_step(state, State.DELIBERATING) is State.DELIBERATING
    else:
        with pytest.raises(rules.DissentNotNow):
            rules.dissent_step(state, None)


@pytest.mark.parametrize("named", [State.VOTING, State.ANNOUNCED, State.CLOSED])
def test_nobody_dissents_at_a_step_that_has_not_come(named: State) -> None:
    with pytest.raises(rules.DissentNotNow):
        rules.dissent_step(State.OUTCOME_DRAFTING, named)


def test_of_the_government_only_the_commissioner_explains() -> None:
    office, bureau = UUID(int=1), UUID(int=2)
    rules.check_explains(Role.GOVERNMENT, org_id=office, commissioning_org_id=office)
    rules.check_explains(Role.CLERK, org_id=bureau, commissioning_org_id=None)
    with pytest.raises(rules.NotYoursToExplain):
        rules.check_explains(Role.GOVERNMENT, org_id=bureau, commissioning_org_id=office)


def test_the_survey_opens_on_the_fifteenth_day_and_runs_fourteen() -> None:
    """Domain 8.4, D2: in use from 10 September, survey from 25 September to 8 October."""
    periods = procedure().periods

    opens, closes = rules.survey_window(
        completed_at=shanghai(9, 10, 15),
        now=shanghai(9, 18, 10),
        delay=periods["survey_delay"],
        length=periods["survey"],
    )

    assert (opens, closes) == (shanghai(9, 25), shanghai(10, 9))


def test_a_survey_that_is_late_opens_at_once() -> None:
    periods = procedure().periods
    now = shanghai(10, 20, 10)

    opens, closes = rules.survey_window(
        completed_at=shanghai(9, 10),
        now=now,
        delay=periods["survey_delay"],
        length=periods["survey"],
    )

    assert (opens, closes) == (now, shanghai(11, 4))


def test_the_closing_instant_is_too_late() -> None:
    closes = shanghai(10, 9)
    rules.check_open(SurveyState.OPEN, closes_at=closes, now=shanghai(10, 8, 23))
    for state, now in (
        (SurveyState.OPEN, closes),
        (SurveyState.PLANNED, shanghai(10, 1)),
        (SurveyState.PUBLISHED, shanghai(10, 1)),
    ):
        with pytest.raises(rules.SurveyNotOpen):
            rules.check_open(state, closes_at=closes, now=now)


def count(
    *scores: int,
    invited: int = 312,
    channels: dict[str, int] | None = None,
    themes: str = "",
    checked: str | None = None,
) -> SurveyResult:
    """``scores``: how many very satisfied, satisfied, so so, dissatisfied, very dissatisfied."""
    return rules.count_survey(
        invited=invited,
        scores=dict(zip((5, 4, 3, 2, 1), scores, strict=True)),
        channels=channels or {},
        themes=list(themes),
        checked=set(themes if checked is None else checked),
        numbers=NUMBERS,
    )


def test_the_satisfaction_page_of_the_charging_sheds() -> None:
    """Domain 8.4, D2."""
    result = rules.count_survey(
        invited=312,
        scores={5: 96, 4: 88, 3: 27, 2: 12, 1: 5},
        channels={"online": 171, "paper": 41, "assisted": 16},
        themes=["高峰排队"] * 30 + ["雨天积水"] * 20 + ["希望增加夜间巡查"] * 9,
        checked={"高峰排队", "雨天积水", "希望增加夜间巡查"},
        numbers=NUMBERS,
    )

    assert (result.answers, result.low_score, result.sample_sufficient) == (228, False, True)
    assert rules.survey_text(result, NUMBERS) == (
        "发出312份,收回228份(线上171、纸质41、代录16)。"
        "很满意96、满意88、一般27、不满意12、很不满意5。\n"
        "主要意见:高峰排队(30)、雨天积水(20)、希望增加夜间巡查(9)。"
    )


def test_six_tenths_satisfied_is_enough_and_less_is_low() -> None:
    assert not count(3, 3, 4, 0, 0).low_score
    assert count(3, 2, 5, 0, 0).low_score
    assert "须提出整改措施" in rules.survey_text(count(0, 0, 1, 0, 0), NUMBERS)


def test_too_few_answers_are_shown_as_too_few() -> None:
    assert count(30, 0, 0, 0, 0, invited=100).sample_sufficient
    few = count(29, 0, 0, 0, 0, invited=100)
    assert not few.sample_sufficient
    assert "结果仅供参考" in rules.survey_text(few, NUMBERS)


def test_a_survey_that_nobody_answered_is_not_low_and_not_sufficient() -> None:
    result = count(0, 0, 0, 0, 0, invited=0)
    assert (result.low_score, result.sample_sufficient) == (False, False)


def test_the_ten_themes_named_most_are_shown_in_a_fixed_order() -> None:
    result = count(1, 0, 0, 0, 0, themes="a" * 4 + "b" * 5 + "cdefghijkl" * 3)
    assert [(t.theme, t.count) for t in result.themes] == [
        ("b", 5),
        ("a", 4),
        *((letter, 3) for letter in "cdefghij"),
    ]


def test_a_theme_that_few_named_or_that_passed_no_check_is_not_shown() -> None:
    least = NUMBERS.theme_least
    assert least >= 3
    named = "a" * least + "b" * (least - 1) + "c" * 9
    result = count(9, 0, 0, 0, 0, themes=named, checked="ab")

    assert [(t.theme, t.count) for t in result.themes] == [("a", least)]
    assert "主要意见:a(3)。" in rules.survey_text(result, NUMBERS)
    assert "主要意见" not in rules.survey_text(count(9, 0, 0, 0, 0, themes="abc"), NUMBERS)


def test_a_low_score_is_answered_with_a_date_ahead() -> None:
    low, fine, today = count(0, 0, 1, 0, 0), count(1, 0, 0, 0, 0), date(2026, 10, 12)
    rules.check_response(fine, rectify_by=None, today=today)
    rules.check_response(low, rectify_by=today, today=today)
    for result, day in ((low, None), (low, date(2026, 10, 11)), (fine, date(2026, 10, 11))):
        with pytest.raises(rules.RectifyByRequired):
            rules.check_response(result, rectify_by=day, today=today)
