"""Why a command said no.

A refusal carries a stable ``code`` and plain ``facts``; the edge makes sentences of them in the
caller's language. Each area declares its own refusals in its ``rules.py``, as subclasses of one
of the five kinds. ``api/problems.py`` alone knows HTTP statuses, ``api/catalogue`` the words.
"""

from collections.abc import Iterator
from typing import ClassVar

Fact = str | int | bool | None | list[str] | list[dict[str, str]]


class Refusal(Exception):
    """Base of all refusals. ``facts`` must hold no personal data: clients show and log them."""

    code: ClassVar[str] = ""

    def __init__(self, **facts: Fact) -> None:
        self.facts = facts
        super().__init__(self.code, facts)


class NotFound(Refusal):
    """Unknown, or invisible to this actor: the two give the same answer."""

    code = "not-found"


class NotPermitted(Refusal):
    """The actor's role does not allow the deed here."""

    code = "not-permitted"


class NotNow(Refusal):
    """Allowed in principle, but not in this state or at this time."""

    code = "not-now"


class AlreadyDone(Refusal):
    """Somebody, perhaps the caller's own earlier request, has done it."""

    code = "already-done"


class Invalid(Refusal):
    """The content breaks a rule."""

    code = "invalid"


KINDS = (NotFound, NotPermitted, NotNow, AlreadyDone, Invalid)


def every_refusal() -> Iterator[type[Refusal]]:
    """All refusal classes that have been imported, each with its own code."""
    waiting = list(Refusal.__subclasses__())
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        if kind.code:
            yield kind
