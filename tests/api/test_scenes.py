"""Codes on paper and links in messages: made once, read by everybody, made again in time."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import delete

from consultation.permissions import Role
from notifications.wechat.codes import CODE, SCENE
from notifications.wechat.links import URL_LINK
from notifications.wechat.tables import Scene
from tests.api.wechat_house import House
from tests.conftest import ManualClock
from tests.contract.seeded import Seed, seed

MAKERS = {
    "topics": ("topic_id", "clerk", Role.CLERK, "pages/topic/topic"),
    "polls": ("poll_id", "clerk", Role.CLERK, "pages/poll/poll"),
    "meetings": ("meeting_id", "deputy", Role.HOST, "pages/meeting/meeting"),
}


@pytest.fixture
async def seeded(house: House) -> Seed:
    made = await seed(house.db, house.world)
    async with house.db.begin() as tx:
        await tx.session.exec(delete(Scene))  # the codes of this file are made by its tests
    return made


def address(seeded: Seed, kind: str) -> str:
    return f"/v1/{kind}/{seeded.addresses[MAKERS[kind][0]]}/wxacode"


async def make(house: House, seeded: Seed, kind: str = "topics") -> httpx.Response:
    _, name, role, _ = MAKERS[kind]
    return await house.http.put(address(seeded, kind), headers=house.world.headers(name, role))


@pytest.mark.parametrize("kind", MAKERS)
async def test_a_code_is_made_once_and_everybody_reads_the_same_image(
    house: House, seeded: Seed, kind: str
) -> None:
    assert (await house.http.get(address(seeded, kind))).status_code == 404

    first, second = await make(house, seeded, kind), await make(house, seeded, kind)

    assert first.status_code == 200, first.text
    scene = first.json()["scene"]
    assert second.json()["scene"] == scene
    assert SCENE.fullmatch(scene)
    assert seeded.addresses[MAKERS[kind][0]][:8] not in scene
    assert (await house.fake.outbox())["codes"] == [{"scene": scene, "page": MAKERS[kind][3]}]
    for headers in ({}, house.world.headers("resident1")):
        image = await house.http.get(address(seeded, kind), headers=headers)
        assert image.headers["content-type"] == "image/png"
        assert image.content.startswith(b"\x89PNG\r\n\x1a\n")
    assert await house.fake.calls(CODE) == 1


@pytest.mark.parametrize("kind", MAKERS)
async def test_a_scanned_scene_leads_to_its_thing(house: House, seeded: Seed, kind: str) -> None:
    scene = (await make(house, seeded, kind)).json()["scene"]
    await house.errands()

    found = (await house.http.get(f"/v1/scenes/{scene}")).json()

    assert (found["kind"], found["target_id"]) == (
        kind.removesuffix("s"),
        seeded.addresses[MAKERS[kind][0]],
    )
    assert found["url_link"].startswith("https://wxaurl.cn/")
    assert found["scheme"].startswith("weixin://")
    assert (await house.http.get("/v1/scenes/invented")).status_code == 404


async def test_residents_and_strangers_have_no_codes_made(house: House, seeded: Seed) -> None:
    for headers in (
        house.world.headers("resident1"),
        house.world.headers("neighbour", Role.CLERK),
        house.world.headers("supervisor", Role.SUPERVISOR),
    ):
        assert (await house.http.put(address(seeded, "topics"), headers=headers)).status_code in (
            403,
            404,
        )
    assert (await house.http.put(address(seeded, "topics"))).status_code == 401
    assert await house.rows(Scene) == []
    assert await house.fake.calls(CODE) == 0


async def test_a_code_of_what_one_may_not_see_says_nothing(house: House, seeded: Seed) -> None:
    hidden = f"/v1/topics/{seeded.hidden.id}/wxacode"
    made = await house.http.put(hidden, headers=house.world.headers("clerk", Role.CLERK))
    assert made.status_code == 200

    assert (await house.http.get(hidden)).status_code == 404
    assert (await house.http.get(f"/v1/scenes/{made.json()['scene']}")).status_code == 404


@pytest.mark.parametrize(
    "fault", [{"kind": "html"}, {"kind": "errcode", "errcode": 45009}, {"kind": "lost"}]
)
async def test_a_code_that_cannot_be_had_now_is_had_by_asking_again_under_the_same_scene(
    house: House, seeded: Seed, fault: dict[str, Any]
) -> None:
    await house.fake.fault(CODE, **fault)

    refused = await make(house, seeded)
    assert (refused.status_code, refused.json()["code"]) == (503, "wechat-unavailable")
    [scene] = await house.rows(Scene)
    assert (await house.http.get(address(seeded, "topics"))).status_code == 404

    assert (await make(house, seeded)).json()["scene"] == scene.scene


async def test_two_at_once_make_one_scene(house: House, seeded: Seed) -> None:
    answers = await asyncio.gather(*(make(house, seeded) for _ in range(4)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["scene"] for answer in answers}) == 1
    assert len(await house.rows(Scene)) == 1


async def test_a_link_is_made_again_before_it_runs_out_and_not_sooner(
    house: House, seeded: Seed, clock: ManualClock
) -> None:
    await make(house, seeded)
    await house.errands()
    [before] = await house.rows(Scene)
    assert before.link_expires_at == clock.now + timedelta(days=30)

    clock.advance(days=27)
    await house.errands()
    assert [scene.url_link for scene in await house.rows(Scene)] == [before.url_link]
    clock.advance(days=1)
    await house.errands()

    [after] = await house.rows(Scene)
    assert after.url_link != before.url_link
    assert after.link_expires_at == clock.now + timedelta(days=30)
    clock.advance(days=28)
    await house.errands()
    assert await house.fake.calls(URL_LINK) == 3


async def test_wechat_down_when_a_link_is_due_leaves_the_old_one_and_makes_the_new_one_later(
    house: House, seeded: Seed, clock: ManualClock
) -> None:
    await make(house, seeded)
    await house.errands()
    [before] = await house.rows(Scene)
    clock.advance(days=28)
    await house.fake.fault(URL_LINK, "html", n=99)
    await house.errands()
    assert [scene.url_link for scene in await house.rows(Scene)] == [before.url_link]

    await house.fake.heal()
    clock.advance(minutes=10)
    await house.errands()

    [after] = await house.rows(Scene)
    assert after.url_link != before.url_link
    assert clock.now < before.link_expires_at
