"""What counts as a vote: invalid ballots, the silent who count with a majority, hands counted
without names, and ballots that nobody can link any more."""

from typing import Any

import pytest

from consultation.polls.counting import Count, HandTotals, Result, Vote, count
from consultation.polls.deeming import DeemingNotAllowed, silent_votes, with_clause
from consultation.polls.presets import QuestionKind, Silent
from consultation.polls.rules import Option, PollItem, Verdict
from tests.consultation.polls.counting_cases import ONE_ITEM, preset, voter

V = Verdict
WORDS = {"f": ["for"], "a": ["against"], "o": ["abstain"]}


def votes_of(letters: str) -> list[Vote]:
    """f, a, o; x an invalid ballot; any other letter did not vote."""
    return [
        Vote(voter(index), None if letter == "x" else {"1": WORDS[letter]})
        for index, letter in enumerate(letters)
        if letter in "faox"
    ]


def roll_of(*areas: int) -> dict[Any, int]:
    return {voter(index): area for index, area in enumerate(areas)}


# ---- invalid ballots


def test_an_invalid_ballot_of_an_owner_takes_no_part() -> None:
    roll = roll_of(*[100] * 12)
    result = count(preset("civil278_general"), ONE_ITEM, roll, votes_of("f" * 7 + "x"))

    assert (result.valid.heads, result.invalid.heads, result.participating.heads) == (7, 1, 7)
    assert result.verdict is V.NO_QUORUM
    assert count(
        preset("civil278_general"), ONE_ITEM, roll, votes_of("f" * 8 + "x")
    ).verdict is V.PASSED  # fmt: skip


def test_an_invalid_ballot_of_an_election_belongs_to_the_votes_cast() -> None:
    roll = roll_of(*[0] * 9)
    recall = preset("village_recall")

    enough = count(recall, ONE_ITEM, roll, votes_of("fff" + "xx"))
    assert enough.quorum_reached  # five of nine took part
    assert (enough.items[0].approval[0].base, enough.verdict) == (5, V.PASSED)
    short = count(recall, ONE_ITEM, roll, votes_of("fff" + "xxx"))
    assert (short.items[0].approval[0].base, short.verdict) == (6, V.NOT_PASSED)


# ---- silence


DEEMED = preset("civil278_general").model_copy(update={"silent": Silent.DEEMED_MAJORITY})


def deemed_count(letters: str, areas: list[int]) -> Result:
    """s: silent and served."""
    silent = [
        Vote(voter(index), None, deemed=True)
        for index, letter in enumerate(letters)
        if letter == "s"
    ]
    return count(DEEMED, ONE_ITEM, roll_of(*areas), [*votes_of(letters), *silent])


@pytest.mark.parametrize(
    ("letters", "areas", "follows", "verdict"),
    [
        ("ffassss.....", [100] * 12, "", V.NO_QUORUM),  # seven of twelve
        ("ffasssss....", [100] * 12, "for", V.PASSED),
        ("aafsssss....", [100] * 12, "against", V.NOT_PASSED),
        ("fasssssss...", [100] * 12, "abstain", V.NOT_PASSED),  # no majority to follow
        ("oosssssss...", [100] * 12, "abstain", V.NOT_PASSED),
        ("sssssssss...", [100] * 12, "abstain", V.NOT_PASSED),
        # more heads for, more area against: no majority in every measure
        ("ffas", [100, 100, 300, 100], "abstain", V.NOT_PASSED),
        ("ffas", [200, 200, 300, 100], "for", V.PASSED),
    ],
)
def test_the_silent_follow_a_majority_of_those_who_voted(
    letters: str, areas: list[int], follows: str, verdict: Verdict
) -> None:
    result = deemed_count(letters, areas)
    (item,) = result.items

    assert result.verdict is verdict
    served = letters.count("s")
    assert result.deemed.heads == served
    assert result.valid.heads == sum(letters.count(letter) for letter in "fao")
    if follows:
        assert item.tally(follows).deemed.heads == served
    # real and deemed counts are never mixed
    assert item.votes_for.heads == letters.count("f")
    assert item.votes_against.heads == letters.count("a")
    assert sum(tally.deemed.heads for tally in item.tallies) == served


@pytest.mark.parametrize("name", ["civil278_general", "civil278_special"])
def test_an_adopted_clause_makes_the_rule_of_a_poll_deem(name: str) -> None:
    assert with_clause(preset(name), ONE_ITEM).silent is Silent.DEEMED_MAJORITY


@pytest.mark.parametrize(
    "name",
    [
        "lift_scope_owners",
        "civil279_unanimous",
        "owners_committee_meeting",
        "village_reps",
        "village_election",
        "household_poll",
        "open_poll",
        "satisfaction",
    ],
)
def test_no_other_rule_deems(name: str) -> None:
    with pytest.raises(DeemingNotAllowed) as error:
        with_clause(preset(name), ONE_ITEM)
    assert error.value.facts == {"problem": "preset"}


def test_an_election_of_owners_never_deems() -> None:
    election = PollItem(number=2, text="选举", kind=QuestionKind.ELECTION, seats=1,
                        options=[Option(code="a", text="甲")])  # fmt: skip

    with pytest.raises(DeemingNotAllowed) as error:
        with_clause(preset("civil278_general"), [*ONE_ITEM, election])
    assert error.value.facts == {"problem": "not_motions"}


def test_only_the_served_who_cast_nothing_are_deemed() -> None:
    votes = votes_of("fx")
    served = {voter(index) for index in (0, 1, 2, 4)}

    assert {vote.voter for vote in silent_votes(DEEMED, votes, served)} == {voter(2), voter(4)}
    assert silent_votes(preset("civil278_general"), votes, served) == []


# ---- hands


def by_hand(name: str, totals: HandTotals, *, letters: str = "", present: int = 10) -> Result:
    return count(
        preset(name), ONE_ITEM, roll_of(*[0] * 12), votes_of(letters), present=present, hands=totals
    )


def test_hands_are_valid_votes_of_one_head_each() -> None:
    totals = HandTotals(heads=9, items={"1": {"for": 6, "against": 2, "abstain": 1}})
    result = by_hand("village_reps", totals)

    assert (result.valid.heads, result.by_hand) == (9, 9)
    (item,) = result.items
    assert (item.votes_for, item.votes_against) == (Count(heads=6), Count(heads=2))
    assert result.verdict is V.PASSED


@pytest.mark.parametrize(
    ("name", "heads", "shown", "letters", "fault"),
    [
        ("village_reps", 6, {"for": 5}, "", "do not sum up"),
        ("village_reps", 6, {"for": 7}, "", "do not sum up"),
        ("village_reps", 6, {"for": 7, "against": -1}, "", "not asked"),
        ("village_reps", 6, {"yes": 6}, "", "not asked"),
        ("village_reps", 6, {"for": 6}, "f", "by hands or by ballots"),
        ("village_reps", 11, {"for": 11}, "", "more ballots than people present"),
        ("village_reps", 13, {"for": 13}, "", "more ballots than places"),
        ("civil278_general", 6, {"for": 6}, "", "in a meeting"),
        ("household_poll", 6, {"for": 6}, "", "in a meeting"),
    ],
)
def test_hands_that_cannot_be_are_a_fault(
    name: str, heads: int, shown: dict[str, int], letters: str, fault: str
) -> None:
    totals = HandTotals(heads=heads, items={"1": shown})
    with pytest.raises(ValueError, match=fault):
        by_hand(name, totals, letters=letters)


def test_hands_count_no_areas() -> None:
    rule = preset("civil278_general").model_copy(update={"held_in_meeting": True})
    with pytest.raises(ValueError, match="heads alone"):
        count(rule, ONE_ITEM, roll_of(100, 100), [], present=2,
              hands=HandTotals(heads=2, items={"1": {"for": 2}}))  # fmt: skip


def test_hands_are_of_every_item_and_of_no_other() -> None:
    with pytest.raises(ValueError, match="every item"):
        by_hand("village_reps", HandTotals(heads=1, items={"1": {"for": 1}, "2": {"for": 1}}))
    with pytest.raises(ValueError, match="every item"):
        by_hand("village_reps", HandTotals(heads=0, items={}))


def test_marks_of_several_options_are_not_counted_by_hand() -> None:
    options = [Option(code="a", text="甲"), Option(code="b", text="乙")]
    kind = QuestionKind.MULTIPLE_CHOICE
    several = PollItem(number=1, text="选", kind=kind, most=2, options=options)
    with pytest.raises(ValueError, match="one answer"):
        count(preset("village_reps"), [several], roll_of(0, 0), [], present=2,
              hands=HandTotals(heads=2, items={"1": {"a": 2}}))  # fmt: skip


# ---- ballots without a voter


def test_ballots_that_nobody_can_link_are_counted_by_head_and_the_area_they_carry() -> None:
    loose = [Vote(None, {"1": ["for"]}), Vote(None, {"1": ["for"]}), Vote(None, None)]
    result = count(preset("household_poll"), ONE_ITEM, roll_of(0, 0, 0), loose)
    assert (result.valid.heads, result.invalid.heads) == (2, 1)
    assert result.verdict is V.SUPPORTED

    weighed = [Vote(None, {"1": ["for"]}, area_dm2=700), Vote(None, {"1": ["against"]}, area_dm2=1)]
    areas = count(preset("civil278_general"), ONE_ITEM, roll_of(700, 1), weighed)
    assert areas.items[0].votes_for == Count(heads=1, area_dm2=700)


# ---- faults of the caller


@pytest.mark.parametrize(
    ("votes", "fault"),
    [
        ([Vote(voter(0), {"1": ["for"]})] * 2, "two ballots"),
        ([Vote(voter(0), None)] * 2, "two ballots"),
        ([Vote(voter(9), None)], "not on the roll"),
        ([Vote(None, None)] * 4, "more ballots than places"),
        ([Vote(voter(0), {})], "proper answer"),
        ([Vote(voter(0), {"1": []})], "proper answer"),
        ([Vote(voter(0), {"1": ["yes"]})], "proper answer"),
        ([Vote(voter(0), {"1": ["for", "against"]})], "proper answer"),
        ([Vote(voter(0), {"1": ["for"]}, deemed=True)], "says nothing itself"),
        ([Vote(voter(0), None, deemed=True)], "silence means nothing"),
    ],
)
def test_votes_that_cannot_be_are_a_fault(votes: list[Vote], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        count(preset("household_poll"), ONE_ITEM, roll_of(0, 0, 0), votes)
