"""Plays stories on an injected clock.

A story is an async generator that yields the moments at which it goes on. The stage keeps the
stories in the order of their moments, moves the clock from one to the next, and on the way does,
at its own time, every job that falls due: openings, closings, deadlines.
"""

import heapq
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

from api.demo.people import People
from api.demo.places import Places
from api.demo.watcher import Watcher
from api.dependencies import Services
from consultation.calendar import SHANGHAI
from consultation.jobs import next_due
from notifications.delivery_queries import next_due as next_message
from notifications.policy import policy

BEGINNING = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)


class Difference(Exception):
    """The product did not do what the story says."""


class StoryClock:
    """Time as the stories tell it; it never goes back."""

    def __init__(self, now: datetime = BEGINNING) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move_to(self, moment: datetime) -> None:
        self.now = max(self.now, moment)


def at(day: str, clock: str = "09:00") -> datetime:
    """A moment in Shanghai: ``at("2026-03-11", "19:30")``."""
    return datetime.combine(date.fromisoformat(day), time.fromisoformat(clock), SHANGHAI)


@dataclass
class Stage:
    services: Services
    clock: StoryClock
    people: People
    places: Places
    tell: Callable[[str], None]
    watchers: dict[str, Watcher] = field(default_factory=dict)
    """By the code of the community; none while the demo is built."""
    steps: int = 0
    notes: dict[str, str] = field(default_factory=dict)
    """What stories leave for each other and for the reader: names of topics to their ids."""

    def step(self, story: str, text: str) -> None:
        """One thing that somebody did."""
        self.steps += 1
        day = self.clock().astimezone(SHANGHAI)
        self.tell(f"{self.steps:>3}  {story:<4} {day:%m-%d %H:%M}  {text}")

    def expect(self, story: str, what: str, actual: object, expected: object) -> None:
        """One thing that must be so."""
        if actual != expected:
            raise Difference(f"{story}: {what}: expected {expected!r}, found {actual!r}")
        self.step(story, f"✓ {what}: {actual}")

    async def watch(self, community: str, topic_id: str) -> None:
        if community in self.watchers:
            await self.watchers[community].watch(f"topic:{topic_id}")

    async def check_watchers(self) -> None:
        """Every event of every topic came over the socket, once and in order."""
        for watcher in self.watchers.values():
            for came, whole in (await watcher.has_all()).values():
                self.expect(
                    "实时", f"{watcher.person.name}的手机收到 {came} 条,不缺不重", whole, True
                )
            self.step("实时", f"其间令牌到期,重新连接 {watcher.connections} 次,从断点续传")

    async def move_to(self, moment: datetime) -> None:
        services = self.services
        while True:
            await services.relay.drain()  # what people are owed of what happened
            async with services.db.read() as tx:
                job, message = await next_due(tx), await next_message(tx)
            message = message and policy().loud_from(message)
            due = min((at for at in (job, message) if at is not None), default=None)
            if due is None or due > moment:
                break
            self.clock.move_to(due)
            if job == due:
                await services.worker.run_due()
                await services.errands.run_due()
            if message == due:
                if job == due:
                    await services.relay.drain()  # what it does may be what a message is about
                await services.sender.run_due()
        self.clock.move_to(moment)

    async def play(self, stories: Sequence[AsyncGenerator[datetime]]) -> None:
        waiting: list[tuple[datetime, int, AsyncGenerator[datetime]]] = [
            (BEGINNING, order, story) for order, story in enumerate(stories)
        ]
        heapq.heapify(waiting)
        while waiting:
            moment, order, story = heapq.heappop(waiting)
            await self.move_to(moment)
            try:
                following = await anext(story)
            except StopAsyncIteration:
                continue
            heapq.heappush(waiting, (following, order, story))
