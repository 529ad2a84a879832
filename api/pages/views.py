"""What the pages show, in words: plain dictionaries for the templates, made from what a visitor
may read."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from api.pages.poll_views import polls_view
from api.pages.saying import Words, day, share
from api.routes.serving import visit_out
from consultation.calendar import last_day, minute, until
from consultation.community import place_queries
from consultation.community.tables import Node
from consultation.database import Transaction
from consultation.deliberation import queries as deliberation
from consultation.meetings import queries as meetings
from consultation.outcomes import queries as outcomes
from consultation.outcomes import task_queries
from consultation.oversight import queries as oversight
from consultation.oversight.rules import DissentState
from consultation.polls.rules import PollState
from consultation.polls.tables import Poll
from consultation.topics import dossier, reading
from consultation.topics.detail import Detail, topic_detail
from consultation.topics.states import State, StateGroup
from consultation.topics.tables import Topic
from notifications.sheets import Visit

DECIDED = frozenset(
    {
        State.ADOPTED,
        State.PARTIALLY_ADOPTED,
        State.NOT_ADOPTED,
        State.IMPLEMENTING,
        State.FEEDBACK,
        State.EVALUATING,
        State.CLOSED,
    }
)
"""From here on the adoption replies of the present round are signed and public."""
WAITING = frozenset({DissentState.RECORDED, DissentState.ASSIGNED})


async def home_view(tx: Transaction) -> list[dict[str, Any]]:
    found = await place_queries.communities(tx, after=None, limit=50)
    return [{"id": node.id, "name": node.name, "above": above} for node, above in found]


async def community_view(
    tx: Transaction,
    community_id: UUID,
    group: StateGroup | None,
    after: reading.TimeKey | None,
    t: Words,
) -> dict[str, Any]:
    """A page of the board. ``next`` is the key of the last topic shown, or None."""
    wanted = reading.Filter(group=group)
    board = await reading.list_topics(tx, community_id, wanted=wanted, after=after, limit=20)
    node, cards = board.place.node, board.cards
    shown = cards[:20]
    tabs = [None, *(each for each in StateGroup if each is not StateGroup.SCREENING)]
    return {
        "community": {
            "name": node.name,
            "above": " · ".join(level.name for level in board.place.levels),
            "households": node.households,
        },
        "group": group or "",
        "groups": [
            {
                "key": each or "",
                "label": t("pages.all") if each is None else t(f"words.state_group.{each}"),
                "on": each == group,
            }
            for each in tabs
        ],
        "topics": [_card(card.topic, card.place, card.poll, t) for card in shown],
        "next": shown[-1].topic if len(cards) > 20 else None,
    }


def _card(topic: Topic, place: str, poll: Poll | None, t: Words) -> dict[str, Any]:
    return {
        "id": topic.id,
        "number": topic.number,
        "title": topic.title,
        "place": place,
        "state": t(f"words.state.{topic.state}"),
        "track": None if topic.track is None else t(f"words.track.{topic.track}"),
        "since": day(topic.state_since),
        "due": None if topic.due_at is None else last_day(topic.due_at).isoformat(),
        "overdue": topic.overdue_since is not None,
        "co_signers": topic.co_signers,
        "poll_closes": until(poll.closes_at)
        if poll is not None and poll.state is PollState.OPEN
        else None,
    }


async def topic_view(tx: Transaction, topic_id: UUID, t: Words, locale: str) -> dict[str, Any]:
    detail = await topic_detail(tx, topic_id)
    topic = detail.topic
    community = await place_queries.community(tx, topic.community_id)
    return {
        "topic": _topic(detail, community.name, t),
        "timeline": await _timeline(tx, topic, t),
        "documents": await _documents(tx, topic, t),
        "threads": await _threads(tx, topic, t),
        "statements": await _statements(tx, topic, t),
        "meetings": await _meetings(tx, topic, t),
        "polls": await polls_view(tx, topic, t, locale),
        "outcome": await _outcome(tx, topic, t),
        "tasks": await _tasks(tx, topic, t),
        "dissent": await _dissent(tx, topic, t),
        "survey": await _survey(tx, topic, t),
    }


def _topic(detail: Detail, community: str, t: Words) -> dict[str, Any]:
    topic, full = detail.topic, detail.in_full
    kinds = [
        t(f"words.{name}.{value}")
        for name, value in (
            ("category", topic.category),
            ("layer", topic.layer),
            ("track", topic.track),
        )
        if value is not None
    ]
    return _card(topic, detail.place, detail.poll, t) | {
        "community": community,
        "community_id": topic.community_id,
        "round": topic.round,
        "overdue": None if topic.overdue_since is None else day(topic.overdue_since),
        "kinds": kinds,
        "proposer": detail.author,
        "raised": day(topic.created_at),
        "problem": topic.problem if full else "",
        "wish": topic.wish if full else "",
        "affected": topic.affected,
        "convener": detail.convener,
        "commissioner": detail.commissioner,
        "receiver": detail.receiver,
        "answer": None if detail.transfer is None else detail.transfer.answer,
        "merged_into": detail.merged_into,
    }


async def _timeline(tx: Transaction, topic: Topic, t: Words) -> list[dict[str, Any]]:
    entries = await dossier.timeline(tx, topic.id, after=None, limit=100)
    return [
        {
            "act": t(f"words.act.{entry.step.act}"),
            "state": t(f"words.state.{entry.step.to_state}"),
            "at": minute(entry.step.at),
            "by": " ".join(filter(None, (entry.org, entry.actor))) or t("pages.by_system"),
            "reason": entry.step.reason if entry.open else None,
        }
        for entry in entries
    ]


async def _documents(tx: Transaction, topic: Topic, t: Words) -> list[dict[str, Any]]:
    found = await dossier.list_documents(tx, topic.id, after=None, limit=50)
    return [
        {
            "kind": t(f"words.document_kind.{document.kind}"),
            "title": document.title,
            "body": document.body,
            "version": document.version,
            "correction": document.correction_reason,
            "at": day(document.created_at),
            "open": place == 0,
        }
        for place, document in enumerate(found)
    ]


async def _threads(tx: Transaction, topic: Topic, t: Words) -> list[dict[str, Any]]:
    threads = await deliberation.threads_of(tx, topic.id, after=None, limit=3)
    return [
        {
            "title": thread.title,
            "posts": thread.posts,
            "latest": [
                {
                    "name": post.display_name or t("words.speaker.gone"),
                    "stance_key": post.stance.value,
                    "stance": t(f"words.stance.{post.stance}"),
                    "assisted": post.entered_by_id is not None,
                    "at": minute(post.created_at),
                    "edited": post.version > 1,
                    "reply": post.parent_id is not None,
                    "hidden": None
                    if post.hidden_at is None
                    else t(f"words.hiding_reason.{post.hidden_reason_code}"),
                    "body": "" if post.hidden_at is not None else post.body,
                }
                for post in await deliberation.posts_of(tx, thread.id, after=None, limit=20)
            ],
        }
        for thread in threads
    ]


async def _statements(tx: Transaction, topic: Topic, t: Words) -> list[dict[str, Any]]:
    found = await deliberation.statements_of(tx, topic.id, state=None, after=None, limit=20)
    views = []
    for statement in found:
        marks = statement.agrees + statement.disagrees + statement.passes
        views.append(
            {
                "text": statement.text,
                "label": t(
                    "pages.statement_counts",
                    agrees=statement.agrees,
                    disagrees=statement.disagrees,
                    passes=statement.passes,
                ),
                "agree_pct": share(statement.agrees, marks),
                "disagree_pct": share(statement.disagrees, marks),
            }
        )
    return views


async def _meetings(tx: Transaction, topic: Topic, t: Words) -> list[dict[str, Any]]:
    return [
        {
            "state": t(f"words.meeting_state.{meeting.state}"),
            "form": t(f"words.meeting_form.{meeting.form}"),
            "title": meeting.title,
            "at": minute(meeting.starts_at),
            "place": meeting.place,
            "present": meeting.present,
        }
        for meeting in await meetings.meetings_of(tx, topic.id, after=None, limit=20)
    ]


async def _outcome(tx: Transaction, topic: Topic, t: Words) -> dict[str, Any] | None:
    paper = await outcomes.outcome_paper(tx, topic.id, topic.round)
    if paper is None:
        return None
    signed = topic.state in DECIDED
    answers = await outcomes.current_answers(tx, topic.id, topic.round) if signed else []
    by_number = {answer.number: answer for answer in answers}
    items = []
    for item in paper.items:
        view: dict[str, Any] = {"number": item.number, "text": item.text, "decision": None}
        answer = by_number.get(item.number)
        if answer is not None and answer.decision is not None and answer.at is not None:
            view |= {
                "decision": t(f"words.decision.{answer.decision}"),
                "decision_key": answer.decision.value,
                "reason": answer.reason,
                "org": answer.org,
                "at": day(answer.at),
            }
        items.append(view)
    return {
        "items": items,
        "minority_view": paper.outcome.minority_view,
        "impacts": paper.outcome.adverse_impacts,
    }


async def _tasks(tx: Transaction, topic: Topic, t: Words) -> list[dict[str, Any]]:
    views = await task_queries.task_views(tx, topic, after=None, limit=50)
    reports = await task_queries.progress_of_topic(tx, topic.id, limit=50) if views else []
    return [
        {
            "title": view.task.title,
            "state": t(f"words.task_state.{view.task.state}"),
            "overdue": view.task.overdue_since is not None,
            "org": view.responsible,
            "due": view.task.due_on.isoformat(),
            "budget": f"{view.task.budget_fen / 100:,.2f}" if view.task.budget_fen else None,
            "spent": f"{(view.paid_fen - view.refunded_fen) / 100:,.2f}",
            "milestones": [
                {
                    "title": stone.title,
                    "done": stone.done_at is not None,
                    "when": stone.due_on.isoformat()
                    if stone.done_at is None
                    else day(stone.done_at),
                }
                for stone in view.milestones
            ],
            "reports": [
                {"text": report.text, "at": day(report.at)}
                for report in reports
                if report.task_id == view.task.id
            ],
        }
        for view in views
    ]


async def _dissent(tx: Transaction, topic: Topic, t: Words) -> str | None:
    counts = await oversight.dissent_counts(tx, topic.id)
    total = sum(counts.values())
    if not total:
        return None
    waiting = sum(count for state, count in counts.items() if state in WAITING)
    return t("pages.dissent_counts", total=total, settled=total - waiting, open=waiting)


async def _survey(tx: Transaction, topic: Topic, t: Words) -> dict[str, Any] | None:
    survey = await oversight.survey_of(tx, topic.id)
    if survey is None:
        return None
    result = survey.result
    if result is None:
        return {"summary": t("pages.survey_open", when=until(survey.closes_at)), "rows": []}
    return {
        "summary": t("pages.survey_summary", invited=result.invited, answers=result.answers),
        "rows": [
            {
                "name": t(f"pages.score_{score}"),
                "count": result.scores[score - 1],
                "pct": share(result.scores[score - 1], result.answers),
            }
            for score in (5, 4, 3, 2, 1)
        ],
        "themes": [f"{theme.theme}({theme.count})" for theme in result.themes],
    }


async def sheet_view(
    tx: Transaction, place: Node, visits: Sequence[Visit], t: Words
) -> dict[str, Any]:
    assert place.community_id is not None
    community = await place_queries.community(tx, place.community_id)
    return {
        "heading": t("notices.sheet.title", grid=place.name),
        "printed": t(
            "notices.sheet.printed", community=community.name, at=minute(tx.now), count=len(visits)
        ),
        "visits": [visit_out(visit, "zh-CN") for visit in visits],
    }
