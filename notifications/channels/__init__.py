"""The ways out of the house, as small ports: a letter goes in, and what became of it comes out."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from consultation.database import Transaction


class Outcome(StrEnum):
    """What became of a message. All but the first two and the last mean: not this way."""

    SENT = "sent"  # the provider took it over
    RETRY_LATER = "retry_later"  # nobody knows better than to try again
    NO_CREDIT = "no_credit"  # WeChat: the person allowed no more messages
    REFUSED = "refused"  # the person or the provider does not want it sent
    NOT_REACHABLE = "not_reachable"  # no account there, no phone
    FAULTY = "faulty"  # our own mistake: an operator must look


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to one person. ``dedupe_key`` is the same with every attempt. ``facts`` are what
    a template of the provider is filled with; ``title`` and ``text`` are Chinese. ``page`` is where
    in the client it leads, ``link`` the address that opens it from elsewhere, if there is one.
    ``phone`` is only there for channels that need it."""

    dedupe_key: str
    person_id: UUID
    template: str
    facts: Mapping[str, str | int | datetime]
    title: str
    text: str
    page: str
    phone: str | None = field(default=None, repr=False)
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """``reference`` is the provider's name of the message, if it gave one; ``error`` a code."""

    outcome: Outcome
    reference: str | None = None
    error: str | None = None


class Port(Protocol):
    async def reachable(self, tx: Transaction, people: Collection[UUID]) -> set[UUID]:
        """Those of these people for whom it is worth asking the provider; one statement at most."""
        ...

    async def send(self, letter: Letter) -> Sent:
        """Never raises for what a provider does or says."""
        ...

    async def taken_back(self, tx: Transaction, keys: Collection[str]) -> set[str]:
        """Those of these messages of which the provider said, after it had taken them over, that
        they did not arrive."""
        ...

    async def close(self) -> None: ...
