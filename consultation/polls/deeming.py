"""DEEMING 弃权从多: silent owners who count with the majority, where the owners adopted that. Pure.

Off by default and possible only if all four conditions hold (domain 2.5):

1. the clause that was adopted is on file among the topic's public materials, for presets that
   ``may_deem`` and for motions only, so never for elections (``with_clause``);
2. each deemed ballot was delivered with proof: the voter opened the notice, or signed for it, as
   two members of staff say; a message that was sent, fetched or left at the door is not enough
   (``is_proved``, ``silent_votes``);
3. the warning stands on the ballot (``wording.ballot_warning``);
4. real and deemed counts are published apart (``results.OptionTally``, ``result_wording``).
"""

from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from consultation.polls.presets import QuestionKind, RulePreset, Silent
from consultation.polls.results import Vote
from consultation.polls.rules import PollItem
from consultation.polls.serving import NoticeEvidence
from consultation.refusals import Invalid

PROVES = frozenset({NoticeEvidence.READ, NoticeEvidence.SIGNED_FOR})
"""What may prove that the warning reached the voter."""
STAFF_NEEDED = 2


class DeemingNotAllowed(Invalid):
    """Silence cannot count with the majority under this preset, for these items, or without an
    adopted clause on file."""

    code = "deeming-not-allowed"


def with_clause(preset: RulePreset, items: Sequence[PollItem]) -> RulePreset:
    """The rule of a poll for which an adopted clause is on file."""
    if not preset.may_deem:
        raise DeemingNotAllowed(problem="preset")
    if any(item.kind is not QuestionKind.MOTION for item in items):
        raise DeemingNotAllowed(problem="not_motions")
    return preset.model_copy(update={"silent": Silent.DEEMED_MAJORITY})


def is_proved(proofs: Collection[tuple[NoticeEvidence, UUID | None]]) -> bool:
    """Of one voter: evidence, and who of the staff entered it. Their own phone shows that they
    opened the notice; that they signed for it two people say, each by an entry of their own (the
    slip, the door), for nobody alone makes a vote of somebody's silence."""
    if any(evidence is NoticeEvidence.READ for evidence, _ in proofs):
        return True
    signed = {by for evidence, by in proofs if evidence is NoticeEvidence.SIGNED_FOR}
    return len(signed - {None}) >= STAFF_NEEDED


def silent_votes(preset: RulePreset, votes: Iterable[Vote], served: Collection[UUID]) -> list[Vote]:
    """The deemed votes: places on the roll whose ballot was delivered with proof (``served``) and
    that cast none, not even an invalid one. Empty under any other preset."""
    if preset.silent is not Silent.DEEMED_MAJORITY:
        return []
    spoke = {vote.voter for vote in votes}
    return [Vote(voter=place, choices=None, deemed=True) for place in sorted(set(served) - spoke)]
