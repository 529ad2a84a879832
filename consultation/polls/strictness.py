"""STRICTNESS: a place may ask more than the law, never less (domain 2.6). Pure."""

from collections.abc import Callable, Sequence
from fractions import Fraction

from consultation.polls.presets import (
    BallotChannel,
    BallotMode,
    Base,
    Revote,
    RulePreset,
    Threshold,
)

_SAME = (
    "id",
    "layer",
    "electorate",
    "measures",
    "allocation",
    "held_in_meeting",
    "silent",
    "invalid",
    "verification",
    "runoff_of",
    "others_with_interest",
)
"""What makes a rule this rule. How sure the product is of it is not for a place to raise."""
_NOT_LESS = (
    "window_days_min",
    "window_days_default",
    "notice_days",
    "objection_days",
    "roll_objection_days",
    "sample_min",
)
_NOT_MORE = ("window_days_max", "extensions", "roll_ruling_days")
_ONLY_FEWER = ("questions", "modes", "channels")
_NOT_SWITCHED_ON = ("binding", "live_turnout", "exact_turnout", "may_deem")


def stricter(base: RulePreset, local: RulePreset) -> bool:
    """Whether ``local`` asks at least as much as ``base`` in everything."""
    return not looser(base, local)


def looser(base: RulePreset, local: RulePreset) -> list[str]:
    """The fields in which ``local`` asks less than ``base``, or is another rule."""
    found = [name for name in _SAME if getattr(local, name) != getattr(base, name)]
    found += [name for name in _NOT_LESS if getattr(local, name) < getattr(base, name)]
    found += [name for name in _NOT_MORE if getattr(local, name) > getattr(base, name)]
    found += [name for name in _ONLY_FEWER if not {*getattr(local, name)} <= {*getattr(base, name)}]
    found += [n for n in _NOT_SWITCHED_ON if getattr(local, n) and not getattr(base, n)]
    found += [name for name, asks_less in _OTHERS.items() if asks_less(base, local)]
    return sorted(found)


def _covered(base: Sequence[Threshold], local: Sequence[Threshold]) -> bool:
    """Every threshold of the base is met by whoever meets those of the place."""
    return all(any(_implies(one, threshold) for one in local) for threshold in base)


_WHOLE = frozenset({Base.ELIGIBLE, Base.MEMBERS})


def _implies(local: Threshold, base: Threshold) -> bool:
    """Reaching ``local`` is reaching ``base``. A share of the whole roll is at least the same share
    of those who came."""
    if local.measure is not base.measure or (local.of is not base.of and local.of not in _WHOLE):
        return False
    mine = local.numerator * base.denominator
    theirs = base.numerator * local.denominator
    return mine > theirs or (mine == theirs and (base.inclusive or not local.inclusive))


def _ends_later(base: RulePreset, local: RulePreset) -> bool:
    return base.effective_to is not None and (
        local.effective_to is None or local.effective_to > base.effective_to
    )


def _serves_fewer(base: RulePreset, local: RulePreset) -> bool:
    def share(preset: RulePreset) -> Fraction:
        return Fraction(preset.served_min or "0")

    return share(local) < share(base)


def _recounts_less(base: RulePreset, local: RulePreset) -> bool:
    if base.recount is None:
        return False
    if local.recount is None or local.recount.ballots < base.recount.ballots:
        return True
    return Fraction(local.recount.share) < Fraction(base.recount.share)


def _elsewhere(base: RulePreset, local: RulePreset) -> bool:
    """A wider or another place has other voters: a rule may be kept to fewer kinds of place."""
    return bool(base.places) and not (local.places and {*local.places} <= {*base.places})


def _less_secret(base: RulePreset, local: RulePreset) -> bool:
    """Where the law lets voters be unnamed, or has it so unless it is asked otherwise, a place does
    not take that away."""
    sealed = BallotMode.CONFIDENTIAL
    if base.modes[0] is sealed:
        return local.modes[0] is not sealed
    return sealed in base.modes and sealed not in local.modes


def _without_paper(base: RulePreset, local: RulePreset) -> bool:
    """A vote on the phone runs together with one in writing (domain 2.5, 9.9)."""
    return BallotChannel.PAPER in base.channels and BallotChannel.PAPER not in local.channels


_OTHERS: dict[str, Callable[[RulePreset, RulePreset], bool]] = {
    "version": lambda base, local: local.version <= base.version,
    "effective_from": lambda base, local: local.effective_from <= base.effective_from,
    "effective_to": _ends_later,
    "turnout": lambda base, local: not _covered(base.turnout, local.turnout),
    "approval": lambda base, local: (
        not _covered(base.approval, local.approval) or bool(local.approval) != bool(base.approval)
    ),  # an opinion poll must not begin to "pass"
    "revote": lambda base, local: base.revote is Revote.NONE and local.revote is not Revote.NONE,
    "proxies.max_principals": lambda base, local: (
        local.proxies.max_principals > base.proxies.max_principals
    ),
    "proxies.relatives_only": lambda base, local: (
        base.proxies.relatives_only and not local.proxies.relatives_only
    ),
    "proxies.instructions_binding": lambda base, local: (
        base.proxies.instructions_binding and not local.proxies.instructions_binding
    ),
    "proxies.holder_on_roll": lambda base, local: (
        base.proxies.holder_on_roll and not local.proxies.holder_on_roll
    ),
    "modes.confidential": _less_secret,
    "channels.paper": _without_paper,
    "contested": lambda base, local: base.contested and not local.contested,
    "served_min": _serves_fewer,
    "recount": _recounts_less,
    "places": _elsewhere,
    "conditions": lambda base, local: not {*base.conditions} <= {*local.conditions},
}

FREE = frozenset(
    {"name_zh", "name_en", "legal_basis", "note_zh", "duplicates", "area_includes_parking"}
)
"""What a place may say otherwise: none of it is more or less than the law."""

JUDGED = frozenset(
    {*_SAME, *_NOT_LESS, *_NOT_MORE, *_ONLY_FEWER, *_NOT_SWITCHED_ON}
    | {name.partition(".")[0] for name in _OTHERS}
)
"""Every other field of a preset."""
