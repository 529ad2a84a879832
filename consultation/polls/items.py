"""THE ITEMS OF A POLL: what may be asked, and what may stand to be chosen. No I/O."""

import unicodedata
from collections.abc import Sequence

from consultation.polls.drafts import Nominee
from consultation.polls.presets import Allocation, QuestionKind, RulePreset
from consultation.polls.rules import Candidate, PollItem
from consultation.refusals import Invalid


class PollItemsInvalid(Invalid):
    """Items, costs and ceiling do not fit the preset; ``problem`` says how."""

    code = "poll-items-invalid"


def check_items(preset: RulePreset, items: Sequence[PollItem], budget_fen: int | None) -> None:
    """Each item can be voted against (domain 2.5); a ceiling and costs stand exactly where money
    is allocated."""
    allocates = preset.allocation is Allocation.BUDGET_IN_VOTE_ORDER
    problem = None
    if not items:
        problem = "no_items"
    elif any(item.kind not in preset.questions for item in items):
        problem = "kind_not_of_preset"
    elif any(not _options_fit(item) for item in items):
        problem = "options"
    elif preset.contested and any(len(item.options) <= (item.seats or 0) for item in items):
        problem = "not_contested"
    elif len({as_seen(item.text) for item in items}) < len(items):
        problem = "same_item_twice"
    elif allocates and (budget_fen is None or any(item.cost_fen is None for item in items)):
        problem = "costs_missing"
    elif not allocates and (budget_fen is not None or any(i.cost_fen is not None for i in items)):
        problem = "costs_not_asked"
    if problem is not None:
        raise PollItemsInvalid(problem=problem)


def check_nominees(items: Sequence[PollItem], nominees: Sequence[Nominee]) -> None:
    """Each stands for an option of an election, and each option for one person."""
    named = [(one.item, one.code) for one in nominees]
    if len(set(named)) < len(named) or not set(named) <= _standing(items):
        raise PollItemsInvalid(problem="candidates_unknown")


def check_candidates(items: Sequence[PollItem], candidates: Sequence[Candidate]) -> None:
    """It is known of every option of an election who it is, and nobody stands twice for an item:
    who is a candidate helps nobody to vote, carries no mandate and counts nothing."""
    named = {(one.item, one.code) for one in candidates}
    people = {(one.item, one.person_id) for one in candidates}
    if named != _standing(items) or len(people) < len(named):
        raise PollItemsInvalid(problem="candidates_missing")


def _standing(items: Sequence[PollItem]) -> set[tuple[int, str]]:
    return {
        (item.number, option.code)
        for item in items
        if item.kind is QuestionKind.ELECTION
        for option in item.options
    }


def as_seen(text: str) -> str:
    """A text without what readers do not tell apart: width and case of letters, kinds and number
    of spaces, characters that are not shown. Two that are equal then look the same."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    shown = (one for one in folded if not _not_shown(one))
    return " ".join("".join(shown).split())


def _not_shown(character: str) -> bool:
    if character.isspace():
        return False
    variant = "\ufe00" <= character <= "\ufe0f"
    return variant or unicodedata.category(character) in ("Cc", "Cf")


def _options_fit(item: PollItem) -> bool:
    """A motion has no options; any other kind has two or more that look different (an election one
    or more), with no more marks than options, and seats exactly where there is an election."""
    codes = [option.code for option in item.options]
    if item.kind is QuestionKind.MOTION:
        return not codes and item.most == 1 and item.seats is None
    if len(set(codes)) < len(codes) or not {"none", "abstain"}.isdisjoint(codes):
        return False
    if len({as_seen(option.text) for option in item.options}) < len(codes):
        return False
    if (item.seats is None) == (item.kind is QuestionKind.ELECTION):
        return False
    if item.kind in (QuestionKind.SINGLE_CHOICE, QuestionKind.RATING):
        return len(codes) >= 2 and item.most == 1
    least = 1 if item.kind is QuestionKind.ELECTION else 2
    return len(codes) >= least and item.most <= len(codes)
