"""Imports the events of every area, for those who must know each: the contract, the audience."""

from collections.abc import Iterator

from consultation.events import (
    community,
    deliberation,
    meetings,
    outcomes,
    oversight,
    people,
    polls,
    topics,
)
from consultation.events.event import Event

AREAS = (community, deliberation, meetings, outcomes, oversight, people, polls, topics)


def every_event() -> Iterator[type[Event]]:
    """All event classes that go to the journal, each with its own type."""
    waiting = list(Event.__subclasses__())
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        # A dataclass with slots is a second class; the first one lingers until it is collected.
        if kind.type and "__slots__" in vars(kind):
            yield kind
