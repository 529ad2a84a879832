"""MANDATES: a voter's written word that another person votes for them. No I/O (domain 4.4)."""

from datetime import datetime
from enum import StrEnum

from consultation.polls.presets import BallotChannel, BallotMode, Electorate, RulePreset
from consultation.refusals import AlreadyDone, Invalid, NotNow, NotPermitted


class MandateRelation(StrEnum):
    """What the holder is to the principal: a close relative (民法典 1045), or another."""

    SPOUSE = "spouse"
    PARENT = "parent"
    CHILD = "child"
    SIBLING = "sibling"
    GRANDPARENT = "grandparent"
    GRANDCHILD = "grandchild"
    OTHER = "other"


class MandateState(StrEnum):
    REGISTERED = "registered"
    USED = "used"  # the holder's ballot stands
    REVOKED = "revoked"  # taken back, or the principal voted or lost the place
    EXPIRED = "expired"


class ProxiesNotAllowed(NotPermitted):
    """Nobody votes for another here: in a meeting, among representatives, or by this preset."""

    code = "proxies-not-allowed"


class HolderNotAllowed(NotPermitted):
    """That person cannot hold this mandate; ``problem`` says why."""

    code = "mandate-holder-not-allowed"


class TooManyMandates(NotPermitted):
    """The holder speaks for as many principals as the preset lets one person."""

    code = "too-many-mandates"


class InstructionNeeded(Invalid):
    """Where instructions bind, a mandate holds one."""

    code = "mandate-instruction-needed"


class InstructionReveals(Invalid):
    """In a confidential poll a mandate holds no instruction: it would say how its voter votes."""

    code = "mandate-instruction-reveals"


class InstructionBinds(Invalid):
    """The holder votes as the principal wrote, or not at all."""

    code = "mandate-instruction-binds"


class MandateExists(AlreadyDone):
    """The principal gave another mandate, which must be taken back first."""

    code = "mandate-exists"


class MandateOver(NotNow):
    """The mandate was taken back, has run out, or the principal voted or lost the place."""

    code = "mandate-over"


class WithdrawalInWriting(Invalid):
    """Through staff a mandate is taken back in writing: the hash of the paper is needed."""

    code = "mandate-withdrawal-in-writing"


class MandateUsed(NotNow):
    """The holder voted already; the principal's own vote is what stands instead."""

    code = "mandate-used"


NO_PROXIES = frozenset(
    {
        Electorate.RESIDENTS_REPRESENTATIVES,
        Electorate.VILLAGERS_REPRESENTATIVES,
        Electorate.GROUP_REPRESENTATIVES,
        Electorate.COUNCIL_MEMBERS,
        Electorate.OWNERS_COMMITTEE,
    }
)
"""Who was chosen votes in person."""


def check_allowed(preset: RulePreset, mode: BallotMode) -> None:
    """A holder who is bound to an instruction must have it in writing, with the voter's name above
    it: such proxies have no place in a confidential poll. Its preset says whether there are
    others."""
    binds = preset.proxies.instructions_binding
    if (
        (mode is not BallotMode.NAMED and binds)
        or not preset.proxies.max_principals
        or BallotChannel.PROXY not in preset.channels
        or preset.held_in_meeting
        or preset.electorate in NO_PROXIES
    ):
        raise ProxiesNotAllowed(preset=preset.key)


def check_holder(
    preset: RulePreset,
    *,
    relation: MandateRelation,
    is_principal: bool,
    is_candidate: bool,
    property_staff: bool,
    of_age: bool,
    on_roll: bool,
    gave_away: bool,
    principal_holds: bool,
    held: int,
) -> None:
    """``on_roll``: the holder has a vote here. ``gave_away``: the holder gave their own vote to
    somebody; ``principal_holds``: the principal holds mandates of others. Both would hand a vote
    on from one to the next. ``held``: mandates that the holder holds in this poll and may still use
    or has used."""
    problem = None
    if is_principal:
        problem = "is_principal"
    elif is_candidate:
        problem = "candidate"
    elif property_staff:
        problem = "property_company"
    elif not of_age:
        problem = "minor"
    elif preset.proxies.relatives_only and relation is MandateRelation.OTHER:
        problem = "not_a_relative"
    elif preset.proxies.holder_on_roll and not on_roll:
        problem = "no_vote_here"
    elif gave_away or principal_holds:
        problem = "sub_delegation"
    if problem is not None:
        raise HolderNotAllowed(problem=problem)
    if held >= preset.proxies.max_principals:
        raise TooManyMandates(most=preset.proxies.max_principals)


def state_of(
    *, withdrawn: bool, stands: BallotChannel | None, valid_until: datetime, now: datetime
) -> MandateState:
    """``stands`` is the channel of the principal's ballot that stands. A principal's own vote
    revokes the mandate, before the holder's vote and after it."""
    if withdrawn or stands not in (None, BallotChannel.PROXY):
        return MandateState.REVOKED
    if stands is BallotChannel.PROXY:
        return MandateState.USED
    return MandateState.EXPIRED if now >= valid_until else MandateState.REGISTERED


def check_instruction(preset: RulePreset, instruction: str | None, given: str) -> None:
    """Both are keyed digests of a ballot."""
    if preset.proxies.instructions_binding and instruction is not None and given != instruction:
        raise InstructionBinds()
