"""The loop that worker, errands and sender share."""

import asyncio

from consultation.rounds import Rounds


class Walker(Rounds):
    name = "walker"

    def __init__(self, *, poll_seconds: float, work_seconds: float = 0) -> None:
        super().__init__(poll_seconds=poll_seconds)
        self.began = asyncio.Event()
        self.worked = asyncio.Event()
        self.work_seconds = work_seconds
        self.finished = 0
        self.breaks = 0

    async def run_due(self) -> int:
        self.began.set()
        if self.breaks:
            self.breaks -= 1
            raise RuntimeError("broken")
        await asyncio.sleep(self.work_seconds)
        self.finished += 1
        self.worked.set()
        return 1


async def test_what_breaks_does_not_end_the_rounds() -> None:
    walker = Walker(poll_seconds=0.001)
    walker.breaks = 3
    walker.start()
    async with asyncio.timeout(5):
        await walker.worked.wait()
    await walker.stop()

    assert walker.breaks == 0
    done = walker.finished
    await asyncio.sleep(0.02)
    assert walker.finished == done


async def test_stopping_ends_the_wait_and_finishes_what_is_in_hand() -> None:
    walker = Walker(poll_seconds=600, work_seconds=0.05)
    walker.start()
    await walker.began.wait()
    async with asyncio.timeout(5):
        await walker.stop()
    assert walker.finished == 1
    assert walker.stopping

    waiting = Walker(poll_seconds=600)
    waiting.start()
    await waiting.worked.wait()
    async with asyncio.timeout(5):
        await waiting.stop()
    assert waiting.finished == 1


async def test_what_never_started_stops_at_once() -> None:
    walker = Walker(poll_seconds=600)
    await walker.stop()
    assert not walker.stopping
