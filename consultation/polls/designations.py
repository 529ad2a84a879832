"""DESIGNATIONS 指定表决人: who votes for co-owners or for a household. No I/O."""

from consultation.refusals import Invalid, NotNow


class RollFrozen(NotNow):
    """The roll of an announced or running poll holds this home; who votes for it is settled."""

    code = "roll-frozen"


class VoterNotEligible(Invalid):
    """Only a co-owner votes for co-owners, and only an adult member for a household."""

    code = "voter-not-eligible"


class EvidenceNeeded(Invalid):
    """Staff name a voter from a paper that the co-owners or the household signed."""

    code = "designation-evidence-needed"


class WitnessNotApart(Invalid):
    """Whoever enters a designation, gives the vote or gets it does not witness it."""

    code = "designation-witness-not-apart"
