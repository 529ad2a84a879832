"""Laws of the count that hold for every roll and every set of ballots."""

import random
from fractions import Fraction
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from consultation.polls.counting import Result, Vote, count, least_reaching
from consultation.polls.methods.budget import allocate
from consultation.polls.presets import Base, Measure, RulePreset, Threshold, presets
from consultation.polls.rolls import OwnedUnit, Owner, owners_roll
from consultation.polls.rules import PollItem, RolledUnit, Verdict

ITEMS = [PollItem(number=1, text="甲", cost_fen=300), PollItem(number=2, text="乙", cost_fen=500)]
CHOICES = ["for", "against", "abstain"]
GOOD = (Verdict.PASSED, Verdict.SUPPORTED)

Case = tuple[RulePreset, dict[UUID, int], list[Vote], int]


@st.composite
def polls(draw: st.DrawFn) -> Case:
    """A preset, a roll of up to 30, ballots of some of it, and how many are present."""
    preset = draw(st.sampled_from(list(presets().values())))
    areas = draw(st.lists(st.integers(0, 20_000), min_size=1, max_size=30))
    roll = {UUID(int=index + 1): area for index, area in enumerate(areas)}
    voters = draw(st.lists(st.sampled_from(list(roll)), unique=True))
    votes = [
        Vote(voter, {str(item.number): [draw(st.sampled_from(CHOICES))] for item in ITEMS})
        for voter in voters
    ]
    return preset, roll, votes, draw(st.integers(len(votes), len(roll)))


def counted(case: Case, votes: list[Vote] | None = None) -> Result:
    preset, roll, cast, present = case
    return count(
        preset, ITEMS, roll, cast if votes is None else votes, present=present, budget_fen=600
    )


@given(polls(), st.randoms(use_true_random=False))
def test_the_order_of_ballots_makes_no_difference(case: Case, chance: random.Random) -> None:
    shuffled = list(case[2])
    chance.shuffle(shuffled)

    assert counted(case) == counted(case, shuffled)


@given(polls())
def test_nothing_is_lost_and_nobody_is_counted_twice(case: Case) -> None:
    _, roll, votes, _ = case
    result = counted(case)

    assert result.participating.heads == len(votes)
    assert result.participating.area_dm2 == sum(roll[vote.voter] for vote in votes)
    for item in result.items:
        parts = (item.votes_for, item.votes_against, item.abstentions)
        assert sum(part.heads for part in parts) == result.participating.heads
        assert sum(part.area_dm2 for part in parts) == result.participating.area_dm2


@given(polls(), st.data())
def test_one_more_agreement_never_defeats_an_item(case: Case, data: st.DataObject) -> None:
    votes = case[2]
    if not votes:
        return
    index = data.draw(st.integers(0, len(votes) - 1))
    turned = list(votes)
    turned[index] = Vote(votes[index].voter, {**votes[index].choices, "1": ["for"]})

    before, after = counted(case), counted(case, turned)
    assert (before.items[0].verdict not in GOOD) or (after.items[0].verdict in GOOD)
    assert before.items[1] == after.items[1] or case[0].allocation != "none"


@given(polls())
def test_abstaining_decides_like_objecting_and_is_counted_apart(case: Case) -> None:
    votes = case[2]
    abstaining = [
        Vote(v.voter, {k: ["abstain"] if c == ["against"] else c for k, c in v.choices.items()})
        for v in votes
    ]

    assert [i.verdict for i in counted(case).items] == [
        i.verdict for i in counted(case, abstaining).items
    ]


@given(polls())
def test_without_a_quorum_no_item_has_any_other_verdict(case: Case) -> None:
    result = counted(case)

    if not result.quorum_reached:
        assert {item.verdict for item in result.items} == {Verdict.NO_QUORUM}
        assert {item.funding for item in result.items} == {None}
    assert (Verdict.NO_QUORUM in {i.verdict for i in result.items}) != result.quorum_reached


@given(polls())
def test_thresholds_agree_with_exact_fractions(case: Case) -> None:
    result = counted(case)

    for check in [*result.turnout, *(c for item in result.items for c in item.approval)]:
        if check.base == 0:
            assert not check.reached or check.value > 0
            continue
        share = Fraction(check.value, check.base)
        bound = Fraction(check.numerator, check.denominator)
        assert check.reached == (share >= bound if check.inclusive else share > bound)
        assert check.reached == (check.value >= check.needed)


@given(st.integers(0, 10**30), st.integers(1, 50), st.integers(1, 50), st.booleans())
def test_what_is_needed_is_the_least_that_reaches(
    base: int, one: int, other: int, inclusive: bool
) -> None:
    threshold = Threshold(
        measure=Measure.HEADS,
        of=Base.ELIGIBLE,
        numerator=min(one, other),
        denominator=max(one, other),
        inclusive=inclusive,
    )
    needed = least_reaching(threshold, base)

    def reaches(value: int) -> bool:
        left, right = value * threshold.denominator, base * threshold.numerator
        return left >= right if inclusive else left > right

    assert reaches(needed)
    assert not reaches(needed - 1)


@given(
    st.dictionaries(
        st.integers(1, 12), st.tuples(st.integers(0, 6), st.integers(0, 500)), max_size=12
    ),
    st.integers(0, 2000),
)
def test_an_allocation_stays_below_its_ceiling_and_respects_the_votes(
    approved: dict[int, tuple[int, int]], ceiling: int
) -> None:
    funded, left, _ = allocate(approved, ceiling)

    assert left == ceiling - sum(approved[item][1] for item in funded) >= 0
    least = min((approved[item][0] for item in funded), default=None)
    for item, (votes, _) in approved.items():
        if least is not None and votes >= least:
            assert item in funded


@st.composite
def registers(draw: st.DrawFn) -> list[OwnedUnit]:
    people = [UUID(int=index + 1) for index in range(6)]
    units = []
    for index in range(draw(st.integers(0, 12))):
        owners = draw(st.lists(st.sampled_from(people), unique=True, max_size=3))
        units.append(
            OwnedUnit(
                unit=RolledUnit(
                    unit_id=UUID(int=1000 + index),
                    code=f"{index:03d}",
                    area_dm2=draw(st.integers(1, 20_000)),
                ),
                place="1幢",
                developer_unsold=draw(st.booleans()),
                owners=tuple(Owner(person, "王*", draw(st.booleans())) for person in owners),
            )
        )
    return units


@given(registers(), st.randoms(use_true_random=False))
def test_a_roll_holds_every_unit_once_and_every_voter_once(
    register: list[OwnedUnit], chance: random.Random
) -> None:
    roll = owners_roll(register)
    voters = [place.person_id for place in roll if place.person_id is not None]
    units = [unit.unit_id for place in roll for unit in place.units]

    assert len(voters) == len(set(voters))
    assert sorted(units) == sorted(one.unit.unit_id for one in register)
    assert sum(place.area_dm2 for place in roll) == sum(one.unit.area_dm2 for one in register)
    assert [place.number for place in roll] == list(range(1, len(roll) + 1))
    shuffled = list(register)
    chance.shuffle(shuffled)
    assert owners_roll(shuffled) == roll
