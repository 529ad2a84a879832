"""Every bound of every preset with a rule: one short, exactly, one above. The numbers needed
are worked out by hand."""

from collections.abc import Iterator

import pytest

from consultation.polls.counting import HandTotals, Result, Vote, count
from consultation.polls.preset_files import presets
from consultation.polls.presets import QuestionKind
from consultation.polls.rules import Option, PollItem, Verdict
from tests.consultation.polls.counting_cases import preset, voter

ROWS = [
    # preset, on the roll, must come, come, must agree of those
    ("civil278_general", 12, 8, 10, 6),
    ("civil278_general", 489, 326, 401, 201),
    ("civil278_special", 12, 8, 12, 9),
    ("civil278_special", 839, 560, 588, 441),
    ("civil279_unanimous", 5, 5, 5, 5),
    ("lift_scope_owners", 12, 8, 8, 6),
    ("lift_scope_owners", 7, 5, 7, 6),
    ("owners_committee_meeting", 7, 4, 5, 4),
    ("owners_committee_meeting", 8, 5, 6, 5),
    ("urban_assembly_adults_2018", 5320, 2661, 2700, 1351),
    ("urban_assembly_adults_2018", 11, 6, 9, 5),
    ("urban_assembly_households_2018", 611, 306, 400, 201),
    ("urban_assembly_groupreps_2018", 30, 16, 21, 11),
    ("urban_assembly_2026", 101, 51, 60, 31),
    ("urban_reps_2026", 76, 51, 58, 30),
    ("urban_reps_2026", 75, 50, 51, 26),
    ("fund_allocation", 76, 51, 58, 30),
    ("village_reps", 91, 61, 74, 38),
    ("village_reps", 90, 60, 61, 31),
    ("village_assembly_adults", 2001, 1001, 1200, 601),
    ("village_assembly_households", 1180, 787, 801, 401),
    ("village_group", 60, 40, 43, 22),
    ("village_election", 1000, 501, 700, 351),
    ("village_election", 1001, 501, 701, 351),
    ("village_runoff", 1000, 501, 700, 234),
    ("village_runoff", 999, 500, 600, 200),
    ("village_recall", 1000, 501, 701, 351),
    ("urban_election_2026", 5320, 2661, 3000, 1501),
    ("council_recommendation", 15, 10, 12, 8),
    ("council_recommendation", 16, 11, 13, 9),
    ("household_poll", 640, 321, 421, 211),
    ("household_poll", 2555, 1278, 1400, 701),
]


def turnout_cases() -> Iterator[tuple[str, int, int, bool]]:
    for name, roll, must_come, _, _ in ROWS:
        for came in (must_come - 1, must_come, must_come + 1):
            if came <= roll:
                yield name, roll, came, came >= must_come


def approval_cases() -> Iterator[tuple[str, int, int, int, bool]]:
    for name, roll, _, came, must_agree in ROWS:
        for agree in (must_agree - 1, must_agree, must_agree + 1):
            if agree <= came:
                yield name, roll, came, agree, agree >= must_agree


def voted(name: str, roll: int, came: int, agree: int) -> Result:
    """``agree`` of those who came are for the motion, or name the one candidate; everybody has
    12.34 m². Those who do not agree object, abstain or, in elections, want none of them."""
    rule = preset(name)
    election = rule.questions == [QuestionKind.ELECTION]
    money = rule.allocation != "none"
    item = PollItem(number=1, text="事项", cost_fen=1 if money else None)
    yes, no = "for", ("against", "abstain")
    if election:
        options = [Option(code="a", text="甲"), Option(code="b", text="乙")]
        item = PollItem(number=1, text="选举", kind=QuestionKind.ELECTION, options=options, seats=1)
        yes, no = "a", ("none", "abstain")
    return count(
        rule,
        [item],
        {voter(index): 1234 for index in range(roll)},
        [
            Vote(voter(index), {"1": [yes if index < agree else no[index % 2]]})
            for index in range(came)
        ],
        present=came if rule.held_in_meeting else None,
        budget_fen=1 if money else None,
    )


def good(name: str) -> Verdict:
    return Verdict.PASSED if preset(name).binding else Verdict.SUPPORTED


def bad(name: str) -> Verdict:
    return Verdict.NOT_PASSED if preset(name).binding else Verdict.NOT_SUPPORTED


@pytest.mark.parametrize(("name", "roll", "came", "reached"), list(turnout_cases()))
def test_turnout_turns_at_its_bound(name: str, roll: int, came: int, reached: bool) -> None:
    result = voted(name, roll, came, came)

    assert result.verdict is (good(name) if reached else Verdict.NO_QUORUM)
    assert result.turnout[0].missing == (0 if reached else 1)


@pytest.mark.parametrize(("name", "roll", "came", "agree", "reached"), list(approval_cases()))
def test_approval_turns_at_its_bound(
    name: str, roll: int, came: int, agree: int, reached: bool
) -> None:
    result = voted(name, roll, came, agree)

    assert result.quorum_reached
    assert result.verdict is (good(name) if reached else bad(name))
    (first, *_) = result.items[0].tallies
    assert {check.missing > 0 for check in first.approval} == {not reached}


def test_every_preset_with_a_rule_is_tried() -> None:
    assert {name for name, *_ in ROWS} == {one.id for one in presets().values() if one.turnout}


def test_there_are_more_than_a_hundred_and_fifty_cases_of_bounds() -> None:
    assert len([*turnout_cases(), *approval_cases()]) > 150


@pytest.mark.parametrize(
    ("hands", "agree", "reached"), [(74, 38, True), (74, 37, False), (61, 38, True)]
)
def test_counted_hands_reach_a_bound_like_ballots(hands: int, agree: int, reached: bool) -> None:
    result = count(
        preset("village_reps"),
        [PollItem(number=1, text="事项")],
        {voter(index): 0 for index in range(91)},
        [],
        present=74,
        hands=HandTotals(heads=hands, items={"1": {"for": agree, "abstain": hands - agree}}),
    )

    assert (result.by_hand, result.participating.heads) == (hands, hands)
    assert (result.verdict is Verdict.PASSED) is reached
