"""After the announcement nothing changes a roll but an upheld objection (trust V07): every write of
the contract by everybody who holds an office, every change of the registers, and the tables
themselves are tried."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from api import contract
from api.openapi import operations
from consultation.community.tables import Household, Node, Ownership, PropertyUnit, Residence
from consultation.database import Database
from consultation.polls.tables import Poll, RollEntry
from tests.conftest import ManualClock
from tests.consultation.polls.stage import Stage
from tests.contract.seeded import seed
from tests.contract.test_access_matrix import fill, request_of
from tests.world import World


@pytest.fixture
async def stage(db: Database, world: World, clock: ManualClock) -> Stage:
    return Stage(db=db, world=world, clock=clock)


WORKERS = {"clerk", "secretary", "teller1", "supervisor", "grid_worker", "resident1"}
"""Who tries the operations that are not about polls; those on polls are tried by everybody."""
ONLY_ROADS = {"confirm_roll_ruling"}
"""Operations that may change a roll, and only of an upheld objection."""


async def rolls(db: Database) -> dict[Any, Any]:
    """Every entry of every roll, and what each announced poll says of its own."""
    async with db.read() as tx:
        entries = await tx.session.exec(select(RollEntry).order_by(col(RollEntry.id)))
        polls = await tx.session.exec(select(Poll).where(col(Poll.announced_at).is_not(None)))
        return {one.id: one.model_dump() for one in entries} | {
            one.id: (one.roll_version, one.roll_digest, one.eligible_heads, one.eligible_area_dm2)
            for one in polls
        }


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_no_operation_in_no_office_changes_a_roll(
    client: httpx.AsyncClient, db: Database, world: World, stage: Stage
) -> None:
    made = await seed(db, world)
    entrance, _ = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    announced = await stage.announced("lift_scope_owners", topic, entrance)
    before = await rolls(db)
    assert len(before) > 12
    document = contract.openapi()
    people = [
        ({"name": name, "role": role}, world.headers(name, role))
        for name, role in world.assignments
        if name != "neighbour"
    ]
    people += [({"name": name}, world.headers(name)) for name in ("resident1", "resident2")]
    wrong: list[object] = []
    for method, path, operation in operations(document):
        if method == "get" or operation["operationId"] in ONLY_ROADS:
            continue
        request = request_of(document, operation)
        for poll_id in (made.addresses["poll_id"], str(announced.id)):
            if "{poll_id}" not in path and poll_id == str(announced.id):
                continue
            address = fill(path, made.addresses | {"poll_id": poll_id})
            for who, headers in people:
                if "poll" not in path and "roll" not in path and who["name"] not in WORKERS:
                    continue
                headers["idempotency-key"] = uuid4().hex
                answer = await client.request(method, address, headers=headers, **request)
                if answer.status_code == 500:
                    wrong.append((operation["operationId"], who, answer.status_code))
    after = await rolls(db)
    changed = {id for id in before if after.get(id) != before[id]}
    assert wrong == []
    assert changed == set()
    assert after.keys() - before.keys() == set()


async def test_no_register_changes_a_roll_that_is_announced(
    db: Database, world: World, stage: Stage
) -> None:
    entrance, owners = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    await stage.announced("lift_scope_owners", topic, entrance)
    before = await rolls(db)

    (buyer,) = await stage.people(1, world.community.id)
    async with db.begin() as tx:
        connection = await tx.session.connection()
        for statement in (
            update(Ownership).values(person_id=buyer).where(col(Ownership.person_id) == owners[0]),
            update(Ownership).values(named_voter=False),
            update(PropertyUnit).values(area_dm2=1, entrance_id=world.nodes["entrance"].id),
            update(Household).values(occupied=False, representative_id=buyer),
            update(Residence).values(level=1),
            update(Node).values(name=col(Node.name) + "(改)").where(col(Node.id) == entrance.id),
        ):
            await connection.execute(statement)
    assert await rolls(db) == before


async def test_the_tables_themselves_refuse(db: Database, stage: Stage) -> None:
    entrance, _ = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    await stage.announced("lift_scope_owners", topic, entrance)
    for statement in (
        "UPDATE roll_entry SET area_dm2 = 1",
        "UPDATE roll_entry SET person_id = NULL",
        "DELETE FROM roll_entry",
    ):
        with pytest.raises(IntegrityError, match="roll_entry is append-only"):
            async with db.begin() as tx:
                await (await tx.session.connection()).exec_driver_sql(statement)


async def test_a_roll_with_an_entry_too_many_is_not_counted(db: Database, stage: Stage) -> None:
    """Whoever owns the database can add a row; then the digest does not fit and nothing closes."""
    poll, _ = await stage.lift_poll()
    (extra,) = await stage.people(1, poll.community_id)
    async with db.begin() as tx:
        tx.session.add(
            RollEntry(
                id=uuid4(),
                community_id=poll.community_id,
                poll_id=poll.id,
                number=13,
                person_id=extra,
                label="3幢 王*",
                area_dm2=6835,
                units=[],
            )
        )
    closed = await stage.closed(poll.id)
    assert closed.result is None
