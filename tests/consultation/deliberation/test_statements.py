import asyncio
from uuid import UUID

import pytest
from sqlmodel import select

from api.worker import Worker
from consultation.database import Database
from consultation.deliberation import queries, rules
from consultation.deliberation.commands import marking
from consultation.deliberation.commands.marking import Marked, MarkRequest, mark_statements
from consultation.deliberation.commands.statements import (
    add_statement,
    moderate_statement,
    restore_statement,
)
from consultation.deliberation.rules import HidingReason, Mark, StatementState
from consultation.deliberation.tables import Statement, StatementMark
from consultation.events.people import UserNotified
from consultation.journal import JournalEntry
from consultation.permissions import SYSTEM, Deed, Role
from consultation.refusals import NotFound, NotPermitted, Refusal
from consultation.topics.queries import access_topic
from consultation.topics.states import State
from consultation.topics.subjects import ForbiddenSubject
from consultation.topics.tables import Topic
from tests.conftest import ManualClock
from tests.world import RESIDENTS, World, a_topic


async def a_statement(
    db: Database, world: World, *, topic: Topic | None = None, who: str = "resident1"
) -> Statement:
    topic = topic or await a_topic(db, world, state=State.DELIBERATING)
    async with db.begin(world.as_(who)) as tx:
        return await add_statement(tx, topic.id, text="投放点要有水池")


async def mark(
    db: Database, world: World, statement: Statement, who: str, it: Mark, once: str | None = None
) -> Marked:
    return await mark_as(db, MarkRequest(statement.id, world.id(who), it, once))


async def mark_as(db: Database, request: MarkRequest) -> Marked:
    async with db.begin(SYSTEM) as tx:
        (answer,) = await mark_statements(tx, [request])
    if isinstance(answer, Refusal):
        raise answer
    return answer


async def read(db: Database, statement_id: UUID) -> Statement:
    async with db.read() as tx:
        found = await tx.session.get(Statement, statement_id)
        assert found is not None
        return found


def counts(statement: Statement) -> tuple[int, ...]:
    """Marks that stand, then marks ever made."""
    return (
        statement.agrees,
        statement.disagrees,
        statement.passes,
        statement.agree_events,
        statement.disagree_events,
        statement.pass_events,
    )


async def test_any_verified_resident_adds_statements_numbered_within_the_topic(
    db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    numbers = [
        (await a_statement(db, world, topic=topic, who=who)).number
        for who in ("resident1", "tenant", "resident1")
    ]
    assert numbers == [1, 2, 3]
    assert (await a_statement(db, world)).number == 1


async def test_statements_added_at_once_get_different_numbers(db: Database, world: World) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    added = await asyncio.gather(
        *(a_statement(db, world, topic=topic, who=who) for who in RESIDENTS)
    )
    assert sorted(statement.number for statement in added) == [1, 2, 3, 4, 5, 6]


async def test_statements_and_marks_are_the_residents(db: Database, world: World) -> None:
    statement = await a_statement(db, world)
    for actor, refusal in (
        (world.as_("clerk", Role.CLERK), rules.ResidentsOnly),
        (world.as_("company", Role.PROPERTY_COMPANY), rules.ResidentsOnly),
        (world.as_("deputy", Role.HOST), rules.ResidentsOnly),
        (world.as_("visitor"), NotPermitted),
        (world.as_("neighbour"), NotPermitted),
    ):
        assert actor.person_id is not None
        with pytest.raises(refusal):
            await mark_as(
                db,
                MarkRequest(
                    statement.id,
                    actor.person_id,
                    Mark.AGREE,
                    under_role=actor.assignment_id is not None,
                ),
            )
        with pytest.raises(refusal):
            async with db.begin(actor) as tx:
                await add_statement(tx, statement.topic_id, text="统一答复")
    assert counts(await read(db, statement.id)) == (0, 0, 0, 0, 0, 0)


async def test_a_statement_is_short_and_holds_no_forbidden_subject(
    db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    for text, refusal in (("字" * 201, rules.TextTooLong), ("上访户闹的", ForbiddenSubject)):
        with pytest.raises(refusal):
            async with db.begin(world.as_("resident1")) as tx:
                await add_statement(tx, topic.id, text=text)


async def test_the_last_mark_stands_and_every_mark_counts_as_an_event(
    db: Database, world: World
) -> None:
    statement = await a_statement(db, world)
    await mark(db, world, statement, "resident1", Mark.AGREE)
    await mark(db, world, statement, "resident2", Mark.AGREE)
    assert counts(await read(db, statement.id)) == (2, 0, 0, 2, 0, 0)

    after = await mark(db, world, statement, "resident1", Mark.DISAGREE)
    assert (after.mark, after.agrees, after.disagrees) == (Mark.DISAGREE, 1, 1)
    await mark(db, world, statement, "resident2", Mark.PASS)
    assert counts(await read(db, statement.id)) == (0, 1, 1, 2, 1, 1)


async def test_a_retry_changes_nothing_and_a_new_tap_is_an_event(
    db: Database, world: World
) -> None:
    statement = await a_statement(db, world)
    for _ in range(2):
        await mark(db, world, statement, "resident1", Mark.AGREE)
    assert counts(await read(db, statement.id)) == (1, 0, 0, 1, 0, 0)

    for once in ("tap-0001", "tap-0001", "tap-0002", "tap-0002"):
        answer = await mark(db, world, statement, "resident1", Mark.AGREE, once)
        assert answer.agrees == 1
    assert counts(await read(db, statement.id)) == (1, 0, 0, 3, 0, 0)
    async with db.read() as tx:
        (row,) = await tx.session.exec(select(StatementMark))
    assert row.events == 3


async def test_marks_made_at_once_lose_no_count(db: Database, world: World) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    one = await a_statement(db, world, topic=topic)
    other = await a_statement(db, world, topic=topic)
    kinds = (Mark.AGREE, Mark.DISAGREE, Mark.PASS)

    await asyncio.gather(
        *(
            mark(db, world, statement, who, kinds[(index + turn) % 3], f"{who}-{turn}")
            for turn in range(3)
            for index, who in enumerate(RESIDENTS)
            for statement in (one, other)
        )
    )

    for statement in (one, other):
        after = await read(db, statement.id)
        async with db.read() as tx:
            rows = list(
                await tx.session.exec(
                    select(StatementMark).where(StatementMark.statement_id == statement.id)
                )
            )
        standing = [sum(row.mark is kind for row in rows) for kind in kinds]
        assert counts(after) == (*standing, 6, 6, 6)
        assert sum(standing) == 6
        assert sum(row.events for row in rows) == 18


async def test_one_person_marking_twice_at_once_leaves_one_mark(db: Database, world: World) -> None:
    statement = await a_statement(db, world)
    await asyncio.gather(
        *(
            mark(db, world, statement, "resident1", it, f"tap-{it}")
            for it in (Mark.AGREE, Mark.DISAGREE, Mark.PASS)
        )
    )
    after = counts(await read(db, statement.id))
    assert sum(after[:3]) == 1
    assert after[3:] == (1, 1, 1)


async def test_nothing_is_marked_after_the_deliberation(db: Database, world: World) -> None:
    statement = await a_statement(db, world)
    async with db.begin() as tx:
        topic = await access_topic(tx, statement.topic_id, Deed.READ_PUBLIC)
        topic.state = State.OUTCOME_DRAFTING
    with pytest.raises(rules.NotDeliberating):
        await mark(db, world, statement, "resident1", Mark.AGREE)
    with pytest.raises(rules.NotDeliberating):
        await a_statement(db, world, topic=topic)
    with pytest.raises(NotFound):
        await mark_as(db, MarkRequest(topic.id, world.id("resident1"), Mark.AGREE))


async def test_rejecting_needs_a_reason_and_keeps_the_marks(db: Database, world: World) -> None:
    statement = await a_statement(db, world)
    await mark(db, world, statement, "resident2", Mark.AGREE)
    for code, reason in ((None, "重复"), (HidingReason.OFF_TOPIC_REPEAT, "")):
        with pytest.raises(rules.ReasonMissing):
            async with db.begin(world.as_("clerk", Role.CLERK)) as tx:
                await moderate_statement(
                    tx, statement.id, accept=False, reason_code=code, reason=reason
                )
    async with db.begin(world.as_("clerk", Role.CLERK)) as tx:
        await moderate_statement(
            tx,
            statement.id,
            accept=False,
            reason_code=HidingReason.OFF_TOPIC_REPEAT,
            reason="与第1条重复",
        )
        told = [event for event in tx.events if isinstance(event, UserNotified)]
    assert [(e.person_id, e.about, e.reason_code) for e in told] == [
        (world.id("resident1"), "statement_rejected", "off_topic_repeat")
    ]

    with pytest.raises(rules.StatementIsRejected):
        await mark(db, world, statement, "resident3", Mark.AGREE)
    assert counts(await read(db, statement.id)) == (1, 0, 0, 1, 0, 0)


async def test_a_rejected_statement_is_listed_to_its_author_and_to_moderators(
    db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    rejected = await a_statement(db, world, topic=topic)
    kept = await a_statement(db, world, topic=topic, who="resident2")
    async with db.begin(world.as_("clerk", Role.CLERK)) as tx:
        await moderate_statement(
            tx, rejected.id, accept=False, reason_code=HidingReason.ADVERTISING, reason="推销"
        )
        await moderate_statement(tx, kept.id, accept=True)

    both, one = [rejected.id, kept.id], [kept.id]
    for actor, seen in (
        (world.as_("resident1"), both),
        (world.as_("clerk", Role.CLERK), both),
        (world.as_("supervisor", Role.SUPERVISOR), both),
        (world.as_("resident2"), one),
        (world.as_("visitor"), one),
    ):
        async with db.read(actor) as tx:
            await access_topic(tx, topic.id, Deed.READ_PUBLIC)
            found = await queries.statements_of(tx, topic.id, state=None, after=None, limit=9)
        assert [statement.id for statement in found] == seen


async def test_the_supervisor_restores_a_statement_for_good(db: Database, world: World) -> None:
    statement = await a_statement(db, world)

    async def reject() -> None:
        async with db.begin(world.as_("clerk", Role.CLERK)) as tx:
            await moderate_statement(
                tx, statement.id, accept=False, reason_code=HidingReason.UNLAWFUL, reason="不妥"
            )

    async def restore() -> None:
        async with db.begin(world.as_("supervisor", Role.SUPERVISOR)) as tx:
            await restore_statement(tx, statement.id, opinion="对工作的批评不是理由")

    with pytest.raises(rules.StatementNotRejected):
        await restore()
    await reject()
    await restore()
    assert (await read(db, statement.id)).state is StatementState.ACCEPTED
    with pytest.raises(rules.WasRestored):
        await reject()
    with pytest.raises(NotPermitted):
        async with db.begin(world.as_("clerk", Role.CLERK)) as tx:
            await restore_statement(tx, statement.id, opinion="我来定")


async def told(db: Database) -> list[tuple[str, int]]:
    async with db.read() as tx:
        rows = await tx.session.exec(
            select(JournalEntry)
            .where(JournalEntry.type == "statement.marked")
            .order_by(JournalEntry.id)  # type: ignore[arg-type]
        )
        return [(entry.data["statement_id"], entry.data["agrees"]) for entry in rows]


async def test_counts_are_told_once_a_second_and_the_last_ones_always(
    db: Database, world: World, clock: ManualClock
) -> None:
    statement = await a_statement(db, world)
    worker = Worker(db, poll_seconds=1)
    for who in ("resident1", "resident2", "resident3"):
        await mark(db, world, statement, who, Mark.AGREE)
        clock.advance(seconds=0.1)
    await worker.run_due()
    assert await told(db) == []

    clock.advance(seconds=1)
    await worker.run_due()
    await worker.run_due()
    assert await told(db) == [(str(statement.id), 3)]

    await mark(db, world, statement, "resident4", Mark.AGREE)
    clock.advance(seconds=1)
    await worker.run_due()
    assert await told(db) == [(str(statement.id), 3), (str(statement.id), 4)]


async def test_a_telling_is_bounded_and_goes_on_a_second_later(
    db: Database, world: World, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marking, "TOLD_AT_ONCE", 2)
    topic = await a_topic(db, world, state=State.DELIBERATING)
    all_three = [await a_statement(db, world, topic=topic) for _ in range(3)]
    for statement in all_three:
        clock.advance(seconds=0.01)
        await mark(db, world, statement, "resident1", Mark.AGREE)
    worker = Worker(db, poll_seconds=1)
    clock.advance(seconds=1)
    await worker.run_due()
    assert {id for id, _ in await told(db)} == {str(s.id) for s in all_three[:2]}
    clock.advance(seconds=1)
    await worker.run_due()
    assert [id for id, _ in await told(db)][2:] == [str(all_three[2].id)]


async def test_a_telling_that_was_lost_is_asked_for_again(
    db: Database, world: World, clock: ManualClock
) -> None:
    from sqlalchemy import delete

    from consultation.jobs import Job

    statement = await a_statement(db, world)
    await mark(db, world, statement, "resident1", Mark.AGREE)
    async with db.begin() as tx:
        await tx.session.exec(delete(Job))
    clock.advance(seconds=11)
    await mark(db, world, statement, "resident2", Mark.AGREE)
    clock.advance(seconds=1)
    await Worker(db, poll_seconds=1).run_due()
    assert await told(db) == [(str(statement.id), 2)]
