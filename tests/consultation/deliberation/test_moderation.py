import pytest

from consultation.database import Database
from consultation.deliberation import rules
from consultation.deliberation.commands.moderation import (
    appeal_hidden_post,
    hide_post,
    review_hidden_post,
)
from consultation.deliberation.commands.posts import OnBehalf
from consultation.deliberation.rules import HidingReason
from consultation.deliberation.tables import Post
from consultation.events.people import UserNotified
from consultation.permissions import Role
from consultation.refusals import NotPermitted
from consultation.topics.states import State
from tests.conftest import ManualClock
from tests.consultation.deliberation.test_posts import a_thread, read, say
from tests.world import World

REASON = "发言写出了邻居的姓名和门牌"


async def hide(db: Database, world: World, post: Post, who: str = "deputy") -> list[object]:
    role = {"deputy": Role.HOST, "clerk": Role.CLERK, "secretary": Role.PARTY_SECRETARY}.get(who)
    async with db.begin(world.as_(who, role)) as tx:
        await hide_post(tx, post.id, reason_code=HidingReason.NAMES_A_PERSON, reason=REASON)
        return list(tx.events)


async def appeal(db: Database, world: World, post: Post, who: str = "resident1") -> None:
    role = Role.GRID_WORKER if who == "grid_worker" else None
    async with db.begin(world.as_(who, role)) as tx:
        await appeal_hidden_post(tx, post.id, reason="我说的是职务行为")


async def review(db: Database, world: World, post: Post, *, restore: bool) -> list[object]:
    async with db.begin(world.as_("supervisor", Role.SUPERVISOR)) as tx:
        await review_hidden_post(tx, post.id, restore=restore, opinion="批评工作不属于人身攻击")
        return list(tx.events)


async def test_hiding_tells_the_author_the_reason(db: Database, world: World) -> None:
    post = await say(db, world, await a_thread(db, world), "resident1")
    events = await hide(db, world, post)

    told = [event for event in events if isinstance(event, UserNotified)]
    assert [(e.person_id, e.about, e.subject_id, e.reason_code) for e in told] == [
        (world.id("resident1"), "post_hidden", post.id, "names_a_person")
    ]
    hidden = await read(db, post.id)
    assert (hidden.body, hidden.hidden_reason) == (post.body, REASON)


@pytest.mark.parametrize("who", ["secretary", "resident2"])
async def test_only_clerk_and_host_hide(db: Database, world: World, who: str) -> None:
    post = await say(db, world, await a_thread(db, world), "resident1")
    with pytest.raises(NotPermitted):
        await hide(db, world, post, who)


async def test_hiding_needs_a_sentence_and_happens_once(db: Database, world: World) -> None:
    post = await say(db, world, await a_thread(db, world), "resident1")
    with pytest.raises(rules.ReasonMissing):
        async with db.begin(world.as_("clerk", Role.CLERK)) as tx:
            await hide_post(tx, post.id, reason_code=HidingReason.UNLAWFUL, reason=" ")
    await hide(db, world, post)
    with pytest.raises(rules.PostAlreadyHidden):
        await hide(db, world, post, "clerk")


async def test_a_hidden_post_is_neither_answered_nor_changed(db: Database, world: World) -> None:
    thread = await a_thread(db, world)
    post = await say(db, world, thread, "resident1")
    await hide(db, world, post)
    with pytest.raises(rules.PostIsHidden):
        await say(db, world, thread, "resident2", parent_id=post.id)


async def test_an_appeal_upheld_restores_the_post_for_good(db: Database, world: World) -> None:
    post = await say(db, world, await a_thread(db, world), "resident1")
    await hide(db, world, post)
    await appeal(db, world, post)
    events = await review(db, world, post, restore=True)

    assert [getattr(event, "type", "") for event in events] == ["post.restored", "user.notified"]
    restored = await read(db, post.id)
    assert not rules.is_hidden(hidden_at=restored.hidden_at, appeal_upheld=restored.appeal_upheld)
    with pytest.raises(rules.WasRestored):
        await hide(db, world, post)


async def test_an_appeal_dismissed_leaves_it_hidden_and_is_the_only_one(
    db: Database, world: World
) -> None:
    post = await say(db, world, await a_thread(db, world), "resident1")
    await hide(db, world, post)
    with pytest.raises(rules.NoAppealWaits):
        await review(db, world, post, restore=False)
    await appeal(db, world, post)
    events = await review(db, world, post, restore=False)

    assert [getattr(e, "reason_code", None) for e in events] == ["dismissed"]
    after = await read(db, post.id)
    assert rules.is_hidden(hidden_at=after.hidden_at, appeal_upheld=after.appeal_upheld)
    with pytest.raises(rules.AppealUsed):
        await appeal(db, world, post)


async def test_the_appeal_is_the_authors_and_comes_in_time(
    db: Database, world: World, clock: ManualClock
) -> None:
    post = await say(db, world, await a_thread(db, world), "resident1")
    with pytest.raises(rules.NothingToAppeal):
        await appeal(db, world, post)
    await hide(db, world, post)
    with pytest.raises(rules.NotYourPost):
        await appeal(db, world, post, "resident2")
    clock.advance(days=16)
    with pytest.raises(rules.AppealTooLate):
        await appeal(db, world, post)


async def test_who_hid_it_does_not_decide_even_as_supervisor(db: Database, world: World) -> None:
    post = await say(db, world, await a_thread(db, world), "resident1")
    await hide(db, world, post)
    await appeal(db, world, post)
    async with db.begin() as tx:
        found = await tx.session.get(Post, post.id)
        assert found is not None
        found.hidden_by_id = world.id("supervisor")

    with pytest.raises(rules.HiderDecidesNot):
        await review(db, world, post, restore=True)
    with pytest.raises(NotPermitted):
        async with db.begin(world.as_("clerk", Role.CLERK)) as tx:
            await review_hidden_post(tx, post.id, restore=True, opinion="我来定")


async def test_the_grid_worker_is_told_too_and_may_appeal_for_the_resident(
    db: Database, world: World
) -> None:
    thread = await a_thread(db, world)
    behalf = OnBehalf(world.id("resident3"), "本人口述")
    post = await say(db, world, thread, "grid_worker", on_behalf=behalf)
    events = await hide(db, world, post)

    told = {event.person_id for event in events if isinstance(event, UserNotified)}
    assert told == {world.id("resident3"), world.id("grid_worker")}
    await appeal(db, world, post, "grid_worker")


async def test_what_was_said_can_be_hidden_after_the_deliberation(
    db: Database, world: World
) -> None:
    thread = await a_thread(db, world)
    post = await say(db, world, thread, "resident1")
    async with db.begin() as tx:
        from consultation.topics.tables import Topic

        topic = await tx.session.get(Topic, thread.topic_id)
        assert topic is not None
        topic.state = State.OUTCOME_DRAFTING

    await hide(db, world, post)
    await appeal(db, world, post)
