"""Opening, extending, closing, signing and publishing; and what nobody sees before."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from api.phrases import write
from consultation.append_only import protect, unprotect
from consultation.calendar import add_days, until
from consultation.community.tables import Node
from consultation.events.polls import PollBallotsRead
from consultation.journal import JournalEntry
from consultation.permissions import NOBODY, SYSTEM, Actor, Deed, Role
from consultation.polls import rules, terms
from consultation.polls.commands import closing, drafting, opening
from consultation.polls.presets import BallotMode
from consultation.polls.rules import PollState, Verdict
from consultation.polls.tables import CountSignature, Poll
from consultation.refusals import AlreadyDone, NotFound, NotPermitted, Refusal
from consultation.topics.gates.gate import GateNotMet
from consultation.topics.lifecycle import advance
from consultation.topics.queries import access_topic
from consultation.topics.states import Act, DocumentKind, State
from consultation.topics.subjects import FORBIDDEN_WORDS, ForbiddenSubject
from consultation.topics.tables import Document, InterestDeclaration, Topic
from tests.consultation.polls.counting_cases import preset
from tests.consultation.polls.stage import Stage
from tests.world import A_PLAN, World, a_topic


async def open_by_hand(stage: Stage, poll_id: UUID) -> Poll:
    async with stage.db.begin(stage.secretary) as tx:
        return await opening.open_poll(tx, poll_id)


async def unwritten(stage: Stage) -> Poll:
    """An announced poll on a topic whose outcome nobody has written yet."""
    entrance, _ = await stage.lift()
    one = preset("lift_scope_owners")
    topic = await a_topic(
        stage.db,
        stage.world,
        state=State.OUTCOME_DRAFTING,
        layer=one.layer,
        plan=A_PLAN.model_copy(update={"poll_preset": one.key}),
        node_id=entrance.id,
        node_path=entrance.path,
    )
    return await stage.announced("lift_scope_owners", topic, entrance)


async def whereabouts(stage: Stage, poll: Poll) -> tuple[Topic, Node]:
    async with stage.db.read() as tx:
        topic = await tx.session.get(Topic, poll.topic_id)
        node = await tx.session.get(Node, poll.scope_node_id)
    assert topic is not None
    assert node is not None
    return topic, node


async def test_a_poll_whose_gates_do_not_hold_waits_for_the_convener(stage: Stage) -> None:
    poll = await unwritten(stage)
    stage.clock.now = poll.opens_at
    await stage.work()
    assert (await stage.load(poll.id)).state is PollState.ANNOUNCED
    assert await stage.topic_state(poll.topic_id) is State.OUTCOME_DRAFTING
    with pytest.raises(GateNotMet):
        await open_by_hand(stage, poll.id)

    topic, _ = await whereabouts(stage, poll)
    await stage.write_outcome(topic)
    with pytest.raises(NotPermitted):
        async with stage.db.begin(stage.clerk) as tx:
            await opening.open_poll(tx, poll.id)
    stage.clock.advance(days=2)
    assert (await open_by_hand(stage, poll.id)).state is PollState.OPEN
    assert (await open_by_hand(stage, poll.id)).state is PollState.OPEN  # again changes nothing
    assert await stage.topic_state(poll.topic_id) is State.VOTING


async def test_a_poll_opened_too_late_for_its_window_is_refused_and_becomes_void(
    stage: Stage,
) -> None:
    poll = await unwritten(stage)
    topic, entrance = await whereabouts(stage, poll)
    await stage.write_outcome(topic)
    stage.clock.now = poll.closes_at - timedelta(days=4)
    with pytest.raises(terms.PollWindowInvalid):
        await open_by_hand(stage, poll.id)

    assert (await stage.closed(poll.id)).state is PollState.VOIDED
    assert await stage.topic_state(topic.id) is State.OUTCOME_DRAFTING
    again = await stage.opened("lift_scope_owners", topic, entrance)  # the round gets a new poll
    assert again.id != poll.id
    assert again.state is PollState.OPEN


@pytest.mark.parametrize(
    ("down", "state"),
    [
        (timedelta(days=2), PollState.OPEN),  # five days are left
        (timedelta(days=2, hours=2), PollState.VOIDED),
    ],
)
async def test_a_server_that_was_down_at_the_hour_shortens_no_window(
    stage: Stage, down: timedelta, state: PollState
) -> None:
    entrance, _ = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    poll = await stage.announced("lift_scope_owners", topic, entrance)
    stage.clock.now = poll.opens_at + down
    await stage.work()
    waits = PollState.ANNOUNCED if state is PollState.VOIDED else state
    assert (await stage.load(poll.id)).state is waits
    if state is PollState.VOIDED:
        with pytest.raises(terms.PollWindowInvalid):
            await open_by_hand(stage, poll.id)
        assert (await stage.closed(poll.id)).state is state


def test_a_job_that_is_late_by_seconds_opens_the_shortest_poll() -> None:
    rule = preset("civil278_special")
    opens = datetime(2026, 6, 1, tzinfo=UTC)
    closes = opens + timedelta(days=rule.window_days_min)

    def late(by: timedelta) -> bool:
        return terms.is_too_late_to_open(rule, opens_at=opens, closes_at=closes, now=opens + by)

    assert not late(timedelta(seconds=5))
    assert not late(terms.LATE)
    assert late(terms.LATE + timedelta(seconds=1))


async def extend(
    stage: Stage, poll: Poll, *, days: int, actor: Actor | None = None, reason: str = "部分业主外出"
) -> Poll:
    async with stage.db.begin(actor or stage.secretary) as tx:
        return await drafting.extend_poll(
            tx, poll.id, closes_at=poll.closes_at + timedelta(days=days), reason=reason, write=write
        )


async def test_a_poll_is_extended_once_with_a_new_notice_and_closes_later(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()
    with pytest.raises(NotPermitted):
        await extend(stage, poll, days=3, actor=stage.clerk)
    with pytest.raises(ForbiddenSubject):  # the reason stands in the notice
        await extend(stage, poll, days=3, reason=f"有{FORBIDDEN_WORDS[0]}人员未到")
    extended = await extend(stage, poll, days=3)
    assert extended.closes_at == poll.closes_at + timedelta(days=3)
    await extend(stage, poll, days=3)  # the same again changes nothing
    with pytest.raises(terms.CannotExtend):
        await extend(stage, poll, days=5)
    async with stage.db.read() as tx:
        notices = (
            await tx.session.exec(
                select(Document)
                .where(Document.kind == DocumentKind.POLL_NOTICE)
                .order_by(col(Document.version))
            )
        ).all()
    assert [notice.version for notice in notices] == [1, 2]
    assert notices[0].series_id == notices[1].series_id
    assert (await stage.load(poll.id)).notice_id == notices[1].id  # what is pointed at is in force
    assert notices[1].title.startswith("表决延期公告")
    assert notices[1].correction_reason == notices[1].body.splitlines()[0]
    for body in (notices[1].body.splitlines()[0], notices[1].body.split("表决时间")[1]):
        assert until(extended.closes_at) in body
    assert until(extended.closes_at) not in notices[0].body

    stage.clock.now = poll.closes_at
    await stage.work()
    assert (await stage.load(poll.id)).state is PollState.OPEN
    await stage.cast(poll.id, owners[0], "for")
    assert (await stage.closed(poll.id)).state is PollState.CLOSED


async def test_a_poll_that_has_its_turnout_is_not_extended(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "f" * 8 + "....")

    with pytest.raises(terms.CannotExtend):
        await extend(stage, poll, days=3)


async def test_a_count_is_published_when_two_tellers_signed_and_a_supervisor_witnessed(
    stage: Stage,
) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "f" * 4 + "a" * 8)
    with pytest.raises(rules.NotCounted):
        await stage.sign(poll.id, "teller1", Role.TELLER)
    poll = await stage.closed(poll.id)
    assert poll.state is PollState.CLOSED

    await stage.sign(poll.id, "supervisor", Role.SUPERVISOR)
    await stage.sign(poll.id, "teller1", Role.TELLER)
    await stage.sign(poll.id, "teller1", Role.TELLER)  # again: still one signature
    assert (await stage.load(poll.id)).state is PollState.CLOSED
    assert await stage.topic_state(poll.topic_id) is State.VOTING

    poll = await stage.sign(poll.id, "teller2", Role.TELLER)
    assert poll.state is PollState.PUBLISHED
    assert await stage.topic_state(poll.topic_id) is State.OUTCOME_PUBLIC
    again = await stage.sign(poll.id, "teller2", Role.TELLER)  # a lost answer, asked again
    assert again.state is PollState.PUBLISHED
    async with stage.db.read() as tx:
        signed = (await tx.session.exec(select(CountSignature))).all()
    assert sorted(one.role.value for one in signed) == ["supervisor", "teller", "teller"]
    assert {one.result_digest for one in signed} == {poll.result_digest}


async def test_who_may_not_sign(stage: Stage, world: World) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "f" * 12)
    await stage.closed(poll.id)

    for name, role in (
        ("secretary", Role.PARTY_SECRETARY),
        ("clerk", Role.CLERK),
        ("deputy", Role.COMMITTEE_HEAD),
        ("admin", Role.SYSTEM_ADMIN),
        ("owners_chair", Role.OWNERS_COMMITTEE),
        ("company", Role.PROPERTY_COMPANY),
    ):
        with pytest.raises((NotPermitted, NotFound)):
            await stage.sign(poll.id, name, role)
    with pytest.raises(rules.SignedDigestDiffers):
        await stage.sign(poll.id, "teller1", Role.TELLER, digest="0" * 64)

    async with stage.db.begin() as tx:
        tx.session.add(
            InterestDeclaration(
                topic_id=poll.topic_id,
                person_id=world.id("teller1"),
                community_id=poll.community_id,
                has_interest=True,
                note="本单元业主",
                at=tx.now,
            )
        )
    with pytest.raises(rules.NotImpartial):
        await stage.sign(poll.id, "teller1", Role.TELLER)


async def test_the_author_of_the_topic_does_not_count_its_votes(stage: Stage) -> None:
    entrance, owners = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance, author="teller1")
    poll = await stage.opened("lift_scope_owners", topic, entrance)
    await stage.vote(poll.id, owners, "f" * 12)
    await stage.closed(poll.id)

    with pytest.raises(rules.NotImpartial):
        await stage.sign(poll.id, "teller1", Role.TELLER)
    await stage.sign(poll.id, "teller2", Role.TELLER)


async def test_one_person_signs_once_in_whatever_role(stage: Stage, world: World) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "f" * 12)
    await stage.closed(poll.id)
    async with stage.db.begin() as tx:
        held = world.assignments["supervisor", Role.SUPERVISOR]
        double = type(held)(**(held.model_dump() | {"id": tx.new_id(), "role": Role.TELLER}))
        tx.session.add(double)
    world.assignments["supervisor", Role.TELLER] = double

    await stage.sign(poll.id, "supervisor", Role.SUPERVISOR)
    with pytest.raises(AlreadyDone):
        await stage.sign(poll.id, "supervisor", Role.TELLER)


async def run(stage: Stage, *statements: str) -> None:
    """As somebody who owns the database."""
    async with stage.db.begin() as tx:
        for statement in statements:
            await (await tx.session.connection()).exec_driver_sql(statement)


async def test_nothing_is_counted_on_a_roll_that_was_tampered_with(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "f" * 12)
    tamper = f"UPDATE poll SET roll_digest = '{'0' * 64}'"
    with pytest.raises(IntegrityError, match="poll is append-only"):
        await run(stage, tamper)
    dialect = "sqlite" if stage.db.is_sqlite else "postgresql"
    await run(stage, *unprotect(dialect, ["poll"]), tamper, *protect(dialect, ["poll"]))

    closed = await stage.closed(poll.id)
    assert closed.state is PollState.OPEN
    assert closed.result is None
    with pytest.raises(rules.PollClosed):
        await stage.cast(poll.id, owners[0], "against")


async def read_ballots(stage: Stage, poll_id: UUID, actor: Actor) -> list[dict[str, str]]:
    async with stage.db.begin(actor) as tx:
        rows = await closing.read_ballots(tx, poll_id, after=0, limit=50)
        return [ballot.choices for _, _, ballot in rows]


async def test_named_choices_are_sealed_until_the_close_then_seen_by_few_and_on_record(
    stage: Stage, world: World
) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "f" * 9 + "aaa")
    holders = [(name, role, world.as_(name, role)) for name, role in world.assignments]
    plain = [
        ("an owner", None, Actor(person_id=owners[0])),
        ("visitor", None, world.as_("visitor")),
    ]

    for _, _, actor in [*holders, *plain]:
        with pytest.raises(Refusal):
            await read_ballots(stage, poll.id, actor)
    await stage.closed(poll.id)
    for name, role, actor in [*holders, *plain]:
        if role in (Role.TELLER, Role.SUPERVISOR):
            assert len(await read_ballots(stage, poll.id, actor)) == 12, name
        else:
            with pytest.raises(Refusal):
                await read_ballots(stage, poll.id, actor)

    async with stage.db.read() as tx:
        looked = (
            await tx.session.exec(
                select(JournalEntry).where(JournalEntry.type == PollBallotsRead.type)
            )
        ).all()
    assert {entry.actor_id for entry in looked} == {
        world.id(name) for name in ("teller1", "teller2", "supervisor")
    }


async def test_owners_on_the_roll_inspect_their_decision_once_it_is_published(
    stage: Stage, world: World
) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "f" * 9 + "aaa")
    owner = Actor(person_id=owners[0])
    await stage.closed(poll.id)
    with pytest.raises(rules.ChoicesSealed):
        await read_ballots(stage, poll.id, owner)
    await stage.published(poll.id)
    assert len(await read_ballots(stage, poll.id, owner)) == 12
    for outsider in (world.as_("resident1"), world.as_("tenant"), world.as_("visitor"), NOBODY):
        with pytest.raises(NotPermitted):
            await read_ballots(stage, poll.id, outsider)
    for name, role in (("clerk", Role.CLERK), ("company", Role.PROPERTY_COMPANY)):
        with pytest.raises(NotPermitted):
            await read_ballots(stage, poll.id, world.as_(name, role))

    estate, people = await stage.households(3)  # no owners' decision: the records stay with staff
    topic = await stage.topic("household_poll", estate)
    other = await stage.opened("household_poll", topic, estate)
    await stage.vote(other.id, people, "faa")
    await stage.published(other.id)
    with pytest.raises(NotPermitted):
        await read_ballots(stage, other.id, Actor(person_id=people[0]))
    async with stage.db.read() as tx:
        looked = await tx.session.exec(
            select(JournalEntry.actor_id).where(JournalEntry.type == PollBallotsRead.type)
        )
        assert set(looked) == {owners[0]}


async def test_no_event_of_a_poll_ever_holds_a_choice_or_a_count(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "f" * 4 + "a" * 7 + "o")
    await stage.published(poll.id)

    async with stage.db.read() as tx:
        entries = (await tx.session.exec(select(JournalEntry))).all()
    polls = [entry for entry in entries if entry.type.startswith("poll.")]
    assert {entry.type for entry in polls} == {
        "poll.announced",
        "poll.opened",
        "poll.closed",
        "poll.signed",
        "poll.result_published",
    }
    for entry in polls:
        assert entry.data.keys() <= {
            "topic_id",
            "poll_id",
            "opens_at",
            "served_min",
            "closes_at",
            "text_hash",
            "role",
            "verdict",
        }
    before = [entry for entry in polls if entry.type != "poll.result_published"]
    assert not any("verdict" in entry.data for entry in before)


async def test_a_poll_closes_once_and_its_result_stands(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "f" * 12)
    closed = await stage.closed(poll.id)
    async with stage.db.begin(Actor(person_id=None, system=True)) as tx:
        await closing.close_poll(tx, poll.id)
        assert tx.events == []
    again = await stage.load(poll.id)

    assert (again.result, again.result_digest, again.closed_at) == (
        closed.result,
        closed.result_digest,
        closed.closed_at,
    )
    assert again.result is not None
    assert again.result.verdict is Verdict.PASSED


# ---- after the publication ----------------------------------------------------------------------


@pytest.mark.parametrize(("days", "waits"), [(14, 14), (7, 7), (0, 7)])
async def test_the_longer_objection_period_of_a_preset_delays_the_adoption(
    stage: Stage, days: int, waits: int
) -> None:
    """The procedure asks for 7 days; a local edition may ask for more (T19)."""
    rule = {"objection_days": days}
    poll, people = await stage.household_poll(6, mode=BallotMode.NAMED, rule=rule)
    await stage.vote(poll.id, people, "ffffff")
    published = await stage.published(poll.id)
    assert published.published_at is not None
    over = add_days(published.published_at, waits)
    stage.clock.now = over - timedelta(minutes=1)
    await stage.work()
    assert await stage.topic_state(poll.topic_id) is State.OUTCOME_PUBLIC
    async with stage.db.begin(SYSTEM) as tx:
        topic = await access_topic(tx, poll.topic_id, Deed.RUN_SYSTEM, lock=True)
        with pytest.raises(GateNotMet):
            await advance(tx, topic, Act.START_ADOPTION, consequence=True)
    stage.clock.now = over
    await stage.work()
    assert await stage.topic_state(poll.topic_id) is State.ADOPTION_PENDING
