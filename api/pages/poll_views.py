"""What the pages show of polls."""

from collections.abc import Mapping
from typing import Any

from api.pages.saying import Words, share, square_metres
from api.routes.poll_shapes import PollOut, poll_out
from consultation.calendar import minute, until
from consultation.database import Transaction
from consultation.polls import board_queries
from consultation.polls import queries as polls
from consultation.polls.board_tables import Tree, TreeHead
from consultation.polls.counting import Count
from consultation.polls.phrases import per_cent
from consultation.polls.presets import QuestionKind
from consultation.polls.reconciliation import Reconciliation
from consultation.polls.rules import PollState
from consultation.polls.tables import Poll
from consultation.polls.wording import MANIFEST_SHOWN
from consultation.topics.tables import Topic


async def polls_view(tx: Transaction, topic: Topic, t: Words, locale: str) -> list[dict[str, Any]]:
    found = await polls.polls_of_topic(tx, topic.id, after=None, limit=5)
    heads = await board_queries.last_heads(tx, [poll.id for poll in found])
    published = [poll.id for poll in found if poll.state is PollState.PUBLISHED]
    reports = await board_queries.certified_reports(tx, published) if published else {}
    return [
        _poll(await poll_out(tx, poll, locale), t)
        | _evidence(poll, heads.get(poll.id, {}), t)
        | {"ledger": _ledger(reports.get(poll.id), t)}
        for poll in found
    ]


def _evidence(poll: Poll, heads: Mapping[Tree, TreeHead], t: Words) -> dict[str, Any]:
    """Check codes that people can note: of the manifest, and of each tree of the board."""
    code = None
    if poll.manifest_hash is not None:
        code = t("pages.manifest", hash=poll.manifest_hash[:MANIFEST_SHOWN])
    return {
        "manifest": code,
        "heads": [
            t(
                "pages.tree_head",
                tree=t(f"words.tree.{tree}"),
                size=head.size,
                root=head.root[:MANIFEST_SHOWN],
                at=minute(head.at),
            )
            for tree, head in sorted(heads.items())
        ],
    }


def _ledger(report: Reconciliation | None, t: Words) -> dict[str, Any] | None:
    """By which channel ballots came, what became of the forms, and who confirmed what names a
    second person: numbers, as they were certified."""
    if report is None:
        return None
    rows = [
        (t(f"words.ballot_channel.{line.channel}"), line.cast, line.counted)
        for line in report.channels
    ]
    if report.by_hand:
        rows.append((t("words.countersign_subject.hands"), report.by_hand, report.by_hand))
    paper, named = report.paper, report.countersigned
    sentences = []
    if paper.printed:
        sentences.append(t("pages.ledger_forms", **paper.model_dump()))
    if named.entries:
        facts = {"entries": named.entries, "confirmed": named.confirmed, "settled": named.settled}
        sentences.append(t("pages.ledger_countersigned", **facts))
    if report.reconciles:
        sentences.append(t("pages.ledger_reconciles"))
    return {
        "rows": [
            {"channel": name, "cast": f"{cast:,}", "counted": f"{counted:,}"}
            for name, cast, counted in rows
        ],
        "sentences": sentences,
    }


def _poll(poll: PollOut, t: Words) -> dict[str, Any]:
    items = []
    for item, text in zip(poll.result.items if poll.result else [], poll.items, strict=False):
        options = {option.code: option.text for option in text.options}
        rows = [
            {"name": options.get(tally.code) or t(f"words.choice.{tally.code}"),
             "heads": f"{tally.votes.heads:,}", "area": _area(poll, tally.votes)}
            for tally in item.tallies
        ]  # fmt: skip
        cast = sum(tally.votes.heads for tally in item.tallies)
        motion = item.kind is QuestionKind.MOTION  # only its answers add up to one bar
        shares = {f"{one.code}_pct": share(one.votes.heads, cast) for one in item.tallies}
        items.append(
            {
                "text": text.text,
                "verdict_key": item.verdict.value,
                "verdict": t(f"words.verdict.{item.verdict}"),
                "rows": rows,
                "label": " · ".join(f"{row['name']} {row['heads']}" for row in rows),
                "bar": motion,
            }
            | (shares if motion else {})
        )
    return {
        "round": poll.round,
        "state": t(f"words.poll_state.{poll.state}"),
        "question": poll.question,
        "window": f"{minute(poll.opens_at)} — {until(poll.closes_at)}",
        "running": poll.state in (PollState.ANNOUNCED, PollState.OPEN),
        "closes": until(poll.closes_at) if poll.state is PollState.OPEN else None,
        "meter": poll.meter,
        "preset": poll.preset.name,
        "mode_promise": poll.mode_promise,
        "by_area": poll.eligible.area_dm2 > 0,
        "eligible_heads": f"{poll.eligible.heads:,}",
        "eligible_area": square_metres(poll.eligible.area_dm2),
        "cast_heads": f"{poll.turnout.heads:,}" if poll.turnout else "—",
        "cast_area": _area(poll, poll.turnout) if poll.turnout else "—",
        "items": items,
        "wording": poll.wording,
    }


def _area(poll: PollOut, count: Count) -> str:
    """An area as the reader may have it: exact, as a share of the whole, or not at all."""
    if not poll.areas_rounded or poll.result is None:
        return square_metres(count.area_dm2)
    hidden = count.heads > 0 and count.area_dm2 == 0
    return "—" if hidden else f"≈{per_cent(count.area_dm2, poll.eligible.area_dm2)}%"
