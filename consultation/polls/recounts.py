"""CLOSE RESULTS: when other people count again before anything is published (domain 4.4). No I/O.

Asked of each item is how far its verdict is from being another one: of a motion that passed, how
many more than needed agreed; of one that did not, how many were missing; of a choice or an election
how sure those chosen are of their bound, who might still have been chosen, and how far the last
one chosen is ahead of the first one who is not. A poll without a quorum, and one that passes
nothing, is not close.
"""

from collections.abc import Iterator, Sequence

from consultation.polls.presets import Measure, QuestionKind, Recount, RulePreset
from consultation.polls.results import ItemResult, OptionTally, Result
from consultation.polls.tables import CountSignature, SignerRole
from consultation.topics.bodies import TELLERS_NEEDED


def is_close(preset: RulePreset, result: Result) -> bool:
    rule = preset.recount
    if rule is None or not preset.approval or not result.quorum_reached:
        return False
    return any(_item_is_close(rule, preset, item, result) for item in result.items)


def _item_is_close(rule: Recount, preset: RulePreset, item: ItemResult, result: Result) -> bool:
    def near(distance: int, measure: Measure) -> bool:
        return rule.covers(distance, result.participating.of(measure), measure)

    if item.kind is QuestionKind.RATING:
        return False
    if item.kind is QuestionKind.MOTION:
        reached = [check for check in item.approval if check.reached]
        missed = [check for check in item.approval if not check.reached]
        if missed:  # it would need all of them
            return all(near(check.missing, check.measure) for check in missed)
        return any(near(check.value - check.needed, check.measure) for check in reached)
    options = [one for one in item.tallies if one.approval]
    each_by_itself = item.kind is QuestionKind.MULTIPLE_CHOICE
    room = each_by_itself or not item.chosen or bool(item.open_seats)
    bounds = [c for one in options if one.code in item.chosen or room for c in one.approval]
    if any(near(abs(check.value - check.needed), check.measure) for check in bounds):
        return True
    if each_by_itself:
        return False
    return bool(item.tied) or any(near(gap, Measure.HEADS) for gap in _gaps(item, options))


def _gaps(item: ItemResult, options: Sequence[OptionTally]) -> Iterator[int]:
    """Heads between the last one chosen and the first one who is not."""
    chosen = [one.votes.heads + one.deemed.heads for one in options if one.code in item.chosen]
    others = [one.votes.heads + one.deemed.heads for one in options if one.code not in item.chosen]
    if chosen and others:
        yield max(0, min(chosen) - max(others))


def first_count_signed(signed: Sequence[CountSignature]) -> bool:
    """Two tellers and a supervisor."""
    roles = [one.role for one in signed if not one.recount]
    return roles.count(SignerRole.TELLER) >= TELLERS_NEEDED and SignerRole.SUPERVISOR in roles


def recount_signed(signed: Sequence[CountSignature]) -> bool:
    """Two tellers who had not signed before."""
    roles = [one.role for one in signed if one.recount]
    return roles.count(SignerRole.TELLER) >= TELLERS_NEEDED
