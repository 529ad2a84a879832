"""The replay law: what a client shows, and the events that came since, give what a fresh fetch
gives. It fetches again what ``CHANGES`` names for these events and keeps everything else.

Checked along the demo's stories for all that the clerk can read about a topic, for what a visitor
reads of a community, and for what people read of their own: no step changes anything of which no
event of the streams that they follow tells. ``MINYI_LAW_WHOLE=1`` plays all stories, and reads the
topics as a visitor too.
"""

import asyncio
import io
import json
import os
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, func, select

from api import contract, logs
from api.demo import run
from api.demo.playbill import THE_END, WALKED, WHOLE
from api.demo.stage import Stage, at
from api.fake_wechat.server import build_fake
from api.live.changes import CHANGES
from api.openapi import operations
from api.server import serving
from consultation.community.tables import Node, NodeKind, RoleAssignment
from consultation.events.every import every_event
from consultation.ids import random_id
from consultation.journal import JournalEntry
from consultation.permissions import SYSTEM, Role
from consultation.topics.states import State
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
    "list_photos": "topics/{}/photos",
}
OF_A_COMMUNITY = {
    "read_community": "communities/{}",
    "list_nodes": "communities/{}/nodes",
    "list_topics": "communities/{}/topics?limit=50",
}
COUNTS_OF_A_TOPIC = ("posts", "co_signers")
"""In the list of topics: told on each topic's own stream, not on the community's."""
OF_ONESELF = {
    "get_me": "me",
    "count_unread_notices": "me/notices/unread",
    "list_my_dissent": "me/dissent",
}
"""Not the inbox itself: who reads it is sent no message any more. Nor ``list_unserved``, of which
every reading is an event."""
OF_ONE_IN_A_POLL = {
    "my_ballot": "polls/{}/ballot",
    "my_eligibility": "polls/{}/eligibility",
    "list_mandates": "polls/{}/mandates",
    "list_my_countersignatures": "polls/{}/countersignatures",
}
"""Of the polls that the events of one's own stream name."""
PEOPLE_OF_A_KIND = 2
"""How many people are looked over the shoulder for each type of event of their own."""
OF_AN_ITEM = {
    "list_threads": {"get_thread": "threads/{}", "list_posts": "threads/{}/posts"},
    "list_meetings": {
        "get_meeting": "meetings/{}",
        "list_attendance": "meetings/{}/attendance",
        "get_minutes": "meetings/{}/minutes",
    },
    "list_topic_polls": {
        "get_poll": "polls/{}",
        "get_manifest": "polls/{}/manifest",
        "list_roll": "polls/{}/roll",
        "list_roll_objections": "polls/{}/roll-objections",
        "get_outside_result": "polls/{}/outside-result",
        "get_reconciliation": "polls/{}/reconciliation",
    },
    "list_tasks": {
        "get_task": "tasks/{}",
        "list_progress": "tasks/{}/progress",
        "list_spending": "tasks/{}/spending",
    },
}
NOT_PLAYED: Mapping[str, str] = {
    "adoption.reply_extended": "every body of the demo answers in time",
    "photo.changed": "the demo has no photos",
    "poll.ballots_read": "nobody looks at named ballots",
    "poll.box_destroyed": "no poll of the demo is confidential",
    "poll.addresses_read": "reading is no change",
    "poll.box_opened": "no poll of the demo is confidential",
    "poll.correction_ordered": "no count is wrong",
    "poll.count_corrected": "no count is wrong",
    "poll.extended": "every poll that runs long enough reaches its turnout, or fails by rule",
    "poll.opener_came": "no poll of the demo is confidential",
    "poll.outside_result_confirmed": "owners vote here, in the invented city",
    "poll.roll_ruling_overdue": "objections are ruled in time",
    "poll.unserved_read": "reading is no change",
    "poll.voided": "no poll is given up",
    "post.edited": "nobody corrects a post",
    "statement.moderated": "no statement needs it",
    "thread.closed": "threads end with the deliberation",
    "topic.deliberation_extended": "no deliberation runs over",
    "topic.taken_over": "no author withdraws",
    "topic.withdrawal_asked": "no author withdraws",
    "user.bar_lifted": "nobody is barred",
    "user.barred": "nobody is barred",
    "user.role_ended": "nobody leaves office",
    "user.role_granted": "roles come with the registers, before the stories",
    "user.verified": "people are verified with the registers, before the stories",
}
"""Types of events of which the law is not checked here, and why no story of the demo has them."""
IN_OTHER_STORIES = frozenset(
    {
        "poll.roll_corrected",
        "poll.roll_objection_made",
        "post.hidden",
        "post.restored",
        "statement.added",
        "statement.marked",
        "topic.appeal_made",
        "transfer.changed",
        "user.mandate_changed",
        "user.roll_objection_answered",
        "user.voter_named",
    }
)
"""Types that only the stories beyond ``WALKED`` have."""
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


def asked_in(shown: str | None) -> Any:
    """What one was asked, whatever one answered."""
    body = json.loads(shown or "null")
    if not isinstance(body, dict):
        return body
    return [{k: v for k, v in one.items() if k != "answer"} for one in body["items"]]


@dataclass
class Reader:
    """Somebody who reads everything about the topics, and keeps what they read."""

    stage: Stage
    role: Role | None
    shown: dict[str, Snapshot] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    silent: set[tuple[str, str]] = field(default_factory=set)
    types: set[str] = field(default_factory=set)
    growing: set[str] = field(default_factory=set)
    """Subjects of which parts come in by and by."""

    async def check(self, topic_id: str, *, always: bool = False) -> None:
        """Compare a fresh fetch with what the events since the last one announce."""
        await self.compare(topic_id, [f"topic:{topic_id}"], self.fetch, always=always)

    async def compare(
        self,
        subject: str,
        streams: list[str],
        fetch: Callable[[str], Awaitable[Snapshot]],
        *,
        always: bool,
    ) -> None:
        events = await self._events(subject, streams)
        if not events and not always:
            return
        self.types |= {event.type for event in events}
        fresh = await fetch(subject)
        before = self.shown.get(subject)
        if before is not None and before.get(("get_topic", subject)) != NOT_SHOWN:
            announced = {op for event in events for op in CHANGES[event.type]}
            for part in (
                fresh.keys() & before.keys()
                if subject in self.growing
                else (fresh.keys() | before.keys())
            ):
                if (
                    fresh.get(part) != before.get(part)
                    and part[0] not in announced
                    and not self.did(part, before, fresh)
                ):
                    self.silent.add((part[0], " ".join(sorted({event.type for event in events}))))
        self.shown[subject] = fresh

    def did(self, part: tuple[str, str], before: Snapshot, fresh: Snapshot) -> bool:
        """Whether the reader has done this: told by the answer to their command."""
        return False

    async def _events(self, subject: str, streams: list[str]) -> list[JournalEntry]:
        async with self.stage.services.db.read(SYSTEM) as tx:
            rows = await tx.session.exec(
                select(JournalEntry)
                .where(
                    col(JournalEntry.stream).in_(streams),
                    col(JournalEntry.id) > self.seen.get(subject, 0),
                )
                .order_by(col(JournalEntry.id))
            )
            found = list(rows)
        if found:
            self.seen[subject] = found[-1].id or 0
        return found

    async def get(
        self, found: Snapshot, headers: dict[str, str], operation: str, id: str, path: str
    ) -> Any:
        answer = await self.stage.people.http.get(f"/v1/{path.format(id)}", headers=headers)
        body = settled(answer.json()) if answer.status_code == 200 else answer.status_code
        found[operation, id] = json.dumps(body, sort_keys=True)
        return answer.json() if answer.status_code == 200 else None

    async def fetch(self, topic_id: str) -> Snapshot:
        headers = await self._headers(topic_id)
        found: Snapshot = {}
        get = partial(self.get, found, headers)
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


@dataclass
class Passer(Reader):
    """Somebody who looks at the communities from outside, and follows their streams."""

    async def look(self, *, always: bool = False) -> None:
        async with self.stage.services.db.read(SYSTEM) as tx:
            kinds = (NodeKind.COMMUNITY, NodeKind.VILLAGE)
            ids = await tx.session.exec(select(Node.id).where(col(Node.kind).in_(kinds)))
            communities = [str(id) for id in ids]
        for id in communities:
            await self.compare(id, [f"community:{id}"], self._of, always=always)

    async def _of(self, community: str) -> Snapshot:
        found: Snapshot = {}
        for operation, path in OF_A_COMMUNITY.items():
            await self.get(found, {}, operation, community, path)
        listed: dict[str, Any] = json.loads(found["list_topics", community])
        for topic in listed["items"]:
            for count in COUNTS_OF_A_TOPIC:
                topic.pop(count)
            if topic["state"] == State.TRANSFERRED:
                topic.pop("due_at")  # the answer to a transfer is told on the topic's stream only
        found["list_topics", community] = json.dumps(listed, sort_keys=True)
        return found


@dataclass
class Owner(Reader):
    """People who look at what is their own, from their first event of a type on."""

    watched: dict[str, set[str]] = field(default_factory=dict)
    """By person, the polls that their own events name."""
    chosen: Counter[str] = field(default_factory=Counter)
    last: int = 0

    async def begin(self) -> None:
        async with self.stage.services.db.read(SYSTEM) as tx:
            last = await tx.session.exec(select(func.max(JournalEntry.id)))
            self.last = last.one() or 0

    async def look(self, *, always: bool = False) -> None:
        for person in self.watched:
            await self.compare(
                person,
                [f"user:{person}", *(f"poll:{poll}" for poll in self.watched[person])],
                self._of,
                always=always,
            )
        await self._choose()

    def did(self, part: tuple[str, str], before: Snapshot, fresh: Snapshot) -> bool:
        """They voted themselves, which also takes back a mandate; or answered what they were asked
        to countersign, where nobody else's answer shows."""
        operation, poll = part
        if operation == "list_my_countersignatures":
            return asked_in(before.get(part)) == asked_in(fresh.get(part))
        ballot = "my_ballot", poll
        return (
            operation in OF_ONE_IN_A_POLL
            and fresh.get(ballot) != before.get(ballot)
            and '"channel": "electronic"' in fresh.get(ballot, "")
        )

    async def _choose(self) -> None:
        async with self.stage.services.db.read(SYSTEM) as tx:
            rows = list(
                await tx.session.exec(
                    select(JournalEntry)
                    .where(
                        col(JournalEntry.id) > self.last,
                        col(JournalEntry.stream).startswith("user:"),
                    )
                    .order_by(col(JournalEntry.id))
                )
            )
        for row in rows:
            self.last = row.id or 0
            person = row.stream.removeprefix("user:")
            if person not in self.watched and self.chosen[row.type] >= PEOPLE_OF_A_KIND:
                continue
            self.chosen[row.type] += person not in self.watched
            polls = self.watched.setdefault(person, set())
            if "poll_id" in row.data:
                polls.add(row.data["poll_id"])
                self.shown.pop(person, None)  # begins anew, with this poll
            if person not in self.shown:
                self.growing.add(person)
                self.types.add(row.type)
                await self._events(person, [f"user:{person}"])
                self.shown[person] = await self._of(person)

    async def _of(self, person: str) -> Snapshot:
        found: Snapshot = {}
        token = self.stage.services.tokens.issue(UUID(person), random_id(), random_id())
        headers = {"authorization": f"Bearer {token}"}
        for operation, path in OF_ONESELF.items():
            await self.get(found, headers, operation, person, path)
        for poll in sorted(self.watched[person]):
            for operation, path in OF_ONE_IN_A_POLL.items():
                await self.get(found, headers, operation, poll, path)
        return found


class Watched(Stage):
    """A stage on which every topic is read again after every step."""

    topics: "list[str]"
    readers: "list[Reader]"
    passer: Passer
    owner: Owner

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
        await self.passer.look(always=always)
        await self.owner.look(always=always)


async def silent_changes(folder: Path) -> tuple[set[tuple[str, str]], set[str]]:
    async with serving(build_fake()) as wechat:
        settings = run.demo_settings(folder, wechat)
        async with run.stage_for(settings, tell=lambda _: None, served=False) as plain:
            stage = Watched(plain.services, plain.clock, plain.people, plain.places, plain.tell)
            stage.topics = []
            stage.readers = [Reader(stage, Role.CLERK)]
            stage.passer, stage.owner = Passer(stage, None), Owner(stage, None)
            await stage.owner.begin()
            bill, end = WALKED, at("2026-11-20")
            if "MINYI_LAW_WHOLE" in os.environ:
                stage.readers.append(Reader(stage, None))
                bill, end = WHOLE, THE_END
            stories: Sequence[AsyncGenerator[datetime]] = [story(stage) for story in bill]
            await stage.play(stories)
            await stage.move_to(end)
            await stage.read(always=True)
    readers = [*stage.readers, stage.passer, stage.owner]
    silent = {one for reader in readers for one in reader.silent}
    return silent, {type for reader in readers for type in reader.types}


@pytest.fixture
def quiet() -> None:
    logs.configure(io.StringIO())


def test_no_step_of_a_story_changes_what_no_event_tells(tmp_path: Path, quiet: None) -> None:
    silent, types = asyncio.run(silent_changes(tmp_path))

    assert sorted(silent) == []
    expected = {kind.type for kind in every_event()} - NOT_PLAYED.keys()
    if "MINYI_LAW_WHOLE" not in os.environ:
        expected -= IN_OTHER_STORIES
    assert types - NOT_PLAYED.keys() == expected
    assert types & NOT_PLAYED.keys() <= {"poll.unserved_read", "user.role_granted"}


def test_every_event_says_what_to_fetch_again() -> None:
    assert CHANGES.keys() == {kind.type for kind in every_event()}
    reads = {
        operation["operationId"]
        for method, _, operation in operations(contract.openapi())
        if method == "get"
    }
    assert {op for changed in CHANGES.values() for op in changed} - reads == set()
