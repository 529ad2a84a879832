"""COUNTING: one pure function from preset, roll and ballots to a result. No I/O.

Everything that decides is an integer; fractions are compared by cross-multiplication, so that
exactly two thirds is two thirds. Abstaining is taking part, and is not agreeing (domain 4.4).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from consultation.polls.allocation import allocate
from consultation.polls.presets import Allocation, Base, Frozen, Measure, RulePreset, Threshold
from consultation.polls.rules import Choice, PollItem, Verdict, digest


class Funding(StrEnum):
    """Where an approved item of a budget allocation ended."""

    FUNDED = "funded"
    RESERVE = "reserve"  # approved, but the money did not last


class Count(Frozen):
    """Heads, and area in 0.01 m²."""

    heads: int = 0
    area_dm2: int = 0


class ThresholdCheck(Frozen):
    """One threshold applied: ``value`` of ``base`` against numerator/denominator."""

    measure: Measure
    of: Base
    value: int
    base: int
    numerator: int
    denominator: int
    inclusive: bool
    needed: int  # the least value that reaches it
    reached: bool


class ItemResult(Frozen):
    number: int
    votes_for: Count
    votes_against: Count
    abstentions: Count
    approval: list[ThresholdCheck]
    verdict: Verdict
    funding: Funding | None = None


class Result(Frozen):
    """The outcome of a count. Exact counts decide; percentages are for display only."""

    eligible: Count
    participating: Count
    present: int | None
    turnout: list[ThresholdCheck]
    quorum_reached: bool
    items: list[ItemResult]
    verdict: Verdict
    budget_left_fen: int | None = None


def result_digest(result: Result, *, poll_id: UUID, text_hash: str, roll_digest: str) -> str:
    """What tellers and supervisor sign: the count, bound to its poll, text and roll."""
    return digest(
        {
            "poll_id": str(poll_id),
            "text_hash": text_hash,
            "roll_digest": roll_digest,
            "result": result.model_dump(mode="json"),
        }
    )


@dataclass(frozen=True, slots=True)
class Vote:
    """A ballot as it is counted: whose place on the roll, and item number → codes."""

    voter: UUID
    choices: Mapping[str, Sequence[str]]


def count(
    preset: RulePreset,
    items: Sequence[PollItem],
    roll: Mapping[UUID, int],
    votes: Collection[Vote],
    *,
    present: int | None = None,
    budget_fen: int | None = None,
) -> Result:
    """Count. ``roll`` is the area in 0.01 m² of every place on the roll; ``present`` is how many
    of them attend, for a preset that is held in a meeting.

    The order of the votes makes no difference. A vote from outside the roll, two of one voter, or
    more votes than people present are faults of the caller: ValueError.
    """
    voters = {vote.voter for vote in votes}
    if len(voters) < len(votes):
        raise ValueError("two ballots of one voter")
    if not voters <= roll.keys():
        raise ValueError("a ballot of somebody who is not on the roll")
    if preset.held_in_meeting and (present is None or not len(votes) <= present <= len(roll)):
        raise ValueError("more ballots than people present, or more people than members")

    eligible = Count(heads=len(roll), area_dm2=sum(roll.values()))
    participating = _sum(votes, roll)
    came = Count(heads=present or 0) if preset.held_in_meeting else participating
    bases = {
        Base.ELIGIBLE: eligible,
        Base.MEMBERS: eligible,
        Base.PARTICIPATING: participating,
        Base.VOTES_CAST: participating,
        Base.PRESENT: came,
    }
    turnout = [check_threshold(threshold, came, bases) for threshold in preset.turnout]
    quorum = all(check.reached for check in turnout)
    counted = [_count_item(preset, item, votes, roll, bases, quorum=quorum) for item in items]
    left = None
    if preset.allocation is Allocation.BUDGET_IN_VOTE_ORDER:
        counted, left = _fund(items, counted, budget_fen or 0)
    return Result(
        eligible=eligible,
        participating=participating,
        present=present if preset.held_in_meeting else None,
        turnout=turnout,
        quorum_reached=quorum,
        items=counted,
        verdict=_overall(preset, [item.verdict for item in counted]),
        budget_left_fen=left,
    )


def turnout_progress(
    preset: RulePreset, eligible: Count, participating: Count
) -> list[ThresholdCheck]:
    """How far turnout has come, with what each threshold needs. Not for presets that are held in
    a meeting: there presence is turnout."""
    bases = {Base.ELIGIBLE: eligible, Base.MEMBERS: eligible, Base.PARTICIPATING: participating}
    return [check_threshold(threshold, participating, bases) for threshold in preset.turnout]


def check_threshold(
    threshold: Threshold, value: Count, bases: Mapping[Base, Count]
) -> ThresholdCheck:
    """Nothing is reached of a base of zero: at least one head, or 0.01 m², is always needed."""
    measured = _measure(value, threshold.measure)
    base = _measure(bases[threshold.of], threshold.measure)
    needed = max(1, least_reaching(threshold, base))
    return ThresholdCheck(
        **threshold.model_dump(),
        value=measured,
        base=base,
        needed=needed,
        reached=measured >= needed,
    )


def least_reaching(threshold: Threshold, base: int) -> int:
    """The least integer v with v × denominator ≥ base × numerator (> if the bound is strict)."""
    whole, rest = divmod(base * threshold.numerator, threshold.denominator)
    return whole if threshold.inclusive and not rest else whole + 1


def _count_item(
    preset: RulePreset,
    item: PollItem,
    votes: Collection[Vote],
    roll: Mapping[UUID, int],
    bases: Mapping[Base, Count],
    *,
    quorum: bool,
) -> ItemResult:
    def of(choice: Choice) -> Count:
        return _sum([v for v in votes if choice in v.choices[str(item.number)]], roll)

    votes_for = of(Choice.FOR)
    approval = [check_threshold(threshold, votes_for, bases) for threshold in preset.approval]
    return ItemResult(
        number=item.number,
        votes_for=votes_for,
        votes_against=of(Choice.AGAINST),
        abstentions=of(Choice.ABSTAIN),
        approval=approval,
        verdict=_verdict(preset, quorum, all(check.reached for check in approval)),
    )


def _verdict(preset: RulePreset, quorum: bool, reached: bool) -> Verdict:
    if not quorum:
        return Verdict.NO_QUORUM
    if not preset.approval:
        return Verdict.NOTED
    if preset.binding:
        return Verdict.PASSED if reached else Verdict.NOT_PASSED
    return Verdict.SUPPORTED if reached else Verdict.NOT_SUPPORTED


def _overall(preset: RulePreset, verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict that all items share; otherwise some passed and some did not."""
    if len(set(verdicts)) == 1:
        return verdicts[0]
    return Verdict.PARTLY_PASSED if preset.binding else Verdict.PARTLY_SUPPORTED


def _fund(
    items: Sequence[PollItem], counted: Sequence[ItemResult], budget_fen: int
) -> tuple[list[ItemResult], int]:
    approved = {
        item.number: (result.votes_for.heads, item.cost_fen or 0)
        for item, result in zip(items, counted, strict=True)
        if result.verdict is Verdict.PASSED
    }
    funded, left = allocate(approved, budget_fen)

    def place(number: int) -> Funding | None:
        if number not in approved:
            return None
        return Funding.FUNDED if number in funded else Funding.RESERVE

    return [r.model_copy(update={"funding": place(r.number)}) for r in counted], left


def _sum(votes: Collection[Vote], roll: Mapping[UUID, int]) -> Count:
    return Count(heads=len(votes), area_dm2=sum(roll[vote.voter] for vote in votes))


def _measure(count: Count, measure: Measure) -> int:
    return count.heads if measure is Measure.HEADS else count.area_dm2
