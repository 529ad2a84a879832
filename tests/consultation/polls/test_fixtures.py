"""The number fixtures of the domain notes, 8.3, row by row."""

import pytest

from consultation.polls.counting import Count, Funding, Vote, count, turnout_progress
from consultation.polls.phrases import percent
from consultation.polls.rules import PollItem, Verdict
from tests.consultation.polls.counting_cases import preset, spread, tally, voter

# D1: six floors, two flats each of 68.35 and 74.20 m²; 101, 102, 201, 202, 301 … 602
LIFT = [6835, 7420] * 6


def test_d1_round_1_reaches_three_quarters_of_heads_and_fails_on_area() -> None:
    # against 101 and 102, for 201, abstains 202, for 301 … 602
    result = tally("lift_scope_owners", LIFT, "aa" + "fo" + "f" * 8)

    heads, area = result.items[0].approval
    assert (result.eligible.heads, result.eligible.area_dm2) == (12, 85530)
    assert result.participating == result.eligible
    assert result.quorum_reached
    assert (heads.value, heads.base, heads.needed, heads.reached) == (9, 12, 9, True)
    assert (area.value, area.base, area.needed, area.reached) == (63855, 85530, 64148, False)
    assert percent(area.value, area.base) == "74.66"
    assert result.verdict is Verdict.NOT_PASSED


def test_d1_round_2_passes() -> None:
    result = tally("lift_scope_owners", LIFT, "aa" + "f" * 10)

    item = result.items[0]
    assert (item.votes_for.heads, item.votes_for.area_dm2) == (10, 71275)
    assert (item.votes_against.heads, item.votes_against.area_dm2) == (2, 14255)
    assert {percent(check.value, check.base) for check in item.approval} == {"83.33"}
    assert result.verdict is Verdict.PASSED


def test_d3_passes_on_heads_and_fails_on_area() -> None:
    roll = [*spread(4481230, 447), *spread(6021540 - 4481230, 141), *spread(8965300 - 6021540, 251)]
    result = tally("civil278_special", roll, "f" * 447 + "a" * 141)

    heads_came, area_came = result.turnout
    heads, area = result.items[0].approval
    assert (result.eligible.heads, result.eligible.area_dm2) == (839, 8965300)
    assert (heads_came.value, heads_came.needed, heads_came.reached) == (588, 560, True)
    assert (area_came.value, area_came.needed, area_came.reached) == (6021540, 5976867, True)
    assert percent(heads_came.value, heads_came.base) == "70.08"
    # 0.671649…: the notes print 67.17
    assert percent(area_came.value, area_came.base) == "67.16"
    assert (percent(heads.value, heads.base), heads.reached) == ("76.02", True)
    assert (percent(area.value, area.base), area.reached) == ("74.42", False)
    assert result.verdict is Verdict.NOT_PASSED


def test_d5_so_far_shows_what_is_needed() -> None:
    heads, area = turnout_progress(
        preset("civil278_general"),
        Count(heads=489, area_dm2=5821120),
        Count(heads=271, area_dm2=3200455),
    )

    assert (heads.needed, heads.reached, percent(heads.value, heads.base)) == (326, False, "55.42")
    assert (area.needed, area.reached, percent(area.value, area.base)) == (3880747, False, "54.98")


@pytest.mark.parametrize(("heads", "reached"), [(325, False), (326, True), (327, True)])
def test_d5_326_of_489_heads_are_exactly_enough(heads: int, reached: bool) -> None:
    check, _ = turnout_progress(
        preset("civil278_general"),
        Count(heads=489, area_dm2=5821120),
        Count(heads=heads, area_dm2=5821120),
    )

    assert check.reached is reached


@pytest.mark.parametrize(("area", "reached"), [(3880746, False), (3880747, True)])
def test_d5_area_is_reached_at_38807_47_square_metres(area: int, reached: bool) -> None:
    _, check = turnout_progress(
        preset("civil278_general"),
        Count(heads=489, area_dm2=5821120),
        Count(heads=489, area_dm2=area),
    )

    assert check.reached is reached


def test_d2_the_household_poll_is_supported() -> None:
    result = tally("household_poll", [0] * 640, "f" * 301 + "a" * 98 + "o" * 22)

    (came,), item = result.turnout, result.items[0]
    assert (came.value, came.needed, percent(came.value, came.base)) == (421, 321, "65.78")
    assert (item.votes_for.heads, item.votes_against.heads, item.abstentions.heads) == (301, 98, 22)
    assert percent(item.approval[0].value, item.approval[0].base) == "71.50"
    assert result.verdict is Verdict.SUPPORTED


FUND = [
    ("楼道适老化扶手", 86_000, 55),
    ("儿童微花园", 54_000, 41),
    ("监控补点", 60_000, 47),
    ("助老理发与体检", 32_000, 52),
    ("门厅电子屏", 78_000, 18),
]


def test_d7_funds_a_d_c_and_keeps_b_in_reserve() -> None:
    items = [
        PollItem(number=number, text=text, cost_fen=yuan * 100)
        for number, (text, yuan, _) in enumerate(FUND, 1)
    ]
    votes = [
        Vote(
            voter=voter(index),
            choices={
                str(number): ["for" if index < agree else "against"]
                for number, (_, _, agree) in enumerate(FUND, 1)
            },
        )
        for index in range(58)
    ]
    result = count(
        preset("fund_allocation"),
        items,
        {voter(index): 0 for index in range(76)},
        votes,
        present=58,
        budget_fen=20_000_000,
    )

    assert (result.turnout[0].value, result.turnout[0].needed) == (58, 51)
    assert {item.approval[0].needed for item in result.items} == {30}
    assert [item.funding for item in result.items] == [
        Funding.FUNDED,
        Funding.RESERVE,
        Funding.FUNDED,
        Funding.FUNDED,
        None,
    ]
    assert result.items[4].verdict is Verdict.NOT_PASSED
    funded = sum(
        i.cost_fen or 0
        for i, r in zip(items, result.items, strict=True)
        if r.funding is Funding.FUNDED
    )
    assert funded == 17_800_000
    assert result.budget_left_fen == 2_200_000
    assert result.verdict is Verdict.PARTLY_PASSED


def test_d12_the_villagers_representatives_pass() -> None:
    result = tally("village_reps", [0] * 91, "f" * 61 + "a" * 9 + "o" * 4, present=74)

    assert (result.turnout[0].value, result.turnout[0].needed) == (74, 61)
    assert (result.items[0].approval[0].base, result.items[0].approval[0].needed) == (74, 38)
    assert result.verdict is Verdict.PASSED
