"""BARRED ACCOUNTS: who may bar whose account, and what that means for logging in.

A bar is technical: nobody logs in, and what was open ends. It takes no right away; who is barred
is still on every roll and may vote on paper.
"""

from collections.abc import Iterable

from consultation.community.rules import PersonUnknown
from consultation.refusals import AlreadyDone, NotPermitted


class AccountIsBarred(NotPermitted):
    """Nobody may log in to this account until the bar is lifted."""

    code = "account-barred"


class AccountElsewhere(NotPermitted):
    """The person is verified or holds an office also outside the actor's place."""

    code = "account-elsewhere"


class AccountAlreadyBarred(AlreadyDone):
    """The account is barred, or that is proposed."""

    code = "account-already-barred"


class BarAlreadyDecided(AlreadyDone):
    """The bar was confirmed, declined or withdrawn."""

    code = "bar-already-decided"


class BarAlreadyLifted(AlreadyDone):
    code = "bar-already-lifted"


def check_reach(place: str, *, known_at: Iterable[str], settled_at: Iterable[str]) -> None:
    """Whoever bars an account is set over every place where its person is verified or holds an
    office, and knows the person at all. All are paths in the tree; a claim of one's own, which
    nobody has verified, counts for being known and against nobody."""
    if any(not path.startswith(place) for path in settled_at):
        raise AccountElsewhere()
    if not any(path.startswith(place) for path in known_at):
        raise PersonUnknown()
