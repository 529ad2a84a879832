"""``minyi bench read``: a topic page and a list of 50 topics with their counts, at 64 clients.

Beside them in the same run: a bare ASGI answer, and the list as one writes it first, with the ORM.
The application is the one that is served; the database is an SQLite file.
"""

import asyncio
import io
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict
from sqlalchemy import insert
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api import logs, server
from api.app import build_app, build_database
from api.bench.machine import cpu_seconds, free_port, get, load, process, settings_in
from api.bench.report import Report
from api.migrations import runner
from api.settings import Settings
from consultation.community.tables import Node, NodeKind, Person
from consultation.database import Database
from consultation.deliberation.rules import Stance
from consultation.deliberation.tables import Post, Thread
from consultation.ids import random_id
from consultation.topics.states import Category, Layer, MatterList, State, Track
from consultation.topics.tables import Topic

RUNS = 3
SECONDS = 3.0
CLIENTS = 64
TOPICS = 60
POSTS = 100
"""In each topic; and a hundred times as many in one, to see that it costs nothing."""
LIST = 50


# ---- what is served ------------------------------------------------------------------------------


def serve_shipped(settings: Settings) -> None:
    with Path(os.devnull).open("w") as nowhere:
        logs.configure(nowhere)
        server.run(settings)


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """The least that an ASGI server can say."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"application/json"), (b"content-length", b"16")],
        }
    )
    await send({"type": "http.response.body", "body": b'{"hello":"true"}'})


def serve_hello(port: int) -> None:
    uvicorn.run(hello, host="127.0.0.1", port=port, access_log=False, log_config=None)


class PlainTopic(BaseModel):
    """The list as one writes it first."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    number: str
    title: str
    summary_plain: str
    place: str
    state: State
    round: int
    category: Category | None
    layer: Layer | None
    track: Track | None
    co_signers: int
    posts: int
    due_at: datetime | None
    overdue_since: datetime | None
    created_at: datetime


def serve_plain(settings: Settings, port: int) -> None:
    app, db = FastAPI(), build_database(settings)

    @app.get("/plain/{community_id}", response_model=list[PlainTopic])
    async def plain_list(community_id: UUID) -> list[PlainTopic]:
        async with AsyncSession(db.reader) as session:
            topics = await session.exec(
                select(Topic)
                .where(Topic.community_id == community_id)
                .order_by(col(Topic.created_at).desc())
                .limit(LIST)
            )
            answer: list[PlainTopic] = []
            for topic in topics:
                node = await session.get(Node, topic.node_id)
                counted = await session.exec(
                    select(func.count()).select_from(Post).where(Post.topic_id == topic.id)
                )
                posts = counted.one()
                place = "" if node is None else node.name
                answer.append(
                    PlainTopic.model_validate(topic.model_dump() | {"place": place, "posts": posts})
                )
            return answer

    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_config=None)


# ---- what is read --------------------------------------------------------------------------------


async def fill(db: Database) -> tuple[UUID, list[UUID]]:
    """A community and its topics, newest first; the oldest has a hundred times the posts."""
    community, person = random_id(), random_id()
    ids = [random_id() for _ in range(TOPICS)]
    path = f"/{community}/"
    start = datetime(2026, 3, 1, tzinfo=UTC)
    async with db.begin() as tx:
        node = Node(
            id=community,
            kind=NodeKind.COMMUNITY,
            path=path,
            code="bench",
            name="梧桐里社区",
            community_id=community,
            facts={},
        )
        tx.session.add(node)
        tx.session.add(Person(id=person, masked_name="王*", created_at=start))
        await tx.session.flush()
        connection = await tx.session.connection()
        on: dict[str, Any] = {"community_id": community}
        for index, id in enumerate(ids):
            posts = POSTS * 100 if index == TOPICS - 1 else POSTS
            thread, created = random_id(), start + timedelta(hours=TOPICS - index)
            topic = Topic(
                id=id,
                node_id=community,
                node_path=path,
                number=f"2026-{TOPICS - index:03d}",
                title="梧桐新村电瓶车集中充电棚选址",
                summary_plain="楼道里停满电瓶车,想建集中充电棚,地方请大家一起选。",
                problem="晚上一半楼道停着电瓶车,从窗户拉线充电随处可见。" * 8,
                wish="建集中充电棚。" * 8,
                place="梧桐新村",
                affected=["九幢居民"],
                author_id=person,
                state=State.DELIBERATING,
                state_since=created,
                created_at=created,
                category=Category.VITAL_INTEREST_PROBLEM,
                layer=Layer.CONSULTATION,
                track=Track.COMMUNITY,
                matter_list=MatterList.SELF_GOVERNANCE,
                was_public=True,
                **on,
            )
            tx.session.add(topic)
            await tx.session.flush()
            tx.session.add(
                Thread(
                    id=thread,
                    topic_id=id,
                    round=1,
                    title="放在哪里好",
                    opened_by_id=person,
                    posts=posts,
                    created_at=created,
                    **on,
                )
            )
            await tx.session.flush()
            rows = [
                {
                    "id": random_id(),
                    "topic_id": id,
                    "thread_id": thread,
                    "author_id": person,
                    "author_role": "resident",
                    "display_name": "3幢 王*",
                    "stance": Stance.FOR,
                    "body": "我赞成放在南门内侧,离住宅远一点。",
                    "created_at": created,
                    **on,
                }
                for _ in range(posts)
            ]
            await connection.execute(insert(Post), rows)
    return community, ids


# ---- the bench -----------------------------------------------------------------------------------


def run(tell: Callable[[str], None]) -> Report:
    report = Report("read", RUNS)
    with tempfile.TemporaryDirectory(prefix="minyi-bench-") as name:
        folder = Path(name)
        settings = settings_in(folder)
        community, topics = asyncio.run(_prepare(settings))
        ports = {side: free_port() for side in ("shipped", "hello", "plain")}
        shipped = settings.model_copy(update={"port": ports["shipped"]})
        with (
            process(serve_shipped, shipped, port=ports["shipped"]) as ours,
            process(serve_hello, ports["hello"], port=ports["hello"]) as bare,
            process(serve_plain, settings, ports["plain"], port=ports["plain"]) as plain,
        ):
            listed = f"/v1/communities/{community}/topics?limit={LIST}"
            tag = httpx.get(f"http://127.0.0.1:{ports['shipped']}{listed}").headers["etag"]
            sides = {
                "hello": (bare.pid, ports["hello"], [get("/")]),
                "list": (ours.pid, ports["shipped"], [get(listed)]),
                "topic": (ours.pid, ports["shipped"], [get(f"/v1/topics/{t}") for t in topics]),
                "page": (ours.pid, ports["shipped"], [get(f"/t/{t}") for t in topics]),
                "not_modified": (ours.pid, ports["shipped"], [get(listed, if_none_match=tag)]),
                "plain": (plain.pid, ports["plain"], [get(f"/plain/{community}")]),
            }
            for turn in range(RUNS):
                tell(f"run {turn + 1} of {RUNS}")
                for side, (pid, port, requests) in sides.items():
                    assert pid is not None
                    before = cpu_seconds(pid)
                    seen = load(port, requests, connections=CLIENTS, seconds=SECONDS, folder=folder)
                    if seen.failed or not seen.answered:
                        raise RuntimeError(f"{side}: {seen.failed} of {seen.answered} failed")
                    if side == "not_modified" and seen.fine:
                        raise RuntimeError("the strong ETag changed though nothing else did")
                    report.note(
                        side,
                        per_second=seen.rate,
                        cpu_us=(cpu_seconds(pid) - before) / seen.answered * 1e6,
                        p50_us=seen.p50,
                        p99_us=seen.p99,
                    )
        asyncio.run(_uncached(settings, community, topics, report))
    report.compare("list of 50 against a bare answer", "list", "hello", "per_second", least=0.4)
    report.compare("topic against a bare answer", "topic", "hello", "per_second", least=0.4)
    report.compare("list against the plain ORM list", "list", "plain", "per_second", least=50)
    return report


async def _prepare(settings: Settings) -> tuple[UUID, list[UUID]]:
    await runner.upgrade(settings.database_url)
    db = build_database(settings)
    try:
        return await fill(db)
    finally:
        await db.dispose()


async def _uncached(
    settings: Settings, community: UUID, topics: list[UUID], report: Report
) -> None:
    """What an answer costs that nobody kept: statements, and time with many posts and far down."""
    logs.configure(io.StringIO())
    app = build_app(settings.model_copy(update={"shared_read_seconds": 0.0}))
    statements: list[int] = []

    async def counted(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)
        statements.append(scope["statements"][0])

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(counted), base_url="http://bench"
    ) as http:
        listed = f"/v1/communities/{community}/topics?limit=5"
        cursor = (await http.get(f"{listed[:-1]}{LIST}")).json()["next_cursor"]
        few, many = f"/v1/topics/{topics[0]}", f"/v1/topics/{topics[-1]}"
        far = f"{listed}&cursor={cursor}"
        (await http.get(f"/v1/communities/{community}")).raise_for_status()
        (await http.get(f"/v1/communities/{community}/topics?limit={LIST}")).raise_for_status()
        times: dict[str, list[float]] = {path: [] for path in (few, many, listed, far)}
        for _ in range(60):
            for path, taken in times.items():
                started = time.perf_counter()
                (await http.get(path)).raise_for_status()
                taken.append(time.perf_counter() - started)
    await app.state.services.db.dispose()
    middle = {path: sorted(taken)[len(taken) // 2] * 1e6 for path, taken in times.items()}
    report.figures["uncached_us"] = {
        "topic": round(middle[few]),
        "topic_100_times_the_posts": round(middle[many]),
        "list": round(middle[listed]),
        "list_50_further_down": round(middle[far]),
    }
    report.at_most("statements of an uncached answer", max(statements), 2)
    report.at_most("topic with 100 times the posts", middle[many] / middle[few], 1.5)
    report.at_most("list 50 further down", middle[far] / middle[listed], 1.5)
