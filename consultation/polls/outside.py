"""OUTSIDE RESULT: the certified count of the system that the law takes for the vote (domain 2.5).
No I/O. Its sums come from a certificate; its verdict is made from them by the rule, like any."""

from collections.abc import Sequence

from pydantic import Field

from consultation.polls.counting import conclude
from consultation.polls.presets import Frozen, InvalidBallots, RulePreset
from consultation.polls.results import Count, Result
from consultation.polls.rules import PollItem, PollState
from consultation.refusals import Invalid, NotNow


class OutsideResultNotExpected(NotNow):
    """This server's count is the vote, or the poll is not over."""

    code = "outside-result-not-expected"


class OutsideResultInvalid(Invalid):
    """The sums do not fit one another or the poll; ``problem`` says how."""

    code = "outside-result-invalid"


class OutsideResultDiffers(Invalid):
    """What the second person confirms is not what the first entered."""

    code = "outside-result-differs"


class OutsideItem(Frozen):
    """``votes``: what each answer to the item got, by code; answers that got nothing may lack."""

    number: int = Field(ge=1)
    votes: dict[str, Count] = Field(max_length=60)


class OutsideCount(Frozen):
    """The sums of a certificate. Area is in 0.01 m², zero where it is not counted. ``present``: how
    many attended, of a vote that was held in a meeting, and of no other."""

    eligible: Count
    present: int | None = Field(default=None, ge=0)
    valid: Count
    invalid: Count = Count()
    items: list[OutsideItem] = Field(min_length=1, max_length=50)


def check_expected(*, of_record: bool, state: PollState) -> None:
    if of_record or state not in (PollState.CLOSED, PollState.PUBLISHED):
        raise OutsideResultNotExpected(state=state.value)


def outside_result(
    preset: RulePreset,
    items: Sequence[PollItem],
    sums: OutsideCount,
    *,
    budget_fen: int | None = None,
) -> Result:
    """The result of the certified sums under the rule, which binds there.

    Refuses with OutsideResultInvalid.
    """
    tallies = {
        item.number: {
            code: next((o.votes.get(code) for o in sums.items if o.number == item.number), None)
            or Count()
            for code in item.choices
        }
        for item in items
    }
    _check(preset, items, sums)
    participating = sums.valid
    if preset.invalid is InvalidBallots.PARTICIPATING:
        participating += sums.invalid
    return conclude(
        preset,
        items,
        tallies,
        eligible=sums.eligible,
        participating=participating,
        valid=sums.valid,
        invalid=sums.invalid,
        deemed=Count(),
        present=sums.present,
        budget_fen=budget_fen,
    )


def _check(preset: RulePreset, items: Sequence[PollItem], sums: OutsideCount) -> None:
    asked = {item.number: item for item in items}
    cast = sums.valid + sums.invalid
    numbers = [one.number for one in sums.items]
    if sorted(numbers) != sorted(asked):
        raise OutsideResultInvalid(problem="items")
    if cast.heads > sums.eligible.heads or cast.area_dm2 > sums.eligible.area_dm2:
        raise OutsideResultInvalid(problem="more_than_eligible")
    if preset.held_in_meeting != (sums.present is not None):
        raise OutsideResultInvalid(problem="present")
    if sums.present is not None and not cast.heads <= sums.present <= sums.eligible.heads:
        raise OutsideResultInvalid(problem="present")
    for one in sums.items:
        item = asked[one.number]
        if not one.votes.keys() <= set(item.choices):
            raise OutsideResultInvalid(problem="choices", item=one.number)
        every = [*one.votes.values(), sums.valid, sums.invalid, sums.eligible]
        if min(min(count.heads, count.area_dm2) for count in every) < 0:
            raise OutsideResultInvalid(problem="negative", item=one.number)
        total = sum(one.votes.values(), Count())
        exact = total == sums.valid
        bounded = all(
            count.heads <= sums.valid.heads and count.area_dm2 <= sums.valid.area_dm2
            for count in one.votes.values()
        )
        if not (exact if item.most == 1 else bounded):
            raise OutsideResultInvalid(problem="sums", item=one.number)
