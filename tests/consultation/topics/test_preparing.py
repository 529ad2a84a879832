"""Preparing and announcing: who takes part, who may host and tell, what is frozen, what becomes
public, and how deliberation opens, is extended and ends."""

from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from consultation.calendar import add_days, end_of
from consultation.database import Database
from consultation.permissions import Role
from consultation.refusals import NotFound, NotPermitted
from consultation.topics import dossier, planning
from consultation.topics.commands import deciding, documenting, participants, preparing, screening
from consultation.topics.documents import Paper, content_hash
from consultation.topics.gates.gate import GateNotMet
from consultation.topics.plan import FormPlan, GroupPlan, Plan
from consultation.topics.states import DocumentKind, Layer, ReconsultationGround, State
from consultation.topics.tables import Document, TopicPlan
from tests.conftest import START, ManualClock
from tests.consultation.topics import story
from tests.consultation.topics.story import CLERK, NOTICE, SECRETARY, TALK
from tests.world import World, a_topic

PRESET = "household_poll@2026-01-01"


def with_officers(world: World, *, tellers: list[str], hosts: list[str] | None = None) -> Plan:
    return TALK.model_copy(
        update={
            "poll_preset": PRESET,
            "teller_ids": [world.id(name) for name in tellers],
            "host_ids": [world.id(name) for name in hosts or []],
        }
    )


async def save(db: Database, world: World, topic_id: UUID, plan: Plan) -> None:
    async with db.begin(world.as_(*CLERK)) as tx:
        await preparing.save_plan(tx, topic_id, plan)


async def missing(db: Database, world: World, topic_id: UUID) -> list[str]:
    """What the announcement still lacks."""
    with pytest.raises(GateNotMet) as refusal:
        await story.announce_it(db, world, topic_id)
    found = refusal.value.facts["missing"]
    assert isinstance(found, list)
    return [str(item) for item in found]


async def plan_of(db: Database, topic_id: UUID, round: int = 1) -> TopicPlan:
    async with db.read() as tx:
        row = await tx.session.get(TopicPlan, (topic_id, round))
    assert row is not None
    return row


async def test_an_announcement_waits_until_all_is_there(db: Database, world: World) -> None:
    topic_id = await story.accepted(db, world)
    async with db.begin(world.as_(*CLERK)) as tx:
        await preparing.prepare_topic(tx, topic_id)
    assert await missing(db, world, topic_id) == ["plan"]

    await save(
        db,
        world,
        topic_id,
        TALK.model_copy(update={"groups": [GroupPlan(name="其他业主")], "needs_expert": True}),
    )
    assert await missing(db, world, topic_id) == ["一层业主"]
    await save(db, world, topic_id, TALK.model_copy(update={"needs_expert": True}))
    assert await missing(db, world, topic_id) == ["expert_opinion", "materials"]
    async with db.begin(world.as_(*CLERK)) as tx:
        for kind in (DocumentKind.MATERIAL, DocumentKind.EXPERT_OPINION):
            await documenting.add_document(tx, topic_id, kind=kind, title="材料", body="内容")
    assert await missing(db, world, topic_id) == ["legality"]
    async with db.begin(world.as_(*CLERK)) as tx:
        await preparing.check_legality(tx, topic_id, lawful=True, opinion="合法")
    await story.announce_it(db, world, topic_id)
    assert await story.state(db, topic_id) is State.ANNOUNCED


async def test_a_changed_plan_is_checked_for_legality_again(db: Database, world: World) -> None:
    topic_id = await story.planned(db, world)
    await save(db, world, topic_id, TALK)
    assert (await plan_of(db, topic_id)).legality_ok is True  # saved again, unchanged
    await save(db, world, topic_id, TALK.model_copy(update={"text": "改为线上协商"}))
    assert await missing(db, world, topic_id) == ["legality"]


async def test_who_prepared_the_plan_does_not_announce_it(db: Database, world: World) -> None:
    topic_id = await story.planned(db, world)
    async with db.begin(world.as_(*SECRETARY)) as tx:
        await preparing.save_plan(tx, topic_id, TALK)

    assert await missing(db, world, topic_id) == ["second_person"]


async def test_the_announcement_publishes_freezes_and_opens_deliberation_in_time(
    db: Database, world: World, clock: ManualClock
) -> None:
    hearing = TALK.model_copy(update={"forms": [FormPlan(form="hearing"), *TALK.forms]})
    topic_id = await story.planned(db, world, plan=hearing)
    assert DocumentKind.MATERIAL not in await story.public_kinds(db, topic_id)
    await story.announce_it(db, world, topic_id)

    row = await plan_of(db, topic_id)
    assert row.digest == planning.plan_digest(hearing)
    assert row.frozen_at == START
    assert row.notice_until == add_days(START, 7)  # a hearing's, the longer of the two
    assert await story.public_kinds(db, topic_id) >= {
        DocumentKind.NOTICE,
        DocumentKind.PLAN,
        DocumentKind.MATERIAL,
    }
    clock.now = add_days(START, 7) - timedelta(seconds=1)
    await story.run_due(db)
    assert await story.state(db, topic_id) is State.ANNOUNCED
    clock.advance(seconds=1)
    await story.run_due(db)
    topic = await story.topic(db, topic_id)
    assert (topic.state, topic.due_at) == (State.DELIBERATING, end_of(date(2026, 5, 30)))
    assert (await story.steps(db, topic_id))[-1].role == "system"


async def test_what_was_announced_stays_as_it_is(db: Database, world: World) -> None:
    topic_id = await story.announced(db, world)
    before = await plan_of(db, topic_id)

    with pytest.raises(planning.PlanFrozen):
        await save(db, world, topic_id, TALK.model_copy(update={"text": "改了"}))
    with pytest.raises(planning.PlanFrozen):
        async with db.begin(world.as_(*CLERK)) as tx:
            await preparing.check_legality(tx, topic_id, lawful=False, opinion="反悔")
    after = await plan_of(db, topic_id)
    assert (after.plan, after.digest) == (before.plan, before.digest)


async def test_a_plan_names_forms_and_a_rule_that_exist_and_fit(db: Database, world: World) -> None:
    topic_id = await story.planned(db, world)
    for changes, refusal in (
        ({"forms": [FormPlan(form="茶话会")]}, planning.FormUnknown),
        ({"groups": [GroupPlan(name="甲"), GroupPlan(name="甲")]}, planning.GroupNamedTwice),
        ({"poll_preset": "no_such@2026-01-01"}, planning.PresetUnsuitable),
        ({"poll_preset": "civil278_general@2021-01-01"}, planning.PresetUnsuitable),  # owners'
    ):
        with pytest.raises(refusal):
            await save(db, world, topic_id, TALK.model_copy(update=changes))


@pytest.mark.parametrize("layer", [Layer.OWNERS, Layer.ASSEMBLY])
async def test_what_is_decided_by_vote_needs_a_rule_for_it(
    db: Database, world: World, layer: Layer
) -> None:
    topic = await a_topic(db, world, state=State.PREPARING, layer=layer)
    async with db.begin(world.as_(*CLERK)) as tx:
        await documenting.add_document(
            tx, topic.id, kind=DocumentKind.MATERIAL, title="材料", body="内容"
        )
    assert await missing(db, world, topic.id) == ["poll_preset"]


async def test_no_ballot_on_a_right_that_cannot_be_voted_away(db: Database, world: World) -> None:
    plan = with_officers(world, tellers=["teller1", "teller2"]).model_copy(
        update={"touches_unvotable_right": True}
    )
    topic_id = await story.planned(db, world, plan=plan)
    for name in ("teller1", "teller2"):
        async with db.begin(world.as_(name, Role.TELLER)) as tx:
            await preparing.declare_interest(tx, topic_id, has_interest=False)
    assert await missing(db, world, topic_id) == ["votable_right"]


async def test_tellers_declare_their_interest_before_the_announcement(
    db: Database, world: World
) -> None:
    one = with_officers(world, tellers=["teller1"])
    topic_id = await story.planned(db, world, plan=one)
    assert await missing(db, world, topic_id) == ["tellers"]
    await save(db, world, topic_id, with_officers(world, tellers=["teller1", "teller2"]))
    async with db.begin(world.as_(*CLERK)) as tx:
        await preparing.check_legality(tx, topic_id, lawful=True, opinion="合法")
    async with db.begin(world.as_("teller1", Role.TELLER)) as tx:
        await preparing.declare_interest(tx, topic_id, has_interest=False, note="无")
    assert await missing(db, world, topic_id) == ["declarations"]
    async with db.begin(world.as_("teller2", Role.TELLER)) as tx:
        await preparing.declare_interest(tx, topic_id, has_interest=True, note="本人住一层")
    assert await missing(db, world, topic_id) == ["disinterested"]
    async with db.begin(world.as_("teller2", Role.TELLER)) as tx:  # was a mistake
        await preparing.declare_interest(tx, topic_id, has_interest=False, note="已搬走")
    await story.announce_it(db, world, topic_id)


async def test_who_has_an_interest_or_raised_it_neither_hosts_nor_tells(
    db: Database, world: World
) -> None:
    topic_id = await story.planned(db, world)
    async with db.begin(world.as_("teller1", Role.TELLER)) as tx:
        await preparing.declare_interest(tx, topic_id, has_interest=True, note="本人住一层")

    for plan, reason in (
        (with_officers(world, tellers=["teller1", "teller2"]), "interest"),
        (with_officers(world, tellers=["clerk", "teller2"]), "role_not_held"),
        (with_officers(world, tellers=["teller2"], hosts=["resident2"]), "role_not_held"),
    ):
        with pytest.raises(planning.OfficerUnsuitable) as refusal:
            await save(db, world, topic_id, plan)
        assert refusal.value.facts["reason"] == reason

    own = await a_topic(db, world, state=State.PREPARING, author="teller2")
    with pytest.raises(planning.OfficerUnsuitable) as refusal:
        await save(db, world, own.id, with_officers(world, tellers=["teller2"]))
    assert refusal.value.facts["reason"] == "interest"


async def test_an_affected_resident_asks_to_take_part_and_is_answered_first(
    db: Database, world: World
) -> None:
    topic_id = await story.planned(db, world)
    for reason in ("租住一层", "租住一层,最受影响"):
        async with db.begin(world.as_("tenant")) as tx:
            request = await participants.ask_to_be_added(
                tx, topic_id, group_name="租户", reason=reason
            )
    assert await missing(db, world, topic_id) == ["participant_requests"]
    async with db.read(world.as_(*CLERK)) as tx:
        ((found, name),) = await dossier.participant_requests(tx, topic_id)
    assert (found.reason, name) == ("租住一层,最受影响", "李*")
    with pytest.raises(NotPermitted):
        async with db.begin(world.as_("resident2")) as tx:
            await participants.answer_request(tx, request.id, granted=False, answer="不必")

    async with db.begin(world.as_(*CLERK)) as tx:
        await participants.answer_request(tx, request.id, granted=True, answer="已列入方案")
    assert await story.told(db, world.id("tenant")) == ["participation_answered"]
    with pytest.raises(planning.RequestAlreadyAnswered):
        async with db.begin(world.as_(*CLERK)) as tx:
            await participants.answer_request(tx, request.id, granted=False, answer="改主意")
    with pytest.raises(planning.RequestAlreadyAnswered):
        async with db.begin(world.as_("tenant")) as tx:
            await participants.ask_to_be_added(tx, topic_id, group_name="租户", reason="再问")
    await story.announce_it(db, world, topic_id)
    with pytest.raises(planning.ParticipantsSettled):
        async with db.begin(world.as_("resident2")) as tx:
            await participants.ask_to_be_added(tx, topic_id, group_name="业主", reason="晚了")


async def test_a_plan_in_the_making_is_for_verified_residents(db: Database, world: World) -> None:
    topic_id = await story.planned(db, world)

    async with db.read(world.as_("resident2")) as tx:
        assert (await dossier.topic_plan(tx, topic_id, round=None)).row.digest is None
    with pytest.raises(NotFound):
        async with db.read(world.as_("visitor")) as tx:
            await dossier.topic_plan(tx, topic_id, round=None)
    await story.announce_it(db, world, topic_id)
    async with db.read(world.as_("visitor")) as tx:
        assert (await dossier.topic_plan(tx, topic_id, round=1)).row.digest is not None


# ---- documents ----------------------------------------------------------------------------


async def test_a_document_is_corrected_by_a_new_version_and_never_changed(
    db: Database, world: World
) -> None:
    topic_id = await story.announced(db, world)
    (material,) = [
        d for d in await story.documents(db, topic_id) if d.kind is DocumentKind.MATERIAL
    ]
    async with db.begin(world.as_(*CLERK)) as tx:
        second = await documenting.correct_document(
            tx, material.id, title="材料", body="更正后的比较", reason="数字有误"
        )

    assert (second.version, second.series_id, second.public, second.correction_reason) == (
        2,
        material.series_id,
        True,
        "数字有误",
    )
    assert second.content_hash == content_hash("材料", "更正后的比较")
    with pytest.raises(planning.DocumentSuperseded):
        async with db.begin(world.as_(*CLERK)) as tx:
            await documenting.correct_document(
                tx, material.id, title="材料", body="又改", reason="又有误"
            )
    for change in ("public = false", "body = '改了'"):  # by hand, past every command
        with pytest.raises(DatabaseError, match="append-only"):
            async with db.begin() as tx:
                await tx.session.exec(text(f"UPDATE document SET {change}"))  # type: ignore[call-overload]
    assert (await story.documents(db, topic_id))[0].body


async def test_what_was_signed_or_made_by_a_step_is_not_added_or_corrected_by_hand(
    db: Database, world: World
) -> None:
    topic_id = await story.announced(db, world)
    (plan,) = [d for d in await story.documents(db, topic_id) if d.kind is DocumentKind.PLAN]

    with pytest.raises(planning.DocumentKindNotAllowed):
        async with db.begin(world.as_(*CLERK)) as tx:
            await documenting.correct_document(
                tx, plan.id, title="方案", body="改了", reason="改了"
            )
    with pytest.raises(planning.DocumentKindNotAllowed):
        async with db.begin(world.as_(*CLERK)) as tx:
            await documenting.add_document(
                tx, topic_id, kind=DocumentKind.TALLY_SHEET, title="计票表", body="假的"
            )
    await story.force(db, topic_id, State.CLOSED)
    with pytest.raises(planning.FileClosed):
        async with db.begin(world.as_(*CLERK)) as tx:
            await documenting.add_document(
                tx, topic_id, kind=DocumentKind.MATERIAL, title="材料", body="太晚"
            )


async def test_the_public_does_not_read_what_is_for_the_author(db: Database, world: World) -> None:
    topic_id = await story.submitted(db, world)
    async with db.begin(world.as_(*CLERK)) as tx:
        await screening.return_topic(tx, topic_id, reason="请写明受影响的人")
    await story.force(db, topic_id, State.ACCEPTED, was_public=True)

    async def kinds(name: str, role: Role | None = None) -> set[DocumentKind]:
        async with db.read(world.as_(name, role)) as tx:
            found: list[Document] = await dossier.list_documents(tx, topic_id, after=None, limit=10)
        return {document.kind for document in found}

    assert await kinds("resident2") == set()
    assert await kinds("resident1") == {DocumentKind.PROPOSAL, DocumentKind.RETURN_NOTE}
    assert await kinds(*CLERK) == {DocumentKind.PROPOSAL, DocumentKind.RETURN_NOTE}


# ---- the end of deliberation ---------------------------------------------------------------


async def test_a_deliberation_is_extended_once_with_a_reason(db: Database, world: World) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)

    async def extend(until: date) -> None:
        async with db.begin(world.as_(*SECRETARY)) as tx:
            await preparing.extend_deliberation(tx, topic.id, until=until, reason="等待检测报告")

    with pytest.raises(planning.ExtensionNotLater):
        await extend(date(2026, 5, 30))
    await extend(date(2026, 6, 10))
    assert (await story.topic(db, topic.id)).due_at == end_of(date(2026, 6, 10))
    assert (await plan_of(db, topic.id)).plan.deliberation_ends == date(2026, 5, 30)
    with pytest.raises(planning.ExtensionAlreadyUsed):
        await extend(date(2026, 6, 20))


async def test_deliberation_is_not_closed_before_the_meetings_were_held(
    db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    with pytest.raises(GateNotMet) as refusal:
        async with db.begin(world.as_("deputy", Role.HOST)) as tx:
            await deciding.close_deliberation(tx, topic.id)
    assert refusal.value.facts["missing"] == ["heart_to_heart_meeting"]

    online = TALK.model_copy(update={"forms": [FormPlan(form="online_deliberation")]})
    other = await a_topic(db, world, state=State.DELIBERATING, plan=online)
    async with db.begin(world.as_("deputy", Role.HOST)) as tx:
        await deciding.close_deliberation(tx, other.id)
    assert await story.state(db, other.id) is State.OUTCOME_DRAFTING


async def test_an_assembly_decides_in_a_round_of_its_own(db: Database, world: World) -> None:
    topic = await a_topic(db, world, state=State.OUTCOME_DRAFTING)
    async with db.begin(world.as_(*SECRETARY)) as tx:
        await deciding.escalate_topic(
            tx, topic.id, reason="分歧较大", motion=Paper("议案", "提请居民代表会议讨论决定")
        )
    async with db.begin(world.as_(*CLERK)) as tx:
        await deciding.prepare_assembly(tx, topic.id)

    after = await story.topic(db, topic.id)
    assert (after.state, after.round, after.layer) == (State.PREPARING, 2, Layer.ASSEMBLY)
    assert (await plan_of(db, topic.id)).frozen_at is not None  # the first round's, untouched
    owners = await a_topic(db, world, state=State.NO_QUORUM, layer=Layer.OWNERS)
    async with db.begin(world.as_(*SECRETARY)) as tx:
        await deciding.escalate_topic(tx, owners.id, reason="未达法定参与", motion=NOTICE)
    async with db.begin(world.as_(*CLERK)) as tx:
        await deciding.prepare_assembly(tx, owners.id)
    assert (await story.topic(db, owners.id)).layer is Layer.OWNERS


async def test_there_are_at_most_three_rounds_each_with_what_changed(
    db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.OUTCOME_PUBLIC)

    async def again(*changes: str) -> None:
        async with db.begin(world.as_(*SECRETARY)) as tx:
            await deciding.reconsult_topic(
                tx,
                topic.id,
                ground=ReconsultationGround.CHANGED_PLAN,
                reason="面积未达四分之三",
                changes=changes,
            )

    with pytest.raises(GateNotMet) as refusal:
        await again()
    assert refusal.value.facts["missing"] == ["change_list"]
    for round in (2, 3):
        await again("补偿一层业主", "电梯改用浅底坑")
        await story.plan_it(db, world, topic.id)
        assert (await story.topic(db, topic.id)).round == round
        await story.announce_it(db, world, topic.id)
        await story.force(db, topic.id, State.NO_QUORUM)
    with pytest.raises(GateNotMet) as refusal:
        await again("第四次")
    assert refusal.value.facts["missing"] == ["rounds"]

    step = next(step for step in await story.steps(db, topic.id) if step.rule == "T16")
    assert step.facts == {"changes": ["补偿一层业主", "电梯改用浅底坑"]}
    digests = {(await plan_of(db, topic.id, round)).round for round in (1, 2, 3)}
    assert digests == {1, 2, 3}
