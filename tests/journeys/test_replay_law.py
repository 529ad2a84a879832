"""The replay law: what a client shows, and the events that came since, give what a fresh fetch
gives. It fetches again what ``CHANGES`` names for these events and keeps everything else.

Checked along the demo's stories for all that the clerk can read about a topic: no step changes
anything of which no event tells. ``MINYI_LAW_WHOLE=1`` plays all stories, and reads as a visitor
too.
"""

import asyncio
import io
import json
import os
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select

from api import contract, logs
from api.demo import run
from api.demo.playbill import THE_END, WALKED, WHOLE
from api.demo.stage import Stage, at
from api.fake_wechat.server import build_fake
from api.live.changes import CHANGES
from api.openapi import operations
from api.server import serving
from consultation.community.tables import RoleAssignment
from consultation.events import every_event
from consultation.ids import random_id
from consultation.journal import JournalEntry
from consultation.permissions import SYSTEM, Role
from consultation.topics.tables import Topic

OF_A_TOPIC = {
    "get_topic": "topics/{}",
    "get_topic_timeline": "topics/{}/timeline",
    "list_documents": "topics/{}/documents",
    "get_plan": "topics/{}/plan",
    "list_threads": "topics/{}/threads",
    "list_statements": "topics/{}/statements",
    "list_meetings": "topics/{}/meetings",
    "list_topic_polls": "topics/{}/polls",
    "get_outcome": "topics/{}/outcome",
    "get_adoption": "topics/{}/adoption",
    "list_tasks": "topics/{}/tasks",
    "get_feedback": "topics/{}/feedback",
    "get_survey": "topics/{}/survey",
}
OF_AN_ITEM = {
    "list_threads": {"get_thread": "threads/{}", "list_posts": "threads/{}/posts"},
    "list_meetings": {
        "get_meeting": "meetings/{}",
        "list_attendance": "meetings/{}/attendance",
        "get_minutes": "meetings/{}/minutes",
    },
    "list_topic_polls": {"get_poll": "polls/{}"},
    "list_tasks": {
        "get_task": "tasks/{}",
        "list_progress": "tasks/{}/progress",
        "list_spending": "tasks/{}/spending",
    },
}
BY_TIME = {
    "as_of",
    "overdue",
    "overdue_since",
    "permitted_acts",
    "turnout",
    "turnout_progress",
    "meter",  # the same as words
}
"""Fields that time or ``volatile`` frames change, or that say only when this was read."""

NOT_SHOWN = "404"
Snapshot = dict[tuple[str, str], str]
"""By operation and id: the answer, without what time changes."""


def settled(answer: Any) -> Any:
    match answer:
        case dict():
            return {k: settled(v) for k, v in answer.items() if k not in BY_TIME}
        case list():
            return [settled(one) for one in answer]
    return answer


@dataclass
class Reader:
    """Somebody who reads everything about the topics, and keeps what they read."""

    stage: Stage
    role: Role | None
    shown: dict[str, Snapshot] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    silent: set[tuple[str, str]] = field(default_factory=set)
    types: set[str] = field(default_factory=set)

    async def check(self, topic_id: str, *, always: bool = False) -> None:
        """Compare a fresh fetch with what the events since the last one announce."""
        events = await self._events(topic_id)
        if not events and not always:
            return
        self.types |= {event.type for event in events}
        fresh = await self.fetch(topic_id)
        before = self.shown.get(topic_id)
        if before is not None and before["get_topic", topic_id] != NOT_SHOWN:
            announced = {op for event in events for op in CHANGES[event.type]}
            for part in fresh.keys() | before.keys():
                if fresh.get(part) != before.get(part) and part[0] not in announced:
                    self.silent.add((part[0], " ".join(sorted({event.type for event in events}))))
        self.shown[topic_id] = fresh

    async def _events(self, topic_id: str) -> list[JournalEntry]:
        async with self.stage.services.db.read(SYSTEM) as tx:
            rows = await tx.session.exec(
                select(JournalEntry)
                .where(
                    JournalEntry.stream == f"topic:{topic_id}",
                    col(JournalEntry.id) > self.seen.get(topic_id, 0),
                )
                .order_by(col(JournalEntry.id))
            )
            found = list(rows)
        if found:
            self.seen[topic_id] = found[-1].id or 0
        return found

    async def fetch(self, topic_id: str) -> Snapshot:
        headers = await self._headers(topic_id)
        http = self.stage.people.http
        found: Snapshot = {}

        async def get(operation: str, id: str, path: str) -> Any:
            answer = await http.get(f"/v1/{path.format(id)}", headers=headers)
            body = settled(answer.json()) if answer.status_code == 200 else answer.status_code
            found[operation, id] = json.dumps(body, sort_keys=True)
            return answer.json() if answer.status_code == 200 else None

        for operation, path in OF_A_TOPIC.items():
            answer = await get(operation, topic_id, path)
            items = answer.get("items", ()) if isinstance(answer, dict) else answer or ()
            for item in items if operation in OF_AN_ITEM else ():
                for inner, inner_path in OF_AN_ITEM[operation].items():
                    await get(inner, item["id"], inner_path)
        return found

    async def _headers(self, topic_id: str) -> dict[str, str]:
        if self.role is None:
            return {}
        async with self.stage.services.db.read(SYSTEM) as tx:
            topic = (await tx.session.exec(select(Topic).where(Topic.id == UUID(topic_id)))).one()
            held = await tx.session.exec(
                select(RoleAssignment).where(
                    RoleAssignment.role == self.role,
                    RoleAssignment.community_id == topic.community_id,
                )
            )
            assignment = held.first()
        assert assignment is not None
        token = self.stage.services.tokens.issue(assignment.person_id, random_id(), random_id())
        return {"authorization": f"Bearer {token}", "minyi-role": str(assignment.id)}


class Watched(Stage):
    """A stage on which every topic is read again after every step."""

    topics: "list[str]"
    readers: "list[Reader]"

    async def watch(self, community: str, topic_id: str) -> None:
        self.topics.append(topic_id)

    async def move_to(self, moment: datetime) -> None:
        await self.read()
        await super().move_to(moment)
        await self.read()

    async def read(self, *, always: bool = False) -> None:
        for topic_id in self.topics:
            for reader in self.readers:
                await reader.check(topic_id, always=always)


async def silent_changes(folder: Path) -> tuple[set[tuple[str, str]], set[str]]:
    async with serving(build_fake()) as wechat:
        settings = run.demo_settings(folder, wechat)
        async with run.stage_for(settings, tell=lambda _: None, served=False) as plain:
            stage = Watched(plain.services, plain.clock, plain.people, plain.places, plain.tell)
            stage.topics = []
            stage.readers = [Reader(stage, Role.CLERK)]
            bill, end = WALKED, at("2026-11-20")
            if "MINYI_LAW_WHOLE" in os.environ:
                stage.readers.append(Reader(stage, None))
                bill, end = WHOLE, THE_END
            stories: Sequence[AsyncGenerator[datetime]] = [story(stage) for story in bill]
            await stage.play(stories)
            await stage.move_to(end)
            await stage.read(always=True)
    silent = {one for reader in stage.readers for one in reader.silent}
    return silent, stage.readers[0].types


@pytest.fixture
def quiet() -> None:
    logs.configure(io.StringIO())


def test_no_step_of_a_story_changes_what_no_event_tells(tmp_path: Path, quiet: None) -> None:
    silent, types = asyncio.run(silent_changes(tmp_path))

    assert sorted(silent) == []
    assert len(types) >= 20, sorted(types)


def test_every_event_says_what_to_fetch_again() -> None:
    assert CHANGES.keys() == {kind.type for kind in every_event()}
    reads = {
        operation["operationId"]
        for method, _, operation in operations(contract.openapi())
        if method == "get"
    }
    assert {op for changed in CHANGES.values() for op in changed} - reads == set()
