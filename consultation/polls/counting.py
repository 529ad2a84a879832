"""COUNTING: one pure function from preset, items, roll and votes to a result. No I/O.

This text and those of ``results``, ``thresholds`` and ``methods`` say all that a re-count needs.

1. *Votes.* A vote is valid (has choices), invalid (has none) or deemed (a silent voter; only under
   ``silent = deemed_majority``). Two votes of one place, a vote from outside the roll, more votes
   than places, an unknown code or an unanswered item are faults of the caller: ValueError. Hands
   counted without names (``HandTotals``) are valid votes of one head and no area; they are for
   meetings, for presets that count heads alone, for items with one answer each, and never beside
   ballots: nobody could tell who voted twice.
2. *Weights.* A place is one head and its area. All sums are integers.
3. *Bases.* eligible = members = the whole roll. participating = valid + deemed, + invalid where
   ``preset.invalid`` is participating. votes_cast = valid + invalid (+ hands), never deemed.
   present = the ``present`` heads of a preset held in a meeting.
4. *A threshold* is reached when value × denominator ≥ base × numerator (> when strict), and value
   ≥ 1. The value of turnout is participating, or present when held in a meeting. The quorum is
   reached when every turnout threshold is (with none, always). Its value of approval is the votes
   of the answer, deemed ones included.
5. *Deemed votes* of a motion follow the majority of the valid ones: "for" if it has more than
   "against" in every measure of the preset, "against" if that has, else "abstain".
6. *Verdict of an item*: no_quorum without a quorum; noted when the preset has no approval
   thresholds, and of a rating; else what the method of its kind says (``methods``): passed or
   not_passed (an election may be partly_passed); supported, partly_supported or not_supported if
   the preset is not binding.
7. *Verdict of the poll*: that of its items, leaving out noted ones if there are others; if they
   differ, partly_passed (partly_supported).
8. *Money*: under ``budget_in_vote_order``, ``methods.budget`` runs over the items that passed.

The order of votes makes no difference. Abstaining is taking part, and is not agreeing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

from consultation.polls.methods import METHODS, budget, motion
from consultation.polls.methods.counted import Counted
from consultation.polls.presets import Allocation, Base, InvalidBallots, Measure, RulePreset, Silent
from consultation.polls.results import (
    Count,
    Funding,
    HandTotals,
    ItemResult,
    OptionTally,
    Result,
    Step,
    ThresholdCheck,
    Vote,
)
from consultation.polls.rules import PollItem, Verdict, digest
from consultation.polls.thresholds import check_threshold, least_reaching, turnout_progress

__all__ = [
    "Count",
    "Funding",
    "HandTotals",
    "ItemResult",
    "OptionTally",
    "Result",
    "Step",
    "ThresholdCheck",
    "Vote",
    "check_threshold",
    "conclude",
    "count",
    "least_reaching",
    "result_digest",
    "turnout_progress",
]


def result_digest(
    result: Result, *, poll_id: UUID, text_hash: str, roll_digest: str, salt: bytes | None
) -> str:
    """What tellers and supervisor sign: the count, bound to its poll, text and roll. The public
    edition of a pack names it and withholds areas: without a salt whoever knows the homes could try
    out which of them stands behind a sum."""
    signed = {
        "poll_id": str(poll_id),
        "text_hash": text_hash,
        "roll_digest": roll_digest,
        "result": result.model_dump(mode="json"),
    }
    return digest(signed if salt is None else {**signed, "salt": salt.hex()})


def count(
    preset: RulePreset,
    items: Sequence[PollItem],
    roll: Mapping[UUID, int],
    votes: Collection[Vote],
    *,
    present: int | None = None,
    budget_fen: int | None = None,
    hands: HandTotals | None = None,
) -> Result:
    """Count, as the module says. ``roll`` is the area in 0.01 m² of every place on the roll;
    ``present`` is how many of them attend, for a preset that is held in a meeting."""
    _check_votes(preset, items, roll, votes, hands, present)
    by_hand = Count(heads=hands.heads if hands else 0)
    valid = _sum((vote for vote in votes if vote.choices is not None), roll) + by_hand
    invalid = _sum((v for v in votes if v.choices is None and not v.deemed), roll)
    deemed = _sum((vote for vote in votes if vote.deemed), roll)
    eligible = Count(heads=len(roll), area_dm2=sum(roll.values()))
    participating = valid + deemed
    if preset.invalid is InvalidBallots.PARTICIPATING:
        participating += invalid
    return conclude(
        preset,
        items,
        {item.number: _tally(item, roll, votes, hands) for item in items},
        eligible=eligible,
        participating=participating,
        valid=valid,
        invalid=invalid,
        deemed=deemed,
        by_hand=by_hand.heads,
        present=present,
        budget_fen=budget_fen,
    )


def conclude(
    preset: RulePreset,
    items: Sequence[PollItem],
    tallies: Mapping[int, Mapping[str, Count]],
    *,
    eligible: Count,
    participating: Count,
    valid: Count,
    invalid: Count,
    deemed: Count,
    by_hand: int = 0,
    present: int | None = None,
    budget_fen: int | None = None,
) -> Result:
    """The result that follows from sums: ``tallies`` is item number → code → what it got."""
    came = Count(heads=present or 0) if preset.held_in_meeting else participating
    bases = {
        Base.ELIGIBLE: eligible,
        Base.MEMBERS: eligible,
        Base.PARTICIPATING: participating,
        Base.VOTES_CAST: valid + invalid,
        Base.PRESENT: came,
    }
    turnout = [check_threshold(threshold, came, bases) for threshold in preset.turnout]
    quorum = all(check.reached for check in turnout)

    counted = []
    for item in items:
        cast = tallies[item.number]
        follows = motion.majority(cast, preset.measures) if deemed.heads else None
        counted.append(
            METHODS[item.kind](
                Counted(
                    preset=preset,
                    item=item,
                    bases=bases,
                    quorum=quorum,
                    cast=cast,
                    deemed={} if follows is None else {follows: deemed},
                )
            )
        )
    left, steps = None, [_turnout_step(check) for check in turnout]
    if preset.allocation is Allocation.BUDGET_IN_VOTE_ORDER:
        counted, left, funding = budget.fund(items, counted, budget_fen or 0)
        steps += funding
    return Result(
        eligible=eligible,
        participating=participating,
        valid=valid,
        invalid=invalid,
        deemed=deemed,
        by_hand=by_hand,
        present=present if preset.held_in_meeting else None,
        turnout=turnout,
        quorum_reached=quorum,
        items=counted,
        verdict=_overall(preset, [item.verdict for item in counted]),
        budget_left_fen=left,
        steps=steps,
    )


def _check_votes(
    preset: RulePreset,
    items: Sequence[PollItem],
    roll: Mapping[UUID, int],
    votes: Collection[Vote],
    hands: HandTotals | None,
    present: int | None,
) -> None:
    linked = [vote.voter for vote in votes if vote.voter is not None]
    if len(set(linked)) < len(linked):
        raise ValueError("two ballots of one voter")
    if not roll.keys() >= set(linked):
        raise ValueError("a ballot of somebody who is not on the roll")
    if any(vote.deemed and vote.choices is not None for vote in votes):
        raise ValueError("a deemed ballot says nothing itself")
    if preset.silent is not Silent.DEEMED_MAJORITY and any(vote.deemed for vote in votes):
        raise ValueError("silence means nothing under this preset")
    cast = len(votes)
    if hands is not None:
        if votes:
            raise ValueError("a vote is counted by hands or by ballots, not by both")
        cast += hands.heads
        _check_hands(preset, items, hands)
    if cast > len(roll):
        raise ValueError("more ballots than places on the roll")
    if preset.held_in_meeting and (present is None or not cast <= present <= len(roll)):
        raise ValueError("more ballots than people present, or more people than members")


def _check_hands(preset: RulePreset, items: Sequence[PollItem], hands: HandTotals) -> None:
    if not preset.held_in_meeting:
        raise ValueError("hands are raised in a meeting")
    if preset.measures != [Measure.HEADS] or any(item.most > 1 for item in items):
        raise ValueError("hands are counted where heads alone decide, with one answer each")
    if set(hands.items) != {str(item.number) for item in items}:
        raise ValueError("hands of every item, and of no other")
    for item in items:
        shown = hands.items[str(item.number)]
        if not set(shown) <= set(item.choices) or min(shown.values(), default=0) < 0:
            raise ValueError("hands for something that was not asked")
        if sum(shown.values()) != hands.heads:
            raise ValueError("the hands of an item do not sum up to those who took part")


def _tally(
    item: PollItem, roll: Mapping[UUID, int], votes: Collection[Vote], hands: HandTotals | None
) -> dict[str, Count]:
    """What each answer to the item got in ballots and hands, in the order of its choices."""
    number = str(item.number)
    heads = dict.fromkeys(item.choices, 0)
    area = dict.fromkeys(item.choices, 0)
    for vote in votes:
        if vote.choices is None:
            continue
        codes = vote.choices.get(number, ())
        if not 1 <= len(codes) <= item.most or not heads.keys() >= set(codes):
            raise ValueError(f"a ballot without a proper answer to item {number}")
        weight = _area(vote, roll)
        for code in codes:
            heads[code] += 1
            area[code] += weight
    if hands is not None:
        for code, shown in hands.items[number].items():
            heads[code] += shown
    return {code: Count(heads=heads[code], area_dm2=area[code]) for code in heads}


def _turnout_step(check: ThresholdCheck) -> Step:
    return Step(
        key=f"turnout_{check.measure.value}_{'reached' if check.reached else 'missed'}",
        facts={"value": check.value, "needed": check.needed, "base": check.base},
    )


def _overall(preset: RulePreset, verdicts: Sequence[Verdict]) -> Verdict:
    said = {one for one in verdicts if one is not Verdict.NOTED} or {Verdict.NOTED}
    if len(said) == 1:
        return said.pop()
    return Verdict.PARTLY_PASSED if preset.binding else Verdict.PARTLY_SUPPORTED


def _sum(votes: Iterable[Vote], roll: Mapping[UUID, int]) -> Count:
    areas = [_area(vote, roll) for vote in votes]
    return Count(heads=len(areas), area_dm2=sum(areas))


def _area(vote: Vote, roll: Mapping[UUID, int]) -> int:
    return vote.area_dm2 if vote.voter is None else roll[vote.voter]
