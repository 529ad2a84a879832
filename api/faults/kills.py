"""``kill -9`` of the server under load, again and again, on one database that lives on."""

import asyncio
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

from api.faults.ground import Ground, Servers, Violated, ground
from api.faults.phones import Phone, Told, Vote
from api.faults.races import CHOICES, agree

CONNECTIONS = 24
VOTERS = 120
"""For each kill: more than are reached before it."""
LATEST = 60
"""Answers before a kill, at most: every connection still has voters to send when it comes."""
MOMENT = 0.004
"""Seconds after the answer that sets off the kill, at most: it may fall anywhere in a commit."""


async def killed_under_load(
    folder: Path, url: str | None, *, kills: int, tell: Callable[[str], None], seed: int = 1
) -> dict[str, int]:
    """Votes are cast until the server is killed; the next server is first asked again for whatever
    was without an answer. In the end nothing that was acknowledged is missing, nobody is counted
    twice, and every question that was asked again had one answer."""
    draw = random.Random(seed)  # noqa: S311
    async with ground(folder, url, [VOTERS * kills]) as house:
        poll = house.polls[0]
        told, asked_again, survived = Told(), 0, 0
        voters = iter(poll.voters)
        with house.servers() as servers:
            for kill in range(1, kills + 1):
                await servers.start()
                before = set(told.unknown)
                await _ask_again(house, servers, told, before)
                asked_again += len(before)
                known = told.acknowledged
                await _vote_until_killed(house, servers, told, voters, draw)
                survived += told.acknowledged - known
                if kill % 10 == 0:
                    tell(f"  {kill} kills, {len(told.receipts)} acknowledged")
            await servers.start()
            lost_answers = set(told.unknown)
            rows = await house.receipts()
            done_unseen = sum(1 for poll_id, voter, _ in lost_answers if (poll_id, voter) in rows)
            await _ask_again(house, servers, told, lost_answers)
        rows = await house.receipts()
        heads, counted = await house.counted(poll)
    lost = [key for key in told.receipts if key not in rows]
    if lost:
        raise Violated(f"{len(lost)} acknowledged ballots are lost")
    agree(told, rows)
    if told.unknown or told.refused:
        raise Violated(f"{len(told.unknown)} without an answer, refused {told.refused}")
    if not len(told.receipts) == len(rows) == heads == counted:
        raise Violated(f"{len(rows)} rows, {heads} heads, {counted} counted")
    if survived < kills:
        raise Violated("nobody voted: the kills came too early to show anything")
    return {
        "kills": kills,
        "acknowledged": len(told.receipts),
        "acknowledged lost": 0,
        "counted twice": 0,
        "asked again": asked_again + len(lost_answers),
        "of the last, done but unanswered": done_unseen,
    }


async def _ask_again(house: Ground, servers: Servers, told: Told, votes: set[Vote]) -> None:
    phone = Phone(servers.port, told, house.tokens)
    for vote in votes:
        await phone.cast(vote)
    phone.hang_up()


async def _vote_until_killed(
    house: Ground, servers: Servers, told: Told, voters: Iterator[UUID], draw: random.Random
) -> None:
    poll = house.polls[0]
    enough = told.acknowledged + draw.randint(1, LATEST)
    due = asyncio.Event()

    async def phone() -> None:
        mine = Phone(servers.port, told, house.tokens)
        for voter in voters:
            status = await mine.cast((poll.id, voter, draw.choice(CHOICES)))
            if told.acknowledged >= enough:
                due.set()
            if status is None:
                break
        mine.hang_up()

    phones = asyncio.gather(*(phone() for _ in range(CONNECTIONS)))
    reached = asyncio.ensure_future(due.wait())
    await asyncio.wait([reached, phones], return_when=asyncio.FIRST_COMPLETED)
    if not reached.done():
        reached.cancel()
        phones.result()  # raises what a phone met that is no lost connection
        state = "still runs" if servers.alive else "has ended by itself"
        raise Violated(f"nobody could vote, and the server {state}: refused {told.refused}")
    await asyncio.sleep(draw.uniform(0, MOMENT))
    servers.kill()
    await phones
