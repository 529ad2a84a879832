"""What the model knows of a poll that is driven at random: its voters, and what it must come to."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from uuid import UUID

from consultation.polls.counting import ItemResult
from consultation.polls.presets import BallotChannel, QuestionKind
from consultation.polls.rules import Option, PollItem, Verdict
from tests.consultation.polls.counting_cases import preset

MOTION = PollItem(number=1, text="同意方案")
CHOICE = PollItem(
    number=2,
    text="选位置",
    kind=QuestionKind.SINGLE_CHOICE,
    options=[Option(code="north", text="北门"), Option(code="south", text="南门")],
)
ELECTION = PollItem(
    number=2,
    text="选委员",
    kind=QuestionKind.ELECTION,
    options=[Option(code="a", text="甲"), Option(code="b", text="乙"), Option(code="c", text="丙")],
    most=2,
    seats=2,
)
PLAYS = {
    # preset: items, whether a voter may vote again, whether areas count
    "lift_scope_owners": ([MOTION], False, True),
    "civil278_general": ([MOTION, ELECTION], True, True),
    "household_poll": ([MOTION, CHOICE], False, False),
}
Choices = dict[str, list[str]]


@dataclass
class Voter:
    """What the model knows of one place: the casts in order, and the one that stands."""

    person_id: UUID
    area: int
    number: int = 0
    casts: int = 0
    stands: tuple[BallotChannel, Choices | None] | None = None
    form: bool = False


@dataclass
class Model:
    """What a poll of this preset must come to by what stands of its voters' casts."""

    name: str
    voters: list[Voter]

    def said(self, voter: Voter, number: int) -> list[str]:
        assert voter.stands is not None
        assert voter.stands[1] is not None
        return voter.stands[1][str(number)]

    def turnout_reached(self) -> bool:
        """As these presets mean it: an invalid ballot takes no part."""
        return self.quorum([voter for voter in self.voters if voter.stands and voter.stands[1]])

    def quorum(self, came: Sequence[Voter]) -> bool:
        return self._reaches(came, self.voters, preset(self.name).turnout[0].inclusive, {
            "lift_scope_owners": Fraction(2, 3), "civil278_general": Fraction(2, 3),
            "household_poll": Fraction(1, 2),
        }[self.name])  # fmt: skip

    def _reaches(
        self, some: Sequence[Voter], of: Sequence[Voter], inclusive: bool, share: Fraction
    ) -> bool:
        pairs = [(len(some), len(of))]
        if PLAYS[self.name][2]:
            pairs.append((sum(v.area for v in some), sum(v.area for v in of)))
        return all(
            part > 0 and (part >= share * whole if inclusive else part > share * whole)
            for part, whole in pairs
        )

    def check_motion(self, item: ItemResult, valid: Sequence[Voter]) -> None:
        agreed = [voter for voter in valid if self.said(voter, 1) == ["for"]]
        lift = self.name == "lift_scope_owners"
        passed = self._reaches(agreed, valid, lift, Fraction(3, 4) if lift else Fraction(1, 2))
        if not self.quorum(valid):
            assert item.verdict is Verdict.NO_QUORUM
        elif self.name == "household_poll":
            assert item.verdict is (Verdict.SUPPORTED if passed else Verdict.NOT_SUPPORTED)
        else:
            assert item.verdict is (Verdict.PASSED if passed else Verdict.NOT_PASSED)
