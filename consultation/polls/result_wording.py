"""WORDING of a result, made from its preset and its counts alone, and of the steps that led to it.
Pure. Nobody types a result (domain 4.4, 9.1)."""

from collections.abc import Callable, Mapping, Sequence

from consultation.polls.phrases import (
    Fact,
    Phrase,
    amount,
    counted,
    measured,
    option_text,
    people,
    per_cent,
    percent,
    rule,
    square_metres,
    yuan,
)
from consultation.polls.presets import Measure, QuestionKind, RulePreset, Verification
from consultation.polls.results import (
    Count,
    Funding,
    ItemResult,
    OptionTally,
    Result,
    Step,
    ThresholdCheck,
)
from consultation.polls.rules import PollItem, Verdict


def result(
    preset: RulePreset, items: Sequence[PollItem], count: Result, *, areas_rounded: bool = False
) -> list[Phrase]:
    """Participation, quorum, every item with its numbers and its verdict, the money if any, what
    the result is worth, and what the percentages are. With ``areas_rounded``, of a count as the
    public gets it, areas are said as shares, and whether they reach what is asked."""
    if areas_rounded:
        preset = preset.model_copy(update={"measures": [Measure.HEADS]})
    phrases = [_participation(preset, count), *_ballots(preset, count)]
    phrases += [_quorum(preset, check) for check in count.turnout]
    if count.turnout:
        word = "reached" if count.quorum_reached else "missed"
        phrases.append(Phrase(f"polls.result.quorum_{word}", {"standard": _standard(preset)}))
    texts = {item.number: item for item in items}
    for one in count.items:
        phrases += _ITEMS[one.kind](preset, texts[one.number], one)
        phrases += _funding(texts[one.number], one)
    if count.budget_left_fen is not None and count.quorum_reached:
        left = yuan(count.budget_left_fen)
        phrases.append(Phrase("polls.result.budget_left", {"amount": left}))
    if preset.sample_min and count.participating.heads < preset.sample_min:
        facts: dict[str, Fact] = {"least": preset.sample_min}
        phrases.append(Phrase("polls.result.sample_few", people(preset) | facts))
    if count.verdict is Verdict.NOTED:
        phrases.append(Phrase("polls.result.verdict.noted"))
    elif not preset.binding:
        phrases.append(Phrase("polls.result.not_binding"))
    if count.verdict in (Verdict.PASSED, Verdict.PARTLY_PASSED, Verdict.SUPPORTED):
        phrases += [Phrase(f"polls.notice.condition.{one.value}") for one in preset.conditions]
    phrases.append(Phrase("polls.result.rounding"))
    if areas_rounded:
        phrases.append(Phrase("polls.result.areas_rounded"))
    return phrases


def steps(items: Sequence[PollItem], count: Result) -> list[tuple[int | None, Step, Phrase]]:
    """How the result came about, step by step: (item or None, the step, what to say of it)."""
    asked = {item.number: item for item in items}
    said: list[tuple[int | None, Step, Phrase]] = [
        (None, step, _step(step, None)) for step in count.steps if step.key.startswith("turnout")
    ]
    for one in count.items:
        said += [(one.number, step, _step(step, asked[one.number])) for step in one.steps]
    said += [
        (None, step, _step(step, None))
        for step in count.steps
        if not step.key.startswith("turnout")
    ]
    return said


def _step(step: Step, item: PollItem | None) -> Phrase:
    facts: dict[str, Fact] = {}
    for name, fact in step.facts.items():
        if name == "option" and item is not None:
            facts[name] = option_text(item, str(fact))
        elif name == "options" and item is not None and isinstance(fact, list):
            facts[name] = [option.text for code in fact for option in item.options
                           if option.code == code]  # fmt: skip
        elif name.endswith("_fen") and isinstance(fact, int):
            facts[name.removesuffix("_fen")] = yuan(fact)
        elif "_area_" in step.key and name in ("value", "needed", "base"):
            facts[name] = square_metres(int(str(fact)))
        else:
            facts[name] = fact
    return Phrase(f"polls.step.{step.key}", facts)


def _participation(preset: RulePreset, count: Result) -> Phrase:
    facts = people(preset)
    facts |= counted("eligible", count.eligible)
    facts |= counted("taking_part", count.participating)
    came = count.participating.heads
    if count.present is not None:
        came = count.present
        facts["present"] = count.present
    facts["percent"] = percent(came, count.eligible.heads)
    if Measure.AREA in preset.measures:
        facts["area_percent"] = percent(count.participating.area_dm2, count.eligible.area_dm2)
    kind = "meeting" if count.present is not None else measured(preset)
    return Phrase(f"polls.result.participation_{kind}", facts)


def _ballots(preset: RulePreset, result: Result) -> list[Phrase]:
    """Invalid ballots, hands and the silent who count with the majority, each by itself."""
    phrases = []
    if result.invalid.heads:
        word = f"polls.result.invalid.{preset.invalid.value}"
        phrases.append(Phrase(word, {"invalid": result.invalid.heads}))
    if result.by_hand:
        phrases.append(Phrase("polls.result.by_hand", {"hands": result.by_hand}))
    if result.deemed.heads:
        facts = people(preset) | counted("real", result.valid) | counted("deemed", result.deemed)
        phrases.append(Phrase(f"polls.result.deemed_{measured(preset)}", facts))
    return phrases


def _quorum(preset: RulePreset, check: ThresholdCheck) -> Phrase:
    if _is_share(preset, check):
        return _share("turnout", preset, check)
    kind = "present" if preset.held_in_meeting else check.measure.value
    return Phrase(f"polls.result.turnout_{kind}", _checked(preset, check))


_SAID_OF_EACH_ITEM = (Verdict.PASSED, Verdict.NOT_PASSED, Verdict.SUPPORTED, Verdict.NOT_SUPPORTED)
"""Without a quorum, and of opinions, there is one sentence for the whole poll."""


def _motion(preset: RulePreset, item: PollItem, count: ItemResult) -> list[Phrase]:
    facts = people(preset) | {"number": item.number, "text": item.text}
    facts |= counted("for", count.votes_for)
    facts |= counted("against", count.votes_against)
    facts |= counted("abstain", count.abstentions)
    phrases = [Phrase(f"polls.result.votes_{measured(preset)}", facts)]
    phrases += [
        Phrase(
            f"polls.result.deemed_item_{measured(preset)}",
            people(preset)
            | counted("deemed", tally.deemed)
            | {"option": option_text(item, tally.code)},
        )
        for tally in count.tallies
        if tally.deemed != Count()
    ]
    if count.verdict in _SAID_OF_EACH_ITEM:
        phrases += [_approval(preset, check) for check in count.approval]
        phrases.append(Phrase(f"polls.result.verdict.{count.verdict.value}"))
    return phrases


def _choice(preset: RulePreset, item: PollItem, count: ItemResult) -> list[Phrase]:
    phrases = [_heading(item), *_numbers(preset, item, count)]
    if count.verdict is Verdict.NOTED and count.leading:
        phrases.append(Phrase("polls.result.leading", _texts(item, count.leading)))
    if count.verdict not in _SAID_OF_EACH_ITEM:
        return phrases
    phrases += _needed(preset, "choice", count)
    if count.tied:
        phrases.append(Phrase("polls.result.tied", _texts(item, count.tied)))
    if count.chosen:
        phrases.append(Phrase("polls.result.chosen", _texts(item, count.chosen)))
    phrases.append(Phrase(f"polls.result.verdict.{count.verdict.value}"))
    return phrases


def _election(preset: RulePreset, item: PollItem, count: ItemResult) -> list[Phrase]:
    phrases = [_heading(item), *_numbers(preset, item, count)]
    if count.verdict in (Verdict.NO_QUORUM, Verdict.NOTED):
        return phrases
    phrases += _needed(preset, "election", count)
    seats: dict[str, Fact] = {"seats": item.seats or 1, "open": count.open_seats or 0}
    word = "elected" if preset.binding else "ahead"
    if count.chosen:
        phrases.append(Phrase(f"polls.result.{word}", seats | _texts(item, count.chosen)))
    else:
        phrases.append(Phrase("polls.result.nobody_elected", seats))
    if count.tied:
        facts = seats | _texts(item, count.tied)
        phrases.append(Phrase("polls.result.tied_at_the_last_seat", facts))
    elif count.runoff:
        phrases.append(Phrase("polls.result.runoff", seats | _texts(item, count.runoff)))
    elif count.open_seats:
        phrases.append(Phrase("polls.result.seats_open", seats))
    return phrases


def _rating(preset: RulePreset, item: PollItem, count: ItemResult) -> list[Phrase]:
    phrases = [_heading(item), *_numbers(preset, item, count)]
    if count.chosen:
        phrases.append(Phrase("polls.result.majority_grade", _texts(item, count.chosen)))
    return phrases


_ITEMS: Mapping[QuestionKind, Callable[[RulePreset, PollItem, ItemResult], list[Phrase]]] = {
    QuestionKind.MOTION: _motion,
    QuestionKind.SINGLE_CHOICE: _choice,
    QuestionKind.MULTIPLE_CHOICE: _choice,
    QuestionKind.ELECTION: _election,
    QuestionKind.RATING: _rating,
}


def _heading(item: PollItem) -> Phrase:
    return Phrase("polls.result.item", {"number": item.number, "text": item.text})


def _numbers(preset: RulePreset, item: PollItem, count: ItemResult) -> list[Phrase]:
    return [_number(preset, item, tally) for tally in count.tallies]


def _number(preset: RulePreset, item: PollItem, tally: OptionTally) -> Phrase:
    facts = people(preset) | counted("votes", tally.votes)
    facts["option"] = option_text(item, tally.code)
    return Phrase(f"polls.result.option_{measured(preset)}", facts)


def _needed(preset: RulePreset, what: str, count: ItemResult) -> list[Phrase]:
    """What an option or a candidate needs: the same for all of an item."""
    checks = next((tally.approval for tally in count.tallies if tally.approval), [])
    return [
        Phrase(
            f"polls.result.needed_{what}_{'share' if _is_share(preset, check) else check.measure}",
            _checked(preset, check),
        )
        for check in checks
    ]


def _texts(item: PollItem, codes: Sequence[str]) -> dict[str, Fact]:
    texts = {option.code: option.text for option in item.options}
    return {"options": [texts[code] for code in codes]}


def _is_share(preset: RulePreset, check: ThresholdCheck) -> bool:
    """Whether an area is said without its sum."""
    return check.measure is Measure.AREA and Measure.AREA not in preset.measures


def _share(what: str, preset: RulePreset, check: ThresholdCheck) -> Phrase:
    """The share of an area to 0.1 %, or, where so few have it that it would tell on them, only
    whether it reaches."""
    word = "reached" if check.reached else "missed"
    facts = rule(preset, check)
    if not check.value:
        return Phrase(f"polls.result.{what}_area_{word}_alone", facts)
    return Phrase(
        f"polls.result.{what}_share_{word}", facts | {"share": per_cent(check.value, check.base)}
    )


def _approval(preset: RulePreset, check: ThresholdCheck) -> Phrase:
    if _is_share(preset, check):
        return _share("approval", preset, check)
    word = "reached" if check.reached else "missed"
    facts = _checked(preset, check) | {"percent": percent(check.value, check.base)}
    return Phrase(f"polls.result.approval_{check.measure.value}_{word}", facts)


def _checked(preset: RulePreset, check: ThresholdCheck) -> dict[str, Fact]:
    return rule(preset, check) | {
        "value": amount(check.measure, check.value),
        "needed": amount(check.measure, check.needed),
    }


def _funding(item: PollItem, count: ItemResult) -> list[Phrase]:
    if count.funding is Funding.FUNDED:
        return [Phrase("polls.result.funded", {"amount": yuan(item.cost_fen or 0)})]
    return [Phrase("polls.result.reserve")] if count.funding is Funding.RESERVE else []


def _standard(preset: RulePreset) -> Phrase:
    """Only a binding rule that was read in law may be called the law's."""
    legal = preset.binding and preset.verification in (
        Verification.VERIFIED,
        Verification.SECONDARY,
    )
    return Phrase(f"polls.standard.{'legal' if legal else 'set'}")
