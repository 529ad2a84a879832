"""COUNTING METHODS, one file each: from what every answer of an item got to its result. Pure."""

from collections.abc import Callable, Mapping

from consultation.polls.methods import election, motion, multiple_choice, rating, single_choice
from consultation.polls.methods.counted import Counted
from consultation.polls.presets import QuestionKind
from consultation.polls.results import ItemResult

METHODS: Mapping[QuestionKind, Callable[[Counted], ItemResult]] = {
    QuestionKind.MOTION: motion.decide,
    QuestionKind.SINGLE_CHOICE: single_choice.decide,
    QuestionKind.MULTIPLE_CHOICE: multiple_choice.decide,
    QuestionKind.ELECTION: election.decide,
    QuestionKind.RATING: rating.decide,
}
