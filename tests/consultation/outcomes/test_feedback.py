from datetime import date, timedelta

import pytest
from sqlmodel import select

from consultation.database import Database
from consultation.outcomes import rules, task_rules
from consultation.outcomes.commands import accounts, feedback
from consultation.outcomes.rules import Decision
from consultation.outcomes.tables import BoardPosting
from consultation.outcomes.task_rules import SpendingKind
from consultation.permissions import Role
from consultation.refusals import NotFound, NotPermitted
from consultation.topics.gates.gate import GateNotMet
from consultation.topics.states import DocumentKind, State
from consultation.topics.tables import Document
from tests.conftest import ManualClock
from tests.consultation.outcomes.steps import (
    CLERK,
    OFFICIAL,
    PARTY,
    accept,
    adopted,
    commissioned,
    complete,
    end,
    finish,
    implementing,
    notify,
    post,
    stand,
    topic_now,
    with_outcome,
)
from tests.world import World


async def test_work_is_reported_complete_when_every_task_is_accepted_and_accounted_for(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic, paid, other = await implementing(db, world)
    lacking = []

    async def try_it() -> None:
        with pytest.raises(GateNotMet) as refused:
            await complete(db, world, topic)
        lacking.append(refused.value.facts["missing"])

    await try_it()
    await end(db, world, other)
    await finish(db, world, paid)
    await try_it()
    await accept(db, world, paid)
    await try_it()
    async with db.begin(world.as_(*CLERK)) as tx:
        await accounts.record_spending(
            tx,
            paid.id,
            kind=SpendingKind.PAID,
            amount_fen=98_000,
            purpose="合同款",
            on=date(2026, 3, 11),
        )
    await complete(db, world, topic)

    assert lacking == [["tasks"], ["acceptance"], ["accounts"]]
    assert (await topic_now(db, topic.id)).state is State.FEEDBACK
    async with db.read() as tx:
        record = await tx.session.exec(
            select(Document).where(Document.kind == DocumentKind.COMPLETION_RECORD)
        )
        assert record.one().body == "两项均已验收,账目附后。"


async def test_a_refusal_is_passed_on_with_its_reasons(db: Database, world: World) -> None:
    topic = await adopted(db, world, Decision.NOT_ADOPTED, Decision.NOT_ADOPTED)
    async with db.begin(world.as_(*PARTY)) as tx:
        with pytest.raises(GateNotMet):
            await feedback.answer_non_adoption(tx, topic.id, reason=" ")
    async with db.begin(world.as_(*CLERK)) as tx:
        with pytest.raises(NotPermitted):
            await feedback.answer_non_adoption(tx, topic.id, reason="两项都无法实施")
    async with db.begin(world.as_(*PARTY)) as tx:
        await feedback.answer_non_adoption(tx, topic.id, reason="两项都无法实施")
    assert (await topic_now(db, topic.id)).state is State.FEEDBACK


async def test_the_notice_follows_the_work_and_is_corrected_with_a_reason(
    db: Database, world: World
) -> None:
    topic = await with_outcome(db, world, State.IMPLEMENTING)
    with pytest.raises(rules.NoticeNotNow):
        await notify(db, world, topic)
    await stand(db, topic.id, State.FEEDBACK)
    first = await notify(db, world, topic)
    with pytest.raises(rules.CorrectionReasonRequired):
        await notify(db, world, topic)
    async with db.begin(world.as_(*CLERK)) as tx:
        second = await feedback.publish_feedback_notice(
            tx, topic.id, body="电梯9月10日投入使用。", correction_reason="补充日期"
        )
    assert (second.series_id, second.version) == (first.series_id, 2)
    assert second.correction_reason == "补充日期"


async def test_who_publishes_and_posts(db: Database, world: World, clock: ManualClock) -> None:
    topic = await with_outcome(db, world, State.FEEDBACK)
    for who in (OFFICIAL, ("resident1", None), ("grid_worker", Role.GRID_WORKER)):
        async with db.begin(world.as_(*who)) as tx:
            with pytest.raises(NotPermitted):
                await feedback.publish_feedback_notice(tx, topic.id, body="公告")
    notice = await notify(db, world, topic)
    for who in (OFFICIAL, ("resident1", None)):
        async with db.begin(world.as_(*who)) as tx:
            with pytest.raises(NotPermitted):
                await feedback.post_on_board(
                    tx,
                    notice.id,
                    place="门口",
                    posted_on=clock.now.date(),
                    photo_sha256=notice.id.hex * 2,
                )
    asked = await commissioned(db, world, State.FEEDBACK)
    async with db.begin(world.as_(*OFFICIAL)) as tx:
        await feedback.publish_feedback_notice(tx, asked.id, body="助餐点已开")


async def test_a_posting_proves_where_and_when(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic = await with_outcome(db, world, State.FEEDBACK)
    notice = await notify(db, world, topic)
    with pytest.raises(task_rules.DateNotPossible):
        await post(db, world, notice.id, on=clock.now + timedelta(days=1))
    with pytest.raises(NotFound):
        await post(db, world, topic.id, on=clock.now)
    await post(db, world, notice.id, on=clock.now)
    async with db.read() as tx:
        posting = (await tx.session.exec(select(BoardPosting))).one()
    assert (posting.document_id, posting.place, posting.photo_sha256) == (
        notice.id,
        "3幢公告栏",
        notice.id.hex * 2,
    )
    assert (await topic_now(db, topic.id)).state is State.EVALUATING
