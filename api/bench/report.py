"""The common shape of every bench: figures of single runs, medians of ratios, goals.

``{bench, runs, goals: [{name, ratio, goal, ok}], figures}``. ``figures`` holds, by side and by
measure, the value of every run and their median; whatever does not repeat stands there as it is.
"""

import json
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

Number = int | float


@dataclass(frozen=True, slots=True)
class Goal:
    """``ratio`` is to be at least ``goal``, or at most for what is to be small."""

    name: str
    ratio: float
    goal: float
    ok: bool


@dataclass(slots=True)
class Report:
    """What one bench has measured. ``note`` after each turn of each side; then ``reach``."""

    bench: str
    runs: int
    goals: list[Goal] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    _turns: dict[str, dict[str, list[Number]]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return all(goal.ok for goal in self.goals)

    def note(self, side: str, **measures: Number) -> None:
        """What one turn of one side gave."""
        for name, value in measures.items():
            self._turns.setdefault(side, {}).setdefault(name, []).append(value)

    def median(self, side: str, measure: str) -> float:
        """KeyError for what was never noted."""
        return float(statistics.median(self._turns[side][measure]))

    def at_least(self, name: str, ratio: float, goal: float) -> None:
        self.goals.append(Goal(name, ratio, goal, ratio >= goal))

    def at_most(self, name: str, ratio: float, goal: float) -> None:
        self.goals.append(Goal(name, ratio, goal, ratio <= goal))

    def compare(self, name: str, ours: str, theirs: str, measure: str, *, least: float) -> None:
        """Our rate over theirs is to be at least so much: the median over the turns, in each of
        which the two stood side by side, so that a slow minute of the machine is in both."""
        pairs = zip(self._turns[ours][measure], self._turns[theirs][measure], strict=True)
        self.at_least(name, float(statistics.median(a / b for a, b in pairs)), least)

    def document(self) -> dict[str, Any]:
        turns: Mapping[str, Any] = {
            side: {
                name: {
                    "median": _short(statistics.median(values)),
                    "runs": list(map(_short, values)),
                }
                for name, values in measures.items()
            }
            for side, measures in self._turns.items()
        }
        goals = [asdict(goal) | {"ratio": _short(goal.ratio)} for goal in self.goals]
        return {
            "bench": self.bench,
            "runs": self.runs,
            "goals": goals,
            "figures": {**turns, **self.figures},
        }

    def as_json(self) -> str:
        return json.dumps(self.document(), ensure_ascii=False)

    def lines(self) -> list[str]:
        """For people: one line per measure and per goal."""
        told = [f"{self.bench}: {self.runs} runs, medians"]
        for side, measures in self._turns.items():
            told += [
                f"  {side:<28} {name:<28} {_short(statistics.median(values))}"
                for name, values in measures.items()
            ]
        told += [f"  {name}: {value}" for name, value in self.figures.items()]
        told += [
            f"{'✓' if goal.ok else '✗'} {goal.name}: {_short(goal.ratio)} (goal {goal.goal})"
            for goal in self.goals
        ]
        return told


def _short(value: Number) -> Number:
    """Four digits are more than any run can promise."""
    return value if isinstance(value, int) else float(f"{value:.4g}")
