"""A process that opens a box, destroys what must go, and dies at the step it was told.

Run by ``test_opening_crashes`` as ``python -m tests.faults.opening_crash URL KEYS POLL STEP NOW
CONFIRM…``; each CONFIRM is ``person:assignment``. It ends with status 9 at the step, as by kill -9,
and with 0 if the step never came.
"""

import asyncio
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from api import worker as workers
from api.worker import Worker
from consultation import pages
from consultation.box_keys import FileBoxKeys
from consultation.database import Database
from consultation.jobs import JobKind
from consultation.permissions import Actor
from consultation.polls.commands import erasure, unsealing
from consultation.vault import Vault
from tests.conftest import BOARD_KEY, SECRET

STEPS = ("opened", "committed", "key_destroyed", "pages_rewritten")


def die() -> None:
    os._exit(9)


class Keys(FileBoxKeys):
    step = ""

    async def destroy(self, poll_id: UUID) -> None:
        await super().destroy(poll_id)
        if self.step == "key_destroyed":
            die()


async def main(url: str, keys: str, poll: str, step: str, now: str, *confirm: str) -> None:
    box_keys = Keys(Path(keys))
    box_keys.step = step
    clock = datetime.fromisoformat(now)
    db = Database(
        url,
        vault=Vault(SECRET.encode()),
        board_key=BOARD_KEY,
        clock=lambda: clock,
        box_keys=box_keys,
    )
    if step == "opened":  # the opened ballots are written, and not committed
        ordered = erasure.order

        async def order(*args: Any) -> None:
            await args[0].session.flush()
            await ordered(*args)
            die()

        erasure.order = order
    for one in confirm:
        person, assignment = one.split(":")
        actor = Actor(person_id=UUID(person), assignment_id=UUID(assignment))
        async with db.begin(actor) as tx:
            await unsealing.confirm_opening(tx, UUID(poll))
    if step == "committed":
        die()
    if step == "pages_rewritten":

        async def destroy(db: Database, poll_id: UUID) -> None:
            await db.box_keys.destroy(poll_id)
            await pages.rewrite(db, erasure.TABLES)
            die()

        workers.ERRANDS = {JobKind.POLL_DESTROY_BOX: destroy}
    await Worker(db, poll_seconds=1).run_due()
    await db.dispose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
