"""WORDING of a poll before its count: the notice 表决公告, its extension, and the meter while it is
open. Pure."""

from collections.abc import Sequence
from datetime import datetime

from consultation.calendar import minute, until
from consultation.polls.phrases import Phrase, counted, measured, people, rule, square_metres, yuan
from consultation.polls.presets import (
    Allocation,
    BallotChannel,
    BallotMode,
    Measure,
    QuestionKind,
    RulePreset,
    Silent,
    Verification,
)
from consultation.polls.results import Count, ThresholdCheck
from consultation.polls.rules import PollItem

MANIFEST_SHOWN = 16
"""Hex digits of the manifest's digest in a notice; whoever checks a result pack compares them."""


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
    legal_system_of_record: bool = True,
) -> list[Phrase]:
    """What is put to the vote, who votes, how and when, by which rule."""
    phrases = [Phrase("polls.notice.question", {"question": question})]
    phrases += [_item(item) for item in items]
    if budget_fen is not None:
        phrases.append(Phrase("polls.notice.budget", {"amount": yuan(budget_fen)}))
    if any(item.kind is QuestionKind.MOTION for item in items):
        phrases.append(Phrase("polls.notice.choices"))
    phrases += [
        Phrase(
            f"polls.notice.electorate_{measured(preset)}",
            {"scope": scope, **people(preset)} | counted("eligible", eligible),
        ),
        Phrase("polls.notice.window", {"opens": minute(opens_at), "closes": until(closes_at)}),
    ]
    phrases += _how_to_vote(preset)
    phrases += [Phrase("polls.notice.turnout_rule", rule(preset, t)) for t in preset.turnout]
    phrases += _approval_rules(preset, items)
    if preset.allocation is Allocation.BUDGET_IN_VOTE_ORDER:
        phrases.append(Phrase("polls.notice.allocation_rule"))
    deemed = preset.silent is Silent.DEEMED_MAJORITY
    phrases += [
        Phrase("polls.notice.silence_deemed" if deemed else "polls.notice.silence"),
        Phrase(f"polls.notice.invalid.{preset.invalid.value}"),
    ]
    phrases += _force(preset, legal_system_of_record)
    phrases += [
        mode_promise(mode),
        Phrase("polls.notice.basis", {"basis": "、".join(preset.legal_basis)}),
        Phrase("polls.notice.hash", {"hash": text_hash[:16]}),
        Phrase("polls.notice.manifest", {"hash": manifest_hash[:MANIFEST_SHOWN]}),
    ]
    return phrases


def mode_promise(mode: BallotMode) -> Phrase:
    """What the mode of a poll promises, and what it does not protect against."""
    return Phrase(f"polls.promise.{mode.value}")


def extension(closes_at: datetime, new_closes_at: datetime, reason: str) -> Phrase:
    return Phrase(
        "polls.notice.extended",
        {"closes": until(closes_at), "later": until(new_closes_at), "reason": reason},
    )


def ballot_warning(preset: RulePreset) -> Phrase | None:
    """What must stand on the ballot where silence has a consequence (domain 2.5)."""
    deemed = preset.silent is Silent.DEEMED_MAJORITY
    return Phrase("polls.notice.silence_deemed") if deemed else None


def meter(preset: RulePreset, progress: Sequence[ThresholdCheck]) -> Phrase | None:
    """What turnout still needs, in one sentence: 还差55人、6802.92平方米. None without a rule."""
    if not progress:
        return None
    lacking = dict.fromkeys(Measure, 0)
    for check in progress:
        lacking[check.measure] = max(lacking[check.measure], check.missing)
    said = "_".join(measure.value for measure, missing in lacking.items() if missing)
    return Phrase(
        f"polls.meter.{said or 'reached'}",
        people(preset)
        | {"heads": lacking[Measure.HEADS], "area": square_metres(lacking[Measure.AREA])},
    )


def _item(item: PollItem) -> Phrase:
    facts: dict[str, str | int] = {"number": item.number, "text": item.text}
    if item.cost_fen is not None:
        return Phrase("polls.notice.item_cost", {**facts, "amount": yuan(item.cost_fen)})
    if item.kind is QuestionKind.MOTION:
        return Phrase("polls.notice.item", {**facts})
    return Phrase(
        f"polls.notice.item_{item.kind.value}",
        {
            **facts,
            "options": [option.text for option in item.options],
            "most": item.most,
            "seats": item.seats or 0,
        },
    )


def _how_to_vote(preset: RulePreset) -> list[Phrase]:
    ways = [Phrase(f"words.ballot_channel.{channel.value}") for channel in preset.channels]
    phrases = [
        Phrase("polls.notice.channels", {"channels": ways}),
        Phrase(f"polls.notice.revote.{preset.revote.value}"),
    ]
    if {BallotChannel.ELECTRONIC, BallotChannel.PAPER} <= {*preset.channels}:
        phrases.append(Phrase(f"polls.notice.duplicates.{preset.duplicates.value}"))
    if preset.proxies.max_principals:
        kind = "relatives" if preset.proxies.relatives_only else "anybody"
        facts: dict[str, str | int] = {"most": preset.proxies.max_principals}
        phrases.append(Phrase(f"polls.notice.proxies.{kind}", {**facts}))
    return phrases


_APPROVED_AS = {
    QuestionKind.MOTION: "approval_rule",
    QuestionKind.SINGLE_CHOICE: "approval_rule_choice",
    QuestionKind.MULTIPLE_CHOICE: "approval_rule_choice",
    QuestionKind.ELECTION: "approval_rule_election",
}
"""A rating approves nothing."""


def _approval_rules(preset: RulePreset, items: Sequence[PollItem]) -> list[Phrase]:
    asked = {item.kind for item in items}
    words = dict.fromkeys(word for kind, word in _APPROVED_AS.items() if kind in asked)
    return [
        Phrase(f"polls.notice.{word}", rule(preset, threshold))
        for word in words
        for threshold in preset.approval
    ]


def _force(preset: RulePreset, legal_system_of_record: bool) -> list[Phrase]:
    """What the result will be worth."""
    phrases = [Phrase(f"polls.notice.condition.{one.value}") for one in preset.conditions]
    if not legal_system_of_record:
        phrases.append(Phrase("polls.notice.not_system_of_record"))
    elif not preset.binding:
        phrases.append(Phrase("polls.notice.not_binding"))
    elif preset.verification is Verification.TO_CONFIRM:
        phrases.append(Phrase("polls.notice.to_confirm"))
    return phrases
