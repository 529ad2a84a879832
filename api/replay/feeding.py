"""Feeds past statements and marks to a running server, each as one request of its own person.

Events are sent in the order in which they happened. A statement is there before anything later is
sent. Marks go out in ``LANES`` lanes; all of one person share a lane, and in a lane each waits for
the answer to the one before, so that the marks of a pair keep their order.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

import httpx

from api.replay.records import PastMark, PastStatement, Records
from consultation.deliberation.rules import HidingReason, StatementState

LANES = 16
WAITING = 64
"""How many marks may wait in a lane before the reader of the records waits too."""

Headers = dict[str, str]


class Refused(Exception):
    """The server refused what it once accepted; the message is its problem document."""


@dataclass
class Fed:
    """What was sent, and how long the marks took."""

    statement_ids: dict[int, UUID] = field(default_factory=dict)
    marks: int = 0
    seconds: float = 0.0

    @property
    def per_second(self) -> float:
        return self.marks / self.seconds if self.seconds else 0.0


async def feed(
    http: httpx.AsyncClient,
    records: Records,
    *,
    topic_id: UUID,
    headers_of: Callable[[int], Headers],
    tell: Callable[[str], None],
) -> Fed:
    fed = Fed()
    lanes: list[asyncio.Queue[PastMark | None]] = [asyncio.Queue(WAITING) for _ in range(LANES)]

    async def run(lane: asyncio.Queue[PastMark | None]) -> None:
        while (past := await lane.get()) is not None:
            await _ok(
                http.put(
                    f"/v1/statements/{fed.statement_ids[past.statement]}/mark",
                    json={"mark": past.mark.value},
                    headers=headers_of(past.voter) | {"idempotency-key": f"vote-{past.place:06d}"},
                )
            )
            fed.marks += 1
            if fed.marks % 10_000 == 0:
                tell(f"{fed.marks} marks, {fed.marks / (time.monotonic() - started):.0f}/s")

    async def read() -> None:
        for event in records.in_order():
            if isinstance(event, PastMark):
                await lanes[event.voter % LANES].put(event)
                continue
            answer = await _ok(
                http.post(
                    f"/v1/topics/{topic_id}/statements",
                    json={"text": event.text},
                    headers=headers_of(event.author)
                    | {"idempotency-key": f"comment-{event.number:06d}"},
                )
            )
            fed.statement_ids[event.number] = UUID(answer.json()["id"])
        for lane in lanes:
            await lane.put(None)

    started = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for lane in lanes:
            group.create_task(run(lane))
        group.create_task(read())
    fed.seconds = time.monotonic() - started
    return fed


async def moderate(
    http: httpx.AsyncClient, statements: tuple[PastStatement, ...], fed: Fed, headers: Headers
) -> None:
    """Bring every statement to the state it ended in. Why one was rejected then is not recorded;
    the reason given is that of most such decisions, repetition."""
    for past in statements:
        if past.state is StatementState.OPEN:
            continue
        body: dict[str, object] = {"accept": past.state is StatementState.ACCEPTED}
        if past.state is StatementState.REJECTED:
            body |= {"reason_code": HidingReason.OFF_TOPIC_REPEAT.value, "reason": "原征询未采用"}
        await _ok(
            http.put(
                f"/v1/statements/{fed.statement_ids[past.number]}/moderation",
                json=body,
                headers=headers,
            )
        )


async def _ok(request: Awaitable[httpx.Response]) -> httpx.Response:
    answer = await request
    if answer.is_error:
        raise Refused(answer.text)
    return answer
