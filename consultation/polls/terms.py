"""THE TERMS OF A POLL: what may be put to the vote, by which preset, where and when. No I/O."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches

from consultation.calendar import add_days, local_day
from consultation.community.tables import NodeKind
from consultation.polls.drafts import PollDraft
from consultation.polls.objections import OWNERS
from consultation.polls.preset_files import presets, procedures
from consultation.polls.presets import (
    BallotMode,
    Electorate,
    QuestionKind,
    RulePreset,
    Verification,
)
from consultation.polls.rules import PollItem, PollState, check_open
from consultation.refusals import AlreadyDone, Invalid, NotNow, NotPermitted
from consultation.topics.states import Layer, State


class PollExists(AlreadyDone):
    """The topic's present round has a poll that is past its draft."""

    code = "poll-exists"


class UnknownPreset(Invalid):
    """No preset has this key, which names its edition (``household_poll@2026-01-01``); ``near`` are
    keys that look like it."""

    code = "unknown-preset"


class PresetNotEffective(NotNow):
    """The preset is not the law of the day of the announcement."""

    code = "preset-not-effective"


class PresetNotPlanned(Invalid):
    """The frozen plan of the topic names another preset."""

    code = "preset-not-planned"


class NoPollPlanned(NotNow):
    """The frozen plan of this round names no preset: it decides by consensus. A vote needs a plan
    that names its rule, which the next round can have."""

    code = "no-poll-planned"


class PollLayerMismatch(Invalid):
    """Owners' matters, assembly matters and consultation each have presets of their own: an
    opinion poll never "passes" what needs an owners' vote (domain 9.1)."""

    code = "poll-layer-mismatch"


class PollScopeInvalid(Invalid):
    """The electorate of the preset does not vote at that kind of place, or the place lies outside
    the topic."""

    code = "poll-scope-invalid"


class PollModeInvalid(Invalid):
    """The preset does not allow ballots of that mode."""

    code = "poll-mode-invalid"


class BallotModeNotBuilt(Invalid):
    """Secret ballots by blind credential have their place and are not built yet."""

    code = "ballot-mode-not-built"


class PollMeetingInvalid(Invalid):
    """The preset needs a meeting of this topic and round, or needs none."""

    code = "poll-meeting-invalid"


class PollWindowInvalid(Invalid):
    """Opening and closing do not keep the preset's window or notice."""

    code = "poll-window-invalid"


class PollTooEarly(NotNow):
    """The topic is not in a stage in which this can be done."""

    code = "poll-wrong-stage"


class PresetNotPolled(Invalid):
    """A procedure of several steps, or a hearing: its votes have presets of their own."""

    code = "preset-not-polled"


class PresetNeedsConfirmation(NotPermitted):
    """The numbers of a binding rule are to be confirmed: the second person must say that they
    compared them with the law in force."""

    code = "preset-needs-confirmation"


class RollNeedsConfirmation(NotPermitted):
    """The roll of adults is another than the people of age in the register of households: who is
    not verified is not on it, and the fewer they are the easier a bound is reached. Who announces
    says that they know ``on_roll`` beside ``adults`` (domain 4.1: confirmed by the committee)."""

    code = "roll-needs-confirmation"


class RollNotAvailable(NotNow):
    """No register of this community can make the roll of that electorate."""

    code = "roll-not-available"


class SecondPersonNeeded(NotPermitted):
    """Who drafts a poll does not announce it."""

    code = "poll-needs-second-person"


class EmptyRoll(Invalid):
    """Nobody could vote."""

    code = "empty-roll"


class PollNotServed(NotNow):
    """The preset asks that a share of the roll be served first; ``served`` of ``eligible`` are."""

    code = "poll-not-served"


class CannotExtend(NotNow):
    """One extension, announced before the original end, for turnout that is not reached yet."""

    code = "cannot-extend"


OPEN_TO_DRAFT = frozenset(
    {State.PREPARING, State.ANNOUNCED, State.DELIBERATING, State.OUTCOME_DRAFTING}
)
OPEN_TO_ANNOUNCE = OPEN_TO_DRAFT - {State.PREPARING}
"""From the frozen plan on: the preset must not change any more."""

_WHOLE_COMMUNITY = frozenset({NodeKind.COMMUNITY, NodeKind.VILLAGE})
_ANY_PLACE = frozenset(NodeKind) - {
    NodeKind.CITY,
    NodeKind.DISTRICT,
    NodeKind.SUBDISTRICT,
    NodeKind.TOWN,
}
PLACES: Mapping[Electorate, frozenset[NodeKind]] = {
    Electorate.OWNERS: frozenset({NodeKind.ESTATE}),
    Electorate.OWNERS_IN_SCOPE: frozenset({NodeKind.BUILDING, NodeKind.ENTRANCE}),
    Electorate.OWNERS_COMMITTEE: frozenset({NodeKind.ESTATE}),
    Electorate.ADULT_RESIDENTS: frozenset({NodeKind.COMMUNITY}),
    Electorate.HOUSEHOLD_REPRESENTATIVES: _ANY_PLACE,
    Electorate.GROUP_REPRESENTATIVES: frozenset({NodeKind.COMMUNITY}),
    Electorate.RESIDENTS_REPRESENTATIVES: frozenset({NodeKind.COMMUNITY}),
    Electorate.VILLAGERS: frozenset({NodeKind.VILLAGE}),
    Electorate.VILLAGER_HOUSEHOLDS: frozenset({NodeKind.VILLAGE}),
    Electorate.VILLAGERS_GROUP: frozenset({NodeKind.VILLAGERS_GROUP}),
    Electorate.VILLAGERS_REPRESENTATIVES: frozenset({NodeKind.VILLAGE}),
    Electorate.COUNCIL_MEMBERS: _WHOLE_COMMUNITY,
    Electorate.AFFECTED_PEOPLE: _ANY_PLACE,
    Electorate.OPEN_POLL: _WHOLE_COMMUNITY,
}
"""Where each electorate votes; party members nowhere."""
OF_WHOLE_COMMUNITY = frozenset(
    electorate for electorate, places in PLACES.items() if places <= _WHOLE_COMMUNITY
)
"""Who votes for the whole community, also on a topic that lies in one part of it."""


def find_preset(key: str) -> RulePreset:
    preset = presets().get(key)
    if preset is None:
        raise PresetNotPolled(preset=key) if key in procedures() else _unknown(key)
    return preset


NEAR = 5


def _unknown(key: str) -> UnknownPreset:
    """Names the editions of the rule that is meant, or else keys that are written alike."""
    known = [*presets(), *procedures()]
    name = key.partition("@")[0]
    editions = [one for one in known if one.partition("@")[0] == name]
    near = editions or get_close_matches(key, known, n=NEAR, cutoff=0)
    return UnknownPreset(preset=key, near=near)


def system_of_record(preset: RulePreset, draft: PollDraft) -> bool:
    """Votes of owners have lawful systems of their own in many cities; an assembly votes here, and
    so does the owners' committee, on which those rules are silent."""
    return preset.electorate not in OWNERS or draft.owners_system_of_record


def as_announced(preset: RulePreset, *, legal_system_of_record: bool) -> RulePreset:
    """The rule as it goes into the poll: indicative where this server's count is not the vote."""
    return preset if legal_system_of_record else preset.model_copy(update={"binding": False})


def check_preset(
    preset: RulePreset, *, layer: Layer | None, planned: str | None, plan_frozen: bool
) -> None:
    """The preset belongs to the topic's legal layer, and is the one that the frozen plan names."""
    if preset.layer is not layer:
        raise PollLayerMismatch(preset=preset.key, layer=None if layer is None else layer.value)
    if plan_frozen and planned is None:
        raise NoPollPlanned()
    if plan_frozen and preset.key != planned:
        raise PresetNotPlanned(preset=preset.key, planned=planned)


def check_effective(preset: RulePreset, now: datetime) -> None:
    """The edition of the rule must be in force on the day of the announcement."""
    if not preset.effective_on(local_day(now)):
        raise PresetNotEffective(preset=preset.key)


def check_scope(preset: RulePreset, kind: NodeKind, *, in_topic: bool) -> None:
    """``in_topic``: the place lies in or below the topic's, or is the community of an assembly."""
    places = PLACES[preset.electorate] & frozenset(preset.places or NodeKind)
    if kind not in places or not in_topic:
        raise PollScopeInvalid(electorate=preset.electorate.value, place=kind.value)


def check_mode(preset: RulePreset, mode: BallotMode | None) -> None:
    if mode is BallotMode.SECRET:
        raise BallotModeNotBuilt(mode=mode.value)
    if mode is not None and mode not in preset.modes:
        raise PollModeInvalid(mode=mode.value, allowed=[one.value for one in preset.modes])


def default_mode(preset: RulePreset, items: Sequence[PollItem]) -> BallotMode:
    """The preset's own first mode; but grades are given in confidence where the preset can
    (domain 4.4)."""
    grades = all(item.kind is QuestionKind.RATING for item in items)
    if grades and BallotMode.CONFIDENTIAL in preset.modes:
        return BallotMode.CONFIDENTIAL
    return preset.modes[0]


def closing(preset: RulePreset, opens_at: datetime, closes_at: datetime | None) -> datetime:
    """The close that was asked for, or after the preset's default window."""
    return closes_at or opens_at + timedelta(days=preset.window_days_default)


def check_window(preset: RulePreset, opens_at: datetime, closes_at: datetime) -> None:
    window = closes_at - opens_at
    shortest = timedelta(days=preset.window_days_min)
    if window <= timedelta(0) or not shortest <= window <= timedelta(days=preset.window_days_max):
        raise PollWindowInvalid(
            problem="window", least=preset.window_days_min, most=preset.window_days_max
        )


def check_notice(preset: RulePreset, opens_at: datetime, now: datetime) -> None:
    """The poll opens when its notice is over at the earliest: ``notice_days`` full days after the
    day of the announcement; at once if the preset asks for none."""
    earliest = add_days(now, preset.notice_days) if preset.notice_days else now
    if opens_at < earliest:
        raise PollWindowInvalid(
            problem="notice", least=preset.notice_days, earliest=earliest.isoformat()
        )


def check_late_opening(preset: RulePreset, closes_at: datetime, now: datetime) -> None:
    """A poll that a person opens after its hour must still be open as long as the preset asks."""
    if now >= closes_at or closes_at - now < timedelta(days=preset.window_days_min):
        raise PollWindowInvalid(
            problem="window", least=preset.window_days_min, most=preset.window_days_max
        )


LATE = timedelta(hours=1)
"""By as much the system may be late without anybody asking why."""


def is_too_late_to_open(
    preset: RulePreset, *, opens_at: datetime, closes_at: datetime, now: datetime
) -> bool:
    """The system was down when the hour came, for so long that what is left of the window is less
    than the preset asks: then it opens the poll as little as a person may."""
    short = closes_at - now < timedelta(days=preset.window_days_min)
    return short and now - opens_at > LATE


def check_served(preset: RulePreset, *, served: int, eligible: int) -> None:
    """As many of the roll have been told as the preset asks, counted on the whole roll: a place
    whose voter nobody knows must be served at the door, or stays unserved (domain 4.4)."""
    if preset.served_min is None:
        return
    numerator, denominator = map(int, preset.served_min.split("/"))
    if served * denominator < eligible * numerator:
        needed = -(-eligible * numerator // denominator)
        raise PollNotServed(served=served, eligible=eligible, needed=needed)


def warnings(preset: RulePreset) -> list[str]:
    """Codes of what the drafting person must know; the words stand in the catalogue."""
    if preset.binding and preset.verification is Verification.TO_CONFIRM:
        return ["preset_to_confirm"]
    return []


def check_confirmed(preset: RulePreset, *, confirmed: bool) -> None:
    if warnings(preset) and not confirmed:
        raise PresetNeedsConfirmation(preset=preset.key)


def check_roll_confirmed(on_roll: int, adults: int | None, *, confirmed: int | None) -> None:
    """``confirmed``: the number on the roll that who announces saw."""
    if adults is not None and on_roll != adults and confirmed != on_roll:
        raise RollNeedsConfirmation(on_roll=on_roll, adults=adults)


def last_close(
    preset: RulePreset,
    *,
    state: PollState,
    extensions: int,
    opens_at: datetime,
    closes_at: datetime,
) -> datetime:
    """The latest hour to which the close of a poll that has opened can still be moved."""
    if state is not PollState.OPEN or extensions >= preset.extensions:
        return closes_at
    return max(closes_at, opens_at + timedelta(days=preset.window_days_max))


def check_extension(
    preset: RulePreset,
    *,
    state: PollState,
    extensions: int,
    opens_at: datetime,
    closes_at: datetime,
    new_closes_at: datetime,
    turnout_reached: bool,
    now: datetime,
) -> None:
    """Once, before the original end, for turnout only (domain 4.4); nobody has seen a choice."""
    check_open(state, closes_at, now)
    problem = None
    if extensions >= preset.extensions:
        problem = "no_extension_left"
    elif turnout_reached:
        problem = "turnout_reached"
    if problem is not None:
        raise CannotExtend(problem=problem)
    if new_closes_at <= closes_at:
        raise PollWindowInvalid(
            problem="window", least=preset.window_days_min, most=preset.window_days_max
        )
    check_window(preset, opens_at, new_closes_at)
