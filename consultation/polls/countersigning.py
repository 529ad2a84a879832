"""COUNTERSIGNING 会签: the second person whom an entry names says so themselves. No I/O.

Who helped a voter, who came along to a door, who counted hands: one actor types these names. The
entry is recorded at once, and everybody it names is asked under their own login. Until all of them
have confirmed it the poll is not certified; who refuses says why, and then the entry is made anew
or the supervisor settles it (trust 1.3, row 3; domain 4.4). An answer is about the entry, never
about a choice, and touches no count.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from consultation.refusals import AlreadyDone, Invalid, NotFound, NotNow, NotPermitted


class CountersignSubject(StrEnum):
    """What is countersigned; ``number`` of an entry is, in this order, the voter's place on the
    roll, the form, and the number of the count."""

    ASSISTED = "assisted"
    HOME_VISIT = "home_visit"
    HANDS = "hands"


class CountersignAnswer(StrEnum):
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    SETTLED = "settled"  # the supervisor looked into it, and wrote down what was found


class CountersignState(StrEnum):
    """How far an entry is, by the answers of all whom it names."""

    WAITING = "waiting"
    REFUSED = "refused"
    CONFIRMED = "confirmed"
    SETTLED = "settled"


STANDS = frozenset({CountersignState.CONFIRMED, CountersignState.SETTLED})


class NotAskedToCountersign(NotPermitted):
    """Only who is named in an entry countersigns it."""

    code = "not-asked-to-countersign"


class CountersignAnswered(AlreadyDone):
    """An answer stands; another one would need a new entry or the supervisor."""

    code = "countersign-answered"


class CountersignReasonMissing(Invalid):
    """Who refuses, and who settles, writes down why."""

    code = "countersign-reason-missing"


class CountersignTooLate(NotNow):
    """The result is certified, or the poll is void."""

    code = "countersign-too-late"


class NothingToCountersign(NotFound):
    """No entry of that number names anybody."""

    code = "nothing-to-countersign"


class CountersignaturesMissing(NotNow):
    """Entries that name a second person are not confirmed; ``entries`` says which. Nobody signs
    the count before."""

    code = "countersignatures-missing"


@dataclass(frozen=True, slots=True)
class EntryKey:
    """``turn`` grows where the same place is entered again (1, 2, …)."""

    subject: CountersignSubject
    number: int
    turn: int


@dataclass(frozen=True, slots=True)
class Entry:
    key: EntryKey
    state: CountersignState


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to somebody. ``label`` is the masked place of who had help."""

    key: EntryKey
    label: str | None
    at: datetime
    answer: CountersignAnswer | None


def state_of(
    asked: Collection[UUID], answers: Mapping[UUID, CountersignAnswer]
) -> CountersignState:
    """``answers`` by person; a settlement is the supervisor's, who is not among those asked."""
    if CountersignAnswer.SETTLED in answers.values():
        return CountersignState.SETTLED
    if any(answers.get(person) is CountersignAnswer.REFUSED for person in asked):
        return CountersignState.REFUSED
    if all(answers.get(person) is CountersignAnswer.CONFIRMED for person in asked):
        return CountersignState.CONFIRMED
    return CountersignState.WAITING


def entries_of(
    asked: Iterable[tuple[EntryKey, UUID]],
    answers: Iterable[tuple[EntryKey, UUID, CountersignAnswer]],
) -> list[Entry]:
    """Every entry with its state, in the order of subject, number and turn."""
    people: dict[EntryKey, set[UUID]] = defaultdict(set)
    said: dict[EntryKey, dict[UUID, CountersignAnswer]] = defaultdict(dict)
    for key, person in asked:
        people[key].add(person)
    for key, person, answer in answers:
        said[key][person] = answer
    keys = sorted(people, key=lambda key: (key.subject.value, key.number, key.turn))
    return [Entry(key, state_of(people[key], said[key])) for key in keys]
