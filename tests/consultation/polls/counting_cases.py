"""Shorthand for counts in tests: who voted what with how much area, and the named presets."""

from collections.abc import Sequence
from uuid import UUID

from consultation.polls.counting import Result, Vote, count
from consultation.polls.preset_files import presets
from consultation.polls.presets import RulePreset
from consultation.polls.rules import PollItem

ONE_ITEM = [PollItem(number=1, text="事项")]


def preset(name: str) -> RulePreset:
    return next(one for one in presets().values() if one.id == name)


def voter(index: int) -> UUID:
    return UUID(int=index + 1)


def tally(name: str, roll: Sequence[int], answers: str, *, present: int | None = None) -> Result:
    """Count one item. ``roll`` is the area of each voter in 0.01 m²; ``answers`` has a letter for
    each voter in order: f for, a against, o abstains, any other did not vote."""
    words = {"f": "for", "a": "against", "o": "abstain"}
    return count(
        preset(name),
        ONE_ITEM,
        {voter(index): area for index, area in enumerate(roll)},
        [
            Vote(voter=voter(index), choices={"1": [words[letter]]})
            for index, letter in enumerate(answers)
            if letter in words
        ],
        present=present,
    )


def spread(total: int, heads: int) -> list[int]:
    """``total`` as ``heads`` areas that differ by at most one."""
    whole, rest = divmod(total, heads)
    return [whole + (index < rest) for index in range(heads)]
