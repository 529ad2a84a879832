"""A crash anywhere between the opening of a box and the destruction of what it held: no ballot is
lost, none counts twice, and the destruction is taken up again."""

import asyncio
import sys
from pathlib import Path

import pytest
from sqlmodel import select

from consultation.box_keys import FileBoxKeys
from consultation.database import Database
from consultation.polls.envelope_tables import Envelope, OpenedBallot, Participation
from consultation.polls.rules import PollState
from tests.conftest import ManualClock
from tests.consultation.polls.stage import OPENERS, Stage
from tests.faults.opening_crash import STEPS
from tests.world import World


@pytest.fixture
async def stage(db: Database, world: World, clock: ManualClock) -> Stage:
    return Stage(db=db, world=world, clock=clock)


async def crash(stage: Stage, poll_id: object, keys: Path, step: str) -> None:
    """Open the box in a process of its own that dies at ``step``."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.opening_crash"),
        *(stage.db.url, str(keys), str(poll_id), step, stage.clock.now.isoformat()),
        *(
            f"{stage.world.id(name)}:{stage.world.assignments[name, role].id}"
            for name, role in OPENERS
        ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 9, said.decode()


async def count(db: Database, table: type) -> int:
    async with db.read() as tx:
        return len(list(await tx.session.exec(select(table))))


@pytest.mark.parametrize("step", STEPS)
async def test_a_crash_while_the_box_is_opened_loses_nothing_and_destroys_in_the_end(
    stage: Stage, box_keys_dir: Path, step: str
) -> None:
    poll, people = await stage.household_poll(8)
    choices = ["for"] * 4 + ["against"] * 2
    receipts = [
        await stage.cast_sealed(poll.id, person, choice)
        for person, choice in zip(people, choices, strict=False)
    ]
    await stage.closed(poll.id)
    await stage.db.dispose()
    await crash(stage, poll.id, box_keys_dir, step)

    key = box_keys_dir / f"{poll.id}.key"
    after = await stage.load(poll.id)
    if step == "opened":
        assert (after.box_opened_at, after.result) == (None, None)
        assert (await count(stage.db, Envelope), await count(stage.db, OpenedBallot)) == (6, 0)
        assert key.exists()
        await stage.confirm_opening(poll.id, *OPENERS[2])  # the third comes again
    else:
        assert after.box_opened_at is not None
        assert (await count(stage.db, Envelope), await count(stage.db, OpenedBallot)) == (0, 6)
        assert key.exists() == (step == "committed")
        assert after.box_destroyed_at is None
    digest = (await stage.load(poll.id)).result_digest

    stage.clock.advance(minutes=10)  # the lease of the dead worker runs out
    await stage.work()
    done = await stage.load(poll.id)
    assert done.box_destroyed_at == stage.clock.now
    assert not key.exists()
    assert done.result_digest == digest
    for name, role in OPENERS:  # again, at any time, changes nothing
        await stage.confirm_opening(poll.id, name, role)
    assert await count(stage.db, Participation) == 6
    async with stage.db.read() as tx:
        listed = {b.tracker: b.choices for b in await tx.session.exec(select(OpenedBallot))}
    assert listed == {
        receipt.tracker: {"1": [choice]} for receipt, choice in zip(receipts, choices, strict=True)
    }
    for name, role in OPENERS:
        published = await stage.sign(poll.id, name, role)
    assert published.state is PollState.PUBLISHED
    assert published.result is not None
    assert published.result.participating.heads == 6


async def test_a_reader_of_an_older_state_delays_the_destruction_and_nothing_else(
    stage: Stage, box_keys_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consultation.pages.TRIES", 2)
    poll, people = await stage.household_poll(3)
    await stage.cast_sealed(poll.id, people[0], "for")
    async with stage.db.read() as reader:
        await reader.session.exec(select(Envelope))
        await stage.open_box(poll.id)
        await stage.work()
        assert (await stage.load(poll.id)).box_destroyed_at is None
        assert not (box_keys_dir / f"{poll.id}.key").exists()
    stage.clock.advance(minutes=10)
    await stage.work()
    assert (await stage.load(poll.id)).box_destroyed_at is not None


async def test_a_failing_keeper_of_keys_is_asked_again(stage: Stage, box_keys_dir: Path) -> None:
    poll, people = await stage.household_poll(3)
    await stage.cast_sealed(poll.id, people[0], "for")
    await stage.open_box(poll.id)

    class Away(FileBoxKeys):
        async def destroy(self, poll_id: object) -> None:
            raise OSError("the keeper does not answer")

    right, stage.db.box_keys = stage.db.box_keys, Away(box_keys_dir)
    await stage.work()
    assert (await stage.load(poll.id)).box_destroyed_at is None
    stage.db.box_keys = right
    stage.clock.advance(minutes=10)
    await stage.work()
    assert (await stage.load(poll.id)).box_destroyed_at is not None
    assert not (box_keys_dir / f"{poll.id}.key").exists()
