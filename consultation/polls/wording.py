"""WORDING: what may be said about a poll, made from its preset and its counts alone. Pure.

Nobody types a result (domain 4.4, 9.1). A phrase names a text of the catalogue and the facts in
it; the edge says it in the reader's language. Counts decide, so all three are always said;
percentages are for reading, and are marked as rounded by the catalogue.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from consultation.calendar import SHANGHAI
from consultation.polls.counting import Count, Funding, ItemResult, Result, ThresholdCheck
from consultation.polls.presets import (
    Allocation,
    BallotMode,
    Measure,
    RulePreset,
    Threshold,
    Verification,
)
from consultation.polls.rules import PollItem, Verdict

MANIFEST_SHOWN = 16
"""Hex digits of the manifest's digest in a notice; whoever checks a result pack compares them."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A text of the catalogue with its facts, some of which are phrases themselves."""

    key: str
    facts: dict[str, "str | int | Phrase"] = field(default_factory=dict)


def notice(
    preset: RulePreset,
    *,
    mode: BallotMode,
    question: str,
    items: Sequence[PollItem],
    budget_fen: int | None,
    scope: str,
    eligible: Count,
    opens_at: datetime,
    closes_at: datetime,
    text_hash: str,
    manifest_hash: str,
) -> list[Phrase]:
    """The notice of a poll 表决公告: what is put to the vote, who votes, when, by which rule."""
    phrases = [Phrase("polls.notice.question", {"question": question})]
    phrases += [_item_line(item) for item in items]
    if budget_fen is not None:
        phrases.append(Phrase("polls.notice.budget", {"amount": _yuan(budget_fen)}))
    phrases += [
        Phrase("polls.notice.choices"),
        Phrase(
            f"polls.notice.electorate_{_measured(preset)}",
            {"scope": scope, **_people(preset)} | _facts("eligible", eligible),
        ),
        Phrase("polls.notice.window", {"opens": _minute(opens_at), "closes": _minute(closes_at)}),
    ]
    phrases += [Phrase("polls.notice.turnout_rule", _rule(preset, t)) for t in preset.turnout]
    phrases += [Phrase("polls.notice.approval_rule", _rule(preset, t)) for t in preset.approval]
    if preset.allocation is Allocation.BUDGET_IN_VOTE_ORDER:
        phrases.append(Phrase("polls.notice.allocation_rule"))
    phrases += [
        Phrase("polls.notice.silence"),
        mode_promise(mode),
        Phrase("polls.notice.basis", {"basis": "、".join(preset.legal_basis)}),
        Phrase("polls.notice.hash", {"hash": text_hash[:16]}),
        Phrase("polls.notice.manifest", {"hash": manifest_hash[:MANIFEST_SHOWN]}),
    ]
    return phrases


def mode_promise(mode: BallotMode) -> Phrase:
    """What the mode of a poll promises, and what it does not protect against."""
    return Phrase(f"polls.promise.{mode.value}")


def extension(closes_at: datetime, new_closes_at: datetime, reason: str) -> list[Phrase]:
    return [
        Phrase(
            "polls.notice.extended",
            {"closes": _minute(closes_at), "later": _minute(new_closes_at), "reason": reason},
        )
    ]


def result(preset: RulePreset, items: Sequence[PollItem], counted: Result) -> list[Phrase]:
    """The result in words: participation, quorum, every item with its three numbers and its
    verdict, the money if any, and what the percentages are."""
    phrases = [_participation(preset, counted)]
    phrases += [_quorum(preset, check) for check in counted.turnout]
    if counted.turnout:
        word = "reached" if counted.quorum_reached else "missed"
        phrases.append(Phrase(f"polls.result.quorum_{word}", {"standard": _standard(preset)}))
    texts = {item.number: item for item in items}
    for one in counted.items:
        phrases += _item(preset, texts[one.number], one)
    if counted.budget_left_fen is not None and counted.quorum_reached:
        phrases.append(
            Phrase("polls.result.budget_left", {"amount": _yuan(counted.budget_left_fen)})
        )
    if counted.verdict is Verdict.NOTED:
        phrases.append(Phrase("polls.result.verdict.noted"))
    elif not preset.binding:
        phrases.append(Phrase("polls.result.not_binding"))
    phrases.append(Phrase("polls.result.rounding"))
    return phrases


def _participation(preset: RulePreset, counted: Result) -> Phrase:
    facts = _people(preset)
    facts |= _facts("eligible", counted.eligible) | _facts("taking_part", counted.participating)
    came = counted.participating.heads
    if counted.present is not None:
        came = counted.present
        facts["present"] = counted.present
    facts["percent"] = percent(came, counted.eligible.heads)
    if Measure.AREA in preset.measures:
        facts["area_percent"] = percent(counted.participating.area_dm2, counted.eligible.area_dm2)
    kind = "meeting" if counted.present is not None else _measured(preset)
    return Phrase(f"polls.result.participation_{kind}", facts)


def _quorum(preset: RulePreset, check: ThresholdCheck) -> Phrase:
    kind = "present" if preset.held_in_meeting else check.measure.value
    return Phrase(
        f"polls.result.turnout_{kind}",
        {
            "value": _amount(check, check.value),
            "needed": _amount(check, check.needed),
            **_rule(preset, check),
        },
    )


_SAID_OF_EACH_ITEM = (Verdict.PASSED, Verdict.NOT_PASSED, Verdict.SUPPORTED, Verdict.NOT_SUPPORTED)
"""Without a quorum, and of opinions, there is one sentence for the whole poll."""


def _item(preset: RulePreset, item: PollItem, counted: ItemResult) -> list[Phrase]:
    facts = _people(preset) | {"number": item.number, "text": item.text}
    facts |= _facts("for", counted.votes_for)
    facts |= _facts("against", counted.votes_against)
    facts |= _facts("abstain", counted.abstentions)
    phrases = [Phrase(f"polls.result.votes_{_measured(preset)}", facts)]
    if counted.verdict in _SAID_OF_EACH_ITEM:
        phrases += [_approval(preset, check) for check in counted.approval]
        phrases.append(Phrase(f"polls.result.verdict.{counted.verdict.value}"))
    if counted.funding is Funding.FUNDED:
        phrases.append(Phrase("polls.result.funded", {"amount": _yuan(item.cost_fen or 0)}))
    elif counted.funding is Funding.RESERVE:
        phrases.append(Phrase("polls.result.reserve"))
    return phrases


def _approval(preset: RulePreset, check: ThresholdCheck) -> Phrase:
    word = "reached" if check.reached else "missed"
    return Phrase(
        f"polls.result.approval_{check.measure.value}_{word}",
        {
            "value": _amount(check, check.value),
            "needed": _amount(check, check.needed),
            "percent": percent(check.value, check.base),
            **_rule(preset, check),
        },
    )


def _rule(
    preset: RulePreset, threshold: Threshold | ThresholdCheck
) -> dict[str, "str | int | Phrase"]:
    kind = "at_least" if threshold.inclusive else "more_than"
    base = f"polls.base.{threshold.of.value}_{threshold.measure.value}"
    return _people(preset) | {
        "of": Phrase(base, _people(preset)),
        "bound": Phrase(f"polls.bound.{kind}_{threshold.numerator}_{threshold.denominator}"),
    }


def _standard(preset: RulePreset) -> Phrase:
    """Only a rule that was read in law may be called the law's."""
    legal = preset.verification in (Verification.VERIFIED, Verification.SECONDARY)
    return Phrase(f"polls.standard.{'legal' if legal else 'set'}")


def _people(preset: RulePreset) -> dict[str, "str | int | Phrase"]:
    """What the voters are called and counted in: 业主…人, 住户…户."""
    name = preset.electorate.value
    return {"voters": Phrase(f"polls.voters.{name}"), "unit": Phrase(f"polls.unit.{name}")}


def _measured(preset: RulePreset) -> str:
    return "heads_area" if Measure.AREA in preset.measures else "heads"


def _item_line(item: PollItem) -> Phrase:
    if item.cost_fen is None:
        return Phrase("polls.notice.item", {"number": item.number, "text": item.text})
    return Phrase(
        "polls.notice.item_cost",
        {"number": item.number, "text": item.text, "amount": _yuan(item.cost_fen)},
    )


def _facts(name: str, count: Count) -> dict[str, "str | int | Phrase"]:
    return {name: count.heads, f"{name}_area": square_metres(count.area_dm2)}


def _amount(check: ThresholdCheck, value: int) -> str | int:
    return value if check.measure is Measure.HEADS else square_metres(value)


def percent(value: int, base: int) -> str:
    """Two decimals, rounded half up, in integers; "0.00" of nothing. For display only."""
    if base == 0:
        return "0.00"
    hundredths = (value * 20000 + base) // (2 * base)
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def square_metres(area_dm2: int) -> str:
    """63855 → 638.55, exactly."""
    return f"{area_dm2 // 100}.{area_dm2 % 100:02d}"


def _yuan(fen: int) -> str:
    """17800000 → 178000, 50 → 0.50, exactly."""
    yuan, rest = divmod(fen, 100)
    return f"{yuan}.{rest:02d}" if rest else str(yuan)


def _minute(at: datetime) -> str:
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
