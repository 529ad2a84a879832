"""Each counting method: what it decides, what ties do, and the steps that it gives as reasons."""

from collections.abc import Sequence

import pytest

from consultation.polls.counting import ItemResult, Result, Vote, count
from consultation.polls.presets import QuestionKind
from consultation.polls.rules import Option, PollItem, Verdict
from tests.consultation.polls.counting_cases import preset, voter

V = Verdict
TEXTS = {"a": "甲", "b": "乙", "c": "丙", "d": "丁"}


def item(kind: str, codes: str = "abc", *, most: int = 1, seats: int | None = None) -> PollItem:
    return PollItem(
        number=1,
        text="事项",
        kind=QuestionKind(kind),
        options=[Option(code=code, text=TEXTS[code]) for code in codes],
        most=most,
        seats=seats,
    )


def counted(
    name: str, one: PollItem, ballots: Sequence[str], *, roll: Sequence[int] | None = None
) -> Result:
    """``ballots``: for each voter the codes they marked, "-" none of these, "o" abstains, "x" an
    invalid ballot. Everybody on the roll votes unless a longer ``roll`` (areas) is given."""
    words = {"-": "none", "o": "abstain"}
    areas = roll or [100] * len(ballots)
    rule = preset(name)
    return count(
        rule,
        [one],
        {voter(index): area for index, area in enumerate(areas)},
        [
            Vote(
                voter(index),
                None if marks == "x" else {"1": [words.get(code, code) for code in marks]},
            )
            for index, marks in enumerate(ballots)
        ],
        present=len(ballots) if rule.held_in_meeting else None,
    )


def keys(result: ItemResult) -> list[str]:
    return [step.key for step in result.steps]


# ---- elections


def box(**votes: int) -> list[str]:
    """Ballots by what they mark: box(ab=3, a=1, none=2, x=1)."""
    marks = {"none": "-", "abstain": "o"}
    return [marks.get(mark, mark) for mark, times in votes.items() for _ in range(times)]


@pytest.mark.parametrize(
    ("candidates", "seats", "ballots", "elected", "tied", "runoff", "verdict"),
    [
        # one seat: more than half of the ballots cast
        ("ab", 1, box(a=6, b=5), "a", "", "", V.PASSED),
        ("ab", 1, box(a=5, b=5), "", "", "ab", V.NOT_PASSED),
        ("ab", 1, box(a=5, b=4, none=1), "", "", "ab", V.NOT_PASSED),
        ("ab", 1, box(a=5, b=4), "a", "", "", V.PASSED),
        # an invalid ballot and an abstention are cast
        ("ab", 1, box(a=5, b=4, x=1), "", "", "ab", V.NOT_PASSED),
        ("ab", 1, box(a=6, b=4, x=1), "a", "", "", V.PASSED),
        ("ab", 1, box(a=5, b=4, abstain=1), "", "", "ab", V.NOT_PASSED),
        ("ab", 1, box(none=10), "", "", "ab", V.NOT_PASSED),
        ("ab", 1, box(x=10), "", "", "ab", V.NOT_PASSED),
        # two seats, two marks: as many as there are qualify
        ("abc", 2, box(ab=6, c=4), "ab", "", "", V.PASSED),
        ("abc", 2, box(ab=6, ac=4), "ab", "", "", V.PASSED),
        ("abc", 2, box(ab=5, ac=4, c=1), "a", "", "bc", V.PARTLY_PASSED),
        ("abc", 2, box(ab=4, c=6), "c", "", "ab", V.PARTLY_PASSED),
        ("abc", 2, box(ab=5, c=5), "", "", "abc", V.NOT_PASSED),
        # more qualify than seats: most votes
        ("abc", 1, box(ab=6, bc=6, c=1), "b", "", "", V.PASSED),
        ("abc", 2, box(ab=7, bc=6, ac=3), "ba", "", "", V.PASSED),
        # equal at the last seat: neither, a new vote among the tied
        ("abc", 2, box(ab=4, ac=4, bc=4), "", "abc", "abc", V.NOT_PASSED),
        ("abc", 2, box(abc=1), "", "abc", "abc", V.NOT_PASSED),
        ("abcd", 2, box(ab=5, ac=5, abc=2), "a", "bc", "bc", V.PARTLY_PASSED),
        ("abcd", 2, box(ab=5, ac=5, d=1, abc=1), "a", "", "bcd", V.PARTLY_PASSED),
        ("abcd", 3, box(abc=5, abd=5, acd=1), "ab", "cd", "cd", V.PARTLY_PASSED),
        # everybody elected without opposition
        ("ab", 2, box(ab=6, a=5), "ab", "", "", V.PASSED),
    ],
)
def test_an_election(
    candidates: str,
    seats: int,
    ballots: list[str],
    elected: str,
    tied: str,
    runoff: str,
    verdict: Verdict,
) -> None:
    one = item("election", candidates, most=3, seats=seats)
    result = counted("village_election", one, ballots)
    (counts,) = result.items

    assert ("".join(counts.chosen), "".join(counts.tied)) == (elected, tied)
    assert "".join(counts.runoff) == runoff
    assert counts.open_seats == seats - len(elected)
    assert counts.verdict is result.verdict is verdict


def test_the_steps_of_an_election_say_who_reached_what_and_why() -> None:
    one = item("election", "abcd", most=3, seats=2)
    (counts,) = counted("village_election", one, box(ab=5, ac=5, abc=2)).items

    assert keys(counts) == [
        "approval_heads_reached",
        "approval_heads_reached",
        "approval_heads_reached",
        "approval_heads_missed",
        "elected",
        "tied_at_the_last_seat",
        "runoff",
    ]
    assert counts.steps[0].facts == {"option": "a", "value": 12, "needed": 7, "base": 12}
    assert counts.steps[4].facts == {"option": "a", "seat": 1, "seats": 2}
    assert counts.steps[-1].facts == {"options": ["b", "c"], "seats": 1}


@pytest.mark.parametrize(
    ("ballots", "elected", "runoff"),
    [
        # a run-off: most votes, with at least a third of the votes cast
        (box(a=4, b=3, none=5), "a", ""),
        (box(a=4, b=4, none=4), "", "ab"),  # equal
        (box(a=3, b=3, none=6), "", "ab"),  # nobody has a third
        (box(a=4, none=8), "a", ""),
        (box(a=4, none=9), "", "ab"),
        (box(a=4, none=8, x=1), "", "ab"),
    ],
)
def test_a_runoff_takes_the_most_votes_and_at_least_a_third(
    ballots: list[str], elected: str, runoff: str
) -> None:
    (counts,) = counted("village_runoff", item("election", "ab", seats=1), ballots).items

    assert ("".join(counts.chosen), "".join(counts.runoff)) == (elected, runoff)


@pytest.mark.parametrize(
    ("areas", "ballots", "elected"),
    [
        # owners: candidates need more than half of heads and of area
        ([100, 100, 100], ["a", "a", "b"], "a"),
        ([100, 100, 300], ["a", "a", "b"], ""),
        ([100, 100, 200], ["a", "a", "b"], ""),
        ([100, 101, 200], ["a", "a", "b"], "a"),
        # equal heads: more area stands first
        ([100, 200, 300, 400], ["ab", "ab", "a", "b"], "b"),
        ([100, 200, 400, 400], ["ab", "ab", "a", "b"], ""),
    ],
)
def test_owners_elect_by_heads_and_area(areas: list[int], ballots: list[str], elected: str) -> None:
    one = item("election", "ab", most=2, seats=1)
    (counts,) = counted("civil278_general", one, ballots, roll=areas).items

    assert "".join(counts.chosen) == elected


def test_without_a_quorum_nobody_is_elected_and_nobody_stands_again() -> None:
    one = item("election", "ab", seats=1)
    (counts,) = counted("village_election", one, box(a=5), roll=[0] * 10).items

    assert counts.verdict is V.NO_QUORUM
    assert (counts.chosen, counts.runoff, counts.steps) == ([], [], [])
    assert counts.votes("a").heads == 5


# ---- choices


@pytest.mark.parametrize(
    ("ballots", "chosen", "verdict"),
    [
        (box(a=6, b=5), "a", V.SUPPORTED),
        (box(a=5, b=5), "", V.NOT_SUPPORTED),
        (box(a=5, b=4, none=1), "", V.NOT_SUPPORTED),
        (box(a=5, b=3, c=1), "a", V.SUPPORTED),
        (box(a=5, b=3, abstain=2), "", V.NOT_SUPPORTED),
        (box(a=1, none=10), "", V.NOT_SUPPORTED),
        (box(abstain=10), "", V.NOT_SUPPORTED),
        (box(a=5, b=4, x=1), "a", V.SUPPORTED),  # an invalid ballot does not take part
    ],
)
def test_a_single_choice(ballots: list[str], chosen: str, verdict: Verdict) -> None:
    (counts,) = counted("household_poll", item("single_choice"), ballots).items

    assert ("".join(counts.chosen), counts.verdict) == (chosen, verdict)


def low_bound() -> object:
    third = {"measure": "heads", "of": "participating", "at_least": "1/3"}
    rule = preset("household_poll")
    return type(rule).model_validate(rule.model_dump() | {"approval": [third]})


@pytest.mark.parametrize(
    ("votes", "chosen", "tied"),
    [("aaaabbb", "a", ""), ("aaabbb", "", "ab"), ("aaabbbc", "", "ab"), ("aabbcc", "", "abc")],
)
def test_of_several_that_reach_a_low_bound_the_most_votes_are_chosen(
    votes: str, chosen: str, tied: str
) -> None:
    roll = {voter(index): 0 for index in range(len(votes))}
    ballots = [Vote(voter(index), {"1": [code]}) for index, code in enumerate(votes)]
    (counts,) = count(low_bound(), [item("single_choice")], roll, ballots).items  # type: ignore[arg-type]

    assert ("".join(counts.chosen), "".join(counts.tied)) == (chosen, tied)
    assert counts.verdict is (V.SUPPORTED if chosen else V.NOT_SUPPORTED)
    assert keys(counts)[-1] == ("chosen" if chosen else "tied")


@pytest.mark.parametrize(
    ("ballots", "chosen", "verdict"),
    [
        (box(ab=6, c=5), "ab", V.SUPPORTED),
        (box(ab=5, bc=4, c=1), "b", V.SUPPORTED),
        (box(ab=3, bc=5, ac=1, a=1), "bc", V.SUPPORTED),
        (box(ab=5, none=5), "", V.NOT_SUPPORTED),
        (box(a=3, b=3, c=3), "", V.NOT_SUPPORTED),
        (box(abc=6, none=5), "abc", V.SUPPORTED),
    ],
)
def test_a_multiple_choice(ballots: list[str], chosen: str, verdict: Verdict) -> None:
    one = item("multiple_choice", most=3)
    (counts,) = counted("household_poll", one, ballots).items

    assert ("".join(counts.chosen), counts.verdict) == (chosen, verdict)


@pytest.mark.parametrize("kind", ["single_choice", "multiple_choice"])
def test_an_opinion_poll_shows_who_leads_and_chooses_nothing(kind: str) -> None:
    for ballots, leading in (
        (box(a=9, b=1), "a"),
        (box(a=5, b=5), "ab"),
        (box(none=5), ""),
        ([], ""),
    ):
        (counts,) = counted("open_poll", item(kind), ballots).items
        assert ("".join(counts.leading), counts.chosen) == (leading, [])
        assert counts.verdict is V.NOTED
        assert all(not tally.approval for tally in counts.tallies)


# ---- ratings


@pytest.mark.parametrize(
    ("ballots", "grade"),
    [
        (box(a=6, b=2, c=2), "a"),
        (box(a=5, b=5), "b"),  # half is not more than half
        (box(a=4, b=2, c=4), "b"),
        (box(a=3, b=2, c=5), "c"),
        (box(a=3, b=2, c=5, abstain=90), "c"),  # who abstains grades nothing
        (box(c=1), "c"),
        (box(abstain=3), ""),
        ([], ""),
    ],
)
def test_a_rating_gives_the_grade_that_more_than_half_gave_or_bettered(
    ballots: list[str], grade: str
) -> None:
    (counts,) = counted("satisfaction", item("rating"), ballots).items

    assert "".join(counts.chosen) == grade
    assert counts.verdict is V.NOTED
    assert "none" not in {tally.code for tally in counts.tallies}


def test_a_rating_beside_a_motion_does_not_blur_its_verdict() -> None:
    items = [PollItem(number=1, text="议案"), item("rating").model_copy(update={"number": 2})]
    roll = {voter(index): 0 for index in range(3)}
    for answer, verdict in (("for", V.PASSED), ("against", V.NOT_PASSED)):
        votes = [Vote(place, {"1": [answer], "2": ["a"]}) for place in roll]
        result = count(preset("village_reps"), items, roll, votes, present=3)
        assert [one.verdict for one in result.items] == [verdict, V.NOTED]
        assert result.verdict is verdict


# ---- money


def test_the_steps_of_a_budget_say_what_was_funded_and_where_it_ended() -> None:
    items = [PollItem(number=n, text=f"项目{n}", cost_fen=cost) for n, cost in
             ((1, 60), (2, 30), (3, 20))]  # fmt: skip
    roll = {voter(index): 0 for index in range(9)}
    votes = [
        Vote(place, {"1": ["for"], "2": ["for" if index < 7 else "against"],
                     "3": ["for" if index < 6 else "against"]})
        for index, place in enumerate(roll)
    ]  # fmt: skip
    result = count(preset("fund_allocation"), items, roll, votes, present=9, budget_fen=100)

    assert [step.key for step in result.steps] == [
        "turnout_heads_reached",
        "funded",
        "funded",
        "does_not_fit",
    ]
    assert result.steps[-1].facts == {"items": ["3"], "value": 6, "cost_fen": 20, "left_fen": 10}
    assert result.budget_left_fen == 10
