"""A picture is checked too; its verdict comes as an event, or not at all."""

import asyncio
from uuid import uuid4

import pytest

from api.media_checks import ask_for_media_check, note_media_trace, note_media_verdict
from consultation.permissions import SYSTEM, Actor
from notifications.wechat.content import MEDIA_CHECK, MediaKind
from notifications.wechat.tables import CheckState, MediaCheck
from tests.api.content import HIDE, decide, queue
from tests.api.wechat_house import House
from tests.conftest import ManualClock


async def a_picture(house: House, plan: str, name: str = "resident1") -> MediaCheck:
    """As a route that takes uploads would ask for it."""
    await house.fake.media_verdict(plan)
    async with house.db.begin(Actor(person_id=house.world.id(name))) as tx:
        check = await ask_for_media_check(
            tx,
            house.services.settings,
            id=uuid4(),
            url="https://files.minyi.test/1.png",
            kind=MediaKind.IMAGE,
            community_id=house.world.community.id,
            topic_id=None,
        )
    await house.errands()
    return check


async def state_of(house: House) -> CheckState:
    [check] = await house.rows(MediaCheck)
    return check.state


@pytest.mark.parametrize(
    ("plan", "state", "causes"),
    [
        ("pass", CheckState.PASS, []),
        ("review", CheckState.REVIEW, ["review"]),
        ("risky", CheckState.RISKY, ["risky"]),
        ("download_error", CheckState.ERROR, ["check_failed"]),
        ("twice", CheckState.PASS, []),
        ("before_reply", CheckState.PASS, []),
        ("v1_risky", CheckState.RISKY, ["risky"]),
    ],
)
async def test_the_verdict_on_a_medium_comes_as_an_event(
    house: House, plan: str, state: CheckState, causes: list[str]
) -> None:
    await house.account("resident1")
    await a_picture(house, plan)
    if plan != "before_reply":
        assert await state_of(house) is CheckState.PENDING
    await house.deliver(times=2, reverse=True)

    assert await state_of(house) is state
    assert [review["cause"] for review in await queue(house)] == causes


@pytest.mark.parametrize("first", ["event", "answer"])
async def test_a_verdict_that_is_noted_in_the_same_moment_as_the_answer_is_applied(
    house: House, first: str
) -> None:
    """Neither sees what the other has not committed."""
    await house.account("resident1")
    async with house.db.begin(Actor(person_id=house.world.id("resident1"))) as tx:
        check = MediaCheck(
            id=tx.new_id(),
            community_id=house.world.community.id,
            person_id=tx.person_id,
            url="https://files.minyi.test/1.png",
            kind=MediaKind.IMAGE,
            state=CheckState.PENDING,
            created_at=tx.now,
            asked_at=tx.now,
        )
        tx.session.add(check)
    noted, go_on = asyncio.Event(), asyncio.Event()

    async def note(what: str) -> None:
        async with house.db.begin(SYSTEM) as tx:
            if what == "answer":
                await note_media_trace(tx, check.id, "trace-1")
            else:
                await note_media_verdict(tx, "trace-1", state=CheckState.PASS, label=100, errcode=0)
            noted.set()
            await go_on.wait()

    second = "answer" if first == "event" else "event"
    async with asyncio.TaskGroup() as both:
        both.create_task(note(first))
        await noted.wait()
        both.create_task(note(second))
        await asyncio.sleep(0.3)
        go_on.set()

    assert await state_of(house) is CheckState.PASS
    async with house.db.begin(SYSTEM) as tx:  # told again, and otherwise
        await note_media_verdict(tx, "trace-1", state=CheckState.RISKY, label=1, errcode=0)
    assert await state_of(house) is CheckState.PASS


async def test_a_verdict_that_never_comes_brings_a_person_after_35_minutes_and_a_late_one_settles(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1")
    await a_picture(house, "pass")
    clock.advance(minutes=34)
    await house.errands()
    assert await state_of(house) is CheckState.PENDING
    clock.advance(minutes=1)
    await house.errands()
    assert await state_of(house) is CheckState.ERROR
    assert [review["cause"] for review in await queue(house)] == ["timed_out"]

    await house.deliver()
    assert await state_of(house) is CheckState.PASS
    assert await queue(house) == []


async def test_a_medium_that_wechat_was_never_asked_about_is_asked_about_later(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1")
    await house.fake.fault(MEDIA_CHECK, "errcode", errcode=45009, n=1)
    await a_picture(house, "pass")
    clock.advance(minutes=3)
    await house.errands()
    await house.deliver()

    assert await state_of(house) is CheckState.PASS
    assert await house.fake.calls(MEDIA_CHECK) == 2


@pytest.mark.parametrize(("fault", "cause"), [("lost", "check_failed"), ("html", "check_failed")])
async def test_a_medium_whose_answer_is_lost_is_looked_at_by_a_person(
    house: House, fault: str, cause: str
) -> None:
    await house.account("resident1")
    await house.fake.fault(MEDIA_CHECK, fault)
    await a_picture(house, "pass")

    assert await state_of(house) is CheckState.ERROR
    assert [review["cause"] for review in await queue(house)] == [cause]


async def test_a_person_decides_about_a_medium(house: House, clock: ManualClock) -> None:
    await house.account("resident1")
    clock.advance(hours=3)
    await a_picture(house, "pass")
    [review] = await queue(house)

    assert (review["cause"], review["text"]) == ("no_recent_visit", None)
    assert (await decide(house, review["id"], **HIDE)).json()["state"] == "hidden"


async def test_media_of_one_person_are_checked_one_after_the_other_and_of_two_at_once(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1", "o1")
    await house.account("resident2", "o2")
    for _ in range(5):
        await a_picture(house, "pass", "resident1")
    await a_picture(house, "risky", "resident2")

    async def asked() -> list[str]:
        return sorted(one["openid"] for one in (await house.fake.outbox())["checks"])

    assert await asked() == ["o1", "o2"]
    for answered in range(2, 6):
        await house.deliver(times=2)
        assert (await asked()).count("o1") == answered
    await house.deliver()

    assert (await house.fake.outbox())["media_overlap"] == {"o1": 1, "o2": 1}
    states = [check.state for check in await house.rows(MediaCheck)]
    assert (states.count(CheckState.PASS), states.count(CheckState.RISKY)) == (5, 1)


async def test_a_verdict_that_never_comes_lets_the_next_medium_be_checked(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1", "o1")
    await a_picture(house, "never")
    clock.advance(minutes=20)
    await a_picture(house, "pass")
    assert len((await house.fake.outbox())["checks"]) == 1
    clock.advance(minutes=15)
    await house.fake.visit("o1")
    await house.errands()
    await house.deliver()

    states = [check.state for check in await house.rows(MediaCheck)]
    assert sorted(states) == [CheckState.ERROR, CheckState.PASS]
    assert (await house.fake.outbox())["media_overlap"] == {"o1": 1}


async def test_many_errands_at_once_still_ask_about_one_medium_of_a_person(house: House) -> None:
    await house.account("resident1", "o1")
    async with house.db.begin(Actor(person_id=house.world.id("resident1"))) as tx:
        for _ in range(6):
            await ask_for_media_check(
                tx,
                house.services.settings,
                id=uuid4(),
                url="https://files.minyi.test/1.png",
                kind=MediaKind.IMAGE,
                community_id=house.world.community.id,
                topic_id=None,
            )
    await asyncio.gather(*(house.services.errands.run_due() for _ in range(3)))
    for _ in range(6):
        await house.deliver()

    assert (await house.fake.outbox())["media_overlap"] == {"o1": 1}
    assert {check.state for check in await house.rows(MediaCheck)} == {CheckState.PASS}
