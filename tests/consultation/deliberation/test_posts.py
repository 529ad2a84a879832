from typing import Any
from uuid import UUID, uuid4

import pytest

from consultation.database import Database
from consultation.deliberation import queries, rules
from consultation.deliberation.commands.posts import OnBehalf, add_post, edit_post
from consultation.deliberation.commands.threads import close_thread, open_thread
from consultation.deliberation.rules import Stance
from consultation.deliberation.tables import Post, Thread
from consultation.permissions import Deed, Role
from consultation.refusals import NotFound, NotPermitted, Refusal
from consultation.topics.states import State
from consultation.topics.subjects import ForbiddenSubject
from tests.conftest import ManualClock
from tests.world import World, a_topic

STAFF_ROLES = {
    "clerk": Role.CLERK,
    "deputy": Role.HOST,
    "grid_worker": Role.GRID_WORKER,
    "official": Role.GOVERNMENT,
    "supervisor": Role.SUPERVISOR,
}


async def a_thread(db: Database, world: World, **more: Any) -> Thread:
    topic = await a_topic(db, world, state=State.DELIBERATING, **more)
    async with db.begin(world.as_("clerk", Role.CLERK)) as tx:
        return await open_thread(tx, topic.id, title="三个备选点,您怎么看")


async def say(
    db: Database, world: World, thread: Thread, who: str, body: str = "味道谁受得了", **more: Any
) -> Post:
    more.setdefault("stance", Stance.AGAINST)
    async with db.begin(world.as_(who, STAFF_ROLES.get(who))) as tx:
        return await add_post(tx, thread.id, body=body, **more)


async def read(db: Database, post_id: UUID) -> Post:
    async with db.read() as tx:
        post = await tx.session.get(Post, post_id)
        assert post is not None
        return post


async def test_a_thread_is_opened_by_who_runs_the_deliberation(db: Database, world: World) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    for who, role in (("deputy", Role.HOST), ("clerk", Role.CLERK)):
        async with db.begin(world.as_(who, role)) as tx:
            await open_thread(tx, topic.id, title="选址")
            assert [event.type for event in tx.events] == ["thread.opened"]

    with pytest.raises(NotPermitted):
        async with db.begin(world.as_("resident1")) as tx:
            await open_thread(tx, topic.id, title="选址")


@pytest.mark.parametrize("state", [State.ANNOUNCED, State.OUTCOME_DRAFTING])
async def test_nobody_speaks_before_or_after_the_deliberation(
    db: Database, world: World, state: State
) -> None:
    thread = await a_thread(db, world)
    async with db.begin() as tx:
        topic = await queries.access_topic(tx, thread.topic_id, Deed.READ_PUBLIC)
        topic.state = state

    with pytest.raises(rules.NotDeliberating):
        await say(db, world, thread, "resident1")
    with pytest.raises(rules.NotDeliberating):
        async with db.begin(world.as_("clerk", Role.CLERK)) as tx:
            await open_thread(tx, thread.topic_id, title="再开一个")


async def test_a_resident_is_shown_by_building_and_masked_name(db: Database, world: World) -> None:
    thread = await a_thread(db, world)
    post = await say(db, world, thread, "resident1")
    tenant = await say(db, world, thread, "tenant", stance=Stance.QUESTION)

    assert (post.display_name, post.author_role) == ("3幢 居*", "resident")
    assert tenant.display_name == "李*"  # no home on record: no building


async def test_who_speaks_in_office_is_named(db: Database, world: World) -> None:
    thread = await a_thread(db, world)
    post = await say(db, world, thread, "clerk", body="风向和清运路线对比表已上传" * 40)

    assert (post.display_name, post.author_role) == ("陶颖", "clerk")


@pytest.mark.parametrize("who", ["visitor", "neighbour"])
async def test_who_is_not_verified_here_does_not_speak(
    db: Database, world: World, who: str
) -> None:
    thread = await a_thread(db, world)
    with pytest.raises(NotPermitted):
        await say(db, world, thread, who)


@pytest.mark.parametrize(
    ("who", "more", "refusal"),
    [
        ("resident1", {"body": "字" * 301}, rules.TextTooLong),
        ("resident1", {"body": " "}, rules.TextMissing),
        ("resident1", {"body": "那家有人吸毒"}, ForbiddenSubject),
        ("deputy", {"stance": Stance.FOR}, rules.HostSpeaksToProcedure),
        ("resident1", {"parent_id": uuid4()}, NotFound),
    ],
)
async def test_a_post_that_breaks_a_rule_is_refused(
    db: Database, world: World, who: str, more: dict[str, Any], refusal: type[Refusal]
) -> None:
    thread = await a_thread(db, world)
    with pytest.raises(refusal):
        await say(db, world, thread, who, **more)

    async with db.read() as tx:
        assert await queries.posts_of(tx, thread.id, after=None, limit=5) == []


async def test_a_person_under_18_reads_along(db: Database, world: World) -> None:
    thread = await a_thread(db, world)
    async with db.begin() as tx:
        person = await tx.session.get(type(world.people["tenant"]), world.id("tenant"))
        assert person is not None
        person.born_on = tx.now.date().replace(year=2011)

    with pytest.raises(rules.SpeakerUnderAge):
        await say(db, world, thread, "tenant")


async def test_the_eleventh_post_in_ten_minutes_waits_its_turn(
    db: Database, world: World, clock: ManualClock
) -> None:
    thread = await a_thread(db, world)
    for _ in range(rules.RATE_POSTS):
        await say(db, world, thread, "resident1")
    with pytest.raises(rules.TooManyPosts):
        await say(db, world, thread, "resident1")

    await say(db, world, thread, "resident2")
    clock.advance(minutes=10)
    await say(db, world, thread, "resident1")


async def test_a_post_is_answered_one_level_deep(db: Database, world: World) -> None:
    thread = await a_thread(db, world)
    elsewhere = await a_thread(db, world)
    post = await say(db, world, thread, "resident1")
    reply = await say(
        db, world, thread, "resident2", parent_id=post.id, body="有盖更干净", stance=Stance.FOR
    )

    assert (await read(db, post.id)).replies == 1
    with pytest.raises(rules.ReplyTooDeep):
        await say(db, world, thread, "resident1", parent_id=reply.id)
    with pytest.raises(NotFound):
        await say(db, world, elsewhere, "resident1", parent_id=post.id)


async def test_a_thread_counts_its_posts_by_stance_and_closes(db: Database, world: World) -> None:
    thread = await a_thread(db, world)
    await say(db, world, thread, "resident1", stance=Stance.FOR)
    post = await say(db, world, thread, "resident2", stance=Stance.AGAINST)
    await say(db, world, thread, "resident3", stance=Stance.QUESTION)
    async with db.begin(world.as_("resident2")) as tx:
        await edit_post(tx, post.id, body="改为中立", stance=Stance.NEUTRAL)

    async with db.begin(world.as_("deputy", Role.HOST)) as tx:
        closed = await close_thread(tx, thread.id)
        await close_thread(tx, thread.id)
        assert [event.type for event in tx.events] == ["thread.closed"]
    counts = (closed.posts, closed.posts_for, closed.posts_against, closed.posts_neutral)
    assert (*counts, closed.posts_question) == (3, 1, 0, 1, 1)
    with pytest.raises(rules.ThreadIsClosed):
        await say(db, world, thread, "resident1")


async def test_an_edit_leaves_every_earlier_text_readable(
    db: Database, world: World, clock: ManualClock
) -> None:
    thread = await a_thread(db, world)
    post = await say(db, world, thread, "resident1", body="第一稿")
    clock.advance(minutes=14)
    async with db.begin(world.as_("resident1")) as tx:
        edited = await edit_post(tx, post.id, body="第二稿", stance=Stance.NEUTRAL)
        await edit_post(tx, post.id, body="第二稿", stance=Stance.NEUTRAL)  # a retry
        assert [event.type for event in tx.events] == ["post.edited"]

    assert (edited.version, edited.edited_at) == (2, clock.now)
    async with db.read() as tx:
        versions = await queries.versions_of(tx, post.id)
    assert [(v.version, v.body, v.stance) for v in versions] == [
        (1, "第一稿", Stance.AGAINST),
        (2, "第二稿", Stance.NEUTRAL),
    ]


async def test_only_the_author_edits_in_time_and_before_an_answer(
    db: Database, world: World, clock: ManualClock
) -> None:
    thread = await a_thread(db, world)
    answered = await say(db, world, thread, "resident1")
    await say(db, world, thread, "resident2", parent_id=answered.id)
    old = await say(db, world, thread, "resident1")

    async def edit(who: str, post: Post) -> None:
        async with db.begin(world.as_(who, STAFF_ROLES.get(who))) as tx:
            await edit_post(tx, post.id, body="改一改", stance=Stance.NEUTRAL)

    with pytest.raises(rules.NotYourPost):
        await edit("resident2", old)
    with pytest.raises(rules.NotYourPost):
        await edit("clerk", old)
    with pytest.raises(rules.PostAnswered):
        await edit("resident1", answered)
    clock.advance(minutes=15)
    with pytest.raises(rules.EditWindowOver):
        await edit("resident1", old)
    assert (await read(db, old.id)).version == 1


async def test_a_grid_worker_enters_what_a_resident_of_the_own_grid_said(
    db: Database, world: World
) -> None:
    thread = await a_thread(db, world)
    behalf = OnBehalf(world.id("resident3"), "本人口述,当面念给她听过")
    post = await say(db, world, thread, "grid_worker", on_behalf=behalf)

    assert (post.author_id, post.entered_by_id) == (world.id("resident3"), world.id("grid_worker"))
    assert (post.author_role, post.display_name) == ("resident", "3幢 居*")
    async with db.begin(world.as_("grid_worker", Role.GRID_WORKER)) as tx:
        await edit_post(tx, post.id, body="听错一个字,更正", stance=Stance.AGAINST)


@pytest.mark.parametrize(
    ("who", "resident", "note", "refusal"),
    [
        ("clerk", "resident3", "同意", NotPermitted),
        ("resident1", "resident3", "同意", NotPermitted),
        ("grid_worker", "resident3", " ", rules.ConsentNoteMissing),
        ("grid_worker", "visitor", "同意", rules.ResidentNotInYourGrid),
        ("grid_worker", "neighbour", "同意", rules.ResidentNotInYourGrid),
    ],
)
async def test_nobody_else_is_written_for_and_nobody_else_writes(
    db: Database, world: World, who: str, resident: str, note: str, refusal: type[Refusal]
) -> None:
    thread = await a_thread(db, world)
    with pytest.raises(refusal):
        await say(db, world, thread, who, on_behalf=OnBehalf(world.id(resident), note))


async def test_a_resident_of_another_grid_is_not_written_for(db: Database, world: World) -> None:
    thread = await a_thread(db, world)
    async with db.begin() as tx:
        from sqlmodel import select

        from consultation.community.tables import Residence

        home = (
            await tx.session.exec(
                select(Residence).where(Residence.person_id == world.id("resident4"))
            )
        ).one()
        home.grid_id = world.nodes["grid2"].id

    with pytest.raises(rules.ResidentNotInYourGrid):
        await say(
            db, world, thread, "grid_worker", on_behalf=OnBehalf(world.id("resident4"), "同意")
        )
