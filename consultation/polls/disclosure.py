"""DISCLOSURE: how much of a poll is shown to whom, so that nobody's choice follows from it. Pure.

Nothing of choices is shown to anybody before the close, and after it only the totals of the poll:
there is no breakdown by group, building or time, for choices or for turnout, and no query that
could make one (trust 5.2: rules 1 to 4 and 8 are kept by what does not exist). What is left are
two leaks, turnout while it grows and exact sums of areas.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from consultation.polls.presets import BallotMode, Measure, RulePreset
from consultation.polls.results import Count, ItemResult, Result, Step, ThresholdCheck

STEP_HEADS = 10
STEP_TIME = timedelta(hours=1)
FROZEN = timedelta(hours=1)
FEWEST_IN_A_CELL = 5


# ---- turnout before the close (trust 5.2, rule 6) -----------------------------------------------


def in_steps(preset: RulePreset, mode: BallotMode) -> bool:
    """Whether turnout moves in steps. In a named poll it may be exact: progress against the
    threshold is what people act on, and it says nothing of choices. In a confidential poll who
    watches the number would learn which envelope came when."""
    return mode is not BallotMode.NAMED or not preset.exact_turnout


def next_look(opens_at: datetime, closes_at: datetime, now: datetime) -> datetime | None:
    """When turnout may be shown next: each hour, and not any more in the last one."""
    at = max(opens_at, now) + STEP_TIME
    return at if at <= closes_at - FROZEN else None


def step(shown: Count, counted: Count) -> Count:
    """What is shown from now on: the present turnout, if at least ten people came since."""
    return counted if counted.heads - shown.heads >= STEP_HEADS else shown


def held_back(preset: RulePreset, mode: BallotMode) -> bool:
    """Whether the board of the open poll, which everybody reads, must not tell the turnout."""
    return not preset.live_turnout or in_steps(preset, mode)


def for_board(
    preset: RulePreset, mode: BallotMode, waiting: int, *, closes_at: datetime, now: datetime
) -> int:
    """How many of the recorded leaves that wait may go on the board of an open poll: its size says
    no more than the turnout that is shown. Where that moves in steps it grows by tens, and not in
    the last hour; where none is shown, nothing goes on before the close."""
    if not held_back(preset, mode):
        return waiting
    if not preset.live_turnout or now > closes_at - FROZEN:
        return 0
    return waiting - waiting % STEP_HEADS


# ---- sums of areas (rule 5) ---------------------------------------------------------------------


def hides_areas(preset: RulePreset) -> bool:
    """Whether the public gets areas as shares to 0.1 % only, and whether they reach what is asked:
    wherever areas count (trust 5.2, rule 5; decision 0029). Exact sums are for the roll, for who
    counts, and for the full pack."""
    return Measure.AREA in preset.measures


def without_areas(result: Result) -> Result:
    """The result for those who are not entitled to exact sums of areas: to 0.1 % of the whole, and
    none at all (0) in an item of which some answer has one to four ballots, because the others
    would give its sum away. What decides, ``reached``, stays. Steps that tell sums are left out.
    """
    whole = result.eligible.area_dm2

    def check(one: ThresholdCheck, *, hidden: bool = False) -> ThresholdCheck:
        if one.measure is Measure.HEADS:
            return one
        change = {n: per_mille(getattr(one, n), whole) for n in ("value", "base", "needed")}
        change["missing"] = max(0, change["needed"] - change["value"]) if not one.reached else 0
        return one.model_copy(update=change | ({"value": 0, "missing": 0} if hidden else {}))

    def rounded(one: Count, *, hidden: bool = False) -> Count:
        area = 0 if hidden else per_mille(one.area_dm2, whole)
        return one.model_copy(update={"area_dm2": area})

    def item(one: ItemResult) -> ItemResult:
        hidden = any(
            0 < cell.heads < FEWEST_IN_A_CELL
            for tally in one.tallies
            for cell in (tally.votes, tally.deemed)
        )
        tallies = [
            tally.model_copy(
                update={
                    "votes": rounded(tally.votes, hidden=hidden),
                    "deemed": rounded(tally.deemed, hidden=hidden),
                    "approval": [check(one, hidden=hidden) for one in tally.approval],
                }
            )
            for tally in one.tallies
        ]
        return one.model_copy(update={"tallies": tallies, "steps": _of_heads(one.steps)})

    def few(part: Count) -> bool:
        return 0 < part.heads < FEWEST_IN_A_CELL

    # who voted and who was silent together took part: of two that are shown the third follows
    either = few(result.valid) or few(result.deemed)
    return result.model_copy(
        update={
            "participating": rounded(result.participating, hidden=few(result.participating)),
            "valid": rounded(result.valid, hidden=either),
            "deemed": rounded(result.deemed, hidden=either),
            "invalid": rounded(result.invalid, hidden=few(result.invalid)),
            "turnout": [check(one) for one in result.turnout],
            "items": [item(one) for one in result.items],
            "steps": _of_heads(result.steps),
        }
    )


def _of_heads(steps: Sequence[Step]) -> list[Step]:
    return [step for step in steps if "_area_" not in step.key]


def per_mille(area: int, whole: int) -> int:
    """An area rounded half up to a thousandth of the whole, in 0.01 m²."""
    if whole == 0:
        return 0
    parts = (area * 2000 + whole) // (2 * whole)
    return (parts * whole + 500) // 1000
