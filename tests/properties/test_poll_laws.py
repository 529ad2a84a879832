"""Laws of the count that hold for every roll and every set of ballots."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from api.phrases import speak
from api.words import LOCALES
from consultation.polls.counting import HandTotals, Result, Vote, count, least_reaching
from consultation.polls.deeming import silent_votes
from consultation.polls.methods.budget import allocate
from consultation.polls.preset_files import presets
from consultation.polls.presets import (
    Base,
    InvalidBallots,
    Measure,
    QuestionKind,
    RulePreset,
    Silent,
    Threshold,
)
from consultation.polls.result_wording import result as wording
from consultation.polls.result_wording import steps
from consultation.polls.rolls import OwnedUnit, Owner, owners_roll
from consultation.polls.rules import Option, PollItem, RolledUnit, Verdict

GOOD = (Verdict.PASSED, Verdict.SUPPORTED)
CODES = "abcd"


@dataclass
class Case:
    """A preset, items of kinds that it allows, a roll of up to 20, and ballots of some of it."""

    preset: RulePreset
    items: list[PollItem]
    roll: dict[UUID, int]
    votes: list[Vote]
    present: int | None
    hands: HandTotals | None

    def count(self, votes: Sequence[Vote] | None = None) -> Result:
        return count(
            self.preset,
            self.items,
            self.roll,
            self.votes if votes is None else votes,
            present=self.present,
            budget_fen=600,
            hands=self.hands,
        )


def items_of(draw: st.DrawFn, preset: RulePreset) -> list[PollItem]:
    kinds = draw(st.lists(st.sampled_from(preset.questions), min_size=1, max_size=3))
    return [item_of(draw, kind, number) for number, kind in enumerate(kinds, 1)]


def item_of(draw: st.DrawFn, kind: QuestionKind, number: int) -> PollItem:
    if kind is QuestionKind.MOTION:
        cost = draw(st.integers(0, 500))
        return PollItem(number=number, text=f"事项{number}", cost_fen=cost)
    size = draw(st.integers(2, 4))
    one = kind in (QuestionKind.SINGLE_CHOICE, QuestionKind.RATING)
    return PollItem(
        number=number,
        text=f"事项{number}",
        kind=kind,
        options=[Option(code=code, text=code * 2) for code in CODES[:size]],
        most=1 if one else draw(st.integers(1, size)),
        seats=draw(st.integers(1, size)) if kind is QuestionKind.ELECTION else None,
    )


def answer_to(draw: st.DrawFn, item: PollItem) -> list[str]:
    options = [option.code for option in item.options]
    if item.most > 1 and draw(st.booleans()):
        return sorted(
            draw(st.lists(st.sampled_from(options), unique=True, min_size=1, max_size=item.most))
        )
    return [draw(st.sampled_from(item.choices))]


def ballot(draw: st.DrawFn, items: Sequence[PollItem], voter: UUID) -> Vote:
    if draw(st.integers(0, 9)) == 0:
        return Vote(voter, None)
    return Vote(voter, {str(item.number): answer_to(draw, item) for item in items})


@st.composite
def polls(draw: st.DrawFn, kind: QuestionKind | None = None) -> Case:
    rules = [one for one in presets().values() if kind is None or kind in one.questions]
    preset = draw(st.sampled_from(rules))
    items = items_of(draw, preset) if kind is None else [item_of(draw, kind, 1)]
    areas = draw(st.lists(st.integers(0, 20_000), min_size=1, max_size=20))
    roll = {UUID(int=index + 1): area for index, area in enumerate(areas)}
    voters = draw(st.lists(st.sampled_from(list(roll)), unique=True))
    hands = None
    one_answer = all(item.most == 1 for item in items)
    heads_alone = preset.held_in_meeting and preset.measures == [Measure.HEADS]
    if heads_alone and one_answer and draw(st.booleans()):
        voters = []
        heads = draw(st.integers(0, len(roll)))
        hands = HandTotals(heads=heads, items={str(i.number): shown(draw, i, heads) for i in items})
    cast = len(voters) + (hands.heads if hands else 0)
    return Case(
        preset=preset,
        items=items,
        roll=roll,
        votes=[ballot(draw, items, voter) for voter in voters],
        present=draw(st.integers(cast, len(roll))) if preset.held_in_meeting else None,
        hands=hands,
    )


def shown(draw: st.DrawFn, item: PollItem, heads: int) -> dict[str, int]:
    raised: dict[str, int] = {}
    for _ in range(heads):
        code = draw(st.sampled_from(item.choices))
        raised[code] = raised.get(code, 0) + 1
    return raised


@given(polls(), st.randoms(use_true_random=False))
def test_the_order_of_ballots_makes_no_difference(case: Case, chance: random.Random) -> None:
    shuffled = list(case.votes)
    chance.shuffle(shuffled)

    assert case.count() == case.count(shuffled)


@given(polls())
def test_nothing_is_lost_and_nobody_is_counted_twice(case: Case) -> None:
    result = case.count()
    valid = [vote for vote in case.votes if vote.choices is not None]
    by_hand = case.hands.heads if case.hands else 0

    assert result.valid.heads == len(valid) + by_hand
    assert result.invalid.heads == len(case.votes) - len(valid)
    assert result.valid.area_dm2 == sum(case.roll[v.voter] for v in valid if v.voter)
    for item, asked in zip(result.items, case.items, strict=True):
        marks = sum(tally.votes.heads for tally in item.tallies)
        if asked.most == 1:
            assert marks == result.valid.heads
            assert sum(t.votes.area_dm2 for t in item.tallies) == result.valid.area_dm2
        assert result.valid.heads <= marks <= asked.most * result.valid.heads
        assert all(tally.votes.heads <= result.valid.heads for tally in item.tallies)


@given(polls(QuestionKind.MOTION), st.data())
def test_one_more_agreement_never_defeats_a_motion(case: Case, data: st.DataObject) -> None:
    able = [n for n, vote in enumerate(case.votes) if vote.choices is not None]
    if not able:
        return
    index = data.draw(st.sampled_from(able))
    turned = list(case.votes)
    turned[index] = Vote(turned[index].voter, {"1": ["for"]})

    before, after = case.count(), case.count(turned)
    assert (before.items[0].verdict not in GOOD) or (after.items[0].verdict in GOOD)


@given(polls(QuestionKind.ELECTION), st.data())
def test_one_more_mark_never_hurts_a_candidate(case: Case, data: st.DataObject) -> None:
    """Whoever is elected stays so when a ballot for nobody becomes one for them alone."""
    (elected,) = (item.chosen for item in case.count().items)
    empty = [
        n
        for n, v in enumerate(case.votes)
        if v.choices and v.choices["1"] in (["none"], ["abstain"])
    ]
    if not elected or not empty:
        return
    index, winner = data.draw(st.sampled_from(empty)), data.draw(st.sampled_from(elected))
    turned = list(case.votes)
    turned[index] = Vote(turned[index].voter, {"1": [winner]})

    assert winner in case.count(turned).items[0].chosen


@given(polls(QuestionKind.MOTION))
def test_abstaining_decides_like_objecting_and_is_counted_apart(case: Case) -> None:
    objecting = {"1": ["against"]}
    abstaining = [
        Vote(vote.voter, {"1": ["abstain"]} if vote.choices == objecting else vote.choices)
        for vote in case.votes
    ]

    assert case.count().verdict is case.count(abstaining).verdict


@given(polls())
def test_an_invalid_ballot_is_cast_and_says_nothing(case: Case) -> None:
    """Taking it away changes no tally; where it takes no part, it changes nothing at all."""
    valid = [vote for vote in case.votes if vote.choices is not None]
    with_it, without = case.count(), case.count(valid)

    for one, other in zip(with_it.items, without.items, strict=True):
        assert [t.votes for t in one.tallies] == [t.votes for t in other.tallies]
        if case.preset.invalid is InvalidBallots.NOT_PARTICIPATING:
            assert (one.verdict, one.chosen) == (other.verdict, other.chosen)
        elif with_it.quorum_reached == without.quorum_reached:
            assert set(one.chosen) <= set(other.chosen) | set(other.tied)


@given(polls())
def test_without_a_quorum_no_item_has_any_other_verdict(case: Case) -> None:
    result = case.count()

    if not result.quorum_reached:
        assert {item.verdict for item in result.items} == {Verdict.NO_QUORUM} == {result.verdict}
        assert all(not (i.chosen or i.runoff or i.tied or i.funding) for i in result.items)
    assert (Verdict.NO_QUORUM in {i.verdict for i in result.items}) != result.quorum_reached


@given(polls())
def test_thresholds_agree_with_exact_fractions(case: Case) -> None:
    result = case.count()
    approvals = (c for item in result.items for tally in item.tallies for c in tally.approval)

    for check in [*result.turnout, *approvals]:
        assert check.missing == max(0, check.needed - check.value)
        assert check.reached == (check.missing == 0)
        if check.base == 0:
            assert not check.reached or check.value > 0
            continue
        share = Fraction(check.value, check.base)
        bound = Fraction(check.numerator, check.denominator)
        assert check.reached == (share >= bound if check.inclusive else share > bound)


@given(polls(QuestionKind.ELECTION))
def test_an_election_fills_seats_with_those_ahead_and_leaves_nobody_out(case: Case) -> None:
    (item,) = case.count().items
    if item.verdict is Verdict.NO_QUORUM:
        return
    asked = case.items[0]
    seats = asked.seats or 0
    candidates = {option.code for option in asked.options}
    rank = {code: (item.votes(code).heads, item.votes(code).area_dm2) for code in candidates}
    reaching = {t.code for t in item.tallies if t.approval and all(c.reached for c in t.approval)}

    assert len(item.chosen) + (item.open_seats or 0) == seats
    assert set(item.chosen) <= reaching
    assert not set(item.chosen) & set(item.runoff)
    assert set(item.tied) <= set(item.runoff) & reaching
    if item.open_seats and not item.tied:
        assert reaching == set(item.chosen)
        assert set(item.runoff) == candidates - reaching
    for winner in item.chosen:
        for loser in reaching - set(item.chosen):
            assert rank[winner][0] >= rank[loser][0]
    if item.tied:
        assert len(item.tied) > (item.open_seats or 0) > 0
        assert len({rank[code][0] for code in item.tied}) == 1


@given(polls(QuestionKind.SINGLE_CHOICE))
def test_a_single_choice_has_one_winner_at_most_and_it_leads(case: Case) -> None:
    (item,) = case.count().items

    assert len(item.chosen) <= 1
    assert set(item.chosen) <= set(item.leading)
    assert not (item.chosen and item.tied)


@given(polls(QuestionKind.RATING))
def test_half_or_less_bettered_the_majority_grade(case: Case) -> None:
    (item,) = case.count().items
    if not item.chosen:
        return
    order = [option.code for option in case.items[0].options]
    place = order.index(item.chosen[0])
    graded = sum(item.votes(code).heads for code in order)

    assert sum(item.votes(code).heads for code in order[: place + 1]) * 2 > graded
    assert sum(item.votes(code).heads for code in order[:place]) * 2 <= graded


@given(polls())
def test_every_step_of_a_count_can_be_said_in_both_languages(case: Case) -> None:
    result = case.count()

    for locale in LOCALES:
        said = [speak(locale, phrase) for _, _, phrase in steps(case.items, result)]
        said += [speak(locale, phrase) for phrase in wording(case.preset, case.items, result)]
        assert all("…" not in text and "{" not in text for text in said)
    assert len(steps(case.items, result)) == len(result.steps) + sum(
        len(item.steps) for item in result.items
    )


@given(polls())
def test_a_stored_result_is_read_back_unchanged(case: Case) -> None:
    result = case.count()

    assert Result.model_validate_json(result.model_dump_json()) == result


DEEMING = ["civil278_general", "civil278_special"]


@given(
    st.sampled_from(DEEMING),
    st.lists(st.tuples(st.sampled_from(["for", "against", "abstain", "served", ""]),
                       st.integers(1, 20_000)), min_size=1, max_size=20),
)  # fmt: skip
def test_the_silent_never_turn_a_majority(name: str, people: list[tuple[str, int]]) -> None:
    """Deeming the served silent adds to the side that leads and never to the other."""
    rule = next(one for one in presets().values() if one.id == name)
    rule = rule.model_copy(update={"silent": Silent.DEEMED_MAJORITY})
    asked = [PollItem(number=1, text="事项")]
    roll = {UUID(int=n + 1): area for n, (_, area) in enumerate(people)}
    said = dict(zip(roll, (said for said, _ in people), strict=True))
    votes = [Vote(v, {"1": [s]}) for v, s in said.items() if s in ("for", "against", "abstain")]
    silent = silent_votes(rule, votes, [v for v, s in said.items() if s == "served"])
    real = count(rule, asked, roll, votes).items[0]
    with_silent = count(rule, asked, roll, [*votes, *silent])
    (item,) = with_silent.items

    assert [t.votes for t in item.tallies] == [t.votes for t in real.tallies]
    assert with_silent.valid.heads + with_silent.deemed.heads == with_silent.participating.heads
    more = item.votes_for.heads > item.votes_against.heads
    if item.tally("for").deemed.heads:
        assert more
    if item.tally("against").deemed.heads:
        assert not more
        assert item.verdict is not Verdict.PASSED


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
    funded, left, steps = allocate(approved, ceiling)

    assert left == ceiling - sum(approved[item][1] for item in funded) >= 0
    assert {item for step in steps if step.key == "funded" for item in step.facts["items"]} == {
        str(item) for item in funded
    }
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
