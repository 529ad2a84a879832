"""OBJECTIONS TO THE ROLL 名册异议: when they are filed, who rules, and what a correction does.
No I/O (domain 2.8, 4.1; trust A06, V07).

An upheld objection is the only thing that changes a roll after the announcement. It makes a new
version of the whole roll; the numbers of places that stay keep their voters, and a number is
never given to another place.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

from pydantic import Field, model_validator

from consultation.calendar import add_days
from consultation.polls.presets import Electorate, Frozen, RulePreset
from consultation.polls.rolls import NOBODY, Place
from consultation.polls.rules import PollState, RolledUnit
from consultation.refusals import AlreadyDone, Invalid, NotNow, NotPermitted


class RollObjectionKind(StrEnum):
    MISSING = "missing"  # I am not on the roll
    DOES_NOT_BELONG = "does_not_belong"
    WRONG_AREA = "wrong_area"
    WRONG_VOTER = "wrong_voter"  # of co-owners or a household, another was named


class RollObjectionState(StrEnum):
    OPEN = "open"
    UPHELD = "upheld"
    DISMISSED = "dismissed"


class RollDecision(StrEnum):
    UPHELD = "upheld"
    DISMISSED = "dismissed"


class RollNotOpenToObjections(NotNow):
    """Objections are filed in their days after the announcement, before the poll opens."""

    code = "roll-not-open-to-objections"


class RollObjectionFiled(AlreadyDone):
    """The same person filed another objection to the same place."""

    code = "roll-objection-filed"


class RollObjectionRuled(AlreadyDone):
    """The objection is ruled."""

    code = "roll-objection-ruled"


class RollRulingNeedsSecondPerson(NotPermitted):
    """Who proposes a ruling does not confirm it; who filed the objection, and whose place it is
    about or would change, does neither."""

    code = "roll-ruling-needs-second-person"


class RollRulingSuperseded(NotNow):
    """Another ruling was proposed since."""

    code = "roll-ruling-superseded"


class RollCorrectionInvalid(Invalid):
    """The correction does not fit the roll or the registers; ``problem`` says how."""

    code = "roll-correction-invalid"


# ---- filing and ruling --------------------------------------------------------------------------


def filing_ends(preset: RulePreset, announced_at: datetime, opens_at: datetime) -> datetime:
    """Exclusive: the end of the preset's last day of objections, or the opening."""
    return min(add_days(announced_at, preset.roll_objection_days), opens_at)


def check_filing(
    preset: RulePreset,
    state: PollState,
    *,
    announced_at: datetime | None,
    opens_at: datetime,
    now: datetime,
) -> None:
    open_ = state is PollState.ANNOUNCED and announced_at is not None
    if (
        not open_
        or not preset.roll_objection_days
        or now >= filing_ends(preset, announced_at or now, opens_at)
    ):
        raise RollNotOpenToObjections()


def ruling_due(preset: RulePreset, filed_at: datetime) -> datetime:
    """The end of the preset's last day for a ruling, also over holidays (村民委员会组织法 14): with
    the days of filing they fit into the notice, so that it is due before the poll opens."""
    return add_days(filed_at, preset.roll_ruling_days)


def is_overdue(due_at: datetime, ruled_at: datetime | None, *, now: datetime) -> bool:
    """Whether the ruling came late, or has not come and is late; ``due_at`` is already too late."""
    return (ruled_at or now) >= due_at


# ---- corrections --------------------------------------------------------------------------------


class CorrectionKind(StrEnum):
    ADD_VOTER = "add_voter"  # with their units, their household, or as a member
    SET_VOTER = "set_voter"  # of a place; without a person it has none and stays in the base
    SET_AREA = "set_area"  # of one unit
    REMOVE_PLACE = "remove_place"  # out of the base; never an owner's


class RollCorrection(Frozen):
    """What an upheld objection does. ``number`` is the place that it concerns; ``unit_ids`` are
    the units of a voter who is added, or the one unit whose ``area_dm2`` is set."""

    kind: CorrectionKind
    number: int | None = Field(default=None, ge=1)
    person_id: UUID | None = None
    household_id: UUID | None = None
    unit_ids: list[UUID] = Field(default_factory=list, max_length=50)
    area_dm2: int | None = Field(default=None, ge=1, le=10**9)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        needs_place = self.kind is not CorrectionKind.ADD_VOTER
        if needs_place != (self.number is not None):
            raise ValueError("every correction but an added voter names its place")
        if self.kind is CorrectionKind.ADD_VOTER and self.person_id is None:
            raise ValueError("a voter who is added is a person")
        if (self.kind is CorrectionKind.SET_AREA) != (self.area_dm2 is not None):
            raise ValueError("an area is set by set_area, and by nothing else")
        if self.kind is CorrectionKind.SET_AREA and len(self.unit_ids) != 1:
            raise ValueError("an area is that of one unit")
        return self


OWNERS = frozenset({Electorate.OWNERS, Electorate.OWNERS_IN_SCOPE})
HOUSEHOLDS = frozenset({Electorate.HOUSEHOLD_REPRESENTATIVES, Electorate.VILLAGER_HOUSEHOLDS})


def correct(
    electorate: Electorate,
    roll: Sequence[Place],
    correction: RollCorrection,
    *,
    masked_name: str,
    where: str,
    units: Mapping[UUID, RolledUnit],
    owned: Collection[UUID],
    homes: Collection[UUID],
    next_number: int,
) -> list[Place]:
    """The corrected roll. ``masked_name`` is of the person of the correction and ``where`` the
    place in words; ``units`` are those of the register that may be on this roll, by id; ``owned``
    are the ids of what the person owns or shares, and ``homes`` of the households that the person
    belongs to; ``next_number`` was never used.

    Refuses with RollCorrectionInvalid.
    """
    places = {place.number: place for place in roll}
    if correction.number is not None and correction.number not in places:
        raise RollCorrectionInvalid(problem="no_such_place")
    unknown = set(correction.unit_ids) - units.keys()
    if unknown:
        raise RollCorrectionInvalid(problem="unit_unknown")
    if electorate in OWNERS and correction.person_id is not None:
        _check_owner(places, correction, owned)
    if electorate in HOUSEHOLDS and correction.person_id is not None:
        _check_member(places, correction, homes)
    match correction.kind:
        case CorrectionKind.SET_VOTER:
            changed = _set_voter(places, correction, masked_name)
        case CorrectionKind.SET_AREA:
            changed = _set_area(places, correction)
        case CorrectionKind.REMOVE_PLACE:
            if electorate in OWNERS:
                raise RollCorrectionInvalid(problem="units_stay_in_the_base")
            changed = {n: place for n, place in places.items() if n != correction.number}
        case CorrectionKind.ADD_VOTER:
            changed = _add_voter(
                electorate, places, correction, masked_name, where, units, next_number
            )
    corrected = [changed[number] for number in sorted(changed)]
    if corrected == sorted(roll, key=lambda place: place.number):
        raise RollCorrectionInvalid(problem="nothing_changes")
    if not any(place.person_id for place in corrected):
        raise RollCorrectionInvalid(problem="nobody_left")
    return corrected


def check_ruling(
    before: Sequence[Place], after: Sequence[Place], *, number: int, ruled_by: UUID
) -> None:
    """A correction answers the objection to the place ``number`` (0: somebody is missing), and
    changes no place that whoever rules has or would have.

    Refuses with RollCorrectionInvalid or RollRulingNeedsSecondPerson.
    """
    old = {place.number: place for place in before}
    new = {place.number: place for place in after}
    changed = {n for n in old.keys() | new.keys() if old.get(n) != new.get(n)}
    if number and number not in changed:
        raise RollCorrectionInvalid(problem="another_place")
    concerned = {places[n].person_id for places in (old, new) for n in changed & places.keys()}
    if ruled_by in concerned:
        raise RollRulingNeedsSecondPerson()


def _check_owner(
    places: Mapping[int, Place], correction: RollCorrection, owned: Collection[UUID]
) -> None:
    """Owners vote: of the units that come to them, or of one of those of the place whose co-owners
    named them."""
    fits = {*correction.unit_ids} <= {*owned}
    if correction.number is not None:
        fits = any(unit.unit_id in owned for unit in places[correction.number].units)
    if not fits:
        raise RollCorrectionInvalid(problem="not_the_owner")


def _check_member(
    places: Mapping[int, Place], correction: RollCorrection, homes: Collection[UUID]
) -> None:
    """A household is represented by one of its own (domain 4.1)."""
    household = correction.household_id
    if correction.number is not None:
        household = places[correction.number].household_id
    if household is not None and household not in homes:
        raise RollCorrectionInvalid(problem="not_of_the_household")


def _set_voter(
    places: dict[int, Place], correction: RollCorrection, masked_name: str
) -> dict[int, Place]:
    assert correction.number is not None
    place, person = places[correction.number], correction.person_id
    if person is not None and _place_of(places, person) not in (None, place.number):
        raise RollCorrectionInvalid(problem="already_on_roll")
    return places | {place.number: _with_voter(place, person, masked_name)}


def _set_area(places: dict[int, Place], correction: RollCorrection) -> dict[int, Place]:
    assert correction.number is not None
    assert correction.area_dm2 is not None
    place, unit_id = places[correction.number], correction.unit_ids[0]
    if unit_id not in {unit.unit_id for unit in place.units}:
        raise RollCorrectionInvalid(problem="unit_elsewhere")
    units = tuple(
        unit.model_copy(update={"area_dm2": correction.area_dm2})
        if unit.unit_id == unit_id
        else unit
        for unit in place.units
    )
    return places | {place.number: _with_units(place, units)}


def _add_voter(
    electorate: Electorate,
    places: dict[int, Place],
    correction: RollCorrection,
    masked_name: str,
    where: str,
    units: Mapping[UUID, RolledUnit],
    next_number: int,
) -> dict[int, Place]:
    """Units come from where they stood: a place that is left without any is gone, one that keeps
    some is smaller. A voter who is on the roll already gets them added to their place."""
    person = correction.person_id
    assert person is not None
    known = _place_of(places, person)
    label = _label(where, masked_name)
    if electorate in OWNERS:
        if not correction.unit_ids:
            raise RollCorrectionInvalid(problem="units_missing")
        moved = [units[unit_id] for unit_id in correction.unit_ids]
        moved_ids = {unit.unit_id for unit in moved}
        left: dict[int, Place] = {}
        for number, place in places.items():
            kept = tuple(unit for unit in place.units if unit.unit_id not in moved_ids)
            if kept or number == known:
                left[number] = place if kept == place.units else _with_units(place, kept)
        mine = left.get(known or 0)
        if mine is None:
            mine = Place(number=next_number, label=label, person_id=person)
        all_units = tuple(sorted([*mine.units, *moved], key=lambda unit: unit.code))
        return left | {mine.number: _with_units(mine, all_units)}
    if correction.unit_ids:
        raise RollCorrectionInvalid(problem="units_not_asked")
    if known is not None:
        raise RollCorrectionInvalid(problem="already_on_roll")
    household = correction.household_id
    if (household is None) == (electorate in HOUSEHOLDS):
        raise RollCorrectionInvalid(problem="household")
    theirs = next((p for p in places.values() if household and p.household_id == household), None)
    if theirs is not None:
        return places | {theirs.number: _with_voter(theirs, person, masked_name)}
    place = Place(number=next_number, label=label, person_id=person, household_id=household)
    return places | {next_number: place}


def _place_of(places: Mapping[int, Place], person: UUID) -> int | None:
    return next((n for n, place in places.items() if place.person_id == person), None)


def _label(where: str, name: str) -> str:
    return f"{where} {name}".strip()[:60]


def _with_voter(place: Place, person: UUID | None, masked_name: str) -> Place:
    """The same place in words, and who votes there."""
    name = NOBODY if person is None else masked_name
    label = _label(place.label.rpartition(" ")[0], name)
    return replace(place, person_id=person, label=label)


def _with_units(place: Place, units: tuple[RolledUnit, ...]) -> Place:
    return replace(place, units=units, area_dm2=sum(unit.area_dm2 for unit in units))


# ---- whom it is about ---------------------------------------------------------------------------


class RollChange(StrEnum):
    JOINED = "joined"  # votes, or votes for more homes than before
    LEFT = "left"
    AREA = "area"


@dataclass(frozen=True, slots=True)
class Touched:
    """What a corrected roll did to one voter: the units that it is about, or the household; neither
    on a roll of people."""

    change: RollChange
    unit_codes: tuple[str, ...] = ()
    household_id: UUID | None = None


def touched(before: Sequence[Place], after: Sequence[Place]) -> dict[UUID, Touched]:
    """The voters whose place another version of the roll has otherwise, by person."""
    was = {place.person_id: place for place in before if place.person_id is not None}
    now = {place.person_id: place for place in after if place.person_id is not None}
    return {
        person: change
        for person in sorted(was.keys() | now.keys())
        if (change := _change(was.get(person), now.get(person))) is not None
    }


def _change(was: Place | None, now: Place | None) -> Touched | None:
    had = {} if was is None else {unit.unit_id: unit for unit in was.units}
    has = {} if now is None else {unit.unit_id: unit for unit in now.units}
    household = (now or was or Place(number=0, label="")).household_id
    if was is None or has.keys() - had.keys():
        return Touched(RollChange.JOINED, _codes(has, had), household)
    if now is None or had.keys() - has.keys():
        return Touched(RollChange.LEFT, _codes(had, has), household)
    other = {id: unit for id, unit in has.items() if unit != had[id]}
    return Touched(RollChange.AREA, _codes(other, {}), household) if other else None


def _codes(units: Mapping[UUID, RolledUnit], without: Mapping[UUID, RolledUnit]) -> tuple[str, ...]:
    return tuple(sorted(unit.code for id, unit in units.items() if id not in without))
