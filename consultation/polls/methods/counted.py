"""What every counting method starts from: one item with what each of its answers got."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from consultation.polls.presets import Base, RulePreset
from consultation.polls.results import Count, OptionTally, Step
from consultation.polls.rules import PollItem, Verdict
from consultation.polls.thresholds import check_threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """``cast`` has every choice of the item; ``deemed`` only those that silent voters follow."""

    preset: RulePreset
    item: PollItem
    bases: Mapping[Base, Count]
    quorum: bool
    cast: Mapping[str, Count]
    deemed: Mapping[str, Count]

    @property
    def options(self) -> list[str]:
        return [option.code for option in self.item.options]

    def tallies(self, approvable: Collection[str]) -> list[OptionTally]:
        """Each answer, with the approval thresholds applied to those that can be approved."""
        return [
            OptionTally(
                code=code,
                votes=votes,
                deemed=self.deemed.get(code, Count()),
                approval=[
                    check_threshold(threshold, votes + self.deemed.get(code, Count()), self.bases)
                    for threshold in (self.preset.approval if code in approvable else ())
                ],
            )
            for code, votes in self.cast.items()
        ]

    def leading(self) -> list[str]:
        """The options with most heads; none if nobody chose any."""
        most = max((self.cast[code].heads for code in self.options), default=0)
        return [code for code in self.options if most and self.cast[code].heads == most]

    def rank(self, code: str) -> tuple[int, int]:
        """More heads first; of equal heads more area, where the preset counts it."""
        votes = self.cast[code]
        return votes.heads, votes.area_dm2 if "area" in self.preset.measures else 0

    @property
    def undecided(self) -> Verdict | None:
        """The verdict that no method changes: without a quorum, or without a rule of approval."""
        if not self.quorum:
            return Verdict.NO_QUORUM
        return None if self.preset.approval else Verdict.NOTED

    def verdict(self, reached: bool) -> Verdict:
        if self.preset.binding:
            return Verdict.PASSED if reached else Verdict.NOT_PASSED
        return Verdict.SUPPORTED if reached else Verdict.NOT_SUPPORTED


def reaches(tally: OptionTally) -> bool:
    return all(check.reached for check in tally.approval)


def approval_steps(tally: OptionTally) -> list[Step]:
    """Each threshold of an answer: reached or missed, with what it had and what it needed."""
    return [
        Step(
            key=f"approval_{check.measure.value}_{'reached' if check.reached else 'missed'}",
            facts={
                "option": tally.code,
                "value": check.value,
                "needed": check.needed,
                "base": check.base,
            },
        )
        for check in tally.approval
    ]
