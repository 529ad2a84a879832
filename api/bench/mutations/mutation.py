"""What a mutation is: a deed done to a pack, and the check that has to notice it."""

from collections.abc import Callable
from dataclasses import dataclass

from api.bench.forging import Forgery
from consultation.polls.pack import Edition

Deed = Callable[[Forgery], None]


@dataclass(frozen=True, slots=True)
class Mutation:
    name: str
    kind: str
    check: str
    deed: Deed
    edition: Edition


class Mutations(list[Mutation]):
    """What may be done to one part of a pack, in the order in which it is written down."""

    def noticed_by(
        self, check: str, kind: str = "owners-all-channels", *, edition: Edition = Edition.FULL
    ) -> Callable[[Deed], Deed]:
        """The deed below is to be noticed by ``check``, on a poll of this kind."""

        def note(deed: Deed) -> Deed:
            self.append(Mutation(deed.__name__, kind, check, deed, edition))
            return deed

        return note
