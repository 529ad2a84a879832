"""Many at once: one voter, everybody at the close, everybody again and again."""

import asyncio
import random
from pathlib import Path
from uuid import UUID

from api.faults.ground import Violated, ground
from api.faults.phones import Phone, Told, Vote, vote_all

CHOICES = ("for", "against", "abstain")


async def one_voter(folder: Path, url: str | None, *, casts: int = 50) -> dict[str, int]:
    """So many casts of one voter at the same moment, of three choices: one ballot, one receipt."""
    async with ground(folder, url, [3]) as house:
        poll = house.polls[0]
        told = Told()
        with house.servers() as servers:
            await servers.start()
            phones = [Phone(servers.port, told, house.tokens) for _ in range(casts)]
            votes = [(poll.id, poll.voters[0], CHOICES[n % 3]) for n in range(casts)]
            await asyncio.gather(*(p.cast(v) for p, v in zip(phones, votes, strict=True)))
            for phone in phones:
                phone.hang_up()
        rows = await house.receipts()
        heads, counted = await house.counted(poll)
    if sum(map(len, rows.values())) != 1 or (heads, counted) != (1, 1):
        raise Violated(f"{rows} rows, {heads} heads, {counted} counted for one voter")
    agree(told, rows)
    already = told.refused.get("already-voted", 0)
    if told.acknowledged + already != casts:
        raise Violated(f"answers: {told.acknowledged} receipts, {told.refused}")
    return {"casts": casts, "ballots": 1, "receipts": told.acknowledged, "already voted": already}


async def across_the_close(
    folder: Path, url: str | None, *, casts: int = 1000, seconds: float = 4.0, seed: int = 1
) -> dict[str, int]:
    """Voters cast at random moments around the closing instant, which the system keeps by itself:
    who got a receipt is counted, and nobody else."""
    draw = random.Random(seed)  # noqa: S311
    async with ground(folder, url, [casts]) as house:
        poll = house.polls[0]
        told = Told()
        with house.servers() as servers:
            await servers.start()
            await house.closes_in(poll, seconds / 2)
            began = asyncio.get_running_loop().time()
            moments = sorted(draw.uniform(0, seconds) for _ in poll.voters)
            lines: list[list[tuple[float, UUID]]] = [[] for _ in range(32)]
            for n, moment in enumerate(zip(moments, poll.voters, strict=True)):
                lines[n % len(lines)].append(moment)

            async def line(waiting: list[tuple[float, UUID]]) -> None:
                phone = Phone(servers.port, told, house.tokens)
                for moment, voter in waiting:
                    left = began + moment - asyncio.get_running_loop().time()
                    await asyncio.sleep(max(0.0, left))
                    await phone.cast((poll.id, voter, draw.choice(CHOICES)))
                phone.hang_up()

            await asyncio.gather(*map(line, lines))
            for _ in range(600):
                if await house.is_closed(poll):
                    break
                await asyncio.sleep(0.1)
        rows = await house.receipts()
        heads, counted = await house.counted(poll)
    agree(told, rows)
    late = told.refused.get("poll-closed", 0)
    if not told.acknowledged == len(rows) == heads == counted:
        raise Violated(f"{told.acknowledged} acknowledged, {len(rows)} rows, {counted} counted")
    if not (0 < late < casts) or told.acknowledged + late != casts:
        raise Violated(f"the close was not in the middle: {told.acknowledged}, {told.refused}")
    return {"casts": casts, "acknowledged": told.acknowledged, "counted": counted, "too late": late}


async def many_repeats(
    folder: Path, url: str | None, *, casts: int = 40_000, seed: int = 1
) -> dict[str, int]:
    """Casts of voters drawn again and again, with one choice or another: acknowledged voters, rows
    and distinct voters are the same, and no voter ever sees two receipts."""
    draw = random.Random(seed)  # noqa: S311
    async with ground(folder, url, [casts * 2 // 5]) as house:
        poll = house.polls[0]
        told = Told()
        votes: list[Vote] = [
            (poll.id, draw.choice(poll.voters), draw.choice(CHOICES[:2])) for _ in range(casts)
        ]
        with house.servers() as servers:
            await servers.start()
            await vote_all(servers.port, told, house.tokens, votes, connections=64)
        rows = await house.receipts()
        heads, counted = await house.counted(poll)
    agree(told, rows)
    distinct = len({voter for _, voter, _ in votes})
    if not distinct == len(told.receipts) == len(rows) == heads == counted:
        raise Violated(
            f"{distinct} voters, {len(told.receipts)} acknowledged, {len(rows)} rows, {counted}"
        )
    already = told.refused.get("already-voted", 0)
    if told.acknowledged + already != casts:
        raise Violated(f"answers: {told.acknowledged} receipts, {told.refused}")
    return {
        "casts": casts,
        "distinct voters": distinct,
        "acknowledged": len(told.receipts),
        "rows": len(rows),
        "receipts again": told.acknowledged - len(told.receipts),
        "already voted": already,
    }


def agree(told: Told, rows: dict[tuple[UUID, UUID], list[str]]) -> None:
    """Nobody has two ballots, and every receipt is that of the ballot."""
    twice = [key for key, receipts in rows.items() if len(receipts) > 1]
    if twice:
        raise Violated(f"{len(twice)} voters with two ballots")
    wrong = [key for key, got in told.receipts.items() if got != set(rows.get(key, ()))]
    if wrong:
        raise Violated(f"{len(wrong)} receipts without their ballot")
