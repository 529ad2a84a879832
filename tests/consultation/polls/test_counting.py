"""Boundary arithmetic: where a rule turns, on both sides of the point and on it."""

import pytest

from consultation.polls.counting import Vote, count, least_reaching
from consultation.polls.methods.budget import allocate
from consultation.polls.phrases import percent
from consultation.polls.presets import Base, Measure, Threshold
from consultation.polls.rules import PollItem, Verdict
from tests.consultation.polls.counting_cases import ONE_ITEM, preset, spread, tally, voter

V = Verdict


@pytest.mark.parametrize(
    ("bound", "base", "needed"),
    [
        # 以上 includes the number itself (Civil Code art. 1259)
        ("at_least 2/3", 3, 2),
        ("at_least 2/3", 4, 3),
        ("at_least 2/3", 5, 4),
        ("at_least 2/3", 6, 4),
        ("at_least 2/3", 12, 8),
        ("at_least 2/3", 489, 326),
        ("at_least 2/3", 490, 327),
        ("at_least 2/3", 491, 328),
        ("at_least 2/3", 839, 560),
        ("at_least 2/3", 76, 51),
        ("at_least 2/3", 91, 61),
        ("at_least 2/3", 8965300, 5976867),
        ("at_least 2/3", 5821120, 3880747),
        ("at_least 2/3", 85530, 57020),
        ("at_least 3/4", 4, 3),
        ("at_least 3/4", 5, 4),
        ("at_least 3/4", 8, 6),
        ("at_least 3/4", 12, 9),
        ("at_least 3/4", 13, 10),
        ("at_least 3/4", 588, 441),
        ("at_least 3/4", 85530, 64148),
        ("at_least 3/4", 6021540, 4516155),
        # 过半数 is strict
        ("more_than 1/2", 1, 1),
        ("more_than 1/2", 2, 2),
        ("more_than 1/2", 3, 2),
        ("more_than 1/2", 4, 3),
        ("more_than 1/2", 58, 30),
        ("more_than 1/2", 74, 38),
        ("more_than 1/2", 640, 321),
        ("more_than 1/2", 641, 321),
        ("more_than 2/3", 3, 3),
        ("at_least 1/1", 7, 7),
        # beyond what a float holds exactly
        ("at_least 2/3", 3 * 10**18, 2 * 10**18),
        ("at_least 2/3", 3 * 10**18 + 1, 2 * 10**18 + 1),
        ("more_than 1/2", 2 * 10**18, 10**18 + 1),
    ],
)
def test_the_least_value_that_reaches_a_threshold(bound: str, base: int, needed: int) -> None:
    kind, fraction = bound.split()
    threshold = Threshold.model_validate(
        {"measure": Measure.HEADS, "of": Base.ELIGIBLE, kind: fraction}
    )

    assert least_reaching(threshold, base) == needed


@pytest.mark.parametrize(
    ("name", "roll", "answers", "verdict"),
    [
        # turnout by heads: 2/3 of 12 is 8, inclusive; areas all equal
        ("civil278_general", [100] * 12, "f" * 8, V.PASSED),
        ("civil278_general", [100] * 12, "f" * 7, V.NO_QUORUM),
        ("civil278_general", [100] * 12, "", V.NO_QUORUM),
        ("civil278_general", [100] * 12, "f" * 12, V.PASSED),
        # turnout by area: one 0.01 m² short, exactly, one more
        ("civil278_general", [5020, 4980, 5000], "ff", V.PASSED),
        ("civil278_general", [5019, 4980, 5001], "ff", V.NO_QUORUM),
        ("civil278_general", [5021, 4980, 4999], "ff", V.PASSED),
        # enough heads with too little area, and the other way round
        ("civil278_general", [1, 1, 1000], "ff", V.NO_QUORUM),
        ("civil278_general", [1000, 1, 1], "f", V.NO_QUORUM),
        # more than half of participants: half is not enough
        ("civil278_general", [100] * 12, "f" * 6 + "a" * 6, V.NOT_PASSED),
        ("civil278_general", [100] * 12, "f" * 7 + "a" * 5, V.PASSED),
        ("civil278_general", [100] * 9, "f" * 5 + "a" * 4, V.PASSED),
        ("civil278_general", [100] * 9, "f" * 4 + "a" * 5, V.NOT_PASSED),
        # half of the area exactly is not more than half, 0.01 m² above is
        ("civil278_general", [100, 100, 200], "ffa", V.NOT_PASSED),
        ("civil278_general", [101, 100, 200], "ffa", V.PASSED),
        ("civil278_general", [99, 100, 200], "ffa", V.NOT_PASSED),
        # abstaining takes part and does not agree
        ("civil278_general", [100] * 12, "f" * 6 + "o" * 6, V.NOT_PASSED),
        ("civil278_general", [100] * 12, "f" * 7 + "o" * 5, V.PASSED),
        ("civil278_general", [100] * 12, "f" * 5 + "o" * 3, V.PASSED),
        ("civil278_general", [100] * 12, "f" * 4 + "o" * 4, V.NOT_PASSED),
        ("civil278_general", [100] * 12, "o" * 12, V.NOT_PASSED),
        ("civil278_general", [100] * 12, "a" * 12, V.NOT_PASSED),
        # three quarters of participants, inclusive
        ("civil278_special", [100] * 12, "f" * 9 + "a" * 3, V.PASSED),
        ("civil278_special", [100] * 12, "f" * 8 + "a" * 4, V.NOT_PASSED),
        ("civil278_special", [100] * 12, "f" * 6 + "a" * 2, V.PASSED),
        ("civil278_special", [100] * 12, "f" * 6 + "a" * 1 + "o" * 2, V.NOT_PASSED),
        ("civil278_special", [75, 75, 75, 75], "fffa", V.PASSED),
        ("civil278_special", [75, 75, 74, 75], "fffa", V.NOT_PASSED),
        ("civil278_special", [75, 75, 76, 75], "fffa", V.PASSED),
        ("civil278_special", [75, 75, 75, 76], "fffa", V.NOT_PASSED),
        # one owner of three flats is one head with three areas
        ("civil278_special", [300, 100, 100, 100], "faaa", V.NOT_PASSED),
        ("civil278_special", [300, 100, 100, 100], "fffa", V.PASSED),
        ("civil278_general", [300, 100], "fa", V.NOT_PASSED),
        ("civil278_general", [300, 100, 100], "ffa", V.PASSED),
        ("civil278_general", [300, 100, 100], "aff", V.NOT_PASSED),
        # a single owner, a single flat
        ("lift_scope_owners", [6835], "f", V.PASSED),
        ("lift_scope_owners", [6835], "a", V.NOT_PASSED),
        ("lift_scope_owners", [6835], "", V.NO_QUORUM),
        # heads 9/12 with the larger flats against
        ("lift_scope_owners", [6835, 7420] * 6, "f" * 9 + "aaa", V.NOT_PASSED),
        ("lift_scope_owners", [7420, 6835] * 6, "f" * 9 + "aaa", V.PASSED),
        ("lift_scope_owners", [6835] * 6 + [7420] * 6, "f" * 9 + "aaa", V.NOT_PASSED),
        ("lift_scope_owners", [7420] * 6 + [6835] * 6, "f" * 9 + "aaa", V.PASSED),
        # indicative: more than half of the households take part, more than half of those agree
        ("household_poll", [0] * 10, "f" * 6, V.SUPPORTED),
        ("household_poll", [0] * 10, "f" * 5, V.NO_QUORUM),
        ("household_poll", [0] * 11, "f" * 4 + "a" * 2, V.SUPPORTED),
        ("household_poll", [0] * 11, "f" * 3 + "a" * 3, V.NOT_SUPPORTED),
        ("household_poll", [0] * 11, "f" * 3 + "o" * 3, V.NOT_SUPPORTED),
        ("household_poll", [0] * 11, "f" * 4 + "o" * 3, V.SUPPORTED),
        # an opinion poll passes nothing, however it went
        ("open_poll", [0] * 10, "", V.NOTED),
        ("open_poll", [0] * 10, "f" * 10, V.NOTED),
        ("open_poll", [0] * 10, "a" * 10, V.NOTED),
    ],
)
def test_a_vote_of_one_item(name: str, roll: list[int], answers: str, verdict: Verdict) -> None:
    assert tally(name, roll, answers).verdict is verdict


@pytest.mark.parametrize(
    ("members", "present", "answers", "verdict"),
    [
        # 2/3 of the members must be present, whether or not they vote
        (91, 61, "f" * 31, V.PASSED),
        (91, 60, "f" * 60, V.NO_QUORUM),
        (91, 61, "", V.NOT_PASSED),
        (90, 60, "f" * 31, V.PASSED),
        (90, 60, "f" * 30, V.NOT_PASSED),
        # more than half of those present, not of those who voted
        (91, 74, "f" * 38, V.PASSED),
        (91, 74, "f" * 37, V.NOT_PASSED),
        (91, 74, "f" * 37 + "a" * 2, V.NOT_PASSED),
        (91, 75, "f" * 38, V.PASSED),
        (91, 74, "f" * 37 + "o" * 37, V.NOT_PASSED),
        (91, 0, "", V.NO_QUORUM),
        (91, 91, "f" * 46 + "a" * 45, V.PASSED),
        (91, 91, "f" * 45 + "a" * 46, V.NOT_PASSED),
    ],
)
def test_a_vote_in_a_meeting(members: int, present: int, answers: str, verdict: Verdict) -> None:
    for name in ("village_reps", "urban_reps_2026"):
        assert tally(name, [0] * members, answers, present=present).verdict is verdict


def test_nothing_is_reached_of_nobody() -> None:
    result = tally("civil278_special", [100] * 3, "")

    assert [check.needed for check in result.turnout] == [2, 200]
    assert [(check.needed, check.reached) for check in result.items[0].approval] == [
        (1, False),
        (1, False),
    ]
    assert tally("civil278_special", [], "").verdict is V.NO_QUORUM


def test_each_item_is_counted_by_itself_and_the_poll_says_so() -> None:
    items = [PollItem(number=1, text="甲"), PollItem(number=2, text="乙")]
    roll = {voter(index): 100 for index in range(4)}
    votes = [
        Vote(voter=voter(index), choices={"1": ["for"], "2": ["for" if index else "against"]})
        for index in range(4)
    ]
    result = count(preset("civil278_special"), items, roll, votes)
    assert [item.verdict for item in result.items] == [V.PASSED, V.PASSED]
    assert result.verdict is V.PASSED

    against = [Vote(vote.voter, {**vote.choices, "2": ["against"]}) for vote in votes]
    result = count(preset("civil278_special"), items, roll, against)
    assert [item.verdict for item in result.items] == [V.PASSED, V.NOT_PASSED]
    assert result.verdict is V.PARTLY_PASSED


def test_a_ballot_counted_twice_or_from_outside_is_a_fault() -> None:
    vote = Vote(voter=voter(0), choices={"1": ["for"]})
    stranger = Vote(voter=voter(9), choices={"1": ["for"]})
    roll = {voter(0): 100, voter(1): 100}

    with pytest.raises(ValueError, match="two ballots"):
        count(preset("open_poll"), ONE_ITEM, roll, [vote, vote])
    with pytest.raises(ValueError, match="not on the roll"):
        count(preset("open_poll"), ONE_ITEM, roll, [vote, stranger])


@pytest.mark.parametrize("present", [None, 0, 3])
def test_more_ballots_than_people_present_or_more_people_than_members_is_a_fault(
    present: int | None,
) -> None:
    with pytest.raises(ValueError, match="present"):
        tally("village_reps", [0, 0], "f", present=present)


@pytest.mark.parametrize(
    ("approved", "ceiling", "funded", "left"),
    [
        ({}, 100, set(), 100),
        ({1: (5, 100)}, 100, {1}, 0),
        ({1: (5, 101)}, 100, set(), 100),
        ({1: (5, 60), 2: (4, 40)}, 100, {1, 2}, 0),
        ({1: (4, 60), 2: (5, 50)}, 100, {2}, 50),
        # the first that does not fit ends it: nothing overtakes an item with more votes
        ({1: (5, 60), 2: (4, 50), 3: (3, 10)}, 100, {1}, 40),
        # equal votes stand or fall together
        ({1: (5, 60), 2: (5, 40)}, 100, {1, 2}, 0),
        ({1: (5, 60), 2: (5, 41)}, 100, set(), 100),
        ({1: (9, 10), 2: (5, 60), 3: (5, 41)}, 100, {1}, 90),
        ({1: (5, 0), 2: (4, 0)}, 0, {1, 2}, 0),
    ],
)
def test_money_is_given_in_the_order_of_votes(
    approved: dict[int, tuple[int, int]], ceiling: int, funded: set[int], left: int
) -> None:
    assert allocate(approved, ceiling)[:2] == (funded, left)


@pytest.mark.parametrize(
    ("value", "base", "shown"),
    [
        (2, 3, "66.67"),
        (1, 3, "33.33"),
        (1, 2, "50.00"),
        (0, 0, "0.00"),
        (1, 800, "0.13"),
        (1, 1, "100.00"),
    ],
)
def test_percentages_are_rounded_half_up(value: int, base: int, shown: str) -> None:
    assert percent(value, base) == shown


def test_a_large_estate_is_counted_exactly() -> None:
    roll = spread(10**9 + 1, 5000)
    result = tally("civil278_general", roll, "f" * 5000)

    assert result.participating.area_dm2 == 10**9 + 1
    assert result.items[0].approval[1].needed == 500_000_001
