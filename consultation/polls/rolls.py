"""ROLLS: who is one voter. Pure: register rows in, numbered places on the roll out.

Heads and areas of owners follow the judicial interpretation on divided ownership, art. 9:

* A unit belongs to its *set of owners*. Units of the same set (a person with three homes, a couple
  with two) are one head with the sum of their areas.
* The voter of a set is its owner, or of co-owners the one they named; if a couple named different
  people for two homes, the name given for the first unit counts. Sets that share their voter are
  one head, for nobody votes twice.
* The developer's unsold units are one head together.
* A unit whose owner the register does not know, or whose co-owners named nobody, is a head of its
  own that counts in the base and cannot vote: a gap in the register never shrinks the base.

The places are numbered in the order of their first unit, household or name, so that the same
registers always give the same roll.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from consultation.calendar import local_day
from consultation.polls.rules import RolledUnit, digest


def reference_day(closes_at: datetime) -> date:
    """The last day of voting in Shanghai: who is of age on it is in the base (domain 4.1)."""
    return local_day(closes_at.replace(microsecond=0) - timedelta(microseconds=1))


@dataclass(frozen=True, slots=True)
class Owner:
    person_id: UUID
    masked_name: str
    named_voter: bool


@dataclass(frozen=True, slots=True)
class OwnedUnit:
    """A unit with all its owners; ``place`` is the building in words."""

    unit: RolledUnit
    place: str
    developer_unsold: bool
    owners: tuple[Owner, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """A voter who is one head without area: a household's representative, a member, a resident.
    ``person_id`` is null for a household that has named nobody."""

    person_id: UUID | None
    label: str
    household_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One place on the roll. ``label`` is masked (3幢 王*)."""

    number: int
    label: str
    person_id: UUID | None = None
    household_id: UUID | None = None
    area_dm2: int = 0
    units: tuple[RolledUnit, ...] = ()


@dataclass(slots=True)
class _Head:
    voter: Owner | None
    place: str
    units: list[RolledUnit]


def owners_roll(register: Iterable[OwnedUnit]) -> list[Place]:
    """One place per head of the units given, each unit once."""
    owned = sorted(register, key=lambda one: one.unit.code)
    sets: dict[frozenset[UUID] | str | UUID, _Head] = {}
    for one in owned:
        voter = _voter(one)
        if one.developer_unsold:
            key: frozenset[UUID] | str | UUID = "developer"
        elif voter is None and not one.owners:
            key = one.unit.unit_id
        else:
            key = frozenset(owner.person_id for owner in one.owners)
        head = sets.setdefault(key, _Head(voter=None, place=one.place, units=[]))
        head.voter = head.voter or voter
        head.units.append(one.unit)

    developer = sets.pop("developer", None)
    heads: list[_Head] = []
    by_voter: dict[UUID, _Head] = {}
    for head in sets.values():
        same = None if head.voter is None else by_voter.get(head.voter.person_id)
        if same is not None:
            same.units.extend(head.units)
            continue
        heads.append(head)
        if head.voter is not None:
            by_voter[head.voter.person_id] = head
    if developer is not None:
        if developer.voter is not None and developer.voter.person_id in by_voter:
            developer.voter = None  # votes for a home of their own; the developer must name another
        heads.append(developer)

    heads.sort(key=lambda head: min(unit.code for unit in head.units))
    return [
        Place(
            number=number,
            label=f"{head.place} {head.voter.masked_name if head.voter else NOBODY}"[:60],
            person_id=None if head.voter is None else head.voter.person_id,
            area_dm2=sum(unit.area_dm2 for unit in head.units),
            units=tuple(sorted(head.units, key=lambda unit: unit.code)),
        )
        for number, head in enumerate(heads, 1)
    ]


def of_heads(places: Iterable[Place]) -> list[Place]:
    """The same places without areas, for a rule that measures heads alone: there an area decides
    nothing, and its sums, beside a result that everybody sees, would tell who chose what."""
    return [replace(place, area_dm2=0) for place in places]


NOBODY = "—"


def _voter(one: OwnedUnit) -> Owner | None:
    """The only owner, or the one of the co-owners who is named; of two names neither counts."""
    if len(one.owners) == 1:
        return one.owners[0]
    named = [owner for owner in one.owners if owner.named_voter]
    return named[0] if len(named) == 1 else None


def members_roll(members: Iterable[Member]) -> list[Place]:
    """One place per member in the order given. A person who stands twice (a representative of two
    households) votes once; the second household counts in the base and cannot vote."""
    places: list[Place] = []
    seen: set[UUID] = set()
    for member in members:
        twice = member.person_id in seen
        if member.person_id is not None:
            seen.add(member.person_id)
        if twice and member.household_id is None:
            continue
        places.append(
            Place(
                number=len(places) + 1,
                label=member.label[:60],
                person_id=None if twice else member.person_id,
                household_id=member.household_id,
            )
        )
    return places


def roll_digest(places: Sequence[Place]) -> str:
    """SHA-256 over the canonical JSON of all places in the order of their numbers."""
    return digest(
        [
            [
                place.number,
                place.label,
                None if place.person_id is None else str(place.person_id),
                None if place.household_id is None else str(place.household_id),
                place.area_dm2,
                [[str(unit.unit_id), unit.code, unit.area_dm2] for unit in place.units],
            ]
            for place in sorted(places, key=lambda place: place.number)
        ]
    )
