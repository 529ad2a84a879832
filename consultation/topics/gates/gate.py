"""What a gate is, and how it refuses."""

from collections.abc import Callable

from consultation.refusals import NotNow
from consultation.topics.facts import TopicFacts


class GateNotMet(NotNow):
    """A precondition of the step does not hold yet; ``missing`` says what is lacking."""

    code = "gate-not-met"


Gate = Callable[[TopicFacts], None]


def require(gate: str, **conditions: bool) -> None:
    missing = sorted(name for name, met in conditions.items() if not met)
    if missing:
        raise GateNotMet(gate=gate, missing=missing)
