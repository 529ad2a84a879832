"""One database with its people, in which polls are driven one after the other."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from consultation.database import Database
from consultation.vault import Vault
from tests.conftest import BOARD_KEY, SECRET, ManualClock
from tests.consultation.polls.stage import Stage
from tests.world import build_world

T = TypeVar("T")


class Theatre:
    """One database with its people, shared by all runs; the event loop they live in."""

    def __init__(self, url: str) -> None:
        self.runner = asyncio.Runner()
        self.clock = ManualClock()
        self.db = Database(
            url, vault=Vault(SECRET.encode()), board_key=BOARD_KEY, clock=self.clock, pool_size=2
        )
        world = self.runner.run(build_world(self.db))
        self.stage = Stage(db=self.db, world=world, clock=self.clock)
        self.plays = 0

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    def close(self) -> None:
        self.runner.run(self.db.dispose())
        self.runner.close()
